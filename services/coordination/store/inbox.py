"""One reader's stubs and tombstones: found by the reader first, so that the rest costs nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain.access import NoticeRef, Read
from services.coordination.domain.facts import SHOWING, NoticeFacts, NoticeState
from services.coordination.domain.views import Entry, Titles, stub_view
from services.coordination.store import tables as t
from services.coordination.store.rows import clocks_of, delivery_facts, notice_facts
from services.kernel.authz import Grant
from services.kernel.statements import Prepared

INDEPENDENT = "independent"
# What `execute` takes: a statement and its values.
Asked = tuple[Select[Any], dict[str, Any]]


def newest(subject: str, before: int | None, limit: int, states: Collection[NoticeState] = ()) -> Asked:
    """The reader's places before `before`, newest change first: one short walk of one index.

    Of places whose stub the reader sees in one of `states`; of all without. What is alive has an index of its
    own: the few that ask for something are found however many tombstones lie between them.
    """
    return _newest(
        subject=subject,
        before=before or 0,
        limit=limit,
        states=sorted(state.value for state in states),
        goes_on=before is not None,
        some=bool(states),
        alive=bool(states) and SHOWING.issuperset(states),
    )


@Prepared
def _newest(
    subject: str, before: int, limit: int, states: list[int], *, goes_on: bool, some: bool, alive: bool
) -> Select[Any]:
    query = select(t.deliveries).where(t.deliveries.c.subject == subject)
    if some:
        query = query.join(t.notices, t.notices.c.name == t.deliveries.c.notice)
        query = query.where(_shown().in_(states))
    if alive:
        query = query.where(t.deliveries.c.live)
    if goes_on:
        query = query.where(t.deliveries.c.seq < before)
    return query.order_by(t.deliveries.c.seq.desc()).limit(limit)


async def page(
    conn: AsyncConnection,
    subject: str,
    before: int | None,
    limit: int,
    states: Collection[NoticeState] = (),
) -> list[Entry]:
    """At most `limit` entries, newest change first; of those seen in one of `states`, or of all without."""
    return await _entries(conn, subject, newest(subject, before, limit, states))


async def next_change(conn: AsyncConnection, subject: str, after: int) -> Entry | None:
    """The oldest change after `after`, or None."""
    return next(iter(await _entries(conn, subject, _next(subject=subject, after=after))), None)


@Prepared
def _next(subject: str, after: int) -> Select[Any]:
    place = t.deliveries.c
    return (
        select(t.deliveries).where(place.subject == subject, place.seq > after).order_by(place.seq).limit(1)
    )


async def entry(conn: AsyncConnection, subject: str, notice: str) -> Entry | None:
    """The reader's entry of one notice, or None."""
    return next(iter(await _entries(conn, subject, _one(notice=notice, subject=subject))), None)


@Prepared
def _one(notice: str, subject: str) -> Select[Any]:
    return select(t.deliveries).filter_by(notice=notice, subject=subject)


async def last_seq(conn: AsyncConnection, subject: str) -> int:
    """The reader's newest change; 0 when there was none."""
    return await conn.scalar(*_last(subject=subject)) or 0


@Prepared
def _last(subject: str) -> Select[int]:
    return select(t.inboxes.c.seq).filter_by(subject=subject)


async def notice(conn: AsyncConnection, grant: Grant[Read, NoticeRef]) -> NoticeFacts:
    """The facts of a notice that the caller may read."""
    return notice_facts((await conn.execute(*_notice(name=grant.on.name))).one())


@Prepared
def _notice(name: str) -> Select[Any]:
    return select(t.notices).filter_by(name=name)


async def acknowledge(conn: AsyncConnection, grant: Grant[Read, NoticeRef]) -> None:
    """Notes the acknowledgement; the caller settles the incident afterwards."""
    noted = update(t.notices).where(t.notices.c.name == grant.on.name)
    await conn.execute(noted.values(acknowledge_time=func.kernel.app_now()))


async def mark_denied(conn: AsyncConnection, subject: str, entry: Entry) -> None:
    """Notes that the policy did not allow the entry when it was to be sent: it is to be announced again."""
    here = t.deliveries.c.notice == entry.view.name, t.deliveries.c.subject == subject
    await conn.execute(update(t.deliveries).where(*here, t.deliveries.c.seq == entry.seq).values(denied=True))


def _shown() -> ColumnElement[int]:
    """The state that the reader sees, as `stub_view` says it."""
    acknowledged = (t.notices.c.state == NoticeState.OPENED) & t.notices.c.acknowledge_time.is_not(None)
    alive = case((acknowledged, NoticeState.ACKNOWLEDGED.value), else_=t.notices.c.state)
    opened = t.deliveries.c.open_time.is_not(None)
    stone = case((opened, NoticeState.RECALL_REQUESTED.value), else_=NoticeState.WITHDRAWN.value)
    return case((t.deliveries.c.live, alive), else_=stone)


async def _entries(conn: AsyncConnection, subject: str, asked: Asked) -> list[Entry]:
    places = (await conn.execute(*asked)).all()
    names = [place.notice for place in places]
    if not names:
        return []
    notices = {row.name: row for row in await conn.execute(*_around(names=names))}
    clocks = await clocks_of(conn, names, ("", subject))
    entries = []
    for place in places:
        row = notices[place.notice]
        titles = Titles(row.sender_title or "", row.production_title or "", row.independent_title or "")
        shared, own = clocks[row.name, ""], clocks[row.name, subject]
        view = stub_view(notice_facts(row), delivery_facts(place), titles, shared, own, place.update_time)
        entries.append(Entry(place.seq, view))
    return entries


@Prepared
def _around(names: Collection[str]) -> Select[Any]:
    sender, production, independent = (t.titles.alias() for _ in range(3))
    return (
        select(
            t.notices,
            sender.c.title.label("sender_title"),
            production.c.title.label("production_title"),
            independent.c.title.label("independent_title"),
        )
        .join(t.incidents, t.incidents.c.name == t.notices.c.incident)
        .outerjoin(sender, sender.c.name == t.notices.c.sender)
        .outerjoin(production, production.c.name == t.incidents.c.production)
        .outerjoin(independent, independent.c.name == INDEPENDENT)
        .where(t.notices.c.name.in_(names))
    )
