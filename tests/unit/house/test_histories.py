"""The checker of histories finds what must not happen, and only that."""

from __future__ import annotations

import asyncio
import random
from math import inf

import pytest

from tests.support.histories import NOTHING, Op, linearizable

A, B = frozenset({1}), frozenset({1, 2})


def given(at: float = 0.0) -> list[Op]:
    """A yes to B that was answered and has opened once; long ago, for those whose refusals must tell."""
    return [Op("set", B, at, at + 1), Op("opened", B, at + 2, at + 3)]


def close(called: float, answered: float = inf) -> Op:
    return Op("close", NOTHING, called, answered)


RIGHT = {
    "nothing at all": [],
    "closed from the start": [Op("refused", NOTHING, 0, 1)],
    "refused until the engine follows": [*given(), Op("refused", NOTHING, 1, 3), Op("opened", B, 4, 5)],
    "refused while what is open changes": [
        *given(-90),
        Op("set", A, 0, 9),
        Op("opened", A, 1, 2),
        Op("refused", NOTHING, 3, 4),
        Op("opened", A, 5, 6),
    ],
    "let through while it closes": [
        *given(-90),
        close(4, 9),
        Op("opened", B, 5, 6),
        Op("refused", NOTHING, 5, 8),
    ],
    "refused before the close is answered": [*given(-90), close(4, 9), Op("refused", NOTHING, 5, 6)],
    "an opening that began before the answer": [*given(-90), close(4, 6), Op("opened", B, 5, 9)],
    "a close nobody heard of that came": [*given(-90), close(4), Op("refused", NOTHING, 7, 8)],
    "a close nobody heard of that never came": [*given(-90), close(4), Op("opened", B, 7, 8)],
    "a close nobody heard of that came late": [
        *given(-90),
        close(4),
        Op("opened", B, 7, 8),
        Op("refused", NOTHING, 9, 10),
    ],
    "a part taken away": [*given(), Op("drop", frozenset({2}), 4, 5), Op("opened", A, 6, 7)],
    "given again": [*given(), close(4, 5), *given(6)],
}
WRONG = {
    "opened before the yes": [Op("opened", B, 0, 1), Op("set", B, 2, 3)],
    "opened after the close was answered": [*given(), close(4, 5), Op("opened", B, 6, 7)],
    "opened, refused, opened while it closes": [
        *given(-90),
        close(4, 20),
        Op("opened", B, 5, 6),
        Op("refused", NOTHING, 7, 8),
        Op("opened", B, 9, 10),
    ],
    "closed and back by itself": [
        *given(-90),
        close(4),
        Op("refused", NOTHING, 7, 8),
        Op("opened", B, 9, 10),
    ],
    "more than is left": [*given(), Op("drop", frozenset({2}), 4, 5), Op("opened", B, 6, 7)],
    "less than was given": [*given(), Op("opened", A, 6, 7)],
    "refused though it is open": [*given(-90), Op("refused", NOTHING, 6, 7)],
    "given again to another": [*given(), close(4, 5), Op("opened", B, 6, 7), *given(8)],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_a_history_that_can_have_happened_is_found_right(history: list[Op]) -> None:
    assert linearizable(history)


@pytest.mark.parametrize("history", WRONG.values(), ids=WRONG)
def test_a_history_that_cannot_have_happened_is_found_wrong(history: list[Op]) -> None:
    assert not linearizable(history)


class Store:
    """Answers from the truth, or from a copy of it that follows a moment later, as a cache does."""

    def __init__(self, *, cached: bool) -> None:
        self.kinds, self._copy, self._cached = NOTHING, NOTHING, cached

    async def open(self) -> frozenset[int]:
        await asyncio.sleep(0.001)
        return self._copy if self._cached else self.kinds

    async def become(self, kinds: frozenset[int]) -> None:
        await asyncio.sleep(0.001)
        self.kinds = kinds
        asyncio.get_running_loop().call_later(0.004, lambda: setattr(self, "_copy", kinds))


async def recorded(store: Store, chance: random.Random) -> list[Op]:
    """What eight clients see who open without pause while one closes and gives again."""
    clock, history, over = asyncio.get_running_loop().time, list[Op](), False

    async def reader() -> None:
        while not over:
            called = clock()
            found = await store.open()
            history.append(Op("opened" if found else "refused", found, called, clock()))
            await asyncio.sleep(chance.uniform(0, 0.002))

    async def writer() -> None:
        nonlocal over
        for kinds in (B, NOTHING, A, NOTHING):
            called = clock()
            await store.become(kinds)
            history.append(Op("set" if kinds else "close", kinds, called, clock()))
            await asyncio.sleep(chance.uniform(0.005, 0.01))
        over = True

    await asyncio.gather(writer(), *(reader() for _ in range(8)))
    return history


async def test_a_service_that_answers_from_a_cache_is_found_out() -> None:
    """T19: the same clients on the same store, with a cache and without."""
    chance = random.Random(1)

    assert linearizable(await recorded(Store(cached=False), chance))
    assert not linearizable(await recorded(Store(cached=True), chance))
