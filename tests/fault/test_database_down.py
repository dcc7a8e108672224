"""PostgreSQL gone and back; started without its safety; and wrong settings (I10)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from tempfile import TemporaryFile

import psycopg
import pytest

from meldbrug.client import Unavailable
from services.stack.stack import ROOT
from tests.support.actors import Actors
from tests.support.faults import Recorder, converged, effects, is_refused, succeeds
from tests.support.nursery import SERVICES, read, spawn
from tests.support.openings import open_once, opened
from tests.support.sector import World


@asynccontextmanager
async def gone(world: World) -> AsyncIterator[None]:
    """PostgreSQL stopped at once, without a checkpoint, as a crash would; started again afterwards."""
    server = world.stack.backends.postgres
    assert server.child is not None
    await asyncio.to_thread(server.child.stop, signal.SIGQUIT)
    assert not server.child.running
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


async def test_everything_waits_and_nothing_acknowledged_is_lost(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """I2, I10: UNAVAILABLE with RetryInfo; and it comes back by itself, with all that was acknowledged."""
    case, withdrawn = await opened(actors), await opened(actors)
    before = effects(world, case.incident)
    await withdrawn.consents.withdraw(withdrawn.notice)
    async with gone(world):
        recorder.patience_s = 3.0
        for act in (
            lambda: open_once(case),
            case.reporter.find,
            lambda: case.consents.withdraw(case.notice),
            actors.member("noorderlicht-contact").reader.inbox_page,
            actors.admin("noorderlicht").me,
        ):
            with pytest.raises(Unavailable) as refused:
                await act()
            assert refused.value.reason in {"DATABASE_UNAVAILABLE", "PEER_UNAVAILABLE"}
            assert refused.value.retry_after_s
    recorder.patience_s = 30.0
    assert (await succeeds(case.reporter.find)).name == case.incident
    assert effects(world, case.incident) == before
    assert await succeeds(lambda: open_once(case))
    assert await is_refused(open_once(withdrawn))
    await converged(world, withdrawn.incident)
    fresh = await opened(actors)
    await converged(world, fresh.incident)


async def test_what_commits_while_the_server_dies_is_whole_or_nothing(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """I10, I11: reports come in without pause while the server is stopped at once; each is in or is not."""
    reports: list[tuple[str, bool]] = []
    stop = asyncio.Event()

    async def reporting() -> None:
        while not stop.is_set():
            mark = len(recorder.sent)
            done = await asyncio.gather(actors.report(), return_exceptions=True)
            for sent in recorder.sent[mark:]:
                if sent.method.endswith("/SubmitReport"):
                    name = sent.request.incident  # type: ignore[attr-defined]
                    reports.append((name, not isinstance(done[0], BaseException)))
                    break

    recorder.patience_s = 2.0
    flood = asyncio.create_task(reporting())
    while sum(is_in for _, is_in in reports) < 5:
        await asyncio.sleep(0.02)
    async with gone(world):
        await asyncio.sleep(0.3)
        stop.set()
        await flood
    recorder.patience_s = 30.0
    await succeeds(actors.circle)
    for incident, is_in in reports:
        rows = effects(world, incident)
        found = (rows["sections"], rows["wraps"], rows["seats"])
        assert found == (2, 6, 2) or (not is_in and found == (0, 0, 0))


def refused_start(world: World, env: Mapping[str, str]) -> str:
    """Starts disclosure once more beside the running one and returns why it would not."""
    settings = {
        **world.stack.installation.settings(world.stack.backends.folder.keys),
        **world.stack._outside(),
        "MELDBRUG_PEERS": '{"directory": "127.0.0.1:1", "coordination": "127.0.0.1:1"}',
        **env,
    }
    with TemporaryFile() as output:
        started = spawn(
            [sys.executable, *SERVICES, "run", "disclosure"],
            cwd=ROOT,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        assert started.wait(timeout=60) != 0, "it started"
        return read(output)


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
async def test_a_server_that_may_lose_commits_is_refused(world: World, name: str) -> None:
    """I10: with the setting's name, and served again once it is on."""
    with world.sql() as sql:
        sql.execute(f"ALTER ROLE meldbrug SET {name} = off" if name == "synchronous_commit" else "SELECT 1")
    if name != "synchronous_commit":
        await _server_setting(world, name, "off")
    try:
        said = await asyncio.to_thread(refused_start, world, {})
        assert name in said
    finally:
        with world.sql() as sql:
            sql.execute("ALTER ROLE meldbrug RESET ALL")
        if name != "synchronous_commit":
            await _server_setting(world, name, "on")


async def _server_setting(world: World, name: str, value: str) -> None:
    url = world.stack.backends.postgres.url("postgres", "postgres")
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(f"ALTER SYSTEM SET {name} = {value}")  # type: ignore[arg-type]  # ours, from a fixed list
        sql.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MELDBRUG_INSTALLATION", "short"),
        ("MELDBRUG_REFUSAL_FLOOR_MS", "10"),
        ("MELDBRUG_DATABASE_POOL_SIZE", "none"),
        ("MELDBRUG_OPENFGA__CHECK_TIMEOUT_MS", "9999"),
        ("MELDBRUG_DISCLOSURE_ANSWER_DAYS", "0"),
        ("MELDBRUG_NO_SUCH_THING", "1"),
    ],
)
async def test_a_wrong_setting_is_named(world: World, setting: str, value: str) -> None:
    """It refuses to start and names what is wrong, never what its value was."""
    said = (await asyncio.to_thread(refused_start, world, {setting: value})).lower()
    last = setting.removeprefix("MELDBRUG_").removeprefix("DISCLOSURE_").lower().split("__")[-1]
    assert last in said
