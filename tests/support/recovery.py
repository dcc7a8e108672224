"""A database that is lost and brought back: the commands as the operator runs them, and what opens then."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psycopg
from sqlalchemy import and_, false, func, select, text

from services.backup.restore import Plan
from services.disclosure.store import tables as t
from services.disclosure.store.seats import consent_opens, live_seat
from services.health import serves
from services.kernel.db import Database
from services.stack.postgres import program
from services.stack.processes import free_port
from tests.support.stack import ROOT

POLL_S = 0.02
PATIENCE_S = 30.0
TOOLS = program("pg_dump").parent
CLOSED = """SELECT name, 'withdrawn' FROM disclosure.incidents WHERE withdrawn
UNION SELECT name, state::text FROM disclosure.notices WHERE close_time IS NOT NULL
UNION SELECT incident, target FROM disclosure.exclusions
UNION SELECT target, 'ended' FROM disclosure.ended
UNION SELECT subject, organisation FROM disclosure.affiliations
UNION SELECT name, state::text FROM directory.organisations WHERE state <> 1
UNION SELECT name, state::text FROM directory.participations WHERE state = 3
UNION SELECT name, state::text FROM directory.members WHERE state = 4
UNION SELECT name, 'ended' FROM directory.appointments WHERE ended"""
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"


@dataclass(frozen=True)
class Place:
    """Where a restore goes: an empty database, a copy of the keys, and the settings that lead to both."""

    url: str
    keys: Path
    env: Mapping[str, str]

    @classmethod
    def beside(cls, env: Mapping[str, str], url: str, keys: Path, folder: Path) -> Place:
        """A place that shares everything but database and keys with a running stack."""
        copy = folder / "keys"
        shutil.copytree(keys, copy)
        return cls(url, copy, {**env, "MELDBRUG_DATABASE_URL": url})

    @classmethod
    def of(cls, plan: Plan) -> Place:
        """Where a plan leads."""
        settings = {
            "MELDBRUG_DATABASE_URL": plan.url,
            "MELDBRUG_OPENFGA__ADDRESS": plan.engine.address,
            "MELDBRUG_OPENFGA__HTTP_URL": plan.engine.http_url,
            "MELDBRUG_OPENFGA__TOKEN_FILE": str(plan.engine.token_file),
        }
        return cls(plan.url, plan.keys, {**os.environ, **settings})

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Starts a command of `python -m services`."""
        command = [sys.executable, "-m", "services", *map(str, arguments)]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(self.env),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        """Runs a command to its end; returns its status and what it said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def restoring(self, backup: Path, journals: Path) -> tuple[str | Path, ...]:
        """The arguments of a restore to here."""
        places = ("--from", backup, "--narrowings", journals, "--keys", self.keys)
        return ("restore", "--postgres-bin", TOOLS, *places)

    def saving(self, backup: Path) -> tuple[str | Path, ...]:
        """The arguments of a backup from here."""
        return ("backup", "--postgres-bin", TOOLS, "--to", backup)

    def running(self) -> tuple[str | Path, ...]:
        """The arguments that start all services here."""
        return ("--env-file", self.keys / "installation.env", "run", "all")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Yields the address of all services in one process on what was restored."""
        address = f"127.0.0.1:{free_port()}"
        here = Place(self.url, self.keys, {**self.env, "MELDBRUG_LISTEN": address})
        process = here.start(*self.running())
        try:
            with grpc.insecure_channel(address) as channel:
                for _ in range(int(PATIENCE_S / POLL_S)):
                    assert process.poll() is None, "the services ended"
                    if await asyncio.to_thread(serves, channel):
                        break
                    await asyncio.sleep(POLL_S)
            yield address
        finally:
            process.terminate()
            await asyncio.to_thread(process.communicate)


async def waits_for_lock(url: str, application: str) -> None:
    """Returns once a session of that name waits for a lock in the database."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as sql:
        for _ in range(int(PATIENCE_S / POLL_S)):
            found = await (await sql.execute(BUSY, (application,))).fetchone()
            if found and found[0]:
                return
            await asyncio.sleep(POLL_S)
    raise AssertionError(f"{application} never waited for a lock")


def closed(url: str) -> set[tuple[str, str]]:
    """Everything that says of itself that it is closed, with its state."""
    with psycopg.connect(url) as sql:
        return set(sql.execute(CLOSED))


async def opening(url: str) -> set[tuple[str, str, str]]:
    """What SQL lets open now, as grant, key and section: of readers, and of handlers of an intake."""
    seat, notice, consent, wrap = t.seats.c, t.notices.c, t.consents.c, t.wraps.c
    held = (
        select(seat.grant_name, seat.kid, wrap.section)
        .join(t.incidents, t.incidents.c.name == seat.incident)
        .join(t.wraps, and_(wrap.grant_name == seat.grant_name, wrap.reader_kid == seat.kid))
        .where(live_seat(), t.incidents.c.withdrawn == false())
    )
    readers = (
        held.join(t.notices, and_(notice.name == seat.notice, notice.consent == seat.grant_name))
        .join(t.consents, consent.name == seat.grant_name)
        .where(consent_opens(func.kernel.app_now()))
    )
    database = Database(url, "disclosure", app_name="test", clock_offset_enabled=True)
    try:
        async with database.transaction() as conn:
            # Everything at once, which no service asks: of a large database longer than a call may last.
            for limit in ("statement_timeout", "transaction_timeout"):
                await conn.execute(text(f"SET LOCAL {limit} = 0"))
            found = [
                *await conn.execute(readers),
                *await conn.execute(held.where(seat.grant_name == seat.incident)),
            ]
    finally:
        await database.close()
    return {(row.grant_name, row.kid, row.section) for row in found}
