"""One stack for all faults, a process for each service; every test leaves it whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from services.stack.stack import Stack
from tests.support.actors import Actors
from tests.support.clocks import movable
from tests.support.effects import Ledger
from tests.support.faults import FAST, POINT_FILE, Recorder, settled_on
from tests.support.sector import World
from tests.support.stack import running_stack


@pytest.fixture(scope="session")
def fault_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A process for each service, so that one can die alone, and points at which they can be held."""
    file = tmp_path_factory.mktemp("failpoint") / "point"
    clocks = movable(tmp_path_factory.mktemp("clocks"))
    env = {**FAST, POINT_FILE: str(file), **clocks}
    with running_stack(one_process=False, env=env) as stack:
        yield stack


@pytest.fixture
async def recorder(fault_stack: Stack) -> AsyncIterator[Recorder]:
    """A connection of this test's own."""
    async with Recorder(fault_stack) as connection:
        yield connection


@pytest.fixture
async def world(fault_stack: Stack, recorder: Recorder) -> AsyncIterator[World]:
    """The demo sector, settled once."""
    async with settled_on(fault_stack, recorder) as world:
        yield world


@pytest.fixture
def actors(world: World) -> Actors:
    """Everyone who can act."""
    return Actors(world)


@pytest.fixture
def ledger(world: World) -> Iterator[Ledger]:
    """Counts the database of the stack; what an earlier fault has put off is done first."""
    counting = Ledger(world.endpoints.database_url)
    counting.hurry()
    yield counting
    counting.close()
