"""PostgreSQL and OpenFGA as the stack runs them."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

from services.stack import AlreadyRunning, Backends
from services.stack.folder import throw_away
from services.stack.reaper import is_alive
from tests.support.stack import ROOT, TOOLS, throw_away_folder

RUN_AND_WAIT = """
import sys, time
from pathlib import Path
from services.stack import Backends
with Backends(Path(sys.argv[1]), tools_folder=Path(sys.argv[2])) as running:
    children = [running.postgres.child, running.openfga.child]
    print(*(child.process.pid for child in children), flush=True)
    time.sleep(60)
"""


def test_a_commit_is_durable(backends: Backends):
    with psycopg.connect(backends.database_url) as connection:
        found = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "full_page_writes")
        ]

    assert found == [("on",), ("on",), ("on",)]


def test_an_error_in_the_log_names_no_value(backends: Backends):
    with psycopg.connect(backends.database_url, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE held (name text PRIMARY KEY)")
        connection.execute("INSERT INTO held VALUES ('incidents/secret')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO held VALUES ('incidents/secret')")

    log = (backends.folder.logs / "postgres.log").read_text()
    assert "held_pkey" in log
    assert "incidents/secret" not in log


def test_without_the_password_nobody_gets_in(backends: Backends):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(backends.database_url, password="guessed")


def test_a_database_is_made_from_a_template_and_dropped_under_its_users(backends: Backends):
    template = backends.create_database("template_small")
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE kept (name text)")

    copy = backends.create_database("copied", template="template_small")
    user = psycopg.connect(copy)
    assert user.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    backends.drop_database("copied")

    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(copy)
    user.close()


def test_openfga_answers_only_with_the_preshared_key(backends: Backends):
    request = urllib.request.Request(f"{backends.openfga.http_url}/stores")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    refused.value.close()

    request.add_header("Authorization", f"Bearer {backends.openfga.token}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert "stores" in json.load(answer)
    assert refused.value.code == 401


def test_both_come_back_on_the_same_port(backends: Backends):
    for server in (backends.postgres, backends.openfga):
        server.stop()
        server.start()

    with psycopg.connect(backends.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with urllib.request.urlopen(f"{backends.openfga.http_url}/healthz", timeout=5) as answer:
        assert b"SERVING" in answer.read()


def test_a_folder_holds_one_stack_at_a_time(backends: Backends):
    with (
        pytest.raises(AlreadyRunning, match="already running"),
        Backends(backends.folder.path, tools_folder=TOOLS),
    ):
        pass


def test_keys_are_readable_by_their_owner_only(backends: Backends):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in backends.folder.keys.iterdir()}

    assert modes == {0o600}
    assert stat.S_IMODE(backends.folder.keys.stat().st_mode) == 0o700


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_stack_and_its_data_does(how: signal.Signals):
    with throw_away_folder() as folder:
        spaced = folder / "a path with spaces"
        children = run_until(spaced, how)
        with Backends(spaced, tools_folder=TOOLS) as again:
            with psycopg.connect(again.database_url) as connection:
                assert connection.execute("SELECT current_database()").fetchone() == ("meldbrug",)
            assert not any(is_alive(pid) for pid in children)


def run_until(folder: Path, how: signal.Signals) -> list[int]:
    """Runs a stack in a process of its own and ends that process; returns the numbers of its children."""
    command = [sys.executable, "-c", RUN_AND_WAIT, str(folder), str(TOOLS)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as process:
        assert process.stdout
        children = [int(number) for number in process.stdout.readline().split()]
        assert len(children) == 2
        assert all(is_alive(pid) for pid in children)
        os.kill(process.pid, how)
        process.wait(30)
    return children


def test_as_root_a_closed_folder_stays_closed():
    with throw_away_folder() as folder:
        folder.chmod(0o700)
        with (
            Backends(folder / "inside", tools_folder=TOOLS) as running,
            psycopg.connect(running.database_url) as connection,
        ):
            assert connection.execute("SELECT 1").fetchone() == (1,)

        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_a_killed_run_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path):
    (tmp_path / "demo-left" / "postgres").mkdir(parents=True)
    (tmp_path / "demo-left" / "in-use").touch()
    (tmp_path / "other").mkdir()

    with throw_away(tmp_path, "demo") as first, throw_away(tmp_path, "demo") as second:
        assert {path.name for path in tmp_path.iterdir()} >= {"other", first.name, second.name}
        assert not (tmp_path / "demo-left").exists()

    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["other"]
