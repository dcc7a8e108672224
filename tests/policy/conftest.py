"""A real OpenFGA in memory, with the settings of the stack, for the whole of the policy tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policy.engine import Engine, Store, running


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The running server."""
    with running() as engine:
        yield engine


@pytest.fixture
def store(engine: Engine) -> Store:
    """A store of its own, under our model, without tuples."""
    return engine.store()
