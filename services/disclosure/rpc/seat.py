"""The doors of members who hand their seats to a next key."""

from __future__ import annotations

from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.usecases.seats import Seats
from services.kernel.rpc import Call


class SeatServicer:
    """SeatService."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats

    async def list_seats(self, request: rpc.ListSeatsRequest, call: Call) -> rpc.ListSeatsResponse:
        """Lists seats without a successor."""
        return await self._seats.list_seats(request, call)

    async def rewrap_seat(self, request: rpc.RewrapSeatRequest, call: Call) -> rpc.RewrapSeatResponse:
        """Hands over one seat."""
        return await self._seats.rewrap_seat(request, call)
