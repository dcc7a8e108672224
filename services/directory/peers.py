"""What the directory asks of other services."""

from __future__ import annotations

from meldbrug.disclosure.v1 import disclosure_service_pb2 as pb
from services.directory.domain import Seats
from services.kernel.peers import Peer

SERVICE = "/meldbrug.disclosure.v1.InternalService"
# One short transaction on the other side, whatever the number of incidents.
BUDGET_S = 2.0
ATTEMPTS = 3
# As many as one call takes.
KIDS_BOUND = 16
APPOINTMENTS_BOUND = 64


class DisclosurePeer:
    """The service that holds the seats and, for ever, who was affiliated with whom."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def record_affiliation(self, subject: str, organisation: str) -> None:
        """Records, for ever, that a person or system belongs to an organisation. Idempotent."""
        request = pb.RecordAffiliationRequest(subject=subject, organisation=organisation)
        await self._peer.call(
            f"{SERVICE}/RecordAffiliation",
            request,
            pb.RecordAffiliationResponse,
            budget_s=BUDGET_S,
            attempts=ATTEMPTS,
        )

    async def end_seats(self, seats: Seats, *, require_successors: bool = False) -> None:
        """Ends every seat held by keys or under appointments. Idempotent.

        Raises:
            FailedPrecondition: SEATS_WITHOUT_SUCCESSOR, only when successors are required.
        """
        for start in range(0, len(seats.kids), KIDS_BOUND):
            kids = seats.kids[start : start + KIDS_BOUND]
            await self._end(pb.EndSeatsRequest(kids=kids, require_successors=require_successors))
        for start in range(0, len(seats.appointments), APPOINTMENTS_BOUND):
            names = seats.appointments[start : start + APPOINTMENTS_BOUND]
            await self._end(pb.EndSeatsRequest(appointments=names))

    async def _end(self, request: pb.EndSeatsRequest) -> None:
        await self._peer.call(
            f"{SERVICE}/EndSeats", request, pb.EndSeatsResponse, budget_s=BUDGET_S, attempts=ATTEMPTS
        )
