"""The app as it is built: the same bytes each time (T5), and small."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from clients.environment import HERE, run_npm
from services.stack import edge

FIRST_LOAD_BYTES = 150 * 1024


def built(folder: Path, monkeypatch: object) -> dict[str, str]:
    """Builds the app into a folder; returns the hashes of its files."""
    monkeypatch.setenv("MELDBRUG_APP_OUT", str(folder))  # type: ignore[attr-defined]
    done = run_npm("run", "build", "--workspace", "web")
    assert done.returncode == 0, done.stdout
    return listed(folder)


def listed(folder: Path) -> dict[str, str]:
    """The hashes in a folder's list."""
    found: dict[str, str] = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    return found


def others(folder: Path, start: str) -> list[str]:
    """The files that begin alike but for the largest: of a language, its receipt's words."""
    *small, _largest = sorted(folder.rglob(f"{start}*"), key=lambda path: path.stat().st_size)
    return [path.name for path in small]


def test_two_builds_are_the_same_byte_for_byte(tmp_path: Path, monkeypatch: object) -> None:
    assert built(tmp_path / "one", monkeypatch) == built(tmp_path / "other", monkeypatch) == listed(edge.APP)


def test_whatever_somebody_does_first_is_small() -> None:
    """All code together, but for what is fetched on demand, is less than a first load may be."""
    later = ("argon2", "ed25519", "en-", "puzzle", "QR-", "seldom", *others(edge.APP, "nl-"))
    first = [
        path
        for path in sorted(edge.APP.rglob("*"))
        if path.is_file() and not path.name.startswith(later) and path.suffix in {".js", ".css", ".html"}
    ]
    size = sum(len(gzip.compress(path.read_bytes(), 9)) for path in first)
    print(f"{size / 1024:.0f} KiB of {len(first)} files")

    assert size <= FIRST_LOAD_BYTES
    assert HERE / "web" in edge.APP.parents
