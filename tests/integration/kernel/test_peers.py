"""Calls between services: who we are, how long we wait, and what a peer's answer becomes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from meldbrug.crypto.keys import SecretKeys
from services.kernel import errors
from services.kernel.clock import SystemClock
from services.kernel.interceptors import current_call
from services.kernel.peers import RESERVE_S, PeerFailedError, Peers
from services.kernel.process import Process
from services.kernel.rpc import Call
from tests.support.echo import (
    ALPHA,
    BETA,
    INSTALLATION,
    PACKAGE,
    PEER_ECHO,
    Caller,
    EchoRequest,
    World,
    ask_peer,
    refused,
)


@pytest.fixture
async def peers(process: Process) -> AsyncIterator[Peers]:
    made = Peers(ALPHA, INSTALLATION, SystemClock(), {}, lambda: process.address)
    yield made
    await made.close()


async def test_a_service_without_an_address_is_this_process(peers: Peers) -> None:
    answer = await ask_peer(peers)

    assert (answer.text, answer.subject) == ("hello", "alpha")


@pytest.mark.parametrize(
    "refusal",
    [
        errors.NotPermitted(),
        errors.FailedPrecondition("SEATS_WITHOUT_SUCCESSOR", state="ACTIVE"),
        errors.InvalidField("name", "is wrong"),
        errors.StaleEtag(),
        errors.Exhausted(retry_after_s=3.0),
    ],
)
async def test_a_refusal_comes_through_as_it_was_given(
    peers: Peers, world: World, refusal: errors.Refusal
) -> None:
    async def refuse(_request: Any, _call: Call) -> None:
        raise refusal

    world.behaviours.by_name["refuse"] = refuse
    with pytest.raises(errors.Refusal) as got:
        await ask_peer(peers, "refuse")

    assert (got.value.code, got.value.reason, got.value.metadata, got.value.message) == (
        refusal.code,
        refusal.reason,
        refusal.metadata,
        refusal.message,
    )
    assert (got.value.fields, got.value.retry_after_s) == (refusal.fields, refusal.retry_after_s)
    assert isinstance(got.value, errors.NotPermitted) == isinstance(refusal, errors.NotPermitted)


async def test_what_is_our_own_fault_is_not_the_callers(process: Process, world: World, peers: Peers) -> None:
    async def fail(_request: Any, _call: Call) -> None:
        raise RuntimeError("inside")

    world.behaviours.by_name["fail"] = fail
    unlisted = Peers(BETA, INSTALLATION, SystemClock(), {}, lambda: process.address)
    for asker, behaviour in ((unlisted, ""), (peers, "fail")):
        with pytest.raises(PeerFailedError):
            await ask_peer(asker, behaviour)
    await unlisted.close()


async def test_a_peer_that_is_down_is_unavailable() -> None:
    nowhere = Peers(ALPHA, INSTALLATION, SystemClock(), {"beta": "127.0.0.1:1"}, lambda: "")
    with pytest.raises(errors.Unavailable) as refusal:
        await ask_peer(nowhere)
    await nowhere.close()

    assert refusal.value.reason == "PEER_UNAVAILABLE"


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_what_grpc_says_in_a_peer_s_place_is_no_answer(code: grpc.StatusCode) -> None:
    async def end(_request: bytes, context: Any) -> None:
        await context.abort(code, "not a word of ours")

    server = grpc.aio.server()
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(end)}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(f"{PACKAGE}.PeerService", handlers)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    asked = Peers(ALPHA, INSTALLATION, SystemClock(), {"beta": f"127.0.0.1:{port}"}, lambda: "")
    with pytest.raises(errors.Unavailable) as refusal:
        await ask_peer(asked)
    await asked.close()
    await server.stop(0)

    assert refusal.value.reason == "PEER_UNAVAILABLE"


async def test_a_slow_peer_is_waited_for_within_the_budget(peers: Peers, world: World) -> None:
    async def slow(_request: Any, _call: Call) -> None:
        await asyncio.sleep(5)

    world.behaviours.by_name["slow"] = slow
    began = time.perf_counter()
    with pytest.raises(errors.Unavailable):
        await ask_peer(peers, "slow", budget_s=0.2)

    assert time.perf_counter() - began < 1


async def test_only_unavailable_is_repeated_and_only_when_told(peers: Peers, world: World) -> None:
    calls = 0

    async def twice(_request: Any, _call: Call) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise errors.Unavailable("DATABASE_UNAVAILABLE")

    world.behaviours.by_name["twice"] = twice
    with pytest.raises(errors.Unavailable):
        await ask_peer(peers, "twice")
    assert (await ask_peer(peers, "twice", attempts=3)).text == "hello"
    assert calls == 3


async def test_the_inner_call_has_the_outer_calls_id_and_less_than_its_time(
    peers: Peers, member: Caller, world: World
) -> None:
    seen: dict[str, float | str] = {}

    async def outer(_request: Any, call: Call) -> None:
        seen.update(outer_left=call.remaining_s(), outer_id=call.request_id)
        await ask_peer(peers, "inner", budget_s=30)

    async def inner(_request: Any, call: Call) -> None:
        seen.update(inner_left=call.remaining_s(), inner_id=call.request_id)

    world.behaviours.by_name.update(outer=outer, inner=inner)
    await member.call("MemberService/Echo", EchoRequest(behaviour="outer"), deadline_s=3.0)

    assert seen["inner_id"] == seen["outer_id"]
    # gRPC rounds a deadline up on the wire, by some milliseconds at 3 s.
    assert float(seen["inner_left"]) < float(seen["outer_left"]) - RESERVE_S / 2
    assert float(seen["outer_left"]) < 3.0 + RESERVE_S


async def test_a_call_with_no_time_left_makes_none(peers: Peers, member: Caller, world: World) -> None:
    async def late(_request: Any, call: Call) -> None:
        call.deadline = 0.0
        await ask_peer(peers)

    world.behaviours.by_name["late"] = late
    assert (
        await refused(member.call("MemberService/Echo", EchoRequest(behaviour="late")))
    ).reason == "PEER_UNAVAILABLE"
    assert current_call.get() is None


async def test_a_token_of_one_service_does_not_pass_for_another_body(process: Process) -> None:
    async with grpc.aio.insecure_channel(process.address) as channel:
        caller = Caller(channel, ALPHA)
        token = caller.token(PEER_ECHO, EchoRequest(text="a").SerializeToString())
        answer = await refused(caller.call("PeerService/Echo", EchoRequest(text="b"), token=token))

    assert answer.reason == "TOKEN_BODY"
    assert SecretKeys(b"a" * 32, b"a" * 32).kid == ALPHA.kid
