"""The kernel on the real PostgreSQL and OpenFGA, with a service of no meaning in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import grpc
import pytest

from meldbrug.crypto.keys import SecretKeys
from services.kernel import migrations
from services.kernel.config import KernelSettings
from services.kernel.db import Database
from services.kernel.openfga.adapter import OpenFGA
from services.kernel.process import Process
from services.stack import Backends
from tests.support import openfga_admin as admin
from tests.support.echo import PROBE, Caller, World, settings

REVISION = """
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

from alembic import op


def upgrade():
    op.execute("CREATE TABLE alpha.things (name text PRIMARY KEY)")
"""
MODEL = {
    "schema_version": "1.1",
    "type_definitions": [
        {"type": "user"},
        {
            "type": "organisation",
            "relations": {"member": {"this": {}}},
            "metadata": {"relations": {"member": {"directly_related_user_types": [{"type": "user"}]}}},
        },
        {
            "type": "thing",
            "relations": {"reader": {"this": {}}, "blocked": {"this": {}}, "can_open": {
                "difference": {
                    "base": {"computedUserset": {"relation": "reader"}},
                    "subtract": {"computedUserset": {"relation": "blocked"}},
                }
            }},
            "metadata": {"relations": {
                "reader": {"directly_related_user_types": [
                    {"type": "user"}, {"type": "user", "condition": "window"},
                ]},
                "blocked": {"directly_related_user_types": [{"type": "user"}]},
                "can_open": {"directly_related_user_types": []},
            }},
        },
    ],
    "conditions": {
        "window": {
            "name": "window",
            "expression": "current_time < until && kind in kinds",
            "parameters": {
                "current_time": {"type_name": "TYPE_NAME_TIMESTAMP"},
                "until": {"type_name": "TYPE_NAME_TIMESTAMP"},
                "kind": {"type_name": "TYPE_NAME_STRING"},
                "kinds": {
                    "type_name": "TYPE_NAME_LIST", "generic_types": [{"type_name": "TYPE_NAME_STRING"}],
                },
            },
        }
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def alpha_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of services with one in it, which has a history of its own."""
    folder = tmp_path_factory.mktemp("services")
    versions = folder / "alpha" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_alpha.py").write_text(REVISION)
    return folder


@pytest.fixture(autouse=True)
def own_services(alpha_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "SERVICES", alpha_folder)


@pytest.fixture
def alpha_url(empty_database: str) -> str:
    """A database in which `alpha` is migrated."""
    migrations.upgrade(empty_database, "alpha")
    return empty_database


@pytest.fixture
async def database(alpha_url: str) -> AsyncIterator[Database]:
    """A pool on the schema of `alpha`, the test clock on."""
    opened = Database(alpha_url, "alpha", app_name="test", clock_offset_enabled=True)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def policy(backends: Backends) -> dict[str, Any]:
    """Settings of a fresh store with a small model and the probe in it."""
    engine = backends.openfga
    store = await admin.create_store(engine.http_url, "kernel", token=engine.token)
    model = await admin.write_model(engine.http_url, store, json.dumps(MODEL), token=engine.token)
    adapter = OpenFGA(engine.grpc_address, store, model, probe=PROBE, token=engine.token)
    await adapter.write([PROBE.tuple])
    await adapter.close()
    return {"address": engine.grpc_address, "http_url": engine.http_url, "store_id": store, "model_id": model}


Start = Callable[..., AbstractAsyncContextManager[Process]]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make_settings(
    tmp_path: Path, alpha_url: str, policy: dict[str, Any], backends: Backends
) -> Callable[..., KernelSettings]:
    token = tmp_path / "openfga.token"
    token.write_text(backends.openfga.token)

    def make(**more: Any) -> KernelSettings:
        openfga = {**policy, "token_file": token, **more.pop("openfga", {})}
        return settings(tmp_path, alpha_url, openfga, database_durability_check=False, **more)

    return make


@pytest.fixture
async def process(world: World, make_settings: Callable[..., KernelSettings]) -> AsyncIterator[Process]:
    """A running process that hosts `alpha`."""
    async with Process(make_settings(), {"alpha": world.build}) as running:
        yield running


@pytest.fixture
async def channel(process: Process) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(process.address) as opened:
        yield opened


@pytest.fixture
def member(world: World, channel: grpc.aio.Channel) -> Caller:
    """An enrolled caller."""
    keys = SecretKeys(b"m" * 32, b"m" * 32)
    world.ring.enrol(keys)
    return Caller(channel, keys)


@pytest.fixture
def stranger(channel: grpc.aio.Channel) -> Caller:
    """A caller whom nobody enrolled, with its keys in the token."""
    return Caller(channel, SecretKeys(b"s" * 32, b"s" * 32), embed=True)
