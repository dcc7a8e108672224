"""What the edge itself refuses, and what every answer carries whatever it answers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from google.rpc import error_details_pb2

from services.edge.headers import headers
from tests.integration.edge.harness import DUTCH, ME, TERMS, WATCH, Knocker, absent, stranger
from tests.support.browsing import STREAM, UNARY, Reply, Wire, enveloped
from tests.support.personas import NOBODY, methods
from tests.support.sector import World

Connected = AbstractAsyncContextManager[Wire]
EXPECTED = dict(headers(0))
INTERNAL = [path for path in methods() if ".InternalService/" in path]


def reason(reply: Reply) -> str:
    info = error_details_pb2.ErrorInfo()
    any(detail.Unpack(info) for detail in reply.error.details)
    return info.reason


def field(reply: Reply) -> str:
    bad = error_details_pb2.BadRequest()
    any(detail.Unpack(bad) for detail in reply.error.details)
    return bad.field_violations[0].field


async def test_internal_methods_and_whatever_is_unknown_are_the_same_bytes(wire: Connected):
    """T21, I7."""
    unknown = [
        "/meldbrug.directory.v1.PublicService/GetNothing",
        "/meldbrug.nothing.v1.PublicService/GetTerms",
        "/grpc.health.v1.Health/Check",
        TERMS + "/",
        TERMS.lower(),
        "/" + TERMS,
        "/",
    ]
    async with wire as edge:
        replies = {(await edge.ask(path, UNARY, DUTCH)).body for path in [*INTERNAL, *unknown]}
        edge.say("PUT", TERMS, UNARY, DUTCH)
        replies.add((await edge.hear()).body)
        edge.say("POST", INTERNAL[0], UNARY)
        reply = await edge.hear()

    assert len(INTERNAL) > 5
    assert replies == {reply.body}
    assert reply.status == 404


@pytest.mark.parametrize("name", [TERMS, WATCH])
async def test_a_get_of_a_method_is_no_call(wire: Connected, name: str):
    async with wire as edge:
        edge.say("GET", f"{name}?message=&encoding=proto&connect=v1", {})
        assert (await edge.hear()).status == (200 if "." not in name.rpartition("/")[2] else 404)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"content-type": "application/json"}, "content-type"),
        ({"content-type": "application/connect+proto"}, "content-type"),
        ({"content-type": "application/grpc"}, "content-type"),
        ({"content-type": "text/plain"}, "content-type"),
        ({"connect-protocol-version": "2"}, "connect-protocol-version"),
        ({"connect-protocol-version": ""}, "connect-protocol-version"),
        ({"content-encoding": "gzip"}, "content-encoding"),
        ({"connect-content-encoding": "gzip"}, "connect-content-encoding"),
    ],
)
async def test_a_call_of_another_form_is_refused_by_name(
    wire: Connected, changed: dict[str, str], named: str
):
    async with wire as edge:
        reply = await edge.ask(TERMS, {**UNARY, **changed}, DUTCH)

    assert (reply.status, reason(reply), field(reply)) == (400, "FIELD_INVALID", named)


@pytest.mark.parametrize("given", ["", "x", "-1", "1e3", "61001", "99999999999", "５000"])
async def test_a_call_without_a_deadline_is_refused_as_the_services_do(knocker: Knocker, given: str):
    through = await knocker.through(TERMS, DUTCH, NOBODY, connect_timeout_ms=given.encode().decode("latin-1"))
    straight = await knocker.doors.knock(TERMS, DUTCH, NOBODY, timeout=None)

    assert straight.reason == "DEADLINE_MISSING"
    assert through.error == straight.status


async def test_a_stream_may_last_longer_and_not_for_ever(knocker: Knocker):
    late = await knocker.through(WATCH, b"", NOBODY, connect_timeout_ms="1801001")
    timely = await knocker.through(WATCH, b"", NOBODY, connect_timeout_ms="1800000")

    assert (reason(late), reason(timely)) == ("DEADLINE_MISSING", "TOKEN_MISSING")


async def test_a_deadline_that_is_over_is_told(knocker: Knocker):
    reply = await knocker.through(
        "/meldbrug.disclosure.v1.ReporterService/GetReport", b"", stranger(), connect_timeout_ms="0"
    )

    assert (reply.status, reply.error.code) == (504, 4)


async def test_a_request_that_is_too_large_is_refused_as_the_services_do(knocker: Knocker):
    body = b"\xfa\x07" + (1_048_576).to_bytes(3, "little") + bytes(1_048_576)
    through = await knocker.through(TERMS, body, NOBODY)
    straight = await knocker.straight(TERMS, body, NOBODY)

    assert straight.reason == "MESSAGE_TOO_LARGE"
    assert through.error == straight.status


async def test_a_request_as_large_as_may_be_is_passed_on(knocker: Knocker):
    size = 1_048_576 - 6
    body = b"\xfa\x07" + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    reply = await knocker.through(TERMS, body + bytes(size), NOBODY)

    assert reason(reply) == "FIELD_INVALID"
    assert field(reply) == "language"


@pytest.mark.parametrize("body", [b"", b"\1\0\0\0\0", enveloped(b"") * 2])
async def test_a_stream_takes_one_uncompressed_envelope(wire: Connected, body: bytes):
    async with wire as edge:
        reply = await edge.ask(WATCH, STREAM, body)

    assert (reply.status, len(reply.envelopes), reason(reply)) == (200, 1, "FIELD_INVALID")


@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "odd"},
    ],
)
async def test_a_call_of_another_site_is_refused(knocker: Knocker, foreign: dict[str, str]):
    persona = NOBODY
    reply = await knocker.through(TERMS, DUTCH, persona, **foreign)

    assert (reply.status, reason(reply)) == (403, "NOT_PERMITTED")
    assert not [name for name, _ in reply.headers if name.startswith("access-control")]


async def test_a_call_of_the_apps_own_is_let_in(knocker: Knocker):
    reply = await knocker.through(
        TERMS, DUTCH, NOBODY, origin=knocker.world.endpoints.edge, sec_fetch_site="same-origin"
    )

    assert reply.status == 200


async def test_a_preflight_is_told_nothing(wire: Connected):
    async with wire as edge:
        edge.say(
            "OPTIONS", TERMS, {"origin": "https://evil.example", "access-control-request-method": "POST"}
        )
        reply = await edge.hear()

    assert reply.status == 404
    assert not [name for name, _ in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "token", ["Bearer " + "x" * 5000, "Bearer t\u00e9", "Basic abc", "Bearer", "Bearer a.b.c"]
)
async def test_what_cannot_be_a_token_is_told_so(knocker: Knocker, token: str):
    reply = await knocker.through(ME, b"", NOBODY, authorization=token)

    assert (reply.status, reason(reply)) == (401, "TOKEN_MALFORMED")


async def test_two_tokens_are_none(knocker: Knocker):
    persona = stranger()
    headers_ = knocker.headers(ME, b"", persona)
    async with Wire.to(knocker.world.endpoints.edge, knocker.world.endpoints.edge_ca_path) as edge:
        reply = await edge.ask(ME, {**headers_, "Authorization": headers_["authorization"]}, b"")

    assert reason(reply) == "TOKEN_MALFORMED"


async def test_every_answer_has_the_same_headers(world: World, knocker: Knocker):
    """T22: nothing is kept, nobody else is told, and no answer says more than another."""
    replies = [
        await knocker.through(TERMS, DUTCH, NOBODY),
        await knocker.through(TERMS, b"", NOBODY),
        await knocker.through(ME, b"", stranger()),
        await knocker.through("/meldbrug.disclosure.v1.ReporterService/GetReport", b"", stranger()),
        await knocker.through(WATCH, b"", NOBODY),
        await knocker.through(TERMS, DUTCH, NOBODY, origin="https://evil.example"),
    ]
    async with Wire.to(world.endpoints.edge, world.endpoints.edge_ca_path) as edge:
        for method, path in (("GET", "/"), ("GET", "/a.js"), ("POST", "/x"), ("DELETE", "/")):
            edge.say(method, path, {})
            replies.append(await edge.hear())
        edge.say("HEAD", "/", {})
        replies.append(await edge.hear(bodiless=True))
        edge.writer.write(b"\x00nonsense\r\n\r\n")
        replies.append(await edge.hear())

    assert {reply.status for reply in replies} >= {200, 400, 401, 403, 404}
    for reply in replies:
        besides = {"content-type", "content-length", "transfer-encoding", "connection"}
        named = [name for name, _ in reply.headers if name not in besides]
        assert sorted(named) == sorted(EXPECTED)
        assert EXPECTED.items() <= dict(reply.headers).items()


async def test_a_body_that_is_answered_early_spoils_nothing_for_the_next(knocker: Knocker):
    async with Wire.to(knocker.world.endpoints.edge, knocker.world.endpoints.edge_ca_path) as edge:
        for _ in range(3):
            first = await edge.ask(TERMS, {**UNARY, "origin": "https://evil.example"}, bytes(200_000))
            second = await edge.ask(TERMS, UNARY, DUTCH)
            assert (first.status, second.status) == (403, 200)


async def test_names_that_are_absent_are_told_of_by_no_header(knocker: Knocker):
    """I7."""
    names = absent()
    reply = await knocker.through(
        "/meldbrug.disclosure.v1.ReporterService/GetReport",
        b"\x0a" + bytes([36]) + names["incident"].encode(),
        stranger(),
    )

    assert reply.status == 403
    assert "grpc" not in str(reply.headers)
