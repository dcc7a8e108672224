"""Streams: what changed comes when it changed, nothing is lost, nothing is told too much, all of them end."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from sqlalchemy import text

from meldbrug.common.v1 import common_pb2 as common
from tests.integration.coordination.conftest import HEARTBEAT_S, MAX_AGE_S
from tests.integration.coordination.harness import Client, World, refusal

SOON_S = 2.0


async def change(stream: Any, within_s: float = SOON_S) -> Any:
    """The next message with a notice."""
    async with asyncio.timeout(within_s):
        while True:
            message = await stream.read()
            assert message is not grpc.aio.EOF, "the stream ended"
            if message.HasField("notice"):
                return message


async def all_of(stream: Any) -> list[Any]:
    """Everything until the stream ends by itself."""
    return [message async for message in stream]


def changes(messages: list[Any]) -> list[str]:
    return [message.notice.name for message in messages if message.HasField("notice")]


async def test_a_change_rings_through_before_the_next_heartbeat(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    async with reader.watch() as stream:
        await stream.read()  # The first heartbeat: the stream stands.
        began = time.monotonic()
        notice = await case.offer(reader)

        message = await change(stream, HEARTBEAT_S * 0.9)

    assert message.notice == await reader.notice(notice.name)
    assert time.monotonic() - began < HEARTBEAT_S


async def test_a_lost_doorbell_loses_no_change(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    async with reader.watch() as stream:
        await stream.read()
        async with world.database.transaction() as conn:
            killed = await conn.scalar(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE application_name LIKE '% doorbell' AND datname = current_database()"
                )
            )
        notice = await case.offer(reader)

        message = await change(stream)

    assert killed == 1
    assert message.notice.name == notice.name


async def test_heartbeats_keep_their_schedule_whatever_happens(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()

    async def beats(client: Client) -> list[float]:
        began = time.monotonic()
        async with client.watch() as stream:
            return [time.monotonic() - began async for message in stream if not message.HasField("notice")]

    async def busy() -> None:
        for _ in range(4):
            await case.offer(reader)

    loud, quiet, _ = await asyncio.gather(beats(reader), beats(other), busy())

    # The last one is the parting message.
    assert len(loud) == len(quiet) == int(MAX_AGE_S / HEARTBEAT_S) + 1
    for place, (one, two) in enumerate(zip(loud[:-1], quiet[:-1], strict=True), 1):
        assert one == pytest.approx(place * HEARTBEAT_S, abs=0.3)
        assert two == pytest.approx(place * HEARTBEAT_S, abs=0.3)


async def test_a_stream_ends_by_itself_with_the_token_to_go_on(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    began = time.monotonic()
    async with reader.watch() as stream:
        messages = await all_of(stream)
        assert await stream.code() is grpc.StatusCode.OK
    assert time.monotonic() - began == pytest.approx(MAX_AGE_S, abs=0.5)
    missed = await case.offer(reader)

    async with reader.watch(messages[-1].resume_token) as stream:
        assert (await change(stream)).notice.name == missed.name


async def test_a_stream_ends_cleanly_before_its_callers_deadline(world: World) -> None:
    reader = await world.reader()

    async with reader.watch(timeout=1.5) as stream:
        messages = await all_of(stream)

        assert await stream.code() is grpc.StatusCode.OK
    assert messages[-1].resume_token


async def test_watching_from_a_list_shows_all_that_changed_since(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notices = [await case.offer(reader) for _ in range(3)]
    first = await reader.inbox(page_size=1)
    await case.close(notices[0], common.NOTICE_STATE_WITHDRAWN)
    second = await reader.inbox(page_size=1, page_token=first.next_page_token)

    for token in (first.resume_token, second.resume_token):
        async with reader.watch(token) as stream:
            messages = await all_of(stream)
        assert changes(messages) == [notices[0].name]


async def test_several_changes_of_one_notice_come_as_its_latest_state(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    token = (await reader.inbox()).resume_token
    notice, other = await case.offer(reader), await case.offer(reader)
    notice.state = common.NOTICE_STATE_TERMS_ACCEPTED
    await case.tell()
    await case.close(notice, common.NOTICE_STATE_WITHDRAWN)

    async with reader.watch(token) as stream:
        messages = await all_of(stream)

    assert changes(messages) == [other.name, notice.name]
    assert [message.notice.tombstone for message in messages if message.HasField("notice")] == [False, True]


async def test_nothing_is_told_of_what_others_see(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()
    notice = await case.offer(reader)
    token = (await reader.inbox()).resume_token
    await case.offer(other)
    await case.propose()
    notice.readers.add(subject=other.subject, live=True)
    await case.tell()
    await case.close(notice, notice.state, other)

    async with reader.watch(token) as stream:
        messages = await all_of(stream)

    assert changes(messages) == []


async def test_what_the_policy_denies_at_the_moment_of_sending_is_not_sent(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    token = (await reader.inbox()).resume_token
    denied, shown = await case.offer(reader), await case.offer(reader)
    await world.disarm(denied)

    async with reader.watch(token) as stream:
        assert (await change(stream)).notice.name == shown.name
        await case.close(denied, common.NOTICE_STATE_WITHDRAWN)
        stone = await change(stream)

    assert (stone.notice.name, stone.notice.tombstone) == (denied.name, True)


async def test_a_stub_that_was_ahead_of_the_policy_is_announced_when_the_policy_holds_it(
    world: World,
) -> None:
    case, reader = await world.case(), await world.reader()
    token = (await reader.inbox()).resume_token
    notice, shown = await case.offer(reader, tell=False), await case.offer(reader, tell=False)
    await world.disarm(notice)
    case.hold()
    # Pulled before disclosure's word, as a sweep or somebody's early look does.
    assert (await refusal(reader.notice(notice.name))).reason == "NOT_PERMITTED"

    async with reader.watch(token) as stream:
        assert (await change(stream)).notice.name == shown.name
        # A heartbeat: all that had changed was looked at.
        looked = await stream.read()
    assert not looked.HasField("notice")
    await world.rearm(notice)
    await world.inform(case.name)
    async with reader.watch(looked.resume_token) as stream:
        message = await change(stream)

    assert (message.notice.name, message.notice.tombstone) == (notice.name, False)
    await world.inform(case.name)
    async with reader.watch(message.resume_token) as stream:
        assert changes(await all_of(stream)) == []


async def test_without_the_policy_a_stream_ends_and_its_token_loses_nothing(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    token = (await reader.inbox()).resume_token
    notice = await case.offer(reader)
    world.policy.flowing.clear()

    async with reader.watch(token) as stream:
        assert (await refusal(change(stream))).reason == "POLICY_UNAVAILABLE"
    world.policy.flowing.set()
    async with reader.watch(token) as stream:
        assert (await change(stream)).notice.name == notice.name


async def test_a_stream_of_an_ended_key_hears_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.kernel.key_ring import CachedKeyRing

    case, reader = await world.case(), await world.reader()
    async with reader.watch() as stream:
        await stream.read()
        world.peers.keys[reader.keys.kid].active = False
        # What the service remembers of keys for five seconds, it has forgotten.
        monkeypatch.setattr(CachedKeyRing, "lookup", lambda ring, kid: ring._of_shown.put(kid))
        await case.offer(reader)

        assert (await refusal(change(stream))).reason == "KEY_UNKNOWN"


async def test_a_foreign_or_broken_token_starts_no_stream(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()
    for _ in range(2):
        await case.offer(reader)
    page = await reader.inbox(page_size=1)

    for client, token in (
        (other, page.resume_token),
        (reader, page.next_page_token),
        (reader, page.resume_token[:-4] + "AAAA"),
    ):
        async with client.watch(token) as stream:
            assert (await refusal(change(stream))).reason == "PAGE_TOKEN_INVALID"


async def test_streams_of_one_reader_are_counted_and_cancelled_ones_leave_nothing(world: World) -> None:
    reader = await world.reader()

    async def first_word(stream: Any) -> bool:
        """Whether the stream was let in."""
        try:
            await stream.read()
        except grpc.aio.AioRpcError:
            return await stream.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED
        return True

    for _ in range(3):
        async with AsyncExitStack() as opened:
            streams = [await opened.enter_async_context(reader.watch()) for _ in range(12)]
            assert sum(await asyncio.gather(*map(first_word, streams))) == 8
        await _until_no_stream_is_counted(reader)

    async with world.database.transaction() as conn:
        idle = await conn.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%'"
            )
        )
    assert idle == 0


async def _until_no_stream_is_counted(reader: Client) -> None:
    async with asyncio.timeout(5):
        while True:
            async with reader.watch() as stream:
                try:
                    await stream.read()
                except grpc.aio.AioRpcError:
                    continue
                return
