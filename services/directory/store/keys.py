"""Keys: whose they are, what vouches for them, and which sequence each last used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Table, Text, and_, any_, cast, func, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import Book, Key, Member, Organisation, Signed, Standing
from services.directory.store.rows import Query, columns, entity, every, get, rows
from services.directory.store.tables import (
    appointments,
    endorsements,
    keys,
    members,
    organisations,
    rotations,
    sequences,
)
from services.kernel.db import Database
from services.kernel.narrowings import note

# A membership with its public key, once one was sent.
Enrolled = tuple[Member, Key | None]
# As many as one key book may carry of each.
BOOK_BOUND = 512


async def standings(conn: AsyncConnection, kids: Iterable[str]) -> list[Standing]:
    """Returns what is known of keys; unknown ones are left out."""
    query = (
        select(*columns(Key), *columns(Member), *columns(Organisation))
        .join(members, members.c.name == keys.c.member)
        .join(organisations, organisations.c.name == members.c.organisation)
        # One text whatever their number: the driver parses and the server plans it once.
        .where(keys.c.kid == any_(cast(list(kids), ARRAY(Text))))
    )
    return [_standing(iter(row)) for row in await rows(conn, query)]


def _standing(values: Any) -> Standing:
    key, member, organisation = (entity(cls, values) for cls in (Key, Member, Organisation))
    return Standing(key=key, member=member, organisation=organisation)  # type: ignore[arg-type]  # in this order


async def keys_of(conn: AsyncConnection, members_: Iterable[str]) -> tuple[Key, ...]:
    """Returns every key that members have or had."""
    return await every(conn, Key, select(*columns(Key)).where(keys.c.member.in_(list(members_))))


async def with_keys(conn: AsyncConnection, found: Sequence[Member]) -> tuple[Enrolled, ...]:
    """Returns memberships with their public keys."""
    query = select(*columns(Key)).where(keys.c.kid.in_([member.kid for member in found]))
    by_kid = {key.kid: key for key in await every(conn, Key, query)}
    return tuple((member, by_kid.get(member.kid)) for member in found)


async def enrolled(database: Database, name: str) -> Enrolled:
    """Returns a membership as it is now."""
    async with database.transaction() as conn:
        return (await with_keys(conn, [await get(conn, Member, name)]))[0]


async def add_endorsement(conn: AsyncConnection, kid: str, signer_kid: str, signed: Signed) -> None:
    """Keeps what vouches for a key."""
    values = {
        "kid": kid,
        "signer_kid": signer_kid,
        "statement": signed.statement,
        "signature": signed.signature,
    }
    await conn.execute(postgresql.insert(endorsements).values(values).on_conflict_do_nothing())


async def put_rotation(conn: AsyncConnection, old_kid: str, new_kid: str, signed: Signed) -> None:
    """Keeps an announced rotation, in the place of an earlier one of the same key."""
    values = {
        "new_kid": new_kid,
        "completed": False,
        "statement": signed.statement,
        "signature": signed.signature,
    }
    statement = postgresql.insert(rotations).values(old_kid=old_kid, **values)
    await conn.execute(statement.on_conflict_do_update(index_elements=["old_kid"], set_=values))


async def complete_rotation(conn: AsyncConnection, old_kid: str, new_kid: str) -> None:
    """Makes an announced rotation part of the book."""
    note("rotated", old_kid=old_kid, new_kid=new_kid)
    await conn.execute(update(rotations).where(rotations.c.old_kid == old_kid).values(completed=True))


async def last_sequence(conn: AsyncConnection, organisation: str, signer_kid: str) -> int:
    """Returns the signer's last sequence at an organisation; 0 when there was none."""
    query = select(sequences.c.last).where(
        sequences.c.organisation == organisation, sequences.c.signer_kid == signer_kid
    )
    return (await conn.execute(query)).scalar() or 0


async def keep_sequence(conn: AsyncConnection, organisation: str, signer_kid: str, last: int) -> None:
    """Notes the signer's last sequence at an organisation."""
    statement = postgresql.insert(sequences).values(
        organisation=organisation, signer_kid=signer_kid, last=last
    )
    update_to = {"last": func.greatest(sequences.c.last, statement.excluded.last)}
    await conn.execute(
        statement.on_conflict_do_update(index_elements=["organisation", "signer_kid"], set_=update_to)
    )


async def book(
    conn: AsyncConnection, kids: Sequence[str], vouched: Sequence[str] | None, pending: Sequence[str] = ()
) -> Book:
    """Returns what vouches for keys up to the root, in six queries whatever their number.

    Args:
        conn: The transaction.
        kids: The keys asked for.
        vouched: Names of the appointments to add; None for all that the keys' holders have or had.
        pending: Announced keys whose rotation belongs in the book before it is complete.
    """
    holders = await _members_of(conn, kids)
    chosen = appointments.c.member.in_(holders) if vouched is None else appointments.c.name.in_(list(vouched))
    roles = await rows(
        conn,
        select(appointments.c.signer_kid, appointments.c.statement, appointments.c.signature)
        .where(chosen)
        .order_by(appointments.c.name)
        .limit(BOOK_BOUND),
    )
    signers = await rows(
        conn,
        select(endorsements.c.signer_kid)
        .join(keys, keys.c.kid == endorsements.c.kid)
        .where(keys.c.member.in_(holders))
        .distinct(),
    )
    admins = await _members_of(conn, {row.signer_kid for row in (*roles, *signers)})
    # An admin is endorsed by the root itself, which the union below adds: the chain has no further step.
    named = await every(conn, Key, _keys_with_root(holders | admins))
    all_kids = [key.kid for key in named]
    completed = or_(rotations.c.completed, rotations.c.new_kid.in_(list(pending)))
    return Book(
        keys=named,
        endorsements=await _signed(conn, endorsements, endorsements.c.kid.in_(all_kids)),
        rotations=await _signed(conn, rotations, and_(rotations.c.old_kid.in_(all_kids), completed)),
        appointments=tuple(Signed(row.statement, row.signature) for row in roles),
    )


async def _members_of(conn: AsyncConnection, kids: Iterable[str]) -> set[str]:
    query = select(keys.c.member).where(keys.c.kid.in_(list(kids))).distinct()
    return {row.member for row in await rows(conn, query)}


def _keys_with_root(of: set[str]) -> Query:
    roots = (
        select(endorsements.c.signer_kid)
        .join(keys, keys.c.kid == endorsements.c.kid)
        .where(keys.c.member.in_(of))
    )
    condition = or_(keys.c.member.in_(of), keys.c.kid.in_(roots))
    return select(*columns(Key)).where(condition).order_by(keys.c.kid).limit(BOOK_BOUND)


async def _signed(conn: AsyncConnection, table: Table, condition: ColumnElement[bool]) -> tuple[Signed, ...]:
    # Without an order the same book could be told in another one after something else was written.
    query = select(table.c.statement, table.c.signature).where(condition).order_by(table.c.signature)
    return tuple(Signed(row.statement, row.signature) for row in await rows(conn, query.limit(BOOK_BOUND)))
