"""Proposals: exact reasons, and no way to find out from them whom the reporter excluded (T29)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.domain import MAX_NOTICES
from services.disclosure.store import tables as t
from tests.integration.disclosure.between import held_up
from tests.integration.disclosure.builders import Member, Reporter, World, new, reason_of, stamp

PROPOSE = "HandlerService/ProposeNotice"
SUMMARY, CONTEXT = common.KIND_SUMMARY, common.KIND_CONTEXT


async def asked_of(reporter: Reporter, notice: str) -> pb.ConsentRequest:
    request = rpc.GetConsentRequestRequest(notice=notice)
    return (await reporter.call("ReporterService/GetConsentRequest", request)).consent_request


async def test_the_reporter_is_asked_and_nothing_is_shared(world: World) -> None:
    reporter = await world.reported()
    request = world.handler.proposal(reporter, world.contacts)

    answer = await world.handler.call(PROPOSE, request)

    assert answer == rpc.ProposeNoticeResponse(
        notice=request.notice, state=common.NOTICE_STATE_CONSENT_PENDING
    )
    asked = await asked_of(reporter, request.notice)
    assert (asked.answer, asked.HasField("consent")) == (pb.ConsentRequest.ANSWER_NONE, False)
    assert asked.recipient == world.co
    assert list(asked.reader_kids) == [one.kid for one in world.contacts]
    assert list(asked.sections) == list(request.sections)
    assert list(asked.purposes) == sorted(request.purposes)
    assert asked.valid_until == request.valid_until
    assert asked.decision == request.decision
    assert asked.terms_version == world.deps.terms.version
    assert asked.answer_by_time.seconds - asked.create_time.seconds == 14 * 86_400
    rows = await world.dump(reporter.incident)
    assert len(rows["seats"]) == 1
    assert not any(one.kid in wrap for one in world.contacts for wrap in rows["wraps"])


async def test_the_same_proposal_twice_is_one_and_another_body_is_refused(world: World) -> None:
    reporter, handler = await world.reported(), world.handler
    request = handler.proposal(reporter, world.contacts)
    first = await handler.call(PROPOSE, request)
    before = await world.dump(reporter.incident)

    assert await handler.call(PROPOSE, request) == first
    request.purposes.pop()
    assert await reason_of(handler.call(PROPOSE, request)) == "REQUEST_ID_REUSED"
    assert await world.dump(reporter.incident) == before


async def test_the_same_proposal_twice_at_once_waits_its_turn_and_is_one(world: World) -> None:
    """A handler's commands go one after another with all that changes the incident (I12)."""
    reporter, handler = await world.reported(), world.handler
    request = handler.proposal(reporter, world.contacts)
    twice = [handler.call(PROPOSE, request) for _ in range(2)]
    async with held_up(world.deps.database, reporter.incident, *twice) as proposing:
        assert not (await world.dump(reporter.incident))["notices"]
    first, second = await proposing

    assert first == second
    assert len((await world.dump(reporter.incident))["notices"]) == 1


async def test_a_notice_id_that_is_taken_is_refused_like_anything_absent(world: World) -> None:
    reporter, handler = await world.reported(), world.handler
    first = await handler.propose(reporter, world.contacts)
    before = await world.dump(reporter.incident)

    again = handler.proposal(reporter, world.contacts, notice=first.notice)

    assert await reason_of(handler.call(PROPOSE, again)) == "NOT_PERMITTED"
    assert await world.dump(reporter.incident) == before


async def test_a_notice_id_of_another_incident_is_taken_too(world: World) -> None:
    """The policy engine knows notices by that id alone: two would write over each other's tuples (I6)."""
    mine, other, handler = await world.reported(), await world.reported(), world.handler
    first = await handler.propose(other, world.contacts)
    before = await world.dump(mine.incident)

    name = f"{mine.incident}/notices/{first.notice.rpartition('/')[2]}"
    clash = handler.proposal(mine, world.contacts, notice=name)

    assert await reason_of(handler.call(PROPOSE, clash)) == "NOT_PERMITTED"
    assert await world.dump(mine.incident) == before


async def test_only_a_handler_with_a_live_seat_proposes(world: World) -> None:
    reporter = await world.reported()
    before = await world.dump(reporter.incident)

    for seat in (world.deputy, world.adviser, world.elsewhere, world.contacts[0]):
        stranger = world.member(seat)
        request = stranger.proposal(reporter, world.contacts)
        assert await reason_of(stranger.call(PROPOSE, request)) == "NOT_PERMITTED"
    absent = world.reporter()
    absent.headers = reporter.headers
    assert await reason_of(world.handler.call(PROPOSE, world.handler.proposal(absent, world.contacts))) == (
        "NOT_PERMITTED"
    )

    assert await world.dump(reporter.incident) == before


async def test_a_handler_whose_key_or_appointment_ended_proposes_nothing(world: World) -> None:
    reporter = await world.reported()
    await world.end(world.counsellor.kid)

    request = world.handler.proposal(reporter, world.contacts)

    assert await reason_of(world.handler.call(PROPOSE, request)) == "NOT_PERMITTED"


async def test_a_handler_proposes_nothing_while_the_policy_engine_is_silent(world: World) -> None:
    reporter = await world.reported()
    silent = world.without_policy()
    handler = silent.member(world.counsellor)

    assert await reason_of(handler.call(PROPOSE, handler.proposal(reporter, world.contacts))) == (
        "POLICY_UNAVAILABLE"
    )


Change = Callable[[World, Reporter], rpc.ProposeNoticeRequest]


def proposal(world: World, reporter: Reporter, **changed: object) -> rpc.ProposeNoticeRequest:
    return world.handler.proposal(reporter, world.contacts, **changed)


def refs(reporter: Reporter, **changed: object) -> list[object]:
    ref = reporter.ref(SUMMARY)
    for name, value in changed.items():
        setattr(ref, name, value)
    return [ref]


def decided(**changed: object) -> Change:
    return lambda world, reporter: proposal(world, reporter, decision=changed)


def signed_by_another(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    request = proposal(world, reporter)
    request.decision.signature = SecretKeys.generate().sign(request.decision.statement)
    return request


def necessity_not_the_one_decided_on(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    request = proposal(world, reporter)
    request.necessity.CopyFrom(world.handler.note(reporter))
    return request


def necessity_as_a_message(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    readers = [reporter.keys.public, world.counsellor.staff.public]
    return proposal(world, reporter, necessity=world.handler.section(reporter, common.KIND_MESSAGE, readers))


def necessity_sealed_to_a_contact(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    readers = [world.counsellor.staff.public, world.contacts[0].staff.public]
    note = world.handler.section(reporter, common.KIND_INTERNAL_NOTE, readers)
    return proposal(world, reporter, necessity=note)


def recipient_of_another_production(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    foreign = world.sector.participation(new("productions"))
    return world.handler.proposal(reporter, [world.sector.appoint(foreign, common.CAPACITY_SAFETY_CONTACT)])


def recipient_unknown(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    return proposal(world, reporter, recipient=new("participations"))


def recipient_that_ended(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    world.sector.participations_[world.co].state = directory.Participation.STATE_ENDED
    return proposal(world, reporter)


def sender_that_ended(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    world.sector.participations_[world.lead].state = directory.Participation.STATE_ENDED
    return proposal(world, reporter)


def reader_of_another_participation(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    return proposal(world, reporter, reader_kids=[world.contacts[0].kid, world.elsewhere.kid])


def reader_twice(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    return proposal(world, reporter, reader_kids=[world.contacts[0].kid] * 2)


def reader_who_only_counsels(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    return proposal(world, reporter, recipient=world.lead, reader_kids=[world.deputy.kid])


def reader_who_left(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    world.sector.remove(world.contacts[1])
    return proposal(world, reporter)


def reader_endorsed_by_nobody(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    false_root = SecretKeys.generate()
    world.sector.add_keys(false_root.public)
    world.sector.enrol(world.contacts[0].staff, by=false_root)
    return proposal(world, reporter)


def reader_appointed_by_another_organisation(world: World, reporter: Reporter) -> rpc.ProposeNoticeRequest:
    admin = world.sector.admins[world.counsellor.staff.organisation].keys
    seat = world.sector.appoint(world.co, common.CAPACITY_SAFETY_CONTACT, signer=admin)
    return world.handler.proposal(reporter, [seat])


REFUSED: list[tuple[str, Change, str]] = [
    ("signature", signed_by_another, "STATEMENT_SIGNATURE"),
    ("installation", decided(installation="a" * 52), "STATEMENT_FOREIGN"),
    ("notice", decided(notice=new("incidents") + "/notices/" + "a" * 26), "STATEMENT_FOREIGN"),
    ("reporter", decided(reporter_kid="a" * 52), "STATEMENT_FOREIGN"),
    ("decided recipient", decided(recipient=new("participations")), "STATEMENT_FOREIGN"),
    ("sequence from the future", decided(sequence=2**53 - 1), "STATEMENT_SEQUENCE"),
    ("does not stand", decided(stands=False), "FIELD_INVALID decision.stands: must be true"),
    (
        "licence without reference",
        decided(ground=common.GROUND_LICENCE),
        "FIELD_INVALID decision.reference: a licence is named by its reference",
    ),
    ("necessity", necessity_not_the_one_decided_on, "DIGEST_MISMATCH"),
    (
        "necessity is no note",
        necessity_as_a_message,
        "FIELD_INVALID necessity.header.kind: is a note among handlers",
    ),
    ("necessity readers", necessity_sealed_to_a_contact, "WRAP_MISMATCH"),
    ("foreign recipient", recipient_of_another_production, "RECIPIENT_MISMATCH"),
    ("unknown recipient", recipient_unknown, "RECIPIENT_MISMATCH"),
    ("ended recipient", recipient_that_ended, "RECIPIENT_MISMATCH"),
    ("ended sender", sender_that_ended, "WRONG_STATE"),
    ("foreign reader", reader_of_another_participation, "READER_MISMATCH"),
    ("reader twice", reader_twice, "READER_MISMATCH"),
    ("reader is a counsellor", reader_who_only_counsels, "READER_MISMATCH"),
    ("reader left", reader_who_left, "READER_MISMATCH"),
    ("reader's chain", reader_endorsed_by_nobody, "ENDORSEMENT_BROKEN"),
    ("reader's appointment", reader_appointed_by_another_organisation, "APPOINTMENT_BROKEN"),
    ("digest", lambda w, r: proposal(w, r, sections=refs(r, digest=b"\0" * 32)), "DIGEST_MISMATCH"),
    (
        "commitment",
        lambda w, r: proposal(w, r, sections=refs(r, commitment=b"\0" * 32)),
        "COMMITMENT_MISMATCH",
    ),
    ("version", lambda w, r: proposal(w, r, sections=refs(r, version=2)), "SECTION_MISMATCH"),
    ("kind", lambda w, r: proposal(w, r, sections=refs(r, kind=CONTEXT)), "SECTION_MISMATCH"),
    (
        "absent section",
        lambda w, r: proposal(w, r, sections=refs(r, section=new(f"{r.incident}/sections"))),
        "SECTION_MISMATCH",
    ),
    (
        "section of another incident",
        lambda w, r: proposal(w, r, sections=refs(r, section=new("incidents") + "/sections/" + "a" * 26)),
        "SECTION_MISMATCH",
    ),
    (
        "two of a kind",
        lambda w, r: proposal(w, r, sections=[r.ref(SUMMARY), r.ref(SUMMARY)]),
        "SECTION_MISMATCH",
    ),
    ("purpose twice", lambda w, r: proposal(w, r, purposes=[4, 4]), "PURPOSE_MISMATCH"),
    (
        "too long",
        lambda w, r: proposal(w, r, valid_until=stamp(w.now() + timedelta(days=401))),
        "PERIOD_MISMATCH",
    ),
    (
        "over already",
        lambda w, r: proposal(w, r, valid_until=stamp(w.now() - timedelta(seconds=5))),
        "PERIOD_MISMATCH",
    ),
]


@pytest.mark.parametrize(("change", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_proposal_that_is_not_right_changes_nothing(
    world: World, change: Change, reason: str
) -> None:
    reporter = await world.reported()
    request = change(world, reporter)
    before = await world.dump(reporter.incident)

    assert await reason_of(world.handler.call(PROPOSE, request)) == reason

    assert await world.dump(reporter.incident) == before


async def test_a_reader_ended_here_is_refused_whatever_the_directory_says(world: World) -> None:
    reporter = await world.reported()
    await world.end(world.contacts[0].contact.appointment)

    request = world.handler.proposal(reporter, world.contacts)

    assert await reason_of(world.handler.call(PROPOSE, request)) == "READER_MISMATCH"


async def test_messages_are_never_shareable(world: World) -> None:
    reporter = await world.reported()
    message = reporter.section(common.KIND_MESSAGE, [world.counsellor])
    request = rpc.PutSectionRequest(section=message, request_id=str(uuid.uuid4()))
    await reporter.call("ReporterService/PutSection", request)

    refused = world.handler.proposal(reporter, world.contacts, [common.KIND_MESSAGE])

    assert await reason_of(world.handler.call(PROPOSE, refused)) == "SECTION_MISMATCH"


async def test_a_note_among_handlers_is_never_shareable(world: World) -> None:
    reporter = await world.reported()
    note = world.handler.note(reporter)
    request = rpc.HandlerServicePutSectionRequest(section=note, request_id=str(uuid.uuid4()))
    await world.handler.call("HandlerService/PutSection", request)
    reporter.headers[common.KIND_INTERNAL_NOTE] = note.header

    refused = world.handler.proposal(reporter, world.contacts, [common.KIND_INTERNAL_NOTE])

    assert await reason_of(world.handler.call(PROPOSE, refused)) == "SECTION_MISMATCH"


async def test_the_name_of_the_accused_needs_law_or_licence_with_its_reference(world: World) -> None:
    reporter, accused = world.reporter(), common.KIND_ACCUSED_IDENTITY
    await reporter.submit(world.counsellor, sections=[reporter.section(accused, [world.counsellor])])

    async def propose(**decision: object) -> Awaitable[rpc.ProposeNoticeResponse]:
        request = world.handler.proposal(reporter, world.contacts, [accused], decision=decision)
        return await world.handler.call(PROPOSE, request)

    assert await reason_of(propose()) == "SECTION_MISMATCH"
    assert await reason_of(propose(ground=common.GROUND_VITAL_INTEREST, reference="x")) == "SECTION_MISMATCH"
    assert await reason_of(propose(ground=common.GROUND_LEGAL_CLAIMS)) == "SECTION_MISMATCH"
    for ground in (common.GROUND_LEGAL_OBLIGATION, common.GROUND_LEGAL_CLAIMS, common.GROUND_LICENCE):
        assert (await propose(ground=ground, reference="AP 2026-1")).notice


async def test_the_independent_point_is_a_recipient_in_any_production(world: World) -> None:
    reporter = await world.reported()
    contact = world.sector.appoint(world.point, common.CAPACITY_SAFETY_CONTACT)

    request = await world.handler.propose(reporter, [contact])

    assert (await asked_of(reporter, request.notice)).recipient == world.point


async def test_within_a_production_the_independent_point_reaches_no_further_than_others(world: World) -> None:
    reporter, adviser = await world.reported(world.adviser), world.member(world.adviser)
    foreign = world.sector.participation(new("productions"))
    contact = world.sector.appoint(foreign, common.CAPACITY_SAFETY_CONTACT)

    refused = adviser.call(PROPOSE, adviser.proposal(reporter, [contact]))

    assert await reason_of(refused) == "RECIPIENT_MISMATCH"
    assert (await adviser.propose(reporter, world.contacts)).notice


async def test_without_a_production_the_independent_point_proposes_to_anybody(world: World) -> None:
    reporter = world.reporter()
    await reporter.submit(world.adviser, intake=reporter.intake([world.adviser], production=""))
    adviser = world.member(world.adviser)

    request = adviser.proposal(reporter, world.contacts)

    assert (await adviser.call(PROPOSE, request)).notice == request.notice


async def test_no_more_notices_than_a_snapshot_holds(world: World) -> None:
    reporter = await world.reported()
    first = await world.handler.propose(reporter, world.contacts)
    async with world.deps.database.transaction() as conn:
        row = (await conn.execute(t.notices.select().where(t.notices.c.name == first.notice))).one()._asdict()
        for _ in range(MAX_NOTICES - 1):
            await conn.execute(t.notices.insert().values(row | {"name": new(f"{reporter.incident}/notices")}))

    refused = world.handler.propose(reporter, world.contacts)
    assert await reason_of(refused) == (
        f"FIELD_INVALID notice: the incident has {MAX_NOTICES} notices, and no more fit"
    )


# No oracle.


async def handlers_view(
    handler: Member, reporter: Reporter, proposed: rpc.ProposeNoticeRequest
) -> list[bytes]:
    """All that a handler can get of the incident, without this test's random ids and times."""
    answer = await handler.call(PROPOSE, proposed)
    report = await handler.call(
        "HandlerService/GetReport", rpc.HandlerServiceGetReportRequest(incident=reporter.incident)
    )
    sections = await handler.call(
        "HandlerService/ListSections", rpc.HandlerServiceListSectionsRequest(incident=reporter.incident)
    )
    answer.notice = report.report.name = ""
    report.report.ClearField("intake")
    report.report.ClearField("reporter_keys")
    report.report.ClearField("create_time")
    shapes = [str(one.kind).encode() + one.author_kid.encode() for one in sections.sections]
    mine = [shape for shape in shapes if handler.kid.encode() in shape]
    return [answer.SerializeToString(deterministic=True), report.SerializeToString(deterministic=True), *mine]


async def snapshot_of(world: World, reporter: Reporter) -> pb.IncidentSnapshot:
    """What coordination knows, which is all it can tell the handler of the notice."""
    request = rpc.FetchSnapshotRequest(incident=reporter.incident)
    snapshot = (await reporter.call("InternalService/FetchSnapshot", request)).snapshot
    for notice in snapshot.notices:
        notice.name = ""
        for field in ("create_time", "answer_by_time"):
            notice.ClearField(field)
    for field in ("incident", "reporter_kid", "create_time"):
        snapshot.ClearField(field)
    return snapshot


@pytest.mark.parametrize(
    "excluded", ["one reader", "all readers", "the organisation", "an earlier organisation"]
)
async def test_an_exclusion_does_not_show_in_anything_the_handler_sees(world: World, excluded: str) -> None:
    earlier = new("organisations")
    await world.affiliate(world.contacts[0].staff.subject, earlier)
    targets = {
        "one reader": [world.contacts[0].staff.subject],
        "all readers": [one.staff.subject for one in world.contacts],
        "the organisation": [world.contacts[0].staff.organisation],
        "an earlier organisation": [earlier],
    }[excluded]
    free, excluding = await world.reported(), world.reporter()
    await excluding.submit(world.counsellor, exclusion=excluding.exclusion(*targets))
    handler = world.handler

    views = []
    for reporter in (free, excluding):
        proposed = handler.proposal(reporter, world.contacts)
        views.append(await handlers_view(handler, reporter, proposed))
        asked = await asked_of(reporter, proposed.notice)
        views[-1].append((await snapshot_of(world, reporter)).SerializeToString(deterministic=True))

    assert views[0] == views[1]
    left = set(asked.reader_kids) | set(asked.excluded_reader_kids)
    assert left == {one.kid for one in world.contacts}
    assert bool(asked.excluded_reader_kids)
    assert (excluded in ("all readers", "the organisation")) == (not asked.reader_kids)


async def test_every_contact_in_turn_gets_the_same_answer(world: World) -> None:
    """T29, as a handler would probe: one proposal for each contact."""
    reporter = world.reporter()
    await reporter.submit(world.counsellor, exclusion=reporter.exclusion(world.elsewhere.staff.subject))
    answers = set()
    for seat in (*world.contacts, world.elsewhere):
        answer = await world.handler.call(PROPOSE, world.handler.proposal(reporter, [seat]))
        answer.notice = ""
        answers.add(answer.SerializeToString(deterministic=True))

    assert len(answers) == 1


# Decisions.


def recorded(
    handler: Member, reporter: Reporter, asked: rpc.ProposeNoticeRequest, /, **changed: object
) -> rpc.RecordDecisionRequest:
    note = handler.note(reporter)
    return rpc.RecordDecisionRequest(
        notice=asked.notice,
        decision=handler.decision(reporter, asked.notice, asked.recipient, note, **changed),
        necessity=note,
        request_id=str(uuid.uuid4()),
    )


RECORD = "HandlerService/RecordDecision"


async def relations(world: World, asked: rpc.ProposeNoticeRequest) -> set[str]:
    """What the policy engine holds of a notice."""
    held = await world.deps.authz.read(f"notice:{asked.notice.rpartition('/')[2]}")
    return {one.relation for one in held}


async def test_a_newer_decision_that_stands_replaces_the_one_before(world: World) -> None:
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    request = recorded(world.handler, reporter, asked, ground=common.GROUND_VITAL_INTEREST)

    answer = await world.handler.call(RECORD, request)

    assert answer.state == common.NOTICE_STATE_CONSENT_PENDING
    assert (await asked_of(reporter, asked.notice)).decision == request.decision
    assert await world.handler.call(RECORD, request) == answer
    async with world.deps.database.transaction() as conn:
        mine = (t.acts.c.incident == reporter.incident) & (t.acts.c.kind == StatementKind.DECISION)
        kept = (await conn.execute(t.acts.select().where(mine).order_by(t.acts.c.id))).all()
    assert [(row.notice, row.statement) for row in kept] == [
        (asked.notice, one.decision.statement) for one in (asked, request)
    ]


async def test_a_decision_that_stands_takes_nothing_from_who_reads(world: World) -> None:
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    await reporter.give(asked)
    before = await relations(world, asked)

    await world.handler.call(RECORD, recorded(world.handler, reporter, asked))

    assert await relations(world, asked) == before >= {"live", "reader"}


async def test_a_decision_that_no_longer_stands_closes_the_notice(world: World) -> None:
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    await reporter.give(asked)
    assert "live" in await relations(world, asked)

    answer = await world.handler.call(RECORD, recorded(world.handler, reporter, asked, stands=False))

    assert answer.state == common.NOTICE_STATE_WITHDRAWN
    assert (await asked_of(reporter, asked.notice)).answer == pb.ConsentRequest.ANSWER_CLOSED
    rows = await world.dump(reporter.incident)
    assert not any(one.kid in wrap for one in world.contacts for wrap in rows["wraps"])
    assert await relations(world, asked) == set()
    again = recorded(world.handler, reporter, asked)
    assert await reason_of(world.handler.call(RECORD, again)) == "WRONG_STATE"
    assert await reason_of(reporter.give(asked)) == "WRONG_STATE"


async def test_a_decision_that_is_not_right_changes_nothing(world: World) -> None:
    reporter = await world.reported(world.counsellor, world.deputy)
    handler, deputy = world.handler, world.member(world.deputy)
    note = handler.note(reporter, handler, deputy)
    asked = handler.proposal(reporter, world.contacts, necessity=note)
    await handler.call(PROPOSE, asked)
    before = await world.dump(reporter.incident)
    stranger = world.member(world.adviser)

    def by(member: Member, **changed: object) -> rpc.RecordDecisionRequest:
        request = recorded(member, reporter, asked, **changed)
        fresh = member.note(reporter, handler, deputy)
        request.necessity.CopyFrom(fresh)
        request.decision.CopyFrom(member.decision(reporter, asked.notice, asked.recipient, fresh, **changed))
        return request

    assert await reason_of(stranger.call(RECORD, by(stranger))) == "NOT_PERMITTED"
    absent = by(handler)
    absent.notice = new(f"{reporter.incident}/notices")
    assert await reason_of(handler.call(RECORD, absent)) == "NOT_PERMITTED"
    assert await reason_of(handler.call(RECORD, by(handler, sequence=1))) == "STATEMENT_SEQUENCE"
    assert await reason_of(handler.call(RECORD, by(handler, recipient=world.other))) == "STATEMENT_FOREIGN"
    assert await reason_of(handler.call(RECORD, recorded(handler, reporter, asked))) == "WRAP_MISMATCH"
    assert await world.dump(reporter.incident) == before

    assert (await deputy.call(RECORD, by(deputy))).state == common.NOTICE_STATE_CONSENT_PENDING


async def test_a_closed_notice_takes_no_decision(world: World) -> None:
    """Its decision still stands; the reporter has withdrawn the consent."""
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    await reporter.give(asked)
    await reporter.withdraw(asked)
    before = await world.dump(reporter.incident)

    refused = world.handler.call(RECORD, recorded(world.handler, reporter, asked))

    assert await reason_of(refused) == "WRONG_STATE"
    assert await world.dump(reporter.incident) == before


async def test_a_weaker_ground_does_not_keep_the_name_of_the_accused_on_the_table(world: World) -> None:
    reporter, accused = world.reporter(), common.KIND_ACCUSED_IDENTITY
    await reporter.submit(world.counsellor, sections=[reporter.section(accused, [world.counsellor])])
    lawful = {"ground": common.GROUND_LICENCE, "reference": "AP 2026-1"}
    asked = world.handler.proposal(reporter, world.contacts, [accused], decision=lawful)
    await world.handler.call(PROPOSE, asked)

    for weaker in ({}, {"ground": common.GROUND_VITAL_INTEREST, "reference": "x"}):
        refused = world.handler.call(RECORD, recorded(world.handler, reporter, asked, **weaker))
        assert await reason_of(refused) == "SECTION_MISMATCH"
    as_lawful = recorded(world.handler, reporter, asked, **lawful)
    assert (await world.handler.call(RECORD, as_lawful)).state == common.NOTICE_STATE_CONSENT_PENDING
