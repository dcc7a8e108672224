"""Calls to disclosure and directory: wire messages in, facts out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.crypto.keys import PublicKeys
from meldbrug.directory.v1 import directory_service_pb2 as directory_wire
from meldbrug.disclosure.v1 import disclosure_pb2
from meldbrug.disclosure.v1 import disclosure_service_pb2 as disclosure_wire
from services.coordination.domain.facts import (
    IncidentSnapshot,
    NoticeSnapshot,
    NoticeState,
    Purpose,
    ReaderSnapshot,
)
from services.kernel.errors import NotPermitted
from services.kernel.key_ring import KeyState, KnownKey
from services.kernel.peers import Peer

DISCLOSURE = "/meldbrug.disclosure.v1.InternalService/"
DIRECTORY = "/meldbrug.directory.v1.InternalService/"
VERSIONS_BUDGET_S = 2.0
KEY_BUDGET_S = 1.0


class DisclosurePeer:
    """Disclosure over gRPC."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def snapshot(self, incident: str, budget_s: float) -> IncidentSnapshot | None:
        """What coordination may know of `incident`; None when there is none. Raises Unavailable."""
        request = disclosure_wire.FetchSnapshotRequest(incident=incident)
        answer = disclosure_wire.FetchSnapshotResponse
        try:
            found = await self._peer.call(DISCLOSURE + "FetchSnapshot", request, answer, budget_s=budget_s)
        except NotPermitted:
            return None
        return snapshot_of(found.snapshot) if found.HasField("snapshot") else None

    async def versions(self, after: str, limit: int) -> list[tuple[str, int]]:
        """Incidents after a name, by name, with their versions. Raises Unavailable."""
        request = disclosure_wire.ListVersionsRequest(after=after, page_size=limit)
        found = await self._peer.call(
            DISCLOSURE + "ListVersions",
            request,
            disclosure_wire.ListVersionsResponse,
            budget_s=VERSIONS_BUDGET_S,
            attempts=3,
        )
        return [(entry.incident, entry.version) for entry in found.versions]


class DirectoryPeer:
    """Directory over gRPC."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def titles(self, participations: Collection[str], budget_s: float) -> dict[str, str]:
        """Titles of participations and their productions, by name, where known. Raises Unavailable."""
        found = await self._peer.call(
            DIRECTORY + "FetchParticipations",
            directory_wire.FetchParticipationsRequest(participations=participations),
            directory_wire.FetchParticipationsResponse,
            budget_s=budget_s,
        )
        organisations = {entry.name: entry.title for entry in found.circle.organisations}
        titles = {
            entry.name: organisations.get(entry.organisation, "") for entry in found.circle.participations
        }
        return titles | {entry.name: entry.title for entry in found.productions}

    async def independent_title(self, budget_s: float) -> str:
        """The independent point's title; empty when there is none. Raises Unavailable."""
        found = await self._peer.call(
            DIRECTORY + "FetchCircle",
            directory_wire.FetchCircleRequest(),
            directory_wire.FetchCircleResponse,
            budget_s=budget_s,
        )
        standing = {entry.organisation for entry in found.circle.participations if entry.independent}
        return next((entry.title for entry in found.circle.organisations if entry.name in standing), "")

    async def known_keys(self, kids: Sequence[str]) -> list[KnownKey]:
        """What the directory knows of keys, ended or not; strangers' are left out. Raises Unavailable."""
        found = await self._peer.call(
            DIRECTORY + "ResolveKeys",
            directory_wire.ResolveKeysRequest(kids=kids),
            directory_wire.ResolveKeysResponse,
            budget_s=KEY_BUDGET_S,
            attempts=2,
        )
        return [known_key(key) for key in found.keys]


def known_key(key: directory_wire.ResolvedKey) -> KnownKey:
    """A resolved key as the kernel takes it."""
    state = KeyState.ACTIVE if key.active else KeyState.ENDED
    keys = PublicKeys(key.keys.signing, key.keys.sealing)
    return KnownKey(key.kid, keys, key.subject, key.organisation, key.member, admin=False, state=state)


def snapshot_of(told: disclosure_pb2.IncidentSnapshot) -> IncidentSnapshot:
    """The facts in a snapshot from the wire."""
    return IncidentSnapshot(
        name=told.incident,
        version=told.version,
        production=told.production,
        withdrawn=told.withdrawn,
        reporter_kid=told.reporter_kid,
        handlers=tuple(sorted({handler.subject for handler in told.handlers})),
        notices=tuple(_notice_of(notice) for notice in told.notices),
        create_time=told.create_time.ToDatetime(UTC),
    )


def _notice_of(told: disclosure_pb2.IncidentSnapshot.Notice) -> NoticeSnapshot:
    def moment(field: str) -> datetime | None:
        return _moment(getattr(told, field)) if told.HasField(field) else None  # type: ignore[arg-type]  # a checked name

    return NoticeSnapshot(
        name=told.name,
        sender=told.sender,
        recipient=told.recipient,
        state=NoticeState(told.state),
        purposes=tuple(map(Purpose, told.purposes)),
        terms_version=told.terms_version,
        create_time=told.create_time.ToDatetime(UTC),
        offer_time=moment("offer_time"),
        open_time=moment("open_time"),
        close_time=moment("close_time"),
        answer_by_time=moment("answer_by_time"),
        readers=tuple(
            ReaderSnapshot(
                entry.subject, entry.live, _moment(entry.open_time) if entry.HasField("open_time") else None
            )
            for entry in told.readers
        ),
    )


def _moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)
