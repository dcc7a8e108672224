"""The tables the code names are those that the migration makes, and what only grows cannot be changed."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, delete, inspect, text, update
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from services.disclosure.store import tables as t
from services.kernel.db import driver_url
from tests.integration.disclosure.builders import World, new


def test_every_table_and_column_is_there(database: str) -> None:
    engine = create_engine(driver_url(database), use_native_hstore=False)
    found = inspect(engine)

    there = {
        name: {
            one["name"]: (one["type"].compile(engine.dialect), one["nullable"])
            for one in found.get_columns(name, "disclosure")
        }
        for name in found.get_table_names("disclosure")
    }
    ours = {
        table.name: {one.name: (one.type.compile(engine.dialect), one.nullable) for one in table.columns}
        for table in t.METADATA.sorted_tables
    }
    engine.dispose()

    assert {name: there[name] for name in ours} == ours
    assert set(there) - set(ours) == {"alembic_version", "idempotency"}


@pytest.mark.parametrize("table", ["exclusions", "affiliations", "ended", "acts", "releases"])
async def test_what_only_grows_is_neither_changed_nor_deleted(world: World, table: str) -> None:
    grows = t.METADATA.tables[f"disclosure.{table}"]
    column = list(grows.columns)[-1]
    for change in (
        delete(grows),
        update(grows).values({column.name: column}),
        text(f"TRUNCATE disclosure.{table}"),
    ):
        with pytest.raises(SQLAlchemyError, match="only grow"):
            async with world.deps.database.transaction() as conn:
                await conn.execute(change)


async def test_a_notice_has_one_live_consent_at_most(world: World) -> None:
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    await reporter.give(asked)

    async with world.deps.database.transaction() as conn:
        row = (await conn.execute(t.consents.select().where(t.consents.c.notice == asked.notice))).one()
    with pytest.raises((ProgrammingError, SQLAlchemyError), match="consents_one_live"):
        async with world.deps.database.transaction() as conn:
            await conn.execute(t.consents.insert().values(row._asdict() | {"name": new("consents")}))
