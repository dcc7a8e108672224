"""One stack with the demo sector on it and an edge in front, and the TypeScript client behind that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.typescript.peer import Peer, peer
from tests.support.actors import Actors
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack

# Low enough that reporters are asked for puzzles in between, as in a flood.
FLOODED = {"MELDBRUG_EDGE_CALM_PER_S": "10"}


@pytest.fixture(scope="session")
async def world() -> AsyncIterator[World]:
    with running_stack(one_process=True, env=SWITCHES, edge_host="127.0.0.1", edge_env=FLOODED) as stack:
        async with settled(stack) as world:
            yield world


@pytest.fixture(scope="session")
async def typescript(world: World) -> AsyncIterator[Peer]:
    async with peer(world) as running:
        yield running


@pytest.fixture
def actors(world: World) -> Actors:
    return Actors(world)
