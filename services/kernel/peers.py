"""Calls to other services: where they are, who we are, how long we wait."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status

from meldbrug.crypto import tokens
from meldbrug.crypto.keys import SecretKeys
from services.kernel.answers import refusal_from
from services.kernel.clock import Clock
from services.kernel.errors import Code, Unavailable
from services.kernel.interceptors import current_call
from services.kernel.lines import Line
from services.kernel.log import request_id

M = TypeVar("M", bound=Message)

# Kept back of the caller's budget, to answer within it.
RESERVE_S = 0.05
FIRST_WAIT_S = 0.05
UNANSWERED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
# Codes that are our own doing: the caller could do nothing with them.
OURS = frozenset({Code.UNAUTHENTICATED, Code.INTERNAL, Code.DEADLINE_EXCEEDED})


class PeerFailedError(Exception):
    """A peer refused us for a reason that is ours, not the caller's; becomes an opaque INTERNAL."""


class Peer:
    """One other service, as this service calls it."""

    def __init__(self, line: Callable[[], Line], sign: Callable[[str, bytes], str]) -> None:
        self._line, self._sign = line, sign

    async def call(
        self, method: str, request: Message, response: type[M], *, budget_s: float, attempts: int = 1
    ) -> M:
        """Calls `method` and returns the answer.

        Args:
            method: Full gRPC method with its leading slash.
            request: The message.
            response: Class of the answer.
            budget_s: The longest wait; less when the call that we serve has less left.
            attempts: More than one only where repeating does no harm; only UNAVAILABLE is repeated.

        Raises:
            NotPermitted, or another Refusal of the peer: as the peer gave it.
            Unavailable: the peer did not answer in time.
        """
        loop = asyncio.get_running_loop()
        call = current_call.get()
        end = loop.time() + (min(budget_s, call.remaining_s() - RESERVE_S) if call else budget_s)
        body = request.SerializeToString()
        for attempt in range(attempts):
            try:
                return await self._once(method, body, response, end - loop.time())
            except Unavailable:
                wait = FIRST_WAIT_S * 2**attempt
                if attempt + 1 == attempts or loop.time() + wait >= end:
                    raise
                await asyncio.sleep(wait)
        raise ValueError("attempts must be at least 1")

    async def _once(self, method: str, body: bytes, response: type[M], timeout_s: float) -> M:
        if timeout_s <= 0:
            raise Unavailable("PEER_UNAVAILABLE")
        metadata = [("authorization", f"Bearer {self._sign(method, hashlib.sha256(body).digest())}")]
        if current := request_id.get():
            metadata.append(("x-request-id", current))
        try:
            answer = await self._line().call(method, body, timeout_s=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as cause:
            raise _refusal_of(cause) from cause
        return response.FromString(answer)


def _refusal_of(error: grpc.aio.AioRpcError) -> Exception:
    status = rpc_status.from_call(cast("grpc.Call", error))  # It has the three methods that are asked of it.
    # Without a status it was gRPC that spoke: nobody there, too many calls, a peer in the moment of its stop.
    if status is None or error.code() in UNANSWERED:
        return Unavailable("PEER_UNAVAILABLE")
    refusal = refusal_from(status)
    return PeerFailedError(refusal.reason) if refusal.code in OURS else refusal


class Peers:
    """The other services, by name.

    Args:
        keys: This service's own.
        installation: Part of every audience.
        clock: The time that tokens are issued at.
        addresses: Name to host:port; a missing one is this process.
        own_address: This process's, once it serves.
        credentials: TLS; plaintext when absent.
    """

    def __init__(
        self,
        keys: SecretKeys,
        installation: str,
        clock: Clock,
        addresses: Mapping[str, str],
        own_address: Callable[[], str],
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self._keys, self._installation, self._clock = keys, installation, clock
        self._addresses, self._own_address, self._credentials = addresses, own_address, credentials
        self._lines: dict[str, Line] = {}

    def peer(self, name: str) -> Peer:
        """The service of that name; connects at the first call."""
        return Peer(lambda: self._line(name), self._sign)

    def _line(self, name: str) -> Line:
        address = self._addresses.get(name) or self._own_address()
        if address not in self._lines:
            self._lines[address] = Line(address, self._credentials)
        return self._lines[address]

    def _sign(self, method: str, body_sha256: bytes) -> str:
        audience = self._installation + method
        return tokens.mint(self._keys, audience, body_sha256, self._clock.now(), embed_keys=False)

    async def close(self) -> None:
        """Closes all connections."""
        for line in self._lines.values():
            await line.close()
