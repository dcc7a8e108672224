"""Successors: what a seat hands to the holder's next key, and what a rotation waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, exists, func, literal, not_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import SectionRef
from services.disclosure.store import tables as t
from services.disclosure.store.seats import live_seat, yields

SEATS_PAGE = 4
ITEMS_PAGE = 64


async def without_successor(conn: AsyncConnection, kids: Sequence[str]) -> bool:
    """Whether a seat of these keys could follow and has not: a wrap of it, or a seat of an intake itself.

    A seat that yields nothing has no successor to wait for: it would hold up a rotation for as long as the
    terms are not accepted, and tell by it that something is there.
    """
    seat, next_seat = t.seats.alias("seat"), t.seats.alias("next_seat")
    wrap, next_wrap = t.wraps.alias("wrap"), t.wraps.alias("next_wrap")
    followed = (
        exists()
        .where(
            t.rewraps.c.grant_name == seat.c.grant_name,
            t.rewraps.c.old_kid == seat.c.kid,
            next_seat.c.grant_name == seat.c.grant_name,
            next_seat.c.kid == t.rewraps.c.new_kid,
            next_seat.c.kid.not_in(kids),
            live_seat(next_seat),
            next_wrap.c.grant_name == seat.c.grant_name,
            next_wrap.c.reader_kid == next_seat.c.kid,
            next_wrap.c.section == wrap.c.section,
            next_wrap.c.version == wrap.c.version,
        )
        .correlate(seat, wrap)
    )
    of_old = and_(seat.c.kid.in_(kids), yields(seat))
    orphan = (
        select(wrap.c.section)
        .join(seat, and_(seat.c.grant_name == wrap.c.grant_name, seat.c.kid == wrap.c.reader_kid))
        .where(of_old, not_(followed))
    )
    left = select(seat.c.grant_name).where(of_old, _is_left(seat, lambda kid: kid.not_in(kids)))
    return bool(await conn.scalar(select(or_(orphan.exists(), left.exists()))))


def _is_left(
    seat: FromClause, successor: Callable[[ColumnElement[str]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Whether an intake's seat has no live seat of a successor beside it; such a seat may hold nothing yet.

    Whoever handles a report is sealed to by everyone who writes next, also when nothing was shared so far.
    """
    beside = t.seats.alias("beside")
    follows = exists().where(
        beside.c.grant_name == seat.c.grant_name,
        beside.c.subject == seat.c.subject,
        successor(beside.c.kid),
        live_seat(beside),
    )
    return and_(seat.c.grant_name == seat.c.incident, not_(follows.correlate(seat)))


def _handed_over(seat: FromClause, new_kid: str) -> Select[tuple[Any, ...]]:
    """Wraps of `seat` that the new key has none of yet."""
    wrap, mine = t.wraps.alias("wrap"), t.wraps.alias("mine")
    has = exists().where(
        mine.c.grant_name == wrap.c.grant_name,
        mine.c.reader_kid == new_kid,
        mine.c.section == wrap.c.section,
        mine.c.version == wrap.c.version,
    )
    return select(wrap).where(
        wrap.c.grant_name == seat.c.grant_name, wrap.c.reader_kid == seat.c.kid, not_(has.correlate(wrap))
    )


async def seats_to_hand_over(
    conn: AsyncConnection, kid: str, subject: str, new_kid: str, limit: int
) -> list[Row[tuple[Any, ...]]]:
    """Seats of `kid` that yield what `new_kid` lacks: incident, grant, purposes; by grant."""
    seat = t.seats
    lacks_wraps = exists(_handed_over(seat, new_kid).correlate(seat).subquery("lacking").select())
    statement = (
        select(seat.c.incident, seat.c.grant_name, func.coalesce(t.consents.c.purposes, []).label("purposes"))
        .outerjoin(t.consents, t.consents.c.name == seat.c.grant_name)
        .where(seat.c.kid == kid, seat.c.subject == subject, yields(seat))
        .where(or_(lacks_wraps, _is_left(seat, lambda kid: kid == new_kid)))
        .order_by(seat.c.grant_name)
        .limit(limit)
    )
    return list(await conn.execute(statement))


async def wraps_to_hand_over(
    conn: AsyncConnection, grant_name: str, kid: str, new_kid: str
) -> list[tuple[SectionRef, bytes]]:
    """The first wraps of a seat, while it yields, that `new_kid` lacks, with their sections; by section."""
    mine = t.seats.c
    # Once more: what shut the door since the seats were listed must count for their wraps too.
    seat = select(t.seats).where(mine.grant_name == grant_name, mine.kid == kid, yields()).subquery("one")
    wrap = _handed_over(seat, new_kid).subquery("lacking")
    section = t.sections
    statement = (
        select(
            section.c.name,
            section.c.version,
            section.c.kind,
            section.c.digest,
            section.c.commitment,
            wrap.c.wrap,
        )
        .join(section, and_(section.c.name == wrap.c.section, section.c.version == wrap.c.version))
        .order_by(section.c.create_time, section.c.name, section.c.version)
        .limit(ITEMS_PAGE)
    )
    return [(SectionRef(*row[:5]), row.wrap) for row in await conn.execute(statement)]


SeatRow = Row[tuple[Any, ...]]


async def yielding(conn: AsyncConnection, grant: str, kid: str, subject: str) -> SeatRow | None:
    """The seat of a key under a grant, all columns, while it yields; None for anybody else's."""
    seat = t.seats.c
    statement = select(t.seats).where(
        seat.grant_name == grant, seat.kid == kid, seat.subject == subject, yields()
    )
    return (await conn.execute(statement)).one_or_none()


async def commitments(conn: AsyncConnection, grant: str, kid: str) -> dict[tuple[str, int], bytes]:
    """Commitments of the sections that a key holds wraps of under a grant, by name and version."""
    wrap, section = t.wraps.c, t.sections.c
    statement = (
        select(section.name, section.version, section.commitment)
        .join(t.wraps, and_(wrap.section == section.name, wrap.version == section.version))
        .where(wrap.grant_name == grant, wrap.reader_kid == kid)
    )
    return {(row.name, row.version): bytes(row.commitment) for row in await conn.execute(statement)}


async def given_up(conn: AsyncConnection, seat: SeatRow, new_kid: str) -> list[str]:
    """Keys that the seat was handed to before and that `new_kid` has taken the place of."""
    other, rewrap = t.seats.c, t.rewraps.c
    handed = exists().where(
        rewrap.grant_name == other.grant_name, rewrap.old_kid == seat.kid, rewrap.new_kid == other.kid
    )
    statement = select(other.kid).where(
        other.grant_name == seat.grant_name, other.kid != new_kid, other.closed_time.is_(None), handed
    )
    return list((await conn.execute(statement)).scalars())


async def seat_successor(conn: AsyncConnection, seat: SeatRow, new_kid: str) -> bool:
    """Gives the next key a seat like the old one; False where that key cannot sit here."""
    same = {name: getattr(seat, name) for name in t.seats.c.keys() if name not in {"kid", "since"}}  # noqa: SIM118  columns, not a dict
    statement = (
        insert(t.seats).values(**same, kid=new_kid, since=func.kernel.app_now()).on_conflict_do_nothing()
    )
    await conn.execute(statement)
    reporter = select(t.incidents.c.reporter_kid).where(t.incidents.c.name == seat.incident).scalar_subquery()
    sits = select(t.seats.c.kid).where(
        t.seats.c.grant_name == seat.grant_name,
        t.seats.c.kid == new_kid,
        t.seats.c.subject == seat.subject,
        t.seats.c.kid != reporter,
        live_seat(),
    )
    return (await conn.execute(sits)).first() is not None


async def hand_over(
    conn: AsyncConnection, seat: SeatRow, new_kid: str, wraps: Sequence[tuple[str, int, bytes]]
) -> None:
    """Stores wraps for the next key, and beside them the pairs of the consent that they belong to."""
    rows = [
        {
            "section": section,
            "version": version,
            "reader_kid": new_kid,
            "grant_name": seat.grant_name,
            "incident": seat.incident,
            "wrap": wrap,
        }
        for section, version, wrap in wraps
    ]
    if rows:
        await conn.execute(insert(t.wraps).on_conflict_do_nothing(), rows)
    pair = t.consent_sections.c
    names = [section for section, _, _ in wraps]
    mine = select(pair.consent, literal(new_kid), pair.section, pair.version, pair.kind).where(
        pair.consent == seat.grant_name, pair.reader_kid == seat.kid, pair.section.in_(names)
    )
    columns = ["consent", "reader_kid", "section", "version", "kind"]
    await conn.execute(insert(t.consent_sections).from_select(columns, mine).on_conflict_do_nothing())


async def record_rewrap(
    conn: AsyncConnection, seat: SeatRow, new_kid: str, statement: bytes, signature: bytes
) -> None:
    """Keeps the statement by which readers' clients accept the next key."""
    row = {"incident": seat.incident, "grant_name": seat.grant_name, "old_kid": seat.kid, "new_kid": new_kid}
    await conn.execute(
        insert(t.rewraps).values(
            **row, statement=statement, signature=signature, create_time=func.kernel.app_now()
        )
    )
