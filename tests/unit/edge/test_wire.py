"""Connect's bytes: errors keep what they say, envelopes hold one message, anything else is refused."""

from __future__ import annotations

import json

import pytest
from google.rpc import code_pb2, status_pb2

from services.edge import wire
from services.kernel.answers import status_of
from services.kernel.errors import Code, Exhausted, InvalidField, NotPermitted, Refusal, Unavailable
from tests.support import browsing

REFUSALS = [
    NotPermitted(),
    InvalidField("sections[1].name", "must have the form of one"),
    Exhausted(retry_after_s=1.25),
    Unavailable("POLICY_UNAVAILABLE"),
    Refusal(Code.UNAUTHENTICATED, "TOKEN_STALE", metadata={"serverTimeMs": "1795424400000"}),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.reason)
def test_an_error_says_what_the_status_says(refusal: Refusal):
    status = status_of(refusal)

    assert browsing.status_of(json.loads(wire.as_json(wire.error_of(status)))) == status


def test_a_detail_that_we_do_not_know_passes_as_it_is():
    status = status_pb2.Status(code=code_pb2.ABORTED, message="é")
    status.details.add(type_url="type.googleapis.com/other.Detail", value=b"\xff\x00\xfe")

    assert browsing.status_of(json.loads(wire.as_json(wire.error_of(status)))) == status


def test_an_error_without_details_has_none():
    assert wire.error_of(status_pb2.Status(code=code_pb2.DEADLINE_EXCEEDED, message="x")) == {
        "code": "deadline_exceeded",
        "message": "x",
    }


def test_every_code_has_a_name_and_a_number():
    names = {wire.code_of(status_pb2.Status(code=number)) for number in code_pb2.Code.values() if number}

    assert names == wire.HTTP.keys()
    assert "canceled" in names


def test_an_envelope_is_a_flag_a_length_and_the_message():
    assert wire.envelope(b"abc") == b"\x00\x00\x00\x00\x03abc"
    assert wire.end_of_stream() == b"\x02\x00\x00\x00\x02{}"


def test_one_envelope_is_taken_for_its_message():
    assert wire.only_message(b"\0\0\0\0\0") == b""
    assert wire.only_message(wire.envelope(b"x" * 70_000)) == b"x" * 70_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0\0\0",
        b"\0\0\0\0\1",
        b"\0\0\0\0\0\0",
        b"\1\0\0\0\0",
        b"\2\0\0\0\2{}",
        b"\x80\0\0\0\0",
        b"\0\xff\xff\xff\xff",
        b"\0\0\0\0\1a\0\0\0\0\1b",
    ],
    ids=["nothing", "half a head", "cut", "more", "compressed", "an end", "odd flags", "endless", "two"],
)
def test_what_is_not_one_uncompressed_envelope_is_refused(body: bytes):
    with pytest.raises(InvalidField, match="request"):
        wire.only_message(body)
