"""The doors of the other services."""

from __future__ import annotations

from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.usecases.seats import Seats
from services.disclosure.usecases.snapshot import Snapshots
from services.kernel.rpc import Call


class InternalServicer:
    """InternalService."""

    def __init__(self, seats: Seats, snapshots: Snapshots) -> None:
        self._seats, self._snapshots = seats, snapshots

    async def end_seats(self, request: rpc.EndSeatsRequest, call: Call) -> rpc.EndSeatsResponse:
        """Ends keys and appointments."""
        return await self._seats.end_seats(request, call)

    async def record_affiliation(
        self, request: rpc.RecordAffiliationRequest, call: Call
    ) -> rpc.RecordAffiliationResponse:
        """Records an affiliation."""
        return await self._seats.record_affiliation(request, call)

    async def fetch_snapshot(
        self, request: rpc.FetchSnapshotRequest, call: Call
    ) -> rpc.FetchSnapshotResponse:
        """Returns what coordination may know."""
        return await self._snapshots.fetch(request, call)

    async def list_versions(self, request: rpc.ListVersionsRequest, call: Call) -> rpc.ListVersionsResponse:
        """Lists versions."""
        return await self._snapshots.versions(request, call)
