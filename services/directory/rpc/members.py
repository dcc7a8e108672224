"""The servicers of the public, newcomers, members and the other services."""

from __future__ import annotations

from meldbrug.crypto import PublicKeys
from meldbrug.directory.v1 import directory_service_pb2 as pb
from services.directory.rpc import wire
from services.directory.usecases.enrolment import Enrolment
from services.directory.usecases.lookups import Lookups
from services.directory.usecases.rotation import Rotation
from services.kernel.rpc import Call


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
        caller = wire.caller(call, request.request_id)
        member = await self._enrolment.accept_invitation(caller, request.code, request.subject_proof)
        return pb.AcceptInvitationResponse(member=wire.member(*member))


class MemberServicer:
    """For members."""

    def __init__(self, rotation: Rotation, lookups: Lookups) -> None:
        self._rotation, self._lookups = rotation, lookups

    async def get_me(self, _request: pb.GetMeRequest, call: Call) -> pb.GetMeResponse:
        """Tells the caller who it is."""
        standing, contacts = await self._lookups.me(wire.caller(call))
        return pb.GetMeResponse(
            member=wire.member(standing.member, standing.key),
            organisation=wire.organisation(standing.organisation),
            contacts=map(wire.contact, contacts),
        )

    async def list_productions(
        self, request: pb.ListProductionsRequest, call: Call
    ) -> pb.ListProductionsResponse:
        """Lists the productions of the caller's organisation."""
        found, more = await self._lookups.list_productions(wire.caller(call), wire.page(request))
        return pb.ListProductionsResponse(productions=map(wire.production, found), next_page_token=more)

    async def get_circle(self, request: pb.GetCircleRequest, call: Call) -> pb.GetCircleResponse:
        """Tells who takes part in a production of the caller's organisation."""
        return pb.GetCircleResponse(
            circle=wire.circle(await self._lookups.circle(wire.caller(call), request.production))
        )

    async def look_up_keys(self, request: pb.LookUpKeysRequest, call: Call) -> pb.LookUpKeysResponse:
        """Tells what vouches for keys."""
        book, contacts = await self._lookups.look_up_keys(wire.caller(call), request.kids)
        return pb.LookUpKeysResponse(book=wire.book(book), contacts=map(wire.contact, contacts))

    async def look_up_participations(
        self, request: pb.LookUpParticipationsRequest, call: Call
    ) -> pb.LookUpParticipationsResponse:
        """Tells the independent point where an organisation takes part."""
        found = await self._lookups.look_up_participations(wire.caller(call), request.organisation)
        return pb.LookUpParticipationsResponse(
            circle=wire.circle(found, of_production=False),
            productions=map(wire.production, found.productions),
        )

    async def begin_rotation(self, request: pb.BeginRotationRequest, call: Call) -> pb.BeginRotationResponse:
        """Notes the caller's next key."""
        new = PublicKeys(request.new_keys.signing, request.new_keys.sealing)
        caller = wire.caller(call, request.request_id)
        member = await self._rotation.begin_rotation(caller, request.rotation, new)
        return pb.BeginRotationResponse(member=wire.member(*member))

    async def complete_rotation(
        self, request: pb.CompleteRotationRequest, call: Call
    ) -> pb.CompleteRotationResponse:
        """Puts the caller's next key in force."""
        member = await self._rotation.complete_rotation(
            wire.caller(call, request.request_id), request.new_kid
        )
        return pb.CompleteRotationResponse(member=wire.member(*member))


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
