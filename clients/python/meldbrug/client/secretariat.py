"""What the secretariat does with the root key: admit organisations and vouch for their admins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from google.protobuf.message import Message

from meldbrug.directory.v1 import directory_pb2 as wire
from meldbrug.directory.v1 import directory_service_pb2 as service

from .administering import endorsement_of
from .connection import M
from .device import new_request_id
from .errors import MeldbrugError
from .paging import every
from .session import Session

SECRETARIAT: Final = "/meldbrug.directory.v1.SecretariatService/"


class Secretariat:
    """Acts with the secretariat's key; endorsing takes the root itself."""

    def __init__(self, session: Session) -> None:
        """Acts with the member's key."""
        self._session = session

    async def admit(
        self, title: str, kind: wire.Organisation.Kind.ValueType, admin_title: str, umbrella: str = ""
    ) -> service.AdmitOrganisationResponse:
        """Admits an organisation and invites its first admin; the code goes out of band, once."""
        request = service.AdmitOrganisationRequest(
            organisation=wire.Organisation(title=title, kind=kind, umbrella=umbrella),
            admin_title=admin_title,
            request_id=new_request_id(),
        )
        return await self._call("AdmitOrganisation", request, service.AdmitOrganisationResponse)

    async def organisations(self) -> AsyncIterator[wire.Organisation]:
        """Yields every organisation."""

        async def fetch(token: str) -> service.ListOrganisationsResponse:
            request = service.ListOrganisationsRequest(page_token=token)
            return await self._call("ListOrganisations", request, service.ListOrganisationsResponse)

        async for organisation in every(fetch, lambda page: page.organisations):
            yield organisation

    async def update(self, organisation: wire.Organisation) -> wire.Organisation:
        """Changes title, kind, umbrella or state.

        Raises:
            Stale: it changed since it was read.
        """
        request = service.UpdateOrganisationRequest(organisation=organisation, request_id=new_request_id())
        answer = await self._call("UpdateOrganisation", request, service.UpdateOrganisationResponse)
        return answer.organisation

    async def pending_admins(self) -> AsyncIterator[wire.Member]:
        """Yields members whose keys wait for the root's endorsement."""

        async def fetch(token: str) -> service.ListPendingAdminsResponse:
            request = service.ListPendingAdminsRequest(page_token=token)
            return await self._call("ListPendingAdmins", request, service.ListPendingAdminsResponse)

        async for member in every(fetch, lambda page: page.members):
            yield member

    async def endorse_admin(self, member: str, kid: str) -> wire.Member:
        """Vouches for an organisation's admin.

        Args:
            member: `members/{member}`.
            kid: The fingerprint as its holder read it out, on another channel than this one.

        Raises:
            MeldbrugError: no such key waits, or the organisation is not known.
            Unverified: the directory serves another key than the one that was compared.
        """
        pending = [candidate async for candidate in self.pending_admins() if candidate.name == member]
        if not pending:
            raise MeldbrugError("no such key waits for endorsement")
        organisation = await self._organisation(pending[0].organisation)
        endorsement = endorsement_of(self._session, pending[0], organisation, kid, admin=True)
        request = service.EndorseAdminRequest(
            member=member, endorsement=endorsement, request_id=new_request_id()
        )
        return (await self._call("EndorseAdmin", request, service.EndorseAdminResponse)).member

    async def close_participation(self, participation: str) -> wire.Participation:
        """Ends a participation; its readers' seats have ended when this returns."""
        request = service.CloseParticipationRequest(participation=participation, request_id=new_request_id())
        answer = await self._call("CloseParticipation", request, service.CloseParticipationResponse)
        return answer.participation

    async def _organisation(self, name: str) -> wire.Organisation:
        async for organisation in self.organisations():
            if organisation.name == name:
                return organisation
        raise MeldbrugError("the organisation is not known")

    async def _call(self, method: str, request: Message, answer: type[M]) -> M:
        return await self._session.call(SECRETARIAT + method, request, answer)
