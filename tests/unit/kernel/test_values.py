"""Ids, page tokens, settings, log lines, statuses: the small promises."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meldbrug.crypto.keys import SecretKeys
from meldbrug.error.v1 import error_pb2
from services.kernel import clock as module
from services.kernel import errors, log
from services.kernel.answers import refusal_from, status_of
from services.kernel.authz import PUBLIC, Actor, PolicyTuple, PrincipalClass
from services.kernel.clock import DatabaseClock, SystemClock, SystemIds, is_id, text_id
from services.kernel.config import KernelSettings
from services.kernel.errors import InvalidArgument, Refusal
from services.kernel.interceptors import STAGES, Chain
from services.kernel.pages import Pages
from services.kernel.tokens import ServiceKeys

KEY = b"k" * 32


def test_ids_are_fresh_and_of_one_form() -> None:
    ids = SystemIds()
    made = {ids.new_id() for _ in range(100)}

    assert len(made) == 100
    assert all(is_id(each) for each in made)
    assert text_id(bytes(16)) == "a" * 26
    assert len(ids.token_bytes(9)) == 9


@pytest.mark.parametrize("text", ["", "a" * 25, "a" * 27, "A" * 26, "1" * 26, "é" * 26])
def test_other_texts_are_no_ids(text: str) -> None:
    assert not is_id(text)


def test_the_clock_is_aware() -> None:
    assert SystemClock().now().utcoffset() is not None
    assert SystemClock().monotonic() <= SystemClock().monotonic()


async def test_the_databases_clock_is_carried_on_by_what_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """I4: a telling that was long under way counts only for want of another."""
    clock, passed = DatabaseClock(), 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: passed)
    told = datetime(2031, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert abs(clock.now() - SystemClock().now()) < timedelta(seconds=5)

    async def ask(took_s: float, moment: datetime) -> datetime:
        nonlocal passed
        passed += took_s
        return moment

    await clock.follow(lambda: ask(4.0, told))
    assert clock.now() == told + timedelta(seconds=2)
    assert clock.now().tzinfo is UTC
    passed += 10
    assert clock.now() == told + timedelta(seconds=12)
    await clock.follow(lambda: ask(1.0, told))
    assert clock.now() == told + timedelta(seconds=13)
    await clock.follow(lambda: ask(0.5, told))
    assert clock.now() == told + timedelta(seconds=0.25)


cursors = st.lists(st.text(max_size=60) | st.integers(-(2**60), 2**60), max_size=4).map(tuple)


@given(cursors, st.text(max_size=20), st.text(max_size=20))
def test_a_page_token_comes_back_to_its_caller_and_list(cursor: Any, caller: str, filter: str) -> None:
    pages = Pages(KEY)
    assert pages.open(caller, filter, pages.seal(caller, filter, cursor)) == cursor


def test_a_page_token_serves_nobody_else() -> None:
    token = Pages(KEY).seal("a", "list", ("x", 1))
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    strangers = [("b", "list", KEY, token), ("a", "other", KEY, token), ("a", "list", b"q" * 32, token)]
    strangers += [("a", "list", KEY, bad) for bad in (flipped, "", "x", "é", token[:20], "A" * 5000)]
    for caller, filter, key, tried in strangers:
        with pytest.raises(InvalidArgument) as refusal:
            Pages(key).open(caller, filter, tried)
        assert refusal.value.reason == "PAGE_TOKEN_INVALID"


def test_page_tokens_tell_nothing_by_their_length() -> None:
    pages = Pages(KEY)
    assert len({len(pages.seal("a", "l", ("x" * length,))) for length in range(100)}) == 1
    assert pages.seal("a", "l", ()) != pages.seal("a", "l", ())


def settings(**changed: Any) -> KernelSettings:
    given: dict[str, Any] = {
        "installation": "a" * 52,
        "database_url": "postgresql://u:hidden@h/d",
        "openfga": {"address": "h:1", "store_id": "s", "model_id": "m"},
        "service_secrets_dir": ".",
        "service_keys": {},
        "page_key_file": "k",
    }
    return KernelSettings(**{**given, **changed})


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"installation": "short"}, "installation"),
        ({"refusal_floor_ms": 10}, "refusal_floor_ms"),
        ({"test_clock": True}, "test_clock"),
        ({"test_failpoint_file": "f"}, "test_failpoint_file"),
        ({"tls_cert_file": "c"}, "tls_key_file"),
        ({"surprise": 1}, "surprise"),
        (
            {"openfga": {"address": "h:1", "store_id": "s", "model_id": "m", "check_timeout_ms": 250}},
            "check_timeout_ms",
        ),
        ({"max_message_bytes": 1}, "max_message_bytes"),
        ({"log_level": "LOUD"}, "log_level"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named) as refusal:
        settings(**wrong)
    assert "hidden" not in str(refusal.value)


def test_settings_come_from_the_environment_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELDBRUG_ADMISSION__INTAKE_QUEUE", "7")
    monkeypatch.setenv("MELDBRUG_PEERS", '{"beta": "h:2"}')
    read = settings()

    assert (read.admission.intake_queue, read.peers) == (7, {"beta": "h:2"})
    with pytest.raises(ValidationError):
        read.refusal_floor_ms = 1
    assert "hidden" not in repr(read)


def test_every_setting_is_described() -> None:
    schema = KernelSettings.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        assert all("description" in field or "$ref" in field for field in section["properties"].values())


class Told(StrEnum):
    THING_DONE = "thing.done"


@pytest.fixture
def lines() -> Any:
    stream = io.StringIO()
    log.configure("INFO", stream)
    yield stream
    structlog.reset_defaults()


def test_only_allowed_fields_are_logged(lines: io.StringIO) -> None:
    log.request_id.set("r" * 26)
    log.emit(Told.THING_DONE, method="/m", name="Jan", text="content", incident="incidents/x")
    log.request_id.set("")
    line = json.loads(lines.getvalue())

    assert line.pop("timestamp")
    assert line == {"event": "thing.done", "level": "info", "method": "/m", "request_id": "r" * 26}


def test_a_failure_is_logged_by_type_and_place(lines: io.StringIO) -> None:
    with pytest.raises(ValueError, match="content") as caught:
        int("content of a case")
    log.emit_failure(Told.THING_DONE, caught.value)
    line = lines.getvalue()

    assert "content" not in line
    assert json.loads(line)["cause"] == "ValueError"
    assert "test_values:" in json.loads(line)["place"]


def test_messages_of_libraries_are_not_printed(
    lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    import logging

    logging.getLogger("sqlalchemy").error("INSERT INTO incidents VALUES ('content')")

    assert "content" not in lines.getvalue() + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "refusal",
    [
        errors.NotPermitted(),
        errors.Unauthenticated("TOKEN_STALE", metadata={"serverTimeMs": "1"}),
        errors.InvalidField("a.b[1]", "is wrong"),
        errors.Exhausted(retry_after_s=2.5),
        errors.Unavailable("POLICY_UNAVAILABLE"),
        errors.FailedPrecondition(state="OPENED"),
    ],
)
def test_a_refusal_survives_its_status(refusal: Refusal) -> None:
    back = refusal_from(status_of(refusal))

    for name in ("code", "reason", "message", "metadata", "fields", "retry_after_s"):
        assert getattr(back, name) == getattr(refusal, name)


def test_every_closed_door_has_the_same_bytes() -> None:
    class Hidden(errors.NotPermitted):
        pass

    one, other = status_of(errors.NotPermitted()), status_of(Hidden())
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def test_the_kernels_reasons_are_in_the_contract() -> None:
    declared = {
        name.removeprefix("ERROR_REASON_") for name in error_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    used = {"NOT_PERMITTED", "FIELD_INVALID", "WRONG_STATE", "ETAG_STALE", "REQUEST_ID_REUSED", "OVERLOADED"}
    used |= {
        "MESSAGE_TOO_LARGE",
        "DEADLINE_MISSING",
        "DATABASE_UNAVAILABLE",
        "POLICY_UNAVAILABLE",
        "PEER_UNAVAILABLE",
    }
    used |= {
        "TOKEN_MISSING",
        "TOKEN_MALFORMED",
        "TOKEN_STALE",
        "PRINCIPAL_CLASS",
        "KEY_UNKNOWN",
        "PAGE_TOKEN_INVALID",
        "INTERNAL",
    }

    assert used <= declared


def test_the_chain_has_a_reason_for_every_stage() -> None:
    assert [stage.name for stage in STAGES] == [
        "answered",
        "traced",
        "bounded",
        "identified",
        "accepted",
        "admitted",
        "validated",
    ]
    assert all(stage.reason and hasattr(Chain, f"_{stage.name}") for stage in STAGES)


def test_actors_are_counted_by_key() -> None:
    assert PUBLIC.principal == "public"
    assert Actor(PrincipalClass.MEMBER, "persons/p", "kid").principal == "kid"


def test_conditions_compare_by_what_they_say() -> None:
    one = PolicyTuple.conditional("u", "r", "o", "c", {"a": 1, "b": [1, 2]})
    assert one == PolicyTuple.conditional("u", "r", "o", "c", {"b": [1, 2], "a": 1})
    assert one != PolicyTuple.conditional("u", "r", "o", "c", {"b": [2, 1], "a": 1})
    assert one.key == PolicyTuple("u", "r", "o").key
    assert one.context == '{"a":1,"b":[1,2]}'


def test_the_key_of_a_service_is_written_without_a_stray_character() -> None:
    public = SecretKeys(b"a" * 32, b"a" * 32).public
    text = base64.b64encode(public.signing + public.sealing).decode()

    assert ServiceKeys({"alpha": text}).actor(public.kid)
    with pytest.raises(ValueError, match="base64"):
        ServiceKeys({"alpha": f"{text[:8]}!{text[8:]}"})
