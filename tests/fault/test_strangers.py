"""Strangers by the thousand, while the policy engine answers nobody: for none of them is it asked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from statistics import median
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.message import Message

from meldbrug.client import Unavailable
from meldbrug.crypto import SecretKeys
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from services.kernel.receiving import PLACES
from tests.support.actors import Actors, Case
from tests.support.campaign import Campaign
from tests.support.faults import Recorder, effects, is_refused, succeeds, until
from tests.support.openings import OPEN, open_once, opened, opening
from tests.support.personas import Doors, Persona
from tests.support.sector import World

DISCLOSURE = "/meldbrug.disclosure.v1."
PER_CASE, AT_ONCE = 250, 50
ROLES = ("kade9-contact", "lichtbrug-contact", "noorderlicht-systeem", "kade9-admin")
TURNED_AWAY = {"NOT_PERMITTED", "KEY_UNKNOWN", "PRINCIPAL_CLASS", "OVERLOADED"}


@pytest.fixture
async def doors(world: World) -> AsyncIterator[Doors]:
    """Every method, as anyone."""
    doors = Doors(world)
    yield doors
    await doors.close()


def knocks(case: Case, chance: Random) -> list[tuple[str, Message, Persona]]:
    """Minted keys that are shown or claimed, and members who have nothing to do with the case."""
    doors: list[tuple[str, Message]] = [
        (OPEN, opening(case.notice)),
        (
            DISCLOSURE + "HandlerService/GetReport",
            service.HandlerServiceGetReportRequest(incident=case.incident),
        ),
        (DISCLOSURE + "ReporterService/GetReport", service.GetReportRequest(incident=case.incident)),
    ]
    chosen = []
    for _ in range(PER_CASE):
        method, request = chance.choice(doors)
        keys = SecretKeys(chance.randbytes(32), chance.randbytes(32))
        if chance.random() < 0.2:
            keys = case.actors.world.sector.keys(chance.choice(ROLES))
        chosen.append((method, request, Persona("stranger", keys, embed="ReporterService" in method)))
    return chosen


@pytest.mark.campaign("strangers", unit="strangers", floor=1000, target=100_000, short_s=60)
async def test_no_stranger_reaches_the_policy_engine(
    world: World, actors: Actors, recorder: Recorder, doors: Doors, campaign: Campaign
) -> None:
    """T28, T11: a check of theirs would show as POLICY_UNAVAILABLE, as that of the named reader does."""
    case = await opened(actors)
    engine, before = world.stack.backends.openfga.child, effects(world, case.incident)
    assert engine is not None
    for number in campaign:
        engine.pause()
        try:
            found, took_s = await turned_away(doors, knocks(case, Random(number)))
            recorder.patience_s = 1.0
            with pytest.raises(Unavailable) as refused:
                await open_once(case)
            assert refused.value.reason == "POLICY_UNAVAILABLE"
        finally:
            engine.resume()
        print(f"{PER_CASE / took_s:.0f} strangers a second, told {dict(found)}")
        assert set(found) <= TURNED_AWAY
        assert found["NOT_PERMITTED"], "all were turned away before anyone looked whose case it is"
        campaign.count(strangers=PER_CASE)
    recorder.patience_s = 30.0
    assert await succeeds(lambda: open_once(case))
    assert effects(world, case.incident) == {**before, "releases": before["releases"] + 1}


SILENT, CONNECTIONS = 10_000, 100
MEASURED = 40
MORE_MB, SLOWER = 150, 4


async def test_ten_thousand_who_begin_and_say_nothing_keep_nobody_out(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """T11, I26: calls without token, request or end; openings, a report and a withdrawal go on."""
    case = await opened(actors)
    recorder.patience_s = 10.0
    alone, held_mb = await openings_ms(case), used_mb(world)
    async with silent(world.endpoints.services["disclosure"]) as calls:
        beside = await openings_ms(case)
        more_mb = used_mb(world) - held_mb
        await actors.report()
        await case.consents.withdraw(case.notice)
        waiting = sum(not call.done() for call in calls)
    print(f"alone {alone:.1f} ms, beside {waiting} silent ones {beside:.1f} ms, {more_mb:.0f} MB more")
    assert await is_refused(open_once(case))
    assert beside < SLOWER * alone
    assert more_mb < MORE_MB


@asynccontextmanager
async def silent(address: str) -> AsyncIterator[list[Any]]:
    """So many calls of nobody under way on so many connections, none of which says anything."""
    apart = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=apart) for _ in range(CONNECTIONS)]
    calls = []
    for channel in channels:
        calls += [channel.stream_unary(OPEN)() for _ in range(SILENT // CONNECTIONS)]
        await channel.channel_ready()

    async def on_their_way() -> int:
        return sum(not call.done() for call in calls)

    await until(on_their_way, lambda left: left <= PLACES)
    yield calls
    for channel in channels:
        await channel.close()


async def openings_ms(case: Case) -> float:
    """The median time of some openings."""
    took = []
    for _ in range(MEASURED):
        began = time.perf_counter()
        await open_once(case)
        took.append(time.perf_counter() - began)
    return median(took) * 1000


def used_mb(world: World) -> float:
    """What the disclosure service holds in memory."""
    return float(psutil.Process(world.stack.process("disclosure").process.pid).memory_info().rss / 2**20)


async def turned_away(doors: Doors, chosen: list[tuple[str, Message, Persona]]) -> tuple[Counter[str], float]:
    """Lets them knock, so many at once; returns what they were told, and how long it took."""
    found, waiting, began = Counter[str](), iter(chosen), time.perf_counter()

    async def some() -> None:
        for method, request, persona in waiting:
            answer = await doors.knock(method, request, persona)
            found[answer.reason or answer.code] += 1

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return found, time.perf_counter() - began
