"""Who calls: the bearer token checked against method, exact body and the key that the directory knows."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Collection, Mapping

from meldbrug.crypto import tokens
from meldbrug.crypto.errors import CryptoError, TokenStale
from meldbrug.crypto.keys import SIGNING_BYTES, PublicKeys
from services.kernel.authz import PUBLIC, Actor, PrincipalClass
from services.kernel.clock import Clock
from services.kernel.errors import Unauthenticated, Unavailable
from services.kernel.key_ring import KeyRing, KeyState

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
        narrows: bool,
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
