"""Rows to facts and back, and the clocks of whatever has some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sqlalchemy import Delete, Row, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain.clocks import Clock, ClockKind
from services.coordination.domain.facts import (
    DeliveryFacts,
    IncidentFacts,
    IncidentState,
    NoticeFacts,
    NoticeState,
    Purpose,
)
from services.coordination.store import tables as t
from services.kernel.statements import Prepared, upsert

# Owner and, for one reader's own clock, the reader.
ClockOwner = tuple[str, str]
CLOCK = upsert(t.clocks, "due_time", "met_time")


@Prepared
def incident_named(name: str) -> Select[Any]:
    """One incident."""
    return select(t.incidents).where(t.incidents.c.name == name)


def incident_facts(row: Row[Any]) -> IncidentFacts:
    """The facts in a row of `incidents`."""
    return IncidentFacts(
        name=row.name,
        production=row.production,
        withdrawn=row.withdrawn,
        progress=IncidentState(row.progress),
        create_time=row.create_time,
        acknowledge_time=row.acknowledge_time,
    )


def notice_facts(row: Row[Any]) -> NoticeFacts:
    """The facts in a row of `notices`."""
    return NoticeFacts(
        name=row.name,
        sender=row.sender,
        recipient=row.recipient,
        state=NoticeState(row.state),
        purposes=tuple(map(Purpose, row.purposes)),
        terms_version=row.terms_version,
        create_time=row.create_time,
        offer_time=row.offer_time,
        open_time=row.open_time,
        close_time=row.close_time,
        answer_by_time=row.answer_by_time,
        answer_time=row.answer_time,
        acknowledge_time=row.acknowledge_time,
    )


def delivery_facts(row: Row[Any]) -> DeliveryFacts:
    """The facts in a row of `deliveries`."""
    return DeliveryFacts(row.subject, row.live, row.offer_time, row.open_time, row.close_time)


async def clocks_of(
    conn: AsyncConnection, owners: Collection[str], subjects: Collection[str] | None = ("",)
) -> dict[ClockOwner, list[Clock]]:
    """The clocks of incidents and notices, with those of the given readers; of all readers for None."""
    found: dict[ClockOwner, list[Clock]] = defaultdict(list)
    theirs = _clocks(owners=owners, subjects=subjects or (), of_some=subjects is not None)
    for row in await conn.execute(*theirs):
        found[row.owner, row.subject].append(Clock(ClockKind(row.kind), row.due_time, row.met_time))
    return found


@Prepared
def _clocks(owners: Collection[str], subjects: Collection[str], *, of_some: bool) -> Select[Any]:
    query = select(t.clocks).where(t.clocks.c.owner.in_(owners))
    return query.where(t.clocks.c.subject.in_(subjects)) if of_some else query


async def write_clocks(
    conn: AsyncConnection, before: dict[ClockOwner, list[Clock]], after: dict[ClockOwner, tuple[Clock, ...]]
) -> None:
    """Makes the stored clocks equal to `after`; what is equal already is not touched."""
    for owner, subject in before.keys() | after.keys():
        wanted, stored = set(after.get((owner, subject), ())), set(before.get((owner, subject), ()))
        if gone := {clock.kind for clock in stored} - {clock.kind for clock in wanted}:
            await conn.execute(*_gone(owner=owner, subject=subject, kinds=gone))
        if news := wanted - stored:
            rows = [{"owner": owner, "subject": subject, **asdict(clock)} for clock in news]
            await conn.execute(CLOCK, rows)


@Prepared
def _gone(owner: str, subject: str, kinds: Collection[ClockKind]) -> Delete:
    row = t.clocks.c
    return delete(t.clocks).where(row.owner == owner, row.subject == subject, row.kind.in_(kinds))
