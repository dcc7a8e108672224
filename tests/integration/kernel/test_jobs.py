"""Jobs that commit with their change, are repeated until they succeed, and outlive their worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import procrastinate
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel import jobs as module
from services.kernel.clock import SystemClock
from services.kernel.db import Database
from services.kernel.jobs import Jobs, Sweep, Task, for_each
from services.kernel.log import request_id


class Record:
    """What handlers did."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures = 0
        self.now = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def keep(self, **ids: str) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
            await asyncio.sleep(0.02)
            if self.failures > 0:
                self.failures -= 1
                raise RuntimeError("not yet")
            self.done.append(ids["thing"])
        finally:
            self.now -= 1

    async def until(self, holds: Callable[[], bool], limit_s: float = 8.0) -> None:
        async with asyncio.timeout(limit_s):
            while not holds():
                await asyncio.sleep(0.01)


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def jobs(database: Database, record: Record) -> Jobs:
    made = Jobs("alpha", database, concurrency=2)
    made.register({"keep": Task(record.keep, max_wait_s=1)})
    return made


@asynccontextmanager
async def working(jobs: Jobs) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    worker = asyncio.create_task(jobs.run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        async with asyncio.timeout(10):
            await worker


def deferring(jobs: Jobs, *things: str, lock: str | None = None, fail: bool = False) -> Any:
    async def work(conn: AsyncConnection) -> None:
        for thing in things:
            await conn.execute(text("INSERT INTO things VALUES (:name)"), {"name": thing})
            await jobs.defer(conn, "keep", lock=lock, thing=thing)
        if fail:
            raise RuntimeError("rolled back")

    return work


async def queued(database: Database) -> int:
    async with database.transaction() as conn:
        return int(await conn.scalar(text("SELECT count(*) FROM jobs.procrastinate_jobs")) or 0)


async def test_a_commit_starts_the_job_and_a_rollback_drops_it(
    database: Database, jobs: Jobs, record: Record
) -> None:
    async with working(jobs):
        with pytest.raises(RuntimeError):
            await database.run_unit(deferring(jobs, "dropped", fail=True))
        await database.run_unit(deferring(jobs, "kept"))
        await record.until(lambda: bool(record.done))

    assert record.done == ["kept"]
    assert await queued(database) == 0


async def test_each_run_has_a_request_id_of_its_own(database: Database) -> None:
    """The calls that a job makes can be followed from hop to hop, and lead back to no caller."""
    seen: list[str] = []

    async def look(**_ids: str) -> None:
        seen.append(request_id.get())

    jobs = Jobs("alpha", database)
    jobs.register({"keep": Task(look)})
    request_id.set("of the caller")
    async with working(jobs):
        await database.run_unit(deferring(jobs, "first", "second"))
        async with asyncio.timeout(8):
            while len(seen) < 2:
                await asyncio.sleep(0.01)

    assert len({*seen, "of the caller", ""}) == 4


@pytest.mark.parametrize(("failing", "done"), [({"b"}, "abcd"), (set("abcdefghijkl"), "abcdefghij")])
async def test_one_that_fails_keeps_no_other_from_its_turn(failing: set[str], done: str) -> None:
    """Unless everything fails: then what they lean on is away, and the rest waits for the next sweep."""
    turns: list[str] = []

    async def work(name: str) -> None:
        turns.append(name)
        if name in failing:
            raise RuntimeError(name)

    with pytest.raises(RuntimeError, match=min(failing)):
        await for_each("abcd" if len(failing) == 1 else "abcdefghijkl", work)

    assert "".join(turns) == done


async def test_the_doorbell_starts_it_at_once(
    database: Database, jobs: Jobs, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 60.0)
    async with working(jobs):
        await until_somebody_listens(database)
        await database.run_unit(deferring(jobs, "kept"))
        await record.until(lambda: record.done == ["kept"], limit_s=2.0)


async def until_somebody_listens(database: Database) -> None:
    """A worker looks for jobs once, and from then on hears the doorbell."""
    ears = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    async with asyncio.timeout(8):
        while True:
            async with database.transaction() as conn:
                if await conn.scalar(ears):
                    return
            await asyncio.sleep(0.01)


async def test_the_raw_connection_defers_too(database: Database, jobs: Jobs, record: Record) -> None:
    async def work(driver: psycopg.AsyncConnection[Any]) -> None:
        async with driver.pipeline():
            await driver.execute("INSERT INTO things VALUES ('raw')")
            await jobs.defer(driver, "keep", thing="raw")

    await database.run_raw(work)
    async with working(jobs):
        await record.until(lambda: record.done == ["raw"])


async def test_a_failed_job_is_repeated_until_it_succeeds(
    database: Database, jobs: Jobs, record: Record
) -> None:
    record.failures = 2
    async with working(jobs):
        await database.run_unit(deferring(jobs, "stubborn"))
        await record.until(lambda: bool(record.done), limit_s=15)

    assert record.done == ["stubborn"]


async def test_no_more_run_at_once_than_allowed(database: Database, jobs: Jobs, record: Record) -> None:
    await database.run_unit(deferring(jobs, *(f"n{number}" for number in range(8))))
    async with working(jobs):
        await record.until(lambda: len(record.done) == 8)

    assert record.most == 2


async def test_jobs_of_one_lock_run_in_order(database: Database, jobs: Jobs, record: Record) -> None:
    await database.run_unit(deferring(jobs, "a", "b", "c", "d", lock="one"))
    async with working(jobs):
        await record.until(lambda: len(record.done) == 4)

    assert record.most == 1
    assert record.done == ["a", "b", "c", "d"]


async def test_the_stop_lets_running_jobs_finish(database: Database, jobs: Jobs, record: Record) -> None:
    record.gate.clear()
    async with working(jobs) as stopping:
        await database.run_unit(deferring(jobs, "running"))
        await record.until(lambda: record.now == 1)
        stopping.set()
        await asyncio.sleep(0.05)
        record.gate.set()

    assert record.done == ["running"]
    assert await queued(database) == 0


async def test_what_a_dead_worker_left_is_done_again(
    database: Database, jobs: Jobs, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(module, "STALLED_S", 1.0)
    await database.run_unit(deferring(jobs, "left"))
    await leave_behind(database)
    async with working(jobs):
        await record.until(lambda: record.done == ["left"])


async def test_what_a_worker_was_given_without_learning_of_it_is_done_after_all(
    database: Database, jobs: Jobs, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database gave a job away, and the connection broke before the answer came."""
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.2)
    async with working(jobs):
        await database.run_unit(deferring(jobs, "first"))
        await record.until(lambda: record.done == ["first"])
        await database.run_unit(lambda conn: given_away(jobs, conn))
        await record.until(lambda: record.done == ["first", "lost"])


async def test_what_takes_long_is_done_once(
    database: Database, jobs: Jobs, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.1)
    record.gate.clear()
    async with working(jobs):
        await database.run_unit(deferring(jobs, "long"))
        await asyncio.sleep(1.0)
        record.gate.set()
        await record.until(lambda: bool(record.done))
    assert (record.done, record.most) == (["long"], 1)
    assert await queued(database) == 0


GIVE_TO_THE_NEWEST = text(
    "UPDATE jobs.procrastinate_jobs SET status = 'doing', "
    "worker_id = (SELECT max(id) FROM jobs.procrastinate_workers)"
)


async def given_away(jobs: Jobs, conn: AsyncConnection) -> None:
    """Queues a job that the worker that lives is written down as doing."""
    await jobs.defer(conn, "keep", thing="lost")
    await conn.execute(GIVE_TO_THE_NEWEST)


async def leave_behind(database: Database) -> None:
    """As a worker leaves its jobs that is killed: fetched by somebody whose heart stopped long ago."""
    async with database.transaction() as conn:
        await conn.execute(
            text("INSERT INTO jobs.procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
        )
        await conn.execute(GIVE_TO_THE_NEWEST)


@pytest.mark.parametrize("off", [timedelta(days=3650), timedelta(days=-3650)])
async def test_what_failed_or_was_left_comes_again_by_the_given_clock(
    database: Database, record: Record, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    """I22: the queue's own look at the machine's clock, ten years off, decides nothing."""
    monkeypatch.setattr(procrastinate.utils, "utcnow", lambda: datetime.now(UTC) + off)
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(module, "STALLED_S", 1.0)
    jobs, record.failures = Jobs("alpha", database, clock=SystemClock()), 1
    jobs.register({"keep": Task(record.keep)})
    await database.run_unit(deferring(jobs, "left"))
    await leave_behind(database)
    began = time.monotonic()

    async with working(jobs):
        await record.until(lambda: record.done == ["left"])

    assert time.monotonic() - began > 2


async def test_ids_only(database: Database, jobs: Jobs) -> None:
    async def work(conn: AsyncConnection, value: Any) -> None:
        await jobs.defer(conn, "keep", thing=value)

    for value in ("x" * 201, "somebody's name", "Jan", {"name": "somebody"}):
        with pytest.raises(ValueError, match="ids only"):
            await database.run_unit(lambda conn, value=value: work(conn, value))


async def test_a_sweep_runs_in_one_process_at_a_time(database: Database) -> None:
    running, most, runs = 0, 0, 0

    async def sweep() -> None:
        nonlocal running, most, runs
        running += 1
        runs += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    both = [Jobs("alpha", database), Jobs("alpha", database)]
    for each in both:
        each.register({}, sweeps=(Sweep("often", 0.02, sweep),))
    async with working(both[0]), working(both[1]), asyncio.timeout(5):
        while runs < 4:
            await asyncio.sleep(0.01)

    assert most == 1


async def test_a_failing_sweep_goes_on(database: Database) -> None:
    runs = 0

    async def sweep() -> None:
        nonlocal runs
        runs += 1
        raise RuntimeError("again")

    jobs = Jobs("alpha", database)
    jobs.register({}, sweeps=(Sweep("often", 0.02, sweep),))
    async with working(jobs), asyncio.timeout(5):
        while runs < 3:
            await asyncio.sleep(0.01)


async def test_the_worker_comes_back_after_the_database_was_gone(
    database: Database, jobs: Jobs, record: Record
) -> None:
    async with working(jobs):
        await database.run_unit(deferring(jobs, "before"))
        await record.until(lambda: record.done == ["before"])
        async with database.transaction() as conn:
            await conn.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'test jobs' AND datname = current_database()"
                )
            )
        await database.run_unit(deferring(jobs, "after"))
        await record.until(lambda: record.done == ["before", "after"])
