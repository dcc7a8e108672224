"""The demo sector on a real stack, settled once, with the demo's story played on it before anything else."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from rich.console import Console

from demo.narration import Narrator
from demo.seed import Sector, settle
from demo.story import Story, Told
from meldbrug.client import Connection
from meldbrug.crypto import SecretKeys
from services.bootstrap.secrets import key_pair

if TYPE_CHECKING:
    from services.stack.folder import Endpoints
    from services.stack.stack import Stack

SWITCHES = {
    "MELDBRUG_TEST_SWITCHES": "true",
    "MELDBRUG_TEST_CLOCK": "true",
    # Many tests report at once; test_bad_calls tries the limits on a stack of its own.
    "MELDBRUG_DISCLOSURE_REPORTS_PER_S": "200",
    "MELDBRUG_DISCLOSURE_REPORTS_BURST": "200",
    "MELDBRUG_COORDINATION_HEARTBEAT_S": "1",
    "MELDBRUG_ADMISSION__PRINCIPAL_PER_S": "500",
    "MELDBRUG_ADMISSION__PRINCIPAL_BURST": "1000",
}


class Recording(Narrator):
    """Tells the story to a string, and remembers what was checked."""

    def __init__(self) -> None:
        self._paper = io.StringIO()
        super().__init__(Console(file=self._paper, width=120, highlight=False))
        self.checked: list[str] = []

    def expect(self, sentence: str, *, holds: bool) -> None:
        super().expect(sentence, holds=holds)
        self.checked.append(sentence)

    @property
    def text(self) -> str:
        """What a terminal would have shown."""
        return self._paper.getvalue()


@dataclass(frozen=True)
class World:
    """A running stack with the sector on it, and one connection that well-behaved actors share."""

    stack: Stack
    sector: Sector
    connection: Connection
    told: Told
    narration: Recording

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is."""
        return self.stack.endpoints

    @property
    def keys_folder(self) -> Path:
        """Where the stack keeps its own keys."""
        return self.stack.backends.folder.keys

    @property
    def root(self) -> SecretKeys:
        """The secretariat's keys."""
        return key_pair(Path(self.endpoints.secretariat_key_path))

    def sql(self) -> psycopg.Connection:
        """Returns a connection as the operator has one: to everything."""
        return psycopg.connect(self.endpoints.database_url, autocommit=True)

    def shift_clock(self, seconds: float) -> None:
        """Moves the database's clock to so many seconds from now."""
        with self.sql() as sql:
            sql.execute("UPDATE kernel.test_clock SET offset_s = %s", (seconds,))


@asynccontextmanager
async def settled(stack: Stack) -> AsyncIterator[World]:
    """Yields the sector settled on `stack`, after the demo's story."""
    root = key_pair(Path(stack.endpoints.secretariat_key_path))
    folder = stack.backends.folder.path
    narration = Recording()
    async with Connection(stack.endpoints.services, stack.endpoints.installation) as connection:
        sector = await settle(connection, root, folder, lambda _line: None)
        story = Story(stack.endpoints.services, stack.endpoints.installation, sector, narration)
        yield World(stack, sector, connection, await story.play(), narration)
