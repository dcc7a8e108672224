"""Coordination as a process on the real PostgreSQL and OpenFGA; each test brings its own incidents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from services.coordination.app import build
from services.kernel.db import Database
from services.kernel.migrations import upgrade
from services.kernel.openfga.adapter import OpenFGA, Probe
from services.kernel.process import Process
from services.stack import Backends
from tests.integration.coordination.harness import Peers, World, settings
from tests.support import openfga_admin as admin
from tests.support.proxy import proxied
from tests.support.stack import fresh_database_beside

MODEL = Path(__file__).resolve().parents[3] / "policy" / "model.json"
PROBE = Probe("organisation:probe", "member")
HEARTBEAT_S = 0.6
MAX_AGE_S = 2.0


@pytest.fixture(scope="session")
def hasty() -> Iterator[None]:
    """Streams beat fast and end soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MELDBRUG_COORDINATION_HEARTBEAT_S", str(HEARTBEAT_S))
        patch.setenv("MELDBRUG_COORDINATION_STREAM_MAX_AGE_S", str(MAX_AGE_S))
        patch.setenv("MELDBRUG_COORDINATION_RESYNC_EVERY_S", "3600")
        patch.setenv("MELDBRUG_COORDINATION_TITLES_EVERY_S", "3600")
        yield


@pytest.fixture(scope="session")
async def running(
    backends: Backends, tmp_path_factory: pytest.TempPathFactory, hasty: None
) -> AsyncIterator[World]:
    """Coordination beside a stand-in for its peers."""
    engine, folder, peers = backends.openfga, tmp_path_factory.mktemp("coordination"), Peers()
    store = await admin.create_store(engine.http_url, "coordination", token=engine.token)
    model = await admin.write_model(engine.http_url, store, MODEL.read_text(), token=engine.token)
    policy = OpenFGA(engine.grpc_address, store, model, probe=PROBE, token=engine.token, timeout_s=2.0)
    await policy.write([PROBE.tuple])
    server, address = await peers.serve()
    openfga = {
        "store_id": store,
        "model_id": model,
        "token_file": engine.token_path,
    }
    async with fresh_database_beside(backends) as url:
        upgrade(url, "coordination")
        database = Database(url, "coordination", app_name="test", clock_offset_enabled=True)
        async with (
            proxied(engine.grpc_address) as proxy,
            Process(
                settings(folder, url, openfga | {"address": f"127.0.0.1:{proxy.port}"}, address),
                {"coordination": build},
            ) as process,
            grpc.aio.insecure_channel(process.address) as channel,
        ):
            yield World(channel, database, policy, peers, proxy)
        await database.close()
    await server.stop(None)
    await policy.close()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    """The running service, with a production of its own and peers that answer."""
    running.reset()
    yield running
    running.policy.flowing.set()
