"""The policy engine follows SQL: level-triggered, never opening too much, back from any drift (I6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from services.disclosure.domain import CloseReason, Kind
from services.disclosure.policy_sync import WRITE_LIMIT, PolicySync
from services.disclosure.store import tables as t
from services.kernel.authz import PolicyTuple
from services.kernel.db import Lock
from services.kernel.errors import NotPermitted, Unavailable
from services.kernel.openfga.adapter import OpenFGA, Probe
from tests.integration.disclosure.scene import Notice, Person, Scene, new


@pytest.fixture
def reader(scene: Scene) -> Person:
    return scene.person()


@pytest.fixture
async def notice(scene: Scene, reader: Person) -> Notice:
    return await scene.notice([reader])


def policy_object(name: str) -> str:
    collection, _, own = name.rpartition("/")
    return f"{collection.rpartition('/')[2].removesuffix('s')}:{own}"


class Watched(OpenFGA):
    """The real engine, whose writes are seen, and which may stop taking them."""

    def watch(self, fails_after: int | None = None) -> Watched:
        self.writes: list[tuple[list[PolicyTuple], list[PolicyTuple]]] = []
        self.left = fails_after
        return self

    async def write(self, writes: Sequence[PolicyTuple] = (), deletes: Sequence[PolicyTuple] = ()) -> None:
        if self.left is not None:
            if self.left == 0:
                raise Unavailable("POLICY_UNAVAILABLE")
            self.left -= 1
        self.writes.append((list(writes), list(deletes)))
        await super().write(writes, deletes)


@pytest.fixture
async def watched(policy: OpenFGA, policy_engine: Any) -> Watched:
    return Watched(
        policy_engine.address, policy._store_id, policy.model_id,
        probe=Probe("organisation:probe", "member"), token=policy_engine.token, timeout_s=2.0,
    ).watch()  # fmt: skip


async def test_the_tuples_of_an_armed_notice_are_exactly_these(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    incident, target = policy_object(scene.incident), policy_object(notice.name)

    assert await scene.tuples(notice.name) == {
        (scene.handler.user, "handler", incident),
        (policy_object(scene.handler.participation), "origin", incident),
        (policy_object(reader.participation), "addressee", target),
        (reader.user, "reader", target),
        ("user:*", "live", target),
    }
    (consent,) = [each for each in await policy.read(target) if each.relation == "reader"]
    (row,) = await scene.all(t.consents, name=notice.consent)
    assert consent == PolicyTuple.conditional(
        reader.user, "reader", target, "consent",
        {
            "valid_from": row.valid_from.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "valid_until": row.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "purposes": ["PROTECT_PEOPLE", "INFORM"],
            "kinds": ["CONTEXT", "SUMMARY"],
        },
    )  # fmt: skip


async def test_a_second_sync_writes_nothing(scene: Scene, notice: Notice) -> None:
    assert await scene.deps.sync.sync(scene.incident) is False


async def test_drift_of_every_sort_is_mended(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    wanted = await scene.tuples(notice.name)
    stranger = scene.person()
    incident, target = policy_object(scene.incident), policy_object(notice.name)
    await policy.write(
        [
            PolicyTuple(stranger.user, "handler", incident),
            PolicyTuple(stranger.user, "conflicted", target),
            PolicyTuple(policy_object(stranger.participation), "addressee", target),
        ],
        [PolicyTuple("user:*", "live", target), PolicyTuple(scene.handler.user, "handler", incident)],
    )

    assert await scene.deps.sync.sync(scene.incident) is True
    assert await scene.tuples(notice.name) == wanted


async def test_a_consent_that_somebody_widened_is_narrowed_again(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    target = policy_object(notice.name)
    (held,) = [each for each in await policy.read(target) if each.relation == "reader"]
    wide = PolicyTuple(
        held.user, held.relation, held.object, held.condition, held.context.replace("SUMMARY", "ACCOUNT")
    )
    await policy.write(deletes=[held])
    await policy.write([wide])

    await scene.deps.sync.sync(scene.incident)

    assert held in await policy.read(target)
    assert wide not in await policy.read(target)


async def test_arming_writes_exclusions_first_and_live_last(
    scene: Scene, watched: Watched, policy: OpenFGA
) -> None:
    await scene.exclude_row(scene.person().subject)
    notice = await scene.notice([scene.person()])
    for name in (scene.incident, notice.name):
        held = await policy.read(policy_object(name))
        for each in held:
            await policy.write(deletes=[each])

    await PolicySync(scene.database, watched).sync(scene.incident)

    relations = [[each.relation for each in writes] for writes, deletes in watched.writes]
    assert relations[0][:2] == ["conflicted", "conflicted"]
    assert sorted(relations[0][2:]) == ["addressee", "handler", "origin"]
    assert relations[1:] == [["reader"], ["live"]]
    assert all(not deletes for _, deletes in watched.writes)
    assert await scene.deps.sync.sync(scene.incident) is False


async def test_disarming_deletes_live_before_readers(scene: Scene, watched: Watched, notice: Notice) -> None:
    await scene.close(notice.name, CloseReason.WITHDRAWN)

    await PolicySync(scene.database, watched).sync(scene.incident)

    deleted = [each.relation for _, deletes in watched.writes for each in deletes]
    assert deleted == ["live", "reader", "addressee"]


@pytest.mark.parametrize("steps", range(4))
async def test_a_sync_that_stops_half_way_never_opens_too_much(
    scene: Scene, watched: Watched, policy: OpenFGA, steps: int
) -> None:
    """From a consent for one to a consent for another: at no step does the first one read."""
    first, second = scene.colleagues(2)
    notice = await scene.notice([first, second])
    await scene.exclude_row(first.subject)
    context = {"current_time": "2026-12-01T00:00:00Z", "purpose": "INFORM", "requested": ["SUMMARY"]}
    watched.watch(fails_after=steps)

    stopped = None
    try:
        await PolicySync(scene.database, watched).sync(scene.incident)
    except Unavailable as failure:
        stopped = failure

    if steps:
        assert not await policy.check(first.user, "can_open", policy_object(notice.name), context=context)
    with pytest.raises(NotPermitted):
        await scene.read(first, notice.name)
    await scene.deps.sync.sync(scene.incident)
    assert await policy.check(second.user, "can_open", policy_object(notice.name), context=context)
    assert (stopped is None) == (steps >= 2)


async def test_many_exclusions_take_many_writes_all_before_readers(scene: Scene, watched: Watched) -> None:
    organisation, people = new("organisations"), 2 * WRITE_LIMIT
    async with scene.database.transaction() as conn:
        rows = [{"subject": new("persons"), "organisation": organisation} for _ in range(people)]
        await conn.execute(t.affiliations.insert(), rows)
    reader = scene.person()
    await scene.exclude_row(organisation)
    notice = await scene.notice([reader])
    held = [
        each for each in await scene.authz.read(policy_object(notice.name)) if each.relation != "conflicted"
    ]
    for each in held:
        await scene.authz.write(deletes=[each])
    watched.watch()

    await PolicySync(scene.database, watched).sync(scene.incident)

    marks = [
        each for each in await scene.authz.read(policy_object(notice.name)) if each.relation == "conflicted"
    ]
    assert len(marks) == people
    assert [[each.relation for each in writes] for writes, _ in watched.writes] == [
        ["addressee"],
        ["reader"],
        ["live"],
    ]


async def test_another_store_is_never_synced_into(scene: Scene, policy_engine: Any, notice: Notice) -> None:
    wrong = OpenFGA(
        policy_engine.address, "01JD0000000000000000000000", "01JD0000000000000000000000",
        probe=Probe("organisation:probe", "member"), token=policy_engine.token,
    )  # fmt: skip

    with pytest.raises(Unavailable):
        await PolicySync(scene.database, wrong).sync(scene.incident)
    await wrong.close()


async def test_syncs_of_one_incident_wait_for_each_other(
    scene: Scene, watched: Watched, notice: Notice
) -> None:
    sync = PolicySync(scene.database, watched)
    async with scene.database.transaction(Lock(f"policy/{scene.incident}")):
        waiting = asyncio.create_task(sync.sync(scene.incident))
        await asyncio.sleep(0.2)
        assert not waiting.done()

    assert await waiting is False


async def test_the_inline_sync_gives_up_in_time_and_says_nothing(scene: Scene, notice: Notice) -> None:
    loop = asyncio.get_running_loop()
    async with scene.database.transaction(Lock(f"policy/{scene.incident}")):
        start = loop.time()
        await scene.deps.sync.soon(scene.incident)
        assert 0.25 < loop.time() - start < 0.8


async def test_the_inline_sync_looks_at_the_notice_that_changed(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    """However many the incident has; the job mends all of them."""
    other = await scene.notice([reader])
    wanted = await scene.tuples(notice.name, other.name)
    for name in (notice.name, other.name):
        await policy.write(deletes=[PolicyTuple("user:*", "live", policy_object(name))])

    await scene.deps.sync.soon(scene.incident, notice.name)

    live_of_other = ("user:*", "live", policy_object(other.name))
    assert await scene.tuples(notice.name, other.name) == wanted - {live_of_other}
    await scene.deps.sync.sync(scene.incident)
    assert await scene.tuples(notice.name, other.name) == wanted


async def test_the_inline_sync_hides_its_failures(scene: Scene, notice: Notice) -> None:
    nobody = OpenFGA("127.0.0.1:1", "s", "m", probe=Probe("organisation:probe", "member"))

    await PolicySync(scene.database, nobody).soon(scene.incident)

    await nobody.close()


async def test_an_engine_that_lost_everything_is_filled_again(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    """I14: also when every job was lost."""
    wanted = await scene.tuples(notice.name)
    for name in (scene.incident, notice.name):
        for each in await policy.read(policy_object(name)):
            await policy.write(deletes=[each])

    await scene.deps.sync.resweep()

    assert await scene.tuples(notice.name) == wanted
    assert (await scene.read(reader, notice.name, Kind.SUMMARY)).sections
