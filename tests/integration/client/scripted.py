"""A server that answers each call with the next of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from meldbrug.client import Connection
from meldbrug.client.device import ServerClock
from meldbrug.crypto import SecretKeys, tokens

INSTALLATION = SecretKeys(b"r" * 32, b"r" * 32).kid


def refusal(code: int, reason: str, *details: Any, metadata: dict[str, str] | None = None) -> Any:
    """A refusal as the services send it."""
    packed = []
    for detail in (
        error_details_pb2.ErrorInfo(reason=reason, domain="meldbrug", metadata=metadata),
        *details,
    ):
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    return rpc_status.to_status(status_pb2.Status(code=code, message="no", details=packed))


@dataclass
class Scripted:
    """A server that answers each call with the next of its answers, and remembers what it was asked."""

    answers: Sequence[Any]
    bodies: list[bytes] = field(default_factory=list)
    tokens: list[tokens.Token | None] = field(default_factory=list)
    deadlines: list[float | None] = field(default_factory=list)

    async def unary(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        answer = self._next(body, context)
        if callable(answer):
            answer = await answer()
        if isinstance(answer, bytes):
            return answer
        await context.abort_with_status(answer)
        raise AssertionError

    async def stream(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        for item in self._next(body, context):
            if isinstance(item, bytes):
                yield item
            else:
                await context.abort_with_status(item)

    def _next(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        self.bodies.append(body)
        self.deadlines.append(context.time_remaining())
        bearer = dict(context.invocation_metadata() or ()).get("authorization", "")
        self.tokens.append(tokens.parse(str(bearer).removeprefix("Bearer ")) if bearer else None)
        return self.answers[min(len(self.bodies), len(self.answers)) - 1]


class Handler(grpc.GenericRpcHandler):
    """Every method of every service, by one script."""

    def __init__(self, script: Scripted) -> None:
        self._script = script

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        if str(details.method).endswith("WatchInbox"):
            return grpc.unary_stream_rpc_method_handler(self._script.stream)  # type: ignore[arg-type]  # aio
        return grpc.unary_unary_rpc_method_handler(self._script.unary)  # type: ignore[arg-type]  # aio


@asynccontextmanager
async def listening(*answers: Any) -> AsyncIterator[tuple[int, Scripted]]:
    """Yields a port without TLS behind which the script answers."""
    script = Scripted(answers)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handler(script),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port, script
    await server.stop(0)


@asynccontextmanager
async def serving(
    *answers: Any, clock: ServerClock | None = None
) -> AsyncIterator[tuple[Connection, Scripted]]:
    """Yields a connection on which the script answers every service."""
    async with listening(*answers) as (port, script):
        addresses = dict.fromkeys(("directory", "disclosure", "coordination"), f"127.0.0.1:{port}")
        async with Connection(addresses, INSTALLATION, clock=clock) as connected:
            yield connected, script


UNAVAILABLE = refusal(code_pb2.UNAVAILABLE, "DATABASE_UNAVAILABLE")
FULL = refusal(
    code_pb2.RESOURCE_EXHAUSTED,
    "OVERLOADED",
    error_details_pb2.RetryInfo(retry_delay=Duration(nanos=1_000_000)),
)


def stale(server_time_ms: int | None = None) -> Any:
    """The refusal of a token by a clock that is off; the right time unless another is told."""
    told = int(datetime.now(UTC).timestamp() * 1000) if server_time_ms is None else server_time_ms
    return refusal(code_pb2.UNAUTHENTICATED, "TOKEN_STALE", metadata={"serverTimeMs": str(told)})
