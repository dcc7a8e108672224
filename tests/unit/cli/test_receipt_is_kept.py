"""The receipt reaches the reporter whenever the report may be in, however sending it ends."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from meldbrug.cli import sending
from meldbrug.cli.app import run
from meldbrug.cli.output import Screen
from meldbrug.cli.settings import Settings
from meldbrug.cli.words import Language
from meldbrug.client import (
    Connection,
    Draft,
    MeldbrugError,
    NotPermitted,
    NotReached,
    Refused,
    ReporterClient,
    Unavailable,
)
from meldbrug.crypto import CryptoError, from_words, to_words

ENTROPY = bytes(range(16))

MAYBE_IN = [
    asyncio.CancelledError(),
    KeyboardInterrupt(),
    NotReached("no answer"),
    Unavailable("UNAVAILABLE", "DATABASE_UNAVAILABLE", "no"),
    Refused("RESOURCE_EXHAUSTED", "OVERLOADED", "no"),
    Refused("INTERNAL", "INTERNAL", "no"),
    Refused("DEADLINE_EXCEEDED", "", "no"),
    Refused("PERMISSION_DENIED", "", "a proxy on the way said so"),
    MeldbrugError("the answer is no answer"),
    RuntimeError("anything"),
]
NOT_IN = [
    Refused("INVALID_ARGUMENT", "FIELD_INVALID", "no"),
    NotPermitted("PERMISSION_DENIED", "NOT_PERMITTED", "no"),
    Refused("FAILED_PRECONDITION", "WRONG_STATE", "no"),
    Refused("UNAUTHENTICATED", "TOKEN_INVALID", "no"),
    Refused("ALREADY_EXISTS", "NAME_TAKEN", "no"),
    CryptoError("too long"),
]


def named(error: object) -> str:
    return f"{type(error).__name__}-{getattr(error, 'code', '')}-{getattr(error, 'reason', '')}"


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """How the next report ends: in an error, or in nothing but itself."""
    held = SimpleNamespace(error=None)

    async def report(*_: object) -> SimpleNamespace:
        if held.error:
            raise held.error
        return SimpleNamespace(name="incidents/a")

    monkeypatch.setattr(sending, "new_entropy", lambda: ENTROPY)
    monkeypatch.setattr(ReporterClient, "report", report)
    monkeypatch.setenv("COLUMNS", "200")
    return held


def send(*, as_json: bool = False, language: Language = "en") -> None:
    """Sends a report to nobody, on this thread alone."""
    screen = Screen(Settings({}, "", None, Path("key.json"), language, as_json, None, None))
    draft = Draft(texts={}, intake=[])
    sent = sending._send(Connection({}, "a" * 52), screen, draft)
    with pytest.raises(StopIteration):
        sent.send(None)


def receipt(language: Language = "en") -> str:
    return " ".join(to_words(ENTROPY, language))


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("error", MAYBE_IN, ids=named)
def test_it_is_shown_when_the_report_may_be_in(
    error: BaseException, language: Language, ending: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    ending.error = error

    with pytest.raises(type(error)):
        send(language=language)

    shown = capsys.readouterr().out
    assert receipt(language) in shown
    assert {"nl": "niet zeker", "en": "not certain"}[language] in shown
    assert "`meldbrug status`" in shown


@pytest.mark.parametrize("error", MAYBE_IN, ids=named)
def test_it_is_given_to_programs_too(
    error: BaseException, ending: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    ending.error = error

    with pytest.raises(type(error)):
        send(as_json=True)

    shown = json.loads(capsys.readouterr().out)
    assert (shown["sent"], from_words(shown["receipt"])) == (None, ENTROPY)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("error", NOT_IN, ids=named)
def test_no_receipt_opens_nothing(
    error: Exception, as_json: bool, ending: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    ending.error = error

    with pytest.raises(type(error)):
        send(as_json=as_json)

    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("ending")
def test_it_comes_before_everything_else(capsys: pytest.CaptureFixture[str]) -> None:
    send()

    shown = capsys.readouterr().out
    assert shown.index(receipt()) < min(
        shown.index(word) for word in ("Write these", "Lost is lost", "has reached")
    )


class Broken(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def fileno(self) -> int:
        raise OSError("none")


@pytest.mark.usefixtures("ending")
@pytest.mark.parametrize("as_json", [False, True])
def test_it_goes_elsewhere_when_standard_output_is_closed(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken())
    screen = Screen(Settings({}, "", None, Path("key.json"), "en", as_json, None, None))

    sending.hand_over(screen, {"sent": True, "receipt": receipt()})

    told = capsys.readouterr().err
    assert (json.loads(told)["receipt"] if as_json else told.strip()) == receipt()


def test_no_character_is_too_much_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding="ascii"))
    assert run(["--help"]) == 0

    Screen(Settings({}, "", None, Path("key.json"), "nl", False, None, None)).panel("Zoë", "\ud800 in café")

    sys.stdout.flush()
    assert b"caf\\xe9" in held.getvalue()
