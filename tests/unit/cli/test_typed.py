"""Texts as they are typed or piped: asked for, whole or refused, never a part."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from meldbrug.cli.asking import secret_line, text_of
from meldbrug.cli.problems import Problem
from meldbrug.cli.settings import Settings
from meldbrug.crypto import MAX_CONTENT_BYTES

SETTINGS = Settings({}, "", None, Path("key.json"), "en", False, None, None)
STANDARD_INPUT = Path("-")


def typed(monkeypatch: pytest.MonkeyPatch, held: bytes, errors: str = "strict") -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(held), "utf-8", errors))


@pytest.mark.parametrize("at_the_cut", [" ", "\n", "\t"])
@pytest.mark.parametrize("piped", [False, True])
def test_white_space_at_the_cut_shortens_nothing(
    at_the_cut: str, piped: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = ("a" * MAX_CONTENT_BYTES + at_the_cut + "and what mattered most").encode()
    (tmp_path / "text").write_bytes(held)
    typed(monkeypatch, held)

    with pytest.raises(Problem, match="too long"):
        text_of(SETTINGS, STANDARD_INPUT if piped else tmp_path / "text", "")


def test_the_longest_text_is_sent_whole(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a" * MAX_CONTENT_BYTES)

    assert len(text_of(SETTINGS, tmp_path / "text", "")) == MAX_CONTENT_BYTES


@pytest.mark.parametrize("path", [None, STANDARD_INPUT])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_asked(
    path: Path | None, terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, b"It happened to me.\n")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal)

    assert text_of(SETTINGS, path, "Write what happened.") == "It happened to me."

    assert capsys.readouterr().err == ("Write what happened.\n" if terminal else "")


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_is_no_text_is_told(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, b"\xff\xfe", errors)

    with pytest.raises(Problem, match="cannot be read"):
        text_of(SETTINGS, STANDARD_INPUT, "")


def test_a_secret_that_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, b"\xff\xfe\n")

    with pytest.raises(Problem, match="cannot be read"):
        secret_line(None, "")
