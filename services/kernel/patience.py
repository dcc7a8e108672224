"""How long anybody waits for anybody: the longest deadlines, and requests that are on their way.

Shared by every way in, whatever it speaks, so that none is more patient than the others.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Self

from services.kernel.errors import Exhausted, InvalidArgument

MAX_UNARY_S = 60.0
# A client's timer and ours do not agree to the millisecond.
TIMER_TOLERANCE_S = 1.0
# A megabyte over a poor mobile line.
LONGEST_S = 30.0
PLACES = 1024


def require_deadline(left_s: float | None, longest_s: float) -> float:
    """Returns the seconds that a call has left. Raises InvalidArgument for none, or for too many."""
    if left_s is None or left_s > longest_s + TIMER_TOLERANCE_S:
        raise InvalidArgument("DEADLINE_MISSING", f"a deadline of at most {longest_s:.0f} s is required")
    return left_s


class Patience:
    """Waits for requests: for each so long, for so many at once; then whoever has waited longest gives way.

    A request that comes takes milliseconds, one that does not grows old.

    Args:
        longest_s: How long a request may be on its way.
        places: How many may be at once.
    """

    def __init__(self, longest_s: float = LONGEST_S, places: int = PLACES) -> None:
        self._longest_s, self._places = longest_s, places
        self._on_their_way: OrderedDict[asyncio.Timeout, None] = OrderedDict()

    def waiting(self, left_s: float = LONGEST_S) -> _Waiting:
        """Returns the block in which to await one request, at most `left_s`. It raises Exhausted."""
        return _Waiting(self._on_their_way, self._places, asyncio.timeout(min(self._longest_s, left_s)))


class _Waiting:
    def __init__(
        self, on_their_way: OrderedDict[asyncio.Timeout, None], places: int, limit: asyncio.Timeout
    ) -> None:
        self._on_their_way, self._places, self._limit = on_their_way, places, limit

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._on_their_way[self._limit] = None
        if len(self._on_their_way) > self._places:
            oldest, _ = self._on_their_way.popitem(last=False)
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on_their_way.pop(self._limit, None)
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            raise Exhausted from None
