"""One servicer for each class of caller."""

from __future__ import annotations

from typing import Protocol

from meldbrug.crypto import PublicKeys
from meldbrug.directory.v1 import directory_service_pb2 as pb
from services.directory.domain import SubjectKind
from services.directory.rpc import wire
from services.directory.usecases.doors import Caller
from services.directory.usecases.enrolment import Enrolment, Invitee
from services.directory.usecases.lookups import Lookups, PageRequest
from services.directory.usecases.productions import Productions
from services.directory.usecases.secretariat import Secretariat
from services.kernel.rpc import Call


class _Paged(Protocol):
    page_size: int
    page_token: str


def _caller(call: Call, request_id: str = "") -> Caller:
    return Caller(call.actor, call.method, call.body_sha256, request_id)


def _page(request: _Paged) -> PageRequest:
    return PageRequest(request.page_size, request.page_token)


class PublicServicer:
    """What anyone may see, without a key."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def get_installation(
        self, _request: pb.GetInstallationRequest, _call: Call
    ) -> pb.GetInstallationResponse:
        """Tells the root and the time."""
        root, now = await self._lookups.installation_root()
        return pb.GetInstallationResponse(
            installation=root.kid, root=wire.public_keys(root), server_time=wire.moment(now)
        )

    async def get_production_by_code(
        self, request: pb.GetProductionByCodeRequest, _call: Call
    ) -> pb.GetProductionByCodeResponse:
        """Tells who takes part in the production with this code."""
        return pb.GetProductionByCodeResponse(
            circle=wire.circle(await self._lookups.production_by_code(request.code))
        )

    async def get_standing_entry(
        self, _request: pb.GetStandingEntryRequest, _call: Call
    ) -> pb.GetStandingEntryResponse:
        """Tells how to reach the independent point."""
        return pb.GetStandingEntryResponse(circle=wire.circle(await self._lookups.standing_entry()))


class EnrolmentServicer:
    """For a key that was invited and is not enrolled yet."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment

    async def accept_invitation(
        self, request: pb.AcceptInvitationRequest, call: Call
    ) -> pb.AcceptInvitationResponse:
        """Takes the newcomer's key."""
        member = await self._enrolment.accept_invitation(_caller(call, request.request_id), request.code)
        return pb.AcceptInvitationResponse(member=wire.member(*member))


class MemberServicer:
    """For members."""

    def __init__(self, enrolment: Enrolment, lookups: Lookups) -> None:
        self._enrolment, self._lookups = enrolment, lookups

    async def get_me(self, _request: pb.GetMeRequest, call: Call) -> pb.GetMeResponse:
        """Tells the caller who it is."""
        standing, contacts = await self._lookups.me(_caller(call))
        return pb.GetMeResponse(
            member=wire.member(standing.member, standing.key),
            organisation=wire.organisation(standing.organisation),
            contacts=map(wire.contact, contacts),
        )

    async def list_productions(
        self, request: pb.ListProductionsRequest, call: Call
    ) -> pb.ListProductionsResponse:
        """Lists the productions of the caller's organisation."""
        found, more = await self._lookups.list_productions(_caller(call), _page(request))
        return pb.ListProductionsResponse(productions=map(wire.production, found), next_page_token=more)

    async def get_circle(self, request: pb.GetCircleRequest, call: Call) -> pb.GetCircleResponse:
        """Tells who takes part in a production of the caller's organisation."""
        return pb.GetCircleResponse(
            circle=wire.circle(await self._lookups.circle(_caller(call), request.production))
        )

    async def look_up_keys(self, request: pb.LookUpKeysRequest, call: Call) -> pb.LookUpKeysResponse:
        """Tells what vouches for keys."""
        book, contacts = await self._lookups.look_up_keys(_caller(call), request.kids)
        return pb.LookUpKeysResponse(book=wire.book(book), contacts=map(wire.contact, contacts))

    async def look_up_participations(
        self, request: pb.LookUpParticipationsRequest, call: Call
    ) -> pb.LookUpParticipationsResponse:
        """Tells the independent point where an organisation takes part."""
        found = await self._lookups.look_up_participations(_caller(call), request.organisation)
        return pb.LookUpParticipationsResponse(
            circle=wire.circle(found, of_production=False),
            productions=map(wire.production, found.productions),
        )

    async def begin_rotation(self, request: pb.BeginRotationRequest, call: Call) -> pb.BeginRotationResponse:
        """Notes the caller's next key."""
        new = PublicKeys(request.new_keys.signing, request.new_keys.sealing)
        caller = _caller(call, request.request_id)
        member = await self._enrolment.begin_rotation(caller, request.rotation, new)
        return pb.BeginRotationResponse(member=wire.member(*member))

    async def complete_rotation(
        self, request: pb.CompleteRotationRequest, call: Call
    ) -> pb.CompleteRotationResponse:
        """Puts the caller's next key in force."""
        member = await self._enrolment.complete_rotation(_caller(call, request.request_id), request.new_kid)
        return pb.CompleteRotationResponse(member=wire.member(*member))


class AdminServicer:
    """For admins of an organisation."""

    def __init__(self, enrolment: Enrolment, productions: Productions, lookups: Lookups) -> None:
        self._enrolment, self._productions, self._lookups = enrolment, productions, lookups

    async def invite_member(self, request: pb.InviteMemberRequest, call: Call) -> pb.InviteMemberResponse:
        """Invites a person or system."""
        whom = Invitee(
            title=request.title,
            subject_kind=SubjectKind(request.subject_kind),
            subject=request.subject,
            admin=request.admin,
        )
        member, code = await self._enrolment.invite_member(_caller(call, request.request_id), whom)
        return pb.InviteMemberResponse(member=wire.member(*member), code=code)

    async def list_members(self, request: pb.ListMembersRequest, call: Call) -> pb.ListMembersResponse:
        """Lists the organisation's members."""
        found, more = await self._lookups.list_members(_caller(call), _page(request))
        return pb.ListMembersResponse(members=[wire.member(*one) for one in found], next_page_token=more)

    async def endorse_member(self, request: pb.EndorseMemberRequest, call: Call) -> pb.EndorseMemberResponse:
        """Makes a pending key a member's."""
        caller = _caller(call, request.request_id)
        member = await self._enrolment.endorse_member(caller, request.member, request.endorsement)
        return pb.EndorseMemberResponse(member=wire.member(*member))

    async def remove_member(self, request: pb.RemoveMemberRequest, call: Call) -> pb.RemoveMemberResponse:
        """Removes a member."""
        member = await self._enrolment.remove_member(_caller(call, request.request_id), request.member)
        return pb.RemoveMemberResponse(member=wire.member(*member))

    async def register_production(
        self, request: pb.RegisterProductionRequest, call: Call
    ) -> pb.RegisterProductionResponse:
        """Registers a production."""
        caller = _caller(call, request.request_id)
        production, participation = await self._productions.register_production(
            caller, wire.particulars(request.production)
        )
        return pb.RegisterProductionResponse(
            production=wire.production(production), participation=wire.participation(participation)
        )

    async def update_production(
        self, request: pb.UpdateProductionRequest, call: Call
    ) -> pb.UpdateProductionResponse:
        """Changes a production."""
        said, caller = request.production, _caller(call, request.request_id)
        changed = await self._productions.update_production(
            caller, said.name, wire.particulars(said), said.etag
        )
        return pb.UpdateProductionResponse(production=wire.production(changed))

    async def rotate_production_code(
        self, request: pb.RotateProductionCodeRequest, call: Call
    ) -> pb.RotateProductionCodeResponse:
        """Replaces a production's code."""
        caller = _caller(call, request.request_id)
        changed = await self._productions.rotate_production_code(caller, request.production)
        return pb.RotateProductionCodeResponse(production=wire.production(changed))

    async def propose_participation(
        self, request: pb.ProposeParticipationRequest, call: Call
    ) -> pb.ProposeParticipationResponse:
        """Asks an organisation to take part."""
        caller = _caller(call, request.request_id)
        proposed = await self._productions.propose_participation(
            caller, request.production, request.organisation
        )
        return pb.ProposeParticipationResponse(participation=wire.participation(proposed))

    async def list_participations(
        self, request: pb.ListParticipationsRequest, call: Call
    ) -> pb.ListParticipationsResponse:
        """Lists the organisation's participations."""
        found, more = await self._lookups.list_participations(_caller(call), _page(request))
        return pb.ListParticipationsResponse(
            participations=map(wire.participation, found), next_page_token=more
        )

    async def accept_participation(
        self, request: pb.AcceptParticipationRequest, call: Call
    ) -> pb.AcceptParticipationResponse:
        """Takes part from now on."""
        caller = _caller(call, request.request_id)
        accepted = await self._productions.accept_participation(caller, request.participation)
        return pb.AcceptParticipationResponse(participation=wire.participation(accepted))

    async def end_participation(
        self, request: pb.EndParticipationRequest, call: Call
    ) -> pb.EndParticipationResponse:
        """Takes part no longer."""
        caller = _caller(call, request.request_id)
        ended = await self._productions.end_participation(caller, request.participation)
        return pb.EndParticipationResponse(participation=wire.participation(ended))

    async def appoint_member(self, request: pb.AppointMemberRequest, call: Call) -> pb.AppointMemberResponse:
        """Gives a member a role."""
        contact = await self._productions.appoint_member(
            _caller(call, request.request_id), request.appointment
        )
        return pb.AppointMemberResponse(contact=wire.contact(contact))

    async def end_appointment(
        self, request: pb.EndAppointmentRequest, call: Call
    ) -> pb.EndAppointmentResponse:
        """Takes a role away."""
        contact = await self._productions.end_appointment(
            _caller(call, request.request_id), request.appointment
        )
        return pb.EndAppointmentResponse(contact=wire.contact(contact))


class SecretariatServicer:
    """For the secretariat."""

    def __init__(
        self, secretariat: Secretariat, enrolment: Enrolment, productions: Productions, lookups: Lookups
    ) -> None:
        self._secretariat, self._enrolment = secretariat, enrolment
        self._productions, self._lookups = productions, lookups

    async def admit_organisation(
        self, request: pb.AdmitOrganisationRequest, call: Call
    ) -> pb.AdmitOrganisationResponse:
        """Admits an organisation."""
        caller = _caller(call, request.request_id)
        admitted = await self._secretariat.admit_organisation(
            caller, wire.wanted(request.organisation), request.admin_title
        )
        standing = admitted.participation
        return pb.AdmitOrganisationResponse(
            organisation=wire.organisation(admitted.organisation),
            admin=wire.member(admitted.admin),
            code=admitted.code,
            participation=wire.participation(standing) if standing else None,
        )

    async def list_organisations(
        self, request: pb.ListOrganisationsRequest, call: Call
    ) -> pb.ListOrganisationsResponse:
        """Lists organisations."""
        found, more = await self._lookups.list_organisations(_caller(call), _page(request))
        return pb.ListOrganisationsResponse(organisations=map(wire.organisation, found), next_page_token=more)

    async def update_organisation(
        self, request: pb.UpdateOrganisationRequest, call: Call
    ) -> pb.UpdateOrganisationResponse:
        """Changes an organisation."""
        said, caller = request.organisation, _caller(call, request.request_id)
        changed = await self._secretariat.update_organisation(caller, said.name, wire.wanted(said), said.etag)
        return pb.UpdateOrganisationResponse(organisation=wire.organisation(changed))

    async def list_pending_admins(
        self, request: pb.ListPendingAdminsRequest, call: Call
    ) -> pb.ListPendingAdminsResponse:
        """Lists keys that wait for the root."""
        found, more = await self._lookups.list_pending_admins(_caller(call), _page(request))
        return pb.ListPendingAdminsResponse(
            members=[wire.member(*one) for one in found], next_page_token=more
        )

    async def endorse_admin(self, request: pb.EndorseAdminRequest, call: Call) -> pb.EndorseAdminResponse:
        """Makes a pending key an admin's."""
        caller = _caller(call, request.request_id)
        member = await self._enrolment.endorse_admin(caller, request.member, request.endorsement)
        return pb.EndorseAdminResponse(member=wire.member(*member))

    async def close_participation(
        self, request: pb.CloseParticipationRequest, call: Call
    ) -> pb.CloseParticipationResponse:
        """Ends a participation."""
        caller = _caller(call, request.request_id)
        ended = await self._productions.close_participation(caller, request.participation)
        return pb.CloseParticipationResponse(participation=wire.participation(ended))


class InternalServicer:
    """For the other services."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def resolve_keys(self, request: pb.ResolveKeysRequest, _call: Call) -> pb.ResolveKeysResponse:
        """Tells what is known of keys."""
        return pb.ResolveKeysResponse(keys=map(wire.resolved, await self._lookups.resolve_keys(request.kids)))

    async def fetch_circle(self, request: pb.FetchCircleRequest, _call: Call) -> pb.FetchCircleResponse:
        """Tells who takes part."""
        return pb.FetchCircleResponse(
            circle=wire.circle(await self._lookups.fetch_circle(request.production))
        )

    async def fetch_participations(
        self, request: pb.FetchParticipationsRequest, _call: Call
    ) -> pb.FetchParticipationsResponse:
        """Tells participations with their contacts."""
        found = await self._lookups.fetch_participations(request.participations)
        return pb.FetchParticipationsResponse(
            circle=wire.circle(found, of_production=False),
            productions=map(wire.production, found.productions),
        )

    async def fetch_book(self, request: pb.FetchBookRequest, _call: Call) -> pb.FetchBookResponse:
        """Tells what vouches for keys."""
        return pb.FetchBookResponse(book=wire.book(await self._lookups.fetch_book(request.kids)))
