"""What the directory says of a key, remembered for seconds; what strangers ask takes nothing from others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from meldbrug.crypto.keys import PublicKeys
from services.kernel.clock import Clock
from services.kernel.errors import Exhausted


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
