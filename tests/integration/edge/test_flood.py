"""Floods: who solves gets in, others stay out, members and withdrawals are never asked (T11, I26)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Self

import pytest
from google.rpc import error_details_pb2

from meldbrug.disclosure.v1.disclosure_service_pb2 import WithdrawReportRequest
from tests.integration.edge.harness import DUTCH, ME, TERMS, WITHDRAW, Knocker, own_edge, stranger
from tests.support.browsing import UNARY, Reply, Wire, solved
from tests.support.personas import Persona
from tests.support.sector import World

CALM_PER_S = 20
# What the rate is taken over: so much of a flood is let in before it is known to be one.
WINDOWS_S = 4


def puzzle(reply: Reply) -> tuple[str, int] | None:
    info = error_details_pb2.ErrorInfo()
    if reply.status == 200 or not any(detail.Unpack(info) for detail in reply.error.details):
        return None
    return (
        (info.metadata["challenge"], int(info.metadata["bits"])) if info.reason == "PUZZLE_REQUIRED" else None
    )


class Flood:
    """Anonymous calls without pause, on connections of their own."""

    def __init__(self, edge: str, at_once: int = 4) -> None:
        self._edge, self._at_once = edge, at_once
        self.seen: Counter[int] = Counter()
        self.risen = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._pour()) for _ in range(self._at_once)]
        async with asyncio.timeout(10):
            await self.risen.wait()
        return self

    async def __aexit__(self, *failure: object) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {asyncio.CancelledError}

    async def _pour(self) -> None:
        async with Wire.to(self._edge) as wire:
            while True:
                reply = await wire.ask(TERMS, UNARY, DUTCH)
                self.seen[reply.status] += 1
                if puzzle(reply):
                    self.risen.set()


@pytest.fixture
def services(world: World) -> dict[str, str]:
    return world.endpoints.services


async def test_in_a_flood_who_solves_gets_in_and_who_does_not_stays_out(services: dict[str, str]):
    async with own_edge(services, calm_per_s=CALM_PER_S) as edge, Flood(edge) as flood, Wire.to(edge) as wire:
        asked = puzzle(await wire.ask(TERMS, UNARY, DUTCH))
        assert asked
        header = {"meldbrug-puzzle": solved(*asked, DUTCH)}
        through = await wire.ask(TERMS, {**UNARY, **header}, DUTCH)
        again = await wire.ask(TERMS, {**UNARY, **header}, DUTCH)
        async with asyncio.timeout(10):
            while flood.seen[429] < 300:
                await asyncio.sleep(0.01)

    assert through.status == 200
    assert puzzle(again)
    assert set(flood.seen) == {200, 429}
    assert flood.seen[200] <= CALM_PER_S * WINDOWS_S


async def test_the_puzzle_hardens_with_the_flood(services: dict[str, str]):
    async with own_edge(services, calm_per_s=2) as edge, Flood(edge, at_once=8), Wire.to(edge) as wire:
        async with asyncio.timeout(10):
            bits = {0}
            while max(bits) < 17:
                asked = puzzle(await wire.ask(TERMS, UNARY, DUTCH))
                assert asked
                bits.add(asked[1])


async def test_members_and_withdrawals_are_not_asked(
    world: World, knocker: Knocker, services: dict[str, str]
):
    """T11: whoever takes back is never made to work for it."""
    member, reporter = Persona("member", world.sector.keys("noorderlicht-contact")), stranger()
    withdrawal = WithdrawReportRequest().SerializeToString()
    async with own_edge(services, calm_per_s=CALM_PER_S) as edge, Flood(edge), Wire.to(edge) as wire:
        of_member = [await wire.ask(ME, knocker.headers(ME, b"", member), b"") for _ in range(5)]
        withdrawn = [
            await wire.ask(WITHDRAW, knocker.headers(WITHDRAW, withdrawal, reporter), withdrawal)
            for _ in range(5)
        ]

    assert {reply.status for reply in of_member} == {200}
    assert {reply.status for reply in withdrawn} == {400}
    assert not any(puzzle(reply) for reply in withdrawn)


async def test_a_stranger_with_a_token_is_asked_before_its_body_is_read(
    knocker: Knocker, services: dict[str, str]
):
    """I26: who has not solved costs no memory for what it sends."""
    method, reporter = "/meldbrug.disclosure.v1.ReporterService/GetReport", stranger()
    headers = knocker.headers(method, b"", reporter) | {"content-length": "1000000"}
    async with own_edge(services, calm_per_s=CALM_PER_S) as edge, Flood(edge), Wire.to(edge) as wire:
        wire.say("POST", method, headers)
        reply = await wire.hear()

    assert puzzle(reply)


async def test_in_the_calm_twenty_colleagues_are_asked_nothing(services: dict[str, str]):
    """All behind one address, each with a connection of their own."""

    async def visit(edge: str) -> list[int]:
        async with Wire.to(edge) as wire:
            return [(await wire.ask(TERMS, UNARY, DUTCH)).status for _ in range(4)]

    async with own_edge(services, calm_per_s=50) as edge:
        visits = await asyncio.gather(*(visit(edge) for _ in range(20)))

    assert {status for visit_ in visits for status in visit_} == {200}
