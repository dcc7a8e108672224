"""What coordination may know of an incident: ids, states and times, nothing else.

A refusal shows as a request that is still pending; readers are told of only once they had the stub.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Row, Select, and_, false, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from services.disclosure.store import tables as t
from services.disclosure.store.seats import live_seat
from services.kernel.statements import Prepared


async def snapshot(conn: AsyncConnection, incident: str) -> pb.IncidentSnapshot | None:
    """Reads it in one transaction; None where there is no such incident."""
    one = (await conn.execute(*_incident(incident=incident))).one_or_none()
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


@Prepared
def _incident(incident: str) -> Select[Any]:
    row = t.incidents.c
    told = (row.name, row.version, row.production, row.withdrawn, row.reporter_kid, row.create_time)
    return select(*told).where(row.name == incident)


async def _handlers(conn: AsyncConnection, incident: str) -> list[pb.IncidentSnapshot.Handler]:
    return [
        pb.IncidentSnapshot.Handler(subject=row.subject, participation=row.participation)
        for row in await conn.execute(*_seats_of_intake(incident=incident))
    ]


@Prepared
def _seats_of_intake(incident: str) -> Select[Any]:
    seat = t.seats.c
    return (
        select(seat.subject, seat.participation)
        .join(t.incidents, t.incidents.c.name == seat.incident)
        .where(seat.grant_name == incident, live_seat(), t.incidents.c.withdrawn == false())
        .distinct()
        .order_by(seat.subject, seat.participation)
    )


async def _notices(conn: AsyncConnection, incident: str) -> list[pb.IncidentSnapshot.Notice]:
    readers = await _readers(conn, incident)
    rows = await conn.execute(*_with_purposes(incident=incident))
    return [_notice(row, readers[row.name]) for row in rows]


@Prepared
def _with_purposes(incident: str) -> Select[Any]:
    notice = t.notices.c
    return (
        select(t.notices, func.coalesce(t.consents.c.purposes, notice.purposes).label("shown_purposes"))
        .outerjoin(t.consents, t.consents.c.name == notice.consent)
        .where(notice.incident == incident)
        .order_by(notice.create_time, notice.name)
    )


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
    found: defaultdict[str, list[pb.IncidentSnapshot.Reader]] = defaultdict(list)
    for row in await conn.execute(*_people(incident=incident)):
        reader = pb.IncidentSnapshot.Reader(subject=row.subject, live=row.live, open_time=row.open_time)
        found[row.notice].append(reader)
    return found


@Prepared
def _people(incident: str) -> Select[Any]:
    seat = t.seats.c
    lives = and_(live_seat(), seat.grant_name == t.notices.c.consent, t.notices.c.close_time.is_(None))
    return (
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
