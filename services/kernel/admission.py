"""How much is let in: places per lane, and rates per principal or whatever key a use case names.

Anyone can make a key, so nothing here grows with strangers: rates are remembered for a bounded number of
keys, one float each, and waiting is bounded by places, by time and by the caller's deadline.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.kernel.config import AdmissionSettings
from services.kernel.errors import Exhausted
from services.kernel.log import Metrics

# A caller that is turned away comes back no sooner; it keeps clients from spinning.
LEAST_RETRY_S = 0.1
# Left of the deadline for the work itself when a call waits.
RESERVE_S = 0.5
# The longest that a call lets closings go first: a flood of them must not shut the doors of others.
GIVE_WAY_S = 0.1


class LaneName(StrEnum):
    """The lanes; most names are those of `annotations.v1.Lane`.

    A method that declares none is in PUBLIC, PEER or GENERAL, by who may call it.
    """

    GENERAL = "GENERAL"
    PUBLIC = "PUBLIC"
    PEER = "PEER"
    INTAKE = "INTAKE"
    NARROWING = "NARROWING"
    OPENING = "OPENING"
    STREAM = "STREAM"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many per second, after a pause so many at once."""

    per_s: float
    burst: int


class Rates:
    """Token buckets by key, kept as the moment at which each would be full again (GCRA)."""

    def __init__(self, bound: int, now: Callable[[], float]) -> None:
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._bound, self._now = bound, now

    def delay(self, key: str, rate: Rate) -> float:
        """Seconds until `key` has a token; 0 when it has one now. Takes nothing."""
        now = self._now()
        full_at = max(self._full_at.get(key, now), now)
        return max(0.0, full_at - now - (rate.burst - 1) / rate.per_s)

    def take(self, key: str, rate: Rate) -> None:
        """Takes a token, into the future if there is none now."""
        now = self._now()
        self._full_at[key] = max(self._full_at.pop(key, now), now) + 1 / rate.per_s
        if len(self._full_at) > self._bound:
            self._full_at.popitem(last=False)


class Lane:
    """The places of one lane, and the calls that wait for one, first come first served."""

    def __init__(self, name: LaneName, places: int, queue: int) -> None:
        self.name, self._free, self._queue = name, places, queue
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self, wait_s: float) -> None:
        """Takes a place, waiting where the lane allows it. Raises Exhausted."""
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= self._queue or wait_s <= 0:
            raise Exhausted(retry_after_s=1.0)
        await self._wait(wait_s)

    async def _wait(self, wait_s: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except BaseException as cause:
            # A turn that came in the same moment as the end is passed on.
            if turn.done() and not turn.cancelled():
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(cause, TimeoutError):
                raise Exhausted(retry_after_s=1.0) from cause
            raise

    def leave(self) -> None:
        """Gives the place to whoever waited longest, or frees it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Place:
    """One call's place in a lane; it may be left and taken again while the call waits for a rate."""

    def __init__(self, lane: Lane, metrics: Metrics) -> None:
        self._lane, self._metrics, self._held = lane, metrics, False

    async def enter(self, wait_s: float) -> None:
        """Takes the place. Raises Exhausted."""
        await self._lane.enter(wait_s)
        self._held = True
        self._metrics.in_flight.labels(self._lane.name).inc()

    def leave(self) -> None:
        """Leaves the place if it is held."""
        if self._held:
            self._held = False
            self._metrics.in_flight.labels(self._lane.name).dec()
            self._lane.leave()


class Precedence:
    """Closings in one process go first: openings wait for them, briefly."""

    def __init__(self) -> None:
        self._ahead = 0
        self._free = asyncio.Event()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Goes first until the end of the block."""
        self._ahead += 1
        self._free.clear()
        try:
            yield
        finally:
            self._ahead -= 1
            if not self._ahead:
                self._free.set()

    async def given(self) -> None:
        """Waits while anybody goes first, and no longer than `GIVE_WAY_S`."""
        if self._ahead:
            with suppress(TimeoutError):
                async with asyncio.timeout(GIVE_WAY_S):
                    await self._free.wait()


class Waiting(Protocol):
    """What admission must know of a call: its deadline and its place."""

    @property
    def place(self) -> Place | None:
        """The place in its lane, while it has one."""

    def remaining_s(self) -> float:
        """Seconds until the caller gives up."""


class Admission:
    """The doors of one process.

    Args:
        settings: Places, queues and rates.
        metrics: Where what is turned away is counted.
        now: Monotonic seconds.
    """

    def __init__(self, settings: AdmissionSettings, metrics: Metrics, now: Callable[[], float]) -> None:
        self._settings, self._metrics = settings, metrics
        self._rates = Rates(settings.tracked_keys, now)
        self._per_principal = Rate(settings.principal_per_s, settings.principal_burst)
        places = {
            LaneName.GENERAL: settings.general_in_flight,
            LaneName.PUBLIC: settings.public_in_flight,
            LaneName.PEER: settings.peer_in_flight,
            LaneName.INTAKE: settings.intake_in_flight,
            LaneName.NARROWING: settings.narrowing_in_flight,
            LaneName.OPENING: settings.opening_in_flight,
            LaneName.STREAM: settings.stream_in_flight,
        }
        queues = {LaneName.INTAKE: settings.intake_queue, LaneName.PUBLIC: settings.public_queue}
        self._lanes = {name: Lane(name, count, queues.get(name, 0)) for name, count in places.items()}
        self._streams: dict[str, int] = {}
        self._waiting = 0
        self.precedence = Precedence()

    def take(self, key: str, rate: Rate) -> None:
        """Takes one of `key`'s tokens. Raises Exhausted, with the wait, when there is none."""
        delay = self._rates.delay(key, rate)
        if delay > 0:
            raise Exhausted(retry_after_s=max(delay, LEAST_RETRY_S))
        self._rates.take(key, rate)

    async def wait(self, key: str, rate: Rate, call: Waiting) -> None:
        """Takes one of `key`'s tokens, waiting for it in a bounded queue without a place in the lane.

        Raises:
            Exhausted: the token would come after the caller's deadline, or too many wait already.
        """
        delay = self._rates.delay(key, rate)
        if delay > call.remaining_s() - RESERVE_S or (
            delay > 0 and self._waiting >= self._settings.intake_queue
        ):
            raise Exhausted(retry_after_s=max(delay, LEAST_RETRY_S))
        self._rates.take(key, rate)
        if delay > 0:
            await self._sit_out(delay, call)

    async def _sit_out(self, delay: float, call: Waiting) -> None:
        self._waiting += 1
        try:
            if call.place:
                call.place.leave()
            await asyncio.sleep(delay)
            if call.place:
                await call.place.enter(call.remaining_s() - RESERVE_S)
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def admitted(
        self, lane: LaneName, principal: str, remaining_s: float, *, rated: bool = True
    ) -> AsyncIterator[Place]:
        """Holds a place in `lane` for `principal`; only a `rated` one has a rate. Raises Exhausted."""
        place = Place(self._lanes[lane], self._metrics)
        try:
            if rated:
                # Keys of one principal differ by lane: whoever read too much can still withdraw.
                self.take(f"{lane}/{principal}", self._per_principal)
            await place.enter(remaining_s - RESERVE_S)
        except Exhausted:
            self._metrics.turned_away.labels(lane).inc()
            raise
        try:
            yield place
        finally:
            place.leave()

    @contextmanager
    def stream_of(self, principal: str) -> Iterator[None]:
        """Counts one stream of `principal`. Raises Exhausted."""
        count = self._streams.get(principal, 0)
        if count >= self._settings.streams_per_principal:
            self._metrics.turned_away.labels(LaneName.STREAM).inc()
            raise Exhausted
        self._streams[principal] = count + 1
        try:
            yield
        finally:
            self._streams[principal] -= 1
            if not self._streams[principal]:
                del self._streams[principal]
