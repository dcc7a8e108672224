"""Takes over what disclosure tells, and settles what follows: clocks, times of change, the order of inboxes.

Everything here runs in one transaction under the incident's lock, and gives the same state however often it
runs. What nobody can see moves nothing that anybody can see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, Row, Select, Table, Update, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain.clocks import (
    Clock,
    Periods,
    delivery_clocks,
    incident_clocks,
    notice_clocks,
)
from services.coordination.domain.facts import (
    DeliveryFacts,
    IncidentFacts,
    IncidentSnapshot,
    IncidentState,
    NoticeFacts,
    delivered,
    noted,
)
from services.coordination.domain.views import Titles, incident_view, sent_view, stub_view
from services.coordination.store import tables as t
from services.coordination.store.inbox import INDEPENDENT
from services.coordination.store.rows import (
    ClockOwner,
    clocks_of,
    delivery_facts,
    incident_facts,
    incident_named,
    notice_facts,
    write_clocks,
)
from services.kernel.statements import Prepared, upsert

CHANNEL = "coordination_inbox"
DeliveryKey = tuple[str, str]
# What is written of each; whatever else a row has is our own.
INCIDENT = upsert(t.incidents, "version", "production", "withdrawn")
HANDLER = insert(t.handlers).on_conflict_do_nothing()
NOTICE = upsert(t.notices, *(each.name for each in fields(NoticeFacts) if each.name != "name"))
PLACE = upsert(t.deliveries, *(column.name for column in t.deliveries.c if not column.primary_key))
ENTRY = update(t.deliveries).where(
    t.deliveries.c.notice == bindparam("of"), t.deliveries.c.subject == bindparam("whose")
)
_MORE = insert(t.inboxes)
COUNT = _MORE.on_conflict_do_update(
    index_elements=t.inboxes.primary_key, set_={"seq": t.inboxes.c.seq + _MORE.excluded.seq}
).returning(t.inboxes.c.seq)


@dataclass(slots=True)
class World:
    """An incident with all that hangs on it; `contents` are the digests of what was shown last.

    `denied` is what the policy did not hold yet when a stream came to send it.
    """

    incident: IncidentFacts
    notices: dict[str, NoticeFacts]
    deliveries: dict[DeliveryKey, DeliveryFacts]
    contents: dict[str | DeliveryKey, str]
    denied: set[DeliveryKey]
    titles: dict[str, str] = field(default_factory=dict)

    def titles_of(self, notice: NoticeFacts) -> Titles:
        """The titles around a stub."""
        known = self.titles.get
        return Titles(known(notice.sender, ""), known(self.incident.production, ""), known(INDEPENDENT, ""))


async def versions(conn: AsyncConnection, names: Collection[str]) -> dict[str, int]:
    """The versions applied of those of `names` that are known."""
    return {row.name: row.version for row in await conn.execute(*_versions(names=names))}


@Prepared
def _versions(names: Collection[str]) -> Select[str, int]:
    return select(t.incidents.c.name, t.incidents.c.version).where(t.incidents.c.name.in_(names))


async def apply(
    conn: AsyncConnection, told: IncidentSnapshot, now: datetime, periods: Periods, *, informed: bool
) -> None:
    """Takes over a snapshot if it is newer than what stands.

    Args:
        conn: The transaction, under the incident's lock.
        told: The snapshot.
        now: The database's clock.
        periods: How long clocks run.
        informed: Whether disclosure said that the policy holds what it tells. Then whatever a stream came to
            send too early is announced again, whether or not the snapshot is news.
    """
    if (await versions(conn, [told.name])).get(told.name, -1) >= told.version:
        if informed:
            await settle(conn, told.name, now, periods, informed=True)
        return
    await _write_incident(conn, told)
    before = await _load(conn, told.name)
    deliveries = dict(before.deliveries)
    for notice in told.notices:
        facts = noted(notice, before.notices.get(notice.name), now)
        await _write_notice(conn, told.name, facts)
        mine = {subject: entry for (name, subject), entry in before.deliveries.items() if name == notice.name}
        for subject, entry in delivered(notice, mine, now).items():
            deliveries[notice.name, subject] = entry
    await settle(conn, told.name, now, periods, deliveries, informed=informed)


async def settle(
    conn: AsyncConnection,
    incident: str,
    now: datetime,
    periods: Periods,
    deliveries: Mapping[DeliveryKey, DeliveryFacts] | None = None,
    *,
    informed: bool = False,
) -> None:
    """Makes clocks, times of change and inboxes follow the facts, and rings for readers who see a change."""
    world = await _load(conn, incident)
    wanted = world.deliveries if deliveries is None else deliveries
    world.titles = await _titles(conn, world)
    clocks = _clocks(world, wanted, periods)
    await write_clocks(conn, await clocks_of(conn, [incident, *world.notices], None), clocks)
    await _touch(conn, world, clocks, now)
    moved: dict[DeliveryKey, str] = {}
    for (name, subject), entry in wanted.items():
        notice, shared, own = world.notices[name], clocks[name, ""], clocks[name, subject]
        content = stub_view(notice, entry, world.titles_of(notice), shared, own, now).etag
        again = informed and entry.live and (name, subject) in world.denied
        if content != world.contents.get((name, subject)) or again:
            moved[name, subject] = content
        elif entry != world.deliveries[name, subject]:
            await _write_delivery(conn, name, entry, {})
    await _move(conn, wanted, moved, now)


async def _load(conn: AsyncConnection, incident: str) -> World:
    row = (await conn.execute(*incident_named(name=incident))).one()
    notices = (await conn.execute(*_notices(incident=incident))).all()
    names = [notice.name for notice in notices]
    places: Iterable[Row[Any]] = (await conn.execute(*_places(names=names))).all() if names else ()
    contents: dict[str | DeliveryKey, str] = {entry.name: entry.content for entry in (row, *notices)}
    contents |= {(place.notice, place.subject): place.content for place in places}
    return World(
        incident_facts(row),
        {notice.name: notice_facts(notice) for notice in notices},
        {(place.notice, place.subject): delivery_facts(place) for place in places},
        contents,
        {(place.notice, place.subject) for place in places if place.denied},
    )


@Prepared
def _notices(incident: str) -> Select[Any]:
    return select(t.notices).filter_by(incident=incident)


@Prepared
def _places(names: Collection[str]) -> Select[Any]:
    return select(t.deliveries).where(t.deliveries.c.notice.in_(names))


async def _titles(conn: AsyncConnection, world: World) -> dict[str, str]:
    names = {INDEPENDENT, world.incident.production, *(notice.sender for notice in world.notices.values())}
    return {row.name: row.title for row in await conn.execute(*_titled(names=names))}


@Prepared
def _titled(names: Collection[str]) -> Select[str, str]:
    return select(t.titles.c.name, t.titles.c.title).where(t.titles.c.name.in_(names))


def _clocks(
    world: World, deliveries: Mapping[DeliveryKey, DeliveryFacts], periods: Periods
) -> dict[ClockOwner, tuple[Clock, ...]]:
    clocks = {(world.incident.name, ""): incident_clocks(world.incident, periods)}
    clocks |= {(name, ""): notice_clocks(notice, periods) for name, notice in world.notices.items()}
    return clocks | {key: delivery_clocks(entry, periods) for key, entry in deliveries.items()}


async def _touch(
    conn: AsyncConnection, world: World, clocks: Mapping[ClockOwner, tuple[Clock, ...]], now: datetime
) -> None:
    """Moves the time of change of what a handler sees changed; the first sight keeps the time of creation."""
    views = {world.incident.name: incident_view(world.incident, clocks[world.incident.name, ""], now).etag}
    views |= {name: sent_view(notice, clocks[name, ""], now).etag for name, notice in world.notices.items()}
    for name, content in views.items():
        if content == world.contents[name]:
            continue
        table = t.incidents if name == world.incident.name else t.notices
        moves = bool(world.contents[name])
        await conn.execute(*_shown(which=name, as_now=content, at=now, table=table, moves=moves))


@Prepared
def _shown(which: str, as_now: str, at: datetime, *, table: Table, moves: bool) -> Update:
    values = {"content": as_now, "update_time": at} if moves else {"content": as_now}
    return update(table).where(table.c.name == which).values(values)


async def _write_incident(conn: AsyncConnection, told: IncidentSnapshot) -> None:
    incident = {
        "name": told.name,
        "version": told.version,
        "production": told.production,
        "reporter_kid": told.reporter_kid,
        "withdrawn": told.withdrawn,
        "progress": IncidentState.RECEIVED,
        "create_time": told.create_time,
        "update_time": told.create_time,
        "content": "",
    }
    await conn.execute(INCIDENT, incident)
    await conn.execute(*_gone(incident=told.name, stay=told.handlers))
    rows = [
        {"incident": told.name, "subject": name, "create_time": told.create_time} for name in told.handlers
    ]
    if rows:
        await conn.execute(HANDLER, rows)


@Prepared
def _gone(incident: str, stay: Collection[str]) -> Delete:
    return delete(t.handlers).where(t.handlers.c.incident == incident, t.handlers.c.subject.not_in(stay))


async def _write_notice(conn: AsyncConnection, incident: str, facts: NoticeFacts) -> None:
    values = {**asdict(facts), "purposes": list(facts.purposes)}
    seen = {"incident": incident, "update_time": facts.create_time, "content": ""}
    await conn.execute(NOTICE, {**values, **seen})


async def _move(
    conn: AsyncConnection,
    deliveries: Mapping[DeliveryKey, DeliveryFacts],
    moved: Mapping[DeliveryKey, str],
    now: datetime,
) -> None:
    """Puts entries at the head of their readers' inboxes.

    A reader's row in `inboxes` stays locked until the commit, so a reader's numbers appear in their order:
    whoever has seen one has missed none below it. Readers are taken by name, so that no two of us wait in a
    circle.
    """
    by_reader: dict[str, list[str]] = defaultdict(list)
    for name, subject in sorted(moved):
        by_reader[subject].append(name)
    for subject in sorted(by_reader):
        names = by_reader[subject]
        last: int = (await conn.execute(COUNT, {"subject": subject, "seq": len(names)})).scalar_one()
        for seq, name in enumerate(names, last - len(names) + 1):
            place = {"seq": seq, "update_time": now, "content": moved[name, subject], "denied": False}
            await _write_delivery(conn, name, deliveries[name, subject], place)
        await conn.execute(*_ring(subject=subject))


@Prepared
def _ring(subject: str) -> Select[Any]:
    return select(func.pg_notify(CHANNEL, subject))


async def _write_delivery(
    conn: AsyncConnection, notice: str, entry: DeliveryFacts, place: Mapping[str, Any]
) -> None:
    if place:
        await conn.execute(PLACE, {"notice": notice, **asdict(entry), **place})
    else:
        await conn.execute(ENTRY, {"of": notice, "whose": entry.subject, **asdict(entry)})
