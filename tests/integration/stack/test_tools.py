"""The OpenFGA binary: trusted only as built, from today's sources."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.stack import tools
from services.stack.processes import StackError
from tests.support.stack import TOOLS


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A binary of ours in a folder of its own."""
    source = tmp_path / "built"
    source.write_bytes(b"#!/bin/sh\n")
    target = tmp_path / "openfga"
    tools.place(source, target)
    return target


def test_a_placed_binary_is_sound(kept: Path):
    assert tools.sound(kept)


def test_a_changed_binary_is_not_sound(kept: Path):
    kept.write_bytes(b"#!/bin/sh\nexit 1\n")

    assert not tools.sound(kept)


def test_a_binary_of_other_sources_is_not_sound(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    other = tmp_path / "sources"
    shutil.copytree(tools.SOURCE, other)
    (other / "go.sum").write_text("changed\n")
    monkeypatch.setattr(tools, "SOURCE", other)

    assert not tools.sound(kept)


def test_a_binary_whose_record_was_lost_is_not_sound(kept: Path):
    kept.with_suffix(kept.suffix + ".sha256").unlink()

    assert not tools.sound(kept)


def test_a_sound_binary_in_the_cache_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tools.place(tools.openfga(TOOLS, said.append), tools.cache() / f"openfga-{tools.version()}")

    fresh = tmp_path / "never" / "made"

    taken = tools.openfga(fresh, said.append)

    assert tools.sound(taken)
    assert taken.parent == fresh
    assert said == []


def test_an_old_go_is_passed_over_for_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.21.5\n")
    old.chmod(0o755)
    wheel = tmp_path / "tools" / tools.GO_WHEEL.replace("==", "-") / "bin" / "go"
    wheel.parent.mkdir(parents=True)
    wheel.touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert tools.go_version(str(old)) == (1, 21)
    assert tools.toolchain(tmp_path / "tools", print) == str(wheel)


def test_a_missing_uv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StackError, match="uv is missing"):
        tools.find_uv(tmp_path)
