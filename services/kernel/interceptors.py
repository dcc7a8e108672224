"""What happens around every call, outermost first.

One chain for all services; authorisation is not in it: it sits beside the action, in the use cases.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import grpc
import protovalidate
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from services.kernel.admission import Admission, LaneName, Place
from services.kernel.answers import refusal_of, status_of
from services.kernel.authz import PUBLIC, Actor, PrincipalClass
from services.kernel.clock import ID_LENGTH, Ids, is_id
from services.kernel.config import KernelSettings
from services.kernel.errors import Code, Exhausted, InvalidArgument, InvalidField, Refusal, Unauthenticated
from services.kernel.failpoints import failpoint, operation
from services.kernel.log import Event, Metrics, emit, request_id
from services.kernel.patience import MAX_UNARY_S, require_deadline
from services.kernel.tokens import Identity

MAX_VIOLATIONS = 16
# A service asks for all its callers, and the public is everyone at once: a rate on either would let one
# of them turn the others away. What bounds them is their lane.
UNRATED = frozenset({PrincipalClass.SERVICE, PrincipalClass.PUBLIC})


@dataclass(frozen=True, slots=True)
class Rule:
    """What the proto declares of one method, with the code that serves it."""

    path: str
    request: type[Message]
    principals: frozenset[PrincipalClass]
    callers: frozenset[str]
    permission: str
    lane: LaneName
    streams: bool
    serve: Callable[[Any, Call], Any]


@dataclass(slots=True, eq=False)
class Call:
    """One call on its way through the chain, and what use cases may know of it."""

    rule: Rule
    body: bytes
    context: grpc.aio.ServicerContext[bytes, bytes]
    arrived: float
    deadline: float = float("inf")
    request_id: str = ""
    authorization: str | None = None
    body_sha256: bytes = b""
    actor: Actor = PUBLIC
    place: Place | None = None
    message: Message | None = None
    answer: bytes = b""
    began: bool = field(default=False)

    @property
    def method(self) -> str:
        """The full gRPC method, with its leading slash."""
        return self.rule.path

    def remaining_s(self) -> float:
        """Seconds until the caller gives up."""
        return self.deadline - asyncio.get_running_loop().time()


current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
Next = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stage:
    """One link of the chain and why it stands where it stands."""

    name: str
    reason: str


STAGES = (
    Stage(
        "answered",
        "every failure below becomes a status; waits for the floor when nothing below is held any more",
    ),
    Stage("traced", "before anything can fail, so that its log line has the request id"),
    Stage("bounded", "a call without an end, or too large, is not worth a hash or a signature"),
    Stage("identified", "limits and rules are per caller, so the caller comes first"),
    Stage("accepted", "a service that may not call costs no place"),
    Stage("admitted", "after identity, since rates are per principal; before parsing, which costs most"),
    Stage("validated", "last: only admitted callers have their message parsed and its shape checked"),
)


class Chain:
    """The chain of one service's methods."""

    def __init__(
        self, identity: Identity, admission: Admission, settings: KernelSettings, metrics: Metrics, ids: Ids
    ) -> None:
        self._identity, self._admission, self._metrics, self._ids = identity, admission, metrics, ids
        self._floor_s = settings.refusal_floor_ms / 1000
        self._max_bytes = settings.max_message_bytes
        self._max_stream_s = float(settings.max_stream_s)

    def handler(self, rule: Rule) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The gRPC handler of a method; it deserializes nothing, so that the body is hashed as received."""
        proceed: Next = _stream if rule.streams else _reply
        for stage in reversed(STAGES):
            proceed = partial(getattr(self, f"_{stage.name}"), proceed)

        async def handle(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            call = Call(rule, body, context, asyncio.get_running_loop().time())
            await proceed(call)
            return call.answer

        if rule.streams:
            return grpc.unary_stream_rpc_method_handler(partial(_without_answer, handle))
        return grpc.unary_unary_rpc_method_handler(handle)

    async def _answered(self, proceed: Next, call: Call) -> None:
        code = "CANCELLED"
        try:
            await proceed(call)
            code = "OK"
        except Exception as failure:  # noqa: BLE001 (whatever failed, the caller gets one of our answers)
            refusal = refusal_of(failure)
            code = refusal.code.value
            await self._refuse(call, refusal)
        finally:
            self._metrics.calls.labels(call.rule.path, code).inc()
            self._metrics.seconds.labels(call.rule.lane).observe(
                asyncio.get_running_loop().time() - call.arrived
            )

    async def _refuse(self, call: Call, refusal: Refusal) -> None:
        emit(Event.CALL_ANSWERED, method=call.rule.path, code=refusal.code.value, reason=refusal.reason)
        if refusal.code is Code.PERMISSION_DENIED and not call.began:
            await self._wait_for_floor(call)
        await call.context.abort_with_status(rpc_status.to_status(status_of(refusal)))

    async def _wait_for_floor(self, call: Call) -> None:
        left = call.arrived + self._floor_s - asyncio.get_running_loop().time()
        if left <= 0:
            self._metrics.overruns.inc()
            emit(Event.FLOOR_OVERRUN, "warning", method=call.rule.path)
            return
        await asyncio.sleep(left)

    async def _traced(self, proceed: Next, call: Call) -> None:
        given = ""
        for key, value in call.context.invocation_metadata() or ():
            if key == "authorization":
                # Two credentials are none: nobody must have to guess which one counted.
                call.authorization = str(value) if call.authorization is None else ""
            elif key == "x-request-id" and len(value) == ID_LENGTH:
                given = str(value)
        # Only an id is taken over: this text reaches the log.
        call.request_id = given if is_id(given) else self._ids.new_id()
        request_id.set(call.request_id)
        current_call.set(call)
        operation.set(call.rule.path)
        await proceed(call)

    async def _bounded(self, proceed: Next, call: Call) -> None:
        # Its type says it is always there; it is not for a call without a deadline.
        left = cast("float | None", call.context.time_remaining())
        longest = self._max_stream_s if call.rule.streams else MAX_UNARY_S
        call.deadline = call.arrived + require_deadline(left, longest)
        if len(call.body) > self._max_bytes:
            raise Exhausted("MESSAGE_TOO_LARGE", None)
        await proceed(call)

    async def _identified(self, proceed: Next, call: Call) -> None:
        call.body_sha256 = hashlib.sha256(call.body).digest()
        rule = call.rule
        call.actor = await self._identity.of(
            call.authorization,
            rule.path,
            call.body_sha256,
            rule.principals,
            narrows=rule.lane is LaneName.NARROWING,
        )
        await proceed(call)

    async def _accepted(self, proceed: Next, call: Call) -> None:
        if call.actor.klass is PrincipalClass.SERVICE and call.actor.subject not in call.rule.callers:
            raise Unauthenticated("PRINCIPAL_CLASS")
        await proceed(call)

    async def _admitted(self, proceed: Next, call: Call) -> None:
        principal, rated = call.actor.principal, call.actor.klass not in UNRATED
        async with self._admission.admitted(
            call.rule.lane, principal, call.remaining_s(), rated=rated
        ) as place:
            call.place = place
            if not call.rule.streams:
                await proceed(call)
                return
            with self._admission.stream_of(principal):
                await proceed(call)

    async def _validated(self, proceed: Next, call: Call) -> None:
        try:
            message = call.rule.request.FromString(call.body)
        except DecodeError as cause:
            raise InvalidField("request", "is not a message of this method") from cause
        if violations := protovalidate.collect_violations(message):
            fields = [
                (_path(violation), violation.proto.message) for violation in violations[:MAX_VIOLATIONS]
            ]
            raise InvalidArgument("FIELD_INVALID", f"{fields[0][0]}: {fields[0][1]}", fields=fields)
        call.message = message
        await proceed(call)


async def _reply(call: Call) -> None:
    answer: Message = await call.rule.serve(call.message, call)
    await failpoint("before_answer")
    call.answer = answer.SerializeToString()


async def _stream(call: Call) -> None:
    async with aclosing(call.rule.serve(call.message, call)) as answers:
        async for answer in answers:
            call.began = True
            await call.context.write(answer.SerializeToString())


async def _without_answer(
    handle: Callable[[bytes, Any], Awaitable[bytes]], body: bytes, context: Any
) -> None:
    await handle(body, context)


def _path(violation: protovalidate.Violation) -> str:
    parts = []
    for element in violation.proto.field.elements if violation.proto.field else ():
        subscript = element.subscript
        index = f"[{subscript.value}]" if subscript and subscript.field == "index" else ""
        parts.append(element.field_name + index)
    return ".".join(parts) or "request"
