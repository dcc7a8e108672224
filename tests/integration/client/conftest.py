"""One stack with the demo sector on it, for the client and the command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.client.terminal import Terminal
from tests.support.actors import Actors
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
