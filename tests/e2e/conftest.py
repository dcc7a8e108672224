"""The whole stack, as it is deployed: a process for each service. The story is played with all in one too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from services.stack.stack import Stack
from tests.support.actors import Actors
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Plays a module on the stacks that it names, or else on the one that is deployed."""
    if "switched_stack" in metafunc.fixturenames:
        stacks = getattr(metafunc.module, "STACKS", ("apart",))
        metafunc.parametrize("switched_stack", stacks, indirect=True, scope="session")


@pytest.fixture(scope="session")
def switched_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The stack with the test switches on: services `together` in one process, or `apart`."""
    with running_stack(one_process=request.param == "together", env=SWITCHES) as stack:
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
