"""The directory as a process on the real PostgreSQL and OpenFGA; each test brings its own organisations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1 import directory_pb2 as pb
from services.directory.app import build
from services.directory.bootstrap import bootstrap
from services.kernel.clock import SystemIds
from services.kernel.db import Database
from services.kernel.migrations import upgrade
from services.kernel.openfga.adapter import OpenFGA, Probe
from services.kernel.process import Process
from services.stack import Backends
from tests.integration.directory.harness import FakeDisclosure, Sector, Staff, admit, settings
from tests.support import openfga_admin as admin
from tests.support.stack import fresh_database_beside

MODEL = Path(__file__).resolve().parents[3] / "policy" / "model.json"
PROBE = Probe("organisation:probe", "member")


@pytest.fixture(scope="session")
async def policy(backends: Backends) -> AsyncIterator[OpenFGA]:
    """A fresh store with the real model."""
    engine = backends.openfga
    store = await admin.create_store(engine.http_url, "directory", token=engine.token)
    model = await admin.write_model(engine.http_url, store, MODEL.read_text(), token=engine.token)
    adapter = OpenFGA(engine.grpc_address, store, model, probe=PROBE, token=engine.token, timeout_s=2.0)
    adapter.store = store  # type: ignore[attr-defined]  # handed to the process below
    await adapter.write([PROBE.tuple])
    yield adapter
    await adapter.close()


@pytest.fixture(scope="session")
async def running(
    backends: Backends, policy: OpenFGA, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sector]:
    """The directory with a secretariat and an independent point."""
    folder, root, fake = tmp_path_factory.mktemp("directory"), SecretKeys.generate(), FakeDisclosure()
    peer, address = await fake.serve()
    async with fresh_database_beside(backends) as url:
        upgrade(url, "directory")
        database = Database(url, "directory", app_name="test", clock_offset_enabled=True)
        made = await bootstrap(database, policy, SystemIds(), root.public)
        openfga = {
            "address": backends.openfga.grpc_address,
            "store_id": policy.store,  # type: ignore[attr-defined]  # set above
            "model_id": policy.model_id,
            "token_file": backends.openfga.token_path,
        }
        own = settings(folder, root, url, openfga, address)
        async with (
            Process(own, {"directory": build}) as process,
            grpc.aio.insecure_channel(process.address) as channel,
        ):
            secretariat = Staff(
                channel,
                root.kid,
                root,
                member=pb.Member(name=made.member, subject=made.subject),
                organisation=pb.Organisation(name=made.organisation, title="Secretariat"),
            )
            independent, standing = await admit(
                channel, secretariat, "Onafhankelijk punt", pb.Organisation.KIND_INDEPENDENT_POINT
            )
            yield Sector(
                process.address, channel, database, policy, fake, secretariat, independent, standing, own
            )
        await database.close()
    await peer.stop(None)


@pytest.fixture
def sector(running: Sector) -> Sector:
    """The running directory, with nothing heard yet by the service that holds the seats."""
    running.disclosure.reset()
    return running
