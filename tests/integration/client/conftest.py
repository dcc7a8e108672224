"""One stack with the demo sector on it, for the client and the command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meldbrug.client import ReporterClient
from meldbrug.crypto import keys_from, new_entropy, to_words
from tests.integration.client.terminal import Terminal
from tests.support.actors import Actors, Case
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack


@pytest.fixture(scope="session")
async def world() -> AsyncIterator[World]:
    with running_stack(one_process=True, env=SWITCHES) as stack:
        async with settled(stack) as world:
            yield world


@pytest.fixture
def actors(world: World) -> Actors:
    return Actors(world)


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Terminal:
    return Terminal(world, tmp_path)


@pytest.fixture
async def reported(world: World, actors: Actors, monkeypatch: pytest.MonkeyPatch) -> tuple[Case, str]:
    """A report with the receipt that opens it."""
    entropy = new_entropy()
    monkeypatch.setattr(actors, "newcomer", lambda: ReporterClient(world.connection, keys_from(entropy)))
    return await actors.report(), " ".join(to_words(entropy, "nl"))
