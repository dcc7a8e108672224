"""Every operation that changes something, struck at each of its failpoints by each kind of fault.

Whatever happened, what was acknowledged is there, what was not is there whole or not at all, what was shut
stays shut, the same bytes once more have one effect, and OpenFGA holds what the database wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import product
from random import Random
from typing import Any

import pytest

from meldbrug.client import Refused
from meldbrug.client.errors import MeldbrugError
from services.kernel.failpoints import OPERATIONS, POINTS
from services.stack.stack import Stack
from tests.support.actors import Actors
from tests.support.campaign import FRESH_FROM, Campaign
from tests.support.effects import Effects, Ledger, expected
from tests.support.faults import (
    Recorder,
    armed,
    busy_backends,
    converged,
    killed,
    service_of,
    succeeds,
    until,
)
from tests.support.operations import SCENES
from tests.support.scenes import Scene
from tests.support.sector import World

FAULTS = ("kill", "error", "timeout", "duplicate", "cancel")
PAIRS = tuple(product(POINTS, FAULTS))
SHORT = 60
# Where a kill would hurt most, in every run.
VITAL = (
    "disclosure.ReporterService.SubmitReport.after_commit",
    "disclosure.ReporterService.WithdrawConsent.after_commit",
    "disclosure.ReporterService.WithdrawReport.after_commit",
    "disclosure.ReporterService.Exclude.after_commit",
    "disclosure.ReaderService.OpenSections.after_check",
    "disclosure.ReaderService.OpenSections.after_commit",
    "disclosure.InternalService.EndSeats.after_commit",
    "directory.AdminService.EndAppointment.after_commit",
    "directory.AdminService.EndorseMember.after_affiliation",
    "directory.MemberService.CompleteRotation.after_end_seats",
)
# So many cases share a production: what may be appointed on one is bounded.
CASES_A_PRODUCTION = 6
HASTE_S = 1.2
BESIDE_S = 0.1
CLOSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "NOT_FOUND"}
# Of these disclosure's part comes first: it only ever closes, and the same call once more, or the job, goes
# on from there. Directory's part never stands without it.
IN_TWO_PARTS = {"EndorseMember", "EndorseAdmin", "CompleteRotation"}


class Strike:
    """One act with one fault at one point; `acknowledged` says whether its caller got a yes."""

    def __init__(self, stack: Stack, recorder: Recorder, ledger: Ledger, point: str, scene: Scene) -> None:
        self._stack, self._recorder, self._ledger = stack, recorder, ledger
        self._point, self._scene = point, scene
        self.acknowledged = False

    async def by(self, fault: str) -> None:
        """Lets the act come to the point and the fault strike there."""
        await getattr(self, f"_{fault}")()

    async def _calling(self, act: Coroutine[Any, Any, object] | Awaitable[object]) -> None:
        with suppress(MeldbrugError):
            await act
            self.acknowledged = True

    @asynccontextmanager
    async def _at_the_point(self, action: str = "") -> AsyncIterator[asyncio.Task[None]]:
        """Yields the act under way once it has come to the point, which lets go of it at the end."""
        async with armed(self._stack, self._point, action) as is_met:
            calling = asyncio.create_task(self._calling(self._scene.act()))
            await until(is_met)
            yield calling

    async def _kill(self) -> None:
        service = service_of(self._point)
        async with self._at_the_point() as calling:
            await killed(self._stack, service)
            await given_up(calling)
        self._ledger.bury(service)
        await asyncio.to_thread(self._stack.start, service)

    async def _error(self) -> None:
        async with self._at_the_point("error") as calling:
            pass
        await calling

    async def _timeout(self) -> None:
        self._recorder.hasty[self._scene.method] = HASTE_S
        try:
            async with self._at_the_point() as calling:
                await calling
        finally:
            self._recorder.hasty.clear()

    async def _duplicate(self) -> None:
        async with self._at_the_point() as calling:
            again = self._recorder.again(self._recorder.last(self._scene.method))
            beside = asyncio.create_task(self._calling(again))
            await asyncio.sleep(BESIDE_S)
        await asyncio.gather(calling, beside)

    async def _cancel(self) -> None:
        async with self._at_the_point() as calling:
            await given_up(calling)


async def given_up(calling: asyncio.Task[None]) -> None:
    """The caller goes away."""
    calling.cancel()
    with suppress(asyncio.CancelledError):
        await calling


class Checker:
    """Compares what is there with what the client was told."""

    def __init__(self, world: World, recorder: Recorder, scene: Scene, whole: Effects) -> None:
        self._world, self._recorder, self._scene, self._whole = world, recorder, scene, whole

    async def before_the_call_is_repeated(self, ledger: Ledger, *, acknowledged: bool) -> None:
        """I2, I10, I11: shut at once what was acknowledged to be; there whole, or not at all."""
        if acknowledged:
            for door in self._scene.shut:
                assert await is_closed(door()), "acknowledged as shut, and open"
            await ledger.comes_to(self._whole)
        else:
            await ledger.comes_to(self._whole, {}, *self._first_part())

    def _first_part(self) -> list[Effects]:
        if self._scene.method not in IN_TWO_PARTS:
            return []
        return [{name: rows for name, rows in self._whole.items() if not name.startswith("directory.")}]

    async def afterwards(self, ledger: Ledger) -> None:
        """I2, I3, I6, I8, I12, I20: the call once more has the one effect, everywhere, and stays so."""
        await succeeds(self._once_more)
        for door in (*self._scene.shut, *self._scene.closed):
            assert await is_closed(door()), "open after it was shut"
        await ledger.comes_to(self._whole)
        for incident in self._scene.incidents:
            await converged(self._world, incident)
        await until(self._at_rest, lambda busy: not busy)
        assert ledger.released_once(self._recorder.released), "a release that is not there once"
        for door in self._scene.ajar:
            await succeeds(door)

    async def _once_more(self) -> None:
        """The same bytes again; a key that its own call has ended is nobody's, and its successor goes on."""
        try:
            await self._recorder.again(self._recorder.last(self._scene.method))
        except Refused as refusal:
            if (self._scene.method, refusal.code) != ("CompleteRotation", "UNAUTHENTICATED"):
                raise

    async def _at_rest(self) -> list[tuple[object, ...]]:
        return busy_backends(self._world)


async def is_closed(act: Awaitable[object]) -> bool:
    """Whether a door is closed; anything but a refusal is a failure of the test."""
    try:
        await act
    except Refused as refusal:
        if refusal.code not in CLOSED:
            raise
        return True
    return False


def test_every_operation_has_a_scene() -> None:
    assert SCENES.keys() == OPERATIONS.keys()
    assert {make.__name__ for make in SCENES.values()} == expected().keys()


def pair(number: int) -> tuple[str, str]:
    """Point and fault of a case: a deep run plays one after another, each of them as often.

    A short run has as many numbers as `SHORT`, one after another: each vital kill once, then any.
    """
    if number < FRESH_FROM:
        return PAIRS[number % len(PAIRS)]
    place = number % SHORT
    return (VITAL[place], "kill") if place < len(VITAL) else Random(number).choice(PAIRS)


async def play(actors: Actors, recorder: Recorder, ledger: Ledger, point: str, fault: str) -> None:
    """Plays one case."""
    world = actors.world
    print(f"{point} × {fault}", flush=True)
    make = SCENES[point.rpartition(".")[0]]
    scene = await make(actors)
    await ledger.quiet()
    recorder.at_first[scene.method] = ledger.mark
    strike = Strike(world.stack, recorder, ledger, point, scene)
    await strike.by(fault)
    checker = Checker(world, recorder, scene, expected()[make.__name__])
    await checker.before_the_call_is_repeated(ledger, acknowledged=strike.acknowledged)
    await checker.afterwards(ledger)


@pytest.mark.timeout(900)
@pytest.mark.campaign("failpoints", unit="strikes", floor=60, target=3600, short_s=480)
async def test_no_fault_at_any_point_breaks_a_promise(
    world: World, recorder: Recorder, ledger: Ledger, campaign: Campaign
) -> None:
    """One operation at one of its failpoints: killed, failing, too late, called twice or cancelled.

    Keeps I2, I3, I6, I8, I10, I11, I12, I13, I20 and I27.
    """
    actors = Actors(world)
    for number in campaign:
        if campaign.counts["strikes"] % CASES_A_PRODUCTION == 0:
            actors = await Actors.on_their_own(world)
        await play(actors, recorder, ledger, *pair(number))
        campaign.count(strikes=1)
