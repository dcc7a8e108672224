"""The whole stack, as it is deployed: a process for each service. Most other suites play with all in one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from services.stack.stack import Stack
from tests.support.actors import Actors
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack


@pytest.fixture(scope="session")
def switched_stack() -> Iterator[Stack]:
    """The stack with the test switches on."""
    with running_stack(one_process=False, env=SWITCHES) as stack:
        yield stack


@pytest.fixture(scope="session")
async def world(switched_stack: Stack) -> AsyncIterator[World]:
    """The settled sector on that stack, after the demo's story."""
    async with settled(switched_stack) as world:
        yield world


@pytest.fixture
async def actors(world: World) -> Actors:
    """Everyone, on a production that no other test uses."""
    return await Actors.on_their_own(world)
