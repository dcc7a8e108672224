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
from services.kernel.errors import Unauthenticated

SCHEME = "Bearer "
SELF_CERTIFYING = (PrincipalClass.REPORTER, PrincipalClass.NEWCOMER)


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


Fetch = Callable[[str], Awaitable[KnownKey | None]]


class CachedKeyRing:
    """A key ring that asks `fetch` at most once in `ttl_s` per key, also for keys that nobody knows.

    Bounded; calls for the same key at the same time share one question. A failure is not remembered.
    """

    def __init__(self, fetch: Fetch, clock: Clock, *, ttl_s: float = 5.0, bound: int = 10_000) -> None:
        self._fetch, self._clock, self._ttl_s, self._bound = fetch, clock, ttl_s, bound
        self._known: OrderedDict[str, tuple[float, KnownKey | None]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[KnownKey | None]] = {}

    async def lookup(self, kid: str) -> KnownKey | None:
        """Returns what is known of `kid`, or None. Raises Unavailable when it cannot tell."""
        entry = self._known.get(kid)
        if entry and entry[0] > self._clock.monotonic():
            return entry[1]
        task = self._asked.get(kid)
        if task is None:
            # Owned by `_asked` until it has ended. In a context of its own: the first caller's deadline is
            # not that of the others who wait for the same answer.
            loop = asyncio.get_running_loop()
            task = self._asked[kid] = loop.create_task(self._ask(kid), context=Context())
            task.add_done_callback(lambda done: self._answered(kid, done))
        # Shielded: one caller that gives up must not take the answer from the others.
        return await asyncio.shield(task)

    def _answered(self, kid: str, done: asyncio.Task[KnownKey | None]) -> None:
        del self._asked[kid]
        if not done.cancelled():
            # Looked at, so that a failure that nobody waits for any more is not reported by the loop.
            done.exception()

    async def _ask(self, kid: str) -> KnownKey | None:
        known = await self._fetch(kid)
        self._known[kid] = (self._clock.monotonic() + self._ttl_s, known)
        self._known.move_to_end(kid)
        if len(self._known) > self._bound:
            self._known.popitem(last=False)
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
    """

    def __init__(self, installation: str, ring: KeyRing, services: ServiceKeys, clock: Clock) -> None:
        self._installation, self._ring, self._services, self._clock = installation, ring, services, clock

    async def of(
        self, authorization: str | None, method: str, body_sha256: bytes, accepted: Collection[PrincipalClass]
    ) -> Actor:
        """Returns the actor. Raises Unauthenticated with a reason of its own for each way to fail."""
        if authorization is None:
            if PrincipalClass.PUBLIC in accepted:
                return PUBLIC
            raise Unauthenticated("TOKEN_MISSING")
        if not authorization.startswith(SCHEME):
            raise Unauthenticated("TOKEN_MALFORMED")
        try:
            token = tokens.parse(authorization.removeprefix(SCHEME))
            return await self._verified(token, method, body_sha256, accepted)
        except TokenStale as stale:
            now_ms = int(self._clock.now().timestamp() * 1000)
            raise Unauthenticated("TOKEN_STALE", metadata={"serverTimeMs": str(now_ms)}) from stale
        except CryptoError as cause:
            raise Unauthenticated(cause.reason) from cause

    async def _verified(
        self, token: tokens.Token, method: str, body_sha256: bytes, accepted: Collection[PrincipalClass]
    ) -> Actor:
        if token.embedded:
            # The signature comes before the directory is asked: a stranger costs nobody else anything.
            self._check(token, token.embedded, method, body_sha256)
            return await self._self_certified(token.kid, token.embedded, accepted)
        actor = self._services.actor(token.kid) or await self._member(token.kid)
        if actor is None or actor.keys is None:
            raise Unauthenticated("KEY_UNKNOWN")
        self._check(token, actor.keys, method, body_sha256)
        return _accepted(actor, accepted)

    def _check(self, token: tokens.Token, keys: PublicKeys, method: str, body_sha256: bytes) -> None:
        audience = self._installation + method
        tokens.check(token, keys.signing, audience, body_sha256, self._clock.now())

    async def _self_certified(
        self, kid: str, keys: PublicKeys, accepted: Collection[PrincipalClass]
    ) -> Actor:
        klass = next((klass for klass in SELF_CERTIFYING if klass in accepted), None)
        if klass is None:
            raise Unauthenticated("PRINCIPAL_CLASS")
        if klass is PrincipalClass.REPORTER and await self._ring.lookup(kid):
            raise Unauthenticated("PRINCIPAL_CLASS")
        return Actor(klass, kid=kid, keys=keys)

    async def _member(self, kid: str) -> Actor | None:
        known = await self._ring.lookup(kid)
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


def _accepted(actor: Actor, accepted: Collection[PrincipalClass]) -> Actor:
    if actor.klass not in accepted:
        raise Unauthenticated("PRINCIPAL_CLASS")
    return actor
