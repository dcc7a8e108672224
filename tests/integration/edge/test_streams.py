"""Streams through the edge: changes come, go on where they ended, and end with their client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meldbrug.coordination.v1.coordination_service_pb2 import WatchInboxRequest, WatchInboxResponse
from tests.integration.edge.harness import WATCH, Knocker
from tests.support.actors import Actors
from tests.support.browsing import PATIENCE_S, Wire, enveloped
from tests.support.personas import Persona
from tests.support.sector import World

HEARTBEAT_S = 1.0
STREAMS_AT_ONCE = 8


@asynccontextmanager
async def watching(
    knocker: Knocker, persona: Persona, resume_token: str = ""
) -> AsyncIterator[AsyncIterator[WatchInboxResponse]]:
    """Yields the messages of a stream; its client is gone at the end of the block."""
    body = WatchInboxRequest(resume_token=resume_token).SerializeToString()
    world = knocker.world
    async with Wire.to(world.endpoints.edge, world.endpoints.edge_ca_path) as edge:
        headers = knocker.headers(WATCH, body, persona, connect_timeout_ms="60000")
        edge.say("POST", WATCH, headers, enveloped(body))
        status, _ = await edge.head()
        assert status == 200
        yield messages(edge)


async def messages(edge: Wire) -> AsyncIterator[WatchInboxResponse]:
    rest = b""
    async with asyncio.timeout(PATIENCE_S):
        async for chunk in edge.chunks():
            rest += chunk
            while len(rest) >= 5 and len(rest) >= 5 + int.from_bytes(rest[1:5], "big"):
                length = int.from_bytes(rest[1:5], "big")
                flags, message, rest = rest[0], rest[5 : 5 + length], rest[5 + length :]
                assert flags == 0, message
                yield WatchInboxResponse.FromString(message)


async def with_notice(stream: AsyncIterator[WatchInboxResponse]) -> WatchInboxResponse:
    return await anext(message async for message in stream if message.HasField("notice"))


@pytest.fixture
async def actors(world: World) -> Actors:
    return await Actors.on_their_own(world)


async def test_a_change_comes_through_and_a_stream_goes_on_where_it_ended(knocker: Knocker, actors: Actors):
    reader = (await actors.contact("noorderlicht")).client
    persona = Persona("reader", reader.keys)
    first, second = await actors.report(), await actors.report()
    async with watching(knocker, persona) as stream:
        await anext(stream)
        await first.propose("noorderlicht", [reader])
        await first.give()
        change = await with_notice(stream)

    await second.propose("noorderlicht", [reader])
    await second.give()
    async with watching(knocker, persona, change.resume_token) as stream:
        later = await with_notice(stream)

    assert (change.notice.name, later.notice.name) == (first.notice, second.notice)


async def test_whoever_goes_away_ends_the_call_at_the_service(knocker: Knocker, actors: Actors):
    """I26: the service counts a principal's streams; those of who is gone make room within a moment."""
    persona = Persona("reader", (await actors.contact("noorderlicht")).client.keys)

    async def watch() -> None:
        async with watching(knocker, persona) as stream:
            await anext(stream)

    for _ in range(2):
        await asyncio.gather(*(watch() for _ in range(STREAMS_AT_ONCE)))
        await asyncio.sleep(0.2)

    async with watching(knocker, persona) as stream:
        assert await anext(stream)


async def test_one_stream_too_many_is_told_at_its_end(knocker: Knocker, actors: Actors):
    persona = Persona("reader", (await actors.contact("noorderlicht")).client.keys)
    release, standing = asyncio.Event(), asyncio.Semaphore(0)

    async def watch() -> None:
        async with watching(knocker, persona) as stream:
            await anext(stream)
            standing.release()
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(STREAMS_AT_ONCE):
            group.create_task(watch())
        for _ in range(STREAMS_AT_ONCE):
            await standing.acquire()
        reply = await knocker.through(WATCH, b"", persona)
        release.set()

    assert (reply.status, reply.error.code) == (200, 8)
    assert b"OVERLOADED" in reply.error.SerializeToString()


async def test_a_stream_ends_by_itself_before_its_deadline(knocker: Knocker, actors: Actors):
    persona = Persona("reader", (await actors.contact("noorderlicht")).client.keys)

    reply = await knocker.through(WATCH, b"", persona, connect_timeout_ms="1500")

    assert reply.envelopes[-1] == (2, b"{}")
    assert {flags for flags, _ in reply.envelopes[:-1]} == {0}
