"""Pages of what the caller may see: filled after the policy's answer, and never unbounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import TypeVar

T = TypeVar("T")
P = TypeVar("P")

DEFAULT_SIZE = 50
MAX_SIZE = 100
# At most this many reads and policy questions for one page, whatever is denied.
ROUNDS = 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def size_of(asked: int) -> int:
    """The size of a page: 50 when none is asked for, never above 100."""
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def ticks(moment: datetime) -> int:
    """A moment as it stands in a cursor, exact to the microsecond."""
    return (moment - EPOCH) // TICK


def moment_at(count: int) -> datetime:
    """The moment of a cursor."""
    return EPOCH + count * TICK


async def fill(
    size: int,
    after: P | None,
    read: Callable[[P | None, int], Awaitable[Sequence[T]]],
    permitted: Callable[[Sequence[T]], Awaitable[list[bool]]],
    place: Callable[[T], P],
) -> tuple[list[T], P | None]:
    """Reads on until `size` permitted items are found, nothing is left, or the bound is reached.

    Returns:
        The items, and the place from which to go on; None when nothing is left.
    """
    shown: list[T] = []
    for _ in range(ROUNDS):
        rows = await read(after, size + 1)
        shown += compress(rows, await permitted(rows))
        if len(shown) > size:
            return shown[:size], place(shown[size - 1])
        if len(rows) <= size:
            return shown, None
        after = place(rows[-1])
    return shown, after
