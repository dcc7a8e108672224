"""What a page of an inbox costs does not depend on how much lies beyond it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest
from sqlalchemy import text

from services.coordination.domain.facts import NoticeState
from services.coordination.store import inbox
from services.kernel.db import Database
from tests.integration.coordination.harness import new
from tests.support.plans import nodes, plan_of

PAGE = 50
# As many notices as deliveries, for one reader; every tenth is another's too.
FILL = """
INSERT INTO coordination.incidents VALUES ('incidents/i', 1, '', 'kid', false, 1, now(), null, now(), 'c');
INSERT INTO coordination.notices
  SELECT 'incidents/i/notices/' || n, 'incidents/i', 'participations/s', 'participations/r', 3, '{4}', 'v1',
         now(), now(), null, null, now(), null, null, now(), 'c' FROM generate_series(1, :count) n;
INSERT INTO coordination.deliveries
  SELECT 'incidents/i/notices/' || n, :reader, true, now(), null, null, n, now(), 'c'
  FROM generate_series(1, :count) n;
INSERT INTO coordination.deliveries
  SELECT 'incidents/i/notices/' || n, 'persons/other', true, now(), null, null, n, now(), 'c'
  FROM generate_series(1, :count, 10) n;
INSERT INTO coordination.clocks
  SELECT 'incidents/i/notices/' || n, '', 4, now(), null FROM generate_series(1, :count) n;
INSERT INTO coordination.inboxes VALUES (:reader, :count);
"""


@pytest.fixture
async def store(database: str) -> AsyncIterator[Database]:
    made = Database(database, "coordination", app_name="test")
    yield made
    await made.close()


async def filled(store: Database, count: int) -> str:
    """Fills the inbox of a reader."""
    reader = new("persons")
    async with store.engine.begin() as conn:
        await conn.execute(text("SET LOCAL statement_timeout = 0"))
        await conn.execute(text("SET LOCAL transaction_timeout = 0"))
        await conn.execute(
            text("TRUNCATE coordination.incidents, coordination.inboxes, coordination.clocks CASCADE")
        )
        for statement in FILL.split(";")[:-1]:
            given = {"count": count, "reader": reader}
            await conn.execute(
                text(statement), {name: value for name, value in given.items() if f":{name}" in statement}
            )
    async with store.engine.connect() as conn:
        plain = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("SET statement_timeout = 0"))
        await plain.execute(text("ANALYZE"))
    return reader


async def explained(
    store: Database, reader: str, before: int, states: Collection[NoticeState] = ()
) -> dict[str, Any]:
    """The plan of a page, with what it read."""
    async with store.transaction() as conn:
        return await plan_of(conn, *inbox.newest(reader, before, PAGE + 1, states), "ANALYZE, BUFFERS, ")


async def test_a_page_is_one_walk_of_one_index_at_a_thousand_and_at_a_hundred_thousand(
    store: Database,
) -> None:
    read = {}
    for count in (1_000, 100_000):
        reader = await filled(store, count)
        await explained(store, reader, count // 2)
        plan = await explained(store, reader, count // 2)
        (scan,) = [node for node in nodes(plan) if "Scan" in node["Node Type"]]
        assert scan["Index Name"] == "deliveries_in_order"
        assert scan["Scan Direction"] == "Backward"
        assert not any(node["Node Type"] == "Sort" for node in nodes(plan))
        assert scan["Actual Rows"] == PAGE + 1
        read[count] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    # One level more of the index, nothing else.
    assert read[100_000] <= 1.3 * read[1_000] + 2


async def test_the_rest_of_a_page_is_found_by_name(store: Database) -> None:
    reader = await filled(store, 100_000)
    async with store.transaction() as conn:
        names = [entry.view.name for entry in await inbox.page(conn, reader, 50_000, PAGE)]
    async with store.transaction() as conn:
        plan = await plan_of(conn, *inbox._around(names=names))

    assert names == [f"incidents/i/notices/{n}" for n in range(49_999, 49_949, -1)]
    scanned = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    # The one incident and the few titles may be read whole; the notices never.
    assert "notices" not in {node["Relation Name"] for node in scanned}


async def test_the_few_that_are_open_are_found_without_the_many_that_are_closed(store: Database) -> None:
    """Forty of a hundred thousand, the oldest: as fast as if there were no others."""
    reader = await filled(store, 100_000)
    async with store.engine.begin() as conn:
        await conn.execute(text("SET LOCAL statement_timeout = 0"))
        await conn.execute(text("SET LOCAL transaction_timeout = 0"))
        await conn.execute(text("UPDATE coordination.deliveries SET live = seq <= 40"))
    async with store.engine.connect() as conn:
        plain = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("SET statement_timeout = 0"))
        await plain.execute(text("VACUUM ANALYZE coordination.deliveries"))

    plan = await explained(store, reader, 100_000, (NoticeState.OFFERED, NoticeState.OPENED))

    scans = [node for node in nodes(plan) if "Scan" in node["Node Type"]]
    assert {scan["Index Name"] for scan in scans} == {"deliveries_live", "notices_pkey"}
    assert plan["Actual Rows"] == 40
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 5 * 40
