"""A member's own key at work: calls, signatures, and looking up whom to believe."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from google.protobuf.message import Message

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2 as wire
from meldbrug.directory.v1 import directory_service_pb2 as service

from .book import Book
from .circle import Circle
from .connection import Connection, Credentials, M
from .errors import Stale
from .paging import every
from .reading import Eyes

MEMBERS: Final = "/meldbrug.directory.v1.MemberService/"
KEYS_AT_A_TIME: Final = 64
READS: Final = 5
"""How often the newest etag is read before giving up on a resource that keeps changing."""

T = TypeVar("T")


async def on_latest(
    etag: str | None, newest: Callable[[], Awaitable[str]], act: Callable[[str], Awaitable[T]]
) -> T:
    """Acts on the etag that the caller read, or else on the newest, read again while it changes.

    Raises:
        Stale: the resource changed since the caller read it.
    """
    if etag is not None:
        return await act(etag)
    for _ in range(READS - 1):
        with contextlib.suppress(Stale):
            return await act(await newest())
    return await act(await newest())


class Session:
    """One member and one key."""

    def __init__(self, connection: Connection, keys: SecretKeys) -> None:
        """Uses `connection`; the caller closes it."""
        self.connection = connection
        self.eyes = Eyes(connection.installation, keys)
        self._credentials = Credentials(keys)

    @property
    def keys(self) -> SecretKeys:
        """Returns the member's keys."""
        return self.eyes.keys

    @property
    def kid(self) -> str:
        """Returns the fingerprint of the member's keys."""
        return self.eyes.kid

    @property
    def installation(self) -> str:
        """Returns the pinned installation."""
        return self.eyes.installation

    @property
    def credentials(self) -> Credentials:
        """Returns whose key signs the tokens."""
        return self._credentials

    def now(self) -> datetime:
        """Returns the corrected time."""
        return self.connection.clock.now()

    def sequence(self) -> int:
        """Returns the next sequence of a statement."""
        return self.connection.clock.sequence()

    def sign(self, kind: StatementKind, message: Message) -> common.Signed:
        """Returns the statement signed by the member."""
        return statements.sign(kind, message, self.keys)

    async def call(self, method: str, request: Message, answer: type[M]) -> M:
        """Calls a method by its full name with the member's key."""
        return await self.connection.call(method, request, answer, self._credentials)

    async def me(self) -> service.GetMeResponse:
        """Returns the caller's own membership, organisation and roles."""
        return await self.call(MEMBERS + "GetMe", service.GetMeRequest(), service.GetMeResponse)

    async def productions(self) -> AsyncIterator[wire.Production]:
        """Yields the productions that the caller's organisation takes part in."""

        async def fetch(token: str) -> service.ListProductionsResponse:
            request = service.ListProductionsRequest(page_token=token)
            return await self.call(MEMBERS + "ListProductions", request, service.ListProductionsResponse)

        async for production in every(fetch, lambda page: page.productions):
            yield production

    async def circle(self, production: str) -> Circle:
        """Returns who takes part in a production of the caller's organisation.

        Raises:
            NotPermitted: it takes no part, or there is no such production.
        """
        request = service.GetCircleRequest(production=production)
        answer = await self.call(MEMBERS + "GetCircle", request, service.GetCircleResponse)
        return Circle(answer.circle, self.installation)

    async def participations_of(self, organisation: str) -> Circle:
        """Returns an organisation's participations with their contacts; for the independent point.

        Raises:
            NotPermitted: the caller is of another organisation.
        """
        request = service.LookUpParticipationsRequest(organisation=organisation)
        answer = await self.call(
            MEMBERS + "LookUpParticipations", request, service.LookUpParticipationsResponse
        )
        return Circle(answer.circle, self.installation)

    async def look_up(self, kids: Iterable[str]) -> Book:
        """Returns a book of keys, past ones included; what is not in it does not verify when it is needed."""
        asked = sorted(set(kids))
        served = wire.KeyBook()
        for start in range(0, len(asked), KEYS_AT_A_TIME):
            request = service.LookUpKeysRequest(kids=asked[start : start + KEYS_AT_A_TIME])
            answer = await self.call(MEMBERS + "LookUpKeys", request, service.LookUpKeysResponse)
            served.MergeFrom(answer.book)
        return Book(self.installation, served)


def public_keys(keys: PublicKeys) -> common.PublicKeys:
    """Returns public keys as they are sent."""
    return common.PublicKeys(signing=keys.signing, sealing=keys.sealing)


def unique(names: Iterable[str]) -> Sequence[str]:
    """Returns the names, each once, in their order."""
    return list(dict.fromkeys(names))
