"""Who takes part in what, and who can be chosen there."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
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
from services.directory.store.rows import Query, among, columns, every, only, rows
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


async def is_independent_point(conn: AsyncConnection, organisation: str) -> bool:
    """Whether an organisation is the independent point."""
    return bool(await conn.scalar(*_is_independent_point(organisation=organisation)))


@Prepared
def _is_independent_point(organisation: str) -> Select[bool]:
    return select(of_independent_point(organisation))


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


async def production_by_code(conn: AsyncConnection, code: str) -> Production:
    """Returns the production with that code. Raises NotPermitted when there is none."""
    return await only(conn, Production, *_production_by_code(code=code))


@Prepared
def _production_by_code(code: str) -> Query:
    return select(*columns(Production)).where(productions.c.code == code)


async def own_production(conn: AsyncConnection, name: str, own: str) -> Production:
    """Returns the production of that name where an organisation takes part, or raises NotPermitted."""
    return await only(conn, Production, *_own_production(name=name, own=own))


@Prepared
def _own_production(name: str, own: str) -> Query:
    return select(*columns(Production)).where(productions.c.name == name, takes_part(own))


async def current_roles(conn: AsyncConnection, member: str) -> tuple[Contact, ...]:
    """Returns the roles of a member that count now."""
    return await every(conn, Contact, *_current_roles(member=member))


@Prepared
def _current_roles(member: str) -> Query:
    return _contacts(and_(appointments.c.member == member, CURRENT))


async def roles(conn: AsyncConnection, members_: Iterable[str]) -> tuple[Contact, ...]:
    """Returns the roles that members have or had."""
    return await every(conn, Contact, *_roles(holders=list(members_)))


@Prepared
def _roles(holders: list[str]) -> Query:
    return _contacts(among(appointments.c.member, holders))


async def role(conn: AsyncConnection, appointment: str) -> Contact:
    """Returns the role that an appointment made."""
    (found,) = await every(conn, Contact, *_role(appointment=appointment))
    return found


@Prepared
def _role(appointment: str) -> Query:
    return _contacts(appointments.c.name == appointment)


def _contacts(condition: ColumnElement[bool]) -> Query:
    """At most 256 roles that satisfy the condition, with their holders' current keys.

    The independent point's come first: nobody crowds them out by appointing many.
    """
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
    return _contacts(and_(among(appointments.c.participation, of), CURRENT))


async def entry(conn: AsyncConnection, of: Production | None) -> Circle:
    """Returns who takes part in a production, or the standing entry: the independent point alone."""
    taking = await every(conn, Participation, *_entry(production=of.name if of else ""))
    return await _circle(conn, (of,) if of else (), taking)


@Prepared
def _entry(production: str) -> Query:
    here = or_(participations.c.production == production, participations.c.independent)
    return _participations(and_(TAKES_PART, here))


async def circle(conn: AsyncConnection, names: Iterable[str]) -> Circle:
    """Returns participations in any state, with their contacts that count now."""
    taking = await every(conn, Participation, *_these(names=list(names)))
    return await _circle(conn, await _productions(conn, taking), taking)


@Prepared
def _these(names: list[str]) -> Query:
    return _participations(among(participations.c.name, names))


async def circle_of(conn: AsyncConnection, organisation: str) -> Circle:
    """Returns where an organisation takes part, with the contacts that count now."""
    taking = await every(conn, Participation, *_taking(organisation=organisation))
    return await _circle(conn, await _productions(conn, taking), taking)


@Prepared
def _taking(organisation: str) -> Query:
    return _participations(and_(participations.c.organisation == organisation, TAKES_PART))


def _participations(which: ColumnElement[bool]) -> Query:
    """At most 64 participations that satisfy the condition, which can be over their organisations too."""
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
    return await every(conn, Production, *_productions_named(names=list(names)))


@Prepared
def _productions_named(names: list[str]) -> Query:
    return select(*columns(Production)).where(among(productions.c.name, names))


async def titles(conn: AsyncConnection, of: Iterable[Participation]) -> dict[str, tuple[str, str]]:
    """Returns the titles of productions and of who leads them, by the names of the productions."""
    names = {participation.production for participation in of}
    return {row.name: (row.title, row.lead_title) for row in await rows(conn, *_titles(names=list(names)))}


@Prepared
def _titles(names: list[str]) -> Query:
    return (
        select(productions.c.name, productions.c.title, organisations.c.title.label("lead_title"))
        .join(organisations, organisations.c.name == productions.c.lead)
        .where(among(productions.c.name, names))
    )


async def _organisations(conn: AsyncConnection, of: Iterable[Participation]) -> tuple[Organisation, ...]:
    names = {participation.organisation for participation in of}
    return await every(conn, Organisation, *_named(names=list(names)))


@Prepared
def _named(names: list[str]) -> Query:
    return select(*columns(Organisation)).where(among(organisations.c.name, names))


async def count_participations(conn: AsyncConnection, production: str) -> int:
    """Returns how many organisations take part or were asked to."""
    return await conn.scalar(*_count(production=production)) or 0


@Prepared
def _count(production: str) -> Select[int]:
    row = participations.c
    return select(func.count()).where(row.production == production, row.state != ParticipationState.ENDED)


async def current_appointments(conn: AsyncConnection, participation: str) -> tuple[Appointment, ...]:
    """Returns the roles for a participation that were not ended."""
    return await every(conn, Appointment, *_appointments(participation=participation))


@Prepared
def _appointments(participation: str) -> Query:
    row = appointments.c
    return select(*columns(Appointment)).where(row.participation == participation, row.ended.is_(False))
