"""What coordination pulls: snapshots of incidents, and their versions for mending lost jobs."""

from __future__ import annotations

from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.store import policy, snapshots
from services.disclosure.usecases.deps import Deps
from services.kernel.rpc import Call

DEFAULT_VERSIONS = 500
MAX_VERSIONS = 1000


class Snapshots:
    """Reads for the other services; nothing here is sealed or confidential beyond ids and states."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def fetch(self, request: rpc.FetchSnapshotRequest, _call: Call) -> rpc.FetchSnapshotResponse:
        """Returns the snapshot; none for an incident that is not there, which is no refusal to a service."""
        async with self._deps.database.reading() as conn:
            return rpc.FetchSnapshotResponse(snapshot=await snapshots.snapshot(conn, request.incident))

    async def versions(self, request: rpc.ListVersionsRequest, _call: Call) -> rpc.ListVersionsResponse:
        """Lists incidents by name; fewer than asked for on the last page."""
        size = min(request.page_size or DEFAULT_VERSIONS, MAX_VERSIONS)
        async with self._deps.database.reading() as conn:
            rows = await policy.versions(conn, request.after, size)
        return rpc.ListVersionsResponse(
            versions=[rpc.IncidentVersion(incident=name, version=version) for name, version in rows]
        )
