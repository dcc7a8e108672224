"""What a connection does when a server is stale, full, away or slow: the same bytes again, where it may."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from meldbrug.client import (
    Connection,
    Credentials,
    MeldbrugError,
    MemberClient,
    NotPermitted,
    NotReached,
    Refused,
    Stale,
    Unavailable,
    Unverified,
    connection,
)
from meldbrug.client.device import ServerClock
from meldbrug.client.errors import refusal_of
from meldbrug.coordination.v1 import coordination_service_pb2 as coordination
from meldbrug.crypto import SecretKeys, tokens
from meldbrug.directory.v1 import directory_service_pb2 as directory
from meldbrug.directory.v1.directory_pb2 import Member
from tests.integration.client.scripted import (
    FULL,
    INSTALLATION,
    UNAVAILABLE,
    listening,
    refusal,
    serving,
    stale,
)

KEYS = SecretKeys(b"s" * 32, b"e" * 32)
GET_ME = "/meldbrug.directory.v1.MemberService/GetMe"
ACCEPT = "/meldbrug.directory.v1.EnrolmentService/AcceptInvitation"
REQUEST = directory.AcceptInvitationRequest(code="a" * 26, request_id="0b6c1e3c-7f0b-4a63-9a0e-0d3f4c1b2a11")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.001)
    monkeypatch.setattr(connection, "MAX_BACKOFF_S", 0.002)


async def accept(connected: Connection, **options: Any) -> directory.AcceptInvitationResponse:
    credentials = Credentials(KEYS, self_certifying=True)
    return await connected.call(ACCEPT, REQUEST, directory.AcceptInvitationResponse, credentials, **options)


async def test_unavailable_is_repeated_with_the_same_bytes_and_a_token_made_anew() -> None:
    async with serving(UNAVAILABLE, UNAVAILABLE, b"") as (connected, server):
        await accept(connected)

    assert server.bodies == [REQUEST.SerializeToString(deterministic=True)] * 3
    for token in server.tokens:
        assert token is not None
        assert token.bh == tokens.body_hash(server.bodies[0])
        assert token.aud == tokens.audience(INSTALLATION, ACCEPT)
        assert token.embedded == KEYS.public


async def test_unavailable_is_given_up_after_some_attempts() -> None:
    async with serving(UNAVAILABLE) as (connected, server):
        with pytest.raises(Unavailable) as raised:
            await accept(connected)

    assert raised.value.reason == "DATABASE_UNAVAILABLE"
    assert len(server.bodies) == connection.ATTEMPTS


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (code_pb2.INTERNAL, "INTERNAL"),
        (code_pb2.INVALID_ARGUMENT, "FIELD_INVALID"),
        (code_pb2.FAILED_PRECONDITION, "WRONG_STATE"),
        (code_pb2.PERMISSION_DENIED, "NOT_PERMITTED"),
        (code_pb2.UNAUTHENTICATED, "KEY_UNKNOWN"),
        (code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED"),
        (code_pb2.ALREADY_EXISTS, "REQUEST_ID_REUSED"),
    ],
)
async def test_any_other_refusal_is_not_repeated(code: int, reason: str) -> None:
    async with serving(refusal(code, reason)) as (connected, server):
        with pytest.raises(Refused) as raised:
            await accept(connected)

    assert (raised.value.reason, len(server.bodies)) == (reason, 1)


async def test_a_report_waits_until_a_full_server_takes_it() -> None:
    async with serving(*[FULL] * 8, b"") as (connected, server):
        await accept(connected, repeat_when_exhausted=True)

    assert len(set(server.bodies)) == 1
    assert len(server.bodies) == 9


async def test_a_report_does_not_wait_for_ever() -> None:
    async with serving(FULL) as (connected, server):
        with pytest.raises((Refused, NotReached)):  # The last attempt may have no time left for its answer.
            await accept(connected, repeat_when_exhausted=True, within_s=0.3)

    assert len(server.bodies) > connection.ATTEMPTS


async def test_a_stale_clock_is_corrected_once_and_stays_corrected() -> None:
    slow = ServerClock(lambda: datetime.now(UTC) - timedelta(hours=2))

    async with serving(stale(), b"", b"", clock=slow) as (connected, server):
        await accept(connected)
        await accept(connected)

    ages = [abs(token.iat - datetime.now(UTC).timestamp()) for token in server.tokens if token]
    assert [age < 60 for age in ages] == [False, True, True]


async def test_a_server_that_calls_every_token_stale_is_believed_once() -> None:
    async with serving(stale(1795424400000)) as (connected, server):
        with pytest.raises(Refused):
            await accept(connected)

    assert len(server.bodies) == 2


@pytest.mark.parametrize("told", ["", "soon", "-5", "9" * 40])
async def test_a_server_time_that_is_none_corrects_nothing(told: str) -> None:
    lie = refusal(code_pb2.UNAUTHENTICATED, "TOKEN_STALE", metadata={"serverTimeMs": told})

    async with serving(lie) as (connected, server):
        with pytest.raises(Refused):
            await accept(connected)

    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "lie",
    [
        b"\xff\xff",
        directory.GetMeResponse(member=Member(key_change_time=Timestamp(seconds=2**62))).SerializeToString(),
        directory.GetMeResponse(member=Member(key_change_time=Timestamp(nanos=-1))).SerializeToString(),
    ],
    ids=["no message", "a time of no calendar", "a fraction of no second"],
)
async def test_an_answer_that_is_none_is_not_given_out(lie: bytes) -> None:
    async with serving(lie) as (connected, server):
        with pytest.raises(Unverified):
            await connected.call(GET_ME, directory.GetMeRequest(), directory.GetMeResponse, Credentials(KEYS))

    assert len(server.bodies) == 1


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
async def test_a_wait_that_nobody_can_wait_is_no_wait(seconds: int) -> None:
    detail = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds))
    lie = refusal(code_pb2.UNAVAILABLE, "DATABASE_UNAVAILABLE", detail)

    async with serving(lie) as (connected, _):
        with pytest.raises(Unavailable):
            await accept(connected)


async def test_a_refusal_whose_details_are_garbage_is_a_refusal() -> None:
    garbage = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    status = rpc_status.to_status(
        status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message="no", details=[garbage])
    )

    async with serving(status) as (connected, _):
        with pytest.raises(Refused):
            await accept(connected)


async def test_every_attempt_has_a_deadline_within_the_whole() -> None:
    async with serving(UNAVAILABLE, b"") as (connected, server):
        await accept(connected, within_s=3.0)

    assert all(left is not None and left <= 3.1 for left in server.deadlines)


async def test_a_server_that_does_not_answer_is_not_waited_for_longer() -> None:
    async def never() -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(never) as (connected, _):
        with pytest.raises(NotReached):
            await accept(connected, within_s=0.3)


async def test_nobody_there_is_not_reached() -> None:
    async with Connection({"directory": "127.0.0.1:1"}, INSTALLATION) as connected:
        with pytest.raises(NotReached):
            await accept(connected, within_s=1.0)


async def test_a_member_s_token_names_its_key_only() -> None:
    async with serving(b"") as (connected, server):
        await MemberClient(connected, KEYS).me()

    token = server.tokens[0]
    assert token is not None
    assert (token.kid, token.embedded) == (KEYS.kid, None)


async def test_a_refusal_brings_its_details() -> None:
    bad = error_details_pb2.BadRequest(
        field_violations=[error_details_pb2.BadRequest.FieldViolation(field="code", description="too short")]
    )
    async with serving(refusal(code_pb2.INVALID_ARGUMENT, "FIELD_INVALID", bad)) as (connected, _):
        with pytest.raises(Refused) as raised:
            await accept(connected)

    assert raised.value.fields == (("code", "too short"),)
    assert "too short" in str(raised.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.PERMISSION_DENIED, NotPermitted),
        (code_pb2.ABORTED, Stale),
        (code_pb2.UNAVAILABLE, Unavailable),
    ],
)
async def test_kinds_of_refusals_are_exceptions_of_their_own(code: int, kind: type[Exception]) -> None:
    async with serving(refusal(code, "X")) as (connected, _):
        with pytest.raises(kind):
            await accept(connected, within_s=0.2)


async def test_reasons_of_another_domain_are_not_ours() -> None:
    foreign = any_pb2.Any()
    foreign.Pack(error_details_pb2.ErrorInfo(reason="TOKEN_STALE", domain="proxy.example"))
    status = rpc_status.to_status(
        status_pb2.Status(code=code_pb2.UNAUTHENTICATED, message="no", details=[foreign])
    )

    async with serving(status) as (connected, _):
        with pytest.raises(Refused) as raised:
            await accept(connected)

    assert raised.value.reason == ""


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"])
def test_a_server_that_stops_has_not_answered(code: str) -> None:
    """A command is repeated then: in the moment of a stop gRPC calls it cancelled."""
    failed = grpc.aio.AioRpcError(grpc.StatusCode[code], grpc.aio.Metadata(), grpc.aio.Metadata())

    assert isinstance(refusal_of(failed), NotReached)


def test_a_code_of_a_newer_server_is_its_number() -> None:
    status = ("grpc-status-details-bin", status_pb2.Status(code=99, message="no").SerializeToString())
    failed = grpc.aio.AioRpcError(grpc.StatusCode.UNKNOWN, grpc.aio.Metadata(), grpc.aio.Metadata(status))

    refused = refusal_of(failed)

    assert isinstance(refused, Refused)
    assert refused.code == "99"


# --- who can listen


LOCAL = ["localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/run/x", "unix-abstract:x"]
ELSEWHERE = [
    "meldbrug.example:443", "localhost.example:1", "127.0.0.1.example:1", "128.0.0.1:1", "10.0.0.1:1",
    "0.0.0.0:1", "[::]:1", "[2001:db8::1]:1", "dns:///localhost:1", "ipv4:127.0.0.1:1,10.0.0.1:1",
    "127.0.0.1", "", ":1",
]  # fmt: skip


def test_only_what_surely_stays_on_this_machine_is_local() -> None:
    assert [address for address in [*LOCAL, *ELSEWHERE] if connection.is_local(address)] == LOCAL


async def to_another_machine(port: int, **options: Any) -> None:
    """Calls a server without TLS by an address that nobody would know for this machine's."""
    async with Connection({"directory": f"ipv4:127.0.0.1:{port}"}, INSTALLATION, **options) as connected:
        await accept(connected, within_s=1.0)


async def test_another_machine_is_not_called_in_plain_unless_that_was_said() -> None:
    async with listening(b"") as (port, server):
        with pytest.raises(NotReached):
            await to_another_machine(port)
        assert server.bodies == []

        await to_another_machine(port, plaintext=True)
        assert len(server.bodies) == 1


async def test_this_machine_is_called_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)

    async with serving(b"") as (connected, _):
        await accept(connected, within_s=1.0)


def test_an_authority_and_plaintext_contradict_each_other() -> None:
    with pytest.raises(MeldbrugError, match="not both"):
        Connection({"directory": "127.0.0.1:1"}, INSTALLATION, tls_root=b"", plaintext=True)


# --- lists and streams


def page(names: Sequence[str], token: str) -> bytes:
    found = directory.ListProductionsResponse(next_page_token=token)
    for name in names:
        found.productions.add().name = name
    return found.SerializeToString()


async def test_lists_turn_pages_until_the_last() -> None:
    async with serving(page("ab", "next"), page("", "more"), page("c", "")) as (connected, server):
        found = [item.name async for item in MemberClient(connected, KEYS).productions()]

    asked = [directory.ListProductionsRequest.FromString(body).page_token for body in server.bodies]
    assert (found, asked) == (["a", "b", "c"], ["", "next", "more"])


def change(name: str, token: str) -> bytes:
    message = coordination.WatchInboxResponse(resume_token=token)
    message.notice.name = name
    return message.SerializeToString()


def heartbeat(token: str) -> bytes:
    return coordination.WatchInboxResponse(resume_token=token).SerializeToString()


async def taken(connected: Connection, count: int, token: str = "") -> list[str]:
    watching = MemberClient(connected, KEYS).reader.watch(token)
    found = []
    async for stub in watching:
        found.append(stub.name)
        if len(found) == count:
            break
    await watching.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
    return found


def never() -> bytes:
    message = coordination.WatchInboxResponse(resume_token="1")
    message.notice.offer_time.seconds = 2**62
    return message.SerializeToString()


@pytest.mark.parametrize("lie", [b"\xff\xff", never()])
async def test_a_change_that_is_none_ends_the_stream(lie: bytes) -> None:
    async with serving([change("b", "0"), lie]) as (connected, server):
        with pytest.raises(Unverified):
            await taken(connected, 2)

    assert len(server.bodies) == 1


async def test_a_stream_goes_on_where_it_ended_or_broke() -> None:
    first = [change("a", "1"), heartbeat("2")]
    broken = [change("b", "3"), UNAVAILABLE]

    async with serving(first, broken, [UNAVAILABLE], [change("c", "4")]) as (connected, server):
        found = await taken(connected, 3, "0")

    asked = [coordination.WatchInboxRequest.FromString(body).resume_token for body in server.bodies]
    assert (found, asked) == (["a", "b", "c"], ["0", "2", "3", "3"])


@pytest.mark.parametrize("before", [[], [[UNAVAILABLE]] * 3, [[stale()], [UNAVAILABLE]], [[stale()], []]])
async def test_a_stream_corrects_its_clock_and_goes_on_whatever_failed_before(before: list[Any]) -> None:
    async with serving(*before, [stale()], [change("a", "1")]) as (connected, _):
        assert await taken(connected, 1) == ["a"]


async def test_a_server_that_calls_every_stream_stale_is_believed_once() -> None:
    async with serving([stale()]) as (connected, server):
        with pytest.raises(Refused):
            await taken(connected, 1)

    assert len(server.bodies) == 2


async def test_a_stream_outlives_more_failures_than_a_number_can_double(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.0)

    async with serving(*[[UNAVAILABLE]] * 1100, [change("a", "1")]) as (connected, _):
        assert await taken(connected, 1) == ["a"]

    assert connection.backoff_s(100_000) <= connection.MAX_BACKOFF_S


@pytest.mark.parametrize("held", [[], [heartbeat("1")]])
async def test_a_stream_that_ends_at_once_is_not_reopened_at_once(
    monkeypatch: pytest.MonkeyPatch, held: list[bytes]
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.1)
    monkeypatch.setattr(connection, "MAX_BACKOFF_S", 0.1)

    async with serving(held) as (connected, server):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(taken(connected, 1), 0.5)

    assert 2 <= len(server.bodies) <= 11


@pytest.mark.parametrize("reason", ["KEY_UNKNOWN", "PAGE_TOKEN_INVALID", "NOT_PERMITTED"])
async def test_a_stream_that_was_refused_for_good_ends(reason: str) -> None:
    async with serving([refusal(code_pb2.UNAUTHENTICATED, reason)]) as (connected, server):
        with pytest.raises(Refused):
            await taken(connected, 1)

    assert len(server.bodies) == 1
