"""What makes the project's environment says in one sentence what is missing."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

from services.stack import environment
from tests.support.stack import ROOT


def program(folder: Path, says: str) -> Path:
    """Returns a program that prints one line, whatever it is asked."""
    path = folder / "uv"
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


def test_the_oldest_python_is_the_one_the_project_asks_for():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]

    assert wanted == ">=3.11"
    assert "sys.version_info < (3, 11)" in (ROOT / "services" / "stack" / "environment.py").read_text()
