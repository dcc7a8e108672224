"""Handlers: lists, pages, acts, and doors that look alike."""

from __future__ import annotations

from datetime import timedelta

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2 as wire
from meldbrug.crypto import SecretKeys
from services.kernel.authz import PolicyTuple
from tests.integration.coordination.harness import (
    Client,
    World,
    closed_door,
    new,
    policy_object,
    refusal,
    request_id,
    user,
)

ASSESSING = common.INCIDENT_STATE_ASSESSING


async def test_a_handler_sees_own_incidents_newest_first_page_by_page(world: World) -> None:
    handler = await world.handler()
    cases = [await world.case(handler, age=timedelta(days=age)) for age in range(5)]
    await world.case()

    first = await handler.incidents(page_size=2)
    second = await handler.incidents(page_size=2, page_token=first.next_page_token)
    third = await handler.incidents(page_size=2, page_token=second.next_page_token)

    listed = [incident.name for page in (first, second, third) for incident in page.incidents]
    assert listed == [case.name for case in cases]
    assert third.next_page_token == ""


async def test_incidents_of_one_moment_are_each_listed_once(world: World) -> None:
    handler = await world.handler()
    names = {(await world.case(handler)).name for _ in range(3)}

    first = await handler.incidents(page_size=2)
    second = await handler.incidents(page_size=2, page_token=first.next_page_token)

    listed = [incident.name for page in (first, second) for incident in page.incidents]
    assert len(listed) == 3
    assert set(listed) == names


async def test_a_page_is_filled_after_what_the_policy_denies(world: World) -> None:
    handler = await world.handler()
    cases = [await world.case(handler, age=timedelta(days=age)) for age in range(5)]
    for case in cases[1:3]:
        await world.authz.write(
            [PolicyTuple(user(handler.subject), "conflicted", policy_object("incident", case.name))]
        )

    page = await handler.incidents(page_size=3)

    assert [incident.name for incident in page.incidents] == [cases[0].name, cases[3].name, cases[4].name]
    assert page.next_page_token == ""


async def test_the_list_can_be_of_one_state(world: World) -> None:
    handler = await world.handler()
    cases = [await world.case(handler) for _ in range(2)]
    seen = await handler.incident(cases[1].name)
    await handler.acknowledge(seen.name, seen.etag)

    received = await handler.incidents(state=common.INCIDENT_STATE_RECEIVED)
    acknowledged = await handler.incidents(state=common.INCIDENT_STATE_ACKNOWLEDGED)

    assert [incident.name for incident in received.incidents] == [cases[0].name]
    assert [incident.name for incident in acknowledged.incidents] == [cases[1].name]


async def test_a_page_token_is_of_its_caller_and_its_list_only(world: World) -> None:
    handler, other = await world.handler(), await world.handler()
    case = await world.case(handler)
    await world.case(handler)
    token = (await handler.incidents(page_size=1)).next_page_token

    for call in (
        other.incidents(page_token=token),
        handler.incidents(page_token=token, state=common.INCIDENT_STATE_RECEIVED),
        handler.sent(case.name, page_token=token),
        handler.inbox(page_token=token),
    ):
        assert (await refusal(call)).reason == "PAGE_TOKEN_INVALID"


async def test_a_handler_who_is_no_longer_one_sees_nothing(world: World) -> None:
    case = await world.case()
    del case.snapshot.handlers[:]
    await case.tell()

    assert not (await case.handler.incidents()).incidents
    assert (await refusal(case.handler.incident(case.name))).reason == "NOT_PERMITTED"


async def test_closed_doors_look_alike(world: World) -> None:
    case, other = await world.case(), await world.handler()
    conflicted = await world.case()
    incident = policy_object("incident", conflicted.name)
    await world.authz.write([PolicyTuple(user(conflicted.handler.subject), "conflicted", incident)])

    doors = {
        await closed_door(call)
        for call in (
            other.incident(case.name),
            other.incident(new("incidents")),
            conflicted.handler.incident(conflicted.name),
            other.acknowledge(case.name, "x"),
            other.assess(case.name, ASSESSING, "x"),
            other.assess(new("incidents"), ASSESSING, "x"),
            other.sent(case.name),
            other.sent(new("incidents")),
            other.notice(f"{case.name}/{new('notices')}"),
            other.confirm(f"{new('incidents')}/{new('notices')}", "x"),
            world.stranger().status(case.name),
            world.stranger().status(new("incidents")),
        )
    }

    assert len(doors) == 1
    assert next(iter(doors))[:2] == ("PERMISSION_DENIED", "not permitted, or it does not exist")


async def test_the_policy_alone_opens_no_door(world: World) -> None:
    case, other = await world.case(), await world.handler()
    incident = policy_object("incident", case.name)
    await world.authz.write([PolicyTuple(user(other.subject), "handler", incident)])

    assert (await refusal(other.incident(case.name))).reason == "NOT_PERMITTED"
    assert not (await other.incidents()).incidents


async def test_a_row_that_is_only_late_is_pulled_once_before_the_refusal(world: World) -> None:
    case = await world.case(tell=False)
    case.hold()
    world.peers.pulled.clear()

    assert (await case.handler.incident(case.name)).name == case.name
    await case.handler.incident(case.name)
    assert world.peers.pulled == [case.name]

    stranger = await world.handler()
    assert (await refusal(stranger.incident(case.name))).reason == "NOT_PERMITTED"
    assert world.peers.pulled == [case.name] * 2


async def test_acknowledging_meets_the_clock_and_the_reporter_sees_it(world: World) -> None:
    case = await world.case()
    seen = await case.handler.incident(case.name)
    assert seen.state == common.INCIDENT_STATE_RECEIVED
    assert not any(clock.HasField("met_time") for clock in seen.clocks)

    done = await case.handler.acknowledge(case.name, seen.etag)

    status = await case.reporter.status(case.name)
    assert done.state == status.state == common.INCIDENT_STATE_ACKNOWLEDGED
    met = {clock.kind: clock.HasField("met_time") for clock in done.clocks}
    assert met == {wire.CLOCK_KIND_ACKNOWLEDGEMENT: True, wire.CLOCK_KIND_FEEDBACK: False}
    assert list(status.clocks) == list(done.clocks)
    assert done.etag != seen.etag
    assert done.update_time.ToDatetime() > seen.update_time.ToDatetime()
    assert done == await case.handler.incident(case.name)


async def test_assessment_goes_from_step_to_step(world: World) -> None:
    case = await world.case()
    seen = await case.handler.incident(case.name)
    refused = await refusal(case.handler.assess(case.name, ASSESSING, seen.etag))
    assert (refused.reason, refused.metadata) == ("WRONG_STATE", {"state": "RECEIVED"})

    seen = await case.handler.acknowledge(case.name, seen.etag)
    seen = await case.handler.assess(case.name, ASSESSING, seen.etag)
    seen = await case.handler.assess(case.name, common.INCIDENT_STATE_SHARING_CONSIDERED, seen.etag)

    assert seen.state == common.INCIDENT_STATE_SHARING_CONSIDERED
    wrong = await refusal(case.handler.assess(case.name, common.INCIDENT_STATE_WITHDRAWN, seen.etag))
    assert (wrong.reason, [path for path, _ in wrong.fields]) == ("FIELD_INVALID", ["outcome"])


async def test_an_old_etag_is_refused_and_changes_nothing(world: World) -> None:
    case = await world.case()
    old = await case.handler.incident(case.name)
    now = await case.handler.acknowledge(case.name, old.etag)

    assert (await refusal(case.handler.assess(case.name, ASSESSING, old.etag))).reason == "ETAG_STALE"
    assert await case.handler.incident(case.name) == now


async def test_a_repeated_request_has_one_effect_and_another_body_is_refused(world: World) -> None:
    case, repeated = await world.case(), request_id()
    seen = await case.handler.incident(case.name)

    first = await case.handler.acknowledge(case.name, seen.etag, request_id=repeated)
    again = await case.handler.acknowledge(case.name, seen.etag, request_id=repeated)
    other = await refusal(case.handler.acknowledge(case.name, first.etag, request_id=repeated))

    assert again == first
    assert other.reason == "REQUEST_ID_REUSED"


async def test_a_remembered_answer_is_not_told_to_whoever_may_no_longer_have_it(world: World) -> None:
    case, repeated = await world.case(), request_id()
    seen = await case.handler.incident(case.name)
    await case.handler.acknowledge(case.name, seen.etag, request_id=repeated)
    incident = policy_object("incident", case.name)
    await world.authz.write([PolicyTuple(user(case.handler.subject), "conflicted", incident)])

    again = await refusal(case.handler.acknowledge(case.name, seen.etag, request_id=repeated))

    assert again.reason == "NOT_PERMITTED"


async def test_notices_show_their_state_and_never_their_readers(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()
    notice = await case.offer(reader, other)
    await case.open(notice, reader)

    (seen,) = (await case.handler.sent(case.name)).notices

    assert seen.state == common.NOTICE_STATE_OPENED
    assert seen.recipient == world.recipient
    assert {clock.kind for clock in seen.clocks} == {
        wire.CLOCK_KIND_CONSENT_ANSWER,
        wire.CLOCK_KIND_STUB_ANSWER,
        wire.CLOCK_KIND_NOTICE_ACKNOWLEDGEMENT,
    }
    text = str(seen)
    assert not any(client.subject.rpartition("/")[2] in text for client in (reader, other))


async def test_a_refusal_is_not_to_be_seen(world: World) -> None:
    case = await world.case()
    await case.propose()
    before = await case.handler.sent(case.name), await case.handler.incident(case.name)
    status = await case.reporter.status(case.name)

    # Disclosure keeps a refusal to itself: a higher version, and nothing else.
    await case.tell()

    assert (await case.handler.sent(case.name), await case.handler.incident(case.name)) == before
    assert list((await case.reporter.status(case.name)).notices) == list(status.notices)


async def test_an_excluded_reader_changes_nothing_that_the_handler_sees(world: World) -> None:
    case, reader, other = await world.case(), await world.reader(), await world.reader()
    notice = await case.offer(reader, other)
    before = (await case.handler.sent(case.name)).SerializeToString()

    await case.close(notice, notice.state, other)

    assert (await case.handler.sent(case.name)).SerializeToString() == before


async def test_notices_come_newest_first_page_by_page(world: World) -> None:
    case = await world.case()
    names = [(await case.propose()).name for _ in range(3)]

    first = await case.handler.sent(case.name, page_size=2)
    second = await case.handler.sent(case.name, page_size=2, page_token=first.next_page_token)

    assert [notice.name for page in (first, second) for notice in page.notices] == names[::-1]
    assert second.next_page_token == ""


async def test_the_reporters_status_is_of_the_own_key_only(world: World) -> None:
    mine, other = await world.case(), await world.case()

    assert (await mine.reporter.status(mine.name)).incident == mine.name
    assert (await refusal(other.reporter.status(mine.name))).reason == "NOT_PERMITTED"
    enrolled = Client(world.channel, mine.handler.keys, embed=True)
    assert (await refusal(enrolled.status(mine.name))).reason == "PRINCIPAL_CLASS"
    assert (
        await refusal(Client(world.channel, SecretKeys.generate()).status(mine.name))
    ).reason == "KEY_UNKNOWN"


async def test_a_withdrawn_report_has_nothing_to_look_again_for(world: World) -> None:
    case = await world.case()
    assert (await case.reporter.status(case.name)).HasField("look_again_time")
    case.snapshot.withdrawn = True
    del case.snapshot.handlers[:]

    await case.tell()

    status = await case.reporter.status(case.name)
    assert status.state == common.INCIDENT_STATE_WITHDRAWN
    assert not status.HasField("look_again_time")
    assert not status.clocks


async def test_without_the_policy_handlers_learn_nothing_and_reporters_all(world: World) -> None:
    case = await world.case()
    world.policy.flowing.clear()

    for call in (case.handler.incident(case.name), case.handler.incidents(), case.handler.sent(case.name)):
        refused = await refusal(call)
        assert (refused.reason, refused.retry_after_s) == ("POLICY_UNAVAILABLE", 1.0)
    assert (await case.reporter.status(case.name)).state == common.INCIDENT_STATE_RECEIVED
