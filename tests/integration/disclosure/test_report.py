"""Reports come in whole or not at all (I11), once (I12), and to handlers who are current and not excluded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.store import tables as t
from services.kernel.db import Lock
from tests.integration.disclosure.between import held_up
from tests.integration.disclosure.builders import Reporter, World, new, reason_of, sealed
from tests.support.faults import until

SUBMIT = "ReporterService/SubmitReport"
Change = Callable[[World, Reporter, rpc.SubmitReportRequest], Any]


async def test_a_report_is_answered_as_its_reporter_sees_it(world: World) -> None:
    reporter = world.reporter()
    request = reporter.submission(
        [world.counsellor, world.deputy], exclusion=reporter.exclusion(new("persons"))
    )

    report = (await reporter.call(SUBMIT, request)).report

    assert report.name == reporter.incident
    assert report.production == world.production
    assert report.state == common.INCIDENT_STATE_RECEIVED
    assert (list(report.categories), report.language) == ([common.CATEGORY_BULLYING], common.LANGUAGE_NL)
    assert report.intake == request.intake
    assert list(report.exclusions) == [request.exclusion]
    assert sorted(report.handler_kids) == sorted([world.counsellor.kid, world.deputy.kid])
    assert (await reporter.call("ReporterService/GetReport", rpc.GetReportRequest())).report == report


async def test_a_report_seats_its_handlers_at_the_policy_engine(world: World) -> None:
    reporter = await world.reported(world.counsellor)
    incident = f"incident:{reporter.incident[-26:]}"

    # The engine is told beside the answer; where it stalls, a moment later.
    await until(lambda: world.deps.authz.check(world.counsellor.staff.actor().user, "can_handle", incident))
    assert not await world.deps.authz.check(world.deputy.staff.actor().user, "can_handle", incident)


async def test_the_same_report_twice_is_one(world: World) -> None:
    reporter = world.reporter()
    request = reporter.submission([world.counsellor])

    first = await reporter.call(SUBMIT, request)
    before = await world.dump(reporter.incident)

    assert await reporter.call(SUBMIT, request) == first
    assert await world.dump(reporter.incident) == before


async def test_the_same_report_twice_at_once_waits_its_turn_and_is_one(world: World) -> None:
    """I12: a phone that sends again before the first answer came."""
    reporter = world.reporter()
    request = reporter.submission([world.counsellor])
    twice = [reporter.call(SUBMIT, request) for _ in range(2)]
    async with held_up(world.deps.database, f"report/{reporter.kid}", *twice) as sending:
        assert not (await world.dump(reporter.incident))["incidents"]
    first, second = await sending

    assert first == second
    assert len((await world.dump(reporter.incident))["incidents"]) == 1


async def test_a_report_that_is_in_stays_in_when_its_handler_left_since(world: World) -> None:
    reporter = world.reporter()
    request = reporter.submission([world.counsellor])
    first = await reporter.call(SUBMIT, request)
    world.sector.remove(world.counsellor)

    assert await reporter.call(SUBMIT, request) == first


async def test_the_same_request_id_with_another_body_is_refused(world: World) -> None:
    reporter = world.reporter()
    request = reporter.submission([world.counsellor])
    await reporter.call(SUBMIT, request)
    before = await world.dump(reporter.incident)
    request.language = common.LANGUAGE_EN

    assert await reason_of(reporter.call(SUBMIT, request)) == "REQUEST_ID_REUSED"
    assert await world.dump(reporter.incident) == before


async def test_an_incident_id_that_is_taken_is_refused_like_anything_absent(world: World) -> None:
    taken = await world.reported()
    reporter = world.reporter()
    reporter.incident = taken.incident
    before = await world.dump(taken.incident)

    assert await reason_of(reporter.call(SUBMIT, reporter.submission([world.counsellor]))) == "NOT_PERMITTED"
    assert await world.dump(taken.incident) == before


async def test_a_report_under_a_foreign_name_waits_for_nobody_there(world: World) -> None:
    """Nor does anybody there wait for it: openings and withdrawals share that incident's lock."""
    taken, reporter = await world.reported(), world.reporter()
    reporter.incident = taken.incident

    async def hold(_conn: object) -> str:
        async with asyncio.timeout(0.5):
            return await reason_of(reporter.call(SUBMIT, reporter.submission([world.counsellor])))

    assert await world.deps.database.run_unit(hold, Lock(taken.incident)) == "NOT_PERMITTED"


async def test_one_key_reports_one_incident(world: World) -> None:
    reporter = await world.reported()
    reporter.incident = new("incidents")

    assert await reason_of(reporter.call(SUBMIT, reporter.submission([world.counsellor]))) == "NOT_PERMITTED"
    assert not (await world.dump(reporter.incident))["incidents"]


def intake_by_another_key(_world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.intake.signature = SecretKeys.generate().sign(request.intake.statement)


def intake_of_another_incident(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.intake.CopyFrom(reporter.intake([world.counsellor], incident=new("incidents")))


def intake_of_another_installation(
    world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    request.intake.CopyFrom(reporter.intake([world.counsellor], installation=reporter.kid))


def intake_with_an_unknown_field(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    statement = request.intake.statement + b"\xf8\x07\x01"
    request.intake.statement = statement
    request.intake.signature = reporter.keys.sign(b"meldbrug/intake/v1\0" + statement)


def intake_from_the_future(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    late = int((world.now() + timedelta(minutes=6)).timestamp() * 1000)
    request.intake.CopyFrom(reporter.intake([world.counsellor], sequence=late))


def intake_and_exclusion_with_one_sequence(
    world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    request.intake.CopyFrom(reporter.intake([world.counsellor], sequence=5))
    request.exclusion.CopyFrom(reporter.exclusion(new("persons"), sequence=5))


def exclusion_of_another_incident(
    _world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    request.exclusion.CopyFrom(reporter.exclusion(new("persons"), incident=new("incidents")))


def exclusion_of_another_installation(
    _world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    request.exclusion.CopyFrom(reporter.exclusion(new("persons"), installation=reporter.kid))


def handler_without_a_role(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.CopyFrom(reporter.submission([world.elsewhere]))


def handler_of_another_production(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    foreign = world.sector.participation(new("productions"))
    request.CopyFrom(reporter.submission([world.sector.appoint(foreign, common.CAPACITY_COUNSELLOR)]))


def handler_by_another_appointment(
    world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    handler = said.Intake.Handler(
        kid=world.counsellor.kid, participation=world.lead, appointment=world.deputy.contact.appointment
    )
    request.intake.CopyFrom(reporter.intake([], handlers=[handler]))


def handler_of_a_participation_that_ended(
    world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    world.sector.participations_[world.lead].state = directory.Participation.STATE_ENDED


def handler_of_a_suspended_organisation(
    world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    name = world.sector.participations_[world.lead].organisation
    world.sector.organisations[name].state = directory.Organisation.STATE_SUSPENDED


def handler_who_is_excluded(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.exclusion.CopyFrom(reporter.exclusion(world.counsellor.staff.subject))


def handler_of_an_excluded_organisation(
    world: World, reporter: Reporter, request: rpc.SubmitReportRequest
) -> None:
    request.exclusion.CopyFrom(reporter.exclusion(world.counsellor.staff.organisation))


def handler_endorsed_by_nobody(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    """A directory that gives out a false key (T26)."""
    false_root = SecretKeys.generate()
    staff = world.counsellor.staff
    world.sector.add_keys(false_root.public)
    world.sector.enrol(staff, by=false_root)


def handler_appointed_by_a_member(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    by = world.deputy.staff.keys
    seat = world.sector.appoint(world.lead, common.CAPACITY_COUNSELLOR, signer=by)
    request.CopyFrom(reporter.submission([seat]))


def content_changed(_world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.sections[0].ciphertext = b"\0" + request.sections[0].ciphertext[1:]


def content_of_another_author(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    readers = [reporter.keys.public, world.counsellor.staff.public]
    forged, _ = sealed(SecretKeys.generate(), reporter.incident, common.KIND_SUMMARY, readers, reporter.kid)
    request.sections[0].CopyFrom(forged)


def content_for_another_reporter(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    readers = [reporter.keys.public, world.counsellor.staff.public]
    other = SecretKeys.generate().kid
    section, _ = sealed(reporter.keys, reporter.incident, common.KIND_SUMMARY, readers, other)
    request.sections[0].CopyFrom(section)


def content_under_another_name(_world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    name = new(f"{reporter.incident}/sections")
    request.sections[0].header.name = name
    for wrap in request.sections[0].wraps:
        wrap.section = name


def content_of_another_incident(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    own, reporter.incident = reporter.incident, new("incidents")
    request.sections[0].CopyFrom(reporter.section(common.KIND_SUMMARY, [world.counsellor]))
    reporter.incident = own


def content_at_its_second_version(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.sections[0].CopyFrom(reporter.section(common.KIND_SUMMARY, [world.counsellor], version=2))


def content_twice(_world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.sections[1].CopyFrom(request.sections[0])


def a_note_among_handlers(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.sections[0].CopyFrom(reporter.section(common.KIND_INTERNAL_NOTE, [world.counsellor]))


def a_wrap_too_few(_world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    del request.sections[0].wraps[1]


def no_wrap_for_the_reporter(_world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    del request.sections[0].wraps[0]


def a_wrap_for_a_stranger(world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    seats = [world.counsellor, world.elsewhere]
    request.sections[0].CopyFrom(reporter.section(common.KIND_SUMMARY, seats))


def a_wrap_twice(_world: World, reporter: Reporter, request: rpc.SubmitReportRequest) -> None:
    request.sections[0].wraps.append(request.sections[0].wraps[1])


REFUSED: list[tuple[Change, str]] = [
    (intake_by_another_key, "STATEMENT_SIGNATURE"),
    (intake_of_another_incident, "STATEMENT_FOREIGN"),
    (intake_of_another_installation, "STATEMENT_FOREIGN"),
    (intake_with_an_unknown_field, "STATEMENT_MALFORMED"),
    (intake_from_the_future, "STATEMENT_SEQUENCE"),
    (intake_and_exclusion_with_one_sequence, "STATEMENT_SEQUENCE"),
    (exclusion_of_another_incident, "STATEMENT_FOREIGN"),
    (exclusion_of_another_installation, "STATEMENT_FOREIGN"),
    (handler_without_a_role, "RECIPIENT_MISMATCH"),
    (handler_of_another_production, "RECIPIENT_MISMATCH"),
    (handler_by_another_appointment, "RECIPIENT_MISMATCH"),
    (handler_of_a_participation_that_ended, "RECIPIENT_MISMATCH"),
    (handler_of_a_suspended_organisation, "RECIPIENT_MISMATCH"),
    (handler_who_is_excluded, "RECIPIENT_MISMATCH"),
    (handler_of_an_excluded_organisation, "RECIPIENT_MISMATCH"),
    (handler_endorsed_by_nobody, "ENDORSEMENT_BROKEN"),
    (handler_appointed_by_a_member, "APPOINTMENT_BROKEN"),
    (content_changed, "DIGEST_MISMATCH"),
    (content_of_another_author, "AUTHOR_SIGNATURE"),
    (content_for_another_reporter, "AUTHOR_SIGNATURE"),
    (content_under_another_name, "AUTHOR_SIGNATURE"),
    (content_of_another_incident, "FIELD_INVALID header.name: is of another incident"),
    (content_at_its_second_version, "FIELD_INVALID sections.header.version: starts at 1"),
    (content_twice, "FIELD_INVALID sections: names a section twice"),
    (a_note_among_handlers, "FIELD_INVALID header.kind: is for handlers only"),
    (a_wrap_too_few, "WRAP_MISMATCH"),
    (no_wrap_for_the_reporter, "WRAP_MISMATCH"),
    (a_wrap_for_a_stranger, "WRAP_MISMATCH"),
    (a_wrap_twice, "WRAP_MISMATCH"),
]


@pytest.mark.parametrize(("change", "reason"), REFUSED, ids=lambda value: getattr(value, "__name__", value))
async def test_a_report_that_is_not_right_leaves_nothing(world: World, change: Change, reason: str) -> None:
    reporter = world.reporter()
    request = reporter.submission([world.counsellor])
    change(world, reporter, request)

    assert await reason_of(reporter.call(SUBMIT, request)) == reason

    assert not any((await world.dump(reporter.incident)).values())
    async with world.deps.database.transaction() as conn:
        found = await conn.execute(t.incidents.select().where(t.incidents.c.reporter_kid == reporter.kid))
        assert found.first() is None


async def test_a_handler_who_was_ended_here_takes_no_report_whatever_the_directory_says(world: World) -> None:
    await world.end(world.counsellor.contact.appointment)
    reporter = world.reporter()

    assert await reason_of(reporter.submit(world.counsellor)) == "RECIPIENT_MISMATCH"
    assert not any((await world.dump(reporter.incident)).values())


async def test_a_handler_once_of_an_excluded_organisation_takes_no_report(world: World) -> None:
    earlier = new("organisations")
    await world.affiliate(world.counsellor.staff.subject, earlier)
    reporter = world.reporter()
    request = reporter.submission([world.counsellor], exclusion=reporter.exclusion(earlier))

    assert await reason_of(reporter.call(SUBMIT, request)) == "RECIPIENT_MISMATCH"


async def test_without_a_production_only_the_independent_point_handles(world: World) -> None:
    refused, reporter = world.reporter(), world.reporter()
    intake = refused.intake([world.counsellor], production="")
    assert await reason_of(refused.submit(world.counsellor, intake=intake)) == "RECIPIENT_MISMATCH"

    report = await reporter.submit(world.adviser, intake=reporter.intake([world.adviser], production=""))

    assert (report.production, list(report.handler_kids)) == ("", [world.adviser.kid])


async def test_the_independent_point_handles_for_any_production(world: World) -> None:
    reporter = await world.reported(world.adviser)

    report = (await reporter.call("ReporterService/GetReport", rpc.GetReportRequest())).report
    assert list(report.handler_kids) == [world.adviser.kid]


async def test_reports_over_the_rate_wait_and_are_not_lost(world: World) -> None:
    limited = world.slowed(per_s=20.0, burst=1)
    reporters = [limited.reporter() for _ in range(3)]

    for reporter in reporters:
        await reporter.submit(limited.counsellor)

    found = [await one.call("ReporterService/GetReport", rpc.GetReportRequest()) for one in reporters]
    assert [one.report.name for one in found] == [one.incident for one in reporters]


async def test_a_report_that_cannot_wait_long_enough_is_told_when_to_come_back(world: World) -> None:
    limited = world.slowed(per_s=0.01, burst=1)
    await limited.reporter().submit(limited.counsellor)
    reporter = limited.reporter()
    request = reporter.submission([limited.counsellor])

    assert await reason_of(reporter.call(SUBMIT, request)) == "OVERLOADED"
    assert not any((await world.dump(reporter.incident)).values())

    reporter.world = world
    assert (await reporter.call(SUBMIT, request)).report.name == reporter.incident


async def test_one_productions_crowd_keeps_no_other_waiting(world: World) -> None:
    limited, elsewhere = world.slowed(per_s=0.01, burst=1), new("productions")
    await limited.reporter().submit(limited.counsellor)
    place = world.sector.participation(elsewhere)
    counsellor, reporter = world.sector.appoint(place, common.CAPACITY_COUNSELLOR), limited.reporter()
    intake = reporter.intake([counsellor], production=elsewhere)

    assert (await reporter.submit(counsellor, intake=intake)).name == reporter.incident


async def test_reporting_needs_no_policy_engine(world: World) -> None:
    """Issue 3, section 7: reporters report while OpenFGA is down; the job brings it up to date."""
    reporter = world.without_policy().reporter()

    report = await reporter.submit(world.counsellor)

    assert report.name == reporter.incident
    assert (await world.dump(reporter.incident))["jobs"]


async def test_the_intake_statement_kinds_cannot_be_swapped(world: World) -> None:
    """T8: a refusal signed by the same key is no intake."""
    reporter = world.reporter()
    refusal = said.Refusal(
        installation=world.deps.installation,
        notice=new(f"{reporter.incident}/notices"),
        reporter_kid=reporter.kid,
        sequence=1,
    )
    request = reporter.submission([world.counsellor], intake=reporter.sign(StatementKind.REFUSAL, refusal))

    assert await reason_of(reporter.call(SUBMIT, request)) == "STATEMENT_SIGNATURE"
