"""What handlers and reporters read, and what handlers write. Incidents and notices as their views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import case, select, tuple_, update
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
from services.coordination.store.rows import clocks_of, incident_facts, notice_facts
from services.kernel.authz import Grant
from services.kernel.errors import NotPermitted

# A place in a list that runs from the newest to the oldest.
Place = tuple[datetime, str]


async def stands(conn: AsyncConnection, subject: str, incident: str) -> bool:
    """Whether `subject` is a current handler of `incident`."""
    query = select(t.handlers.c.incident).filter_by(incident=incident, subject=subject)
    return await conn.scalar(query) is not None


async def is_reporter(conn: AsyncConnection, kid: str, incident: str) -> bool:
    """Whether `kid` is the key of whoever reported `incident`."""
    return await conn.scalar(select(t.incidents.c.reporter_kid).filter_by(name=incident)) == kid


async def handled(
    conn: AsyncConnection, subject: str, wanted: Wanted, after: Place | None, limit: int
) -> list[IncidentView]:
    """Incidents that `subject` handles and that are wanted, newest first, after a place.

    Whatever is wanted, it is one walk of the handler's own list: what one person handles is never so much
    that an index for each filter would be worth its writes.
    """
    query = select(t.incidents).join(t.handlers, t.handlers.c.incident == t.incidents.c.name)
    place = tuple_(t.handlers.c.create_time, t.handlers.c.incident)
    query = query.where(t.handlers.c.subject == subject)
    if after:
        query = query.where(place < after)
    if wanted.state:
        shown = case((t.incidents.c.withdrawn, IncidentState.WITHDRAWN), else_=t.incidents.c.progress)
        query = query.where(shown == wanted.state)
    if wanted.production:
        query = query.where(t.incidents.c.production == wanted.production)
    newest = query.order_by(t.handlers.c.create_time.desc(), t.handlers.c.incident.desc())
    rows = (await conn.execute(newest.limit(limit))).all()
    clocks = await clocks_of(conn, [row.name for row in rows])
    return [incident_view(incident_facts(row), clocks[row.name, ""], row.update_time) for row in rows]


async def incident(
    conn: AsyncConnection, grant: Grant[Handle, IncidentRef]
) -> tuple[IncidentFacts, IncidentView]:
    """The incident of a handler. Raises NotPermitted when the caller handles it no more."""
    query = select(t.incidents).join(t.handlers, t.handlers.c.incident == t.incidents.c.name)
    mine = query.where(t.incidents.c.name == grant.on.name, t.handlers.c.subject == grant.actor.subject)
    row = (await conn.execute(mine)).one_or_none()
    if row is None:
        raise NotPermitted
    facts, clocks = incident_facts(row), await clocks_of(conn, [row.name])
    return facts, incident_view(facts, clocks[row.name, ""], row.update_time)


async def record(
    conn: AsyncConnection, grant: Grant[Handle, IncidentRef], changes: Mapping[str, Any]
) -> None:
    """Writes what a handler's act changes of the incident; the caller settles it afterwards."""
    await conn.execute(update(t.incidents).where(t.incidents.c.name == grant.on.name).values(**changes))


async def sent(
    conn: AsyncConnection, grant: Grant[Handle, IncidentRef], after: Place | None, limit: int
) -> list[SentView]:
    """Notices of an incident, newest first, after a place."""
    query = select(t.notices).where(t.notices.c.incident == grant.on.name)
    if after:
        query = query.where(tuple_(t.notices.c.create_time, t.notices.c.name) < after)
    newest = query.order_by(t.notices.c.create_time.desc(), t.notices.c.name.desc())
    rows = (await conn.execute(newest.limit(limit))).all()
    clocks = await clocks_of(conn, [row.name for row in rows])
    return [sent_view(notice_facts(row), clocks[row.name, ""], row.update_time) for row in rows]


async def status(conn: AsyncConnection, grant: Grant[Follow, IncidentRef], now: datetime) -> StatusView:
    """How the incident stands, for its reporter."""
    name = grant.on.name
    facts = incident_facts((await conn.execute(select(t.incidents).filter_by(name=name))).one())
    query = select(t.notices).filter_by(incident=name).order_by(t.notices.c.create_time, t.notices.c.name)
    notices: Sequence[Any] = (await conn.execute(query)).all()
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
