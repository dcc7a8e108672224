"""What closing deletes and marks. Wraps go with the pairs they belong to; the reporter's own never go.

Every function runs in the caller's transaction, under the exclusive lock of the incident.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Update,
    and_,
    case,
    delete,
    exists,
    func,
    select,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.crypto.statements import StatementKind
from services.disclosure.domain import Answer, CloseReason, ConsentState, NoticeState
from services.disclosure.store import tables as t
from services.disclosure.store.seats import excluded, number
from services.kernel.errors import NotPermitted
from services.kernel.narrowings import note
from services.kernel.statements import Prepared


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice as closing needs it."""

    name: str
    incident: str
    state: NoticeState
    consent: str | None


async def rise(conn: AsyncConnection, incident: str, *, epoch: bool) -> None:
    """Raises the version, and with `epoch` sends openings that are under way back to the start."""
    await conn.execute(*_rise(which=incident, epoch=epoch))


@Prepared
def _rise(which: str, *, epoch: bool) -> Update:
    row = t.incidents.c
    values = {row.version: row.version + 1} | ({row.epoch: row.epoch + 1} if epoch else {})
    return update(t.incidents).where(row.name == which).values(values)


async def notice(conn: AsyncConnection, name: str) -> NoticeRow:
    """Reads a notice. Raises NotPermitted where there is none."""
    one = (await conn.execute(*_notice(name=name))).one_or_none()
    if one is None:
        raise NotPermitted
    return NoticeRow(one.name, one.incident, NoticeState(one.state), one.consent)


@Prepared
def _notice(name: str) -> Select[Any]:
    row = t.notices.c
    return select(row.name, row.incident, row.state, row.consent).where(row.name == name)


async def open_notices(conn: AsyncConnection, incident: str) -> list[str]:
    """Notices of the incident that are not closed, by name."""
    return list(await conn.scalars(*_open_notices(incident=incident)))


@Prepared
def _open_notices(incident: str) -> Select[Any]:
    row = t.notices.c
    return select(row.name).where(row.incident == incident, row.close_time.is_(None)).order_by(row.name)


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
    if kids is None:
        await conn.execute(*_closing_all(grant=grant, reason=reason.value))
    else:
        await conn.execute(*_closing_some(grant=grant, reason=reason.value, kids=sorted(kids)))


async def _version(conn: AsyncConnection, incident: str) -> int | None:
    version: int | None = await conn.scalar(*_version_of(incident=incident))
    return version


@Prepared
def _version_of(incident: str) -> Select[Any]:
    row = t.incidents.c
    return select(row.version).where(row.name == incident)


async def end_consent(conn: AsyncConnection, consent: str, state: ConsentState, reason: CloseReason) -> None:
    """Closes all seats of a consent and marks it as ended; one that ended before keeps its first state."""
    note("consent", consent=consent, state=state.value, reason=reason.value)
    await conn.execute(*_ending(consent=consent, became=state.value, reason=reason.value))


@Prepared
def _ending(consent: str, became: int, reason: str) -> Update:
    row = t.consents.c
    given = row.state == number(ConsentState.GIVEN)
    ending = update(t.consents).where(row.name == consent, given).values(state=became)
    return _closing(consent, reason, _all(consent)).add_cte(ending.cte("ended_consent"))


@Prepared
def _closing_all(grant: str, reason: str) -> Update:
    return _closing(grant, reason, _all(grant))


@Prepared
def _closing_some(grant: str, reason: str, kids: Sequence[str]) -> Update:
    return _closing(grant, reason, kids)


def _all(grant: str) -> Select[Any]:
    return select(t.seats.c.kid).where(t.seats.c.grant_name == grant)


def _closing(grant: str, reason: str, chosen: Select[Any] | Sequence[str]) -> Update:
    # One statement: a withdrawal waits for each round trip behind whoever keeps the service busy.
    seat, wrap, pair = t.seats.c, t.wraps.c, t.consent_sections.c
    wraps = delete(t.wraps).where(wrap.grant_name == grant, wrap.reader_kid.in_(chosen), _not_reporters())
    pairs = delete(t.consent_sections).where(pair.consent == grant, pair.reader_kid.in_(chosen))
    return (
        update(t.seats)
        .where(seat.grant_name == grant, seat.kid.in_(chosen), seat.closed_time.is_(None))
        .values(closed_time=func.kernel.app_now(), close_reason=reason)
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
    await conn.execute(*_dropping(consent=consent, kids=sorted(kids), sections=sections))


@Prepared
def _dropping(consent: str, kids: Sequence[str], sections: Sequence[str]) -> Delete:
    pair, wrap = t.consent_sections.c, t.wraps.c
    of_pairs = and_(pair.consent == consent, pair.reader_kid.in_(kids), pair.section.in_(sections))
    of_wraps = and_(wrap.grant_name == consent, wrap.reader_kid.in_(kids), wrap.section.in_(sections))
    pairs = delete(t.consent_sections).where(of_pairs)
    return delete(t.wraps).where(of_wraps, _not_reporters()).add_cte(pairs.cte("gone_pairs"))


async def kids_without_pairs(conn: AsyncConnection, consent: str) -> list[str]:
    """Keys whose seats are open under the consent though nothing is left for them to read."""
    return list(await conn.scalars(*_without_pairs(consent=consent)))


@Prepared
def _without_pairs(consent: str) -> Select[Any]:
    seat, pair = t.seats.c, t.consent_sections.c
    has = exists().where(pair.consent == seat.grant_name, pair.reader_kid == seat.kid).correlate(t.seats)
    return select(seat.kid).where(seat.grant_name == consent, seat.closed_time.is_(None), ~has)


async def open_kids(conn: AsyncConnection, grant: str) -> list[str]:
    """Keys whose seats under the grant are not closed."""
    return list(await conn.scalars(*_open_kids(grant=grant)))


@Prepared
def _open_kids(grant: str) -> Select[Any]:
    return select(t.seats.c.kid).where(t.seats.c.grant_name == grant, t.seats.c.closed_time.is_(None))


async def notices_under(conn: AsyncConnection, consent: str) -> list[str]:
    """The notice whose newest consent this is; none once another one followed."""
    return list(await conn.scalars(*_notices_under(consent=consent)))


@Prepared
def _notices_under(consent: str) -> Select[Any]:
    return select(t.notices.c.name).where(t.notices.c.consent == consent)


async def has_open_seat(conn: AsyncConnection, grant: str) -> bool:
    """Whether any seat under the grant is not closed yet."""
    return bool(await open_kids(conn, grant))


async def kids_of_people(conn: AsyncConnection, grant: str, kids: Collection[str]) -> list[str]:
    """All keys under the grant of whoever holds one of `kids`: it is people who are withdrawn."""
    return list(await conn.scalars(*_of_people(grant=grant, kids=sorted(kids))))


@Prepared
def _of_people(grant: str, kids: Sequence[str]) -> Select[Any]:
    seat = t.seats.c
    people = select(seat.subject).where(seat.grant_name == grant, seat.kid.in_(kids))
    return select(seat.kid).where(seat.grant_name == grant, seat.subject.in_(people))


async def mark_closed(conn: AsyncConnection, name: str, state: NoticeState, answer: Answer) -> None:
    """Closes a notice; a refusal stays what the reporter sees."""
    note("notice", notice=name, state=state.value, answer=answer.value)
    await conn.execute(*_marking(which=name, became=state.value, told=answer.value))


@Prepared
def _marking(which: str, became: int, told: int) -> Update:
    row, refusal = t.notices.c, number(Answer.REFUSED)
    stays = case((row.answer == refusal, refusal), else_=told)
    open_one = update(t.notices).where(row.name == which, row.close_time.is_(None))
    return open_one.values(state=became, answer=stays, close_time=func.kernel.app_now())


async def withdraw_incident(conn: AsyncConnection, incident: str) -> None:
    """Marks the whole report as withdrawn."""
    note("report", incident=incident)
    await conn.execute(update(t.incidents).where(t.incidents.c.name == incident).values(withdrawn=True))


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
    await conn.execute(*_leaving_out(incident=incident))


@Prepared
def _leaving_out(incident: str) -> Update:
    reader, notices = t.notice_readers.c, t.notices.c
    of_incident = and_(notices.name == reader.notice, notices.incident == incident)
    is_excluded = excluded(notices.incident, reader.subject, reader.organisation)
    return update(t.notice_readers).where(of_incident, is_excluded).values(excluded=True)


async def ever_asked(conn: AsyncConnection, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Keys that were ever readers of the notice, and the sections it was about."""
    found = (await conn.execute(*_ever_asked(notice=name))).one()
    return frozenset(found.kids or ()), frozenset(found.names or ())


@Prepared
def _ever_asked(notice: str) -> Select[Any]:
    reader, seat, section = t.notice_readers.c, t.seats.c, t.notice_sections.c
    readers = select(reader.kid).where(reader.notice == notice)
    everyone = union(readers, select(seat.kid).where(seat.notice == notice)).subquery()
    kids = select(func.array_agg(everyone.c.kid)).scalar_subquery()
    names = select(func.array_agg(section.section)).where(section.notice == notice).scalar_subquery()
    return select(kids.label("kids"), names.label("names"))
