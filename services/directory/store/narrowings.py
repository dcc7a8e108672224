"""Closes again, in a database that was restored, what the directory's journal says was closed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, case, exists, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import OrganisationState, Seats
from services.directory.store import policy
from services.directory.store.tables import (
    appointments,
    keys,
    members,
    organisations,
    participations,
    productions,
    rotations,
)
from services.kernel.clock import Ids
from services.kernel.db import Database
from services.kernel.narrowings import JournalDamaged, Narrowing

STATES: dict[str, Table] = {
    "organisations": organisations,
    "members": members,
    "participations": participations,
}


async def apply(database: Database, ids: Ids, narrowings: Sequence[Narrowing]) -> Seats:
    """Closes all of it and returns by what no seat may be held. Idempotent.

    What has a version is closed only where the restored one is older: it may have been opened again since.
    """
    kids: list[str] = []
    roles: list[str] = []
    ordered = sorted(narrowings, key=lambda one: one.number("version") if "version" in one.fields else 0)
    for one in ordered:

        async def unit(conn: AsyncConnection, one: Narrowing = one) -> Seats:
            return await _apply(conn, ids, one)

        ended = await database.run_unit(unit)
        kids.extend(ended.kids)
        roles.extend(ended.appointments)
    return Seats(tuple(kids), tuple(roles))


async def _apply(conn: AsyncConnection, ids: Ids, one: Narrowing) -> Seats:
    match one.kind:
        case "closed":
            return await _close(conn, one)
        case "rotated":
            await _rotate(conn, one.text("old_kid"), one.text("new_kid"))
            return Seats((one.text("old_kid"),))
        case "code":
            await _end_code(conn, ids, one)
            return Seats()
    raise JournalDamaged(f"narrowings: {one.kind} is unknown to this version")


async def _close(conn: AsyncConnection, one: Narrowing) -> Seats:
    name, version, state = one.text("name"), one.number("version"), one.number("state")
    kind = name.partition("/")[0]
    table = STATES.get(kind, appointments)
    values: dict[str, object] = {"version": version}
    values |= {"ended": True} if table is appointments else {"state": table.c.state.type.cls(state)}  # type: ignore[attr-defined]  # every state is Coded
    await conn.execute(update(table).where(table.c.name == name, table.c.version < version).values(values))
    may_return = kind == "organisations" and state != OrganisationState.LEFT
    return Seats() if may_return else await policy.ended_seats(conn, name)


async def _rotate(conn: AsyncConnection, old_kid: str, new_kid: str) -> None:
    """Puts the next key in force; where the backup does not know it, the membership is left without a key."""
    announced = exists().where(
        rotations.c.old_kid == old_kid, rotations.c.new_kid == new_kid, keys.c.kid == rotations.c.new_kid
    )
    await conn.execute(
        update(members)
        .where(members.c.kid == old_kid)
        .values(kid=case((announced, new_kid), else_=""), pending_kid="")
    )
    await conn.execute(
        update(rotations)
        .where(rotations.c.old_kid == old_kid, rotations.c.new_kid == new_kid)
        .values(completed=True)
    )


async def _end_code(conn: AsyncConnection, ids: Ids, one: Narrowing) -> None:
    row, version = productions.c, one.number("version")
    await conn.execute(
        update(productions)
        .where(row.name == one.text("production"), row.version < version)
        .values(code=ids.new_id(), version=version)
    )
