"""Units that cancellation cannot split, locks, limits, the clock, migrations."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psutil
import psycopg
import pytest
import sqlalchemy.exc
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel import db, migrations
from services.kernel.config import ConfigurationError
from services.kernel.db import Database, Lock, app_now
from services.kernel.errors import Unavailable
from tests.support.proxy import proxied

# Of this database only: others of the same server may be at work.
OWN_LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
WHERE locktype = 'advisory' AND datname = current_database()
"""


async def names(database: Database) -> list[str]:
    async with database.transaction() as conn:
        return list((await conn.execute(text("SELECT name FROM things ORDER BY name"))).scalars())


def adding(*added: str, wait_s: float = 0.0) -> Any:
    async def work(conn: AsyncConnection) -> str:
        for name in added:
            await conn.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})
            await asyncio.sleep(wait_s)
        return "done"

    return work


async def test_a_unit_commits_and_returns(database: Database) -> None:
    assert await database.run_unit(adding("a", "b")) == "done"
    assert await names(database) == ["a", "b"]


async def test_a_unit_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        await database.run_unit(adding("a", "a"))

    assert await names(database) == []


async def test_who_only_reads_is_in_no_transaction_and_leaves_its_connection_to_those_who_write(
    database: Database,
) -> None:
    began = text("SELECT now()")
    async with database.reading() as conn:
        first, second = await conn.scalar(began), await conn.scalar(began)

    assert first < second, "two statements of one transaction begin at the same time"
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        await database.run_unit(adding("a", "a"))
    assert await names(database) == []


async def test_a_cancelled_caller_waits_for_the_whole_unit(database: Database) -> None:
    caller = asyncio.create_task(database.run_unit(adding("a", "b", "c", wait_s=0.05)))
    await asyncio.sleep(0.07)
    caller.cancel()
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert await names(database) == ["a", "b", "c"]


async def test_the_naive_way_is_split_by_a_cancellation(database: Database) -> None:
    # What run_unit is for: the same work in the caller's own task is lost half way.
    async def naive() -> None:
        async with database.transaction() as conn:
            await adding("a", "b", wait_s=0.05)(conn)

    caller = asyncio.create_task(naive())
    await asyncio.sleep(0.07)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert await names(database) == []


async def test_storms_of_cancellation_leave_the_pool_clean(database: Database) -> None:
    async def raw(driver: psycopg.AsyncConnection[Any]) -> None:
        async with driver.pipeline():
            await driver.execute("SELECT pg_sleep(0.01)")
            await driver.execute("SELECT 1")

    async def read() -> None:
        async with database.transaction() as conn:
            await conn.execute(text("SELECT pg_sleep(0.01)"))

    async def look() -> None:
        async with database.reading() as conn:
            await conn.execute(text("SELECT pg_sleep(0.01)"))

    for round_ in range(8):
        work = [
            *(
                database.run_unit(adding(f"{round_}/{number}/x", f"{round_}/{number}/y"))
                for number in range(8)
            ),
            *(database.run_raw(raw) for _ in range(4)),
            *(read() for _ in range(4)),
            *(look() for _ in range(4)),
        ]
        tasks = [asyncio.create_task(part) for part in work]
        await asyncio.sleep(0.002 * round_)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    found = await names(database)
    wholes = {name.rpartition("/")[0] for name in found}
    assert sorted(f"{whole}/{part}" for whole in wholes for part in "xy") == found
    async with asyncio.timeout(5):
        held = [await database.engine.connect() for _ in range(8)]
    await asyncio.gather(*(database.run_raw(still_idle) for _ in range(8)))
    for conn in held:
        status = (await db.driver_connection(conn)).info.transaction_status
        assert status is psycopg.pq.TransactionStatus.IDLE
        assert (await conn.execute(text(OWN_LOCKS))).scalar() == 0
        await conn.close()


async def test_a_cancelled_call_leaves_no_connection_half_open(alpha_url: str) -> None:
    """I20: one that nobody goes on with holds a place at the server, for a minute or for ever."""

    async def look() -> None:
        opened = Database(alpha_url, "alpha", app_name="cancelled")
        try:
            async with opened.reading() as conn:
                await conn.execute(text("SELECT 1"))
        finally:
            await opened.close()

    def left() -> int:
        port = make_url(alpha_url).port
        links = psutil.Process().net_connections("tcp")
        return sum(link.status == psutil.CONN_ESTABLISHED and link.raddr.port == port for link in links)

    before = left()
    gc.disable()
    try:
        for number in range(60):
            task = asyncio.create_task(look())
            await asyncio.sleep(number / 4000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5):
            while left() > before:
                await asyncio.sleep(0.01)
    finally:
        gc.enable()


async def test_a_pipeline_of_raw_work_is_one_transaction(database: Database) -> None:
    async def insert(driver: psycopg.AsyncConnection[Any], *values: str) -> None:
        async with driver.pipeline():
            for value in values:
                await driver.execute("INSERT INTO things VALUES (%s)", [value])

    await database.run_raw(lambda driver: insert(driver, "a", "b"))
    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.run_raw(lambda driver: insert(driver, "c", "a"))

    assert await names(database) == ["a", "b"]


async def test_what_raw_work_leaves_open_is_rolled_back(database: Database) -> None:
    async def forget(driver: psycopg.AsyncConnection[Any]) -> int:
        await driver.execute("BEGIN")
        await driver.execute("INSERT INTO things VALUES ('a')")
        return driver.info.backend_pid

    async def see(driver: psycopg.AsyncConnection[Any]) -> tuple[int, psycopg.pq.TransactionStatus]:
        return driver.info.backend_pid, driver.info.transaction_status

    forgetful = await database.run_raw(forget)

    assert await database.run_raw(see) == (forgetful, psycopg.pq.TransactionStatus.IDLE)
    assert await names(database) == []


async def test_a_broken_connection_is_thrown_away(database: Database) -> None:
    async def cut(driver: psycopg.AsyncConnection[Any]) -> None:
        await driver.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(psycopg.OperationalError):
        await database.run_raw(cut)

    await database.run_raw(still_there)
    assert await names(database) == []


async def still_idle(driver: psycopg.AsyncConnection[Any]) -> None:
    assert driver.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
    locks = await driver.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    )
    assert await locks.fetchone() == (0,)


async def still_there(driver: psycopg.AsyncConnection[Any]) -> None:
    await driver.execute("SELECT 1")


async def test_shared_locks_pass_and_the_exclusive_one_waits(database: Database) -> None:
    order: list[str] = []
    both, enough = asyncio.Barrier(3), asyncio.Event()

    async def open_(_conn: AsyncConnection) -> None:
        await both.wait()
        await enough.wait()
        order.append("opened")

    async def close(_conn: AsyncConnection) -> None:
        order.append("closed")

    opening = [asyncio.create_task(database.run_unit(open_, Lock("i", shared=True))) for _ in range(2)]
    await asyncio.wait_for(both.wait(), 5)
    closing = asyncio.create_task(database.run_unit(close, Lock("i")))
    await asyncio.sleep(0.1)
    assert order == [], "the exclusive lock did not wait"
    enough.set()
    await asyncio.gather(*opening, closing)

    assert order == ["opened", "opened", "closed"]


async def test_a_lock_is_not_waited_for_without_end(database: Database) -> None:
    async def hold(_conn: AsyncConnection) -> None:
        await asyncio.sleep(0.85)

    holder = asyncio.create_task(database.run_unit(hold, Lock("i")))
    await asyncio.sleep(0.02)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        await database.run_unit(hold, Lock("i"))
    await holder


async def test_a_statement_ends_within_a_second(database: Database) -> None:
    with pytest.raises(sqlalchemy.exc.OperationalError, match="statement timeout"):
        async with database.transaction() as conn:
            await conn.execute(text("SELECT pg_sleep(3)"))


async def test_a_forgotten_transaction_is_ended(database: Database) -> None:
    async def forget(conn: AsyncConnection) -> None:
        await conn.execute(text("INSERT INTO things VALUES ('a')"))
        await asyncio.sleep(1.3)
        await conn.execute(text("SELECT 1"))

    with pytest.raises(sqlalchemy.exc.DBAPIError):
        await database.run_unit(forget)

    assert await names(database) == []


async def test_the_clock_moves_only_under_the_switch(database: Database, alpha_url: str) -> None:
    async with database.transaction() as conn:
        await conn.execute(text("UPDATE kernel.test_clock SET offset_s = 86400"))
    plain = Database(alpha_url, "alpha", app_name="production")
    async with database.transaction() as moved, plain.transaction() as real:
        difference = await app_now(moved) - await app_now(real)
        asked = await real.scalar(text("SELECT kernel.app_now() - clock_timestamp()"))
    await plain.close()

    assert timedelta(hours=23, minutes=59) < difference < timedelta(hours=24, minutes=1)
    assert abs(asked) < timedelta(seconds=1)


async def test_a_server_that_may_lose_commits_is_refused(database: Database, alpha_url: str) -> None:
    await database.check_durability()
    name = alpha_url.rpartition("/")[2]
    async with database.transaction() as conn:
        await conn.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    careless = Database(alpha_url, "alpha", app_name="careless")

    with pytest.raises(ConfigurationError, match="synchronous_commit"):
        await careless.check_durability()
    await careless.close()


def test_migrating_twice_or_at_once_is_safe(empty_database: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    assert migrations.pending(empty_database, "alpha")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrations.upgrade(empty_database, "alpha"), range(4)))
    migrations.upgrade(empty_database, "alpha")

    assert not migrations.pending(empty_database, "alpha")
    with psycopg.connect(empty_database) as conn:
        tables = conn.execute("SELECT schemaname || '.' || tablename FROM pg_tables").fetchall()
    assert {
        ("alpha.things",),
        ("alpha.idempotency",),
        ("alpha.alembic_version",),
        ("jobs.procrastinate_jobs",),
    } <= set(tables)


def test_a_process_of_the_old_version_starts_after_a_migration(empty_database: str) -> None:
    migrations.upgrade(empty_database, "alpha")
    with psycopg.connect(empty_database) as conn:
        conn.execute("UPDATE alpha.alembic_version SET version_num = '9999_from_the_future'")

    assert not migrations.pending(empty_database, "alpha")


async def test_a_hanging_server_does_not_hold_its_callers(
    alpha_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "UNIT_LIMIT_S", 0.5)
    address = make_url(alpha_url)
    async with proxied(f"{address.host}:{address.port}") as proxy:
        url = address.set(port=proxy.port).render_as_string(hide_password=False)
        database = Database(url, "alpha", app_name="test", pool_size=2)
        await database.run_unit(adding("before"))
        proxy.flowing.clear()
        for _ in range(4):
            with pytest.raises((Unavailable, sqlalchemy.exc.TimeoutError)):
                async with asyncio.timeout(2):
                    await database.run_unit(adding("lost"))
        proxy.flowing.set()
        async with asyncio.timeout(10):
            while "after" not in await _names_or_none(database):
                with suppress(Exception):
                    await database.run_unit(adding("after"))

        assert {"before", "after"} <= set(await names(database))
        await database.close()


async def _names_or_none(database: Database) -> list[str]:
    try:
        return await names(database)
    except (sqlalchemy.exc.SQLAlchemyError, psycopg.Error):
        await asyncio.sleep(0.1)
        return []
