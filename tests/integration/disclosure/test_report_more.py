"""What reporter and handlers add to a report, and how the intake changes hands."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto.sealing import SectionContext, wrap_key
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from tests.integration.disclosure.between import held_up
from tests.integration.disclosure.builders import (
    INSTALLATION,
    Member,
    Reporter,
    Seat,
    World,
    new,
    reason_of,
    wrap_message,
)

MESSAGE, NOTE = common.KIND_MESSAGE, common.KIND_INTERNAL_NOTE


def put(section: pb.NewSection) -> rpc.PutSectionRequest:
    return rpc.PutSectionRequest(section=section, request_id=str(uuid.uuid4()))


def put_by_handler(section: pb.NewSection) -> rpc.HandlerServicePutSectionRequest:
    return rpc.HandlerServicePutSectionRequest(section=section, request_id=str(uuid.uuid4()))


async def listed_by_reporter(reporter: Reporter) -> list[str]:
    request = rpc.ListSectionsRequest(incident=reporter.incident)
    return [one.name for one in (await reporter.call("ReporterService/ListSections", request)).sections]


async def listed_by_handler(handler: Member, reporter: Reporter) -> list[str]:
    request = rpc.HandlerServiceListSectionsRequest(incident=reporter.incident)
    return [one.name for one in (await handler.call("HandlerService/ListSections", request)).sections]


async def test_a_message_reaches_reporter_and_handlers_and_is_stored_once(world: World) -> None:
    reporter = await world.reported()
    request = put(reporter.section(MESSAGE, [world.counsellor]))

    first = await reporter.call("ReporterService/PutSection", request)
    before = await world.dump(reporter.incident)

    assert await reporter.call("ReporterService/PutSection", request) == first
    assert await world.dump(reporter.incident) == before
    assert (await listed_by_reporter(reporter))[-1] == first.section.name
    assert (await listed_by_handler(world.handler, reporter))[-1] == first.section.name


async def test_a_handler_answers_the_reporter(world: World) -> None:
    reporter, handler = await world.reported(), world.handler
    readers = [reporter.keys.public, handler.staff.public]

    request = put_by_handler(handler.section(reporter, MESSAGE, readers))

    answer = await handler.call("HandlerService/PutSection", request)

    assert answer.section.author_kid == handler.kid
    assert answer.section.name in await listed_by_reporter(reporter)
    assert await handler.call("HandlerService/PutSection", request) == answer


async def test_a_note_among_handlers_is_not_in_the_reporters_list(world: World) -> None:
    reporter, handler = await world.reported(world.counsellor, world.deputy), world.handler
    note = handler.note(reporter, handler, world.member(world.deputy))

    await handler.call("HandlerService/PutSection", put_by_handler(note))

    assert note.header.name not in await listed_by_reporter(reporter)
    assert note.header.name in await listed_by_handler(world.member(world.deputy), reporter)


async def test_a_handler_cannot_seal_past_the_reporter_or_past_a_colleague(world: World) -> None:
    reporter, handler = await world.reported(world.counsellor, world.deputy), world.handler
    mine, theirs = handler.staff.public, world.deputy.staff.public
    before = await world.dump(reporter.incident)

    for kind, readers in [
        (MESSAGE, [mine, theirs]),
        (MESSAGE, [mine, reporter.keys.public]),
        (MESSAGE, [mine, theirs, reporter.keys.public, world.elsewhere.staff.public]),
        (NOTE, [mine]),
        (NOTE, [mine, theirs, reporter.keys.public]),
    ]:
        section = handler.section(reporter, kind, readers)
        refused = handler.call("HandlerService/PutSection", put_by_handler(section))
        assert await reason_of(refused) == "WRAP_MISMATCH"

    assert await world.dump(reporter.incident) == before


async def test_who_has_no_seat_adds_nothing(world: World) -> None:
    reporter = await world.reported()
    before = await world.dump(reporter.incident)

    for seat in (world.deputy, world.adviser, world.elsewhere):
        stranger = world.member(seat)
        section = stranger.section(reporter, MESSAGE, [reporter.keys.public, world.counsellor.staff.public])
        refused = stranger.call("HandlerService/PutSection", put_by_handler(section))
        assert await reason_of(refused) == "NOT_PERMITTED"

    assert await world.dump(reporter.incident) == before


async def test_the_next_version_is_the_same_authors_only(world: World) -> None:
    reporter, handler = await world.reported(), world.handler
    name = reporter.headers[common.KIND_SUMMARY].name
    readers = [reporter.keys.public, handler.staff.public]

    second = reporter.section(common.KIND_SUMMARY, [world.counsellor], name=name, version=2)
    answer = await reporter.call("ReporterService/PutSection", put(second))
    assert answer.section.version == 2
    before = await world.dump(reporter.incident)

    by_handler = handler.section(reporter, common.KIND_SUMMARY, readers, name=name, version=3)
    again = reporter.section(common.KIND_SUMMARY, [world.counsellor], name=name, version=2)
    skipped = reporter.section(common.KIND_SUMMARY, [world.counsellor], name=name, version=4)
    other_kind = reporter.section(common.KIND_CONTEXT, [world.counsellor], name=name, version=3)
    put_it = "HandlerService/PutSection"
    assert await reason_of(handler.call(put_it, put_by_handler(by_handler))) == "NOT_PERMITTED"
    for section, reason in [
        (again, "WRONG_STATE"),
        (skipped, "WRONG_STATE"),
        (other_kind, "FIELD_INVALID header.kind: stays the same in every version"),
    ]:
        assert await reason_of(reporter.call("ReporterService/PutSection", put(section))) == reason

    assert await world.dump(reporter.incident) == before
    assert len(await listed_by_reporter(reporter)) == 3


async def test_a_reporter_writes_no_notes_among_handlers(world: World) -> None:
    reporter = await world.reported()

    section = reporter.section(NOTE, [world.counsellor])

    refused = reporter.call("ReporterService/PutSection", put(section))
    assert await reason_of(refused) == "FIELD_INVALID header.kind: is for handlers only"


async def test_a_section_of_a_stranger_is_refused_as_if_the_incident_were_absent(world: World) -> None:
    reporter, stranger = await world.reported(), world.reporter()
    stranger.incident = reporter.incident
    section = stranger.section(MESSAGE, [world.counsellor])

    assert await reason_of(stranger.call("ReporterService/PutSection", put(section))) == "NOT_PERMITTED"


# Change of the intake.


def change(
    reporter: Reporter, handlers: Sequence[Seat], wraps: Sequence[pb.Wrap] = (), **changed: object
) -> rpc.ChangeIntakeRequest:
    return rpc.ChangeIntakeRequest(
        incident=reporter.incident,
        intake=reporter.intake(handlers, **changed),
        wraps=wraps,
        request_id=str(uuid.uuid4()),
    )


def handed_to(reporter: Reporter, seat: Seat, kind: common.Kind = common.KIND_ACCOUNT) -> pb.Wrap:
    """A wrap of an earlier section for a handler who joins."""
    header = reporter.headers[kind]
    place = SectionContext(INSTALLATION, reporter.incident, header.name, header.version, kind)
    wrap = wrap_key(reporter.content_keys[header.name], seat.staff.public, place, reporter.incident, ())
    return wrap_message(header.name, header.version, seat.kid, wrap)


CHANGE = "ReporterService/ChangeIntake"


async def test_whoever_is_no_longer_named_loses_seat_and_wraps_and_who_joins_reads_what_is_handed(
    world: World,
) -> None:
    reporter = await world.reported(world.counsellor)
    request = change(reporter, [world.adviser], [handed_to(reporter, world.adviser)])

    answer = await reporter.call(CHANGE, request)

    assert list(answer.report.handler_kids) == [world.adviser.kid]
    assert answer.report.intake == request.intake
    rows = await world.dump(reporter.incident)
    assert not any(world.counsellor.kid in wrap for wrap in rows["wraps"])
    assert await reason_of(listed_by_handler(world.handler, reporter)) == "NOT_PERMITTED"
    account = reporter.headers[common.KIND_ACCOUNT].name
    assert await listed_by_handler(world.member(world.adviser), reporter) == [account]
    assert await reporter.call(CHANGE, request) == answer


async def test_who_stays_keeps_seat_and_wraps_even_when_the_directory_no_longer_lists_it(
    world: World,
) -> None:
    """Intake seats of an ended participation stay, so that what it took in is handled on."""
    reporter = await world.reported(world.counsellor)
    world.sector.remove(world.counsellor)

    answer = await reporter.call(CHANGE, change(reporter, [world.counsellor, world.adviser]))

    assert sorted(answer.report.handler_kids) == sorted([world.counsellor.kid, world.adviser.kid])
    assert len(await listed_by_handler(world.handler, reporter)) == 3


async def test_who_comes_back_reads_only_what_is_handed_anew(world: World) -> None:
    reporter = await world.reported(world.counsellor)
    await reporter.call(CHANGE, change(reporter, [world.adviser]))

    await reporter.call(CHANGE, change(reporter, [world.counsellor]))

    assert await listed_by_handler(world.handler, reporter) == []


async def test_an_intake_that_is_not_right_changes_nothing(world: World) -> None:
    reporter = await world.reported(world.counsellor)
    before = await world.dump(reporter.incident)
    elsewhere = world.sector.appoint(
        world.sector.participation(new("productions")), common.CAPACITY_COUNSELLOR
    )
    other_section = handed_to(reporter, world.adviser)
    other_section.section = new(f"{reporter.incident}/sections")

    for request, reason in [
        (change(reporter, [elsewhere]), "RECIPIENT_MISMATCH"),
        (change(reporter, [world.elsewhere]), "RECIPIENT_MISMATCH"),
        (
            change(reporter, [world.adviser, world.adviser]),
            "FIELD_INVALID intake.handlers: names a key twice",
        ),
        (change(reporter, [world.adviser], incident=new("incidents")), "STATEMENT_FOREIGN"),
        (change(reporter, [world.adviser], production=new("productions")), "STATEMENT_FOREIGN"),
        (change(reporter, [world.adviser], sequence=1), "STATEMENT_SEQUENCE"),
        (change(reporter, [world.adviser], [handed_to(reporter, world.deputy)]), "WRAP_MISMATCH"),
        (change(reporter, [world.counsellor], [handed_to(reporter, world.counsellor)]), "WRAP_MISMATCH"),
        (change(reporter, [world.adviser], [handed_to(reporter, world.adviser)] * 2), "WRAP_MISMATCH"),
        (change(reporter, [world.adviser], [other_section]), "WRAP_MISMATCH"),
    ]:
        assert await reason_of(reporter.call(CHANGE, request)) == reason
        assert await world.dump(reporter.incident) == before


async def test_a_handler_of_another_production_is_refused_though_the_directory_names_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is a peer, not an oracle: what it shows beyond the production counts for nothing."""
    reporter, sector = await world.reported(world.counsellor), world.sector
    elsewhere = sector.appoint(sector.participation(new("productions")), common.CAPACITY_COUNSELLOR)
    monkeypatch.setattr(sector, "circle", lambda _production: sector.participations(sector.participations_))

    assert await reason_of(reporter.call(CHANGE, change(reporter, [elsewhere]))) == "RECIPIENT_MISMATCH"
    assert (await reporter.call(CHANGE, change(reporter, [world.adviser]))).report.handler_kids


async def test_without_a_production_the_intake_changes_within_the_independent_point(world: World) -> None:
    reporter, sector = world.reporter(), world.sector
    second = sector.appoint(world.point, common.CAPACITY_COUNSELLOR)
    await reporter.submit(world.adviser, intake=reporter.intake([world.adviser], production=""))

    sector.circles.clear()

    answer = await reporter.call(CHANGE, change(reporter, [second], production=""))

    assert (list(answer.report.handler_kids), sector.circles) == ([second.kid], [""])


async def test_the_same_change_twice_at_once_waits_its_turn_and_is_one(world: World) -> None:
    """I12: whoever changes the incident goes first, and the second one is answered as the first."""
    reporter = await world.reported()
    request = change(reporter, [world.adviser])
    twice = [reporter.call(CHANGE, request) for _ in range(2)]
    async with held_up(world.deps.database, reporter.incident, *twice) as changing:
        assert await listed_by_handler(world.handler, reporter)
    first, second = await changing

    assert first == second
    assert list(first.report.handler_kids) == [world.adviser.kid]


async def test_the_intake_of_a_withdrawn_report_stays_closed(world: World) -> None:
    reporter = await world.reported()
    await world.withdrawn(reporter)
    before = await world.dump(reporter.incident)

    assert await reason_of(reporter.call(CHANGE, change(reporter, [world.adviser]))) == "WRONG_STATE"
    assert await world.dump(reporter.incident) == before


async def test_an_excluded_counsellor_does_not_join(world: World) -> None:
    reporter = world.reporter()
    await reporter.submit(world.counsellor, exclusion=reporter.exclusion(world.adviser.staff.subject))

    assert await reason_of(reporter.call(CHANGE, change(reporter, [world.adviser]))) == "RECIPIENT_MISMATCH"


async def test_a_reporter_cannot_hand_over_a_note_among_handlers(world: World) -> None:
    reporter, handler = await world.reported(), world.handler
    note = handler.note(reporter)
    await handler.call("HandlerService/PutSection", put_by_handler(note))
    forged = wrap_message(note.header.name, 1, world.adviser.kid, b"\0" * 1168)

    refused = reporter.call(CHANGE, change(reporter, [world.counsellor, world.adviser], [forged]))

    assert await reason_of(refused) == "WRAP_MISMATCH"


@pytest.mark.parametrize("by_name", [True, False])
async def test_changing_needs_the_incidents_key(world: World, *, by_name: bool) -> None:
    reporter, stranger = await world.reported(), world.reporter()
    stranger.incident = reporter.incident if by_name else new("incidents")

    assert await reason_of(stranger.call(CHANGE, change(stranger, [world.adviser]))) == "NOT_PERMITTED"
