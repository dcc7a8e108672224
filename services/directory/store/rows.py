"""Rows as entities and back: one mapping for all, because a column is named like its field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Row, Select, Table, Text, any_, cast, select, true, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory import domain
from services.directory.store import tables
from services.kernel.errors import NotPermitted, StaleEtag
from services.kernel.narrowings import note
from services.kernel.statements import Prepared

# A query over whatever columns.
Query = Select[*tuple[Any, ...]]
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


async def get(conn: AsyncConnection, cls: type[R], name: str) -> R:
    """Returns the entity of that name. Raises NotPermitted when there is none."""
    found = await every(conn, cls, *_named(name=name, cls=cls))
    if not found:
        raise NotPermitted
    return found[0]


@Prepared
def _named(name: str, *, cls: type) -> Query:
    return select(*columns(cls)).where(TABLES[cls].c.name == name)


async def page(
    conn: AsyncConnection, cls: type[R], condition: ColumnElement[bool], after: str, size: int
) -> tuple[R, ...]:
    """Returns at most `size` entities that satisfy the condition, by name, behind `after`."""
    name = TABLES[cls].c.name
    query = select(*columns(cls)).where(condition, name > after).order_by(name).limit(size)
    return await every(conn, cls, query)


async def add(conn: AsyncConnection, thing: object, **more: object) -> bool:
    """Inserts an entity, `more` beside it. False when that name, or a rival, is there already."""
    names = [field.name for field in fields(thing)]  # type: ignore[arg-type]  # entities only
    values = {name: getattr(thing, name) for name in names}
    statement = postgresql.insert(TABLES[type(thing)]).values(**values, **more).on_conflict_do_nothing()
    return (await conn.execute(statement.returning(true()))).first() is not None


async def save(conn: AsyncConnection, thing: R) -> R:
    """Writes a changed entity over the version it was read at. Raises StaleEtag when another came first."""
    table, later = TABLES[type(thing)], replace(thing, version=thing.version + 1)
    statement = update(table).where(table.c.name == thing.name, table.c.version == thing.version)
    if (await conn.execute(statement.values(asdict(later)))).rowcount != 1:
        raise StaleEtag
    if later.closed_as is not None:
        note("closed", name=later.name, version=later.version, state=later.closed_as)
    return later
