"""Who takes part in what, and who can be chosen there."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import (
    MAX_PARTICIPATIONS,
    Appointment,
    Capacity,
    Circle,
    Contact,
    MemberState,
    Organisation,
    OrganisationState,
    Participation,
    ParticipationState,
    Production,
)
from services.directory.store.books import book
from services.directory.store.rows import Query, columns, every, rows
from services.directory.store.tables import appointments, members, organisations, participations, productions
from services.kernel.statements import Prepared

CONTACT_BOUND = 256
CONTACT = (
    appointments.c.name,
    appointments.c.participation,
    appointments.c.capacity,
    members.c.kid,
    appointments.c.subject,
    appointments.c.ended,
)
# An accepted participation of an organisation that may act.
TAKES_PART = and_(
    participations.c.state == ParticipationState.ACCEPTED, organisations.c.state == OrganisationState.ACTIVE
)
# A role that counts now. Counsellors outlast their participation, for the incidents they took in.
CURRENT = and_(
    appointments.c.ended.is_(False),
    members.c.state == MemberState.ACTIVE,
    organisations.c.state == OrganisationState.ACTIVE,
    or_(
        participations.c.state == ParticipationState.ACCEPTED,
        and_(
            participations.c.state == ParticipationState.ENDED, appointments.c.capacity == Capacity.COUNSELLOR
        ),
    ),
)


def of_independent_point(organisation: str) -> ColumnElement[bool]:
    """Whether an organisation is the independent point, which takes part in everything."""
    return exists().where(participations.c.independent, participations.c.organisation == organisation)


def takes_part(organisation: str) -> ColumnElement[bool]:
    """Whether an organisation takes part in the production of the row."""
    own = exists().where(
        participations.c.production == productions.c.name,
        participations.c.organisation == organisation,
        participations.c.state == ParticipationState.ACCEPTED,
    )
    return or_(own, of_independent_point(organisation))


async def production_where(conn: AsyncConnection, condition: ColumnElement[bool]) -> Production | None:
    """Returns the one production that satisfies the condition, if any."""
    found = await every(conn, Production, select(*columns(Production)).where(condition))
    return found[0] if found else None


async def contacts(conn: AsyncConnection, condition: ColumnElement[bool]) -> tuple[Contact, ...]:
    """Returns at most 256 roles that satisfy the condition, with their holders' current keys.

    The independent point's come first: nobody crowds them out by appointing many.
    """
    return await every(conn, Contact, _contacts(condition))


def _contacts(condition: ColumnElement[bool]) -> Query:
    return (
        select(*CONTACT)
        .join(members, members.c.name == appointments.c.member)
        .join(organisations, organisations.c.name == appointments.c.organisation)
        .join(participations, participations.c.name == appointments.c.participation)
        .where(condition)
        .order_by(participations.c.independent.desc(), appointments.c.name)
        .limit(CONTACT_BOUND)
    )


@Prepared
def _current_contacts(of: list[str]) -> Query:
    return _contacts(and_(appointments.c.participation.in_(of), CURRENT))


async def entry(conn: AsyncConnection, production: Production | None) -> Circle:
    """Returns who takes part in a production, or the standing entry: the independent point alone."""
    name = production.name if production else ""
    taking = await every(conn, Participation, *_entry(production=name))
    return await _circle(conn, (production,) if production else (), taking)


@Prepared
def _entry(production: str) -> Query:
    here = or_(participations.c.production == production, participations.c.independent)
    return _participations(and_(TAKES_PART, here))


async def circle(conn: AsyncConnection, which: ColumnElement[bool]) -> Circle:
    """Returns at most 64 participations that satisfy the condition, with their contacts that count now.

    Args:
        conn: The transaction.
        which: Over participations and their organisations.
    """
    taking = await every(conn, Participation, _participations(which))
    return await _circle(conn, await _productions(conn, taking), taking)


def _participations(which: ColumnElement[bool]) -> Query:
    return (
        select(*columns(Participation))
        .join(organisations, organisations.c.name == participations.c.organisation)
        .where(which)
        .order_by(participations.c.name)
        .limit(MAX_PARTICIPATIONS + 1)
    )


async def _circle(
    conn: AsyncConnection, of: tuple[Production, ...], taking: tuple[Participation, ...]
) -> Circle:
    names = [participation.name for participation in taking]
    chosen = await every(conn, Contact, *_current_contacts(of=names))
    return Circle(
        productions=of,
        participations=taking,
        organisations=await _organisations(conn, taking),
        contacts=chosen,
        book=await book(conn, [c.kid for c in chosen], [c.appointment for c in chosen]),
    )


async def _productions(conn: AsyncConnection, of: Iterable[Participation]) -> tuple[Production, ...]:
    names = {participation.production for participation in of}
    return await every(conn, Production, select(*columns(Production)).where(productions.c.name.in_(names)))


async def titles(conn: AsyncConnection, of: Iterable[Participation]) -> dict[str, tuple[str, str]]:
    """Returns the titles of productions and of who leads them, by the names of the productions."""
    query = (
        select(productions.c.name, productions.c.title, organisations.c.title.label("lead_title"))
        .join(organisations, organisations.c.name == productions.c.lead)
        .where(productions.c.name.in_({participation.production for participation in of}))
    )
    return {row.name: (row.title, row.lead_title) for row in await rows(conn, query)}


async def _organisations(conn: AsyncConnection, of: Iterable[Participation]) -> tuple[Organisation, ...]:
    names = {participation.organisation for participation in of}
    return await every(conn, Organisation, *_named(names=names))


@Prepared
def _named(names: set[str]) -> Query:
    return select(*columns(Organisation)).where(organisations.c.name.in_(names))


async def count_participations(conn: AsyncConnection, production: str) -> int:
    """Returns how many organisations take part or were asked to."""
    query = select(func.count()).where(
        participations.c.production == production, participations.c.state != ParticipationState.ENDED
    )
    return (await conn.execute(query.select_from(participations))).scalar_one()


async def current_appointments(conn: AsyncConnection, participation: str) -> tuple[Appointment, ...]:
    """Returns the roles for a participation that were not ended."""
    query = select(*columns(Appointment)).where(
        appointments.c.participation == participation, appointments.c.ended.is_(False)
    )
    return await every(conn, Appointment, query)
