"""Seats: who sits where, the one meaning of a live seat, endings, affiliations and hand-overs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    SmallInteger,
    and_,
    exists,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import ConsentState, NoticeState, SectionRef
from services.disclosure.store import tables as t
from services.kernel.narrowings import note

SEATS_PAGE = 4
ITEMS_PAGE = 64


def number(value: int) -> ColumnElement[int]:
    """Returns a constant in the text of the statement, so that all its parameters are the caller's."""
    return literal_column(str(int(value)), SmallInteger)


def ended(kid: ColumnElement[str], appointment: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the key or the appointment was ended, for ever."""
    return exists().where(t.ended.c.target.in_([kid, appointment])).correlate_except(t.ended)


def excluded(
    incident: ColumnElement[str], subject: ColumnElement[str], organisation: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether the reporter excluded the person, or an organisation the person was ever affiliated with."""
    ever = select(t.affiliations.c.organisation).where(t.affiliations.c.subject == subject)
    target = t.exclusions.c.target
    named = or_(target == subject, target == organisation, target.in_(ever.correlate_except(t.affiliations)))
    return exists().where(t.exclusions.c.incident == incident, named).correlate_except(t.exclusions)


def live_seat(seats: FromClause = t.seats) -> ColumnElement[bool]:
    """The one meaning of a live seat, for every gate: not closed, not ended, not excluded."""
    seat = seats.c
    return and_(
        seat.closed_time.is_(None),
        not_(ended(seat.kid, seat.appointment)),
        not_(excluded(seat.incident, seat.subject, seat.organisation)),
    )


def consent_opens(at: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a notice may be read under its consent at a moment, whoever reads and whatever for.

    Consent given and in its window ∧ decision stands ∧ its terms accepted; of `t.notices` and `t.consents`.
    """
    notice, consent, acceptance = t.notices.c, t.consents.c, t.acceptances.c
    accepted = exists().where(
        acceptance.notice == notice.name,
        acceptance.participation == notice.recipient,
        acceptance.terms_version == consent.terms_version,
        acceptance.accepted == true(),
    )
    return and_(
        consent.state == number(ConsentState.GIVEN),
        consent.valid_from <= at,
        at < consent.valid_until,
        notice.decision_stands == true(),
        or_(notice.state == number(NoticeState.TERMS_ACCEPTED), notice.state == number(NoticeState.OPENED)),
        accepted.correlate(t.notices, t.consents),
    )


def yields(seat: FromClause = t.seats) -> ColumnElement[bool]:
    """Whether what a seat holds may leave for the holder's next key: live, and all that an opening asks.

    A wrap is the section's key to whoever has the ciphertext, and the list of wraps tells how many sections
    there are and of which kinds; neither is for a reader whose door is still shut. An intake's seat is under
    no consent, and is held to the report alone.
    """
    incident, notice, consent = t.incidents.c, t.notices.c, t.consents.c
    now = select(func.kernel.app_now()).scalar_subquery()
    standing = exists().where(incident.name == seat.c.incident, incident.withdrawn == false())
    opens = exists().where(
        notice.name == seat.c.notice,
        notice.consent == seat.c.grant_name,
        consent.name == seat.c.grant_name,
        consent.notice == notice.name,
        consent_opens(now),
    )
    of_intake = seat.c.grant_name == seat.c.incident
    return and_(live_seat(seat), standing.correlate(seat), or_(of_intake, opens.correlate(seat)))


async def end(conn: AsyncConnection, targets: Sequence[str]) -> None:
    """Ends keys and appointments for ever; those ended before stay as they are."""
    note("ended", targets=(named := sorted(targets)))
    statement = insert(t.ended).values(create_time=func.kernel.app_now()).on_conflict_do_nothing()
    await conn.execute(statement, [{"target": target} for target in named])


async def affiliate(conn: AsyncConnection, subject: str, organisation: str) -> bool:
    """Records an affiliation for ever; returns whether it is new."""
    note("affiliation", subject=subject, organisation=organisation)
    statement = (
        insert(t.affiliations).values(subject=subject, organisation=organisation).on_conflict_do_nothing()
    )
    return (await conn.execute(statement)).rowcount == 1


async def without_successor(conn: AsyncConnection, kids: Sequence[str]) -> bool:
    """Whether a seat of these keys holds a wrap that could follow, and that no key following it holds too.

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
    orphan = (
        select(wrap.c.section)
        .join(seat, and_(seat.c.grant_name == wrap.c.grant_name, seat.c.kid == wrap.c.reader_kid))
        .where(seat.c.kid.in_(kids), yields(seat), not_(followed))
        .limit(1)
    )
    return (await conn.execute(orphan)).first() is not None


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
    """Seats of `kid` that yield a wrap which `new_kid` lacks: incident, grant, purposes; by grant."""
    seat = t.seats
    statement = (
        select(seat.c.incident, seat.c.grant_name, func.coalesce(t.consents.c.purposes, []).label("purposes"))
        .outerjoin(t.consents, t.consents.c.name == seat.c.grant_name)
        .where(seat.c.kid == kid, seat.c.subject == subject, yields(seat))
        .where(exists(_handed_over(seat, new_kid).correlate(seat).subquery("lacking").select()))
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
