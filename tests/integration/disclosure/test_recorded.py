"""Disclosure's own record of whose keys are reporters', for when the directory cannot tell (ADR 30)."""

from __future__ import annotations

from services.disclosure.app import is_reporter
from services.kernel.db import Database
from tests.integration.disclosure.scene import Scene, fresh_keys


async def test_a_key_that_reported_is_on_record_and_no_other(scene: Scene, pool: Database) -> None:
    assert await is_reporter(pool, scene.reporter.kid)

    for kid in (scene.handler.kid, fresh_keys().kid, ""):
        assert not await is_reporter(pool, kid)
