"""Strangers at the doors: what they ask turns nobody else away, least of all who takes back (T11, T25)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest

from meldbrug.crypto.keys import SecretKeys
from services.kernel import tokens
from services.kernel.admission import LaneName
from services.kernel.clock import SystemClock
from services.kernel.config import KernelSettings
from services.kernel.errors import Exhausted, Unavailable
from services.kernel.key_ring import CachedKeyRing, KnownKey
from services.kernel.process import Process
from services.kernel.rpc import Call, Kernel, Service, rules
from tests.support.echo import (
    ALPHA,
    PACKAGE,
    Behaviours,
    Caller,
    Echo,
    EchoRequest,
    MemberEcho,
    World,
    refused,
)

MakeSettings = Callable[..., KernelSettings]


def keys(number: int) -> SecretKeys:
    seed = number.to_bytes(32, "big")
    return SecretKeys(seed, seed)


class Directory:
    """Knows what the ring in memory knows; asked about anyone else it may hang."""

    def __init__(self, world: World) -> None:
        self.ring, self.hangs, self.takes_s, self.asked = world.ring, False, 0.0, 0

    async def fetch(self, kids: Sequence[str]) -> list[KnownKey]:
        self.asked += len(kids)
        known = [self.ring.known[kid] for kid in kids if kid in self.ring.known]
        await asyncio.sleep(self.takes_s)
        if self.hangs and len(known) < len(kids):
            await asyncio.Event().wait()
        return known


@asynccontextmanager
async def served(build: Any, settings: KernelSettings) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        Process(settings, {"alpha": build}) as process,
        grpc.aio.insecure_channel(process.address) as channel,
    ):
        yield channel


async def hang_up(calls: list[asyncio.Task[Any]]) -> None:
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.fixture
def directory(world: World) -> Directory:
    return Directory(world)


@pytest.fixture
async def crowded(
    world: World, directory: Directory, make_settings: MakeSettings
) -> AsyncIterator[grpc.aio.Channel]:
    """A process whose directory hangs on strangers, and whose places for claims are few."""

    def build(kernel: Kernel) -> Service:
        ring = CachedKeyRing(directory.fetch, SystemClock(), claims=5, bound=20)
        return replace(world.build(kernel), key_ring=ring)

    async with served(build, make_settings()) as channel:
        yield channel


async def test_strangers_who_claim_kids_leave_members_known_and_a_withdrawal_identified(
    crowded: grpc.aio.Channel, world: World, directory: Directory
) -> None:
    """T11: the places for claims are full; who is known goes on, and who withdraws is not kept waiting."""
    known, reporter = Caller(crowded, keys(1)), Caller(crowded, keys(2), embed=True)
    world.ring.enrol(known.keys)
    await known.call("MemberService/Echo")
    directory.hangs = True
    flood = [
        asyncio.create_task(refused(Caller(crowded, keys(number)).call("MemberService/Echo", deadline_s=5)))
        for number in range(100, 160)
    ]
    async with asyncio.timeout(4):
        while sum(task.done() for task in flood) < 55:
            await asyncio.sleep(0.01)
    turned_away = [task.result() for task in flood if task.done()]
    asked = directory.asked

    assert {(answer.code, answer.reason) for answer in turned_away} == {("RESOURCE_EXHAUSTED", "OVERLOADED")}
    assert all(answer.retry_s for answer in turned_away)
    assert (await known.call("MemberService/Echo")).subject == "persons/p"
    assert directory.asked == asked
    await reporter.call("ReporterService/Withdraw", deadline_s=2)
    assert world.behaviours.last is not None
    assert world.behaviours.last.actor.kid == reporter.keys.kid
    await hang_up(flood)


async def test_a_shown_key_is_looked_up_while_claims_are_turned_away(
    crowded: grpc.aio.Channel, directory: Directory, world: World
) -> None:
    """What strangers claim does not make the ring unable to tell about a reporter: a member's is refused."""
    member = Caller(crowded, keys(3), embed=True)
    world.ring.enrol(member.keys)
    directory.hangs = True
    flood = [
        asyncio.create_task(refused(Caller(crowded, keys(number)).call("MemberService/Echo", deadline_s=3)))
        for number in range(100, 105)
    ]
    async with asyncio.timeout(4):
        while directory.asked < 4:  # So many calls at once; the fifth goes with the next.
            await asyncio.sleep(0.01)

    assert (await refused(member.call("ReporterService/Withdraw"))).reason == "PRINCIPAL_CLASS"
    await hang_up(flood)


@pytest.mark.parametrize("failure", [Unavailable("PEER_UNAVAILABLE"), Exhausted(), RuntimeError("a bug")])
async def test_when_nobody_can_tell_a_reporter_takes_back_and_does_nothing_else(
    stranger: Caller, world: World, failure: Exception
) -> None:
    """ADR 30: narrowing goes on; a report would make a member's key a reporter's for good."""
    world.ring.failure = failure

    await stranger.call("ReporterService/Withdraw")
    assert world.behaviours.last is not None
    assert world.behaviours.last.actor.kid == stranger.keys.kid
    world.behaviours.last = None
    await refused(stranger.call("ReporterService/Submit"))
    assert world.behaviours.last is None


async def test_a_directory_that_hangs_holds_a_withdrawal_for_a_moment_and_a_report_until_it_is_told(
    crowded: grpc.aio.Channel, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PATIENCE_S", 1.0)
    directory.hangs = True
    reporter = Caller(crowded, keys(4), embed=True)
    began = time.perf_counter()

    await reporter.call("ReporterService/Withdraw")
    assert time.perf_counter() - began < 1.0
    answer = await refused(reporter.call("ReporterService/Submit"))
    assert (answer.code, answer.reason) == ("UNAVAILABLE", "PEER_UNAVAILABLE")
    assert answer.retry_s


async def test_a_directory_that_takes_its_time_is_waited_for_where_it_must_be_known(
    crowded: grpc.aio.Channel, directory: Directory
) -> None:
    """ADR 30: half a second is for taking back alone; a report is let in, a little later."""
    directory.takes_s = 0.7

    await Caller(crowded, keys(8), embed=True).call("ReporterService/Submit")


async def test_who_was_once_no_member_takes_back_without_anybody_being_asked(
    crowded: grpc.aio.Channel, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ADR 30: also when that was long ago, and enrolled since; every other method asks anew."""
    monkeypatch.setattr(SystemClock, "monotonic", lambda _clock: elapsed)
    elapsed = 0.0
    reporter = Caller(crowded, keys(7), embed=True)
    await reporter.call("ReporterService/Submit")
    asked, elapsed = directory.asked, 3600.0
    directory.ring.enrol(reporter.keys)

    await reporter.call("ReporterService/Withdraw")
    assert directory.asked == asked
    for method in ("Submit", "Withdraw"):
        assert (await refused(reporter.call(f"ReporterService/{method}"))).reason == "PRINCIPAL_CLASS"


async def test_a_reporter_on_record_goes_on_when_nobody_can_tell(
    world: World, make_settings: MakeSettings
) -> None:
    """ADR 30: but a key that was enrolled is refused as soon as somebody can tell."""
    recorded = keys(5)

    async def is_reporter(kid: str) -> bool:
        return kid == recorded.kid

    def build(kernel: Kernel) -> Service:
        return replace(world.build(kernel), is_reporter=is_reporter)

    world.ring.failure = Unavailable("PEER_UNAVAILABLE")
    async with served(build, make_settings()) as channel:
        reporter, other = Caller(channel, recorded, embed=True), Caller(channel, keys(6), embed=True)
        await reporter.call("ReporterService/Submit")
        assert (await refused(other.call("ReporterService/Submit"))).reason == "PEER_UNAVAILABLE"
        world.ring.failure = None
        world.ring.enrol(recorded)
        for method in ("Submit", "Withdraw"):
            answer = await refused(reporter.call(f"ReporterService/{method}"))
            assert answer.reason == "PRINCIPAL_CLASS"


async def test_more_public_calls_at_once_than_any_rate_allows_are_all_answered(
    process: Process, world: World
) -> None:
    """T11: whoever calls without a key is not turned away because others did."""

    async def slow(_request: Any, _call: Call) -> None:
        await asyncio.sleep(0.001)

    world.behaviours.by_name["slow"] = slow
    # More calls than one connection may have under way.
    separate = [("grpc.use_local_subchannel_pool", 1)]
    async with (
        grpc.aio.insecure_channel(process.address, separate) as one,
        grpc.aio.insecure_channel(process.address, separate) as two,
    ):
        callers = [Caller(one, keys(8)), Caller(two, keys(9))]
        calls = (
            callers[number % 2].call(
                "OpenService/Echo", EchoRequest(text=str(number), behaviour="slow"), token=""
            )
            for number in range(200)
        )
        answered = await asyncio.gather(*calls)

    assert {answer.text for answer in answered} == set(map(str, range(200)))


async def test_outside_calls_take_no_places_of_the_other_services(
    world: World, make_settings: MakeSettings
) -> None:
    """A look-up of keys by another service comes through when everyone else's places are taken."""
    entered, leave = asyncio.Semaphore(0), asyncio.Event()

    async def hold(_request: Any, _call: Call) -> None:
        entered.release()
        await leave.wait()

    world.behaviours.by_name["hold"] = hold
    world.ring.enrol(keys(7))
    tight = make_settings(admission={"general_in_flight": 1, "public_in_flight": 1, "public_queue": 0})
    async with served(world.build, tight) as channel:
        member, holding = Caller(channel, keys(7)), EchoRequest(behaviour="hold")
        outside = [
            asyncio.create_task(member.call("MemberService/Echo", holding)),
            asyncio.create_task(member.call("OpenService/Echo", holding, token="")),
        ]
        async with asyncio.timeout(5):
            for _ in outside:
                await entered.acquire()
        for more in (member.call("MemberService/Echo"), member.call("OpenService/Echo", token="")):
            assert (await refused(more)).reason == "OVERLOADED"
        await Caller(channel, ALPHA).call("PeerService/Echo")
        leave.set()
        await asyncio.gather(*outside)


def test_a_method_that_names_no_lane_has_one_by_its_callers() -> None:
    def lanes(name: str, servicer: object) -> set[LaneName]:
        return {rule.lane for rule in rules(f"{PACKAGE}.{name}", servicer)}

    assert lanes("OpenService", Echo(Behaviours())) == {LaneName.PUBLIC}
    assert lanes("PeerService", Echo(Behaviours())) == {LaneName.PEER}
    assert lanes("NewcomerService", Echo(Behaviours())) == {LaneName.GENERAL}
    assert lanes("MemberService", MemberEcho(Behaviours())) == {LaneName.GENERAL, LaneName.STREAM}
