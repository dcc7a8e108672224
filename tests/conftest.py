"""The real PostgreSQL, OpenFGA and services, each started once; markers by folder; no sockets in units."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from services.stack import Backends
from tests.support.campaign import Campaign, Plan
from tests.support.stack import TOOLS, fresh_database, pause_all, running_stack, throw_away_folder

if TYPE_CHECKING:  # Unit tests load no service: they stay quick, and tell of their own subject only.
    from services.bootstrap.policy import Engine, Model
    from services.stack.stack import Stack

TESTS = Path(__file__).parent
KINDS = {"unit", "integration", "e2e", "browser", "property", "fault", "policy", "docs"}
# Folders whose tests share a stack of their own, those that take longest first; other files stand alone.
SHARING = (
    "tests/fault",
    "tests/e2e",
    "tests/browser",
    "tests/integration/client",
    "tests/integration/edge",
    "tests/integration/typescript",
)
GC_THRESHOLDS = 10_000, 20, 20
ORDER = (*SHARING, "tests/property", "tests/integration", "tests/policy")


class SharedStackScheduling(LoadScopeScheduling):
    """Gives all tests of one stack to the same process, so that each stack is made once."""

    def _split_scope(self, nodeid: str) -> str:
        """Returns what the test shares: a stack of its folder, or else its file."""
        return shared_by(nodeid) or nodeid.partition("::")[0]


def shared_by(nodeid: str) -> str:
    """Returns the folder whose tests share a stack with this one; empty where there is none."""
    return next((folder for folder in SHARING if nodeid.startswith(folder)), "")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Lets nothing of a shared stack go on after the last test of its folder."""
    folder = shared_by(item.nodeid)
    if folder and nextitem and folder != shared_by(nextitem.nodeid):
        pause_all()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Spreads the tests over the processes that `make test` starts."""
    return SharedStackScheduling(config, log)


def pytest_configure() -> None:
    """Lets Ctrl-C reach what the tests start, also where a shell in the background had it ignored.

    Nothing is thrown away while five thousand tests are collected: looking for it was half of that time.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()


def pytest_collection_finish() -> None:
    """Leaves what was collected alone from now on, and looks for rubbish as seldom as a service does."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the deep form of a suite: it alone runs, for so long."""
    parser.addoption("--deep", metavar="SUITE", help="play the deep form of a suite, and nothing else")
    parser.addoption("--minutes", type=float, default=10.0, help="how long the deep form lasts")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks every test by the folder it lies in; what takes longest comes first."""
    if suite := config.getoption("deep"):
        items[:] = [
            item for item in items if (mark := item.get_closest_marker("campaign")) and mark.args[0] == suite
        ]
        if not items:
            raise pytest.UsageError(f"there is no suite {suite}")
        for item in items:
            # How long it lasts is what was asked for; a limit of the short form would end it as a failure.
            item.add_marker(pytest.mark.timeout(0), append=False)
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in ORDER])
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder not in KINDS:
            raise pytest.UsageError(f"{item.path}: put it in one of {', '.join(sorted(KINDS))}")
        item.add_marker(folder)


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """The cases of the suite that the test's marker names."""
    mark = request.node.get_closest_marker("campaign")
    minutes = request.config.getoption("minutes") if request.config.getoption("deep") else None
    running = Campaign(Plan(*mark.args, **mark.kwargs), deep_s=None if minutes is None else minutes * 60)
    yield running
    running.close()


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
    """The real PostgreSQL and OpenFGA, with its safety switches on; lent ones where there are any."""
    from tests.support.lending import borrowed

    if lent := borrowed():
        yield lent  # type: ignore[misc]  # the part of it that tests with a database need
        return
    with throw_away_folder() as folder, Backends(folder, tools_folder=TOOLS) as running:
        yield running


@pytest.fixture(scope="session")
def migrated_template(backends: Backends) -> str:
    """The name of a database in which every migration has run, to be copied."""
    from tests.support.lending import TEMPLATE, Borrowed, migrate_template

    if not isinstance(backends, Borrowed):
        migrate_template(backends)
    return TEMPLATE


@pytest.fixture
def database(backends: Backends, migrated_template: str) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    with fresh_database(backends, migrated_template) as url:
        yield url


@pytest.fixture
def empty_database(backends: Backends) -> Iterator[str]:
    """The address of a fresh database without any schema."""
    with fresh_database(backends) as url:
        yield url


@pytest.fixture(scope="session")
def policy_engine(backends: Backends) -> Engine:
    """Where the real OpenFGA answers."""
    from services.bootstrap.policy import Engine

    return Engine(backends.openfga.grpc_address, backends.openfga.http_url, backends.openfga.token_path)


@pytest.fixture
async def policy_model(policy_engine: Engine) -> Model:
    """A fresh store with today's model and the probe in it."""
    from services.bootstrap.policy import PROBE, adapter, ensure_model

    model = ensure_model(policy_engine)
    authz = adapter(policy_engine, model)
    await authz.write([PROBE.tuple])
    await authz.close()
    return model


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack with all services in one process."""
    with running_stack(one_process=True) as running:
        yield running


@pytest.fixture(scope="session")
def stack_each() -> Iterator[Stack]:
    """The whole stack with one process for each service."""
    with running_stack(one_process=False) as running:
        yield running
