"""What coordination may know of an incident: ids, states and times, nothing else.

A refusal shows as a request that is still pending; readers are told of only once they had the stub.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Row, and_, false, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from services.disclosure.store import tables as t
from services.disclosure.store.seats import live_seat


async def snapshot(conn: AsyncConnection, incident: str) -> pb.IncidentSnapshot | None:
    """Reads it in one transaction; None where there is no such incident."""
    row = t.incidents.c
    found = await conn.execute(
        select(row.name, row.version, row.production, row.withdrawn, row.reporter_kid, row.create_time).where(
            row.name == incident
        )
    )
    one = found.one_or_none()
    if one is None:
        return None
    return pb.IncidentSnapshot(
        incident=one.name,
        version=one.version,
        production=one.production or "",
        withdrawn=one.withdrawn,
        reporter_kid=one.reporter_kid,
        handlers=await _handlers(conn, incident),
        notices=await _notices(conn, incident),
        create_time=one.create_time,
    )


async def _handlers(conn: AsyncConnection, incident: str) -> list[pb.IncidentSnapshot.Handler]:
    seat = t.seats.c
    statement = (
        select(seat.subject, seat.participation)
        .join(t.incidents, t.incidents.c.name == seat.incident)
        .where(seat.grant_name == incident, live_seat(), t.incidents.c.withdrawn == false())
        .distinct()
        .order_by(seat.subject, seat.participation)
    )
    return [
        pb.IncidentSnapshot.Handler(subject=row.subject, participation=row.participation)
        for row in await conn.execute(statement)
    ]


async def _notices(conn: AsyncConnection, incident: str) -> list[pb.IncidentSnapshot.Notice]:
    readers = await _readers(conn, incident)
    notice = t.notices.c
    statement = (
        select(t.notices, func.coalesce(t.consents.c.purposes, notice.purposes).label("shown_purposes"))
        .outerjoin(t.consents, t.consents.c.name == notice.consent)
        .where(notice.incident == incident)
        .order_by(notice.create_time, notice.name)
    )
    return [_notice(row, readers[row.name]) for row in await conn.execute(statement)]


def _notice(
    row: Row[tuple[Any, ...]], readers: list[pb.IncidentSnapshot.Reader]
) -> pb.IncidentSnapshot.Notice:
    return pb.IncidentSnapshot.Notice(
        name=row.name,
        sender=row.sender_participation,
        recipient=row.recipient,
        state=row.state,
        purposes=row.shown_purposes,
        terms_version=row.terms_version,
        readers=readers,
        create_time=row.create_time,
        offer_time=row.offer_time,
        open_time=row.open_time,
        close_time=row.close_time,
        expire_time=row.expire_time,
        answer_by_time=row.answer_by_time,
    )


async def _readers(
    conn: AsyncConnection, incident: str
) -> defaultdict[str, list[pb.IncidentSnapshot.Reader]]:
    """By notice, one a person; it lives while a seat under the newest consent does."""
    seat = t.seats.c
    lives = and_(live_seat(), seat.grant_name == t.notices.c.consent, t.notices.c.close_time.is_(None))
    statement = (
        select(
            seat.notice,
            seat.subject,
            func.bool_or(lives).label("live"),
            func.min(seat.first_open_time).label("open_time"),
        )
        .join(t.notices, t.notices.c.name == seat.notice)
        .where(seat.incident == incident)
        .group_by(seat.notice, seat.subject)
        .order_by(seat.notice, seat.subject)
    )
    found: defaultdict[str, list[pb.IncidentSnapshot.Reader]] = defaultdict(list)
    for row in await conn.execute(statement):
        reader = pb.IncidentSnapshot.Reader(subject=row.subject, live=row.live, open_time=row.open_time)
        found[row.notice].append(reader)
    return found
