"""Snapshots come in any order, twice, late or never: the state is the same. What is hidden moves nothing."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from meldbrug.common.v1 import common_pb2 as common
from services.coordination.domain.clocks import Periods
from services.coordination.domain.facts import IncidentSnapshot
from services.coordination.peers import snapshot_of
from services.coordination.store import inbox
from services.coordination.store.following import apply
from services.coordination.usecases.following import Following
from services.kernel.db import Database, app_now
from services.kernel.errors import Unavailable
from tests.integration.coordination.harness import Case, Client, Snapshot, World, refusal

TABLES = ("incidents", "handlers", "notices", "deliveries", "inboxes", "clocks")
# Columns that hold when something was heard, not what.
HEARD = {
    "incidents": (8,),
    "notices": (12, 14, 15),
    "deliveries": (5, 6, 7),
    "inboxes": (1,),
    "clocks": (3, 4),
}


class Told:
    """Disclosure's answers, in the hands of a test."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.answers = {told.incident: snapshot_of(told) for told in snapshots}
        self.broken: set[str] = set()

    async def snapshot(self, incident: str, _budget_s: float) -> IncidentSnapshot | None:
        if incident in self.broken:
            raise Unavailable("PEER_UNAVAILABLE")
        return self.answers.get(incident)

    async def versions(self, after: str, limit: int) -> list[tuple[str, int]]:
        return sorted((name, told.version) for name, told in self.answers.items() if name > after)[:limit]


class Names:
    """The directory's answers, in the hands of a test."""

    def __init__(self, titles: dict[str, str] | None = None) -> None:
        self.known, self.away = titles or {}, False

    async def titles(self, participations: Any, _budget_s: float) -> dict[str, str]:
        if self.away:
            raise Unavailable("PEER_UNAVAILABLE")
        return {
            name: title for name, title in self.known.items() if name in participations or "produ" in name
        }

    async def independent_title(self, _budget_s: float) -> str:
        if self.away:
            raise Unavailable("PEER_UNAVAILABLE")
        return self.known.get("independent", "")


def following(database: Database, told: Told, names: Names, age: timedelta = timedelta()) -> Following:
    return Following(
        database, told, names, Periods(), inform_budget_s=1, look_again_budget_s=0.1, titles_age=age
    )


@pytest.fixture
async def store(database: str) -> Any:
    made = Database(database, "coordination", app_name="test", clock_offset_enabled=True)
    yield made
    await made.close()


async def contents(store: Database, *, without_times: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    from sqlalchemy import text

    found = {}
    async with store.transaction() as conn:
        for table in TABLES:
            rows = await conn.execute(text(f"SELECT * FROM coordination.{table}"))
            hidden = HEARD.get(table, ()) if without_times else ()
            shown = [tuple(v for place, v in enumerate(row) if place not in hidden) for row in rows]
            found[table] = sorted(shown, key=lambda row: str(row[:3]))
    return found


async def life(world: World, reader: Client, colleague: Client) -> list[Snapshot]:
    """The snapshots of an incident's life: two notices, one opened and withdrawn, one excluded reader."""
    case = await world.case(tell=False)
    case.hold()
    notice = await case.offer(reader, colleague, tell=False)
    told = [case.snapshot]

    def keep() -> None:
        case.hold()
        told.append(Snapshot.FromString(case.snapshot.SerializeToString()))

    told[0] = Snapshot.FromString(case.snapshot.SerializeToString())
    notice.state = common.NOTICE_STATE_TERMS_ACCEPTED
    keep()
    notice.readers[1].live = False
    keep()
    await case.offer(reader, tell=False)
    keep()
    notice.state = common.NOTICE_STATE_RECALL_REQUESTED
    notice.readers[0].live = False
    keep()
    return told


async def test_snapshots_in_any_order_and_any_number_give_the_state_of_the_last(
    world: World, store: Database
) -> None:
    lives = await life(world, await world.reader(), await world.reader())
    told, names = Told(), Names()
    follower = following(store, told, names)
    ends = []
    for order in itertools.islice(itertools.permutations(lives), 0, None, 23):
        from sqlalchemy import text

        async with store.transaction() as conn:
            await conn.execute(
                text("TRUNCATE coordination.incidents, coordination.inboxes, coordination.clocks CASCADE")
            )
        for snapshot in (*order, *order):
            told.answers = {snapshot.incident: snapshot_of(snapshot)}
            await follower.inform(snapshot.incident)
        ends.append(await contents(store, without_times=True))

    assert len(ends) >= 5
    assert ends[0]["incidents"][0][1] == lives[-1].version
    assert all(end == ends[0] for end in ends)


async def test_being_informed_again_changes_not_a_byte(world: World, store: Database) -> None:
    lives = await life(world, await world.reader(), await world.reader())
    told = Told(lives[2])
    follower = following(store, told, Names())
    await follower.inform(lives[2].incident)
    before = await contents(store)

    for older in (lives[2], lives[1], lives[0]):
        told.answers = {older.incident: snapshot_of(older)}
        await follower.inform(older.incident)

    assert await contents(store) == before


async def test_a_change_that_nobody_may_see_moves_nothing_but_the_version(
    world: World, store: Database
) -> None:
    (first, *_) = await life(world, await world.reader(), await world.reader())
    told = Told(first)
    follower = following(store, told, Names())
    await follower.inform(first.incident)
    before = await contents(store)

    first.version += 7
    told.answers = {first.incident: snapshot_of(first)}
    await follower.inform(first.incident)

    after = await contents(store)
    assert after["incidents"][0][1] == before["incidents"][0][1] + 7
    after["incidents"] = before["incidents"]
    assert after == before


async def test_a_readers_changes_appear_in_their_order_whoever_commits_last(
    world: World, store: Database
) -> None:
    """I23."""
    reader, cases = await world.reader(), [await world.case(tell=False) for _ in range(2)]
    for case in cases:
        await case.offer(reader, tell=False)
        case.hold()
    first, second = (snapshot_of(case.snapshot) for case in cases)

    async with store.transaction() as conn:
        await apply(conn, first, await app_now(conn), Periods(), informed=True)
        other = asyncio.create_task(following(store, Told(cases[1].snapshot), Names()).inform(second.name))
        done, _ = await asyncio.wait([other], timeout=0.3)
        async with store.transaction() as looking:
            assert await inbox.next_change(looking, reader.subject, 0) is None
        assert not done
    await other

    async with store.transaction() as conn:
        seen = [await inbox.next_change(conn, reader.subject, after) for after in (0, 1, 2)]
    assert [(entry.seq, entry.view.name) for entry in seen if entry] == [
        (1, first.notices[0].name),
        (2, second.notices[0].name),
    ]


async def test_the_sweep_restores_what_lost_jobs_would_have_brought(world: World, store: Database) -> None:
    cases = [await world.case(tell=False) for _ in range(3)]
    for case in cases:
        case.hold()
    follower = following(store, Told(*(case.snapshot for case in cases)), Names())

    await follower.resync()

    rows = (await contents(store))["incidents"]
    assert [row[0] for row in rows] == sorted(case.name for case in cases)


async def test_one_incident_that_cannot_be_followed_keeps_no_other_back(
    world: World, store: Database
) -> None:
    cases = sorted([await world.case(tell=False) for _ in range(3)], key=lambda case: case.name)
    for case in cases:
        case.hold()
    told = Told(*(case.snapshot for case in cases))
    told.broken.add(cases[0].name)
    follower = following(store, told, Names())

    with pytest.raises(Unavailable):
        await follower.resync()

    assert [row[0] for row in (await contents(store))["incidents"]] == [case.name for case in cases[1:]]


async def test_a_stub_does_not_wait_for_the_directory_and_gets_its_titles_from_the_sweep(
    world: World, store: Database
) -> None:
    (first, *_) = await life(world, await world.reader(), await world.reader())
    names = Names({world.sender: "Dijkzicht", world.production: "De Brug", "independent": "Meldpunt"})
    names.away = True
    follower = following(store, Told(first), names)
    await follower.inform(first.incident)
    untitled = (await contents(store))["deliveries"]

    with pytest.raises(Unavailable):
        await follower.refresh_titles()
    names.away = False
    await follower.refresh_titles()

    titled = (await contents(store))["deliveries"]
    assert [row[:6] for row in titled] == [row[:6] for row in untitled]
    # Content and order moved: the readers see something new.
    assert all(new[6] > old[6] and new[8] != old[8] for new, old in zip(titled, untitled, strict=True))


async def test_a_changed_title_reaches_every_stub_that_bears_it_once(world: World, store: Database) -> None:
    (first, *_) = await life(world, await world.reader(), await world.reader())
    names = Names({world.sender: "Dijkzicht", world.production: "De Brug", "independent": "Meldpunt"})
    follower = following(store, Told(first), names)
    await follower.inform(first.incident)
    before = (await contents(store))["deliveries"]
    names.known[world.sender] = "Dijkzicht Film"

    await follower.refresh_titles()
    once = await contents(store)
    await follower.refresh_titles()

    assert [row[6] - old[6] for row, old in zip(once["deliveries"], before, strict=True)] == [1, 1]
    assert await contents(store) == once


async def test_only_disclosure_informs(world: World) -> None:
    case = await world.case(tell=False)
    refused = await refusal(case.handler.call("InternalService/Inform", _inform(case)))

    assert refused.reason == "PRINCIPAL_CLASS"


async def test_being_informed_while_disclosure_is_away_is_not_taken_for_done(world: World) -> None:
    case = await world.case(tell=False)
    world.peers.away.add("fetch_snapshot")

    assert (await refusal(case.tell())).reason == "PEER_UNAVAILABLE"
    world.peers.away.clear()
    await world.inform(case.name)

    assert await case.handler.incident(case.name)


async def test_an_incident_that_nobody_knows_leaves_no_row(world: World) -> None:
    case = await world.case(tell=False)

    await world.inform(case.name)

    assert await world.rows("incidents", f"name = '{case.name}'") == []


def _inform(case: Case) -> Any:
    from meldbrug.coordination.v1 import coordination_service_pb2 as calls

    return calls.InformRequest(incident=case.name)
