"""Clients that go away at any moment leave nothing half done and nothing held (I20, T20)."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import grpc

from meldbrug.client.device import new_request_id
from meldbrug.client.errors import MeldbrugError
from meldbrug.common.v1.common_pb2 import PURPOSE_INFORM
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from tests.support.actors import Actors, Case
from tests.support.faults import busy_backends, converged, effects, is_refused, succeeds, until
from tests.support.sector import World

OPEN = "/meldbrug.disclosure.v1.ReaderService/OpenSections"
CANCELLED = 500
LONGEST_S = 0.02


async def open_once(case: Case) -> service.OpenSectionsResponse:
    """The bare opening of a notice."""
    request = service.OpenSectionsRequest(
        notice=case.notice, purpose=PURPOSE_INFORM, request_id=new_request_id()
    )
    return await case.reader.call(OPEN, request, service.OpenSectionsResponse)


async def test_no_cancellation_leaves_a_connection_busy(world: World, actors: Actors) -> None:
    """I20: openings, consents and withdrawals cut off anywhere; then all is idle, whole, and works."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    await succeeds(lambda: open_once(case))
    cut = 0
    while cut < CANCELLED:
        acts = [case.give() if chance.random() < 0.1 else open_once(case) for _ in range(10)]
        calls = [asyncio.create_task(_quietly(act)) for act in acts]
        for call in calls:
            await asyncio.sleep(chance.uniform(0, LONGEST_S) / 5)
            cut += call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    rows = effects(world, case.incident)
    assert rows["seats"] == rows["consents"] + 2, "a consent was split from its seat"
    await until(lambda: _busy(world), lambda busy: not busy)
    await converged(world, case.incident)
    assert await succeeds(lambda: open_once(case))
    withdrawing = asyncio.create_task(_quietly(case.consents.withdraw(case.notice)))
    await asyncio.sleep(LONGEST_S)
    withdrawing.cancel()
    await case.consents.withdraw(case.notice)
    assert await is_refused(open_once(case))
    await until(lambda: _busy(world), lambda busy: not busy)


async def _quietly(act: object) -> None:
    with suppress(MeldbrugError, grpc.aio.AioRpcError):
        await act  # type: ignore[misc]


async def _busy(world: World) -> list[tuple[object, ...]]:
    return busy_backends(world)
