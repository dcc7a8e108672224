"""`python -m services`: what it prints, what it refuses, and that it may be repeated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from services.__main__ import NAMES, config_schema, main
from services.bootstrap.policy import Engine
from tests.support.stack import ROOT

Run = Callable[..., tuple[int, str]]


def services(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs one command with these settings only."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MELDBRUG_")}
    command = [sys.executable, "-m", "services", *arguments]
    env = inherited | {f"MELDBRUG_{name}": value for name, value in settings.items()}
    return subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def test_list_names_every_service_with_what_it_serves():
    said = services("list")

    assert [line for line in said.stdout.splitlines() if not line.startswith(" ")] == list(NAMES)
    assert "  ReporterService" in said.stdout.splitlines()


def test_the_committed_schema_of_the_settings_is_up_to_date():
    assert json.loads((ROOT / "docs" / "config.schema.json").read_text()) == config_schema()


def test_every_setting_says_what_it_is_for():
    kernel = config_schema()["kernel"]
    assert isinstance(kernel, dict)

    assert [
        name
        for name, setting in kernel["properties"].items()
        if "description" not in setting | referred(setting)
    ] == []


def referred(setting: dict[str, object]) -> dict[str, object]:
    """Returns a description for a setting that is described where it is defined."""
    return {"description": ""} if "$ref" in setting or "allOf" in setting else {}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command in this process with these settings only; returns its exit code and complaint."""
    for name in os.environ:
        if name.startswith("MELDBRUG_"):
            monkeypatch.delenv(name)

    def command(*arguments: str, **settings: str) -> tuple[int, str]:
        for name, value in settings.items():
            monkeypatch.setenv(f"MELDBRUG_{name}", value)
        return main(arguments), capsys.readouterr().err

    return command


def test_a_missing_setting_is_named(run: Run):
    code, complaint = run("run", "all")

    assert code == 2
    assert "wrong setting: MELDBRUG_INSTALLATION: Field required" in complaint.splitlines()


def test_a_wrong_setting_is_named_and_its_value_is_not(run: Run):
    code, complaint = run("run", "all", INSTALLATION="something-secret")

    assert code == 2
    assert "MELDBRUG_INSTALLATION" in complaint
    assert "something-secret" not in complaint


def test_a_mistyped_setting_is_named(run: Run):
    assert run("run", "all", REFUSAL_FLOR_MS="250") == (
        2,
        "wrong setting: MELDBRUG_REFUSAL_FLOR_MS is not a setting\n",
    )


def test_an_unknown_service_is_refused(run: Run):
    with pytest.raises(SystemExit) as refused:
        run("run", "ledgers")

    assert refused.value.code == 2


def test_settings_may_come_from_a_file(run: Run, tmp_path: Path):
    (tmp_path / "settings").write_text("# made by bootstrap\nMELDBRUG_REFUSAL_FLOR_MS=250\n")

    code, complaint = run("--env-file", str(tmp_path / "settings"), "run", "all", REFUSAL_FLOR_MS="")

    assert code == 2
    assert "MELDBRUG_REFUSAL_FLOR_MS" in complaint


@pytest.mark.parametrize("name", ["DATABASE_URL", "OPENFGA__ADDRESS", "OPENFGA__HTTP_URL"])
def test_bootstrap_names_the_setting_it_misses(run: Run, name: str, tmp_path: Path):
    settings = {"DATABASE_URL": "x", "OPENFGA__ADDRESS": "x", "OPENFGA__HTTP_URL": "x"}
    del settings[name]

    assert run("bootstrap", "--keys", str(tmp_path), **settings) == (
        2,
        f"wrong setting: MELDBRUG_{name} is missing\n",
    )


def test_migrate_may_be_repeated(empty_database: str):
    first, second = (services("migrate", DATABASE_URL=empty_database) for _ in range(2))

    assert [first.returncode, second.returncode] == [0, 0]
    with psycopg.connect(empty_database) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
    assert {*NAMES, "jobs", "kernel"} <= {name for (name,) in found}


def test_bootstrap_may_be_repeated_and_keeps_its_secrets(
    database: str, policy_engine: Engine, tmp_path: Path
):
    settings = {
        "DATABASE_URL": database,
        "OPENFGA__ADDRESS": policy_engine.address,
        "OPENFGA__HTTP_URL": policy_engine.http_url,
        "OPENFGA__TOKEN_FILE": str(policy_engine.token_file),
    }
    arguments = ["bootstrap", "--keys", str(tmp_path / "keys"), "--root-key", str(tmp_path / "root.key")]

    first, second = (services(*arguments, **settings) for _ in range(2))

    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout == (tmp_path / "keys" / "installation.env").read_text()
    assert {path.stat().st_mode & 0o077 for path in tmp_path.rglob("*.key")} == {0}
    assert not (tmp_path / "keys" / "secretariat.key").exists()


def test_bootstrap_refuses_a_database_of_another_root(database: str, policy_engine: Engine, tmp_path: Path):
    settings = {
        "DATABASE_URL": database,
        "OPENFGA__ADDRESS": policy_engine.address,
        "OPENFGA__HTTP_URL": policy_engine.http_url,
        "OPENFGA__TOKEN_FILE": str(policy_engine.token_file),
    }
    services("bootstrap", "--keys", str(tmp_path / "first"), **settings)

    said = services("bootstrap", "--keys", str(tmp_path / "second"), **settings)

    assert said.returncode == 2
    assert "another root key" in said.stderr
