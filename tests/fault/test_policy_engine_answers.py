"""OpenFGA whose answers break off, come late, or are no answers: nothing leaves, and taking back goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meldbrug.client import Unavailable
from tests.support.actors import Actors
from tests.support.faults import Recorder, converged, effects, is_refused, restart, succeeds
from tests.support.openings import open_once, opened
from tests.support.proxy import FAULTS, Proxy, proxied
from tests.support.sector import World

TOO_LATE_S, IN_TIME_S = 0.25, 0.05
"""A check may take 0.2 s; an answer comes in a few pieces."""


@asynccontextmanager
async def behind_proxy(world: World) -> AsyncIterator[Proxy]:
    """Disclosure asks the engine through a proxy; as it was afterwards."""
    async with proxied(world.endpoints.openfga_grpc_address) as proxy:
        await restart(world.stack, "disclosure", MELDBRUG_OPENFGA__ADDRESS=f"127.0.0.1:{proxy.port}")
        try:
            yield proxy
        finally:
            await restart(world.stack, "disclosure")


async def test_spoiled_answers_open_nothing_and_hold_up_no_withdrawal(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """I2, I5, I6: reset, garbage, cut off or too late, each is UNAVAILABLE until it is mended."""
    case, others = await opened(actors), [await opened(actors) for _ in FAULTS]
    async with behind_proxy(world) as proxy:
        for fault, other in zip(FAULTS, others, strict=True):
            assert await succeeds(lambda: open_once(case)), fault
            before, spoiled = effects(world, case.incident), proxy.spoiled
            recorder.patience_s = 1.0
            with proxy.spoiling(fault, TOO_LATE_S):
                for _ in range(3):
                    with pytest.raises(Unavailable) as refused:
                        await open_once(case)
                    assert refused.value.reason == "POLICY_UNAVAILABLE", fault
                    assert refused.value.retry_after_s
                assert proxy.spoiled > spoiled, fault
                recorder.patience_s = 20.0
                await other.consents.withdraw(other.notice)
                assert await is_refused(open_once(other))
            assert effects(world, case.incident) == before, fault
        with proxy.spoiling("slow", IN_TIME_S):
            assert await succeeds(lambda: open_once(case))
        assert await succeeds(lambda: open_once(case))
        for other in others:
            await converged(world, other.incident)
