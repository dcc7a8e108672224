"""Clients that go away at any moment leave nothing half done and nothing held (I20, T20)."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import grpc
import pytest

from meldbrug.client.errors import MeldbrugError
from tests.support.actors import Actors, Case
from tests.support.campaign import Campaign
from tests.support.faults import busy_backends, converged, effects, is_refused, succeeds, until
from tests.support.openings import open_once
from tests.support.sector import World

PER_CASE = 125
LONGEST_S = 0.02


@pytest.mark.campaign("cancellations", unit="cancels", floor=500, target=100_000, short_s=120)
async def test_no_cancellation_leaves_a_connection_busy(
    world: World, actors: Actors, campaign: Campaign
) -> None:
    """Openings, consents and withdrawals of one notice cut off anywhere; then all is idle and works (I20)."""
    for number in campaign:
        chance = random.Random(number)
        case = await actors.report()
        await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
        await case.accepted()
        await succeeds(lambda case=case: open_once(case))
        cut = await cut_off(case, chance)
        rows = effects(world, case.incident)
        assert rows["seats"] == rows["consents"] + 2, "a consent was split from its seat"
        await until(lambda: _busy(world), lambda busy: not busy)
        await converged(world, case.incident)
        assert await succeeds(lambda case=case: open_once(case))
        withdrawing = asyncio.create_task(_quietly(case.consents.withdraw(case.notice)))
        await asyncio.sleep(chance.uniform(0, LONGEST_S))
        withdrawing.cancel()
        await case.consents.withdraw(case.notice)
        assert await is_refused(open_once(case))
        await until(lambda: _busy(world), lambda busy: not busy)
        campaign.count(cancels=cut)


async def cut_off(case: Case, chance: random.Random) -> int:
    """Cuts calls off, ten at a time; returns how many were still under way."""
    cut = 0
    while cut < PER_CASE:
        acts = [case.give() if chance.random() < 0.1 else open_once(case) for _ in range(10)]
        calls = [asyncio.create_task(_quietly(act)) for act in acts]
        for call in calls:
            await asyncio.sleep(chance.uniform(0, LONGEST_S) / 5)
            cut += call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    return cut


async def _quietly(act: object) -> None:
    with suppress(MeldbrugError, grpc.aio.AioRpcError):
        await act  # type: ignore[misc]


async def _busy(world: World) -> list[tuple[object, ...]]:
    return busy_backends(world)
