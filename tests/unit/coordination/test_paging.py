"""Pages are full after the policy's answer, end where nothing is left, and cost so many checks at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from services.coordination.usecases.paging import ROUNDS, fill, moment_at, size_of, ticks


async def page(
    rows: Sequence[int], size: int, allowed: Callable[[int], bool], after: int | None = None
) -> tuple[list[int], int | None, int]:
    """One page of descending numbers; also how often the store was read."""
    reads = 0

    async def read(place: int | None, limit: int) -> list[int]:
        nonlocal reads
        reads += 1
        return [row for row in sorted(rows, reverse=True) if place is None or row < place][:limit]

    async def permitted(found: Sequence[int]) -> list[bool]:
        return [allowed(row) for row in found]

    shown, rest = await fill(size, after, read, permitted, lambda row: row)
    return shown, rest, reads


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("step", [1, 2, 3])
async def test_pages_together_are_the_permitted_list(size: int, step: int) -> None:
    rows, found, after = range(20), list[int](), None
    while True:
        shown, after, _ = await page(rows, size, lambda row: row % step == 0, after)
        found += shown
        if after is None:
            break
        assert len(shown) == size

    assert found == [row for row in reversed(rows) if row % step == 0]


async def test_a_list_that_ends_with_a_full_page_has_no_next_one() -> None:
    assert await page(range(4), 4, lambda _: True) == ([3, 2, 1, 0], None, 1)


async def test_denied_rows_at_the_end_do_not_promise_another_page() -> None:
    shown, rest, _ = await page(range(10), 4, lambda row: row >= 6)

    assert (shown, rest) == ([9, 8, 7, 6], None)


async def test_a_page_is_bounded_when_everything_is_denied() -> None:
    shown, rest, reads = await page(range(1000), 4, lambda _: False)

    assert shown == []
    assert rest == 1000 - ROUNDS * 5
    assert reads == ROUNDS


def test_sizes_are_bounded() -> None:
    assert [size_of(asked) for asked in (0, 1, 100, 101)] == [50, 1, 100, 100]


def test_a_moment_survives_its_cursor_to_the_microsecond() -> None:
    moment = datetime(2026, 11, 23, 8, 59, 59, 999999, tzinfo=UTC)

    assert moment_at(ticks(moment)) == moment
