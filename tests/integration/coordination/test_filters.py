"""Lists of a part of what the caller sees: exactly that part, page by page, and no more of it than before."""

from __future__ import annotations

from itertools import combinations

import pytest

from meldbrug.common.v1 import common_pb2 as common
from tests.integration.coordination.harness import Client, World, new, refusal

OPEN = (
    common.NOTICE_STATE_OFFERED,
    common.NOTICE_STATE_TERMS_ACCEPTED,
    common.NOTICE_STATE_OPENED,
    common.NOTICE_STATE_ACKNOWLEDGED,
)
CLOSED = (common.NOTICE_STATE_WITHDRAWN, common.NOTICE_STATE_RECALL_REQUESTED)


async def one_of_each(world: World) -> Client:
    """A reader with a notice in each state that a reader sees, of one handler's incident."""
    case, reader = await world.case(), await world.reader()
    for state in (
        common.NOTICE_STATE_TERMS_ACCEPTED,
        common.NOTICE_STATE_DECLINED,
        common.NOTICE_STATE_LAPSED,
    ):
        notice = await case.offer(reader, tell=False)
        notice.state = state
        await case.tell()
    await case.offer(reader)
    for acknowledged, closed in ((False, False), (True, False), (False, True)):
        notice = await case.offer(reader)
        await case.open(notice, reader)
        if acknowledged:
            await reader.confirm(notice.name, (await reader.notice(notice.name)).etag)
        if closed:
            await case.close(notice, common.NOTICE_STATE_RECALL_REQUESTED)
    await case.close(await case.offer(reader), common.NOTICE_STATE_WITHDRAWN)
    return reader


async def test_a_filter_gives_exactly_what_the_reader_sees_in_these_states(world: World) -> None:
    """Each pair of states gives what picking from the whole list would."""
    reader = await one_of_each(world)
    whole = list((await reader.inbox()).notices)
    states = sorted({stub.state for stub in whole})
    assert len(states) == len(whole) == 8, "a state is missing"

    for wanted in [(), *((state,) for state in common.NoticeState.values()[1:]), *combinations(states, 2)]:
        found = list((await reader.inbox(states=wanted)).notices)
        assert found == [stub for stub in whole if not wanted or stub.state in wanted], wanted


async def test_an_inbox_of_some_states_comes_page_by_page_and_is_watched_whole(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    notices = [await case.offer(reader) for _ in range(5)]
    await case.close(notices[3], common.NOTICE_STATE_WITHDRAWN)

    first = await reader.inbox(page_size=2, states=OPEN)
    second = await reader.inbox(page_size=2, states=OPEN, page_token=first.next_page_token)

    listed = [stub.name for page in (first, second) for stub in page.notices]
    assert listed == [notices[place].name for place in (4, 2, 1, 0)]
    assert second.next_page_token == ""
    await case.close(notices[0], common.NOTICE_STATE_WITHDRAWN)
    async with reader.watch(second.resume_token) as stream:
        assert (await stream.read()).notice.tombstone, "what left the filter is told all the same"


async def test_a_page_token_is_of_its_filter_only(world: World) -> None:
    case, reader = await world.case(), await world.reader()
    for _ in range(2):
        await case.offer(reader)
    token = (await reader.inbox(page_size=1, states=OPEN)).next_page_token

    for states in ((), CLOSED, OPEN[:2]):
        refused = await refusal(reader.inbox(page_size=1, states=states, page_token=token))
        assert refused.reason == "PAGE_TOKEN_INVALID"
    same = await reader.inbox(page_size=1, states=OPEN[::-1], page_token=token)
    assert len(same.notices) == 1, "the order in which states are named means nothing"


@pytest.mark.parametrize("states", [[0], [99], [3, 3], list(range(1, 12)) * 2])
async def test_a_filter_that_is_none_is_refused(world: World, states: list[int]) -> None:
    reader = await world.reader()

    assert (await refusal(reader.inbox(states=states))).reason == "FIELD_INVALID"


async def test_a_handlers_list_can_be_of_one_production(world: World) -> None:
    handler = await world.handler()
    mine = [await world.case(handler) for _ in range(3)]
    elsewhere = await world.case(handler)
    elsewhere.snapshot.production = new("productions")
    await elsewhere.tell()
    others = await world.case()

    found = await handler.incidents(production=world.production, page_size=2)
    rest = await handler.incidents(production=world.production, page_size=2, page_token=found.next_page_token)

    names = {incident.name for page in (found, rest) for incident in page.incidents}
    assert names == {case.name for case in mine}
    assert others.name not in names
    (other,) = (await handler.incidents(production=elsewhere.snapshot.production)).incidents
    assert other.name == elsewhere.name
    refused = await refusal(
        handler.incidents(production=elsewhere.snapshot.production, page_token=found.next_page_token)
    )
    assert refused.reason == "PAGE_TOKEN_INVALID"


async def test_production_and_state_narrow_together(world: World) -> None:
    handler = await world.handler()
    cases = [await world.case(handler) for _ in range(3)]
    cases[1].snapshot.production = new("productions")
    await cases[1].tell()
    for case in cases[:2]:
        await handler.acknowledge(case.name, (await handler.incident(case.name)).etag)

    found = await handler.incidents(production=world.production, state=common.INCIDENT_STATE_ACKNOWLEDGED)

    assert [incident.name for incident in found.incidents] == [cases[0].name]


@pytest.mark.parametrize("production", ["productions/x", "participations/" + "a" * 26, "x" * 100])
async def test_a_production_that_is_no_name_is_refused(world: World, production: str) -> None:
    handler = await world.handler()

    assert (await refusal(handler.incidents(production=production))).reason == "FIELD_INVALID"
