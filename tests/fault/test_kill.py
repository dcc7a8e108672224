"""kill -9 between commit and each later step (I2, I3, I6, I8, I10, I11, I12).

What was acknowledged is there; what was not is whole or nothing; nothing closed opens; and the same request
id has one effect, however often it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from meldbrug.client import Consents, Draft, MemberClient, NotPermitted, accept_invitation
from meldbrug.client.errors import MeldbrugError
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_SAFETY_CONTACT,
    INCIDENT_STATE_RECEIVED,
    INCIDENT_STATE_WITHDRAWN,
    NOTICE_STATE_CONSENT_PENDING,
    PURPOSE_INFORM,
    SUBJECT_KIND_PERSON,
)
from meldbrug.coordination.v1.coordination_pb2 import Stub
from meldbrug.crypto import SecretKeys
from meldbrug.disclosure.v1.disclosure_service_pb2 import OpenSectionsResponse, WithdrawReportResponse
from tests.support.actors import TEXTS, Actors, Case, Hired, seen, stub_of
from tests.support.faults import (
    Recorder,
    converged,
    count,
    effects,
    held_at,
    is_refused,
    killed,
    killed_at,
    outcome,
    succeeds,
    until,
)
from tests.support.sector import World

WRAPS_OF_READER = "SELECT count(*) FROM disclosure.wraps WHERE incident = %s AND reader_kid = %s"
WRAPS_OF_OTHERS = "SELECT count(*) FROM disclosure.wraps WHERE incident = %s AND reader_kid <> %s"


def opens(reader: MemberClient, notice: str) -> Coroutine[Any, Any, object]:
    """An opening of a notice by a reader."""
    return reader.reader.open(notice, PURPOSE_INFORM)


async def offered(actors: Actors) -> Case:
    """A case whose notice the broadcaster's contact has opened."""
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    await succeeds(lambda: opens(case.reader, case.notice))
    return case


@pytest.mark.parametrize("point", ["report.after_commit", "report.after_sync"])
async def test_a_report_that_was_committed_is_there_whole(
    world: World, actors: Actors, recorder: Recorder, point: str
) -> None:
    """I10, I11, I12: nobody was told that it is in, and it is in; sending it again changes nothing."""
    circle, reporter = await actors.circle(), actors.newcomer()
    intake = circle.counsellors(actors.on.participations["duinroos"])
    draft = Draft(texts=TEXTS, intake=intake, production=circle.production)
    await killed_at(world.stack, "disclosure", point, reporter.report(draft))
    sent = recorder.last("SubmitReport")
    before = effects(world, sent.request.incident)  # type: ignore[attr-defined]
    assert (before["sections"], before["seats"]) == (len(TEXTS), len(intake))
    assert before["wraps"] == len(TEXTS) * (len(intake) + 1)
    await recorder.again(sent)
    found = await succeeds(reporter.find)
    assert effects(world, found.name) == before
    assert (
        count(world, "SELECT count(*) FROM disclosure.incidents WHERE reporter_kid = %s", reporter.kid) == 1
    )
    await converged(world, found.name)
    handler = actors.member("duinroos-vp").handler
    assert len(await succeeds(lambda: handler.read(found.name))) == len(TEXTS)


async def test_a_report_that_was_cut_off_anywhere_is_whole_or_nothing(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """I11: killed at moments that nobody chose; then the client repeats the same bytes and it is in once."""
    circle = await actors.circle()
    draft = Draft(
        texts=TEXTS,
        intake=circle.counsellors(actors.on.participations["duinroos"]),
        production=circle.production,
    )
    reporters = [actors.newcomer() for _ in range(24)]
    calls = [asyncio.create_task(reporter.report(draft)) for reporter in reporters]
    await until(lambda: _done(calls, 4))
    await asyncio.to_thread(world.stack.kill, "disclosure")
    acknowledged = [call.done() and not call.exception() for call in calls]
    assert any(acknowledged), "the kill came too early to tell"
    assert not all(acknowledged), "the kill came too late to tell"
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.to_thread(world.stack.start, "disclosure")
    submissions = {
        sent.credentials.keys.kid: sent
        for sent in recorder.sent
        if sent.method.endswith("/SubmitReport") and sent.credentials
    }
    for reporter, is_in in zip(reporters, acknowledged, strict=True):
        sent = submissions[reporter.kid]
        rows = effects(world, sent.request.incident)  # type: ignore[attr-defined]
        whole = rows["sections"] == len(TEXTS) and rows["wraps"] == len(TEXTS) * (len(draft.intake) + 1)
        assert whole or (not is_in and not any(rows.values())), rows
        await recorder.again(sent)
        assert (await succeeds(reporter.find)).name == sent.request.incident  # type: ignore[attr-defined]


async def _done(calls: list[asyncio.Task[Any]], wanted: int) -> bool:
    return sum(call.done() for call in calls) >= wanted


@pytest.mark.parametrize("point", ["give.after_commit", "give.after_sync"])
async def test_a_consent_that_was_committed_is_given_once(
    world: World, actors: Actors, recorder: Recorder, point: str
) -> None:
    """I3, I6, I10, I12: it arms by itself, and repeating it gives nothing more."""
    case = await actors.report()
    reader = actors.member("noorderlicht-contact")
    await case.propose("noorderlicht", [reader])
    await killed_at(world.stack, "disclosure", point, case.give())
    before = effects(world, case.incident)
    assert before["consents"] == 1
    await converged(world, case.incident)
    await recorder.again(recorder.last("GiveConsent"))
    assert effects(world, case.incident) == before
    await succeeds(lambda: _accept(case))
    await succeeds(lambda: opens(reader, case.notice))


async def _accept(case: Case) -> None:
    await case.reader.reader.accept(case.notice, await case.terms())


@pytest.mark.parametrize("point", ["withdraw.after_commit", "withdraw.after_sync"])
async def test_what_was_withdrawn_stays_shut_after_a_kill(
    world: World, actors: Actors, recorder: Recorder, point: str
) -> None:
    """I2, I3, I6: the first opening after the restart is refused, although nobody got an answer yet."""
    case = await offered(actors)
    await killed_at(world.stack, "disclosure", point, case.consents.withdraw(case.notice))
    assert await is_refused(opens(case.reader, case.notice))
    assert count(world, WRAPS_OF_READER, case.incident, case.reader.kid) == 0
    before = effects(world, case.incident)
    await recorder.again(recorder.last("WithdrawConsent"))
    assert effects(world, case.incident) == before
    await converged(world, case.incident)
    assert await is_refused(opens(case.reader, case.notice))
    await until(lambda: stub_of(case.reader, case.notice), _is_tombstone)


def _is_tombstone(stub: Stub | None) -> bool:
    return stub is not None and stub.tombstone


@pytest.mark.parametrize("point", ["withdraw.after_commit", "withdraw.after_sync"])
async def test_a_withdrawn_report_stays_shut_to_all_but_the_reporter_after_a_kill(
    world: World, actors: Actors, recorder: Recorder, point: str
) -> None:
    """I2, I3, I6, I12: to readers and handlers alike, before anybody got an answer; hers stays hers."""
    case = await offered(actors)
    as_reader = recorder.last("OpenSections")
    await case.handler.handler.read(case.incident)
    as_handler = recorder.last("OpenSections")

    await killed_at(world.stack, "disclosure", point, case.reporter.withdraw_report())

    assert await is_refused(recorder.again(as_reader))
    assert await is_refused(recorder.again(as_handler))
    assert count(world, WRAPS_OF_OTHERS, case.incident, case.reporter.kid) == 0
    await _reads_her_own(case)
    before = effects(world, case.incident)
    answer = await recorder.again(recorder.last("WithdrawReport"))
    assert isinstance(answer, WithdrawReportResponse)
    assert answer.report.state == INCIDENT_STATE_WITHDRAWN
    assert effects(world, case.incident) == before
    await converged(world, case.incident)
    for opening in (opens(case.reader, case.notice), case.handler.handler.read(case.incident)):
        assert await is_refused(opening)
    await until(lambda: stub_of(case.reader, case.notice), _is_tombstone)
    await until(lambda: seen(case.handler, case.incident), lambda found: not found)
    await _reads_her_own(case)


async def _reads_her_own(case: Case) -> None:
    """The reporter finds her report, reads all of it and sees who opened what."""
    assert (await case.reporter.find()).name == case.incident
    own = await case.reporter.read([header.name async for header in case.reporter.headers()])
    assert {text.text for text in own} >= set(TEXTS.values())
    who = {opening.who.kid for opening in [each async for each in case.reporter.openings()] if opening.who}
    assert who == {case.reader.kid, case.handler.kid}


@pytest.mark.parametrize("point", ["exclude.after_commit", "exclude.after_sync"])
async def test_who_was_excluded_stays_out_after_a_kill(
    world: World, actors: Actors, recorder: Recorder, point: str
) -> None:
    """I2, I3, I6."""
    case = await offered(actors)
    subject = (await case.reader.me()).member.subject
    await killed_at(world.stack, "disclosure", point, case.reporter.exclude([subject]))
    assert await is_refused(opens(case.reader, case.notice))
    before = effects(world, case.incident)
    await recorder.again(recorder.last("Exclude"))
    assert effects(world, case.incident) == before
    await converged(world, case.incident)
    assert await is_refused(opens(case.reader, case.notice))


async def test_a_refusal_stays_a_refusal(world: World, actors: Actors, recorder: Recorder) -> None:
    """I3, I10: the reporter's no is kept once; to the handler nothing was answered."""
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await killed_at(world.stack, "disclosure", "refuse.after_commit", case.consents.refuse(case.notice))
    before = effects(world, case.incident)
    await recorder.again(recorder.last("RefuseConsent"))
    assert effects(world, case.incident) == before
    asked = await succeeds(lambda: _request(case))
    assert asked.answer == asked.ANSWER_REFUSED

    async def shown() -> list[int]:
        return [sent.state async for sent in case.handler.handler.notices(case.incident)]

    assert await until(shown) == [NOTICE_STATE_CONSENT_PENDING]
    assert await is_refused(opens(case.reader, case.notice))


async def _request(case: Case) -> Any:
    return await anext(Consents(case.reporter).requests())


async def test_accepted_terms_are_accepted_once(world: World, actors: Actors, recorder: Recorder) -> None:
    """I10, I12."""
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.offered()
    await killed_at(world.stack, "disclosure", "accept_terms.after_commit", _accept(case))
    await recorder.again(recorder.last("AnswerTerms"))
    assert effects(world, case.incident)["acceptances"] == 1
    await succeeds(lambda: opens(case.reader, case.notice))


async def test_a_proposal_is_asked_once(world: World, actors: Actors, recorder: Recorder) -> None:
    """I10, I12."""
    case = await actors.report()
    reader = actors.member("noorderlicht-contact")
    await killed_at(world.stack, "disclosure", "propose.after_commit", case.propose("noorderlicht", [reader]))
    await recorder.again(recorder.last("ProposeNotice"))
    asked = [request async for request in case.consents.requests()]
    assert len(asked) == effects(world, case.incident)["notices"] == 1


@pytest.mark.parametrize(("point", "recorded"), [("open.after_check", 0), ("open.after_commit", 1)])
async def test_nothing_leaves_that_is_not_written_down(
    world: World, actors: Actors, recorder: Recorder, point: str, recorded: int
) -> None:
    """I8: before the commit no byte left and no row is there; after it the row is there, once, for ever."""
    case = await offered(actors)
    await killed_at(world.stack, "disclosure", point, opens(case.reader, case.notice))
    sent = recorder.last("OpenSections")
    request_id = sent.request.request_id  # type: ignore[attr-defined]
    rows = "SELECT count(*) FROM disclosure.releases WHERE kid = %s AND request_id = %s"
    assert count(world, rows, case.reader.kid, request_id) == recorded
    answer = await recorder.again(sent)
    assert isinstance(answer, OpenSectionsResponse)
    assert answer.sections
    assert count(world, rows, case.reader.kid, request_id) == 1


async def hired_reader(actors: Actors) -> tuple[Case, Hired]:
    """A case that a new contact of the broadcaster has opened."""
    hired = await actors.contact("noorderlicht")
    case = await actors.report()
    await case.propose("noorderlicht", [hired.client])
    await case.accepted()
    await succeeds(lambda: opens(hired.client, case.notice))
    return case, hired


ENDINGS = ["remove_member", "end_appointment"]


def ending(actors: Actors, hired: Hired, how: str) -> Coroutine[Any, Any, object]:
    """An act of the broadcaster's admin that ends someone's seats."""
    admin = actors.admin("noorderlicht").admin
    return admin.remove(hired.member) if how == "remove_member" else admin.end_appointment(hired.appointment)


METHODS = {"remove_member": "RemoveMember", "end_appointment": "EndAppointment"}


@pytest.mark.parametrize(
    ("service", "point", "how"),
    [
        ("directory", "remove.after_directory_commit", "end_appointment"),
        ("directory", "remove.after_end_seats", "end_appointment"),
        ("directory", "remove.after_directory_commit", "remove_member"),
        ("directory", "remove.after_end_seats", "remove_member"),
        ("disclosure", "end_seats.after_commit", "end_appointment"),
        ("disclosure", "end_seats.after_commit", "remove_member"),
    ],
)
async def test_an_ending_bites_before_it_is_answered_whoever_died(
    world: World, actors: Actors, recorder: Recorder, service: str, point: str, how: str
) -> None:
    """I2, I3, I6: once the repeated call is answered, the reader is out in SQL and in the policy engine."""
    case, hired = await hired_reader(actors)
    await killed_at(world.stack, service, point, ending(actors, hired, how))
    await recorder.again(recorder.last(METHODS[how]))
    assert await outcome(opens(hired.client, case.notice)) in {"PERMISSION_DENIED", "UNAUTHENTICATED"}
    await until(lambda: _wraps(world, case, hired.kid), lambda left: left == 0)
    await converged(world, case.incident)
    assert await outcome(opens(hired.client, case.notice)) in {"PERMISSION_DENIED", "UNAUTHENTICATED"}


async def test_an_ending_that_nobody_repeats_bites_by_itself(world: World, actors: Actors) -> None:
    """I3: the job that committed with the ending does it, without another call of the admin."""
    case, hired = await hired_reader(actors)
    act = ending(actors, hired, "end_appointment")
    await killed_at(world.stack, "directory", "remove.after_directory_commit", act)
    await until(lambda: outcome(opens(hired.client, case.notice)), lambda code: code == "PERMISSION_DENIED")
    await converged(world, case.incident)


async def test_who_joins_an_excluded_organisation_is_out_before_the_membership_is_in(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """I3, I6, I10, T3: known to belong there first and a member after; the repeated call makes it whole."""
    hired, kade9 = await actors.contact("noorderlicht"), world.sector.organisation("kade9")
    case = await actors.report(excluded_organisations=[kade9])
    await case.propose("noorderlicht", [hired.client])
    await case.accepted()
    await succeeds(lambda: opens(hired.client, case.notice))
    admin, keys = actors.admin("kade9").admin, SecretKeys.generate()
    subject = (await hired.client.me()).member.subject
    invited = await admin.invite("Invaller", SUBJECT_KIND_PERSON, subject=subject)
    joining = await accept_invitation(
        world.connection, keys, invited.code, known_as=hired.client._credentials.keys
    )
    as_member = MemberClient(world.connection, keys)

    await killed_at(
        world.stack, "directory", "add_member.after_affiliation", admin.endorse(joining.name, keys.kid)
    )

    assert await is_refused(opens(hired.client, case.notice))
    assert await outcome(as_member.me()) == "UNAUTHENTICATED"
    await recorder.again(recorder.last("EndorseMember"))
    me = await succeeds(as_member.me)
    assert (me.member.subject, me.member.organisation) == (subject, kade9)
    for client in (hired.client, as_member):
        assert await is_refused(opens(client, case.notice))
    await until(lambda: _wraps(world, case, hired.kid), lambda left: left == 0)
    await converged(world, case.incident)


async def _wraps(world: World, case: Case, kid: str) -> int:
    return count(world, WRAPS_OF_READER, case.incident, kid)


@pytest.mark.parametrize("point", ["rotate.after_pending", "rotate.after_rewrap", "rotate.after_active"])
async def test_a_rotation_that_was_cut_off_can_be_finished(world: World, actors: Actors, point: str) -> None:
    """I3, I27: repeated, it ends with the new key reading everything and the old one nothing."""
    case, hired = await hired_reader(actors)
    keys, old = SecretKeys.generate(), hired.client
    await killed_at(world.stack, "directory", point, old.rotation.rotate(keys))
    new = MemberClient(world.connection, keys)
    await succeeds(lambda: _rotated(old, new, keys))
    opened = await succeeds(lambda: new.reader.open(case.notice, PURPOSE_INFORM))
    assert opened.texts
    # Known for some seconds yet where it was known before, and shut there too.
    assert await outcome(opens(old, case.notice)) in {"PERMISSION_DENIED", "UNAUTHENTICATED"}
    await until(lambda: outcome(opens(old, case.notice)), lambda code: code == "UNAUTHENTICATED")
    await until(lambda: _wraps(world, case, old.kid), lambda left: left == 0)
    await converged(world, case.incident)


async def _rotated(old: MemberClient, new: MemberClient, keys: SecretKeys) -> None:
    """Goes on where it stopped: as the old key, unless the new one is in force already."""
    try:
        await new.me()
    except NotPermitted:
        raise
    except MeldbrugError:
        await old.rotation.rotate(keys)


Followed = tuple[Coroutine[Any, Any, object], Callable[[], Awaitable[object]]]


async def a_report(actors: Actors) -> Followed:
    """A report that comes in, and whether its handler has the case."""
    circle, reporter = await actors.circle(), actors.newcomer()
    intake = circle.counsellors(actors.on.participations["duinroos"])

    async def is_received() -> bool:
        incident = (await reporter.find()).name
        if not await seen(actors.member("duinroos-vp"), incident):
            return False
        return (await reporter.status()).state == INCIDENT_STATE_RECEIVED

    return reporter.report(Draft(texts=TEXTS, intake=intake, production=circle.production)), is_received


async def an_offer(actors: Actors) -> Followed:
    """A consent, and whether its reader has the stub."""
    case, reader = await actors.report(), actors.member("noorderlicht-contact")
    await case.propose("noorderlicht", [reader])

    async def is_offered() -> bool:
        stub = await stub_of(reader, case.notice)
        return stub is not None and not stub.tombstone

    return case.give(), is_offered


async def a_tombstone(actors: Actors) -> Followed:
    """A withdrawal, and whether its reader has the tombstone."""
    case = await offered(actors)

    async def is_closed() -> bool:
        return _is_tombstone(await stub_of(case.reader, case.notice))

    return case.consents.withdraw(case.notice), is_closed


@pytest.mark.parametrize("what", [a_report, an_offer, a_tombstone])
async def test_coordination_catches_up_after_a_kill(
    world: World, actors: Actors, what: Callable[[Actors], Awaitable[Followed]]
) -> None:
    """I3, I10: it was pulling when it died; incident, offer and tombstone arrive all the same."""
    act, has_arrived = await what(actors)

    async with held_at(world.stack, "coordination", "coordination.after_pull") as is_held:
        await act  # Answered at once: what follows from it is held.
        await until(is_held)
        await killed(world.stack, "coordination")
    await asyncio.to_thread(world.stack.start, "coordination")

    await until(lambda: succeeds(has_arrived))


async def test_a_new_counsellor_can_be_appointed_after_a_kill(world: World, actors: Actors) -> None:
    """I10: after every kill above the directory still enrols and appoints."""
    hired = await actors.appoint(
        await actors.hire("noorderlicht", "Contactpersoon"), "noorderlicht", CAPACITY_SAFETY_CONTACT
    )
    circle = await actors.circle()
    assert hired.kid in {
        person.kid for person in circle.safety_contacts(actors.on.participations["noorderlicht"])
    }
    await actors.admin("noorderlicht").admin.end_appointment(hired.appointment)
