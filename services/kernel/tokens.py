"""Who calls: the bearer token checked against method, exact body and the key that the directory knows."""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from meldbrug.crypto import tokens
from meldbrug.crypto.errors import CryptoError, TokenStale
from meldbrug.crypto.keys import SIGNING_BYTES, PublicKeys
from services.kernel.authz import PUBLIC, Actor, PrincipalClass
from services.kernel.clock import Clock
from services.kernel.errors import Exhausted, Unauthenticated, Unavailable

Classes = Collection[PrincipalClass]
IsReporter = Callable[[str], Awaitable[bool]]

SCHEME = "Bearer "
SELF_CERTIFYING = (PrincipalClass.REPORTER, PrincipalClass.NEWCOMER)
# Above what a service waits for the directory by default, so that the directory's own answer comes first.
PATIENCE_S = 3.0
# Taking back must not wait for a directory that hangs; an answer takes milliseconds.
NARROWING_PATIENCE_S = 0.5
# Looks into a service's own record at once, fewer than its connections: nobody is admitted yet.
RECORDS_AT_ONCE = 4


class KeyState(StrEnum):
    """Whether a known key may still act."""

    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What the directory says of a key that was ever enrolled."""

    kid: str
    keys: PublicKeys
    subject: str
    organisation: str
    member: str
    admin: bool
    state: KeyState


class KeyRing(Protocol):
    """Knows every key that was ever enrolled, ended ones included."""

    async def lookup(self, kid: str) -> KnownKey | None:
        """Returns what is known of `kid`, or None. Raises Unavailable when it cannot tell."""

    async def lookup_claimed(self, kid: str) -> KnownKey | None:
        """Returns the same of a kid that the caller only claims. Raises Exhausted for one too many."""

    def was_unknown(self, kid: str) -> bool:
        """Whether nobody knew `kid` when last asked, however long ago; asks nobody."""


Fetch = Callable[[str], Awaitable[KnownKey | None]]
Remembered = OrderedDict[str, tuple[float, KnownKey | None]]


class CachedKeyRing:
    """A key ring that asks `fetch` at most once in `ttl_s` per key, also for keys that nobody knows.

    Calls for the same key at the same time share one question. A failure is not remembered. Anyone can name
    a kid, so what strangers name takes nothing from others: keys that nobody knows are remembered apart, and
    questions about kids that a caller only claims are counted apart.

    Args:
        fetch: Asks the directory.
        clock: What ages answers.
        ttl_s: How long an answer counts.
        bound: Answers remembered of each kind, known and unknown.
        claims: Questions at once about kids that are only claimed; more are turned away.
        at_once: Questions at once about keys that were shown; more of them wait.
        under_way: Questions about keys that were shown, the waiting ones included.
    """

    def __init__(
        self,
        fetch: Fetch,
        clock: Clock,
        *,
        ttl_s: float = 5.0,
        bound: int = 10_000,
        claims: int = 32,
        at_once: int = 64,
        under_way: int = 1000,
    ) -> None:
        self._fetch, self._clock, self._ttl_s, self._bound = fetch, clock, ttl_s, bound
        self._claims, self._under_way = claims, under_way
        self._known: Remembered = OrderedDict()
        self._unknown: Remembered = OrderedDict()
        self._asked: dict[str, asyncio.Task[KnownKey | None]] = {}
        self._claimed: set[str] = set()
        self._turns = asyncio.Semaphore(at_once)

    async def lookup(self, kid: str) -> KnownKey | None:
        """Returns what is known of `kid`, whose key the caller has shown that it holds, or None.

        Raises:
            Unavailable: the directory cannot tell.
            Exhausted: as many wait already as ever may.
        """
        return await self._answer(kid, is_claim=False)

    async def lookup_claimed(self, kid: str) -> KnownKey | None:
        """Returns the same of a kid that the caller only claims; never waits for a turn.

        Raises:
            Unavailable: the directory cannot tell.
            Exhausted: too many claims are asked about.
        """
        # Whoever was known once, however long ago, is no stranger: members come and go during a flood too.
        return await self._answer(kid, is_claim=kid not in self._known)

    def was_unknown(self, kid: str) -> bool:
        """Whether nobody knew `kid` when last asked, however long ago; asks nobody."""
        return kid in self._unknown

    async def _answer(self, kid: str, *, is_claim: bool) -> KnownKey | None:
        entry = self._known.get(kid) or self._unknown.get(kid)
        if entry and entry[0] > self._clock.monotonic():
            return entry[1]
        # Shielded: one caller that gives up must not take the answer from the others.
        return await asyncio.shield(self._asked.get(kid) or self._begin(kid, is_claim=is_claim))

    def _begin(self, kid: str, *, is_claim: bool) -> asyncio.Task[KnownKey | None]:
        claims = len(self._claimed)
        if claims >= self._claims if is_claim else len(self._asked) - claims >= self._under_way:
            raise Exhausted(retry_after_s=1.0)
        # Counted until the question has ended, not until its caller has: a caller that hangs up is cheap.
        if is_claim:
            self._claimed.add(kid)
        # Owned by `_asked` until it has ended. In a context of its own: the first caller's deadline is
        # not that of the others who wait for the same answer.
        ask = self._ask(kid) if is_claim else self._ask_in_turn(kid)
        task = self._asked[kid] = asyncio.get_running_loop().create_task(ask, context=Context())
        task.add_done_callback(lambda done: self._answered(kid, done))
        return task

    def _answered(self, kid: str, done: asyncio.Task[KnownKey | None]) -> None:
        del self._asked[kid]
        self._claimed.discard(kid)
        if not done.cancelled():
            # Looked at, so that a failure that nobody waits for any more is not reported by the loop.
            done.exception()

    async def _ask_in_turn(self, kid: str) -> KnownKey | None:
        async with self._turns:
            return await self._ask(kid)

    async def _ask(self, kid: str) -> KnownKey | None:
        known = await self._fetch(kid)
        kept, other = (self._known, self._unknown) if known else (self._unknown, self._known)
        other.pop(kid, None)
        kept[kid] = (self._clock.monotonic() + self._ttl_s, known)
        kept.move_to_end(kid)
        if len(kept) > self._bound:
            kept.popitem(last=False)
        return known


class ServiceKeys:
    """The configured keys of the installation's own services."""

    def __init__(self, configured: Mapping[str, str]) -> None:
        self._by_kid: dict[str, tuple[str, PublicKeys]] = {}
        for name, text in configured.items():
            raw = base64.b64decode(text, validate=True)
            keys = PublicKeys(raw[:SIGNING_BYTES], raw[SIGNING_BYTES:])
            self._by_kid[keys.kid] = (name, keys)

    def actor(self, kid: str) -> Actor | None:
        """The service behind `kid`, or None."""
        if kid not in self._by_kid:
            return None
        name, keys = self._by_kid[kid]
        return Actor(PrincipalClass.SERVICE, name, kid, keys=keys)


class Identity:
    """Tells who made a call.

    Args:
        installation: The installation's id, part of every audience.
        ring: The keys that were ever enrolled.
        services: The keys of the own services.
        clock: The time that tokens are held against.
        is_reporter: Whether a record of the service's own shows a kid to be a reporter's.
    """

    def __init__(
        self,
        installation: str,
        ring: KeyRing,
        services: ServiceKeys,
        clock: Clock,
        is_reporter: IsReporter | None = None,
    ) -> None:
        self._installation, self._ring, self._services, self._clock = installation, ring, services, clock
        self._is_reporter, self._looks = is_reporter, asyncio.Semaphore(RECORDS_AT_ONCE)

    async def of(
        self,
        authorization: str | None,
        method: str,
        body_sha256: bytes,
        accepted: Classes,
        *,
        narrows: bool = False,
    ) -> Actor:
        """Returns the actor; `narrows` tells that the method only takes away.

        Raises:
            Unauthenticated: with a reason of its own for each way to fail.
            Unavailable, Exhausted: nobody can tell now whose key it is.
        """
        if authorization is None:
            if PrincipalClass.PUBLIC in accepted:
                return PUBLIC
            raise Unauthenticated("TOKEN_MISSING")
        if not authorization.startswith(SCHEME):
            raise Unauthenticated("TOKEN_MALFORMED")
        try:
            token = tokens.parse(authorization.removeprefix(SCHEME))
            return await self._verified(token, method, body_sha256, accepted, narrows=narrows)
        except TokenStale as stale:
            now_ms = int(self._clock.now().timestamp() * 1000)
            raise Unauthenticated("TOKEN_STALE", metadata={"serverTimeMs": str(now_ms)}) from stale
        except CryptoError as cause:
            raise Unauthenticated(cause.reason) from cause

    async def _verified(
        self, token: tokens.Token, method: str, body_sha256: bytes, accepted: Classes, *, narrows: bool
    ) -> Actor:
        if token.embedded:
            # The signature comes before the directory is asked: a stranger costs nobody else anything.
            self._check(token, token.embedded, method, body_sha256)
            return await self._self_certified(token.kid, token.embedded, accepted, narrows=narrows)
        actor = self._services.actor(token.kid) or await self._member(token.kid)
        if actor is None or actor.keys is None:
            raise Unauthenticated("KEY_UNKNOWN")
        self._check(token, actor.keys, method, body_sha256)
        return _accepted(actor, accepted)

    def _check(self, token: tokens.Token, keys: PublicKeys, method: str, body_sha256: bytes) -> None:
        audience = self._installation + method
        tokens.check(token, keys.signing, audience, body_sha256, self._clock.now())

    async def _self_certified(self, kid: str, keys: PublicKeys, accepted: Classes, *, narrows: bool) -> Actor:
        klass = next((klass for klass in SELF_CERTIFYING if klass in accepted), None)
        if klass is None:
            raise Unauthenticated("PRINCIPAL_CLASS")
        if klass is PrincipalClass.REPORTER and await self._was_enrolled(kid, narrows=narrows):
            raise Unauthenticated("PRINCIPAL_CLASS")
        return Actor(klass, kid=kid, keys=keys)

    async def _was_enrolled(self, kid: str, *, narrows: bool) -> bool:
        """Whether a key was ever a member's. Raises as the ring does where that must be known (ADR 30)."""
        if narrows and self._ring.was_unknown(kid):
            return False
        try:
            async with asyncio.timeout(NARROWING_PATIENCE_S if narrows else PATIENCE_S):
                return await self._ring.lookup(kid) is not None
        except Exception as cause:
            # Whatever failed, nobody could tell. A call that only takes away acts on the incident of this
            # very key, which SQL finds or does not; a reporter on record was looked up when it reported.
            if narrows or await self._is_on_record(kid):
                return False
            if isinstance(cause, TimeoutError):
                raise Unavailable("PEER_UNAVAILABLE") from cause
            raise

    async def _is_on_record(self, kid: str) -> bool:
        if self._is_reporter is None:
            return False
        async with self._looks:
            return await self._is_reporter(kid)

    async def _member(self, kid: str) -> Actor | None:
        known = await self._ring.lookup_claimed(kid)
        if known is None or known.state is not KeyState.ACTIVE:
            return None
        return Actor(
            PrincipalClass.MEMBER,
            known.subject,
            kid,
            known.organisation,
            known.member,
            known.admin,
            known.keys,
        )


def _accepted(actor: Actor, accepted: Classes) -> Actor:
    if actor.klass not in accepted:
        raise Unauthenticated("PRINCIPAL_CLASS")
    return actor
