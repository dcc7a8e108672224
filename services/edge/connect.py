"""The API: Connect in front, gRPC behind, and between them nothing but the same bytes.

A token covers the exact bytes of its request, so they are neither parsed nor written again here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import status_pb2

from services.edge import wire
from services.edge.methods import Method, Traffic
from services.edge.metrics import EdgeMetrics
from services.edge.puzzle import Puzzle, PuzzleRequired
from services.edge.upstream import Upstream, status_from
from services.kernel.answers import refusal_of, status_of
from services.kernel.clock import Ids, is_id
from services.kernel.errors import Exhausted, InvalidField, NotPermitted, Refusal, Unauthenticated
from services.kernel.lines import Metadata
from services.kernel.log import Event, emit, request_id
from services.kernel.patience import (
    LONGEST_S,
    MAX_UNARY_S,
    TIMER_TOLERANCE_S,
    Patience,
    require_deadline,
)

MAX_CREDENTIAL_CHARS = 4608
MAX_TIMEOUT_DIGITS = 10
ENCODINGS = (b"content-encoding", b"connect-content-encoding")

Headers = Mapping[bytes, Sequence[bytes]]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds every call.

    Args:
        origins: How browsers call the edge.
        max_bytes: The largest request.
        max_stream_s: The longest deadline of a stream.
        patience: With requests that are on their way.
    """

    origins: frozenset[bytes]
    max_bytes: int
    max_stream_s: float
    patience: Patience


@dataclass(slots=True)
class Call:
    """One call on its way through."""

    method: Method
    headers: Headers
    receive: Receive
    send: Send
    deadline: float = 0.0
    code: str = "canceled"

    @property
    def left_s(self) -> float:
        """Seconds until the caller gives up."""
        return self.deadline - asyncio.get_running_loop().time()

    def one(self, name: bytes) -> bytes | None:
        """The value of a header that comes once, or None. Raises InvalidField when it comes again."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise InvalidField(name.decode(), "comes more than once")
        return values[0] if values else None


class Api:
    """Passes calls on.

    Args:
        upstream: The services.
        puzzle: Asked of anonymous calls.
        limits: What bounds every call.
        metrics: Where calls are counted.
        ids: Makes the ids of requests that have none.
    """

    def __init__(
        self, upstream: Upstream, puzzle: Puzzle, limits: Limits, metrics: EdgeMetrics, ids: Ids
    ) -> None:
        self._upstream, self._puzzle, self._limits = upstream, puzzle, limits
        self._metrics, self._ids = metrics, ids

    async def serve(self, call: Call) -> None:
        """Answers one call, whatever comes of it."""
        request_id.set(_request_id(call.headers) or self._ids.new_id())
        with self._metrics.in_flight.track_inprogress():
            try:
                await (self._stream(call) if call.method.streams else self._unary(call))
            finally:
                self._metrics.calls.labels(call.method.path, call.code).inc()

    async def _unary(self, call: Call) -> None:
        try:
            body = await self._request(call)
            answer = await self._upstream.call(call.method, body, call.left_s, _metadata(call))
            call.code = "ok"
        except Exception as failure:  # noqa: BLE001 whatever failed, the caller gets one of our answers
            status = self._failed(call, failure)
            error = wire.as_json(wire.error_of(status))
            await respond(call.send, wire.HTTP[call.code], wire.JSON, error)
        else:
            await respond(call.send, 200, wire.UNARY, answer)

    async def _stream(self, call: Call) -> None:
        await begin(call.send, 200, wire.STREAM)
        status = None
        try:
            message = wire.only_message(await self._request(call))
            stream = self._upstream.stream(call.method, message, call.left_s, _metadata(call))
            async with aclosing(stream) as answers:
                async for answer in answers:
                    await _write(call.send, wire.envelope(answer), more=True)
            call.code = "ok"
        except Exception as failure:  # noqa: BLE001 whatever failed, the caller gets one of our answers
            status = self._failed(call, failure)
        await _write(call.send, wire.end_of_stream(status))

    def _failed(self, call: Call, failure: Exception) -> status_pb2.Status:
        if isinstance(failure, grpc.aio.AioRpcError):
            status = status_from(failure)
        else:
            refusal = refusal_of(failure)
            status = status_of(refusal)
            _tell_of(call, refusal)
        call.code = wire.code_of(status)
        return status

    async def _request(self, call: Call) -> bytes:
        """The body, once everything that can be told without it is in order."""
        self._require_same_origin(call)
        _require_form(call)
        self._require_deadline(call)
        bits = self._puzzle.required() if call.method.traffic is Traffic.ANONYMOUS else 0
        if not bits:
            return await self._body(call)
        try:
            solution = self._puzzle.read(call.one(b"meldbrug-puzzle"), bits)
            body = await self._body(call)
            self._puzzle.check(solution, body)
        except PuzzleRequired:
            self._metrics.asked.inc()
            raise
        self._metrics.solved.inc()
        return body

    def _require_same_origin(self, call: Call) -> None:
        site = call.headers.get(b"sec-fetch-site", (b"none",))
        origin = call.headers.get(b"origin", ())
        if not {b"same-origin", b"none"}.issuperset(site) or not self._limits.origins.issuperset(origin):
            raise NotPermitted

    def _require_deadline(self, call: Call) -> None:
        longest_s = self._limits.max_stream_s if call.method.streams else MAX_UNARY_S
        given = call.one(b"connect-timeout-ms")
        is_number = given is not None and given.isdigit() and len(given) <= MAX_TIMEOUT_DIGITS
        left_s = require_deadline(int(given or 0) / 1000 if is_number else None, longest_s)
        # gRPC writes a long deadline rounded up, by ten seconds at worst: a service would find it too long.
        left_s = min(left_s, longest_s - TIMER_TOLERANCE_S)
        call.deadline = asyncio.get_running_loop().time() + left_s

    async def _body(self, call: Call) -> bytes:
        bound = self._limits.max_bytes + (wire.ENVELOPE.size if call.method.streams else 0)
        if int(call.one(b"content-length") or 0) > bound:
            raise Exhausted("MESSAGE_TOO_LARGE", None)
        body = bytearray()
        async with self._limits.patience.waiting(min(LONGEST_S, call.left_s)):
            more = True
            while more:
                event = await call.receive()
                if event["type"] != "http.request":
                    raise asyncio.CancelledError
                body += event["body"]
                more = event["more_body"]
        return bytes(body)


def _tell_of(call: Call, refusal: Refusal) -> None:
    # A line for each puzzle would make a flood of calls a flood of lines; they are counted.
    if not isinstance(refusal, PuzzleRequired):
        emit(Event.CALL_ANSWERED, method=call.method.path, code=refusal.code.value, reason=refusal.reason)


def _require_form(call: Call) -> None:
    wanted = wire.STREAM if call.method.streams else wire.UNARY
    if call.one(b"content-type") != wanted:
        raise InvalidField("content-type", f"must be {wanted.decode()}")
    if call.one(b"connect-protocol-version") != b"1":
        raise InvalidField("connect-protocol-version", "must be 1")
    for name in ENCODINGS:
        if call.one(name) not in (None, b"identity"):
            raise InvalidField(name.decode(), "must be identity")


def _request_id(headers: Headers) -> str:
    given = [value.decode("latin-1") for value in headers.get(b"x-request-id", ())]
    return next((each for each in reversed(given) if is_id(each)), "")


def _metadata(call: Call) -> Metadata:
    metadata = [("x-request-id", request_id.get())]
    credentials = call.headers.get(b"authorization", ())
    if credentials:
        metadata.append(("authorization", _credential(credentials)))
    return metadata


def _credential(given: Sequence[bytes]) -> str:
    """The one credential. Two are none, and what gRPC would not carry is no token either."""
    text = given[0].decode("latin-1")
    if len(given) > 1 or len(text) > MAX_CREDENTIAL_CHARS or not (text.isascii() and text.isprintable()):
        raise Unauthenticated("TOKEN_MALFORMED")
    return text


async def begin(
    send: Send, status: int, content_type: bytes, length: int | None = None, *more: tuple[bytes, bytes]
) -> None:
    """Sends the head of an answer."""
    headers = [(b"content-type", content_type), *more]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def respond(
    send: Send, status: int, content_type: bytes, body: bytes, *more: tuple[bytes, bytes]
) -> None:
    """Sends a whole answer."""
    await begin(send, status, content_type, len(body), *more)
    await _write(send, body)


async def _write(send: Send, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def grouped(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The headers by name; what comes twice is there twice."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found
