"""Brings a service's schema to its newest revision: kernel objects first, then the service's Alembic history.

One lock and one transaction, so that any number of processes may do it at once, and none sees it half done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, NullPool, create_engine, text

from services.kernel.db import CONNECT_TIMEOUT_S, driver_url
from services.kernel.idempotency import TABLE as IDEMPOTENCY

KERNEL_SQL = Path(__file__).with_name("schema.sql")
SERVICES = Path(__file__).resolve().parent.parent
# DDL waits no longer than this for a running transaction; those end within a second.
LOCK_TIMEOUT_S = 10
# Made before a restore loads anything and dropped at its very end; no backup holds it.
RESTORING = "restoring"


def upgrade(url: str, service: str) -> None:
    """Makes or upgrades the schema of `service`. Safe to repeat, and from several processes at once."""
    with _connected(url) as conn:
        conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('meldbrug/migrate', 0))"))
        _make_kernel(conn)
        conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {service}"))
        IDEMPOTENCY.to_metadata(type(IDEMPOTENCY.metadata)(), schema=service).create(conn, checkfirst=True)
        _run_history(conn, service)


def pending(url: str, service: str) -> bool:
    """Whether the schema of `service` lacks a revision; one that is newer than this code is fine.

    Migrations run while the old version serves, and a process of it may restart after them.
    """
    with _connected(url) as conn:
        if not _exists(conn, f"{service}.alembic_version"):
            return True
        history = _history(service)
        known = {revision.revision for revision in history.walk_revisions()}
        current = set(_heads(conn, service))
        return current <= known and current != set(history.get_heads())


def is_restoring(url: str) -> bool:
    """Whether a restore into this database began and is not complete: nothing may be served from it."""
    with _connected(url) as conn:
        return _exists(conn, f"{RESTORING}.state")


def heads(url: str, services: Iterable[str]) -> dict[str, list[str]]:
    """The revisions that the schemas of services stand at."""
    with _connected(url) as conn:
        return {name: _heads(conn, name) for name in services}


def is_known(service: str, revisions: Iterable[str]) -> bool:
    """Whether this code's history of a service has these revisions."""
    return set(revisions) <= {revision.revision for revision in _history(service).walk_revisions()}


def _heads(conn: Connection, service: str) -> list[str]:
    context = MigrationContext.configure(conn, opts={"version_table_schema": service})
    return sorted(context.get_current_heads())


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    options = f"-c lock_timeout={LOCK_TIMEOUT_S}s -c timezone=UTC"
    arguments = {
        "options": options,
        "application_name": "meldbrug migrate",
        "connect_timeout": CONNECT_TIMEOUT_S,
    }
    engine = create_engine(
        driver_url(url), poolclass=NullPool, connect_args=arguments, use_native_hstore=False
    )
    with engine.begin() as conn:
        yield conn
    engine.dispose()


def _make_kernel(conn: Connection) -> None:
    driver: Any = conn.connection.driver_connection
    driver.execute(KERNEL_SQL.read_text(encoding="utf-8"))
    if not _exists(conn, "jobs.procrastinate_jobs"):
        driver.execute("SET LOCAL search_path = jobs")
        driver.execute(SchemaManager.get_schema())
        driver.execute("SET LOCAL search_path = public")


def _exists(conn: Connection, table: str) -> bool:
    return bool(conn.execute(text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table}).scalar())


def _history(service: str) -> ScriptDirectory:
    return ScriptDirectory(str(SERVICES / service / "migrations"))


def _run_history(conn: Connection, service: str) -> None:
    script = _history(service)
    environment = EnvironmentContext(
        Config(),
        script,
        # Alembic's own `command.upgrade` does this; a public way without an env.py does not exist.
        fn=lambda revision, _context: script._upgrade_revs("head", revision),  # noqa: SLF001 (as said above)
    )
    with environment:
        environment.configure(connection=conn, version_table_schema=service)
        environment.run_migrations()
