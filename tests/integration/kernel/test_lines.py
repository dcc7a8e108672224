"""A connection that stays open and says nothing any more is given up; one that is only slow is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.kernel import errors
from services.kernel.clock import SystemClock
from services.kernel.lines import SILENT_S
from services.kernel.peers import Peers
from services.kernel.process import Process
from services.kernel.rpc import Call
from tests.support.echo import ALPHA, INSTALLATION, World, ask_peer
from tests.support.proxy import Proxy, proxied

SHORT_S = 0.2


@pytest.fixture
async def proxy(process: Process) -> AsyncIterator[Proxy]:
    async with proxied(process.address) as between:
        yield between


@pytest.fixture
async def peers(proxy: Proxy) -> AsyncIterator[Peers]:
    made = Peers(ALPHA, INSTALLATION, SystemClock(), {"beta": f"127.0.0.1:{proxy.port}"}, lambda: "")
    yield made
    await made.close()


async def is_answered(peers: Peers, behaviour: str = "") -> bool:
    try:
        await ask_peer(peers, behaviour, budget_s=SHORT_S)
    except errors.Unavailable:
        return False
    return True


async def test_a_connection_that_fell_silent_is_given_up(peers: Peers, proxy: Proxy) -> None:
    """The server is well and the connection open, but whatever it says is passed over."""
    while not await is_answered(peers):
        assert proxy.accepted <= 1, "it was given up before it fell silent"
    with proxy.spoiling("adrift"):
        assert not await is_answered(peers)
    began = time.perf_counter()
    while not await is_answered(peers):
        assert time.perf_counter() - began < SILENT_S + 3

    assert time.perf_counter() - began > SILENT_S / 2
    assert proxy.accepted == 2


async def test_what_was_under_way_over_a_connection_given_up_still_arrives(
    peers: Peers, proxy: Proxy, world: World
) -> None:
    """The server answers one call late, and others not at all in time."""
    late = asyncio.Event()

    async def wait(_request: Any, _call: Call) -> None:
        await late.wait()

    world.behaviours.by_name["wait"] = wait
    patient = asyncio.create_task(ask_peer(peers, "wait", budget_s=20))
    while proxy.accepted < 2:
        assert not await is_answered(peers, "wait")
    late.set()

    assert (await patient).text == "hello"


async def test_slow_calls_beside_answered_ones_give_nothing_up(
    peers: Peers, proxy: Proxy, world: World
) -> None:
    async def slow(_request: Any, _call: Call) -> None:
        await asyncio.sleep(2 * SHORT_S)

    world.behaviours.by_name["slow"] = slow
    began = time.perf_counter()
    while time.perf_counter() - began < SILENT_S + 1:
        assert not await is_answered(peers, "slow")
        assert await is_answered(peers)

    assert proxy.accepted == 1
