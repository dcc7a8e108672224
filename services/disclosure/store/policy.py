"""What SQL wants the policy engine to hold of one incident, and which incidents there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, false, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import ConsentState
from services.disclosure.store import tables as t
from services.disclosure.store.seats import live_seat
from services.kernel.statements import Prepared


@dataclass(frozen=True, slots=True)
class Arming:
    """A notice that is not closed and whose consent is given; readers with the kinds they may read."""

    recipient: str
    decision_stands: bool
    purposes: tuple[int, ...]
    valid_from: datetime
    valid_until: datetime
    readers: Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the tuples of one incident follow from. `handlers` are pairs of subject and participation."""

    incident: str
    handlers: frozenset[tuple[str, str]] = frozenset()
    conflicted: frozenset[str] = frozenset()
    notices: frozenset[str] = frozenset()
    armed: Mapping[str, Arming] = field(default_factory=dict)


async def facts(conn: AsyncConnection, incident: str, notice: str = "") -> Facts:
    """Reads it as committed now, of all notices or of one; an incident that is not there wants nothing."""
    noted = (await conn.execute(*_noted(incident=incident, notice=notice, one=bool(notice)))).one()
    return Facts(
        incident,
        handlers=frozenset(zip(noted.subjects or (), noted.participations or (), strict=True)),
        conflicted=frozenset(noted.conflicted or ()),
        notices=frozenset(noted.names or ()),
        armed=await _armed(conn, incident, notice),
    )


def _of_these(incident: str, notice: str, *, one: bool) -> ColumnElement[bool]:
    row = t.notices.c
    return and_(row.incident == incident, row.name == notice) if one else row.incident == incident


@Prepared
def _noted(incident: str, notice: str, *, one: bool) -> Select[Any]:
    names = select(func.array_agg(t.notices.c.name)).where(_of_these(incident, notice, one=one))
    conflicted = select(func.array_agg(_conflicted(incident).subquery().c.target))
    return select(
        _handlers(incident).subquery(),
        names.scalar_subquery().label("names"),
        conflicted.scalar_subquery().label("conflicted"),
    )


def _handlers(incident: str) -> Select[Any, Any]:
    """One row: who handles the incident, and as whose counsellor, in the same order."""
    seat = t.seats.c
    return (
        select(
            func.array_agg(seat.subject).label("subjects"),
            func.array_agg(seat.participation).label("participations"),
        )
        .join(t.incidents, t.incidents.c.name == seat.incident)
        .where(seat.grant_name == incident, live_seat(), t.incidents.c.withdrawn == false())
    )


def _conflicted(incident: str) -> CompoundSelect[Any]:
    excluded = t.exclusions.c
    people = select(excluded.target).where(
        excluded.incident == incident,
        or_(excluded.target.like("persons/%"), excluded.target.like("systems/%")),
    )
    theirs = (
        select(t.affiliations.c.subject)
        .join(t.exclusions, excluded.target == t.affiliations.c.organisation)
        .where(excluded.incident == incident)
    )
    return union(people, theirs)


async def _armed(conn: AsyncConnection, incident: str, notice: str) -> dict[str, Arming]:
    readers = await _readers(conn, incident, notice)
    if not readers:
        return {}
    given = await conn.execute(*_given(incident=incident, notice=notice, one=bool(notice)))
    return {
        row.name: Arming(
            row.recipient,
            row.decision_stands,
            tuple(sorted(row.purposes)),
            row.valid_from,
            row.valid_until,
            readers[row.name],
        )
        for row in given
        if row.name in readers
    }


@Prepared
def _given(incident: str, notice: str, *, one: bool) -> Select[Any]:
    row, consent = t.notices.c, t.consents.c
    return (
        select(
            row.name,
            row.recipient,
            row.decision_stands,
            consent.purposes,
            consent.valid_from,
            consent.valid_until,
        )
        .join(t.consents, and_(consent.name == row.consent, consent.state == ConsentState.GIVEN))
        .join(t.incidents, t.incidents.c.name == row.incident)
        .where(
            _of_these(incident, notice, one=one), row.close_time.is_(None), t.incidents.c.withdrawn == false()
        )
    )


async def _readers(conn: AsyncConnection, incident: str, notice: str) -> dict[str, dict[str, frozenset[int]]]:
    """By notice and person, the kinds of all live seats of that person under the newest consent."""
    found: dict[str, dict[str, frozenset[int]]] = defaultdict(dict)
    for row in await conn.execute(*_seated(incident=incident, notice=notice, one=bool(notice))):
        found[row.notice][row.subject] = frozenset(row.kinds)
    return dict(found)


@Prepared
def _seated(incident: str, notice: str, *, one: bool) -> Select[Any]:
    seat, pair = t.seats.c, t.consent_sections.c
    return (
        select(seat.notice, seat.subject, func.array_agg(pair.kind.distinct()).label("kinds"))
        .join(t.notices, and_(t.notices.c.name == seat.notice, t.notices.c.consent == seat.grant_name))
        .join(t.consent_sections, and_(pair.consent == seat.grant_name, pair.reader_kid == seat.kid))
        .where(_of_these(incident, notice, one=one), live_seat())
        .group_by(seat.notice, seat.subject)
    )


async def stay_open(conn: AsyncConnection, limit_ms: int) -> None:
    """Lets this transaction wait for the engine longer than commands may; they need no lock of it."""
    await conn.execute(*_patience(limit=str(limit_ms)))


@Prepared
def _patience(limit: str) -> Select[Any]:
    return select(
        func.set_config("transaction_timeout", "0", True),
        func.set_config("idle_in_transaction_session_timeout", limit, True),
    )


async def versions(conn: AsyncConnection, after: str, limit: int) -> list[tuple[str, int]]:
    """Incidents after a name with their versions, by name."""
    row = t.incidents.c
    statement = select(row.name, row.version).where(row.name > after).order_by(row.name).limit(limit)
    return [(found.name, found.version) for found in await conn.execute(statement)]
