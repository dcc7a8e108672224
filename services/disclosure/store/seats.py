"""Seats: who sits where, the one meaning of a live seat, endings, affiliations and hand-overs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    SmallInteger,
    and_,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import ConsentState, NoticeState
from services.disclosure.store import tables as t
from services.kernel.narrowings import note


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
