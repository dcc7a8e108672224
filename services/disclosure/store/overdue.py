"""What is left to close: notices whose time is over, and seats that lost their holder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Select, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import NoticeState
from services.disclosure.store import tables as t
from services.disclosure.store.seats import ended, excluded
from services.kernel.statements import Prepared

# Sweeps and jobs take this many at a time.
BATCH = 200


@dataclass(frozen=True, slots=True)
class LostSeat:
    """A seat that still counts as open, though its holder was ended or excluded."""

    grant: str
    notice: str | None
    kid: str
    is_excluded: bool


_row = t.notices.c
_EXPIRED = select(_row.name).where(_row.close_time.is_(None), _row.expire_time <= func.kernel.app_now())
_LAPSED = select(_row.name).where(
    _row.state == NoticeState.CONSENT_PENDING, _row.answer_by_time <= func.kernel.app_now()
)


async def expired_notices(conn: AsyncConnection) -> list[str]:
    """Notices whose consent has run out."""
    return list(await conn.scalars(*_some(lapsed=False)))


async def lapsed_notices(conn: AsyncConnection) -> list[str]:
    """Notices whose reporter gave no yes in time, refused ones among them."""
    return list(await conn.scalars(*_some(lapsed=True)))


@Prepared
def _some(*, lapsed: bool) -> Select[Any]:
    return (_LAPSED if lapsed else _EXPIRED).limit(BATCH)


async def is_expired(conn: AsyncConnection, name: str) -> bool:
    """Whether it has run out, read after the lock (I4)."""
    return await conn.scalar(*_one(name=name, lapsed=False)) is not None


async def is_lapsed(conn: AsyncConnection, name: str) -> bool:
    """Whether it went without a yes, read after the lock."""
    return await conn.scalar(*_one(name=name, lapsed=True)) is not None


@Prepared
def _one(name: str, *, lapsed: bool) -> Select[Any]:
    return (_LAPSED if lapsed else _EXPIRED).where(t.notices.c.name == name)


async def lost_seats(conn: AsyncConnection, incident: str) -> list[LostSeat]:
    """Seats of ended or excluded holders that are not closed yet."""
    found = await conn.execute(*_lost_seats(incident=incident))
    return [LostSeat(row.grant_name, row.notice, row.kid, row.is_excluded) for row in found]


@Prepared
def _lost_seats(incident: str) -> Select[Any]:
    seat = t.seats.c
    is_excluded = excluded(seat.incident, seat.subject, seat.organisation)
    is_lost = or_(ended(seat.kid, seat.appointment), is_excluded)
    columns = seat.grant_name, seat.notice, seat.kid, is_excluded.label("is_excluded")
    return select(*columns).where(seat.incident == incident, seat.closed_time.is_(None), is_lost)


async def incidents_of_target(conn: AsyncConnection, target: str) -> list[str]:
    """Incidents where a seat of the ended key or appointment is not closed yet."""
    return list(await conn.scalars(*_with_open_seat(target=target)))


@Prepared
def _with_open_seat(target: str) -> Select[Any]:
    seat = t.seats.c
    held = or_(seat.kid == target, seat.appointment == target)
    incidents = select(seat.incident).where(seat.closed_time.is_(None), held)
    return incidents.distinct().order_by(seat.incident)


async def incidents_excluding(conn: AsyncConnection, organisation: str) -> list[str]:
    """Incidents whose reporter excluded the organisation."""
    return list(await conn.scalars(*_excluding(organisation=organisation)))


@Prepared
def _excluding(organisation: str) -> Select[Any]:
    row = t.exclusions.c
    return select(row.incident).where(row.target == organisation).order_by(row.incident)


async def incidents_with_lost_seats(conn: AsyncConnection) -> list[str]:
    """Incidents that a lost job left with seats of ended or excluded holders."""
    return list(await conn.scalars(*_with_lost_seats()))


@Prepared
def _with_lost_seats() -> CompoundSelect[Any]:
    seat = t.seats.c
    is_open = seat.closed_time.is_(None)
    by_end = select(seat.incident).where(is_open, ended(seat.kid, seat.appointment))
    is_excluded = excluded(seat.incident, seat.subject, seat.organisation)
    return union(by_end, select(seat.incident).where(is_open, is_excluded)).limit(BATCH)
