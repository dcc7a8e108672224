"""Calls to an installation: tokens over the exact bytes sent, deadlines, and retries where they are safe.

Every command carries a `request_id`, so that repeating the same bytes has one effect; the token is made anew
for each attempt. A clock that runs off is corrected once by the server's own time, then trusted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from meldbrug.crypto import SecretKeys, statements, tokens

from .device import ServerClock, elapsed_s
from .errors import MeldbrugError, Refused, Unverified, refusal_of

M = TypeVar("M", bound=Message)

DEADLINE_S: Final = 10.0
ATTEMPTS: Final = 5
BACKOFF_S: Final = 0.2
MAX_BACKOFF_S: Final = 5.0
MAX_DOUBLINGS: Final = 16
"""More make no wait longer, and a thousand of them no number at all."""
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Above every answer's own bounds; a server cannot make a client hold more."""
TIME_MS: Final = re.compile(r"[0-9]{1,14}")
"""Milliseconds since 1970, up to the year 5138: more digits are no time."""
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_retries", 0),
)
STRAIGHT: Final = (*OPTIONS, ("grpc.enable_http_proxy", 0))
"""What is plain because it stays on this machine must not leave it through a proxy."""


@dataclass(frozen=True)
class Credentials:
    """Whose key signs the tokens; a self-certifying key (reporter, newcomer) brings its public keys along."""

    keys: SecretKeys
    self_certifying: bool = False


class Connection:
    """Channels to the services of one installation."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        installation: str,
        *,
        clock: ServerClock | None = None,
        tls_root: bytes | None = None,
        plaintext: bool = False,
    ) -> None:
        """Prepares channels; nothing is sent.

        Args:
            addresses: `host:port` by service name (`directory`, `disclosure`, `coordination`).
            installation: The fingerprint of the secretariat root, from the user's own configuration.
            clock: The clock to correct; shared by clients of one device.
            tls_root: PEM of the certificate authority. Without it channels that stay on this machine
                (`localhost`, `127.0.0.0/8`, `::1`, Unix sockets) are plain, and those to other machines lead
                to the authorities that gRPC trusts by itself.
            plaintext: Whether channels to other machines are plain, too: for a network that encrypts by
                itself. Whoever listens there sees who asks for what, and can change what is not signed.

        Raises:
            MeldbrugError: both an authority and plaintext were asked for.
        """
        if plaintext and tls_root is not None:
            raise MeldbrugError("a channel is plain or leads to an authority, not both")
        self.installation = installation
        self.clock = clock or ServerClock()
        self._channels = {
            address: _channel(address, tls_root, plaintext=plaintext) for address in set(addresses.values())
        }
        self._by_service = {service: self._channels[address] for service, address in addresses.items()}

    async def close(self) -> None:
        """Closes every channel."""
        for channel in self._channels.values():
            await channel.close()

    async def __aenter__(self) -> Self:
        """Returns itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes."""
        await self.close()

    async def call(
        self,
        method: str,
        request: Message,
        answer: type[M],
        credentials: Credentials | None = None,
        *,
        within_s: float = 30.0,
        repeat_when_exhausted: bool = False,
    ) -> M:
        """Calls `method` until it is answered, repeating the same bytes where nothing can go wrong twice.

        Args:
            method: Full name, `/meldbrug.<service>.v1.<Service>/<Method>`.
            request: The request; commands carry their `request_id`.
            answer: Class of the answer.
            credentials: Whose key signs; absent for what anyone may call.
            within_s: For all attempts together.
            repeat_when_exhausted: Repeat too when the server is full; for reports.

        Raises:
            Refused: the server said no.
            Unverified: the answer is no such message, or holds a time of no calendar.
            NotReached: nobody answered in time.
        """
        body = request.SerializeToString(deterministic=True)
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel(method).unary_unary(method)
        until = elapsed_s() + within_s
        attempt, corrected = 0, False
        while True:
            attempt += 1
            left = until - elapsed_s()
            try:
                found = await call(
                    body,
                    timeout=max(0.001, min(DEADLINE_S, left)),
                    metadata=self.metadata(method, body, credentials),
                )
            except grpc.aio.AioRpcError as error:
                refusal = refusal_of(error)
                if not corrected and self._corrects(refusal):
                    corrected = True
                    continue
                wait = _wait_s(refusal, attempt, repeat_when_exhausted=repeat_when_exhausted)
                patient = repeat_when_exhausted or attempt < ATTEMPTS
                if wait is None or not patient or elapsed_s() + wait >= until:
                    raise refusal from None
                await asyncio.sleep(wait)
            else:
                if credentials:
                    self.clock.agree()
                return _read(found, answer)

    async def stream(
        self, method: str, request: Message, answer: type[M], credentials: Credentials, *, within_s: float
    ) -> AsyncIterator[M]:
        """Yields what the server streams until it ends or `within_s` is over.

        Raises:
            Refused: the server said no.
            Unverified: what came is no such message, or holds a time of no calendar.
            NotReached: the connection broke.
        """
        body = request.SerializeToString(deterministic=True)
        call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel(method).unary_stream(method)
        running = call(body, timeout=within_s, metadata=self.metadata(method, body, credentials))
        try:
            async for message in running:
                yield _read(message, answer)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            self._corrects(refusal)
            raise refusal from None
        finally:
            running.cancel()

    def metadata(
        self, method: str, body: bytes, credentials: Credentials | None
    ) -> tuple[tuple[str, str], ...]:
        """Returns the metadata of one attempt: a token over exactly these bytes, or none."""
        if credentials is None:
            return ()
        token = tokens.mint(
            credentials.keys,
            tokens.audience(self.installation, method),
            tokens.body_hash(body),
            self.clock.now(),
            embed_keys=credentials.self_certifying,
        )
        return (("authorization", f"Bearer {token}"),)

    def channel(self, method: str) -> grpc.aio.Channel:
        """Returns the channel to the service that answers `method`.

        Raises:
            MeldbrugError: no address is configured for it.
        """
        service = method.split(".")[1]
        if service not in self._by_service:
            raise MeldbrugError(f"no address is configured for {service}")
        return self._by_service[service]

    def _corrects(self, refusal: MeldbrugError) -> bool:
        if not isinstance(refusal, Refused) or refusal.reason != "TOKEN_STALE":
            return False
        server_time = refusal.metadata.get("serverTimeMs", "")
        if not TIME_MS.fullmatch(server_time):
            return False
        self.clock.correct(int(server_time))
        return True


def is_local(address: str) -> bool:
    """Returns whether what is sent to `address` stays on this machine; False for what cannot be told."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition(":")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _channel(address: str, tls_root: bytes | None, *, plaintext: bool) -> grpc.aio.Channel:
    if tls_root is None and is_local(address):
        return grpc.aio.insecure_channel(address, options=STRAIGHT)
    if plaintext:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(tls_root), options=OPTIONS)


def _read(body: bytes, answer: type[M]) -> M:
    """Returns an answer whose times all have a datetime; gRPC itself would give out what it cannot parse."""
    try:
        found = answer.FromString(body)
    except DecodeError:
        raise Unverified("answer") from None
    if not statements.holds_times(found):
        raise Unverified("time")
    return found


def backoff_s(attempt: int) -> float:
    """Returns how long to wait after so many attempts; spread, so that clients do not come back at once."""
    doubled = BACKOFF_S * 2.0 ** min(attempt, MAX_DOUBLINGS)
    return min(MAX_BACKOFF_S, doubled) * random.uniform(0.5, 1.0)


def _wait_s(refusal: MeldbrugError, attempt: int, *, repeat_when_exhausted: bool) -> float | None:
    """Returns how long to wait before repeating, or None when repeating does not help."""
    backoff = backoff_s(attempt)
    if not isinstance(refusal, Refused):
        return backoff
    again = refusal.code == "UNAVAILABLE" or (repeat_when_exhausted and refusal.code == "RESOURCE_EXHAUSTED")
    if not again:
        return None
    return max(refusal.retry_after_s or 0.0, backoff)
