"""What an organisation's admin does: invite, endorse, appoint, take part; what is signed was verified."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2 as wire
from meldbrug.directory.v1 import directory_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .connection import M
from .device import new_id, new_request_id
from .errors import MeldbrugError
from .paging import every
from .reading import keys_of, require
from .session import Session

ADMIN: Final = "/meldbrug.directory.v1.AdminService/"


class Administering:
    """Acts for the caller's own organisation."""

    def __init__(self, session: Session) -> None:
        """Acts with the member's key."""
        self._session = session

    async def invite(
        self,
        title: str,
        subject_kind: common.SubjectKind.ValueType = common.SUBJECT_KIND_PERSON,
        subject: str = "",
        *,
        admin: bool = False,
    ) -> service.InviteMemberResponse:
        """Invites a person, new or known, or a system; the code goes out of band, once."""
        request = service.InviteMemberRequest(
            title=title,
            subject_kind=subject_kind,
            subject=subject,
            admin=admin,
            request_id=new_request_id(),
        )
        return await self._call("InviteMember", request, service.InviteMemberResponse)

    async def members(self) -> AsyncIterator[wire.Member]:
        """Yields the organisation's members."""

        async def fetch(token: str) -> service.ListMembersResponse:
            request = service.ListMembersRequest(page_token=token)
            return await self._call("ListMembers", request, service.ListMembersResponse)

        async for member in every(fetch, lambda page: page.members):
            yield member

    async def endorse(self, member: str, kid: str) -> wire.Member:
        """Vouches for a pending key.

        Args:
            member: `members/{member}`.
            kid: The fingerprint as its holder read it out, on another channel than this one.

        Raises:
            MeldbrugError: there is no such member.
            Unverified: the directory serves another key than the one that was compared.
        """
        found = [candidate async for candidate in self.members() if candidate.name == member]
        if not found:
            raise MeldbrugError("there is no such member")
        me = await self._session.me()
        endorsement = endorsement_of(self._session, found[0], me.organisation, kid, admin=False)
        request = service.EndorseMemberRequest(
            member=member, endorsement=endorsement, request_id=new_request_id()
        )
        return (await self._call("EndorseMember", request, service.EndorseMemberResponse)).member

    async def remove(self, member: str) -> wire.Member:
        """Removes a member; its seats have ended when this returns."""
        request = service.RemoveMemberRequest(member=member, request_id=new_request_id())
        return (await self._call("RemoveMember", request, service.RemoveMemberResponse)).member

    async def register_production(
        self, title: str, start: datetime, end: datetime, isan: str = "", eidr: str = ""
    ) -> service.RegisterProductionResponse:
        """Registers a production that the caller's organisation leads; the answer holds its code."""
        production = wire.Production(
            title=title, start_time=stamp(start), end_time=stamp(end), isan=isan, eidr=eidr
        )
        request = service.RegisterProductionRequest(production=production, request_id=new_request_id())
        return await self._call("RegisterProduction", request, service.RegisterProductionResponse)

    async def update_production(self, production: wire.Production) -> wire.Production:
        """Changes a production that the caller's organisation leads.

        Raises:
            Stale: it changed since it was read.
        """
        request = service.UpdateProductionRequest(production=production, request_id=new_request_id())
        return (await self._call("UpdateProduction", request, service.UpdateProductionResponse)).production

    async def rotate_code(self, production: str) -> wire.Production:
        """Replaces a production's code; the old one ends at once."""
        request = service.RotateProductionCodeRequest(production=production, request_id=new_request_id())
        answer = await self._call("RotateProductionCode", request, service.RotateProductionCodeResponse)
        return answer.production

    async def propose_participation(self, production: str, organisation: str) -> wire.Participation:
        """Proposes that an organisation takes part in a production that the caller's organisation leads."""
        request = service.ProposeParticipationRequest(
            production=production, organisation=organisation, request_id=new_request_id()
        )
        answer = await self._call("ProposeParticipation", request, service.ProposeParticipationResponse)
        return answer.participation

    async def participations(self) -> AsyncIterator[wire.Participation]:
        """Yields the participations of the caller's organisation, proposed ones included."""

        async def fetch(token: str) -> service.ListParticipationsResponse:
            request = service.ListParticipationsRequest(page_token=token)
            return await self._call("ListParticipations", request, service.ListParticipationsResponse)

        async for participation in every(fetch, lambda page: page.participations):
            yield participation

    async def accept_participation(self, participation: str) -> wire.Participation:
        """Accepts a proposed participation."""
        request = service.AcceptParticipationRequest(participation=participation, request_id=new_request_id())
        answer = await self._call("AcceptParticipation", request, service.AcceptParticipationResponse)
        return answer.participation

    async def end_participation(self, participation: str) -> wire.Participation:
        """Ends a participation; its readers' seats have ended when this returns."""
        request = service.EndParticipationRequest(participation=participation, request_id=new_request_id())
        answer = await self._call("EndParticipation", request, service.EndParticipationResponse)
        return answer.participation

    async def appoint(
        self,
        participation: str,
        kid: str,
        capacity: common.Capacity.ValueType,
        role: str,
        deputy_of: str = "",
    ) -> wire.Contact:
        """Appoints the holder of a key as counsellor or safety contact.

        Args:
            participation: `participations/{participation}`.
            kid: The member's current key.
            capacity: What the appointment allows.
            role: As shown to reporters and readers.
            deputy_of: `appointments/{appointment}` of whom to deputise for; empty when nobody.

        Raises:
            Unverified: nobody vouches for the key, or it is of another organisation.
        """
        book = await self._session.look_up([kid, self._session.kid])
        own, member = book.member(self._session.kid), book.member(kid)
        require(member.organisation == own.organisation, "member of another organisation")
        appointment = said.Appointment(
            installation=self._session.installation,
            organisation=own.organisation,
            appointment=f"appointments/{new_id()}",
            participation=participation,
            capacity=capacity,
            role=role,
            subject=member.subject,
            kid=kid,
            deputy_of=deputy_of,
            signer_kid=self._session.kid,
            sequence=self._session.sequence(),
        )
        request = service.AppointMemberRequest(
            appointment=self._session.sign(StatementKind.APPOINTMENT, appointment),
            request_id=new_request_id(),
        )
        return (await self._call("AppointMember", request, service.AppointMemberResponse)).contact

    async def end_appointment(self, appointment: str) -> wire.Contact:
        """Ends a role; its seats have ended when this returns."""
        request = service.EndAppointmentRequest(appointment=appointment, request_id=new_request_id())
        return (await self._call("EndAppointment", request, service.EndAppointmentResponse)).contact

    async def _call(self, method: str, request: Message, answer: type[M]) -> M:
        return await self._session.call(ADMIN + method, request, answer)


def endorsement_of(
    session: Session, member: wire.Member, organisation: wire.Organisation, kid: str, *, admin: bool
) -> common.Signed:
    """Returns an endorsement of exactly the key that was compared.

    Raises:
        Unverified: the directory serves another key for the member.
    """
    require(member.kid == kid, "the key is not the one that was compared")
    keys_of(member.keys, kid)
    require(member.organisation == organisation.name, "member of another organisation")
    endorsement = said.Endorsement(
        installation=session.installation,
        organisation=organisation.name,
        organisation_title=organisation.title,
        subject=member.subject,
        subject_name=member.title,
        subject_kind=member.subject_kind,
        kid=kid,
        admin=admin,
        valid_from=stamp(session.now()),
        signer_kid=session.kid,
        sequence=session.sequence(),
    )
    return session.sign(StatementKind.ENDORSEMENT, endorsement)


def stamp(moment: datetime) -> Timestamp:
    """Returns a moment in whole seconds."""
    return Timestamp(seconds=int(moment.timestamp()))
