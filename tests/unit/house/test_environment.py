"""What makes the project's environment says in one sentence what is missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from services.stack import environment
from tests.support.stack import ROOT


def program(folder: Path, says: str, name: str = "uv") -> Path:
    """Returns a program that prints one line, whatever it is asked."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("says", "found"),
    [("uv 0.13.9 (abc 2026-11-01)", (0, 13)), ("uv 1.0.0", (1, 0)), ("something else", (0, 0))],
)
def test_the_version_of_uv_is_what_it_says(tmp_path: Path, says: str, found: tuple[int, int]):
    assert environment.version(program(tmp_path, says)) == found


def test_a_uv_that_does_not_run_counts_as_too_old(tmp_path: Path):
    assert environment.version(tmp_path / "uv") < environment.UV_AT_LEAST


def test_an_old_uv_on_the_path_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(program(tmp_path, "uv 0.4.0").parent))

    assert environment.system_uv() is None


def test_a_missing_venv_module_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment, "TOOLS", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(SystemExit, match="python3-venv"):
        environment.pinned_uv()


def test_a_uv_that_was_fetched_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / f"uv-{environment.UV}" / "bin"
    home.mkdir(parents=True)
    fetched = program(home, f"uv {environment.UV}")
    monkeypatch.setattr(environment, "TOOLS", tmp_path)

    assert environment.pinned_uv() == str(fetched)


def python(folder: Path, name: str, took_s: float, version: tuple[int, ...] = sys.version_info[:2]) -> Path:
    """Returns a Python that says how long its work took."""
    return program(folder, "{} {} {}".format(*version, took_s), name)


NAME = "python{}.{}".format(*sys.version_info[:2])
OTHER = (sys.version_info[0], sys.version_info[1] + 1)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Python that `make` was run with, and two folders on the path: its own, and one for others."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'own'}:{tmp_path / 'other'}")
    return str(python(tmp_path / "own", "python3", 2.0))


def test_a_faster_build_of_the_same_python_is_taken(
    own: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    python(tmp_path / "own", NAME, 1.9)
    best = python(tmp_path / "other", NAME, 1.0)

    assert environment.fastest(own) == str(best)
    assert capsys.readouterr().out == f"Taking {best}: it is 2.0 times as fast as {own}.\n"


@pytest.mark.parametrize(
    ("took_s", "version"), [(1.9, sys.version_info[:2]), (1.0, OTHER), (float("nan"), sys.version_info[:2])]
)
def test_another_python_stays_where_it_is(
    own: str, tmp_path: Path, took_s: float, version: tuple[int, ...], capsys: pytest.CaptureFixture[str]
):
    python(tmp_path / "other", NAME, took_s, version)

    assert environment.fastest(own) == own
    assert capsys.readouterr().out == ""


def test_a_python_that_says_nothing_is_not_taken(own: str, tmp_path: Path):
    program(tmp_path / "other", "no", NAME)

    assert environment.fastest(own) == own


@pytest.mark.parametrize(("named", "says"), [([], "environment.py \n"), (["PYTHON=python3"], "--this\n")])
def test_a_python_that_was_named_is_taken(named: list[str], says: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("PYTHON", "MAKEFLAGS"):  # What `make test` itself was told.
        monkeypatch.delenv(name, raising=False)
    command = ["make", "--no-print-directory", "--dry-run", "--always-make", ".venv/.synced", *named]
    would = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert would.stdout.endswith(says)


def test_the_work_is_timed_on_this_python():
    assert 0 < environment.pace(sys.executable, sys.version_info[:2]) < 10


def test_the_oldest_python_is_the_one_the_project_asks_for():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]

    assert wanted == ">=3.11"
    assert "sys.version_info < (3, 11)" in (ROOT / "services" / "stack" / "environment.py").read_text()
