"""What the directory says of keys, remembered for seconds; what strangers ask takes nothing from others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
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


Fetch = Callable[[Sequence[str]], Awaitable[Iterable[KnownKey]]]
Remembered = OrderedDict[str, tuple[float, KnownKey | None]]
# What one question to the directory may hold.
KEYS_PER_CALL = 64


class Questions:
    """Asks about keys in few calls: what comes while all calls are under way goes together with the next.

    Args:
        fetch: Asks the directory about at most `KEYS_PER_CALL` keys; those that nobody knows it leaves out.
        calls: So many at once.
    """

    def __init__(self, fetch: Fetch, calls: int) -> None:
        self._fetch, self._most = fetch, calls
        self._waiting: deque[tuple[str, asyncio.Future[KnownKey | None]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    def put(self, kid: str) -> asyncio.Future[KnownKey | None]:
        """Asks about one key."""
        answer: asyncio.Future[KnownKey | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((kid, answer))
        self._go_on()
        return answer

    def _go_on(self) -> None:
        if not self._waiting or len(self._under_way) >= self._most:
            return
        count = min(len(self._waiting), KEYS_PER_CALL)
        batch = dict(self._waiting.popleft() for _ in range(count))
        # In a context of its own: the first caller's deadline is not that of the others who wait with it.
        task = asyncio.get_running_loop().create_task(self._call(batch), context=Context())
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._go_on()

    async def _call(self, batch: dict[str, asyncio.Future[KnownKey | None]]) -> None:
        try:
            known = {key.kid: key for key in await self._fetch(list(batch))}
        except Exception as failure:  # noqa: BLE001 (told to each of those who wait for it)
            for answer in batch.values():
                answer.set_exception(failure)
            return
        for kid, answer in batch.items():
            answer.set_result(known.get(kid))


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
        claims: Kids at once that are only claimed and asked about; more are turned away.
        under_way: Keys at once that were shown and are asked about; more are turned away.
        calls: Calls at once for either; the others wait, and go together with the next.
    """

    def __init__(
        self,
        fetch: Fetch,
        clock: Clock,
        *,
        ttl_s: float = 5.0,
        bound: int = 10_000,
        claims: int = 32,
        under_way: int = 1000,
        calls: int = 4,
    ) -> None:
        self._clock, self._ttl_s, self._bound = clock, ttl_s, bound
        self._claims, self._under_way = claims, under_way
        self._known: Remembered = OrderedDict()
        self._unknown: Remembered = OrderedDict()
        self._asked: dict[str, asyncio.Future[KnownKey | None]] = {}
        self._claimed: set[str] = set()
        self._of_claims, self._of_shown = Questions(fetch, calls), Questions(fetch, calls)

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

    def _begin(self, kid: str, *, is_claim: bool) -> asyncio.Future[KnownKey | None]:
        claims = len(self._claimed)
        if claims >= self._claims if is_claim else len(self._asked) - claims >= self._under_way:
            raise Exhausted(retry_after_s=1.0)
        # Counted until the question has ended, not until its caller has: a caller that hangs up is cheap.
        if is_claim:
            self._claimed.add(kid)
        answer = self._asked[kid] = (self._of_claims if is_claim else self._of_shown).put(kid)
        answer.add_done_callback(lambda done: self._answered(kid, done))
        return answer

    def _answered(self, kid: str, done: asyncio.Future[KnownKey | None]) -> None:
        del self._asked[kid]
        self._claimed.discard(kid)
        # Looked at, so that a failure that nobody waits for any more is not reported by the loop.
        if done.exception() is None:
            self._remember(kid, done.result())

    def _remember(self, kid: str, known: KnownKey | None) -> None:
        kept, other = (self._known, self._unknown) if known else (self._unknown, self._known)
        other.pop(kid, None)
        kept[kid] = (self._clock.monotonic() + self._ttl_s, known)
        kept.move_to_end(kid)
        if len(kept) > self._bound:
            kept.popitem(last=False)
