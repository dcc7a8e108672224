"""Brings a backup back into an empty database, closes what was closed since, and rebuilds the policy engine.

A mark in the database, made before anything else and taken away last, keeps every service from starting. Each
step may be repeated, so that a restore that was cut off anywhere is simply run again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from services.backup import dump, programs
from services.bootstrap import policy
from services.bootstrap.installation import Installation
from services.directory.policy_sync import PolicySync as DirectorySync
from services.directory.store import narrowings as directory
from services.disclosure.policy_sync import PolicySync as DisclosureSync
from services.disclosure.store import narrowings as disclosure
from services.kernel import migrations, narrowings
from services.kernel.clock import Ids
from services.kernel.config import ConfigurationError
from services.kernel.db import Database
from services.kernel.migrations import RESTORING
from services.kernel.narrowings import Narrowing


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore needs.

    Args:
        url: Of an empty database.
        backup: The folder that `backup` made.
        journals: The folder with every journal of narrowings, those from before the backup too.
        keys: The installation's folder of keys, with `installation.json` in it.
        engine: The policy engine; a store is made in it.
        postgres_bin: Where PostgreSQL's programs lie; on the search path when absent.
    """

    url: str
    backup: Path
    journals: Path
    keys: Path
    engine: policy.Engine
    postgres_bin: Path | None


def load(plan: Plan) -> Installation:
    """Brings the backup's rows back, behind the mark. Done before, it does nothing.

    Raises:
        ConfigurationError: the backup or a journal is damaged, the database is not empty, or it belongs to
            another installation.
    """
    manifest = dump.verify(plan.backup)
    narrowings.read(plan.journals)
    installation = _installation(plan.keys)
    with psycopg.connect(plan.url, autocommit=True) as conn:
        _take_over(conn)
        if not _is_marked(conn, manifest):
            _mark(conn, manifest)
        if not _holds(conn):
            tool = programs.program("pg_restore", plan.postgres_bin, programs.server_version(conn))
            flags = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
            database = f"--dbname=service={programs.SERVICE}"
            programs.run([tool, *flags, database], plan.url, plan.backup / dump.DUMP)
        for service in manifest.revisions:
            migrations.upgrade(plan.url, service)
        _require_same(conn, installation)
    return installation


def _take_over(conn: psycopg.Connection) -> None:
    """Ends what a restore that was killed may have left running."""
    conn.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = %s",
        [programs.APPLICATION],
    )


def _is_marked(conn: psycopg.Connection, manifest: dump.Manifest) -> bool:
    found = conn.execute("SELECT to_regclass(%s)", [f"{RESTORING}.state"]).fetchone()
    if not found or found[0] is None:
        return False
    loaded = conn.execute("SELECT digest FROM restoring.state").fetchone()
    if loaded != (manifest.digest,):
        raise ConfigurationError("database_url: another backup is being restored there; take an empty one")
    return True


def _mark(conn: psycopg.Connection, manifest: dump.Manifest) -> None:
    if _holds(conn):
        raise ConfigurationError("database_url: the database is not empty; restore into an empty one")
    with conn.transaction():
        conn.execute("CREATE SCHEMA restoring")
        conn.execute("CREATE TABLE restoring.state (digest text NOT NULL)")
        conn.execute("INSERT INTO restoring.state VALUES (%s)", [manifest.digest])


def _holds(conn: psycopg.Connection) -> bool:
    """Whether there is anything but the mark: the load is one transaction, so it is all or nothing."""
    found = conn.execute(
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'restoring')"
        " AND n.nspname NOT LIKE 'pg\\_%%' LIMIT 1"
    )
    return found.fetchone() is not None


def _installation(keys: Path) -> Installation:
    try:
        return Installation.read(keys)
    except (OSError, ValueError, TypeError) as cause:
        raise ConfigurationError(f"{keys} holds no installation; bring its keys back first") from cause


def _require_same(conn: psycopg.Connection, installation: Installation) -> None:
    root = conn.execute("SELECT 1 FROM directory.keys WHERE kid = %s", [installation.installation]).fetchone()
    if root is None:
        raise ConfigurationError("the backup and the folder of keys belong to different installations")


async def finish(plan: Plan, installation: Installation, ids: Ids) -> Installation:
    """Closes what the journals say was closed, fills a new store of the policy engine, and lifts the mark."""
    directory_database, disclosure_database = (
        Database(plan.url, schema, app_name=programs.APPLICATION) for schema in ("directory", "disclosure")
    )
    try:
        await _close(plan, directory_database, disclosure_database, ids)
        made = await _rebuild(plan, installation, directory_database, disclosure_database)
    finally:
        await directory_database.close()
        await disclosure_database.close()
    with psycopg.connect(plan.url) as conn:
        conn.execute("DROP SCHEMA restoring CASCADE")
    return made


async def _close(plan: Plan, of_directory: Database, of_disclosure: Database, ids: Ids) -> None:
    closed: dict[str, list[Narrowing]] = {"directory": [], "disclosure": []}
    for service, one in narrowings.read(plan.journals):
        # A service that closes nothing has an empty journal; a name that is not ours is a mistake.
        closed.setdefault(service, []).append(one)
    if unknown := closed.keys() - {"directory", "disclosure"}:
        raise ConfigurationError(f"narrowings: nothing applies those of {', '.join(sorted(unknown))}")
    ended = await directory.apply(of_directory, ids, closed["directory"])
    targets = sorted({*ended.kids, *ended.appointments})
    also = [Narrowing("ended", {"targets": targets})] if targets else []
    await disclosure.apply(of_disclosure, [*closed["disclosure"], *also])


async def _rebuild(
    plan: Plan, installation: Installation, of_directory: Database, of_disclosure: Database
) -> Installation:
    """Fills a store that nothing stale can be in, and keeps its name beside the keys."""
    made = replace(installation, model=policy.ensure_model(plan.engine))
    authz = policy.adapter(plan.engine, made.model)
    try:
        await authz.write([policy.PROBE.tuple])
        await DirectorySync(of_directory, authz).resweep()
        await DisclosureSync(of_disclosure, authz).resweep()
    finally:
        await authz.close()
    made.write(plan.keys)
    return made
