"""The command line without a server: options, words, endings, receipts, keys."""

# ruff: noqa: E501 - a command stands on a line

from __future__ import annotations

import io
import json
import os
import string
from pathlib import Path

import pytest

from meldbrug.cli import app as command
from meldbrug.cli.app import hoisted, run
from meldbrug.cli.asking import secret_line, text_of
from meldbrug.cli.keys import grouped
from meldbrug.cli.labels import kind_of, label, state_label
from meldbrug.cli.problems import (
    CHANGED,
    CLOSED,
    LATER,
    LOCAL,
    REFUSED,
    UNVERIFIED,
    USAGE,
    Problem,
    ending_of,
)
from meldbrug.cli.settings import Settings, where
from meldbrug.cli.wording import WORDING
from meldbrug.cli.words import Words
from meldbrug.client import (
    KeyFileError,
    MeldbrugError,
    NotPermitted,
    NotReached,
    Refused,
    Stale,
    Unavailable,
    Unverified,
    load_keys,
)
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import ChecksumMismatch, SecretKeys, UnknownWord, WordCount

NL, EN = Words("nl"), Words("en")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("MELDBRUG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


# --- options


@pytest.mark.parametrize(
    ("given", "front"),
    [
        (["case", "list", "--json"], ["--json", "case", "list"]),
        (["case", "list", "--lang", "nl", "--json"], ["--lang", "nl", "--json", "case", "list"]),
        (["case", "list", "--lang=nl"], ["--lang=nl", "case", "list"]),
        (["case", "list", "--", "--json"], ["case", "list", "--", "--json"]),
        (["notice", "open", "x", "--kind", "summary"], ["notice", "open", "x", "--kind", "summary"]),
    ],
)
def test_options_of_every_command_may_stand_anywhere(given: list[str], front: list[str]) -> None:
    assert hoisted(given) == front


def test_one_address_serves_all_or_each_has_its_own() -> None:
    root = "a" * 52

    assert where(["localhost:1"], root, None) == (
        {"directory": "localhost:1", "disclosure": "localhost:1", "coordination": "localhost:1"},
        root,
    )
    assert where(["directory=a:1", "disclosure=b:2"], root, None)[0] == {
        "directory": "a:1",
        "disclosure": "b:2",
    }


@pytest.mark.parametrize(
    ("endpoints", "root"), [(["localhost"], "a" * 52), (["mail=a:1"], "a" * 52), ([], "root")]
)
def test_an_installation_of_another_form_is_refused(endpoints: list[str], root: str) -> None:
    with pytest.raises(Problem):
        where(endpoints, root, None)


def test_the_local_stack_is_found_without_being_named(tmp_path: Path) -> None:
    file = tmp_path / ".stack" / "endpoints.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"installation": "a" * 52, "services": {"directory": "h:1"}}))
    file.chmod(0o600)

    assert where([], "", None) == ({"directory": "h:1"}, "a" * 52)
    assert where([], "b" * 52, None)[1] == "b" * 52


def test_without_an_installation_a_command_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--lang", "nl"]) == LOCAL
    assert "--endpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given", [["nonsense"], ["--lang", "fr", "status"], ["case", "assess"], ["--nothing"]]
)
def test_a_wrong_command_line_is_one_sentence(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(given) == USAGE
    assert "Traceback" not in capsys.readouterr().err


def test_every_command_explains_itself_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    for group in ("consent", "case", "notice", "inbox", "key", "directory"):
        assert run([group, "--help"]) == 0

    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  report ")]
    assert shown == ["  report           Iets melden / Report something."]


# --- words


def test_both_languages_fill_in_the_same_values() -> None:
    def blanks(sentence: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

    assert [key for key, (nl, en) in WORDING.items() if blanks(nl) != blanks(en) or not nl or not en] == []


@pytest.mark.parametrize(
    ("enum", "prefix"),
    [(common.Kind, "KIND"), (common.Purpose, "PURPOSE"), (common.Ground, "GROUND"), (common.Category, "CATEGORY"),
     (common.IncidentState, "INCIDENT_STATE"), (common.NoticeState, "NOTICE_STATE")],
)  # fmt: skip
def test_every_value_has_a_name_in_both_languages(enum: object, prefix: str) -> None:
    names = [value.name for value in enum.DESCRIPTOR.values if value.number]  # type: ignore[attr-defined]

    assert all(name.startswith(prefix) for name in names)
    assert [name for name in names if name in {label(NL, name), label(EN, name)}] == []


def test_a_value_of_a_newer_service_is_shown_as_it_is() -> None:
    assert label(NL, "KIND_NEWER") == "KIND_NEWER"
    assert state_label(EN, "SOMETHING_NEW") == "something new"
    assert state_label(NL, "WITHDRAWN") == "ingetrokken"


def test_a_kind_is_called_by_its_name() -> None:
    assert kind_of("reporter-identity") == common.KIND_REPORTER_IDENTITY
    for unknown in ("unspecified", "story"):
        with pytest.raises(MeldbrugError):
            kind_of(unknown)


# --- endings


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotPermitted("PERMISSION_DENIED", "NOT_PERMITTED", "no"), CLOSED),
        (Stale("ABORTED", "ETAG_STALE", "no"), CHANGED),
        (Unavailable("UNAVAILABLE", "DATABASE_UNAVAILABLE", "no"), LATER),
        (NotReached("no answer"), LATER),
        (Refused("RESOURCE_EXHAUSTED", "OVERLOADED", "no"), LATER),
        (Refused("FAILED_PRECONDITION", "WRONG_STATE", "no"), CHANGED),
        (Refused("INVALID_ARGUMENT", "FIELD_INVALID", "no"), REFUSED),
        (Unverified("consent"), UNVERIFIED),
        (KeyFileError("damaged", "the key file is damaged"), LOCAL),
        (Problem("this"), LOCAL),
        (RuntimeError("what somebody wrote"), LOCAL),
    ],
)
def test_an_error_ends_in_a_sentence_and_a_code(error: Exception, code: int) -> None:
    for words in (NL, EN):
        ending = ending_of(error, words)
        assert ending.exit_code == code
        assert ending.sentence.endswith((".", "?"))
        assert "what somebody wrote" not in ending.sentence


def test_a_mistyped_receipt_is_told_in_both_languages() -> None:
    unknown = UnknownWord("zomr", 3, "zomer")

    assert ending_of(unknown, NL).sentence == "Woord 3, 'zomr', staat niet in de lijst. Bedoel je 'zomer'?"
    assert ending_of(unknown, EN).sentence == "Word 3, 'zomr', is not in the list. Do you mean 'zomer'?"
    assert ending_of(ChecksumMismatch(), NL).sentence == "Een van de woorden klopt niet."
    assert ending_of(ChecksumMismatch(), EN).sentence == "One of the words is not right."
    assert "11" in ending_of(WordCount(11), EN).sentence


def test_an_unexpected_error_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("het hele verhaal")

    monkeypatch.setattr(command, "app", break_down)

    assert run(["report", "--json"]) == LOCAL
    shown = capsys.readouterr().err
    assert "verhaal" not in shown
    assert json.loads(shown)["error"]["reason"] == "UNEXPECTED"


# --- what is asked


def settings(path: Path, **given: object) -> Settings:
    values: dict[str, object] = {
        "addresses": {}, "installation": "", "tls_root": None, "key_path": path, "language": "en",
        "as_json": False, "receipt_fd": None, "passphrase_fd": None,
    }  # fmt: skip
    return Settings(**(values | given))  # type: ignore[arg-type]


def test_a_secret_comes_from_a_descriptor_line_by_line() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"eerste\r\ntweede\n")
    os.close(write_end)

    assert [secret_line(read_end, "") for _ in range(3)] == ["eerste", "tweede", ""]
    os.close(read_end)


def test_texts_come_from_files_or_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("  wat er gebeurde\n")
    typed(monkeypatch, "getypt\n")

    assert text_of(settings(tmp_path), tmp_path / "text", "") == "wat er gebeurde"
    assert text_of(settings(tmp_path), Path("-"), "") == "getypt"


@pytest.mark.parametrize("held", [b"", b"  \n", b"a" * 70_000, b"\xff\xfe"])
def test_a_text_that_cannot_be_sent_is_told(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "text").write_bytes(held)

    with pytest.raises(Problem):
        text_of(settings(tmp_path), tmp_path / "text", "")


# --- keys


def test_keys_are_made_shown_exported_and_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, copy, other = (str(tmp_path / name) for name in ("key.json", "copy.json", "other.json"))
    typed(monkeypatch, "mijn wachtzin\n")
    assert run(["key", "create", "--key", key, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["kid"]
    typed(monkeypatch, "mijn wachtzin\neen andere\n")
    assert run(["key", "export", copy, "--key", key]) == 0
    typed(monkeypatch, "een andere\nnog een\n")
    assert run(["key", "import", copy, "--key", other]) == 0
    capsys.readouterr()
    assert run(["key", "show", "--key", other]) == 0

    assert grouped(made) in capsys.readouterr().out
    assert load_keys(Path(other), "nog een").kid == made
    assert run(["key", "create", "--key", key, "--no-passphrase"]) == LOCAL


def test_the_installation_s_own_key_is_imported(tmp_path: Path) -> None:
    keys = SecretKeys(b"s" * 32, b"e" * 32)
    (tmp_path / "secretariat.key").write_text((keys.signing_seed + keys.sealing_seed).hex() + "\n")
    (tmp_path / "secretariat.key").chmod(0o600)
    key = tmp_path / "key.json"

    assert (
        run(["key", "import", str(tmp_path / "secretariat.key"), "--key", str(key), "--no-passphrase"]) == 0
    )
    assert load_keys(key) == keys


def test_an_empty_passphrase_is_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "\n")

    assert run(["key", "create", "--key", str(tmp_path / "key.json")]) == LOCAL
    assert "--no-passphrase" in capsys.readouterr().err
    assert not (tmp_path / "key.json").exists()
