"""What vouches for keys, up to the root: one statement, however many the keys are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Row,
    Select,
    Table,
    Text,
    cast,
    literal_column,
    null,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import Book, Key, Signed
from services.directory.store.rows import Query, among, rows
from services.directory.store.tables import appointments, endorsements, keys, rotations
from services.kernel.statements import Prepared

# As many as one key book may carry of each.
BOUND = 512
KEYS, ENDORSEMENTS, ROTATIONS, APPOINTMENTS = range(4)


async def book(
    conn: AsyncConnection, kids: Iterable[str], vouched: Sequence[str] | None, pending: Iterable[str] = ()
) -> Book:
    """Returns what vouches for keys up to the root.

    Args:
        conn: A connection.
        kids: The keys asked for.
        vouched: Names of the appointments to add; None for all that the keys' holders have or had.
        pending: Announced keys whose rotation belongs in the book before it is complete.
    """
    asked = _book(list(kids), list(vouched or ()), list(pending), named=vouched is not None)
    found = await rows(conn, *asked)
    # Without an order the same book could be told in another one after something else was written.
    parts = [sorted((row for row in found if row.part == part), key=_place) for part in range(4)]
    return Book(
        keys=tuple(
            Key(kid=row.name, signing=row.first, sealing=row.second, member=row.member) for row in parts[KEYS]
        ),
        endorsements=_signed(parts[ENDORSEMENTS]),
        rotations=_signed(parts[ROTATIONS]),
        appointments=_signed(parts[APPOINTMENTS]),
    )


def _place(row: Row[Any]) -> tuple[str, bytes]:
    return row.name or "", row.second


def _signed(found: Iterable[Row[Any]]) -> tuple[Signed, ...]:
    return tuple(Signed(row.first, row.second) for row in found)


@Prepared
def _book(kids: list[str], vouched: list[str], pending: list[str], *, named: bool) -> Query:
    """Rows of four parts in the same columns: the name of a key or of an appointment, and two byte strings.

    Whoever holds the keys, whoever signed for them, and the root, which endorsed the signers: the chain has
    no further step.
    """
    holders = select(keys.c.member).where(among(keys.c.kid, kids)).distinct().cte("holders")
    role = appointments.c
    chosen = among(role.name, vouched) if named else role.member.in_(select(holders.c.member))
    roles = select(appointments).where(chosen).order_by(role.name).limit(BOUND).cte("roles")
    signers = union(select(roles.c.signer_kid), _signers(holders)).subquery()
    admins = select(keys.c.member).where(keys.c.kid.in_(select(signers.c.signer_kid)))
    people = union(select(holders.c.member), admins).cte("people")
    of_people = select(keys.c.kid).where(keys.c.member.in_(select(people.c.member)))
    every_kid = union(of_people, _signers(people)).subquery()
    of_book = keys.c.kid.in_(select(every_kid.c.kid))
    book_keys = select(keys).where(of_book).order_by(keys.c.kid).limit(BOUND).cte("book_keys")
    mine = select(book_keys.c.kid)
    rotated = rotations.c.old_kid.in_(mine), or_(rotations.c.completed, among(rotations.c.new_kid, pending))
    every = union_all(
        select(*_part(KEYS, book_keys.c.kid, book_keys.c.member, book_keys.c.signing, book_keys.c.sealing)),
        _statements(ENDORSEMENTS, endorsements, endorsements.c.kid.in_(mine)),
        _statements(ROTATIONS, rotations, *rotated),
        select(*_part(APPOINTMENTS, roles.c.name, null(), roles.c.statement, roles.c.signature)),
    )
    return select(every.subquery())


def _signers(people: CTE) -> Select[str]:
    """Keys that signed for keys of theirs."""
    return (
        select(endorsements.c.signer_kid)
        .join(keys, keys.c.kid == endorsements.c.kid)
        .where(keys.c.member.in_(select(people.c.member)))
    )


def _statements(part: int, table: Table, *which: ColumnElement[bool]) -> Select[Any]:
    some = select(table).where(*which).order_by(table.c.signature).limit(BOUND).subquery()
    return select(*_part(part, null(), null(), some.c.statement, some.c.signature))


def _part(
    part: int,
    name: ColumnElement[Any],
    member: ColumnElement[Any],
    first: ColumnElement[bytes],
    second: ColumnElement[bytes],
) -> list[ColumnElement[Any]]:
    return [
        literal_column(str(part)).label("part"),
        cast(name, Text).label("name"),
        cast(member, Text).label("member"),
        first.label("first"),
        second.label("second"),
    ]
