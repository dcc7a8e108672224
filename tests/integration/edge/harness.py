"""Both doors to the same services: gRPC, and the edge; and edges of a test's own, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from google.protobuf.message import Message
from google.rpc import status_pb2

from meldbrug.crypto import SecretKeys
from services.edge.app import build
from services.edge.config import EdgeSettings
from services.kernel.clock import Clock, SystemClock, SystemIds
from services.stack.processes import free_port
from tests.support import requests
from tests.support.browsing import STREAM, UNARY, Reply, Wire, enveloped
from tests.support.personas import ATTEMPTS, Answer, Doors, Persona, descriptor
from tests.support.sector import World

TERMS = "/meldbrug.disclosure.v1.TermsService/GetTerms"
CIRCLE = "/meldbrug.directory.v1.PublicService/GetProductionByCode"
ME = "/meldbrug.directory.v1.MemberService/GetMe"
WATCH = "/meldbrug.coordination.v1.ReaderService/WatchInbox"
WITHDRAW = "/meldbrug.disclosure.v1.ReporterService/WithdrawReport"
SUBMIT = "/meldbrug.disclosure.v1.ReporterService/SubmitReport"
UNAVAILABLE = 503
DUTCH, ENGLISH = b"\x08\x01", b"\x08\x02"


def to(world: World) -> AbstractAsyncContextManager[Wire]:
    """A connection to the stack's edge."""
    return Wire.to(world.endpoints.edge, world.endpoints.edge_ca_path)


def stranger() -> Persona:
    """Somebody with a key that nobody has seen."""
    return Persona("stranger", SecretKeys.generate(), embed=True)


def absent() -> dict[str, str]:
    """Names of things that are not there, at an installation that is not there either."""
    return {"installation": SecretKeys.generate().kid, **requests.absent()}


def told(answer: Answer) -> status_pb2.Status:
    """What gRPC told, as a status."""
    status = answer.status
    if not status.code:
        status = status_pb2.Status(message=answer.details)
    return status


@dataclass
class Knocker:
    """Knocks at the same door from both sides."""

    world: World
    doors: Doors

    @classmethod
    @asynccontextmanager
    async def at(cls, world: World) -> AsyncIterator[Self]:
        """Yields a knocker and closes what it opened."""
        doors = Doors(world)
        try:
            yield cls(world, doors)
        finally:
            await doors.close()

    def headers(self, method: str, body: bytes, persona: Persona, **more: str) -> dict[str, str]:
        """What a browser sends for a persona's call."""
        form = STREAM if descriptor(method).server_streaming else UNARY
        given = {name.replace("_", "-"): value for name, value in more.items()}
        return {**form, **dict(self.doors.metadata(method, body, persona)), **given}

    async def through(self, method: str, body: bytes, persona: Persona, **more: str) -> Reply:
        """The answer through the edge, on a connection of its own."""
        sent = enveloped(body) if descriptor(method).server_streaming else body
        async with to(self.world) as wire:
            wire.say("POST", method, self.headers(method, body, persona, **more), sent)
            return await wire.hear()

    async def through_again(self, method: str, body: bytes, persona: Persona) -> Reply:
        """The same, again while a peer was too busy to be asked, as a client does."""
        for _ in range(ATTEMPTS):
            reply = await self.through(method, body, persona)
            if reply.status != UNAVAILABLE:
                break
        return reply

    async def straight(self, method: str, request: Message | bytes, persona: Persona) -> Answer:
        """The answer without it."""
        return await self.doors.knock(method, request, persona)


@asynccontextmanager
async def own_edge(
    services: Mapping[str, str],
    *,
    clock: Clock | None = None,
    built: Mapping[str, Any] | None = None,
    **given: Any,
) -> AsyncIterator[str]:
    """Yields the address of an edge in this process, without TLS, with settings and bounds of the test's."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = EdgeSettings(
        **{
            "listen": f"127.0.0.1:{port}",
            "origins": [address],
            "peers": dict(services),
            "stop_grace_s": 1,
            "calm_per_s": 100_000,
            **given,
        }
    )
    process = build(settings, clock or SystemClock(), SystemIds(), **(built or {}))
    serving = asyncio.create_task(process.serve())
    try:
        await until_open(port)
        yield address
    finally:
        process.stop()
        await serving


async def until_open(port: int) -> None:
    """Waits until somebody listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            await writer.wait_closed()
            return
