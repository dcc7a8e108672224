"""One stack with the demo sector on it and an edge in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from tests.integration.edge.harness import Knocker, to
from tests.support.browsing import Wire
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack

# Many tests call at once; test_flood tries the puzzle on edges of its own.
CALM = {"MELDBRUG_EDGE_CALM_PER_S": "100000"}


@pytest.fixture(scope="session")
async def world() -> AsyncIterator[World]:
    """The settled sector, with an edge."""
    with running_stack(one_process=True, env=SWITCHES, edge_host="127.0.0.1", edge_env=CALM) as stack:
        async with settled(stack) as world:
            yield world


@pytest.fixture
async def knocker(world: World) -> AsyncIterator[Knocker]:
    """Knocks at both doors."""
    async with Knocker.at(world) as knocker:
        yield knocker


@pytest.fixture
def wire(world: World) -> AbstractAsyncContextManager[Wire]:
    """A connection to the edge, for `async with`."""
    return to(world)
