"""A yes is held to exactly what was asked, and everything else leaves the state as it was."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.crypto.sealing import SectionContext, unwrap_key
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.domain import ConsentState
from services.disclosure.store import tables as t
from services.disclosure.usecases.consent import _require_answerable
from services.kernel.errors import FailedPrecondition
from tests.integration.disclosure.between import held_up
from tests.integration.disclosure.builders import (
    INSTALLATION,
    Reporter,
    World,
    new,
    reason_of,
    stamp,
    wrap_message,
)

GIVE, REFUSE = "ReporterService/GiveConsent", "ReporterService/RefuseConsent"
SUMMARY, CONTEXT, ACCOUNT = common.KIND_SUMMARY, common.KIND_CONTEXT, common.KIND_ACCOUNT
Ask = rpc.ProposeNoticeRequest


@dataclass
class Asked:
    """A reporter who was asked."""

    world: World
    reporter: Reporter
    request: Ask

    async def dump(self) -> dict[str, list[str]]:
        return await self.world.dump(self.reporter.incident)

    async def rows(self, table: str) -> list[str]:
        return (await self.dump())[table]

    async def state(self) -> pb.ConsentRequest:
        request = rpc.GetConsentRequestRequest(notice=self.request.notice)
        answer = (await self.reporter.call("ReporterService/GetConsentRequest", request)).consent_request
        answer.ClearField("book")
        return answer

    async def accept_terms(self, version: str) -> None:
        async with self.world.deps.database.transaction() as conn:
            await conn.execute(
                t.acceptances.insert().values(
                    notice=self.request.notice,
                    participation=self.request.recipient,
                    terms_version=version,
                    accepted=True,
                    statement=b"terms",
                    signature=b"t" * 64,
                    kid=self.request.reader_kids[0],
                    create_time=self.world.now(),
                )
            )

    async def stands_at(self, state: common.NoticeState) -> None:
        async with self.world.deps.database.transaction() as conn:
            await conn.execute(
                t.notices.update().where(t.notices.c.name == self.request.notice).values(state=state)
            )


@pytest.fixture
async def asked(world: World) -> Asked:
    reporter = await world.reported()
    return Asked(world, reporter, await world.handler.propose(reporter, world.contacts))


async def test_a_yes_offers_the_notice_to_exactly_the_named_readers(asked: Asked) -> None:
    world, reporter = asked.world, asked.reporter
    request = reporter.consent(asked.request)

    answer = (await reporter.call(GIVE, request)).consent_request

    assert (answer.answer, answer.state) == (pb.ConsentRequest.ANSWER_GIVEN, common.NOTICE_STATE_OFFERED)
    assert answer.consent == request.consent
    assert not answer.HasField("book")
    assert answer == await asked.state()
    consent = (await asked.rows("consents"))[0].split("'")[1]
    async with world.deps.database.transaction() as conn:
        wraps = list(await conn.execute(t.wraps.select().where(t.wraps.c.grant_name == consent)))
        seats = list(await conn.execute(t.seats.select().where(t.seats.c.grant_name == consent)))
    assert {(row.reader_kid, row.section) for row in wraps} == {
        (reader.kid, ref.section) for reader in world.contacts for ref in asked.request.sections
    }
    assert sorted(row.kid for row in seats) == sorted(one.kid for one in world.contacts)
    reader = world.contacts[0]
    for row in wraps:
        if row.reader_kid == reader.kid:
            kind = next(ref.kind for ref in asked.request.sections if ref.section == row.section)
            place = SectionContext(INSTALLATION, reporter.incident, row.section, row.version, kind)
            cek = unwrap_key(row.wrap, reader.staff.keys, place, consent, asked.request.purposes)
            assert cek == reporter.content_keys[row.section]


async def test_a_yes_reaches_the_policy_engine_before_the_answer(asked: Asked) -> None:
    await asked.reporter.give(asked.request)

    notice = f"notice:{asked.request.notice[-26:]}"
    context = {
        "current_time": asked.world.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "purpose": "INFORM",
        "requested": ["SUMMARY"],
    }
    check = asked.world.deps.authz.check
    for reader in asked.world.contacts:
        assert await check(reader.staff.actor().user, "can_open", notice, context=context)
    assert not await check(asked.world.elsewhere.staff.actor().user, "can_open", notice, context=context)


async def test_the_same_yes_twice_is_one_and_another_body_is_refused(asked: Asked) -> None:
    request = asked.reporter.consent(asked.request)
    first = await asked.reporter.call(GIVE, request)
    before = await asked.dump()

    assert await asked.reporter.call(GIVE, request) == first
    request.wraps.pop()
    assert await reason_of(asked.reporter.call(GIVE, request)) == "REQUEST_ID_REUSED"
    assert await asked.dump() == before


async def test_a_part_is_a_yes_to_that_part_only(asked: Asked) -> None:
    reader, ref = asked.world.contacts[1], asked.request.sections[1]

    await asked.reporter.give(
        asked.request,
        reader_kids=[reader.kid],
        sections=[ref],
        purposes=[common.PURPOSE_INFORM],
        valid_until=stamp(asked.world.now() + timedelta(days=7)),
    )

    async with asked.world.deps.database.transaction() as conn:
        pairs = list(
            await conn.execute(
                t.consent_sections.select().where(
                    t.consent_sections.c.section.startswith(asked.reporter.incident)
                )
            )
        )
        consent = (
            await conn.execute(t.consents.select().where(t.consents.c.notice == asked.request.notice))
        ).one()
    assert [(row.reader_kid, row.section) for row in pairs] == [(reader.kid, ref.section)]
    assert list(consent.purposes) == [common.PURPOSE_INFORM]
    assert len([row for row in await asked.rows("seats") if asked.request.notice in row]) == 1


Change = Callable[[Asked], rpc.GiveConsentRequest]


def said(**changed: object) -> Change:
    return lambda asked: asked.reporter.consent(asked.request, **changed)


def in_days(**days: float) -> Change:
    def change(asked: Asked) -> rpc.GiveConsentRequest:
        moments = {name: stamp(asked.world.now() + timedelta(days=count)) for name, count in days.items()}
        return asked.reporter.consent(asked.request, **moments)

    return change


def with_ref(**changed: object) -> Change:
    def change(asked: Asked) -> rpc.GiveConsentRequest:
        first, second = asked.reporter.ref(SUMMARY), asked.reporter.ref(CONTEXT)
        for name, value in changed.items():
            setattr(first, name, value)
        return asked.reporter.consent(asked.request, sections=[first, second])

    return change


def by_another_key(asked: Asked) -> rpc.GiveConsentRequest:
    request = asked.reporter.consent(asked.request)
    request.consent.signature = SecretKeys.generate().sign(request.consent.statement)
    return request


def with_an_unknown_field(asked: Asked) -> rpc.GiveConsentRequest:
    request = asked.reporter.consent(asked.request)
    request.consent.statement += b"\xf8\x07\x01"
    request.consent.signature = asked.reporter.keys.sign(b"meldbrug/consent/v1\0" + request.consent.statement)
    return request


def reader_who_was_not_asked(asked: Asked) -> rpc.GiveConsentRequest:
    kids = [asked.world.contacts[0].kid, asked.world.elsewhere.kid]
    return asked.reporter.consent(asked.request, reader_kids=kids)


def reader_who_left(asked: Asked) -> rpc.GiveConsentRequest:
    asked.world.sector.remove(asked.world.contacts[0])
    return asked.reporter.consent(asked.request)


def reader_with_a_false_chain(asked: Asked) -> rpc.GiveConsentRequest:
    """T26: the directory now vouches with a root of its own."""
    false_root = SecretKeys.generate()
    asked.world.sector.add_keys(false_root.public)
    asked.world.sector.enrol(asked.world.contacts[0].staff, by=false_root)
    return asked.reporter.consent(asked.request)


def recipient_that_left(asked: Asked) -> rpc.GiveConsentRequest:
    asked.world.sector.participations_[asked.world.co].state = directory.Participation.STATE_ENDED
    return asked.reporter.consent(asked.request)


def section_that_was_not_asked(asked: Asked) -> rpc.GiveConsentRequest:
    sections = [asked.reporter.ref(SUMMARY), asked.reporter.ref(ACCOUNT)]
    return asked.reporter.consent(asked.request, sections=sections)


def section_twice(asked: Asked) -> rpc.GiveConsentRequest:
    return asked.reporter.consent(asked.request, sections=[asked.reporter.ref(SUMMARY)] * 2)


def within_a_second(asked: Asked) -> rpc.GiveConsentRequest:
    until = Timestamp(seconds=asked.request.valid_until.seconds - 10, nanos=500_000_000)
    return asked.reporter.consent(asked.request, valid_until=until)


def a_second_longer(asked: Asked) -> rpc.GiveConsentRequest:
    return asked.reporter.consent(
        asked.request, valid_until=Timestamp(seconds=asked.request.valid_until.seconds + 1)
    )


def in_another_millennium(asked: Asked) -> rpc.GiveConsentRequest:
    return asked.reporter.consent(asked.request, valid_from=Timestamp(seconds=-62_135_596_800))


def wrap_missing(asked: Asked) -> rpc.GiveConsentRequest:
    request = asked.reporter.consent(asked.request)
    request.wraps.pop()
    return request


def wrap_and_its_hash_missing(asked: Asked) -> rpc.GiveConsentRequest:
    wraps = list(asked.reporter.consent(asked.request).wraps)[:-1]
    hashes = asked.reporter.hashes(wraps)
    request = asked.reporter.consent(asked.request, wraps=hashes)
    del request.wraps[:]
    request.wraps.extend(wraps)
    return request


def wrap_changed(asked: Asked) -> rpc.GiveConsentRequest:
    request = asked.reporter.consent(asked.request)
    request.wraps[0].wrap = b"\0" * 1168
    return request


def wrap_twice(asked: Asked) -> rpc.GiveConsentRequest:
    request = asked.reporter.consent(asked.request)
    request.wraps.append(request.wraps[0])
    return request


def wrap_for_a_stranger(asked: Asked) -> rpc.GiveConsentRequest:
    request = asked.reporter.consent(asked.request)
    ref = asked.request.sections[0]
    request.wraps.append(
        wrap_message(ref.section, ref.version, asked.world.elsewhere.kid, request.wraps[0].wrap)
    )
    return request


def wraps_swapped(asked: Asked) -> rpc.GiveConsentRequest:
    request = asked.reporter.consent(asked.request)
    request.wraps[0].wrap, request.wraps[1].wrap = request.wraps[1].wrap, request.wraps[0].wrap
    return request


REFUSED: list[tuple[str, Change, str]] = [
    ("signature", by_another_key, "STATEMENT_SIGNATURE"),
    ("unknown field", with_an_unknown_field, "STATEMENT_MALFORMED"),
    ("installation", said(installation="a" * 52), "STATEMENT_FOREIGN"),
    ("incident", said(incident="incidents/" + "a" * 26), "STATEMENT_FOREIGN"),
    ("notice", said(notice="incidents/" + "a" * 26 + "/notices/" + "a" * 26), "STATEMENT_FOREIGN"),
    ("sequence", said(sequence=1), "STATEMENT_SEQUENCE"),
    ("sequence from the future", said(sequence=2**53 - 1), "STATEMENT_SEQUENCE"),
    ("recipient", said(recipient="participations/" + "a" * 26), "RECIPIENT_MISMATCH"),
    ("recipient that left", recipient_that_left, "RECIPIENT_MISMATCH"),
    ("digest", with_ref(digest=b"\0" * 32), "DIGEST_MISMATCH"),
    ("commitment", with_ref(commitment=b"\0" * 32), "COMMITMENT_MISMATCH"),
    ("section's version", with_ref(version=2), "SECTION_MISMATCH"),
    ("section's kind", with_ref(kind=ACCOUNT), "SECTION_MISMATCH"),
    ("section not asked", section_that_was_not_asked, "SECTION_MISMATCH"),
    ("section twice", section_twice, "SECTION_MISMATCH"),
    ("reader not asked", reader_who_was_not_asked, "READER_MISMATCH"),
    ("reader left", reader_who_left, "READER_MISMATCH"),
    ("reader's chain", reader_with_a_false_chain, "ENDORSEMENT_BROKEN"),
    ("purpose not asked", said(purposes=[common.PURPOSE_PRESERVE_EVIDENCE]), "PURPOSE_MISMATCH"),
    ("starts later", in_days(valid_from=1), "PERIOD_MISMATCH"),
    ("started long ago", in_days(valid_from=-1), "PERIOD_MISMATCH"),
    ("over already", in_days(valid_until=-0.001), "PERIOD_MISMATCH"),
    ("a second longer than asked", a_second_longer, "PERIOD_MISMATCH"),
    ("within a second", within_a_second, "PERIOD_MISMATCH"),
    ("in another millennium", in_another_millennium, "PERIOD_MISMATCH"),
    ("terms", said(terms_version="v0"), "TERMS_MISMATCH"),
    ("preview", said(preview_digest=b"\0" * 32), "PREVIEW_MISMATCH"),
    ("preview in another language", said(preview_language=common.LANGUAGE_EN), "PREVIEW_MISMATCH"),
    ("preview of another template", said(preview_template="p2"), "PREVIEW_MISMATCH"),
    ("wrap missing", wrap_missing, "WRAP_MISMATCH"),
    ("wrap and hash missing", wrap_and_its_hash_missing, "WRAP_MISMATCH"),
    ("wrap changed", wrap_changed, "WRAP_MISMATCH"),
    ("wrap twice", wrap_twice, "WRAP_MISMATCH"),
    ("wrap for a stranger", wrap_for_a_stranger, "WRAP_MISMATCH"),
    ("wraps swapped", wraps_swapped, "WRAP_MISMATCH"),
]


@pytest.mark.parametrize(("change", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_yes_that_is_not_right_changes_nothing(asked: Asked, change: Change, reason: str) -> None:
    request = change(asked)
    before = await asked.dump()

    assert await reason_of(asked.reporter.call(GIVE, request)) == reason

    assert await asked.dump() == before


@pytest.mark.parametrize("what", ["kid", "appointment"])
async def test_a_reader_ended_here_is_refused_whatever_the_directory_says(asked: Asked, what: str) -> None:
    seat = asked.world.contacts[0]
    await asked.world.end(seat.kid if what == "kid" else seat.contact.appointment)

    assert await reason_of(asked.reporter.give(asked.request)) == "READER_MISMATCH"
    assert await asked.reporter.give(asked.request, reader_kids=[asked.world.contacts[1].kid])


async def test_the_same_yes_twice_at_once_waits_its_turn_and_is_one(asked: Asked) -> None:
    """I12: whoever changes the incident goes first, and the second one is answered as the first."""
    request = asked.reporter.consent(asked.request)
    twice = [asked.reporter.call(GIVE, request) for _ in range(2)]
    async with held_up(asked.world.deps.database, asked.reporter.incident, *twice) as giving:
        assert not await asked.rows("consents")
    first, second = await giving

    assert first == second
    assert len(await asked.rows("consents")) == 1


def test_the_moment_to_answer_by_is_too_late() -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    notice: Any = SimpleNamespace(
        state=common.NOTICE_STATE_CONSENT_PENDING, decision_stands=True, now=now, answer_by_time=now
    )

    with pytest.raises(FailedPrecondition):
        _require_answerable(notice)
    notice.now -= timedelta(microseconds=1)
    _require_answerable(notice)


async def test_an_excluded_reader_is_refused_though_the_request_still_names_them(asked: Asked) -> None:
    subject = asked.world.contacts[0].staff.subject
    async with asked.world.deps.database.transaction() as conn:
        await conn.execute(t.exclusions.insert().values(incident=asked.reporter.incident, target=subject))

    assert await reason_of(asked.reporter.give(asked.request)) == "READER_MISMATCH"


async def test_a_reader_whom_the_reporter_excluded_meanwhile_is_refused(asked: Asked) -> None:
    reporter, seat = asked.reporter, asked.world.contacts[0]
    exclude = rpc.ExcludeRequest(
        incident=reporter.incident,
        exclusion=reporter.exclusion(seat.staff.subject),
        request_id=str(uuid.uuid4()),
    )
    await reporter.call("ReporterService/Exclude", exclude)

    assert await reason_of(reporter.give(asked.request)) == "READER_MISMATCH"
    state = await asked.state()
    assert list(state.excluded_reader_kids) == [seat.kid]
    assert list(state.reader_kids) == [asked.world.contacts[1].kid]
    assert await reporter.give(asked.request, reader_kids=list(state.reader_kids))


async def test_a_reader_found_to_be_of_an_excluded_organisation_is_refused(world: World) -> None:
    """An affiliation that becomes known after the proposal counts all the same."""
    reporter, earlier = world.reporter(), new("organisations")
    await reporter.submit(world.counsellor, exclusion=reporter.exclusion(earlier))
    asked = Asked(world, reporter, await world.handler.propose(reporter, world.contacts))
    assert list((await asked.state()).excluded_reader_kids) == []
    await world.affiliate(world.contacts[0].staff.subject, earlier)

    assert await reason_of(reporter.give(asked.request)) == "READER_MISMATCH"
    assert list((await asked.state()).excluded_reader_kids) == [world.contacts[0].kid]


async def test_a_consent_id_that_is_taken_is_refused_like_anything_absent(asked: Asked) -> None:
    consent, other = new("consents"), await asked.world.reported()
    theirs = await asked.world.handler.propose(other, asked.world.contacts)
    await other.give(theirs, consent=consent)
    before = await asked.dump()

    assert await reason_of(asked.reporter.give(asked.request, consent=consent)) == "NOT_PERMITTED"
    assert await asked.dump() == before


async def test_a_yes_counts_until_the_time_to_answer_is_over_and_not_after(asked: Asked) -> None:
    await asked.world.pass_days(13.99)
    before = await asked.dump()
    late = asked.reporter.consent(asked.request)
    await asked.world.pass_days(0.02)

    assert await reason_of(asked.reporter.call(GIVE, late)) == "WRONG_STATE"
    refusal = asked.reporter.refusal(asked.request.notice)
    assert await reason_of(asked.reporter.call(REFUSE, refusal)) == "WRONG_STATE"
    assert await asked.dump() == before

    await asked.world.pass_days(-0.02)
    assert (await asked.reporter.call(GIVE, late)).consent_request.state == common.NOTICE_STATE_OFFERED


async def test_a_yes_after_a_no_counts(asked: Asked) -> None:
    await asked.reporter.call(REFUSE, asked.reporter.refusal(asked.request.notice))

    assert (await asked.reporter.give(asked.request)).answer == pb.ConsentRequest.ANSWER_GIVEN


async def test_a_newer_yes_supersedes_and_leaves_nothing_of_the_one_before(asked: Asked) -> None:
    first = await asked.reporter.give(asked.request)
    reader = asked.world.contacts[1]

    second = await asked.reporter.give(
        asked.request, reader_kids=[reader.kid], sections=[asked.request.sections[0]]
    )

    assert first.consent != second.consent
    async with asked.world.deps.database.transaction() as conn:
        consents = list(
            await conn.execute(t.consents.select().where(t.consents.c.notice == asked.request.notice))
        )
        live = next(row.name for row in consents if row.state == ConsentState.GIVEN)
        wraps = list(
            await conn.execute(
                t.wraps.select().where(
                    t.wraps.c.incident == asked.reporter.incident,
                    t.wraps.c.grant_name.startswith("consents/"),
                )
            )
        )
        seats = list(await conn.execute(t.seats.select().where(t.seats.c.notice == asked.request.notice)))
    assert sorted(row.state for row in consents) == [ConsentState.GIVEN, ConsentState.SUPERSEDED]
    assert {(row.grant_name, row.reader_kid) for row in wraps} == {(live, reader.kid)}
    assert [row.kid for row in seats if row.closed_time is None] == [reader.kid]


@pytest.mark.parametrize(
    ("accepted", "before", "after"),
    [
        ("v1", common.NOTICE_STATE_TERMS_ACCEPTED, common.NOTICE_STATE_TERMS_ACCEPTED),
        ("v1", common.NOTICE_STATE_OPENED, common.NOTICE_STATE_OPENED),
        ("v0", common.NOTICE_STATE_TERMS_ACCEPTED, common.NOTICE_STATE_OFFERED),
    ],
)
async def test_terms_that_were_accepted_stay_accepted_under_a_newer_yes(
    asked: Asked, accepted: str, before: common.NoticeState, after: common.NoticeState
) -> None:
    await asked.reporter.give(asked.request)
    await asked.accept_terms(accepted)
    await asked.stands_at(before)

    assert (await asked.reporter.give(asked.request)).state == after


@pytest.mark.parametrize(
    "state", ["NOT_CONSENTED", "DECLINED", "LAPSED", "WITHDRAWN", "RECALL_REQUESTED", "EXPIRED"]
)
async def test_a_closed_notice_takes_no_answer(asked: Asked, state: str) -> None:
    await asked.stands_at(common.NoticeState.Value(f"NOTICE_STATE_{state}"))
    before = await asked.dump()

    assert await reason_of(asked.reporter.give(asked.request)) == "WRONG_STATE"
    refusal = asked.reporter.refusal(asked.request.notice)
    assert await reason_of(asked.reporter.call(REFUSE, refusal)) == "WRONG_STATE"
    assert await asked.dump() == before


async def test_giving_needs_no_policy_engine(asked: Asked) -> None:
    asked.reporter.world = asked.world.without_policy()

    assert (await asked.reporter.give(asked.request)).state == common.NOTICE_STATE_OFFERED


async def test_a_consent_that_the_policy_engine_does_not_know_yet_follows_by_job(asked: Asked) -> None:
    asked.reporter.world = asked.world.without_policy()
    await asked.reporter.give(asked.request)

    assert any(asked.reporter.incident in args for args in await asked.rows("jobs"))


# No.


async def test_a_no_changes_nothing_that_anybody_else_can_see(asked: Asked) -> None:
    """The versions, epochs, jobs and the snapshot for coordination are those of an unanswered request."""
    fetch = rpc.FetchSnapshotRequest(incident=asked.reporter.incident)
    snapshot = await asked.reporter.call("InternalService/FetchSnapshot", fetch)
    before = await asked.dump()

    answer = (await asked.reporter.call(REFUSE, asked.reporter.refusal(asked.request.notice))).consent_request

    assert answer.answer == pb.ConsentRequest.ANSWER_REFUSED
    assert answer.state == common.NOTICE_STATE_CONSENT_PENDING
    assert await asked.reporter.call("InternalService/FetchSnapshot", fetch) == snapshot
    after = await asked.dump()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"notices", "acts", "sequences"}


async def test_the_same_no_twice_is_one_and_another_body_is_refused(asked: Asked) -> None:
    request = asked.reporter.refusal(asked.request.notice)
    first = await asked.reporter.call(REFUSE, request)
    before = await asked.dump()

    assert await asked.reporter.call(REFUSE, request) == first
    request.refusal.CopyFrom(asked.reporter.refusal(asked.request.notice).refusal)
    assert await reason_of(asked.reporter.call(REFUSE, request)) == "REQUEST_ID_REUSED"
    assert await asked.dump() == before


async def test_a_no_that_is_not_right_changes_nothing(asked: Asked) -> None:
    reporter, notice = asked.reporter, asked.request.notice
    forged = reporter.refusal(notice)
    forged.refusal.signature = SecretKeys.generate().sign(forged.refusal.statement)
    swapped = reporter.refusal(notice)
    swapped.refusal.CopyFrom(reporter.consent(asked.request).consent)
    before = await asked.dump()

    for request, reason in [
        (forged, "STATEMENT_SIGNATURE"),
        (swapped, "STATEMENT_SIGNATURE"),
        (reporter.refusal(notice, installation="a" * 52), "STATEMENT_FOREIGN"),
        (reporter.refusal(notice, notice=new(f"{reporter.incident}/notices")), "STATEMENT_FOREIGN"),
        (reporter.refusal(notice, sequence=1), "STATEMENT_SEQUENCE"),
        (reporter.refusal(new(f"{reporter.incident}/notices")), "NOT_PERMITTED"),
    ]:
        assert await reason_of(reporter.call(REFUSE, request)) == reason
        assert await asked.dump() == before


async def test_what_was_given_is_withdrawn_not_refused(asked: Asked) -> None:
    await asked.reporter.give(asked.request)

    refusal = asked.reporter.refusal(asked.request.notice)

    assert await reason_of(asked.reporter.call(REFUSE, refusal)) == "WRONG_STATE"


async def test_a_reporter_of_another_incident_answers_nothing(asked: Asked) -> None:
    stranger = await asked.world.reported()
    before = await asked.dump()
    give = stranger.consent(asked.request, sections=[stranger.ref(SUMMARY)])

    assert await reason_of(stranger.call(GIVE, give)) == "NOT_PERMITTED"
    assert await reason_of(stranger.call(REFUSE, stranger.refusal(asked.request.notice))) == "NOT_PERMITTED"
    assert await asked.dump() == before
