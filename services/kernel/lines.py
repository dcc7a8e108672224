"""A connection to another server, and a new one in its place once it says nothing any more.

gRPC keeps a connection until somebody tells it that it is gone. One that stays open and mute (a peer that
vanished without a word, bytes that put its frames out of step) would cost every call its whole deadline.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import grpc

# Nothing but unanswered calls for so long: the connection is given up, not the server.
SILENT_S = 2.0
# Calls that are on their way over a connection that is given up still have so long.
FAREWELL_S = 5.0
OPTIONS = [
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Else a new channel is given the old connection.
    ("grpc.use_local_subchannel_pool", 1),
]

Metadata = Sequence[tuple[str, str]]


class Line:
    """The way to one address; connects at the first call.

    Args:
        address: host:port.
        credentials: TLS; plaintext when absent.
        options: gRPC's, besides ours.
    """

    def __init__(
        self,
        address: str,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._address, self._credentials, self._options = address, credentials, [*OPTIONS, *options]
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        self._channel = self._connect()
        self._heard_at, self._silent_since = -math.inf, math.inf

    def _connect(self) -> grpc.aio.Channel:
        if self._credentials:
            return grpc.aio.secure_channel(self._address, self._credentials, self._options)
        return grpc.aio.insecure_channel(self._address, self._options)

    async def call(self, method: str, body: bytes, *, timeout_s: float, metadata: Metadata = ()) -> bytes:
        """The bytes of the answer.

        Raises:
            grpc.aio.AioRpcError: refused, failed, or not answered in time.
        """
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(method)
        began, answered = _now(), False
        try:
            answer = await self._methods[method](body, timeout=timeout_s, metadata=metadata)
            answered = True
        except grpc.aio.AioRpcError as error:
            answered = error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
            raise
        finally:
            if answered:
                self._heard_at, self._silent_since = _now(), math.inf
            else:
                self._unanswered(began)
        return answer

    def stream(
        self, method: str, body: bytes, *, timeout_s: float, metadata: Metadata = ()
    ) -> grpc.aio.UnaryStreamCall[bytes, bytes]:
        """Begins a call that is answered by a stream; what it says tells nothing of the connection."""
        call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(method)
        return call(body, timeout=timeout_s, metadata=metadata)

    def _unanswered(self, began: float) -> None:
        """Also of a call that its caller gave up: who waits for an answer may have less time than we gave."""
        self._silent_since = min(self._silent_since, max(began, self._heard_at))
        if _now() - self._silent_since < SILENT_S:
            return
        farewell = asyncio.create_task(self._channel.close(FAREWELL_S))  # noqa: TID251 (the line's own)
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)
        self._channel, self._methods = self._connect(), {}
        self._heard_at, self._silent_since = _now(), math.inf

    async def close(self) -> None:
        """Closes the connection, and those that were given up."""
        for farewell in self._farewells:
            farewell.cancel()
        await asyncio.gather(*self._farewells, return_exceptions=True)
        await self._channel.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
