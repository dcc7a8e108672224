"""The one database: short transactions that cancellation cannot split, locks and the clock.

Time limits are settings of the session, made at connect, so that they cost no round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import psycopg
import psycopg_pool
from sqlalchemy import func, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.kernel.config import ConfigurationError
from services.kernel.errors import Unavailable
from services.kernel.failpoints import failpoint
from services.kernel.narrowings import Journal, collected

T = TypeVar("T")

# Design section 6: nobody waits longer than a second for a lock, and no transaction stays open longer. Each
# is below the next, so that the mildest one strikes first: a statement that times out keeps its connection.
SESSION_LIMITS_MS = {
    "statement_timeout": 800,
    "lock_timeout": 700,
    "idle_in_transaction_session_timeout": 900,
    "transaction_timeout": 1000,
}
CONNECT_TIMEOUT_S = 2
POOL_TIMEOUT_S = 1.0
# A server that hangs enforces none of its limits; after this long the unit counts as lost.
UNIT_LIMIT_S = 4.0
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")
# What runs below SQLAlchemy are a few statements on primary keys, prepared at first use and planned once:
# planning the largest of them costs eight times what running it does.
RAW_OPTIONS = "-c plan_cache_mode=force_generic_plan"
Driver = psycopg.AsyncConnection[Any]
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
LOCK_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:key, 0))")
APP_NOW = select(func.kernel.app_now())


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock of one transaction on one name; the shared kind only waits for the exclusive one."""

    key: str
    shared: bool = False


class Database:
    """One service's pool of connections to its schema.

    Args:
        url: postgresql://…
        schema: The service's own; first on the search path, then `jobs`.
        app_name: Shown in pg_stat_activity.
        pool_size: Connections at most; as many again below SQLAlchemy, once something runs there.
        clock_offset_enabled: The test switch that lets `kernel.app_now()` honour `kernel.test_clock`.
        prelude: Statements that begin each session below SQLAlchemy.
        journal: Where units keep what they close; none when absent.
    """

    def __init__(
        self,
        url: str,
        schema: str,
        *,
        app_name: str,
        pool_size: int = 8,
        clock_offset_enabled: bool = False,
        prelude: Sequence[str] = (),
        journal: Journal | None = None,
    ) -> None:
        self.schema = schema
        self.url = make_url(url).set(drivername="postgresql")
        self.options = session_options(schema, clock_offset_enabled=clock_offset_enabled)
        self.app_name = app_name
        self._prelude, self._journal = tuple(prelude), journal
        self._lost: set[asyncio.Task[Any]] = set()
        self.engine: AsyncEngine = create_async_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=0,
            # The connection used last has the statements prepared and what they read at hand.
            pool_use_lifo=True,
            pool_timeout=POOL_TIMEOUT_S,
            use_native_hstore=False,
            # Else an INSERT reports -1 rows, and `ON CONFLICT DO NOTHING` would never be noticed.
            execution_options={"preserve_rowcount": True},
            connect_args={
                "options": self.options,
                "application_name": app_name,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "async_creator_fn": _connected,
            },
        )
        self._drivers = psycopg_pool.AsyncConnectionPool(
            self.url.render_as_string(hide_password=False),
            kwargs={
                "options": f"{self.options} {RAW_OPTIONS}",
                "application_name": app_name,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "autocommit": True,
                "prepare_threshold": 0,
            },
            min_size=0,
            max_size=pool_size,
            configure=self._begin_session,
            timeout=POOL_TIMEOUT_S,
            # Else each failure doubles the wait for the next try, and the end of an outage is noticed late.
            reconnect_timeout=CONNECT_TIMEOUT_S,
            open=False,
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for whoever only reads: each statement is one round trip, not one of three.

        Each sees what was committed when it began. In a transaction it would be no different: ours are READ
        COMMITTED.
        """
        async with self.engine.connect() as conn:
            yield await conn.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self, lock: Lock | None = None) -> AsyncIterator[AsyncConnection]:
        """One transaction: commits at the end, rolls back on any error. Commands take `run_unit`."""
        async with self.engine.begin() as conn:
            if lock:
                await advisory_lock(conn, lock.key, shared=lock.shared)
            yield conn

    async def run_unit(self, work: Callable[[AsyncConnection], Awaitable[T]], lock: Lock | None = None) -> T:
        """Runs `work` in one transaction that cancellation cannot split.

        A caller that is cancelled meanwhile waits until the unit committed or rolled back, then goes. What
        `work` noted as closed is in the journal, durably, before the commit.
        """

        async def unit() -> T:
            async with self.transaction(lock) as conn:
                with collected() as noted:
                    result = await work(conn)
                if self._journal:
                    await self._journal.append(noted)
                await failpoint("before_commit")
                return result

        result = await self._unsplit(unit())
        await failpoint("after_commit")
        return result

    async def run_raw(self, work: Callable[[Driver], Awaitable[T]]) -> T:
        """The same below SQLAlchemy: `work` gets a driver's connection in autocommit.

        Each statement of it is one transaction; a longer one it begins and commits by name.
        """

        async def unit() -> T:
            async with self._driver() as driver:
                return await work(driver)

        return await self._unsplit(unit())

    async def _begin_session(self, driver: Driver) -> None:
        async with driver.pipeline():
            for statement in self._prelude:
                await driver.execute(statement, prepare=False)

    @asynccontextmanager
    async def _driver(self) -> AsyncIterator[Driver]:
        """A driver's connection; the pool rolls back what is left open on it and replaces a broken one."""
        if self._drivers.closed:
            await self._drivers.open()
        driver = await self._drivers.getconn()
        try:
            yield driver
        finally:
            if driver.closed:
                # A server that ended this one has ended the others too.
                await self._drivers.drain()
            await self._drivers.putconn(driver)

    async def _unsplit(self, unit: Coroutine[Any, Any, T]) -> T:
        # Owned by this call, which waits for it; after the limit by `_lost`, until it has ended.
        task = asyncio.ensure_future(unit)  # noqa: TID251 (owned, as said above)
        cancelled = await _settle(task, UNIT_LIMIT_S)
        if not task.done():
            self._abandon(task)
        if cancelled:
            if task.done() and not task.cancelled():
                # Looked at, so that the loop does not report it: the caller is gone.
                task.exception()
            raise asyncio.CancelledError
        if not task.done():
            raise Unavailable("DATABASE_UNAVAILABLE")
        return task.result()

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        self._lost.add(task)
        task.add_done_callback(self._lost.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        task.cancel()

    async def check_durability(self) -> None:
        """Raises ConfigurationError when the server may lose what it said was committed."""
        async with self.reading() as conn:
            for name in DURABILITY:
                if await conn.scalar(select(func.current_setting(name))) in ("off", "local"):
                    raise ConfigurationError(f"PostgreSQL setting {name} would lose commits; switch it on")

    async def moment(self) -> datetime:
        """Asks the server for a sign of life: what time it is, whatever a test switch says."""
        async with self.reading() as conn:
            found: datetime = (await conn.execute(select(func.clock_timestamp()))).scalar_one()
        return found

    async def close(self) -> None:
        """Closes the pools."""
        await self._drivers.close()
        await self.engine.dispose()


async def _connected(*where: Any, **how: Any) -> Driver:
    """Connects; who is cancelled meanwhile leaves a connection that is closed as soon as it is there.

    Else the exception itself would hold it, half open, until rubbish is next looked for, and with it one of
    the server's places.
    """
    # Owned by this call, or else by what puts away what came of it.
    connecting = asyncio.ensure_future(Driver.connect(*where, **how))  # noqa: TID251 (owned, as said above)
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        connecting.add_done_callback(_put_away)
        raise


def _put_away(connecting: asyncio.Future[Driver]) -> None:
    if not connecting.cancelled() and not connecting.exception():
        connecting.result().pgconn.finish()


async def _settle(task: asyncio.Task[Any], limit_s: float) -> bool:
    """Waits until `task` is done or the limit passed; returns whether the waiter was cancelled meanwhile."""
    loop = asyncio.get_running_loop()
    end, cancelled = loop.time() + limit_s, False
    while not task.done() and (left := end - loop.time()) > 0:
        try:
            await asyncio.wait({task}, timeout=left)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def session_options(schema: str, *, clock_offset_enabled: bool = False) -> str:
    """What a session asks of the server at connect."""
    settings = {
        **SESSION_LIMITS_MS,
        # What is read after a lock is what was committed when it was had, whatever the server prefers.
        "default_transaction_isolation": r"read\ committed",
        "search_path": f"{schema},jobs",
        "timezone": "UTC",
    }
    if clock_offset_enabled:
        settings["meldbrug.test_clock"] = "on"
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def driver_url(url: str) -> URL:
    """The same URL, for SQLAlchemy on psycopg."""
    return make_url(url).set(drivername="postgresql+psycopg")


async def driver_connection(conn: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The psycopg connection under a SQLAlchemy one."""
    raw = await conn.get_raw_connection()
    driver = raw.driver_connection
    if not isinstance(driver, psycopg.AsyncConnection):
        raise TypeError("the engine does not run on psycopg")
    return driver


async def advisory_lock(conn: AsyncConnection, key: str, *, shared: bool = False) -> None:
    """Takes a lock until the end of the transaction; a statement of its own, before anything is read."""
    await conn.execute(LOCK_SHARED if shared else LOCK, {"key": key})


async def app_now(conn: AsyncConnection) -> datetime:
    """The database's clock, moved only under the test switch."""
    moment: datetime = (await conn.execute(APP_NOW)).scalar_one()
    return moment
