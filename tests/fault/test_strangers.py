"""Strangers by the thousand, while the policy engine answers nobody: for none of them is it asked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest
from google.protobuf.message import Message

from meldbrug.client import Unavailable
from meldbrug.crypto import SecretKeys
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from tests.support.actors import Actors, Case
from tests.support.campaign import Campaign
from tests.support.faults import Recorder, effects, succeeds
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


async def turned_away(doors: Doors, chosen: list[tuple[str, Message, Persona]]) -> tuple[Counter[str], float]:
    """Lets them knock, so many at once; returns what they were told, and how long it took."""
    found, waiting, began = Counter[str](), iter(chosen), time.perf_counter()

    async def some() -> None:
        for method, request, persona in waiting:
            answer = await doors.knock(method, request, persona)
            found[answer.reason or answer.code] += 1

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return found, time.perf_counter() - began
