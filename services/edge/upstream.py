"""The services behind the edge: on connections apart for each sort of traffic, with bytes as they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import grpc
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from services.edge.methods import Method
from services.kernel.answers import status_of
from services.kernel.errors import Exhausted, Unavailable
from services.kernel.lines import Line, Metadata

# A server of ours takes 128 calls on a connection, and gRPC lets the next one wait without a word.
CALLS_PER_LINE = 100
LINES = 10
# A stream that hears nothing cannot tell whether the other side is still there.
KEEPALIVE = (("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 10_000))


class Bundle:
    """Lines to one address, as many as the calls under way take.

    Args:
        address: host:port.
        credentials: TLS; plaintext when absent.
    """

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        self._address, self._credentials = address, credentials
        self._lines: list[Line] = []
        self._busy: list[int] = []

    @contextmanager
    def line(self) -> Iterator[Line]:
        """Lends a line with room for one call. Raises Exhausted."""
        place = next((at for at, calls in enumerate(self._busy) if calls < CALLS_PER_LINE), len(self._busy))
        if place == LINES:
            raise Exhausted
        if place == len(self._lines):
            self._lines.append(Line(self._address, self._credentials, KEEPALIVE))
            self._busy.append(0)
        self._busy[place] += 1
        try:
            yield self._lines[place]
        finally:
            self._busy[place] -= 1

    async def close(self) -> None:
        """Closes all lines."""
        for line in self._lines:
            await line.close()


class Upstream:
    """All services.

    Args:
        addresses: Name to host:port.
        credentials: TLS; plaintext when absent.
    """

    def __init__(self, addresses: Mapping[str, str], credentials: grpc.ChannelCredentials | None) -> None:
        self._addresses, self._credentials = addresses, credentials
        self._bundles: dict[tuple[str, str], Bundle] = {}

    def _bundle(self, method: Method) -> Bundle:
        key = method.peer, method.traffic
        if key not in self._bundles:
            self._bundles[key] = Bundle(self._addresses[method.peer], self._credentials)
        return self._bundles[key]

    async def call(self, method: Method, message: bytes, timeout_s: float, metadata: Metadata) -> bytes:
        """The bytes of the answer. Raises grpc.aio.AioRpcError, Exhausted."""
        with self._bundle(method).line() as line:
            return await line.call(method.path, message, timeout_s=timeout_s, metadata=metadata)

    async def stream(
        self, method: Method, message: bytes, timeout_s: float, metadata: Metadata
    ) -> AsyncGenerator[bytes]:
        """The bytes of each answer. Whoever stops to read ends the call. Raises as `call`."""
        with self._bundle(method).line() as line:
            call = line.stream(method.path, message, timeout_s=timeout_s, metadata=metadata)
            try:
                async for answer in call:
                    yield answer
            finally:
                call.cancel()

    async def close(self) -> None:
        """Closes all connections."""
        await asyncio.gather(*(bundle.close() for bundle in self._bundles.values()))


def status_from(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The status as a service wrote it. Without one it was gRPC that spoke: nobody there, or too late."""
    try:
        status: status_pb2.Status | None = rpc_status.from_call(cast("grpc.Call", error))
    except ValueError:
        # Its details are of another status: nobody can tell what was meant.
        status = None
    if status is not None:
        return status
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return status_pb2.Status(code=code_pb2.DEADLINE_EXCEEDED, message="the deadline is over")
    return status_of(Unavailable("PEER_UNAVAILABLE"))
