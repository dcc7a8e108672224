"""OpenFGA whose answers break off, come late, or are no answers: nothing leaves, and taking back goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meldbrug.client import Unavailable
from meldbrug.client.device import new_request_id
from meldbrug.common.v1.common_pb2 import PURPOSE_INFORM
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from tests.support.actors import Actors, Case
from tests.support.faults import Recorder, converged, effects, is_refused, restart, succeeds
from tests.support.proxy import FAULTS, Proxy, proxied
from tests.support.sector import World

OPEN = "/meldbrug.disclosure.v1.ReaderService/OpenSections"
TOO_LATE_S, IN_TIME_S = 0.25, 0.05
"""A check may take 0.2 s; an answer comes in a few pieces."""


@asynccontextmanager
async def behind_proxy(world: World) -> AsyncIterator[Proxy]:
    """Disclosure asks the engine through a proxy; as it was afterwards."""
    host, _, port = world.endpoints.openfga_grpc_address.rpartition(":")
    async with proxied(host, int(port)) as proxy:
        await restart(world.stack, "disclosure", MELDBRUG_OPENFGA__ADDRESS=f"127.0.0.1:{proxy.port}")
        try:
            yield proxy
        finally:
            await restart(world.stack, "disclosure")


async def opened(actors: Actors) -> Case:
    """A case whose notice the broadcaster's contact has opened."""
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    await succeeds(lambda: open_once(case))
    return case


async def open_once(case: Case) -> service.OpenSectionsResponse:
    """The bare opening of a notice."""
    request = service.OpenSectionsRequest(
        notice=case.notice, purpose=PURPOSE_INFORM, request_id=new_request_id()
    )
    return await case.reader.call(OPEN, request, service.OpenSectionsResponse)


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
