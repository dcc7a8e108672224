"""What callers are told: one reason each, nothing of the inside, and one closed door for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
import psycopg
import pytest
import sqlalchemy.exc

from meldbrug.crypto.errors import StatementSignature
from services.kernel import errors
from services.kernel.config import KernelSettings
from services.kernel.process import Process
from services.kernel.rpc import Call
from tests.support.echo import PACKAGE, Answer, Caller, EchoRequest, World, read, refused

FLOOR_S = 0.06


def raising(failure: Exception) -> Callable[[Any, Call], Any]:
    async def behave(_request: Any, _call: Call) -> None:
        raise failure

    return behave


async def ask(caller: Caller, world: World, failure: Exception) -> Answer:
    world.behaviours.by_name["fail"] = raising(failure)
    return await refused(caller.call("MemberService/Echo", EchoRequest(behaviour="fail")))


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (errors.InvalidArgument("DIGEST_MISMATCH"), "INVALID_ARGUMENT", "DIGEST_MISMATCH"),
        (errors.FailedPrecondition(state="OPENED"), "FAILED_PRECONDITION", "WRONG_STATE"),
        (errors.StaleEtag(), "ABORTED", "ETAG_STALE"),
        (errors.RequestIdReused(), "ALREADY_EXISTS", "REQUEST_ID_REUSED"),
        (errors.Exhausted(), "RESOURCE_EXHAUSTED", "OVERLOADED"),
        (errors.Unavailable("POLICY_UNAVAILABLE"), "UNAVAILABLE", "POLICY_UNAVAILABLE"),
        (StatementSignature("x"), "INVALID_ARGUMENT", "STATEMENT_SIGNATURE"),
        (psycopg.OperationalError("server closed the connection"), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (psycopg.errors.QueryCanceled("statement timeout"), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (psycopg.errors.DeadlockDetected("deadlock"), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (sqlalchemy.exc.TimeoutError("pool"), "UNAVAILABLE", "DATABASE_UNAVAILABLE"),
        (
            sqlalchemy.exc.OperationalError("SELECT 1", {}, psycopg.errors.LockNotAvailable("lock timeout")),
            "UNAVAILABLE",
            "DATABASE_UNAVAILABLE",
        ),
        (psycopg.errors.UniqueViolation("key"), "INTERNAL", "INTERNAL"),
        (RuntimeError("secret of the case"), "INTERNAL", "INTERNAL"),
    ],
)
async def test_each_failure_has_one_answer(
    member: Caller, world: World, failure: Exception, code: str, reason: str
) -> None:
    answer = await ask(member, world, failure)

    assert (answer.code, answer.reason) == (code, reason)
    assert bool(answer.retry_s) == (code in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"})


async def test_an_unknown_failure_tells_only_the_request_id(
    member: Caller, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = await ask(member, world, RuntimeError("secret of the case"))

    assert answer.message == "internal error"
    assert list(answer.metadata) == ["requestId"]
    out = capfd.readouterr()
    assert "secret" not in repr(answer.trailers) + out.out + out.err
    assert "RuntimeError" in out.out + out.err


async def test_a_state_is_told_where_the_domain_says_so(member: Caller, world: World) -> None:
    assert (await ask(member, world, errors.FailedPrecondition(state="OPENED"))).metadata == {
        "state": "OPENED"
    }
    assert (await ask(member, world, errors.FailedPrecondition())).metadata == {}


async def test_an_invalid_field_is_named(member: Caller, world: World) -> None:
    items = [{"name": "ok"}, {"name": "longer"}]
    answer = await refused(member.call("MemberService/Echo", EchoRequest(items=items, behaviour="b" * 41)))

    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
    assert answer.fields == ["behaviour", "items[1].name"]
    assert world.behaviours.last is None


async def test_bytes_that_are_no_message_are_invalid(member: Caller) -> None:
    answer = await refused(member.call("MemberService/Echo", body=b"\xff\xff"))

    assert (answer.code, answer.reason, answer.fields) == ("INVALID_ARGUMENT", "FIELD_INVALID", ["request"])


async def test_a_message_over_the_limit_is_told_so(member: Caller) -> None:
    answer = await refused(member.call("MemberService/Echo", body=b"\x12" + b"x" * 1_048_576))

    assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE")


async def test_a_message_far_over_the_limit_never_arrives(member: Caller) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await member.call("MemberService/Echo", body=b"x" * 3_000_000)

    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("seconds", [None, 90.0])
async def test_a_call_without_a_fit_deadline_is_refused(member: Caller, seconds: float | None) -> None:
    answer = await refused(member.call("MemberService/Echo", deadline_s=seconds))

    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "DEADLINE_MISSING")


async def test_closed_doors_are_the_same_bytes_at_the_same_moment(member: Caller, world: World) -> None:
    async def slow(_request: Any, _call: Call) -> None:
        await asyncio.sleep(0.04)
        raise errors.NotPermitted

    world.behaviours.by_name.update(fast=raising(errors.NotPermitted()), slow=slow)
    seen, moments = set(), []
    for behaviour in ("fast", "slow") * 5:
        began = time.perf_counter()
        answer = await refused(member.call("MemberService/Echo", EchoRequest(behaviour=behaviour)))
        moments.append(time.perf_counter() - began)
        seen.add((answer.code, answer.message, answer.trailers))

    assert seen == {("PERMISSION_DENIED", "not permitted, or it does not exist", answer.trailers)}
    assert min(moments) >= FLOOR_S
    fast, slow_ones = sorted(moments[::2]), sorted(moments[1::2])
    assert abs(fast[2] - slow_ones[2]) < 0.01


async def test_other_answers_do_not_wait(member: Caller, world: World) -> None:
    began = time.perf_counter()
    await ask(member, world, errors.FailedPrecondition())
    await member.call("MemberService/Echo")

    assert time.perf_counter() - began < FLOOR_S


async def test_a_late_closed_door_is_counted(member: Caller, world: World, process: Process) -> None:
    async def late(_request: Any, _call: Call) -> None:
        await asyncio.sleep(FLOOR_S + 0.02)
        raise errors.NotPermitted

    world.behaviours.by_name["late"] = late
    await refused(member.call("MemberService/Echo", EchoRequest(behaviour="late")))

    assert process.metrics.registry.get_sample_value("meldbrug_floor_overruns_total") == 1


async def test_waiting_for_the_floor_holds_no_place(
    world: World, make_settings: Callable[..., KernelSettings]
) -> None:
    world.behaviours.by_name["door"] = raising(errors.NotPermitted())
    tight = make_settings(refusal_floor_ms=200, admission={"narrowing_in_flight": 1})
    async with (
        Process(tight, {"alpha": world.build}) as process,
        grpc.aio.insecure_channel(process.address) as channel,
    ):
        caller = Caller(channel, Caller(channel, _keys()).keys, embed=True)
        began = time.perf_counter()
        door = EchoRequest(behaviour="door")
        answers = await asyncio.gather(
            *(refused(caller.call("ReporterService/Withdraw", door)) for _ in range(6))
        )

    assert {answer.reason for answer in answers} == {"NOT_PERMITTED"}
    assert time.perf_counter() - began < 0.5


def _keys() -> Any:
    from meldbrug.crypto.keys import SecretKeys

    return SecretKeys(b"w" * 32, b"w" * 32)


async def test_a_stream_ends_with_its_refusal(member: Caller, world: World) -> None:
    world.behaviours.by_name["fail"] = raising(errors.StaleEtag())
    got = []
    stream = member.watch(EchoRequest(behaviour="fail"))

    async def take_all() -> None:
        async for answer in stream:
            got.append(answer.text)  # noqa: PERF401 (it must keep what came before the refusal)

    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await take_all()

    assert got == ["0", "1", "2"]
    assert read(refusal.value).reason == "ETAG_STALE"


async def test_a_stream_gives_its_answers(member: Caller) -> None:
    assert [answer.text async for answer in member.watch(EchoRequest(text="end"))] == ["0", "1", "2", "end"]


async def test_a_request_id_is_taken_over_only_when_it_is_an_id(member: Caller) -> None:
    given = "a" * 26
    kept = await member.call("MemberService/Echo", metadata=(("x-request-id", given),))
    made = await member.call("MemberService/Echo", metadata=(("x-request-id", "Jan de Vries was het....!!"),))

    assert kept.request_id == given
    assert made.request_id != given
    assert len(made.request_id) == 26


async def test_metrics_name_methods_and_codes_only(member: Caller, process: Process) -> None:
    await member.call("MemberService/Echo")
    labels = {
        name
        for metric in process.metrics.registry.collect()
        for sample in metric.samples
        for name in sample.labels
    }

    assert labels <= {"method", "code", "lane", "task", "le"}
    assert process.metrics.registry.get_sample_value(
        "meldbrug_calls_total", {"method": f"/{PACKAGE}.MemberService/Echo", "code": "OK"}
    )
