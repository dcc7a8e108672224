"""Requests of the right shape for any method: they name what is there, and every statement is garbage.

Whoever may not pass is refused before anyone looks at a statement; whoever may learns that it is garbage.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from meldbrug.client import new_id
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, digest_of, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1 import statements_pb2 as said
from meldbrug.thirdparty.buf.validate import validate_pb2
from tests.support.personas import request_class

# Absent where it may be: whatever would name more than the door that is tried.
LEFT_OUT = {
    "page_token",
    "resume_token",
    "after",
    "next_page_token",
    "page_size",
    "state",
    "kinds",
    "umbrella",
}


def request_for(method: str, names: Mapping[str, str], keys: SecretKeys | None = None) -> Message:
    """A request of the right shape for a method.

    Args:
        method: Full gRPC name.
        names: What it names, by the name of the field.
        keys: Who signs where only the statement says what it is about.
    """
    message = request_class(method)()
    for one in message.DESCRIPTOR.fields:
        if one.message_type and one.message_type.name == "Production":
            _fill_production(message, names)
        elif one.message_type and one.message_type.name == "Organisation":
            _fill_organisation(message, names)
        else:
            fill(message, one, names)
    if keys and method.endswith("AppointMember"):
        message.appointment.CopyFrom(_appointment(names, keys))  # type: ignore[attr-defined]
    if keys and method.endswith("RewrapSeat"):
        message.wraps[0].reader_kid = names["new_kid"]  # type: ignore[attr-defined]
        message.rewrap.CopyFrom(_rewrap(names, keys, message.wraps[0].wrap))  # type: ignore[attr-defined]
    return message


def _appointment(names: Mapping[str, str], keys: SecretKeys) -> common.Signed:
    appointment = said.Appointment(
        installation=names["installation"],
        organisation=names["organisation"],
        appointment=names["appointment"],
        participation=names["participation"],
        capacity=common.CAPACITY_COUNSELLOR,
        role="Een rol",
        subject=names["subject"],
        kid=keys.kid,
        signer_kid=keys.kid,
        sequence=1,
    )
    return statements.sign(StatementKind.APPOINTMENT, appointment, keys)


def _rewrap(names: Mapping[str, str], keys: SecretKeys, wrap: bytes) -> common.Signed:
    item = said.Rewrap.Item(
        section=names["section"], version=1, commitment=bytes(32), wrap_digest=digest_of(wrap)
    )
    rewrap = said.Rewrap(
        installation=names["installation"],
        incident=names["incident"],
        grant=names["incident"],
        old_kid=keys.kid,
        new_kid=names["new_kid"],
        items=[item],
        sequence=1,
    )
    return statements.sign(StatementKind.REWRAP, rewrap, keys)


def absent() -> dict[str, str]:
    """Names of things that are not there."""
    incident = f"incidents/{new_id()}"
    section = f"{incident}/sections/{new_id()}"
    kid = SecretKeys.generate().kid
    return {
        "incident": incident,
        "notice": f"{incident}/notices/{new_id()}",
        "section": section,
        "sections": section,
        "production": f"productions/{new_id()}",
        "participation": f"participations/{new_id()}",
        "recipient": f"participations/{new_id()}",
        "organisation": f"organisations/{new_id()}",
        "member": f"members/{new_id()}",
        "appointment": f"appointments/{new_id()}",
        "subject": f"persons/{new_id()}",
        "code": new_id(),
        "kids": kid,
        "reader_kids": kid,
        "new_kid": kid,
    }


def fill(message: Message, one: FieldDescriptor, names: Mapping[str, str]) -> None:
    """Fills one field with something of the right shape."""
    if one.message_type and one.message_type.name == "Signed":
        getattr(message, one.name).CopyFrom(common.Signed(statement=b"x", signature=bytes(64)))
    elif one.message_type and one.message_type.name == "PublicKeys":
        keys = SecretKeys.generate().public
        getattr(message, one.name).CopyFrom(common.PublicKeys(signing=keys.signing, sealing=keys.sealing))
    elif one.message_type:
        child = getattr(message, one.name)
        child = child.add() if one.is_repeated else child
        child.SetInParent() if hasattr(child, "SetInParent") else None
        for nested in one.message_type.fields:
            fill(child, nested, names)
    else:
        _fill_scalar(message, one, names)


def _fill_scalar(message: Message, one: FieldDescriptor, names: Mapping[str, str]) -> None:
    value = scalar(one, names)
    if value is None:
        return
    if one.is_repeated:
        getattr(message, one.name).append(value)
    else:
        setattr(message, one.name, value)


def scalar(one: FieldDescriptor, names: Mapping[str, str]) -> object:
    """A value that passes the field's own rules, or None to leave it out."""
    if one.name in LEFT_OUT or one.full_name.endswith("InviteMemberRequest.subject"):
        return None
    if one.name == "request_id":
        return str(uuid.uuid4())
    if one.full_name.endswith("SectionHeader.name"):
        return names["section"]
    return names[one.name] if one.name in names else _of_type(one, names)


def _of_type(one: FieldDescriptor, names: Mapping[str, str]) -> object:
    rules = one.GetOptions().Extensions[validate_pb2.field]
    if one.type == FieldDescriptor.TYPE_BYTES:
        return bytes(rules.bytes.len or rules.bytes.min_len or 32)
    if one.type == FieldDescriptor.TYPE_STRING:
        return names["reader_kids"] if one.name.endswith("_kid") else "een woord"
    return one.type != FieldDescriptor.TYPE_BOOL and 1


def _fill_production(message: Message, names: Mapping[str, str]) -> None:
    production = message.production  # type: ignore[attr-defined]
    production.title = "Een titel"
    production.start_time.FromSeconds(1_700_000_000)
    production.end_time.FromSeconds(1_800_000_000)
    if message.DESCRIPTOR.name == "UpdateProductionRequest":
        production.name, production.etag = names["production"], "oud"


def _fill_organisation(message: Message, names: Mapping[str, str]) -> None:
    organisation = message.organisation  # type: ignore[attr-defined]
    organisation.title, organisation.kind = "Een naam", 2
    if message.DESCRIPTOR.name == "UpdateOrganisationRequest":
        organisation.name, organisation.etag, organisation.state = names["organisation"], "oud", 1
