"""Values of the domain as messages, and what callers say as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.directory.v1 import directory_pb2 as pb
from meldbrug.directory.v1 import directory_service_pb2 as service
from services.directory import domain
from services.directory.usecases.doors import Caller
from services.directory.usecases.lookups import PageRequest
from services.directory.usecases.productions import Particulars
from services.directory.usecases.secretariat import Wanted
from services.kernel.errors import InvalidField
from services.kernel.rpc import Call


def moment(value: datetime | None) -> Timestamp | None:
    """A time as a message; absent stays absent."""
    if value is None:
        return None
    message = Timestamp()
    message.FromDatetime(value)
    return message


def time_of(message: Timestamp, field: str) -> datetime:
    """A message as a time. Raises InvalidField when it is none of the years 1 to 9999."""
    try:
        return message.ToDatetime(UTC)
    except ValueError:
        raise InvalidField(field, "is not a time") from None


def public_keys(key: domain.Key) -> common.PublicKeys:
    """The public half of a key."""
    return common.PublicKeys(signing=key.signing, sealing=key.sealing)


def organisation(value: domain.Organisation) -> pb.Organisation:
    """An organisation."""
    return pb.Organisation(
        name=value.name,
        title=value.title,
        kind=pb.Organisation.Kind.ValueType(value.kind),
        umbrella=value.umbrella,
        state=pb.Organisation.State.ValueType(value.state),
        etag=value.etag,
    )


def member(value: domain.Member, key: domain.Key | None = None) -> pb.Member:
    """A membership with its public key, when one was sent."""
    return pb.Member(
        name=value.name,
        organisation=value.organisation,
        subject=value.subject,
        title=value.title,
        subject_kind=common.SubjectKind.ValueType(value.subject_kind),
        admin=value.admin,
        state=pb.Member.State.ValueType(value.state),
        kid=value.kid,
        key_change_time=moment(value.key_change_time),
        keys=public_keys(key) if key else None,
        etag=value.etag,
    )


def production(value: domain.Production) -> pb.Production:
    """A production."""
    return pb.Production(
        name=value.name,
        title=value.title,
        lead=value.lead,
        start_time=moment(value.start_time),
        end_time=moment(value.end_time),
        isan=value.isan,
        eidr=value.eidr,
        code=value.code,
        etag=value.etag,
    )


def participation(value: domain.Participation) -> pb.Participation:
    """A participation."""
    return pb.Participation(
        name=value.name,
        production=value.production,
        organisation=value.organisation,
        state=pb.Participation.State.ValueType(value.state),
        independent=value.independent,
        etag=value.etag,
    )


def own_participation(value: domain.Participation, titles: Mapping[str, tuple[str, str]]) -> pb.Participation:
    """A participation with the titles of its production and of who leads that, by the production's name."""
    told = participation(value)
    told.production_title, told.lead_title = titles.get(value.production, ("", ""))
    return told


def contact(value: domain.Contact) -> pb.Contact:
    """A role with its holder's current key."""
    return pb.Contact(
        appointment=value.appointment,
        participation=value.participation,
        capacity=common.Capacity.ValueType(value.capacity),
        kid=value.kid,
        subject=value.subject,
        ended=value.ended,
    )


def book(value: domain.Book) -> pb.KeyBook:
    """A key book."""
    return pb.KeyBook(
        keys=map(public_keys, value.keys),
        endorsements=map(_signed, value.endorsements),
        rotations=map(_signed, value.rotations),
        appointments=map(_signed, value.appointments),
    )


def _signed(value: domain.Signed) -> common.Signed:
    return common.Signed(statement=value.statement, signature=value.signature)


def circle(value: domain.Circle, *, of_production: bool = True) -> pb.Circle:
    """A circle; its production is the one there is, unless the participations are of several."""
    one = value.productions[0] if of_production and value.productions else None
    return pb.Circle(
        production=production(one) if one else None,
        participations=map(participation, value.participations),
        organisations=map(organisation, value.organisations),
        contacts=map(contact, value.contacts),
        book=book(value.book),
    )


def resolved(value: domain.Standing) -> service.ResolvedKey:
    """What is known of a key."""
    return service.ResolvedKey(
        kid=value.key.kid,
        keys=public_keys(value.key),
        subject=value.member.subject,
        organisation=value.organisation.name,
        member=value.member.name,
        active=value.active,
    )


def particulars(message: pb.Production) -> Particulars:
    """What a lead says of its production."""
    return Particulars(
        title=message.title,
        start_time=time_of(message.start_time, "production.start_time"),
        end_time=time_of(message.end_time, "production.end_time"),
        isan=message.isan,
        eidr=message.eidr,
    )


def wanted(message: pb.Organisation) -> Wanted:
    """What the secretariat says of an organisation."""
    return Wanted(
        title=message.title,
        kind=domain.OrganisationKind(message.kind),
        umbrella=message.umbrella,
        state=domain.OrganisationState(message.state) if message.state else None,
    )


class Paged(Protocol):
    """A request for a part of a list."""

    page_size: int
    page_token: str


def caller(call: Call, request_id: str = "") -> Caller:
    """Who calls, and which of its requests this is."""
    return Caller(call.actor, call.method, call.body_sha256, request_id)


def page(request: Paged) -> PageRequest:
    """Which part of a list is asked for."""
    return PageRequest(request.page_size, request.page_token)
