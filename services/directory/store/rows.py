"""Rows as entities and back: one mapping for all, because a column is named like its field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Executable,
    Row,
    Select,
    Table,
    Text,
    Update,
    any_,
    cast,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory import domain
from services.directory.store import tables
from services.kernel.errors import NotPermitted, StaleEtag
from services.kernel.narrowings import note
from services.kernel.statements import Prepared

# A query over whatever columns.
Query = Select[*tuple[Any, ...]]
# What holds of a row for an organisation, whose name is given or is a statement's parameter.
Condition = Callable[[str], ColumnElement[bool]]
R = TypeVar("R", bound=domain.Resource)
E = TypeVar("E")

TABLES: dict[type, Table] = {
    domain.Organisation: tables.organisations,
    domain.Member: tables.members,
    domain.Key: tables.keys,
    domain.Invitation: tables.invitations,
    domain.Production: tables.productions,
    domain.Participation: tables.participations,
    domain.Appointment: tables.appointments,
}


def columns(cls: type) -> list[ColumnElement[object]]:
    """The columns that make one entity, in the order of its fields."""
    return [TABLES[cls].c[field.name] for field in fields(cls)]


def entity(cls: type[E], values: Iterator[Any]) -> E:
    """Takes as many values as `cls` has fields and makes one."""
    return cls(**{field.name: next(values) for field in fields(cls)})  # type: ignore[arg-type]  # E is a dataclass


def among(column: ColumnElement[str], names: Any) -> ColumnElement[bool]:
    """Whether a column is one of the names: one text whatever their number, parsed and planned once."""
    return column == any_(cast(names, ARRAY(Text)))


async def rows(
    conn: AsyncConnection, query: Query, values: Mapping[str, Any] | None = None
) -> Sequence[Row[Any]]:
    """Runs a query to its end."""
    found: Sequence[Row[Any]] = (await conn.execute(query, values)).all()
    return found


async def every(
    conn: AsyncConnection, cls: type[E], query: Query, values: Mapping[str, Any] | None = None
) -> tuple[E, ...]:
    """Returns the entities of a query over `columns(cls)`."""
    return tuple(entity(cls, iter(row)) for row in await rows(conn, query, values))


async def only(conn: AsyncConnection, cls: type[E], query: Query, values: Mapping[str, Any]) -> E:
    """Returns the one entity of a query over `columns(cls)`. Raises NotPermitted when there is none."""
    found = await every(conn, cls, query, values)
    if not found:
        raise NotPermitted
    return found[0]


async def get(conn: AsyncConnection, cls: type[R], name: str) -> R:
    """Returns the entity of that name. Raises NotPermitted when there is none."""
    return await only(conn, cls, *_named(name=name, cls=cls))


@Prepared
def _named(name: str, *, cls: type) -> Query:
    return select(*columns(cls)).where(TABLES[cls].c.name == name)


async def page(
    conn: AsyncConnection, cls: type[R], condition: Condition, own: str, after: str, size: int
) -> tuple[R, ...]:
    """Returns at most `size` entities that satisfy a condition on one's organisation, by name.

    Args:
        conn: The transaction.
        cls: Of what.
        condition: A function of a module: a page's statement is kept for each.
        own: The organisation.
        after: The name behind which they are.
        size: At most so many.
    """
    return await every(conn, cls, *_page(own=own, after=after, size=size, cls=cls, condition=condition))


@Prepared
def _page(own: str, after: str, size: int, *, cls: type, condition: Condition) -> Query:
    name = TABLES[cls].c.name
    return select(*columns(cls)).where(condition(own), name > after).order_by(name).limit(size)


async def add(conn: AsyncConnection, thing: object, **more: object) -> bool:
    """Inserts an entity, `more` beside it. False when that name, or a rival, is there already."""
    names = [field.name for field in fields(thing)]  # type: ignore[arg-type]  # entities only
    values = {name: getattr(thing, name) for name in names}
    statement, _ = _adding(cls=type(thing))
    return (await conn.execute(statement, {**values, **more})).first() is not None


@Prepared
def _adding(*, cls: type) -> Executable:
    return postgresql.insert(TABLES[cls]).on_conflict_do_nothing().returning(true())


async def save(conn: AsyncConnection, thing: R) -> R:
    """Writes a changed entity over the version it was read at. Raises StaleEtag when another came first."""
    later = replace(thing, version=thing.version + 1)
    statement, was = _saving(which=thing.name, read_at=thing.version, cls=type(thing))
    if (await conn.execute(statement, {**asdict(later), **was})).rowcount != 1:
        raise StaleEtag
    if later.closed_as is not None:
        note("closed", name=later.name, version=later.version, state=later.closed_as)
    return later


@Prepared
def _saving(which: str, read_at: int, *, cls: type) -> Update:
    row = TABLES[cls].c
    return update(TABLES[cls]).where(row.name == which, row.version == read_at)
