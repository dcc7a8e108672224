"""Disclosure's use cases on the real PostgreSQL and OpenFGA."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.bootstrap.policy import PROBE, Engine, ensure_model
from services.disclosure.jobs import register
from services.disclosure.store import openings
from services.kernel.db import Database
from services.kernel.jobs import Jobs
from services.kernel.openfga.adapter import OpenFGA
from services.stack import Backends
from tests.integration.disclosure.builders import FakeDirectory, World, assembled
from tests.integration.disclosure.scene import Scene, Told, deps_for
from tests.support.stack import fresh_database_beside


@pytest.fixture(scope="session")
async def policy(policy_engine: Engine) -> AsyncIterator[OpenFGA]:
    """The engine with today's model; slow machines get more time than the design's 200 ms."""
    model = ensure_model(policy_engine)
    token = policy_engine.token
    adapter = OpenFGA(
        policy_engine.address, model.store_id, model.model_id, probe=PROBE, token=token, timeout_s=2.0
    )
    await adapter.write([PROBE.tuple])
    yield adapter
    await adapter.close()


@pytest.fixture(scope="session")
async def pool(backends: Backends, migrated_template: str) -> AsyncIterator[Database]:
    """A pool with the test clock on; scenes bring incidents of their own, so that one database serves."""
    async with fresh_database_beside(backends, migrated_template) as url:
        opened = Database(
            url,
            "disclosure",
            app_name="test",
            pool_size=12,
            clock_offset_enabled=True,
            prelude=openings.PRELUDE,
        )
        yield opened
        await opened.close()


@pytest.fixture
async def scene(pool: Database, policy: OpenFGA) -> AsyncIterator[Scene]:
    """One reported incident with its handler."""
    told, jobs = Told(), Jobs("disclosure", pool)
    deps = deps_for(pool, policy, jobs, told)
    register(deps)
    laid = Scene(deps, told)
    await laid.report()
    yield laid
    await laid.move_clock(0)


@pytest.fixture
async def world(pool: Database, policy: OpenFGA) -> AsyncIterator[World]:
    """A sector of its own, whose people act through the service's RPCs."""
    sector = FakeDirectory()
    made = World(assembled(pool, policy, sector), sector)
    await made.arm()
    yield made
    made.offset = timedelta()
    await made.pass_days(0)
