"""What people are shown is whole on a narrow terminal, and steers nothing but the cursor's way down."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from meldbrug.cli.app import run
from meldbrug.cli.output import Screen
from meldbrug.cli.settings import Settings
from meldbrug.crypto import from_words, to_words
from meldbrug.crypto.receipt import ReceiptLanguage

LONG = "Op de set van maandag is iemand onheus bejegend; wij vragen maatregelen en een antwoord."


@pytest.fixture(params=["40", "80"], autouse=True)
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", request.param)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def screen() -> Screen:
    """A screen of that width."""
    return Screen(Settings({}, "", None, Path("key.json"), "nl", False, None, None))


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """The text between the borders, on one line."""
    return re.sub(r"[\u2500-\u257f\s]+", " ", capsys.readouterr().out).strip()


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_receipt_that_was_shown_can_be_typed_in(
    capsys: pytest.CaptureFixture[str], language: ReceiptLanguage
) -> None:
    entropy = random.Random(language).randbytes(16)

    screen().panel("", " ".join(to_words(entropy, language)))

    assert from_words(shown(capsys)) == entropy


def test_a_text_is_shown_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    screen().panel("Samenvatting", LONG)

    assert LONG in shown(capsys)


def test_a_name_in_a_table_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    name = "incidents/" + "a" * 26 + "/notices/" + "b" * 26

    screen().table(["nothing-here", "nothing-here"], [[name, "x"]])

    assert name in re.sub(r"[\u2500-\u257f\s x]+", "", capsys.readouterr().out)


STEERING = ["\x1b[4A\x1b[2K", "\x9b2K", "\r", "\x08", "\x7f", "\u202e", "\u2066"]


@pytest.mark.parametrize("steering", STEERING, ids=ascii)
def test_no_text_writes_over_what_stands_above_it(capsys: pytest.CaptureFixture[str], steering: str) -> None:
    """A handler's summary must not change the names above it in the preview of a consent."""
    text = f"voor{steering}na"

    screen().line(text)
    screen().panel(text, text)
    screen().table(["nothing-here"], [[text]])

    out = capsys.readouterr().out
    assert not any(character in out for character in steering if not character.isprintable())
    assert out.count("\N{REPLACEMENT CHARACTER}") >= 4


def test_an_ending_steers_nothing_either(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    os.chdir(tmp_path)

    assert run(["\x1b[2Kreport"]) != 0

    assert "\x1b" not in capsys.readouterr().err
