"""Jobs that commit with the change they follow from, and sweeps that run every so often.

A job carries resource ids only, is repeated until it succeeds, and so must be idempotent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import procrastinate
import psycopg
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.clock import Clock, Ids, SystemClock, SystemIds
from services.kernel.db import Database, driver_connection
from services.kernel.failpoints import failpoint, operation
from services.kernel.log import Event, Metrics, emit, emit_failure, request_id

Handler = Callable[..., Awaitable[None]]

# What a resource name, an id or a fingerprint looks like; no text that a person wrote does.
RESOURCE_ID = re.compile(r"[a-z0-9/]{1,200}")
# The doorbell wakes a worker at once; polling is for retries, freed locks and lost doorbells.
POLL_S = 0.5
HEARTBEAT_S = 3.0
STALLED_S = 10.0
RESTART_S = 1.0
# What fails for this many in a row fails for all: whatever they lean on is away.
HOPELESS = 10


@dataclass(frozen=True, slots=True)
class Task:
    """How one kind of job is done; a failure is repeated after a wait that doubles up to `max_wait_s`."""

    handler: Handler
    max_wait_s: int = 60


@dataclass(frozen=True, slots=True)
class Sweep:
    """Something done every `every_s`, by one process at a time."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]


class _Backoff(BaseRetryStrategy):
    """When a job is repeated, by the clock that the queue in the database goes by.

    By that of a machine ten years ahead it never would be, and would block the jobs of its lock behind it.
    """

    def __init__(self, max_wait_s: int, clock: Clock) -> None:
        self._max_wait_s, self._clock = max_wait_s, clock

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:  # noqa: ARG002 (its interface)
        wait = timedelta(seconds=min(2 ** min(job.attempts, 16), self._max_wait_s))
        return RetryDecision(retry_at=self._clock.now() + wait)


class Jobs:
    """One service's queue: defer inside a transaction, run in the background.

    Args:
        service: Also the name of the queue.
        database: Whose transactions jobs commit with.
        concurrency: Jobs at once in this process.
        metrics: Where runs are counted.
        ids: Where each run's request id comes from.
        clock: Holds the time of the database.
    """

    def __init__(
        self,
        service: str,
        database: Database,
        *,
        concurrency: int = 4,
        metrics: Metrics | None = None,
        ids: Ids | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._service, self._database, self._concurrency = service, database, concurrency
        self._metrics, self._ids = metrics or Metrics(), ids or SystemIds()
        self._sweeps: tuple[Sweep, ...] = ()
        self._worker: Worker | None = None
        self._under_way = set[int | None]()
        connector = procrastinate.PsycopgConnector(
            conninfo=database.url.render_as_string(hide_password=False),
            kwargs={"options": database.options, "application_name": f"{database.app_name} jobs"},
            min_size=1,
            max_size=concurrency + 2,
            timeout=2.0,
            configure=_by_itself,
        )
        self._app = procrastinate.App(connector=connector)

    def register(self, tasks: Mapping[str, Task], sweeps: Sequence[Sweep] = ()) -> None:
        """Says what this service's jobs and sweeps are; once, while it is built."""
        for name, task in tasks.items():
            retry = _Backoff(task.max_wait_s, self._clock)
            self._app.task(name=self._full(name), queue=self._service, retry=retry, pass_context=True)(
                self._observed(name, task.handler)
            )
        self._sweeps = tuple(sweeps)

    async def defer(
        self,
        conn: AsyncConnection | psycopg.AsyncConnection[Any],
        task: str,
        /,
        *,
        lock: str | None = None,
        **ids: str,
    ) -> None:
        """Queues a job that starts only if and when the transaction of `conn` commits.

        Args:
            conn: The transaction.
            task: Name as registered.
            lock: Jobs of the same lock run one after the other, in the order they were deferred.
            ids: Resource ids, nothing else.
        """
        if not all(RESOURCE_ID.fullmatch(str(value)) for value in ids.values()):
            raise ValueError("jobs carry resource ids only")
        driver = await driver_connection(conn) if isinstance(conn, AsyncConnection) else conn
        job = self._app.tasks[self._full(task)].configure(
            connection=driver, lock=f"{self._service}/{lock}" if lock else None
        )
        await job.defer_async(**ids)

    def _full(self, name: str) -> str:
        return f"{self._service}.{name}"

    def _observed(self, name: str, handler: Handler) -> Handler:
        async def run(context: JobContext, **ids: str) -> None:
            # One id for what a run logs and for the calls it makes; it leads back to no caller.
            request_id.set(self._ids.new_id())
            operation.set(self._full(name))
            self._under_way.add(context.job.id)
            try:
                await failpoint("begin")
                await handler(**ids)
                await failpoint("end")
            except Exception as failure:
                self._metrics.jobs.labels(self._full(name), "failed").inc()
                emit_failure(Event.JOB_FAILED, failure, task=self._full(name))
                raise
            finally:
                self._under_way.discard(context.job.id)
            self._metrics.jobs.labels(self._full(name), "done").inc()

        return run

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping` is set, across losses of the database; jobs that run then are finished."""
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(self._keep_working(stopping)),
                group.create_task(self._rescue(stopping)),
            ]
            work += [group.create_task(self._sweep(sweep, stopping)) for sweep in self._sweeps]
            await stopping.wait()

    async def _keep_working(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self._work(stopping)
            except Exception as failure:  # noqa: BLE001 (the worker must come back whatever it met)
                emit_failure(Event.LOOP_FAILED, failure, service=self._service)
                await pass_time(stopping, RESTART_S)

    async def _work(self, stopping: asyncio.Event) -> None:
        async with self._app.open_async(), asyncio.TaskGroup() as group:
            self._worker = Worker(
                self._app,
                queues=[self._service],
                name=self._service,
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLL_S,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=STALLED_S,
                delete_jobs="successful",
                install_signal_handlers=False,
            )
            worker = group.create_task(self._worker.run())  # type: ignore[no-untyped-call]  # the library's
            end = group.create_task(stopping.wait())
            await asyncio.wait({worker, end}, return_when=asyncio.FIRST_COMPLETED)
            # A cancelled worker takes no more jobs and finishes those it has.
            worker.cancel()
            end.cancel()

    async def _rescue(self, stopping: asyncio.Event) -> None:
        """Queues again what a worker that died was doing, and what ours was given and does not know of."""
        strayed = frozenset[int | None]()
        while not await pass_time(stopping, HEARTBEAT_S):
            try:
                left = list(
                    await self._app.job_manager.get_stalled_jobs(
                        queue=self._service, seconds_since_heartbeat=STALLED_S
                    )
                )
                idle = await self._idle()
                # Twice in a row: one that has just begun or ended is about to be written down.
                left += [job for job in idle if job.id in strayed]
                strayed = frozenset(job.id for job in idle)
                for job in left:
                    await self._app.job_manager.retry_job(job, retry_at=self._clock.now())
                    emit(Event.JOB_RESCUED, "warning", task=job.task_name)
            except Exception as failure:  # noqa: BLE001 (the next round tries again)
                emit_failure(Event.LOOP_FAILED, failure, service=self._service)

    async def _idle(self) -> list[Job]:
        """What our worker is written down as doing, and does not: an answer of the database was lost."""
        if self._worker is None or self._worker.worker_id is None:
            return []
        doing = await self._app.job_manager.list_jobs_async(
            queue=self._service, status="doing", worker_id=self._worker.worker_id
        )
        return [job for job in doing if job.id not in self._under_way]

    async def _sweep(self, sweep: Sweep, stopping: asyncio.Event) -> None:
        while not await pass_time(stopping, sweep.every_s):
            try:
                await self._sweep_alone(sweep)
            except Exception as failure:  # noqa: BLE001 (the next round tries again)
                emit_failure(Event.SWEEP_FAILED, failure, task=self._full(sweep.name))

    async def _sweep_alone(self, sweep: Sweep) -> None:
        """Runs the sweep unless another process does; the lock is the session's, and dies with it."""
        key = {"key": self._full(sweep.name)}
        async with self._database.reading() as conn:
            if not await conn.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key):
                return
            try:
                await sweep.run()
            finally:
                await conn.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 0))"), key)


async def _by_itself(driver: psycopg.AsyncConnection[Any]) -> None:
    """Lets each statement of the queue be a transaction: none of them belongs with another."""
    await driver.set_autocommit(True)


async def for_each(names: Iterable[str], work: Callable[[str], Awaitable[object]]) -> None:
    """Does the work for every name; one that fails keeps it from no other.

    Raises:
        Exception: the first failure, once all had their turn, or once `HOPELESS` in a row have failed.
    """
    failures, in_a_row = list[Exception](), 0
    for name in names:
        try:
            await work(name)
            in_a_row = 0
        except Exception as failure:  # noqa: BLE001 (raised below)
            failures.append(failure)
            in_a_row += 1
        if in_a_row == HOPELESS:
            break
    if failures:
        raise failures[0]


async def pass_time(stopping: asyncio.Event, seconds: float) -> bool:
    """Waits; returns True at once when `stopping` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
