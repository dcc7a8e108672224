"""The servicers of those who admit, appoint and end."""

from __future__ import annotations

from meldbrug.directory.v1 import directory_service_pb2 as pb
from services.directory.domain import SubjectKind
from services.directory.rpc import wire
from services.directory.usecases.enrolment import Enrolment
from services.directory.usecases.invitations import Invitee
from services.directory.usecases.lookups import Lookups
from services.directory.usecases.productions import Productions
from services.directory.usecases.secretariat import Secretariat
from services.kernel.rpc import Call


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
        member, code = await self._enrolment.invite_member(wire.caller(call, request.request_id), whom)
        return pb.InviteMemberResponse(member=wire.member(*member), code=code)

    async def list_members(self, request: pb.ListMembersRequest, call: Call) -> pb.ListMembersResponse:
        """Lists the organisation's members."""
        found, more = await self._lookups.list_members(wire.caller(call), wire.page(request))
        return pb.ListMembersResponse(members=[wire.member(*one) for one in found], next_page_token=more)

    async def endorse_member(self, request: pb.EndorseMemberRequest, call: Call) -> pb.EndorseMemberResponse:
        """Makes a pending key a member's."""
        caller = wire.caller(call, request.request_id)
        member = await self._enrolment.endorse_member(caller, request.member, request.endorsement)
        return pb.EndorseMemberResponse(member=wire.member(*member))

    async def remove_member(self, request: pb.RemoveMemberRequest, call: Call) -> pb.RemoveMemberResponse:
        """Removes a member."""
        member = await self._enrolment.remove_member(wire.caller(call, request.request_id), request.member)
        return pb.RemoveMemberResponse(member=wire.member(*member))

    async def register_production(
        self, request: pb.RegisterProductionRequest, call: Call
    ) -> pb.RegisterProductionResponse:
        """Registers a production."""
        caller = wire.caller(call, request.request_id)
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
        said, caller = request.production, wire.caller(call, request.request_id)
        changed = await self._productions.update_production(
            caller, said.name, wire.particulars(said), said.etag
        )
        return pb.UpdateProductionResponse(production=wire.production(changed))

    async def rotate_production_code(
        self, request: pb.RotateProductionCodeRequest, call: Call
    ) -> pb.RotateProductionCodeResponse:
        """Replaces a production's code."""
        caller = wire.caller(call, request.request_id)
        changed = await self._productions.rotate_production_code(caller, request.production)
        return pb.RotateProductionCodeResponse(production=wire.production(changed))

    async def propose_participation(
        self, request: pb.ProposeParticipationRequest, call: Call
    ) -> pb.ProposeParticipationResponse:
        """Asks an organisation to take part."""
        caller = wire.caller(call, request.request_id)
        proposed = await self._productions.propose_participation(
            caller, request.production, request.organisation
        )
        return pb.ProposeParticipationResponse(participation=wire.participation(proposed))

    async def list_participations(
        self, request: pb.ListParticipationsRequest, call: Call
    ) -> pb.ListParticipationsResponse:
        """Lists the organisation's participations."""
        found, titles, more = await self._lookups.list_participations(wire.caller(call), wire.page(request))
        return pb.ListParticipationsResponse(
            participations=[wire.own_participation(one, titles) for one in found], next_page_token=more
        )

    async def accept_participation(
        self, request: pb.AcceptParticipationRequest, call: Call
    ) -> pb.AcceptParticipationResponse:
        """Takes part from now on."""
        caller = wire.caller(call, request.request_id)
        accepted = await self._productions.accept_participation(caller, request.participation)
        return pb.AcceptParticipationResponse(participation=wire.participation(accepted))

    async def end_participation(
        self, request: pb.EndParticipationRequest, call: Call
    ) -> pb.EndParticipationResponse:
        """Takes part no longer."""
        caller = wire.caller(call, request.request_id)
        ended = await self._productions.end_participation(caller, request.participation)
        return pb.EndParticipationResponse(participation=wire.participation(ended))

    async def appoint_member(self, request: pb.AppointMemberRequest, call: Call) -> pb.AppointMemberResponse:
        """Gives a member a role."""
        contact = await self._productions.appoint_member(
            wire.caller(call, request.request_id), request.appointment
        )
        return pb.AppointMemberResponse(contact=wire.contact(contact))

    async def end_appointment(
        self, request: pb.EndAppointmentRequest, call: Call
    ) -> pb.EndAppointmentResponse:
        """Takes a role away."""
        contact = await self._productions.end_appointment(
            wire.caller(call, request.request_id), request.appointment
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
        caller = wire.caller(call, request.request_id)
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
        found, more = await self._lookups.list_organisations(wire.caller(call), wire.page(request))
        return pb.ListOrganisationsResponse(organisations=map(wire.organisation, found), next_page_token=more)

    async def update_organisation(
        self, request: pb.UpdateOrganisationRequest, call: Call
    ) -> pb.UpdateOrganisationResponse:
        """Changes an organisation."""
        said, caller = request.organisation, wire.caller(call, request.request_id)
        changed = await self._secretariat.update_organisation(caller, said.name, wire.wanted(said), said.etag)
        return pb.UpdateOrganisationResponse(organisation=wire.organisation(changed))

    async def list_pending_admins(
        self, request: pb.ListPendingAdminsRequest, call: Call
    ) -> pb.ListPendingAdminsResponse:
        """Lists keys that wait for the root."""
        found, more = await self._lookups.list_pending_admins(wire.caller(call), wire.page(request))
        return pb.ListPendingAdminsResponse(
            members=[wire.member(*one) for one in found], next_page_token=more
        )

    async def endorse_admin(self, request: pb.EndorseAdminRequest, call: Call) -> pb.EndorseAdminResponse:
        """Makes a pending key an admin's."""
        caller = wire.caller(call, request.request_id)
        member = await self._enrolment.endorse_admin(caller, request.member, request.endorsement)
        return pb.EndorseAdminResponse(member=wire.member(*member))

    async def close_participation(
        self, request: pb.CloseParticipationRequest, call: Call
    ) -> pb.CloseParticipationResponse:
        """Ends a participation."""
        caller = wire.caller(call, request.request_id)
        ended = await self._productions.close_participation(caller, request.participation)
        return pb.CloseParticipationResponse(participation=wire.participation(ended))
