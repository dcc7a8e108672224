"""What is shown: moments for programs and for people, colours, and the request id of a failure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.cli.app import run
from meldbrug.cli.output import Screen, moment, plain
from meldbrug.cli.problems import REFUSED, ending_of
from meldbrug.cli.settings import Settings
from meldbrug.cli.words import Words
from meldbrug.client import Refused
from meldbrug.disclosure.v1.disclosure_pb2 import ConsentRequest

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")
BOLD = "\x1b[1m"
NOON = datetime(2026, 12, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def screen(*, as_json: bool = False) -> Screen:
    """A screen without an installation behind it."""
    return Screen(
        Settings(
            addresses={}, installation="", tls_root=None, key_path=Path("key.json"), language="en",
            as_json=as_json, receipt_fd=None, passphrase_fd=None,
        )
    )  # fmt: skip


def stamped(when: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(when)
    return stamp


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# --- moments


@pytest.mark.usefixtures("far_away")
@pytest.mark.parametrize(
    "given",
    [NOON, NOON.astimezone(timezone(timedelta(hours=2))), stamped(NOON)],
    ids=["utc", "zoned", "wire"],
)
def test_a_program_is_given_a_moment_as_the_contract_writes_it(
    given: datetime | Timestamp, capsys: pytest.CaptureFixture[str]
) -> None:
    screen(as_json=True).data({"time": given, **plain(ConsentRequest(create_time=stamped(NOON)))})

    shown = json.loads(capsys.readouterr().out)
    assert shown["time"] == shown["createTime"] == "2026-12-01T12:30:15.250Z"


def test_a_moment_that_is_not_there_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    screen(as_json=True).data({"time": Timestamp()})

    assert json.loads(capsys.readouterr().out) == {"time": ""}
    assert moment(Timestamp()) == ""


@pytest.mark.usefixtures("far_away")
def test_people_read_a_moment_on_their_own_clock() -> None:
    assert moment(NOON) == moment(stamped(NOON)) == "2026-12-01 21:30"


@pytest.mark.usefixtures("far_away")
def test_a_moment_at_the_end_of_the_calendar_is_shown_all_the_same() -> None:
    """A server may say so; no clock over there has reached that day."""
    assert moment(datetime.max.replace(microsecond=0, tzinfo=UTC)) == "9999-12-31 23:59"


# --- colours


@pytest.fixture
def coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.usefixtures("coloured")
def test_a_limit_is_seen_in_colour(capsys: pytest.CaptureFixture[str]) -> None:
    screen().note("preview-limits")

    assert COLOUR.search(capsys.readouterr().out)


@pytest.mark.usefixtures("coloured")
def test_with_no_color_nothing_is_coloured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    screen().note("preview-limits")
    screen().panel("reporter", "what somebody wrote")
    screen().table(("number", "name"), [("1", "Vertrouwenspersoon")])
    assert run(["key", "create", "--no-passphrase", "--key", str(tmp_path / "key.json")]) == 0

    shown = capsys.readouterr().out
    assert BOLD in shown
    assert COLOUR.findall(shown) == []


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.usefixtures("coloured")
def test_json_and_errors_are_never_coloured(
    no_color: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)

    assert run(["key", "create", "--no-passphrase", "--json", "--key", str(tmp_path / "key.json")]) == 0
    assert run(["key", "create", "--no-passphrase", "--key", str(tmp_path / "key.json")]) != 0

    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err


# --- a failure of the service


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_failure_of_the_service_names_the_request_id(language: str) -> None:
    request_id = "0b2f7f1e-5a0e-4c58-8a4f-7e6d7c1f2a3b"
    failed = Refused("INTERNAL", "INTERNAL", "internal error", metadata={"requestId": request_id})

    ending = ending_of(failed, Words("nl" if language == "nl" else "en"))

    assert (ending.exit_code, ending.reason) == (REFUSED, "INTERNAL")
    assert request_id in ending.sentence


def test_a_failure_without_a_request_id_is_told_as_any_refusal() -> None:
    failed = Refused("INTERNAL", "INTERNAL", "internal error")

    assert ending_of(failed, Words("en")).sentence == "Refused: internal error."
