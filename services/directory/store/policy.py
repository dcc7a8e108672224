"""What the policy engine shall know of an organisation or participation, and whose seats an ending ends."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import Capacity, MemberState, OrganisationState, ParticipationState, Seats
from services.directory.store.rows import Query, rows
from services.directory.store.tables import appointments, keys, members, organisations, participations
from services.kernel.authz import PolicyTuple

RELATIONS = {Capacity.COUNSELLOR: "counsellor", Capacity.SAFETY_CONTACT: "safety_contact"}
ACTING = and_(members.c.state == MemberState.ACTIVE, organisations.c.state == OrganisationState.ACTIVE)


def policy_object(name: str) -> str:
    """Returns the policy engine's name of a resource: `organisations/x` is `organisation:x`."""
    collection, _, identifier = name.partition("/")
    return f"{collection.removesuffix('s')}:{identifier}"


def policy_user(subject: str) -> str:
    """Returns the policy engine's name of a person or system."""
    return f"user:{subject.partition('/')[2]}"


async def wanted_tuples(conn: AsyncConnection, name: str) -> set[PolicyTuple]:
    """Returns exactly the tuples that an organisation or participation shall have."""
    kind = name.partition("/")[0]
    return await (_of_organisation if kind == "organisations" else _of_participation)(conn, name)


async def names_after(conn: AsyncConnection, after: str, limit: int) -> list[str]:
    """Returns organisations and participations that follow `after`, by name."""
    every = union_all(select(organisations.c.name), select(participations.c.name)).subquery()
    query = select(every.c.name).where(every.c.name > after).order_by(every.c.name).limit(limit)
    return [row.name for row in await rows(conn, query)]


async def _of_organisation(conn: AsyncConnection, name: str) -> set[PolicyTuple]:
    query = (
        select(members.c.subject, members.c.admin)
        .join(organisations, organisations.c.name == members.c.organisation)
        .where(members.c.organisation == name, ACTING)
    )
    found = await rows(conn, query)
    of = policy_object(name)
    held = {PolicyTuple(policy_user(row.subject), "member", of) for row in found}
    return held | {PolicyTuple(policy_user(row.subject), "admin", of) for row in found if row.admin}


async def _of_participation(conn: AsyncConnection, name: str) -> set[PolicyTuple]:
    of = policy_object(name)
    wanted = set()
    for row in await rows(conn, select(participations).where(participations.c.name == name)):
        wanted.add(PolicyTuple(policy_object(row.organisation), "organisation", of))
        if row.production:
            wanted.add(PolicyTuple(policy_object(row.production), "production", of))
    for row in await rows(conn, _holders(name)):
        wanted.add(PolicyTuple(policy_user(row.subject), RELATIONS[row.capacity], of))
    return wanted


def _holders(name: str) -> Query:
    # Ending a participation closes its readers' door and leaves its counsellors theirs.
    open_door = or_(
        participations.c.state != ParticipationState.ENDED, appointments.c.capacity == Capacity.COUNSELLOR
    )
    return (
        select(appointments.c.subject, appointments.c.capacity)
        .join(participations, participations.c.name == appointments.c.participation)
        .join(members, members.c.name == appointments.c.member)
        .join(organisations, organisations.c.name == members.c.organisation)
        .where(appointments.c.participation == name, appointments.c.ended.is_(False), ACTING, open_door)
    )


async def touched_by_member(conn: AsyncConnection, member: str, organisation: str) -> list[str]:
    """Returns the resources whose tuples follow a membership: its organisation and where it holds a role."""
    query = select(appointments.c.participation).where(appointments.c.member == member).distinct()
    return [organisation, *(row.participation for row in await rows(conn, query))]


async def touched_by_organisation(conn: AsyncConnection, organisation: str) -> list[str]:
    """Returns the resources whose tuples follow an organisation: itself and its participations."""
    query = select(participations.c.name).where(participations.c.organisation == organisation)
    return [organisation, *(row.name for row in await rows(conn, query))]


async def ended_seats(conn: AsyncConnection, name: str) -> Seats:
    """Returns by what an ended member, appointment, participation or organisation may hold no seat."""
    kids = await rows(
        conn, select(keys.c.kid).join(members, members.c.name == keys.c.member).where(_whose(name))
    )
    roles = await rows(conn, select(appointments.c.name).where(_which(name)))
    return Seats(tuple(row.kid for row in kids), tuple(row.name for row in roles))


def _whose(name: str) -> ColumnElement[bool]:
    match name.partition("/")[0]:
        case "members":
            return members.c.name == name
        case "organisations":
            return members.c.organisation == name
        case _:
            return false()


def _which(name: str) -> ColumnElement[bool]:
    match name.partition("/")[0]:
        case "members":
            return appointments.c.member == name
        case "organisations":
            return appointments.c.organisation == name
        case "participations":
            return and_(
                appointments.c.participation == name, appointments.c.capacity == Capacity.SAFETY_CONTACT
            )
        case _:
            return appointments.c.name == name
