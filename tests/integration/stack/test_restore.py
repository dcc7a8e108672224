"""Thousands of events, closed at random, lost and restored: what opens afterwards is what opened before."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import make_url

from services.backup import dump, programs, restore
from services.backup.restore import Plan
from services.bootstrap import policy
from services.bootstrap.installation import Installation
from services.disclosure.policy_sync import PolicySync
from services.kernel.clock import SystemClock, SystemIds
from services.kernel.config import ConfigurationError
from services.kernel.db import Database
from services.kernel.migrations import is_restoring
from services.stack import Backends
from tests.support import seeding
from tests.support.campaign import FRESH_FROM, Campaign
from tests.support.closing import Closer
from tests.support.recovery import TOOLS, Place, closed, opening
from tests.support.seeding import Seeded
from tests.support.stack import fresh_database

SERVICES = ("directory", "disclosure", "coordination")
SHORT, DEEP, LARGE = 200, 1000, 20_000
# Every twentieth deep case is a large one, a hundred thousand events, and timed.
EACH = 20
LOOKS = 40


@pytest.mark.campaign("restore", unit="events", floor=1000, target=100_000, short_s=90)
async def test_a_restored_database_opens_exactly_what_the_lost_one_opened(
    campaign: Campaign,
    backends: Backends,
    policy_engine: policy.Engine,
    migrated_template: str,
    tmp_path: Path,
) -> None:
    """I19, I6, I14: killed on its way or not, and OpenFGA's new store equals SQL."""
    for number in campaign:
        folder = tmp_path / str(number)
        with (
            fresh_database(backends, migrated_template) as lost,
            fresh_database(backends) as empty,
        ):
            seeded = seeding.seed(lost, size_of(number))
            plan = prepared(folder, empty, policy_engine)
            closings, backup_ms = await lost_and_backed_up(lost, plan, seeded, Random(number))
            kills, restore_ms = await brought_back(plan, Random(number))
            assert await opening(empty) == await opening(lost)
            assert closed(empty) == closed(lost)
            await engine_equals(plan, seeded, Random(number))
            campaign.count(events=seeded.events, closings=closings, kills=kills, cases=1)
            if seeded.size == LARGE:
                campaign.count(large=1, backup_ms=backup_ms, restore_ms=restore_ms)
        shutil.rmtree(folder)


def size_of(number: int) -> int:
    """How many reports a case has."""
    if number >= FRESH_FROM:
        return SHORT
    return LARGE if number % EACH == EACH - 1 else DEEP


def prepared(folder: Path, empty: str, engine: policy.Engine) -> Plan:
    """A place to restore to: folders, and keys of the installation whose root is the first person."""
    journals, keys = folder / "journals", folder / "keys"
    for each in (journals, keys):
        each.mkdir(parents=True)
    model = policy.Model("none", "none", "none")
    Installation(seeding.kid(0), seeding.organisation(0), seeding.member(0), model, {}).write(keys)
    return Plan(empty, folder / "backup", journals, keys, engine, TOOLS)


async def lost_and_backed_up(lost: str, plan: Plan, seeded: Seeded, random: Random) -> tuple[int, int]:
    """Closes some, backs up, closes more; returns how often, and how many ms the backup took."""
    closer = Closer(lost, plan.journals, seeded, random)
    try:
        await closer.reports(0.1)
        await closer.retaken(0.05)
        began = time.monotonic()
        await asyncio.to_thread(
            dump.backup, lost, plan.backup, SERVICES, SystemClock(), SystemIds(), plan.postgres_bin
        )
        took_ms = ms_since(began)
        before = await opening(lost)
        await closer.reports(0.3)
        await closer.people()
    finally:
        await closer.close()
    # Teeth: the backup alone opens what was closed since.
    assert await opening(lost) < before
    return closer.closed, took_ms


async def brought_back(plan: Plan, random: Random) -> tuple[int, int]:
    """Restores, killed up to twice at some random time.

    Returns:
        How often it was killed in its work, and how many ms the restore took that was not.
    """
    place, kills = Place.of(plan), 0
    for _ in range(random.randint(0, 2)):
        began = time.monotonic()
        process = place.start(*place.restoring(plan.backup, plan.journals))
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 1 + random.random() * 3)
        process.kill()
        said, _ = await asyncio.to_thread(process.communicate)
        if process.returncode == 0:
            return kills, ms_since(began)
        assert process.returncode == -signal.SIGKILL, said
        kills += 1
    began = time.monotonic()
    installation = await asyncio.to_thread(restore.load, plan)
    assert is_restoring(plan.url)
    await restore.finish(plan, installation, SystemIds())
    assert not is_restoring(plan.url)
    return kills, ms_since(began)


def ms_since(began: float) -> int:
    """Milliseconds since a moment of the monotonic clock."""
    return round((time.monotonic() - began) * 1000)


async def engine_equals(plan: Plan, seeded: Seeded, random: Random) -> None:
    """Some reports' tuples are in the new store exactly as SQL wants them."""
    authz = policy.adapter(plan.engine, Installation.read(plan.keys).model)
    database = Database(plan.url, "disclosure", app_name="test")
    sync = PolicySync(database, authz)
    for number in random.sample(range(seeded.size), LOOKS):
        assert not await sync.sync(seeded.incident(number)), "the engine differed from SQL"
    await authz.close()
    await database.close()


@pytest.fixture(scope="module")
async def saved(
    backends: Backends,
    policy_engine: policy.Engine,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Plan, str]]:
    """A small backup with a journal, and the database that it was made of."""
    with fresh_database(backends, migrated_template) as lost:
        plan = prepared(tmp_path_factory.mktemp("saved"), lost, policy_engine)
        await lost_and_backed_up(lost, plan, seeding.seed(lost, 20), Random(1))
        yield plan, lost


@pytest.fixture
def small(saved: tuple[Plan, str], empty_database: str, tmp_path: Path) -> tuple[Plan, str]:
    """The same in folders of this test's own, to be brought back to an empty database."""
    plan, lost = saved
    copy = tmp_path / "copy"
    shutil.copytree(plan.backup.parent, copy)
    own = {name: copy / name for name in ("backup", "journals", "keys")}
    return replace(plan, url=empty_database, **own), lost


@pytest.mark.parametrize("name", [dump.DUMP, dump.MANIFEST])
def test_a_damaged_backup_is_refused_before_anything_is_loaded(small: tuple[Plan, str], name: str) -> None:
    """I19: at some places of each file."""
    plan, _ = small
    file = plan.backup / name
    whole = file.read_bytes()
    for place in sorted(Random(2).sample(range(len(whole)), 12)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ConfigurationError, match=r"damaged|another version"):
            restore.load(plan)
    file.unlink()
    with pytest.raises(ConfigurationError, match="damaged"):
        restore.load(plan)
    assert not is_restoring(plan.url)


def test_a_damaged_journal_is_refused_before_anything_is_loaded(small: tuple[Plan, str]) -> None:
    """I19."""
    plan, _ = small
    file = max(plan.journals.iterdir(), key=lambda path: path.stat().st_size)
    whole = file.read_bytes()
    file.write_bytes(whole[:50] + b"x" + whole[51:])
    with pytest.raises(ConfigurationError, match=r"line 1 of .* is damaged"):
        restore.load(plan)
    file.write_bytes(b"")
    for each in plan.journals.iterdir():
        each.unlink()
    with pytest.raises(ConfigurationError, match="no journal"):
        restore.load(plan)
    assert not is_restoring(plan.url)


def test_a_restore_goes_into_an_empty_database_only(small: tuple[Plan, str]) -> None:
    """I19: what is there already is neither mixed with a backup nor lost."""
    plan, lost = small
    with pytest.raises(ConfigurationError, match="not empty"):
        restore.load(replace(plan, url=lost))
    assert not is_restoring(lost)


def test_a_backup_neither_replaces_another_nor_is_made_of_half_a_restore(small: tuple[Plan, str]) -> None:
    plan, lost = small
    made = (SERVICES, SystemClock(), SystemIds(), plan.postgres_bin)
    with pytest.raises(ConfigurationError, match="exists"):
        dump.backup(lost, plan.backup, *made)
    restore.load(plan)
    with pytest.raises(ConfigurationError, match="not complete"):
        dump.backup(plan.url, plan.backup.with_name("another"), *made)
    assert sorted(path.name for path in plan.backup.parent.iterdir()) == ["backup", "journals", "keys"]


def test_a_half_restored_database_takes_no_other_backup(small: tuple[Plan, str]) -> None:
    """I19: a restore that is run again goes on with the same backup, or not at all."""
    plan, lost = small
    restore.load(plan)
    other = replace(plan, backup=plan.backup.with_name("other"))
    dump.backup(lost, other.backup, SERVICES, SystemClock(), SystemIds(), plan.postgres_bin)
    with pytest.raises(ConfigurationError, match="another backup"):
        restore.load(other)


def test_no_command_line_shows_the_password(small: tuple[Plan, str]) -> None:
    plan, _ = small
    password = make_url(plan.url).password
    assert password
    with programs.environment(plan.url) as env:
        assert password not in " ".join(env.values())
        file = Path(env["PGSERVICEFILE"])
        assert password in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600


def test_tools_that_do_not_fit_are_named(small: tuple[Plan, str], tmp_path: Path) -> None:
    plan, lost = small
    to = tmp_path / "new"
    with pytest.raises(ConfigurationError, match="--postgres-bin"):
        dump.backup(lost, to, SERVICES, SystemClock(), SystemIds(), tmp_path)
    with pytest.raises(ConfigurationError, match="older than the server's"):
        programs.program("pg_dump", plan.postgres_bin, 1000)
    assert not to.exists()
