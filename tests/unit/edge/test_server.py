"""Connections and lines are bounded, and whoever idles longest gives way (I26, T11)."""

from __future__ import annotations

import asyncio

import pytest

from services.edge import server
from services.edge.metrics import EdgeMetrics
from services.edge.server import Crowd
from services.edge.upstream import CALLS_PER_LINE, LINES, Bundle
from services.kernel.errors import Exhausted


class One:
    def __init__(self, crowd: Crowd) -> None:
        self._crowd, self.aborted = crowd, False

    def abort(self) -> None:
        self.aborted = True
        self._crowd.go(self)


def crowd(places: int, idle_s: float = 30.0) -> Crowd:
    return Crowd(places, EdgeMetrics(), idle_s)


async def test_whoever_idles_longest_gives_way_and_nobody_at_work_does():
    among = crowd(3)
    worker, first, second, third = (One(among) for _ in range(4))
    for one in (worker, first, second):
        among.come(one)
    among.works(worker)

    among.come(third)

    assert [one.aborted for one in (worker, first, second, third)] == [False, True, False, False]


async def test_who_comes_when_all_are_at_work_goes_again():
    among = crowd(2)
    workers = [One(among), One(among)]
    for one in workers:
        among.come(one)
        among.works(one)
    late = One(among)

    among.come(late)

    assert late.aborted
    assert not any(one.aborted for one in workers)


async def test_who_has_worked_idles_anew():
    among = crowd(2)
    first, second = One(among), One(among)
    among.come(first)
    among.works(first)
    among.come(second)
    among.idles(first)

    among.come(One(among))

    assert (first.aborted, second.aborted) == (False, True)


async def test_who_idles_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "SWEEP_S", 0.01)
    among = crowd(10, idle_s=0.05)
    idler, worker = One(among), One(among)
    for one in (idler, worker):
        among.come(one)
    among.works(worker)
    sweep = asyncio.create_task(among.sweep())

    async with asyncio.timeout(5):
        while not idler.aborted:
            await asyncio.sleep(0.01)

    sweep.cancel()
    assert not worker.aborted


async def test_a_line_never_has_more_calls_than_its_server_takes():
    bundle = Bundle("127.0.0.1:1", None)
    lent = [bundle.line() for _ in range(CALLS_PER_LINE + 1)]
    lines = [each.__enter__() for each in lent]

    assert len({id(line) for line in lines[:CALLS_PER_LINE]}) == 1
    assert lines[CALLS_PER_LINE] is not lines[0]
    lent[0].__exit__(None, None, None)
    with bundle.line() as line:
        assert line is lines[0]
    await bundle.close()


async def test_a_bundle_that_is_full_refuses():
    bundle = Bundle("127.0.0.1:1", None)
    lent = [bundle.line() for _ in range(CALLS_PER_LINE * LINES)]
    for each in lent:
        each.__enter__()

    with pytest.raises(Exhausted), bundle.line():
        pass
    await bundle.close()
