"""What strangers send, and what must hold whatever it is: the targets of the fuzzer.

An input is a byte that chooses the target, then the target's own bytes. Nothing but the error that a
function documents may come out of it, and nothing of the input in what a caller is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from google.protobuf import message_factory
from google.rpc import error_details_pb2, status_pb2

from meldbrug.crypto import SecretKeys, tokens
from meldbrug.error.v1 import error_pb2
from services.kernel.admission import Admission
from services.kernel.clock import SystemIds
from services.kernel.config import AdmissionSettings, KernelSettings
from services.kernel.interceptors import Chain
from services.kernel.key_ring import KeyState, KnownKey
from services.kernel.log import Metrics
from services.kernel.rpc import _snake, rules
from services.kernel.tokens import Identity, ServiceKeys
from tests.support import fuzz_targets
from tests.support.personas import services

INSTALLATION = "a" * 52
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = SecretKeys(bytes(32), bytes([1]) * 32)
STRANGER = SecretKeys(bytes([2]) * 32, bytes([3]) * 32)
REASONS = frozenset(error_pb2.ErrorReason.keys())
# What a caller may be told; INTERNAL and UNKNOWN would be a failure that nobody thought of.
TOLD = frozenset(
    {"INVALID_ARGUMENT", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "UNAVAILABLE"}
)


class Broken(AssertionError):
    """Something held that must not, or did not that must."""


class Told(Exception):
    """The chain ended a call with a status."""


@dataclass
class Context:
    """A call as gRPC hands it over."""

    metadata: Sequence[tuple[str, str]]
    code: str = ""
    reason: str = ""
    text: bytes = b""

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return self.metadata

    def time_remaining(self) -> float:
        return 10.0

    async def write(self, _message: bytes) -> None:
        return

    async def abort_with_status(self, status: Any) -> None:
        self.code = status.code.name
        told = status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        self.reason = info.reason if any(one.Unpack(info) for one in told.details) else ""
        self.text = told.SerializeToString()
        raise Told


class Clock:
    """A clock that stands still for tokens, and runs for rates."""

    def __init__(self) -> None:
        self.ticks = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        self.ticks += 60.0
        return self.ticks


class Ring:
    """A key ring that knows one member."""

    async def lookup(self, kid: str) -> KnownKey | None:
        if kid != KEYS.kid:
            return None
        return KnownKey(
            kid, KEYS.public, f"persons/{'a' * 26}", f"organisations/{'a' * 26}", f"members/{'a' * 26}",
            True, KeyState.ACTIVE,
        )  # fmt: skip

    lookup_claimed = lookup

    def was_unknown(self, _kid: str) -> bool:
        return False


@cache
def chain_handlers() -> list[tuple[str, Any]]:
    """Every method of the contract behind the real chain; what would serve it answers with nothing."""
    settings = KernelSettings.model_construct(refusal_floor_ms=0, max_message_bytes=262_144, max_stream_s=60)
    clock = Clock()
    admission = Admission(AdmissionSettings(), Metrics(), clock.monotonic)
    identity = Identity(INSTALLATION, Ring(), ServiceKeys({}), clock)  # type: ignore[arg-type]
    chain = Chain(identity, admission, settings, Metrics(), SystemIds())
    served = [rules(service.full_name, _servicer(service)) for service in services()]
    return [(rule.path, chain.handler(rule)) for of_service in served for rule in of_service]


def _servicer(service: Any) -> object:
    def of(method: Any) -> Callable[..., Any]:
        answer = message_factory.GetMessageClass(method.output_type)

        async def once(_self: object, _request: Any, _call: Any) -> Any:
            return answer()

        async def stream(_self: object, _request: Any, _call: Any) -> Any:
            yield answer()

        return stream if method.server_streaming else once

    return type("Servicer", (), {_snake(method.name): of(method) for method in service.methods})()


@cache
def loop() -> asyncio.AbstractEventLoop:
    """The loop that all calls run on."""
    return asyncio.new_event_loop()


def request(data: bytes) -> None:
    """Any bytes at any method, from nobody, a member, a stranger, or with any text for a token."""
    if len(data) < 2:
        return
    path, handler = chain_handlers()[data[0] % len(chain_handlers())]
    caller, body = data[1] % 4, data[2:]
    context = Context(_metadata(path, caller, body))
    serve = handler.unary_unary or handler.unary_stream
    try:
        loop().run_until_complete(asyncio.wait_for(serve(body, context), 5))
    except Told:
        if context.code not in TOLD or f"ERROR_REASON_{context.reason}" not in REASONS:
            raise Broken(f"{path} answered {context.code} {context.reason}") from None
        if len(body) > 24 and body[:24] in context.text:
            raise Broken(f"{path} repeated what was sent") from None


def _metadata(path: str, caller: int, body: bytes) -> Sequence[tuple[str, str]]:
    if caller == 0:
        return ()
    if caller == 1:
        return (("authorization", "Bearer " + body[:2048].decode("latin-1")),)
    keys = KEYS if caller == 2 else STRANGER
    token = tokens.mint(
        keys, tokens.audience(INSTALLATION, path), tokens.body_hash(body), NOW, embed_keys=caller == 3
    )
    return (("authorization", f"Bearer {token}"),)


TARGETS: Mapping[str, Callable[[bytes], object]] = {"request": request, **fuzz_targets.TARGETS}


def play(data: bytes) -> str:
    """Plays one input; returns its target's name. Raises Broken, or whatever the target let out."""
    name = list(TARGETS)[(data or b"\0")[0] % len(TARGETS)]
    TARGETS[name](data[1:])
    return name
