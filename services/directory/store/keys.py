"""Keys: whose they are, what vouches for them, and which sequence each last used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import Key, Member, Organisation, Signed, Standing
from services.directory.store.rows import Query, among, columns, entity, every, get, rows
from services.directory.store.tables import (
    endorsements,
    keys,
    members,
    organisations,
    rotations,
    sequences,
)
from services.kernel.db import Database
from services.kernel.narrowings import note
from services.kernel.statements import Prepared

# A membership with its public key, once one was sent.
Enrolled = tuple[Member, Key | None]

_ENDORSEMENT = postgresql.insert(endorsements).on_conflict_do_nothing()
_COUNTED = postgresql.insert(sequences)
_SEQUENCE = _COUNTED.on_conflict_do_update(
    index_elements=["organisation", "signer_kid"],
    set_={"last": func.greatest(sequences.c.last, _COUNTED.excluded.last)},
)


async def standings(conn: AsyncConnection, kids: Iterable[str]) -> list[Standing]:
    """Returns what is known of keys; unknown ones are left out."""
    return [_standing(iter(row)) for row in await rows(conn, *_standings(kids=list(kids)))]


@Prepared
def _standings(kids: list[str]) -> Query:
    return (
        select(*columns(Key), *columns(Member), *columns(Organisation))
        .join(members, members.c.name == keys.c.member)
        .join(organisations, organisations.c.name == members.c.organisation)
        .where(among(keys.c.kid, kids))
    )


def _standing(values: Any) -> Standing:
    key, member, organisation = (entity(cls, values) for cls in (Key, Member, Organisation))
    return Standing(key=key, member=member, organisation=organisation)  # type: ignore[arg-type]  # in this order


async def keys_of(conn: AsyncConnection, members_: Iterable[str]) -> tuple[Key, ...]:
    """Returns every key that members have or had."""
    return await every(conn, Key, *_keys_of(holders=list(members_)))


@Prepared
def _keys_of(holders: list[str]) -> Query:
    return select(*columns(Key)).where(among(keys.c.member, holders))


async def with_keys(conn: AsyncConnection, found: Sequence[Member]) -> tuple[Enrolled, ...]:
    """Returns memberships with their public keys."""
    theirs = _keys(kids=[member.kid for member in found])
    by_kid = {key.kid: key for key in await every(conn, Key, *theirs)}
    return tuple((member, by_kid.get(member.kid)) for member in found)


@Prepared
def _keys(kids: list[str]) -> Query:
    return select(*columns(Key)).where(among(keys.c.kid, kids))


async def enrolled(database: Database, name: str) -> Enrolled:
    """Returns a membership as it is now."""
    async with database.reading() as conn:
        return (await with_keys(conn, [await get(conn, Member, name)]))[0]


async def add_endorsement(conn: AsyncConnection, kid: str, signer_kid: str, signed: Signed) -> None:
    """Keeps what vouches for a key."""
    values = {
        "kid": kid,
        "signer_kid": signer_kid,
        "statement": signed.statement,
        "signature": signed.signature,
    }
    await conn.execute(_ENDORSEMENT, values)


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
    return await conn.scalar(*_last_sequence(organisation=organisation, signer_kid=signer_kid)) or 0


@Prepared
def _last_sequence(organisation: str, signer_kid: str) -> Select[int]:
    row = sequences.c
    return select(row.last).where(row.organisation == organisation, row.signer_kid == signer_kid)


async def keep_sequence(conn: AsyncConnection, organisation: str, signer_kid: str, last: int) -> None:
    """Notes the signer's last sequence at an organisation."""
    values = {"organisation": organisation, "signer_kid": signer_kid, "last": last}
    await conn.execute(_SEQUENCE, values)
