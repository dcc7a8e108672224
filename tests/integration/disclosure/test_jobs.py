"""Jobs and sweeps: in any order, any number of times, late or lost, the same state (I3, I13, I14, I22)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.disclosure.domain import Answer, CloseReason, ConsentState, NoticeState
from services.disclosure.store import openings
from services.disclosure.store import tables as t
from services.kernel.db import Database
from services.kernel.errors import NotPermitted, Unavailable
from services.kernel.openfga.adapter import OpenFGA, Probe
from services.stack import Backends
from tests.integration.disclosure.scene import HALF_A_YEAR, NOW, Notice, Person, Scene
from tests.support.stack import fresh_database_beside


@pytest.fixture(scope="module")
async def pool(backends: Backends, migrated_template: str) -> AsyncIterator[Database]:
    """A database of this module's own: sweeps go through all incidents, and here they are few."""
    async with fresh_database_beside(backends, migrated_template) as url:
        opened = Database(
            url,
            "disclosure",
            app_name="test",
            pool_size=12,
            clock_offset_enabled=True,
            prelude=openings.PRELUDE,
        )
        yield opened
        await opened.close()


@pytest.fixture
def reader(scene: Scene) -> Person:
    return scene.person()


@pytest.fixture
async def notice(scene: Scene, reader: Person) -> Notice:
    return await scene.notice([reader])


async def state(scene: Scene, notice: Notice) -> dict[str, Any]:
    """All that a job may change, but for versions."""
    (row,) = await scene.all(t.notices, name=notice.name)
    (consent,) = await scene.all(t.consents, name=notice.consent)
    return {
        "notice": (row.state, row.answer),
        "consent": consent.state,
        "wraps": {tuple(wrap[:4]) for wrap in await scene.all(t.wraps, incident=scene.incident)},
        "pairs": await scene.count(t.consent_sections, consent=notice.consent),
        "seats": {
            (seat.kid, seat.close_reason) for seat in await scene.all(t.seats, incident=scene.incident)
        },
        "tuples": await scene.tuples(notice.name),
    }


async def test_an_expired_consent_is_closed_and_stays_closed(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """I4: also when the clock is set back."""
    await scene.read(reader, notice.name)
    await scene.move_clock(HALF_A_YEAR.total_seconds() + 60)

    await scene.followups.expire()
    await scene.move_clock(0)

    seen = await state(scene, notice)
    assert seen["notice"] == (NoticeState.EXPIRED, Answer.EXPIRED)
    assert (seen["consent"], seen["pairs"]) == (ConsentState.EXPIRED, 0)
    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name)
    assert [each.live for each in (await scene.snapshot()).notices[0].readers] == [False]


async def test_nothing_expires_early(scene: Scene, notice: Notice) -> None:
    """I22."""
    await scene.move_clock_to(NOW + HALF_A_YEAR - timedelta(minutes=1))
    before = await state(scene, notice)

    await scene.followups.expire()
    await scene.followups.lapse()

    assert await state(scene, notice) == before


@pytest.mark.parametrize("answer", [Answer.NONE, Answer.REFUSED])
async def test_a_request_without_a_yes_lapses_refused_or_not(scene: Scene, answer: Answer) -> None:
    """To everyone but the reporter both look the same, before and after."""
    notice = await scene.notice([scene.person()], state=NoticeState.CONSENT_PENDING)
    await scene.set(t.notices, notice.name, answer=answer, consent=None)
    pending = (await scene.snapshot()).notices[0].state

    await scene.followups.lapse()
    assert (await scene.snapshot()).notices[0].state == pending == NoticeState.CONSENT_PENDING
    await scene.move_clock(timedelta(days=14).total_seconds() + 60)
    await scene.followups.lapse()

    assert (await scene.snapshot()).notices[0].state == NoticeState.NOT_CONSENTED
    (row,) = await scene.all(t.notices, name=notice.name)
    assert row.answer == (Answer.LAPSED if answer is Answer.NONE else Answer.REFUSED)
    assert ("inform", {"incident": scene.incident}) in await scene.jobs()


async def test_a_notice_that_was_given_does_not_lapse(scene: Scene, notice: Notice) -> None:
    await scene.move_clock(timedelta(days=15).total_seconds())

    await scene.followups.lapse()

    assert (await scene.all(t.notices, name=notice.name))[0].state == NoticeState.TERMS_ACCEPTED


@pytest.mark.parametrize("order", list(itertools.permutations(("sync", "ended", "resweep"))))
async def test_jobs_in_any_order_and_twice_lead_to_the_same(
    scene: Scene, reader: Person, notice: Notice, order: tuple[str, ...]
) -> None:
    """I13."""
    await scene.end_row(reader.kid)
    work = {
        "sync": lambda: scene.followups.policy_sync(scene.incident),
        "ended": lambda: scene.followups.ended_followup(reader.kid),
        "resweep": scene.followups.resweep,
    }

    for name in (*order, *order):
        await work[name]()

    seen = await state(scene, notice)
    assert seen["notice"] == (NoticeState.WITHDRAWN, Answer.CLOSED)
    assert (reader.kid, CloseReason.ENDED) in seen["seats"]
    assert {relation for _, relation, _ in seen["tuples"]} == {"handler", "origin"}


@pytest.mark.parametrize("target", ["kid", "appointment", "subject", "organisation"])
async def test_losing_every_job_loses_no_effect(
    scene: Scene, reader: Person, notice: Notice, target: str
) -> None:
    """I14: the resweep finds what ended or was excluded, and closes it."""
    name = getattr(reader, target)
    await (scene.end_row(name) if target in {"kid", "appointment"} else scene.exclude_row(name))
    told = len(await scene.own_jobs())

    await scene.followups.resweep()

    assert len(await scene.own_jobs()) == told + 1, "coordination never hears of it"
    seen = await state(scene, notice)
    assert seen["notice"] == (NoticeState.WITHDRAWN, Answer.CLOSED)
    assert all(wrap[2] != reader.kid for wrap in seen["wraps"])
    assert {relation for _, relation, _ in seen["tuples"]} <= {"handler", "origin", "conflicted"}


async def test_everything_converges_when_only_the_job_runs(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """The inline sync is skipped: as after a crash between commit and answer."""
    await scene.close(notice.name, CloseReason.WITHDRAWN)
    assert any(relation == "live" for _, relation, _ in await scene.tuples(notice.name))

    await scene.followups.policy_sync(scene.incident)

    assert {relation for _, relation, _ in await scene.tuples(notice.name)} == {"handler", "origin"}


async def test_coordination_is_told_only_what_the_engine_holds(scene: Scene, notice: Notice) -> None:
    nobody = OpenFGA("127.0.0.1:1", "s", "m", probe=Probe("organisation:probe", "member"))
    cut_off = scene.asking(nobody)

    with pytest.raises(Unavailable):
        await cut_off.followups.policy_sync(scene.incident)
    assert ("inform", {"incident": scene.incident}) not in await scene.jobs()
    await scene.followups.policy_sync(scene.incident)
    assert ("inform", {"incident": scene.incident}) in await scene.jobs()
    await nobody.close()


async def test_informing_names_the_incident_and_nothing_else(scene: Scene) -> None:
    await scene.followups.inform(scene.incident)

    assert scene.told.incidents == [scene.incident]


async def test_a_snapshot_tells_of_readers_only_once_they_had_the_stub(scene: Scene, reader: Person) -> None:
    notice = await scene.notice([reader], state=NoticeState.CONSENT_PENDING)
    async with scene.database.transaction() as conn:
        await conn.execute(t.seats.delete().where(t.seats.c.notice == notice.name))

    (seen,) = (await scene.snapshot()).notices

    assert (list(seen.readers), seen.state) == ([], NoticeState.CONSENT_PENDING)


async def test_a_snapshot_tells_ids_states_and_times(scene: Scene, reader: Person, notice: Notice) -> None:
    await scene.read(reader, notice.name)

    seen = await scene.snapshot()

    assert (seen.incident, seen.reporter_kid, seen.withdrawn) == (scene.incident, scene.reporter.kid, False)
    assert [(each.subject, each.participation) for each in seen.handlers] == [
        (scene.handler.subject, scene.handler.participation)
    ]
    (one,) = seen.notices
    assert (one.sender, one.recipient) == (scene.handler.participation, reader.participation)
    assert (one.state, list(one.purposes), one.terms_version) == (NoticeState.OPENED, [1, 4], "1")
    assert [(each.subject, each.live) for each in one.readers] == [(reader.subject, True)]
    assert one.readers[0].HasField("open_time")
    assert one.offer_time.ToDatetime(tzinfo=NOW.tzinfo) == NOW


async def test_versions_are_listed_by_name(scene: Scene) -> None:
    from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc

    other = Scene(scene.deps, scene.told)
    await other.report()
    seen: dict[str, int] = {}
    after = ""
    while page := list(
        (
            await scene.snapshots.versions(rpc.ListVersionsRequest(after=after, page_size=2), scene.own())
        ).versions
    ):
        seen |= {each.incident: each.version for each in page}
        after = page[-1].incident

    assert seen[scene.incident] == seen[other.incident] == 1
    assert list(seen) == sorted(seen)


@pytest.mark.parametrize(("asked", "held"), [(0, 2), (1, 1), (2, 2), (1_000_000, 3)])
async def test_a_page_of_versions_is_as_large_as_asked_within_its_bounds(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, asked: int, held: int
) -> None:
    from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
    from services.disclosure.usecases import snapshot

    assert (snapshot.DEFAULT_VERSIONS, snapshot.MAX_VERSIONS) == (500, 1000)
    monkeypatch.setattr(snapshot, "DEFAULT_VERSIONS", 2)
    monkeypatch.setattr(snapshot, "MAX_VERSIONS", 3)
    for _ in range(3):
        await Scene(scene.deps, scene.told).report()

    page = await scene.snapshots.versions(rpc.ListVersionsRequest(page_size=asked), scene.own())

    assert len(page.versions) == held


async def test_an_unknown_incident_has_no_snapshot(scene: Scene) -> None:
    from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc

    request = rpc.FetchSnapshotRequest(incident="incidents/" + "b" * 26)

    assert not (await scene.snapshots.fetch(request, scene.own())).HasField("snapshot")
