"""What runs besides calls: sweeps that mend losses, and the ear at the doorbell."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg

from services.coordination.config import CoordinationSettings
from services.coordination.store.following import CHANNEL
from services.coordination.usecases.doorbell import Doorbell
from services.coordination.usecases.following import Following
from services.kernel.db import CONNECT_TIMEOUT_S, Database
from services.kernel.idempotency import forgetting
from services.kernel.jobs import Jobs, Sweep, pass_time
from services.kernel.rpc import Loop

# How long the ear listens before it looks whether the process stops, or tries to connect again.
LISTEN_S = 1.0


def register(jobs: Jobs, following: Following, database: Database, settings: CoordinationSettings) -> None:
    """Registers the sweeps; there are no jobs: disclosure's own informs us until it succeeds."""
    jobs.register(
        {},
        sweeps=(
            Sweep("resync", settings.resync_every_s, following.resync),
            Sweep("refresh_titles", settings.titles_every_s, following.refresh_titles),
            forgetting(database),
        ),
    )


def ear(database: Database, doorbell: Doorbell) -> Loop:
    """A loop that rings the doorbell for every change that commits; a lost connection is made again."""

    async def listen(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            with suppress(psycopg.OperationalError):
                await _hear(database, doorbell, stopping)
            await pass_time(stopping, LISTEN_S)
        doorbell.close()

    return listen


async def _hear(database: Database, doorbell: Doorbell, stopping: asyncio.Event) -> None:
    conn = await psycopg.AsyncConnection.connect(
        database.url.render_as_string(hide_password=False),
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name=f"{database.app_name} doorbell",
    )
    async with conn:
        await conn.execute(f"LISTEN {CHANNEL}")
        # Whatever rang while nobody listened.
        doorbell.ring_all()
        while not stopping.is_set():
            async for heard in conn.notifies(timeout=LISTEN_S):
                doorbell.ring(heard.payload)
