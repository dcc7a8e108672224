"""Who calls: every way to fail has its own reason, and none of them reaches a servicer."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from meldbrug.crypto.keys import SecretKeys
from services.kernel.authz import Actor, PrincipalClass
from services.kernel.errors import Unavailable
from services.kernel.key_ring import KeyState
from tests.support.echo import ALPHA, BETA, INSTALLATION, PACKAGE, Caller, EchoRequest, World, refused

ECHO = f"/{PACKAGE}.MemberService/Echo"
BODY = EchoRequest(text="x").SerializeToString()


async def test_a_member_is_who_the_directory_says(member: Caller, world: World) -> None:
    answer = await member.call("MemberService/Echo", EchoRequest(text="hello"))

    assert (answer.text, answer.subject) == ("hello", "persons/p")
    assert world.behaviours.last is not None
    kid, public = member.keys.kid, member.keys.public
    assert world.behaviours.last.actor == Actor(
        PrincipalClass.MEMBER, "persons/p", kid, "organisations/o", "members/m", admin=False, keys=public
    )
    assert world.behaviours.last.actor.user == "user:p"


async def test_who_shows_a_key_of_its_own_is_that_key_and_no_more(
    channel: grpc.aio.Channel, world: World
) -> None:
    reporter = Caller(channel, SecretKeys(b"r" * 32, b"r" * 32), embed=True)

    await reporter.call("ReporterService/Submit")

    assert world.behaviours.last is not None
    assert world.behaviours.last.actor == Actor(
        PrincipalClass.REPORTER, kid=reporter.keys.kid, keys=reporter.keys.public
    )


async def test_no_token_is_told_apart(member: Caller) -> None:
    answer = await refused(member.call("MemberService/Echo", token=""))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING")


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "é"])
async def test_a_malformed_token_is_refused(member: Caller, token: str) -> None:
    raw = base64.b64encode(token.encode()).decode() if not token.isascii() else token
    answer = await refused(member.call("MemberService/Echo", token=raw))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "TOKEN_MALFORMED")


async def test_another_scheme_is_malformed(member: Caller) -> None:
    answer = await refused(
        member.call("MemberService/Echo", token="", metadata=(("authorization", "Basic x"),))
    )

    assert answer.reason == "TOKEN_MALFORMED"


async def test_two_tokens_are_none(member: Caller) -> None:
    token = member.token(ECHO, BODY)
    answer = await refused(
        member.call(
            "MemberService/Echo", body=BODY, token=token, metadata=(("authorization", f"Bearer {token}"),)
        )
    )

    assert answer.reason == "TOKEN_MALFORMED"


async def test_a_token_for_another_method_is_refused(member: Caller) -> None:
    token = member.token(f"/{PACKAGE}.MemberService/Other", BODY)

    assert (
        await refused(member.call("MemberService/Echo", body=BODY, token=token))
    ).reason == "TOKEN_AUDIENCE"


async def test_a_token_for_another_installation_is_refused(member: Caller) -> None:
    token = member.token(ECHO, BODY, installation=SecretKeys(b"z" * 32, b"z" * 32).kid)

    assert (
        await refused(member.call("MemberService/Echo", body=BODY, token=token))
    ).reason == "TOKEN_AUDIENCE"


async def test_a_token_for_another_body_is_refused(member: Caller) -> None:
    token = member.token(ECHO, EchoRequest(text="y").SerializeToString())

    assert (await refused(member.call("MemberService/Echo", body=BODY, token=token))).reason == "TOKEN_BODY"


async def test_the_body_is_hashed_as_received_not_as_parsed(member: Caller) -> None:
    # The same message with its fields in another order parses alike and has another hash.
    swapped = EchoRequest(text="x").SerializeToString() + EchoRequest(behaviour="").SerializeToString()
    padded = swapped + b"\x12\x01x"
    token = member.token(ECHO, BODY)

    assert EchoRequest.FromString(padded) == EchoRequest.FromString(BODY)
    assert (await refused(member.call("MemberService/Echo", body=padded, token=token))).reason == "TOKEN_BODY"


@pytest.mark.parametrize("minutes", [-2, 2])
async def test_a_stale_token_is_answered_with_the_servers_time(member: Caller, minutes: int) -> None:
    now = datetime.now(UTC)
    token = member.token(ECHO, BODY, now=now + timedelta(minutes=minutes))
    answer = await refused(member.call("MemberService/Echo", body=BODY, token=token))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "TOKEN_STALE")
    assert abs(int(answer.metadata["serverTimeMs"]) - now.timestamp() * 1000) < 5000


async def test_a_signature_by_another_key_is_refused(member: Caller, channel: grpc.aio.Channel) -> None:
    head, body, _ = member.token(ECHO, BODY).split(".")
    forged = Caller(channel, SecretKeys(b"q" * 32, b"q" * 32)).token(ECHO, BODY).rpartition(".")[2]
    answer = await refused(member.call("MemberService/Echo", body=BODY, token=f"{head}.{body}.{forged}"))

    assert answer.reason == "TOKEN_SIGNATURE"


async def test_an_unknown_key_is_refused(channel: grpc.aio.Channel, world: World) -> None:
    nobody = Caller(channel, SecretKeys(b"n" * 32, b"n" * 32))

    assert (await refused(nobody.call("MemberService/Echo"))).reason == "KEY_UNKNOWN"
    assert world.behaviours.last is None


async def test_an_ended_key_is_unknown(channel: grpc.aio.Channel, world: World) -> None:
    gone = SecretKeys(b"g" * 32, b"g" * 32)
    world.ring.enrol(gone, state=KeyState.ENDED)

    assert (await refused(Caller(channel, gone).call("MemberService/Echo"))).reason == "KEY_UNKNOWN"


async def test_a_reporter_needs_nobody_to_know_it(stranger: Caller, world: World) -> None:
    await stranger.call("ReporterService/Submit")

    assert world.behaviours.last is not None
    assert world.behaviours.last.actor.kid == stranger.keys.kid
    assert world.behaviours.last.actor.keys == stranger.keys.public
    assert world.behaviours.last.actor.subject == ""


@pytest.mark.parametrize("state", list(KeyState))
async def test_a_key_ever_enrolled_is_no_reporter(stranger: Caller, world: World, state: KeyState) -> None:
    world.ring.enrol(stranger.keys, state=state)

    assert (await refused(stranger.call("ReporterService/Submit"))).reason == "PRINCIPAL_CLASS"


async def test_a_reporter_is_no_member(stranger: Caller) -> None:
    assert (await refused(stranger.call("MemberService/Echo"))).reason == "PRINCIPAL_CLASS"


async def test_a_member_is_no_reporter(member: Caller) -> None:
    assert (await refused(member.call("ReporterService/Submit"))).reason == "PRINCIPAL_CLASS"


async def test_a_newcomer_shows_its_own_keys(stranger: Caller, member: Caller) -> None:
    await stranger.call("NewcomerService/Echo")

    assert (await refused(member.call("NewcomerService/Echo"))).reason == "PRINCIPAL_CLASS"


async def test_only_listed_services_may_call(channel: grpc.aio.Channel, member: Caller, world: World) -> None:
    await Caller(channel, ALPHA).call("PeerService/Echo")
    assert world.behaviours.last is not None
    assert world.behaviours.last.actor == Actor(PrincipalClass.SERVICE, "alpha", ALPHA.kid, keys=ALPHA.public)

    assert (await refused(Caller(channel, BETA).call("PeerService/Echo"))).reason == "PRINCIPAL_CLASS"
    assert (await refused(member.call("PeerService/Echo"))).reason == "PRINCIPAL_CLASS"


async def test_a_service_is_no_member(channel: grpc.aio.Channel) -> None:
    assert (await refused(Caller(channel, ALPHA).call("MemberService/Echo"))).reason == "PRINCIPAL_CLASS"


async def test_the_public_needs_no_token(stranger: Caller, world: World) -> None:
    assert (await stranger.call("OpenService/Echo", EchoRequest(text="hi"), token="")).text == "hi"
    assert world.ring.asked == 0


async def test_a_directory_that_cannot_tell_is_unavailable(
    stranger: Caller, member: Caller, world: World
) -> None:
    world.ring.failure = Unavailable("PEER_UNAVAILABLE")

    for call in (stranger.call("ReporterService/Submit"), member.call("MemberService/Echo")):
        answer = await refused(call)
        assert (answer.code, answer.reason) == ("UNAVAILABLE", "PEER_UNAVAILABLE")
        assert answer.retry_s


async def test_a_bad_signature_never_reaches_the_directory(stranger: Caller, world: World) -> None:
    head, body, _ = stranger.token(f"/{PACKAGE}.ReporterService/Submit", BODY).split(".")
    answer = await refused(
        stranger.call("ReporterService/Submit", body=BODY, token=f"{head}.{body}.{'A' * 86}")
    )

    assert answer.reason == "TOKEN_SIGNATURE"
    assert world.ring.asked == 0


def test_the_installation_of_the_tests_is_a_fingerprint() -> None:
    assert len(INSTALLATION) == 52
