"""PostgreSQL's disk full: first its tables cannot grow, then its log; and room again (I10, I11, I12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meldbrug.client import Draft, Unavailable
from meldbrug.common.v1.common_pb2 import LANGUAGE_NL
from tests.support.actors import Actors
from tests.support.disk import Disk, force_the_log, own_disk, revive
from tests.support.faults import Recorder, converged, effects, is_refused, succeeds
from tests.support.openings import open_once, opened
from tests.support.reports import REASONS, Reports, draft_of
from tests.support.sector import World

MOST = 100
"""So many reports fill what tables have left, many times over."""


@asynccontextmanager
async def disk_of(world: World) -> AsyncIterator[Disk]:
    """The server's disk."""
    backends = world.stack.backends
    moved = own_disk(backends.postgres, backends.folder.data)
    disk = await asyncio.to_thread(moved.__enter__)
    try:
        yield disk
    finally:
        await asyncio.to_thread(moved.__exit__, None, None, None)


async def until_refused(reports: Reports, draft: Draft) -> None:
    """Reports until nothing more goes in."""
    for _ in range(MOST):
        if not await reports.one(draft):
            return
    raise AssertionError("the disk was not full")


async def test_a_full_disk_loses_nothing_and_does_nothing_by_half(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """I2, I3, I10, I11, I12: UNAVAILABLE until there is room; then the same bytes have one effect."""
    case, kept = await opened(actors), await opened(actors)
    given, draft = await actors.report(), await draft_of(actors)
    await given.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    preview = await given.consents.preview(given.notice, LANGUAGE_NL)
    reports = Reports(actors, recorder)
    async with disk_of(world) as disk:
        await succeeds(lambda: open_once(case))
        assert await reports.one(draft)
        recorder.patience_s = 1.0
        await asyncio.to_thread(disk.fill)
        await until_refused(reports, draft)
        if disk.reads_go_on:
            assert (await case.reporter.find()).name == case.incident
        await asyncio.to_thread(force_the_log, world.stack.backends.postgres.url("postgres", "postgres"))
        assert not await reports.one(draft)
        for act in (
            lambda: open_once(case),
            lambda: given.consents.give(preview),
            lambda: case.consents.withdraw(case.notice),
            case.reporter.find,
            actors.admin("noorderlicht").me,
        ):
            with pytest.raises(Unavailable) as refused:
                await act()
            # OpenFGA keeps its tuples in the same server, which is down by now.
            assert refused.value.reason in {*REASONS, "POLICY_UNAVAILABLE"}
            assert refused.value.retry_after_s
        await asyncio.to_thread(disk.clear)
        await asyncio.to_thread(revive, world.stack.backends.postgres)
        recorder.patience_s = 30.0
        await succeeds(lambda: open_once(kept))
        print(f"{sum(is_in for _, is_in in reports.sent)} of {len(reports.sent)} reports were let in")
        await reports.again(world)
        await recorder.again(recorder.last("WithdrawConsent"))
        assert await is_refused(open_once(case))
        await recorder.again(recorder.last("GiveConsent"))
        assert effects(world, given.incident)["consents"] == 1
    await succeeds(lambda: open_once(kept))
    for each in (case, given):
        await converged(world, each.incident)
