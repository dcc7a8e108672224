"""What the disclosure service asks of the directory: who takes part, and what vouches for keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.message import Message

from meldbrug.crypto import PublicKeys
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.directory.v1 import directory_service_pb2 as pb
from services.kernel.key_ring import KeyState, KnownKey
from services.kernel.peers import Peer

M = TypeVar("M", bound=Message)

SERVICE = "/meldbrug.directory.v1.InternalService"
ATTEMPTS = 3
# As many as one call takes.
KIDS_BOUND = 64


class DirectoryPeer:
    """The directory, over gRPC; every call only reads, so it is repeated while there is time."""

    def __init__(self, peer: Peer, timeout_s: float) -> None:
        self._peer, self._timeout_s = peer, timeout_s

    async def circle(self, production: str) -> directory.Circle:
        """Who takes part in a production, the independent point included; the standing entry when empty."""
        request = pb.FetchCircleRequest(production=production)
        answer = await self._peer.call(
            f"{SERVICE}/FetchCircle",
            request,
            pb.FetchCircleResponse,
            budget_s=self._timeout_s,
            attempts=ATTEMPTS,
        )
        return answer.circle

    async def participations(self, names: Iterable[str]) -> directory.Circle:
        """These participations with their organisations and current contacts; unknown ones are left out."""
        request = pb.FetchParticipationsRequest(participations=sorted(set(names)))
        answer = await self._peer.call(
            f"{SERVICE}/FetchParticipations",
            request,
            pb.FetchParticipationsResponse,
            budget_s=self._timeout_s,
            attempts=ATTEMPTS,
        )
        return answer.circle

    async def book(self, kids: Iterable[str]) -> directory.KeyBook:
        """What vouches for keys, past ones included; an empty book for no keys."""
        wanted = sorted(set(kids))
        book = directory.KeyBook()
        for start in range(0, len(wanted), KIDS_BOUND):
            merge(book, await self._book(wanted[start : start + KIDS_BOUND]))
        return book

    async def _book(self, kids: Sequence[str]) -> directory.KeyBook:
        answer = await self._peer.call(
            f"{SERVICE}/FetchBook",
            pb.FetchBookRequest(kids=kids),
            pb.FetchBookResponse,
            budget_s=self._timeout_s,
            attempts=ATTEMPTS,
        )
        return answer.book

    async def known_keys(self, kids: Sequence[str]) -> list[KnownKey]:
        """What the directory says of keys, ended ones included; those never enrolled are left out."""
        answer = await self._peer.call(
            f"{SERVICE}/ResolveKeys",
            pb.ResolveKeysRequest(kids=kids),
            pb.ResolveKeysResponse,
            budget_s=self._timeout_s,
            attempts=ATTEMPTS,
        )
        return [known_key(key) for key in answer.keys]


def known_key(key: pb.ResolvedKey) -> KnownKey:
    """A resolved key as the kernel takes it."""
    return KnownKey(
        kid=key.kid,
        keys=PublicKeys(key.keys.signing, key.keys.sealing),
        subject=key.subject,
        organisation=key.organisation,
        member=key.member,
        # Who may endorse, only the directory asks.
        admin=False,
        state=KeyState.ACTIVE if key.active else KeyState.ENDED,
    )


def merge(book: directory.KeyBook, more: directory.KeyBook) -> None:
    """Adds to a book what it does not hold yet."""
    _add(book.keys, more.keys)
    _add(book.endorsements, more.endorsements)
    _add(book.rotations, more.rotations)
    _add(book.appointments, more.appointments)


def _add(held: RepeatedCompositeFieldContainer[M], more: Iterable[M]) -> None:
    seen = {item.SerializeToString(deterministic=True) for item in held}
    held.extend(item for item in more if item.SerializeToString(deterministic=True) not in seen)
