"""Readers: stubs, tombstones that tell nothing, pages, and acknowledgement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2 as wire
from services.kernel.authz import PolicyTuple
from tests.integration.coordination.harness import (
    Case,
    Client,
    Snapshot,
    World,
    closed_door,
    new,
    policy_object,
    refusal,
    request_id,
    user,
)

Cause = Callable[[Case, Snapshot.Notice, Client], Awaitable[None]]


async def withdrawn(case: Case, notice: Snapshot.Notice, _reader: Client) -> None:
    await case.close(notice, common.NOTICE_STATE_WITHDRAWN)


async def recalled(case: Case, notice: Snapshot.Notice, _reader: Client) -> None:
    notice.close_time.FromDatetime(notice.offer_time.ToDatetime())
    await case.close(notice, common.NOTICE_STATE_RECALL_REQUESTED)


async def expired(case: Case, notice: Snapshot.Notice, _reader: Client) -> None:
    await case.close(notice, common.NOTICE_STATE_EXPIRED)


async def declined(case: Case, notice: Snapshot.Notice, _reader: Client) -> None:
    await case.close(notice, common.NOTICE_STATE_DECLINED)


async def excluded(case: Case, notice: Snapshot.Notice, reader: Client) -> None:
    await case.close(notice, notice.state, reader)


async def report_withdrawn(case: Case, notice: Snapshot.Notice, _reader: Client) -> None:
    case.snapshot.withdrawn = True
    await case.close(notice, common.NOTICE_STATE_WITHDRAWN)


CAUSES: tuple[Cause, ...] = (withdrawn, recalled, expired, declined, excluded, report_withdrawn)


async def test_a_reader_sees_who_sends_what_for_and_by_when_to_answer(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notice = await case.offer(reader)

    (stub,) = (await reader.inbox()).notices

    assert stub == await reader.notice(notice.name)
    assert (stub.sender, stub.sender_title) == (world.sender, "Dijkzicht Producties")
    assert (stub.production_title, stub.independent_contact) == ("De Brug", "Onafhankelijk Meldpunt")
    assert (stub.recipient, list(stub.purposes), stub.terms_version) == (
        world.recipient,
        [common.PURPOSE_INFORM],
        "v1",
    )
    assert (stub.state, stub.tombstone) == (common.NOTICE_STATE_OFFERED, False)
    assert [clock.kind for clock in stub.clocks] == [wire.CLOCK_KIND_STUB_ANSWER]
    assert stub.reply_by_time == stub.clocks[0].due_time


async def test_nobody_sees_a_notice_before_the_reporter_agreed(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notice = await case.propose(tell=False)
    notice.readers.add(subject=reader.subject, live=False)
    await case.tell()

    assert not (await reader.inbox()).notices
    assert (await refusal(reader.notice(notice.name))).reason == "NOT_PERMITTED"


@pytest.mark.parametrize("opened", [False, True])
async def test_a_tombstone_is_the_same_bytes_whatever_the_cause(world: World, opened: bool) -> None:
    reader, colleague, stones = await world.reader(), await world.reader(), []
    for cause in CAUSES:
        case = await world.case()
        notice = await case.offer(reader, colleague)
        if opened:
            await case.open(notice, reader)
        await cause(case, notice, reader)
        stones.append(await reader.notice(notice.name))
        assert stones[-1] in (await reader.inbox()).notices

    assert len({stone.etag for stone in stones}) == len(CAUSES)
    for stone in stones:
        # What tells one notice from another, and the moment.
        assert len(stone.etag) == 32
        for field in ("name", "etag", "update_time"):
            stone.ClearField(field)
    assert len({stone.SerializeToString(deterministic=True) for stone in stones}) == 1
    stone = stones[0]
    assert stone.state == (common.NOTICE_STATE_RECALL_REQUESTED if opened else common.NOTICE_STATE_WITHDRAWN)
    assert [clock.kind for clock in stone.clocks] == ([wire.CLOCK_KIND_RECALL_CONFIRMATION] if opened else [])
    shown = {field.name for field, _ in stone.ListFields()}
    assert shown - {"clocks"} == {"recipient", "state", "tombstone", "offer_time", "independent_contact"}


async def test_what_goes_on_without_an_excluded_reader_never_moves_the_tombstone(world: World) -> None:
    case, reader, colleague = await world.case(), await world.reader(), await world.reader()
    notice = await case.offer(reader, colleague)
    await excluded(case, notice, reader)
    before = await reader.inbox(), await reader.notice(notice.name)

    await case.open(notice, colleague)
    seen = await colleague.notice(notice.name)
    await colleague.confirm(notice.name, seen.etag)
    await recalled(case, notice, reader)

    after = await reader.inbox(), await reader.notice(notice.name)
    assert after[1].SerializeToString() == before[1].SerializeToString()
    assert list(after[0].notices) == list(before[0].notices)
    assert (await colleague.notice(notice.name)).tombstone


async def test_an_excluded_colleague_moves_nothing_for_the_others(world: World) -> None:
    case, reader, colleague = await world.case(), await world.reader(), await world.reader()
    notice = await case.offer(reader, colleague)
    before = (await reader.notice(notice.name)).SerializeToString()

    await excluded(case, notice, colleague)

    assert (await reader.notice(notice.name)).SerializeToString() == before
    assert (await colleague.notice(notice.name)).tombstone


async def test_an_inbox_lists_the_newest_change_first_page_by_page(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notices = [await case.offer(reader) for _ in range(5)]
    await case.close(notices[1], common.NOTICE_STATE_WITHDRAWN)

    first = await reader.inbox(page_size=2)
    second = await reader.inbox(page_size=2, page_token=first.next_page_token)
    third = await reader.inbox(page_size=2, page_token=second.next_page_token)

    listed = [stub.name for page in (first, second, third) for stub in page.notices]
    assert listed == [notices[place].name for place in (1, 4, 3, 2, 0)]
    assert third.next_page_token == ""
    times = [stub.update_time.ToDatetime() for page in (first, second, third) for stub in page.notices]
    assert times == sorted(times, reverse=True)


async def test_a_page_is_filled_after_what_the_policy_denies(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notices = [await case.offer(reader) for _ in range(6)]
    for denied in notices[2:5]:
        await world.disarm(denied)
        assert (await refusal(reader.notice(denied.name))).reason == "NOT_PERMITTED"

    page = await reader.inbox(page_size=3)

    assert [stub.name for stub in page.notices] == [notices[place].name for place in (5, 1, 0)]
    assert page.next_page_token == ""


async def test_tokens_are_of_their_caller_and_their_list_only(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()
    for _ in range(2):
        await case.offer(reader, other)
    page = await reader.inbox(page_size=1)

    for call in (
        other.inbox(page_token=page.next_page_token),
        reader.inbox(page_token=page.resume_token),
        reader.incidents(page_token=page.next_page_token),
        reader.inbox(page_token=page.next_page_token[:-4] + "AAAA"),
    ):
        assert (await refusal(call)).reason == "PAGE_TOKEN_INVALID"


async def test_tokens_have_one_length_however_far_they_point(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    short = (await (await world.reader()).inbox()).resume_token
    for _ in range(12):
        await case.offer(reader)

    page = await reader.inbox(page_size=1)

    assert len(page.resume_token) == len(page.next_page_token) == len(short)


async def test_closed_doors_look_alike(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()
    notice, stone, denied = [await case.offer(reader) for _ in range(3)]
    await case.close(stone, common.NOTICE_STATE_WITHDRAWN)
    await world.disarm(denied)

    doors = {
        await closed_door(call)
        for call in (
            other.notice(notice.name),
            other.notice(f"{case.name}/{new('notices')}"),
            other.notice(f"{new('incidents')}/{new('notices')}"),
            reader.notice(denied.name),
            reader.confirm(stone.name, "x"),
            reader.confirm(denied.name, "x"),
            other.confirm(notice.name, "x"),
        )
    }

    assert len(doors) == 1
    assert next(iter(doors))[0] == "PERMISSION_DENIED"


async def test_the_policy_alone_opens_no_door(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()
    notice = await case.offer(reader)
    reading = Snapshot.Notice.FromString(notice.SerializeToString())
    reading.readers[0].subject = other.subject
    await world.arm(reading)

    assert (await refusal(other.notice(notice.name))).reason == "NOT_PERMITTED"
    assert not (await other.inbox()).notices


async def test_without_the_policy_no_stub_is_shown_and_tombstones_are(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notice = await case.offer(reader)
    world.policy.flowing.clear()

    for call in (reader.inbox(), reader.notice(notice.name), reader.confirm(notice.name, "x")):
        assert (await refusal(call)).reason == "POLICY_UNAVAILABLE"
    await case.close(notice, common.NOTICE_STATE_WITHDRAWN)
    assert (await reader.notice(notice.name)).tombstone
    assert [stub.tombstone for stub in (await reader.inbox()).notices] == [True]


async def test_a_conflict_hides_a_live_stub_at_once(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notice = await case.offer(reader)
    await world.authz.write(
        [PolicyTuple(user(reader.subject), "conflicted", policy_object("notice", notice.name))]
    )

    assert not (await reader.inbox()).notices
    assert (await refusal(reader.notice(notice.name))).reason == "NOT_PERMITTED"


async def test_an_opened_notice_is_acknowledged_once_for_the_participation(world: World) -> None:
    case, reader, colleague = await world.case(), await world.reader(), await world.reader()
    notice = await case.offer(reader, colleague)
    seen = await colleague.notice(notice.name)
    early = await refusal(colleague.confirm(notice.name, seen.etag))
    assert (early.reason, early.metadata) == ("WRONG_STATE", {"state": "OFFERED"})
    await case.open(notice, reader)
    assert (await refusal(colleague.confirm(notice.name, seen.etag))).reason == "ETAG_STALE"
    seen, repeated = await colleague.notice(notice.name), request_id()

    done = await colleague.confirm(notice.name, seen.etag, request_id=repeated)
    again = await colleague.confirm(notice.name, seen.etag, request_id=repeated)

    assert done.state == common.NOTICE_STATE_ACKNOWLEDGED
    assert again == done == await colleague.notice(notice.name)
    met = {clock.kind: clock.HasField("met_time") for clock in done.clocks}
    assert met[wire.CLOCK_KIND_NOTICE_ACKNOWLEDGEMENT]
    assert (await case.handler.sent(case.name)).notices[0].state == common.NOTICE_STATE_ACKNOWLEDGED
    mine = await reader.notice(notice.name)
    assert mine.state == common.NOTICE_STATE_ACKNOWLEDGED
    late = await refusal(reader.confirm(notice.name, mine.etag))
    assert (late.reason, late.metadata) == ("WRONG_STATE", {"state": "ACKNOWLEDGED"})


async def test_a_reader_who_is_ahead_of_disclosures_word_is_not_refused_for_it(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notice = await case.offer(reader)
    seen = await reader.notice(notice.name)
    notice.state = common.NOTICE_STATE_OPENED
    notice.open_time.FromDatetime(notice.offer_time.ToDatetime())
    case.hold()

    # The opening is pulled, and the stub that the reader has seen is an old one.
    assert (await refusal(reader.confirm(notice.name, seen.etag))).reason == "ETAG_STALE"
    fresh = await reader.notice(notice.name)

    assert fresh.state == common.NOTICE_STATE_OPENED
    assert (await reader.confirm(notice.name, fresh.etag)).state == common.NOTICE_STATE_ACKNOWLEDGED


async def test_an_acknowledgement_survives_whatever_disclosure_tells_next(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notice = await case.offer(reader)
    await case.open(notice, reader)
    seen = await reader.notice(notice.name)
    done = await reader.confirm(notice.name, seen.etag)

    await case.propose()

    assert await reader.notice(notice.name) == done


async def test_a_stub_that_is_only_late_is_pulled_once(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notice = await case.offer(reader, tell=False)
    case.hold()
    world.peers.pulled.clear()

    assert (await reader.notice(notice.name)).name == notice.name
    assert world.peers.pulled == [case.name]


async def test_a_closed_door_answers_in_time_when_disclosure_hangs(world: World) -> None:
    reader = await world.reader()
    world.peers.away.add("fetch_snapshot")

    refused = await refusal(reader.notice(f"{new('incidents')}/{new('notices')}"))

    assert (refused.reason, refused.retry_after_s) == ("PEER_UNAVAILABLE", 1.0)
