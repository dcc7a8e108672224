"""Admission lets in what it should, makes reports wait, and does not grow with strangers."""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest

from services.kernel import admission as doors
from services.kernel.admission import (
    GIVE_WAY_S,
    Admission,
    Lane,
    LaneName,
    Place,
    Precedence,
    Rate,
    Rates,
)
from services.kernel.config import AdmissionSettings
from services.kernel.errors import Exhausted
from services.kernel.log import Metrics


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Call:
    def __init__(self, remaining: float, place: Place | None = None) -> None:
        self.place, self._remaining = place, remaining

    def remaining_s(self) -> float:
        return self._remaining


def admission(time: Any = None, **settings: Any) -> Admission:
    return Admission(AdmissionSettings(**settings), Metrics(), time or Time())


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    time = Time()
    door = admission(time)
    for _ in range(3):
        door.take("k", Rate(2.0, 3))
    with pytest.raises(Exhausted) as refusal:
        door.take("k", Rate(2.0, 3))
    assert refusal.value.retry_after_s == pytest.approx(0.5)

    time.now += 0.5
    door.take("k", Rate(2.0, 3))
    with pytest.raises(Exhausted):
        door.take("k", Rate(2.0, 3))


def test_being_refused_costs_nothing() -> None:
    time = Time()
    door = admission(time)
    door.take("k", Rate(1.0, 1))
    for _ in range(100):
        with pytest.raises(Exhausted):
            door.take("k", Rate(1.0, 1))
    time.now += 1.0
    door.take("k", Rate(1.0, 1))


def test_one_key_does_not_use_up_another() -> None:
    door = admission()
    door.take("a", Rate(1.0, 1))
    door.take("b", Rate(1.0, 1))


def test_memory_does_not_grow_with_strangers() -> None:
    """I26: what is remembered of callers is bounded, whoever they are."""
    rates = Rates(1000, Time())
    for number in range(1000):
        rates.take(f"key {number:040}", Rate(1.0, 1))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(1000, 20_000):
        rates.take(f"key {number:040}", Rate(1.0, 1))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert len(rates._full_at) == 1000
    assert grown < 300_000


async def test_a_full_lane_turns_away_and_others_go_on() -> None:
    door = admission(general_in_flight=1)
    async with door.admitted(LaneName.GENERAL, "a", 5.0):
        with pytest.raises(Exhausted):
            async with door.admitted(LaneName.GENERAL, "b", 5.0):
                pass
        for lane in (LaneName.NARROWING, LaneName.OPENING, LaneName.INTAKE):
            async with door.admitted(lane, "b", 5.0):
                pass
    async with door.admitted(LaneName.GENERAL, "b", 5.0):
        pass


async def test_who_read_too_much_can_still_withdraw() -> None:
    door = admission(principal_per_s=0.001, principal_burst=1)
    async with door.admitted(LaneName.GENERAL, "a", 5.0):
        pass
    with pytest.raises(Exhausted):
        async with door.admitted(LaneName.GENERAL, "a", 5.0):
            pass
    async with door.admitted(LaneName.NARROWING, "a", 5.0):
        pass


async def test_a_service_that_asks_for_many_has_no_rate() -> None:
    door = admission(principal_per_s=0.001, principal_burst=1)
    for _ in range(3):
        async with door.admitted(LaneName.GENERAL, "a service", 5.0, rated=False):
            pass
    async with door.admitted(LaneName.GENERAL, "a", 5.0):
        pass
    with pytest.raises(Exhausted):
        async with door.admitted(LaneName.GENERAL, "a", 5.0):
            pass


async def test_the_public_waits_in_a_lane_of_its_own_and_has_no_rate_in_common() -> None:
    """T11: a flood without keys costs time, not refusals, up to what the lane holds."""
    door = admission(public_in_flight=2, public_queue=148, principal_per_s=0.001, principal_burst=1)
    answered = 0

    async def look() -> None:
        nonlocal answered
        async with door.admitted(LaneName.PUBLIC, "public", 5.0, rated=False):
            await asyncio.sleep(0)
            answered += 1

    flood = [asyncio.create_task(look()) for _ in range(150)]
    await asyncio.sleep(0)
    with pytest.raises(Exhausted) as refusal:
        await look()
    async with door.admitted(LaneName.GENERAL, "a", 5.0), door.admitted(LaneName.PEER, "b", 5.0):
        pass
    await asyncio.gather(*flood)

    assert answered == 150
    assert refusal.value.retry_after_s


async def test_reports_wait_their_turn() -> None:
    door = admission(intake_in_flight=1, intake_queue=2)
    order = []

    async def report(name: str) -> None:
        async with door.admitted(LaneName.INTAKE, name, 5.0):
            order.append(name)
            await asyncio.sleep(0.01)

    first = [asyncio.create_task(report(name)) for name in "abc"]
    await asyncio.sleep(0)
    with pytest.raises(Exhausted):
        await report("d")
    await asyncio.gather(*first)

    assert order == ["a", "b", "c"]


async def test_waiting_ends_before_the_deadline() -> None:
    lane = Lane(LaneName.INTAKE, 1, 5)
    await lane.enter(1.0)
    with pytest.raises(Exhausted) as refusal:
        await lane.enter(0.02)
    lane.leave()

    assert refusal.value.retry_after_s
    await lane.enter(0.0)


async def test_a_turn_given_to_someone_who_left_is_not_lost() -> None:
    lane = Lane(LaneName.INTAKE, 1, 5)
    await lane.enter(1.0)
    waiting = [asyncio.create_task(lane.enter(5.0)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    lane.leave()
    waiting[1].cancel()
    await asyncio.gather(*waiting[:2], return_exceptions=True)

    async with asyncio.timeout(1):
        await waiting[2]


async def test_over_a_rate_reports_wait_without_a_place() -> None:
    time = asyncio.get_running_loop().time
    door = admission(time, intake_in_flight=1)
    rate = Rate(20.0, 1)
    door.take("production", rate)
    async with door.admitted(LaneName.INTAKE, "a", 5.0) as place:
        waiting = asyncio.create_task(door.wait("production", rate, Call(5.0, place)))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        async with door.admitted(LaneName.INTAKE, "b", 5.0):
            pass
        await waiting


async def test_over_a_rate_the_queue_is_bounded_by_the_deadline_and_in_number() -> None:
    time = asyncio.get_running_loop().time
    door = admission(time, intake_queue=1)
    rate = Rate(5.0, 1)
    door.take("production", rate)
    with pytest.raises(Exhausted):
        await door.wait("production", rate, Call(0.6))
    waiting = asyncio.create_task(door.wait("production", rate, Call(5.0)))
    await asyncio.sleep(0)
    with pytest.raises(Exhausted) as refusal:
        await door.wait("production", rate, Call(5.0))
    assert refusal.value.retry_after_s == pytest.approx(0.4, abs=0.05)
    await waiting


def test_streams_are_counted_by_principal() -> None:
    door = admission(streams_per_principal=2)
    with door.stream_of("a"), door.stream_of("a"):
        with pytest.raises(Exhausted), door.stream_of("a"):
            pass
        with door.stream_of("b"):
            pass
    with door.stream_of("a"):
        pass
    assert door._streams == {}


async def test_who_gives_way_waits_until_the_last_of_those_ahead_is_done() -> None:
    order = Precedence()
    with order.taken():
        with order.taken():
            waiting = asyncio.create_task(order.given())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_nobody_gives_way_for_longer_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closings without end, whoever sends them, do not shut the doors of others."""
    monkeypatch.setattr(doors, "GIVE_WAY_S", 0.01)
    order = Precedence()
    with order.taken():
        await asyncio.wait_for(order.given(), 1.0)


async def test_a_closing_that_fails_is_not_ahead_any_more() -> None:
    order = Precedence()
    with suppress(RuntimeError), order.taken():
        raise RuntimeError
    await asyncio.wait_for(order.given(), GIVE_WAY_S / 2)
