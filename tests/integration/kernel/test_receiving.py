"""Requests that are on their way for long: each ends, the oldest first, and nobody else minds (T11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.kernel.config import KernelSettings
from services.kernel.process import Process
from services.kernel.receiving import Receiving
from tests.support.echo import World, read

MakeSettings = Callable[..., KernelSettings]
ONCE, STREAM = "/echo/Once", "/echo/Stream"


class Echo(grpc.GenericRpcHandler):
    """Says what it was told, once or twice."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method == STREAM:
            return grpc.unary_stream_rpc_method_handler(self._twice)
        return grpc.unary_unary_rpc_method_handler(self._once) if details.method == ONCE else None

    async def _once(self, request: bytes, _context: Any) -> bytes:
        return request

    async def _twice(self, request: bytes, context: Any) -> None:
        await context.write(request)
        await context.write(request)


@asynccontextmanager
async def receiving(**bounds: Any) -> AsyncIterator[grpc.aio.Channel]:
    """A server with these bounds, and a channel to it."""
    server = grpc.aio.server(interceptors=[Receiving(**bounds)])
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


async def begun(channel: grpc.aio.Channel, method: str = ONCE) -> Any:
    """A call that is under way and has said nothing."""
    call = channel.stream_unary(method)(timeout=20)
    await call.wait_for_connection()
    return call


async def ended(call: Any) -> grpc.aio.AioRpcError:
    """How a call that said nothing ended."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value


async def test_a_request_is_served_as_ever() -> None:
    async with receiving() as channel:
        assert await channel.unary_unary(ONCE)(b"hallo", timeout=5) == b"hallo"
        assert await channel.unary_unary(ONCE)(b"", timeout=5) == b""
        assert [said async for said in channel.unary_stream(STREAM)(b"hallo", timeout=5)] == [b"hallo"] * 2
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/echo/Unknown")(b"", timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_request_that_takes_its_time_is_served() -> None:
    async with receiving(longest_s=5.0) as channel:
        call = await begun(channel)
        await asyncio.sleep(0.2)
        await call.write(b"hallo")
        assert await call == b"hallo"


@pytest.mark.parametrize("method", [ONCE, STREAM])
async def test_a_request_that_does_not_come_is_given_up(method: str) -> None:
    async with receiving(longest_s=0.1) as channel:
        answer = read(await ended(await begun(channel, method)))

    assert (answer.code, answer.reason, answer.retry_s) == ("RESOURCE_EXHAUSTED", "OVERLOADED", 1.0)


async def test_a_call_without_a_request_is_told_so() -> None:
    async with receiving() as channel:
        call = await begun(channel)
        await call.done_writing()
        answer = read(await ended(call))

    assert (answer.code, answer.reason, answer.fields) == ("INVALID_ARGUMENT", "FIELD_INVALID", ["request"])


async def test_whoever_has_waited_longest_gives_way() -> None:
    async with receiving(longest_s=10.0, places=2) as channel:
        calls = []
        for _ in range(5):
            calls.append(await begun(channel))
            assert await channel.unary_unary(ONCE)(b"hallo", timeout=5) == b"hallo"
        given_up = [read(await ended(call)).reason for call in calls[:3]]
        await calls[-1].write(b"hallo")
        assert await calls[-1] == b"hallo"

    assert given_up == ["OVERLOADED"] * 3


async def test_callers_who_go_away_leave_their_places() -> None:
    async with receiving(longest_s=10.0, places=2) as channel:
        staying = await begun(channel)
        for _ in range(5):
            (await begun(channel)).cancel()
            await asyncio.sleep(0.05)
        await staying.write(b"hallo")
        assert await staying == b"hallo"


async def test_nobody_keeps_the_health_service_on_the_line(world: World, make_settings: MakeSettings) -> None:
    """It has no token and no admission: an answer, and no more."""
    request = health_pb2.HealthCheckRequest()
    async with (
        Process(make_settings(), {"alpha": world.build}) as process,
        grpc.aio.insecure_channel(process.address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(request, timeout=5)).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Watch(request, timeout=5).read()
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
