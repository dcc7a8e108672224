"""What handlers and reporters read, and what handlers write. Incidents and notices as their views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Select, case, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain.access import Follow, Handle, IncidentRef
from services.coordination.domain.clocks import look_again
from services.coordination.domain.facts import IncidentFacts, IncidentState
from services.coordination.domain.views import (
    IncidentView,
    NoticeStatus,
    SentView,
    StatusView,
    Wanted,
    incident_view,
    sent_view,
)
from services.coordination.store import tables as t
from services.coordination.store.rows import clocks_of, incident_facts, incident_named, notice_facts
from services.kernel.authz import Grant
from services.kernel.errors import NotPermitted
from services.kernel.statements import Prepared

# A place in a list that runs from the newest to the oldest.
Place = tuple[datetime, str]


async def stands(conn: AsyncConnection, subject: str, incident: str) -> bool:
    """Whether `subject` is a current handler of `incident`."""
    return await conn.scalar(*_stands(incident=incident, subject=subject)) is not None


@Prepared
def _stands(incident: str, subject: str) -> Select[str]:
    return select(t.handlers.c.incident).filter_by(incident=incident, subject=subject)


async def is_reporter(conn: AsyncConnection, kid: str, incident: str) -> bool:
    """Whether `kid` is the key of whoever reported `incident`."""
    return bool(await conn.scalar(*_reporter(name=incident)) == kid)


@Prepared
def _reporter(name: str) -> Select[str]:
    return select(t.incidents.c.reporter_kid).filter_by(name=name)


async def handled(
    conn: AsyncConnection, subject: str, wanted: Wanted, after: Place | None, limit: int
) -> list[IncidentView]:
    """Incidents that `subject` handles and that are wanted, newest first, after a place.

    Whatever is wanted, it is one walk of the handler's own list: what one person handles is never so much
    that an index for each filter would be worth its writes.
    """
    time, name = after or (None, "")
    some = _handled(
        subject=subject,
        production=wanted.production,
        time=time,
        name=name,
        limit=limit,
        state=wanted.state,
        of_one=bool(wanted.production),
        goes_on=after is not None,
    )
    rows = (await conn.execute(*some)).all()
    clocks = await clocks_of(conn, [row.name for row in rows])
    return [incident_view(incident_facts(row), clocks[row.name, ""], row.update_time) for row in rows]


@Prepared
def _handled(
    subject: str,
    production: str,
    time: datetime | None,
    name: str,
    limit: int,
    *,
    state: IncidentState | None,
    of_one: bool,
    goes_on: bool,
) -> Select[Any]:
    place = t.handlers.c
    query = select(t.incidents).join(t.handlers, place.incident == t.incidents.c.name)
    query = query.where(place.subject == subject)
    if goes_on:
        query = query.where(tuple_(place.create_time, place.incident) < tuple_(time, name))
    if state:
        shown = case((t.incidents.c.withdrawn, IncidentState.WITHDRAWN), else_=t.incidents.c.progress)
        query = query.where(shown == state)
    if of_one:
        query = query.where(t.incidents.c.production == production)
    return query.order_by(place.create_time.desc(), place.incident.desc()).limit(limit)


async def incident(
    conn: AsyncConnection, grant: Grant[Handle, IncidentRef]
) -> tuple[IncidentFacts, IncidentView]:
    """The incident of a handler. Raises NotPermitted when the caller handles it no more."""
    mine = _mine(name=grant.on.name, subject=grant.actor.subject)
    row = (await conn.execute(*mine)).one_or_none()
    if row is None:
        raise NotPermitted
    facts, clocks = incident_facts(row), await clocks_of(conn, [row.name])
    return facts, incident_view(facts, clocks[row.name, ""], row.update_time)


@Prepared
def _mine(name: str, subject: str) -> Select[Any]:
    query = select(t.incidents).join(t.handlers, t.handlers.c.incident == t.incidents.c.name)
    return query.where(t.incidents.c.name == name, t.handlers.c.subject == subject)


async def record(
    conn: AsyncConnection, grant: Grant[Handle, IncidentRef], changes: Mapping[str, Any]
) -> None:
    """Writes what a handler's act changes of the incident; the caller settles it afterwards."""
    await conn.execute(update(t.incidents).where(t.incidents.c.name == grant.on.name).values(**changes))


async def sent(
    conn: AsyncConnection, grant: Grant[Handle, IncidentRef], after: Place | None, limit: int
) -> list[SentView]:
    """Notices of an incident, newest first, after a place."""
    time, name = after or (None, "")
    some = _sent(incident=grant.on.name, time=time, name=name, limit=limit, goes_on=after is not None)
    rows = (await conn.execute(*some)).all()
    clocks = await clocks_of(conn, [row.name for row in rows])
    return [sent_view(notice_facts(row), clocks[row.name, ""], row.update_time) for row in rows]


@Prepared
def _sent(incident: str, time: datetime | None, name: str, limit: int, *, goes_on: bool) -> Select[Any]:
    row = t.notices.c
    query = select(t.notices).where(row.incident == incident)
    if goes_on:
        query = query.where(tuple_(row.create_time, row.name) < tuple_(time, name))
    return query.order_by(row.create_time.desc(), row.name.desc()).limit(limit)


async def status(conn: AsyncConnection, grant: Grant[Follow, IncidentRef], now: datetime) -> StatusView:
    """How the incident stands, for its reporter."""
    name = grant.on.name
    facts = incident_facts((await conn.execute(*incident_named(name=name))).one())
    notices: Sequence[Any] = (await conn.execute(*_notices(incident=name))).all()
    clocks = await clocks_of(conn, [name, *(row.name for row in notices)])
    return StatusView(
        incident=name,
        state=facts.state,
        look_again_time=None if facts.withdrawn else look_again(chain(*clocks.values()), now),
        clocks=tuple(sorted(clocks[name, ""])),
        notices=tuple(
            NoticeStatus(row.name, notice_facts(row).shown, tuple(sorted(clocks[row.name, ""])))
            for row in notices
        ),
    )


@Prepared
def _notices(incident: str) -> Select[Any]:
    row = t.notices.c
    return select(t.notices).where(row.incident == incident).order_by(row.create_time, row.name)
