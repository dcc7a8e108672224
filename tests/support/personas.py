"""Knocking at any door of the API as anyone, and what exactly came back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from meldbrug.coordination.v1 import coordination_service_pb2
from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1 import directory_service_pb2
from meldbrug.disclosure.v1 import disclosure_service_pb2
from tests.support.sector import World

D = TypeVar("D", bound=Message)
FILES = (directory_service_pb2, disclosure_service_pb2, coordination_service_pb2)
DEADLINE_S = 10.0
ATTEMPTS = 5


@dataclass(frozen=True)
class Answer:
    """What a caller can see of an answer."""

    code: str
    details: str
    trailers: tuple[tuple[str, bytes], ...]
    body: bytes
    took_s: float

    @property
    def seen(self) -> tuple[str, str, tuple[tuple[str, bytes], ...]]:
        """Everything but the time it took."""
        return self.code, self.details, self.trailers

    @property
    def reason(self) -> str:
        """Name of the `ErrorReason`; empty when there is none."""
        return self._detail(error_details_pb2.ErrorInfo()).reason

    @property
    def metadata(self) -> dict[str, str]:
        """What the refusal says besides its reason."""
        return dict(self._detail(error_details_pb2.ErrorInfo()).metadata)

    @property
    def retry_s(self) -> float:
        """After how many seconds to come again; 0 where nothing is said of it."""
        return self._detail(error_details_pb2.RetryInfo()).retry_delay.ToTimedelta().total_seconds()

    @property
    def status(self) -> status_pb2.Status:
        """The status with its details."""
        return status_pb2.Status.FromString(dict(self.trailers).get("grpc-status-details-bin", b""))

    def _detail(self, kind: D) -> D:
        """The detail of that kind; an empty one when there is none."""
        any(detail.Unpack(kind) for detail in self.status.details)
        return kind


@dataclass(frozen=True)
class Persona:
    """Somebody with a key or none; `bearer` replaces the token by any text."""

    name: str
    keys: SecretKeys | None = None
    embed: bool = False
    bearer: str | None = None


NOBODY = Persona("nobody")


class Doors:
    """Every method of a world, to be called with any bytes by anyone."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()

    async def knock(
        self,
        method: str,
        request: Message | bytes,
        persona: Persona,
        *,
        metadata: tuple[tuple[str, str], ...] | None = None,
        timeout: float | None = DEADLINE_S,
    ) -> Answer:
        """Calls once, with the persona's token over exactly these bytes unless `metadata` is given."""
        body = request if isinstance(request, bytes) else request.SerializeToString(deterministic=True)
        sent = self.metadata(method, body, persona) if metadata is None else metadata
        channel, streams = self.channel(method), descriptor(method).server_streaming
        began = time.perf_counter()
        try:
            if streams:
                call = channel.unary_stream(method)(body, metadata=sent, timeout=timeout)
                answer = await call.read()
                call.cancel()
                answer = b"" if answer is grpc.aio.EOF else answer
            else:
                call = channel.unary_unary(method)(body, metadata=sent, timeout=timeout)
                answer = await call
        except grpc.aio.AioRpcError as error:
            trailers = tuple((key, _bytes(value)) for key, value in error.trailing_metadata() or ())
            took = time.perf_counter() - began
            return Answer(error.code().name, error.details() or "", trailers, b"", took)
        return Answer("OK", "", (), answer, time.perf_counter() - began)

    async def try_again(self, method: str, request: Message | bytes, persona: Persona) -> Answer:
        """Knocks as a client does: again, after the wait it is told, when a peer was too busy to be asked."""
        answer = await self.knock(method, request, persona)
        for _ in range(ATTEMPTS):
            if answer.code != "UNAVAILABLE":
                break
            await asyncio.sleep(answer.retry_s)
            answer = await self.knock(method, request, persona)
        return answer

    def metadata(self, method: str, body: bytes, persona: Persona) -> tuple[tuple[str, str], ...]:
        """The persona's metadata for one call."""
        if persona.bearer is not None:
            return (("authorization", persona.bearer),)
        if persona.keys is None:
            return ()
        from meldbrug.client.connection import Credentials

        credentials = Credentials(persona.keys, self_certifying=persona.embed)
        return self._world.connection.metadata(method, body, credentials)

    def channel(self, method: str) -> grpc.aio.Channel:
        address = self._world.endpoints.services[method.split(".")[1]]
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address)
        return self._channels[address]


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def services() -> Iterator[ServiceDescriptor]:
    """Yields every RPC service of the contract."""
    for file in FILES:
        yield from file.DESCRIPTOR.services_by_name.values()


@cache
def methods() -> Mapping[str, MethodDescriptor]:
    """Every method of the contract by its full gRPC name."""
    return {f"/{service.full_name}/{one.name}": one for service in services() for one in service.methods}


def descriptor(method: str) -> MethodDescriptor:
    """A method's descriptor."""
    return methods()[method]


def request_class(method: str) -> type[Message]:
    """The class of a method's request."""
    return GetMessageClass(descriptor(method).input_type)


def message_class(name: str) -> type[Message]:
    """A message class by its full name."""
    return GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
