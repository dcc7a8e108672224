"""The real PostgreSQL, OpenFGA and services, each started once; markers by folder; no sockets in units."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.migrations import upgrade
from services.stack import Backends
from tests.support.stack import TOOLS, throw_away_folder

TESTS = Path(__file__).parent
KINDS = {"unit", "integration", "e2e", "property", "fault", "policy", "docs"}
TEMPLATE = "template_migrated"
numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test by the folder it lies in."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder not in KINDS:
            raise pytest.UsageError(f"{item.path}: put it in one of {', '.join(sorted(KINDS))}")
        item.add_marker(folder)


@pytest.fixture(autouse=True)
def no_sockets_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.node.get_closest_marker("unit"):
        return

    def refuse(_self: socket.socket, address: object) -> None:
        raise AssertionError(f"a unit test connects to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture(scope="session")
def backends() -> Iterator[Backends]:
    """The real PostgreSQL and OpenFGA, with its safety switches on."""
    with throw_away_folder() as folder, Backends(folder, tools_folder=TOOLS) as running:
        yield running


@pytest.fixture(scope="session")
def migrated_template(backends: Backends) -> str:
    """The name of a database in which every migration has run, to be copied."""
    url = backends.create_database(TEMPLATE)
    for migrations in sorted((TESTS.parent / "services").glob("*/migrations")):
        upgrade(url, migrations.parent.name)
    return TEMPLATE


@pytest.fixture
def database(backends: Backends, migrated_template: str) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    name = f"test_{next(numbers)}"
    yield backends.create_database(name, template=migrated_template)
    backends.drop_database(name)


@pytest.fixture
def empty_database(backends: Backends) -> Iterator[str]:
    """The address of a fresh database without any schema."""
    name = f"test_{next(numbers)}"
    yield backends.create_database(name)
    backends.drop_database(name)
