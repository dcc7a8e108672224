"""What closing deletes and marks. Wraps go with the pairs they belong to; the reporter's own never go.

Every function runs in the caller's transaction, under the exclusive lock of the incident.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Update, and_, case, delete, exists, func, or_, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.crypto.statements import StatementKind
from services.disclosure.domain import Answer, CloseReason, ConsentState, NoticeState
from services.disclosure.store import tables as t
from services.disclosure.store.seats import ended, excluded
from services.kernel.errors import NotPermitted
from services.kernel.narrowings import note

# Sweeps and jobs take this many at a time.
BATCH = 200


@dataclass(frozen=True, slots=True)
class LostSeat:
    """A seat that still counts as open, though its holder was ended or excluded."""

    grant: str
    notice: str | None
    kid: str
    is_excluded: bool


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice as closing needs it."""

    name: str
    incident: str
    state: NoticeState
    consent: str | None


async def rise(conn: AsyncConnection, incident: str, *, epoch: bool) -> None:
    """Raises the version, and with `epoch` sends openings that are under way back to the start."""
    row = t.incidents.c
    values = {row.version: row.version + 1} | ({row.epoch: row.epoch + 1} if epoch else {})
    await conn.execute(update(t.incidents).where(row.name == incident).values(values))


async def notice(conn: AsyncConnection, name: str) -> NoticeRow:
    """Reads a notice. Raises NotPermitted where there is none."""
    row = t.notices.c
    found = await conn.execute(select(row.name, row.incident, row.state, row.consent).where(row.name == name))
    one = found.one_or_none()
    if one is None:
        raise NotPermitted
    return NoticeRow(one.name, one.incident, NoticeState(one.state), one.consent)


async def open_notices(conn: AsyncConnection, incident: str) -> list[str]:
    """Notices of the incident that are not closed, by name."""
    row = t.notices.c
    found = await conn.execute(
        select(row.name).where(row.incident == incident, row.close_time.is_(None)).order_by(row.name)
    )
    return list(found.scalars())


async def close_grant(
    conn: AsyncConnection, grant: str, kids: Collection[str] | None, reason: CloseReason
) -> None:
    """Closes seats under a grant and deletes their wraps: those of `kids`, or with None all of the grant."""
    # A seat of the intake may be taken again; the version tells whether that came later.
    is_intake = grant.startswith("incidents/")
    version = await _version(conn, grant) if is_intake else None
    note(
        "seats",
        grant=grant,
        kids=None if kids is None else sorted(kids),
        reason=reason.value,
        version=version,
    )
    await conn.execute(_closing(grant, kids, reason))


async def _version(conn: AsyncConnection, incident: str) -> int | None:
    row = t.incidents.c
    version: int | None = await conn.scalar(select(row.version).where(row.name == incident))
    return version


async def end_consent(conn: AsyncConnection, consent: str, state: ConsentState, reason: CloseReason) -> None:
    """Closes all seats of a consent and marks it as ended; one that ended before keeps its first state."""
    note("consent", consent=consent, state=state.value, reason=reason.value)
    row = t.consents.c
    ending = (
        update(t.consents)
        .where(row.name == consent, row.state == ConsentState.GIVEN)
        .values(state=state.value)
    )
    await conn.execute(_closing(consent, None, reason).add_cte(ending.cte("ended_consent")))


def _closing(grant: str, kids: Collection[str] | None, reason: CloseReason) -> Update:
    # One statement: a withdrawal waits for each round trip behind whoever keeps the service busy.
    seat, wrap, pair = t.seats.c, t.wraps.c, t.consent_sections.c
    chosen = select(seat.kid).where(seat.grant_name == grant) if kids is None else sorted(kids)
    wraps = delete(t.wraps).where(wrap.grant_name == grant, wrap.reader_kid.in_(chosen), _not_reporters())
    pairs = delete(t.consent_sections).where(pair.consent == grant, pair.reader_kid.in_(chosen))
    return (
        update(t.seats)
        .where(seat.grant_name == grant, seat.kid.in_(chosen), seat.closed_time.is_(None))
        .values(closed_time=func.kernel.app_now(), close_reason=reason.value)
        .add_cte(wraps.cte("gone_wraps"), pairs.cte("gone_pairs"))
    )


def _not_reporters() -> ColumnElement[bool]:
    reporter = exists().where(
        t.incidents.c.name == t.wraps.c.incident, t.incidents.c.reporter_kid == t.wraps.c.reader_kid
    )
    return ~reporter.correlate(t.wraps)


async def drop_sections(
    conn: AsyncConnection, consent: str, kids: Collection[str], sections: Sequence[str]
) -> None:
    """Deletes exactly these (reader, section) pairs and their wraps."""
    note("sections", consent=consent, kids=sorted(kids), sections=sorted(sections))
    pair, wrap = t.consent_sections.c, t.wraps.c
    readers = sorted(kids)
    await conn.execute(
        delete(t.wraps).where(
            wrap.grant_name == consent,
            wrap.reader_kid.in_(readers),
            wrap.section.in_(sections),
            _not_reporters(),
        )
    )
    await conn.execute(
        delete(t.consent_sections).where(
            pair.consent == consent, pair.reader_kid.in_(readers), pair.section.in_(sections)
        )
    )


async def kids_without_pairs(conn: AsyncConnection, consent: str) -> list[str]:
    """Keys whose seats are open under the consent though nothing is left for them to read."""
    seat, pair = t.seats.c, t.consent_sections.c
    has = exists().where(pair.consent == seat.grant_name, pair.reader_kid == seat.kid).correlate(t.seats)
    found = await conn.execute(
        select(seat.kid).where(seat.grant_name == consent, seat.closed_time.is_(None), ~has)
    )
    return list(found.scalars())


async def open_kids(conn: AsyncConnection, grant: str) -> list[str]:
    """Keys whose seats under the grant are not closed."""
    seat = t.seats.c
    found = await conn.execute(select(seat.kid).where(seat.grant_name == grant, seat.closed_time.is_(None)))
    return list(found.scalars())


async def notices_under(conn: AsyncConnection, consent: str) -> list[str]:
    """The notice whose newest consent this is; none once another one followed."""
    row = t.notices.c
    return list((await conn.execute(select(row.name).where(row.consent == consent))).scalars())


async def has_open_seat(conn: AsyncConnection, grant: str) -> bool:
    """Whether any seat under the grant is not closed yet."""
    seat = t.seats.c
    found = await conn.execute(
        select(seat.kid).where(seat.grant_name == grant, seat.closed_time.is_(None)).limit(1)
    )
    return found.first() is not None


async def kids_of_people(conn: AsyncConnection, grant: str, kids: Collection[str]) -> list[str]:
    """All keys under the grant of whoever holds one of `kids`: it is people who are withdrawn."""
    seat = t.seats.c
    people = select(seat.subject).where(seat.grant_name == grant, seat.kid.in_(sorted(kids)))
    found = await conn.execute(select(seat.kid).where(seat.grant_name == grant, seat.subject.in_(people)))
    return list(found.scalars())


async def mark_closed(conn: AsyncConnection, name: str, state: NoticeState, answer: Answer) -> None:
    """Closes a notice; a refusal stays what the reporter sees."""
    note("notice", notice=name, state=state.value, answer=answer.value)
    row = t.notices.c
    refused = case((row.answer == Answer.REFUSED, Answer.REFUSED.value), else_=answer.value)
    await conn.execute(
        update(t.notices)
        .where(row.name == name, row.close_time.is_(None))
        .values(state=state.value, answer=refused, close_time=func.kernel.app_now())
    )


async def withdraw_incident(conn: AsyncConnection, incident: str) -> None:
    """Marks the whole report as withdrawn."""
    note("report", incident=incident)
    await conn.execute(update(t.incidents).where(t.incidents.c.name == incident).values(withdrawn=True))


async def lost_seats(conn: AsyncConnection, incident: str) -> list[LostSeat]:
    """Seats of ended or excluded holders that are not closed yet."""
    seat = t.seats.c
    is_excluded = excluded(seat.incident, seat.subject, seat.organisation)
    found = await conn.execute(
        select(seat.grant_name, seat.notice, seat.kid, is_excluded.label("is_excluded")).where(
            seat.incident == incident,
            seat.closed_time.is_(None),
            or_(ended(seat.kid, seat.appointment), is_excluded),
        )
    )
    return [LostSeat(row.grant_name, row.notice, row.kid, row.is_excluded) for row in found]


async def exclude(conn: AsyncConnection, incident: str, targets: Sequence[str]) -> None:
    """Excludes people, systems and organisations for ever; those excluded before stay so."""
    note("exclusion", incident=incident, targets=sorted(set(targets)))
    rows = [{"incident": incident, "target": target} for target in sorted(set(targets))]
    await conn.execute(insert(t.exclusions).on_conflict_do_nothing(), rows)


async def count_exclusions(conn: AsyncConnection, incident: str) -> int:
    """How many exclusion statements the reporter made."""
    row = t.acts.c
    counted = select(func.count()).where(row.incident == incident, row.kind == StatementKind.EXCLUSION.value)
    return int((await conn.execute(counted)).scalar_one())


async def leave_out_excluded(conn: AsyncConnection, incident: str) -> None:
    """Leaves excluded readers out of what the reporter is asked; nobody else can see it."""
    reader, notices = t.notice_readers.c, t.notices.c
    of_incident = and_(notices.name == reader.notice, notices.incident == incident)
    is_excluded = excluded(notices.incident, reader.subject, reader.organisation)
    await conn.execute(update(t.notice_readers).where(of_incident, is_excluded).values(excluded=True))


async def incidents_of_target(conn: AsyncConnection, target: str) -> list[str]:
    """Incidents where a seat of the ended key or appointment is not closed yet."""
    seat = t.seats.c
    found = await conn.execute(
        select(seat.incident)
        .where(seat.closed_time.is_(None), or_(seat.kid == target, seat.appointment == target))
        .distinct()
        .order_by(seat.incident)
    )
    return list(found.scalars())


async def incidents_excluding(conn: AsyncConnection, organisation: str) -> list[str]:
    """Incidents whose reporter excluded the organisation."""
    row = t.exclusions.c
    found = await conn.execute(select(row.incident).where(row.target == organisation).order_by(row.incident))
    return list(found.scalars())


async def incidents_with_lost_seats(conn: AsyncConnection) -> list[str]:
    """Incidents that a lost job left with seats of ended or excluded holders."""
    seat = t.seats.c
    is_open = seat.closed_time.is_(None)
    by_end = select(seat.incident).where(is_open, ended(seat.kid, seat.appointment))
    by_exclusion = select(seat.incident).where(
        is_open, excluded(seat.incident, seat.subject, seat.organisation)
    )
    return list((await conn.execute(union(by_end, by_exclusion).limit(BATCH))).scalars())


async def ever_asked(conn: AsyncConnection, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Keys that were ever readers of the notice, and the sections it was about."""
    readers = union(
        select(t.notice_readers.c.kid).where(t.notice_readers.c.notice == name),
        select(t.seats.c.kid).where(t.seats.c.notice == name),
    ).subquery()
    sections = select(t.notice_sections.c.section).where(t.notice_sections.c.notice == name).subquery()
    kids = select(func.array_agg(readers.c.kid)).scalar_subquery()
    names = select(func.array_agg(sections.c.section)).scalar_subquery()
    found = (await conn.execute(select(kids.label("kids"), names.label("names")))).one()
    return frozenset(found.kids or ()), frozenset(found.names or ())
