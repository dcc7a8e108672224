"""The main job, whole, and every way in which it can turn: I1, I2, I27, T2, T3."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime

import pytest

from demo import texts
from meldbrug.client import Decided, MemberClient, NotPermitted, Refused, Yes
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_SAFETY_CONTACT,
    DECLINE_REASON_CAPACITY,
    GROUND_REPORTER_CONSENT,
    INCIDENT_STATE_WITHDRAWN,
    KIND_ACCOUNT,
    KIND_MEASURES,
    KIND_SUMMARY,
    NOTICE_STATE_CONSENT_PENDING,
    NOTICE_STATE_DECLINED,
    NOTICE_STATE_NOT_CONSENTED,
    NOTICE_STATE_OPENED,
    NOTICE_STATE_RECALL_REQUESTED,
    NOTICE_STATE_WITHDRAWN,
    OPENING_CAPACITY_HANDLER,
    OPENING_CAPACITY_READER,
    PURPOSE_INFORM,
    PURPOSE_PROTECT_PEOPLE,
)
from meldbrug.crypto import SecretKeys
from meldbrug.disclosure.v1.disclosure_pb2 import ConsentRequest
from tests.support.actors import NOTICE, TEXTS, Actors, Case, Hired, seen, stub_of, until
from tests.support.sector import World

EVERYTHING = set(NOTICE)


async def kinds_opened(reader: MemberClient, notice: str) -> set[int]:
    """What a reader reads of a notice now."""
    return {text.kind for text in (await reader.reader.open(notice, PURPOSE_PROTECT_PEOPLE)).texts}


async def refused(call: Awaitable[object]) -> bool:
    """Whether a call meets the one closed door, or a key that has ended."""
    try:
        await call
    except Refused as refusal:
        return refusal.reason in {"NOT_PERMITTED", "KEY_UNKNOWN"}
    return False


async def state_for_handler(case: Case) -> int:
    return next(
        s.state
        for s in [n async for n in case.handler.handler.notices(case.incident)]
        if s.name == case.notice
    )


async def tombstone(reader: MemberClient, notice: str) -> int:
    """The state that the tombstone in a reader's inbox shows."""
    stub = await until(lambda: stub_of(reader, notice), lambda stub: stub is not None and stub.tombstone)
    assert stub is not None
    return stub.state


async def offered_to(actors: Actors, *parties: str) -> tuple[Case, list[Hired]]:
    """A case whose notice is offered to and accepted by a new contact for each named party."""
    contacts = [await actors.contact(party) for party in parties]
    case = await actors.report()
    await case.propose(parties[0], [contact.client for contact in contacts])
    await case.accepted()
    return case, contacts


async def test_the_demo_story_holds_and_shows_what_it_says(world: World) -> None:
    assert len(world.narration.checked) >= 10
    assert world.told.incident
    assert world.told.to_broadcaster != world.told.to_facility
    assert world.told.withdrawal_ms < 2000
    shown = " ".join(world.narration.text.replace("│", " ").split())
    assert " ".join(texts.NL.summary.split()) in shown
    assert " ".join(texts.NL.account.split()) in shown


async def test_what_the_demo_refused_is_never_a_yes_and_what_it_withdrew_is_a_tombstone(world: World) -> None:
    actors = Actors(world)
    counsellor = actors.member("duinroos-vp").handler

    states = {sent.name: sent.state async for sent in counsellor.notices(world.told.incident)}

    # The story itself saw it pending; the clock of the request may have run out in another test.
    assert states[world.told.to_facility] in {NOTICE_STATE_CONSENT_PENDING, NOTICE_STATE_NOT_CONSENTED}
    reader = actors.member("noorderlicht-contact")
    assert await tombstone(reader, world.told.to_broadcaster) == NOTICE_STATE_RECALL_REQUESTED
    assert await stub_of(actors.member("lichtbrug-contact"), world.told.to_facility) is None


async def test_every_opening_is_listed_for_the_reporter_with_who_and_in_which_role(actors: Actors) -> None:
    """I8: one row for each opening, whoever opened."""
    case, [contact] = await offered_to(actors, "noorderlicht")
    await case.handler.handler.read(case.incident)
    await contact.client.reader.open(case.notice, PURPOSE_INFORM, [KIND_SUMMARY])

    openings = [item async for item in case.reporter.openings()]

    read = [item for item in openings if item.opening.capacity == OPENING_CAPACITY_READER]
    assert [(item.who and item.who.kid, list(item.opening.kinds), item.opening.purpose) for item in read] == [
        (contact.kid, [KIND_SUMMARY], PURPOSE_INFORM)
    ]
    handled = [item for item in openings if item.opening.capacity == OPENING_CAPACITY_HANDLER]
    assert {item.who.kid for item in handled if item.who} == {case.handler.kid}
    assert all(item.role for item in [*read, *handled])


async def test_nothing_can_be_read_before_the_yes_nor_before_the_terms(actors: Actors) -> None:
    contact, case = (await actors.contact("noorderlicht")).client, await actors.report()
    await case.propose("noorderlicht", [contact])

    assert await refused(contact.reader.stub(case.notice))
    assert await refused(contact.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    await case.offered()
    assert await refused(contact.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    await contact.reader.accept(case.notice, await case.terms())
    assert await kinds_opened(contact, case.notice) == EVERYTHING


async def test_a_part_of_a_yes_opens_that_part_for_those_people_and_purposes(actors: Actors) -> None:
    named, left_out = [(await actors.contact("noorderlicht")).client for _ in range(2)]
    case = await actors.report()
    await case.propose("noorderlicht", [named, left_out])
    preview = await case.consents.preview(case.notice)
    summary = next(text.section for text in preview.texts if text.kind == KIND_SUMMARY)

    await case.accepted(Yes(reader_kids=[named.kid], sections=[summary], purposes=[PURPOSE_INFORM]))

    opened = await named.reader.open(case.notice, PURPOSE_INFORM)
    assert [text.text for text in opened.texts] == [NOTICE[KIND_SUMMARY]]
    assert await refused(named.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await refused(named.reader.open(case.notice, PURPOSE_INFORM, [KIND_MEASURES]))
    assert await refused(left_out.reader.stub(case.notice))
    assert await refused(left_out.reader.open(case.notice, PURPOSE_INFORM))


async def test_a_section_taken_back_is_gone_and_the_rest_stays(actors: Actors) -> None:
    case, [contact] = await offered_to(actors, "noorderlicht")
    opened = await contact.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)
    measures = next(text.section for text in opened.texts if text.kind == KIND_MEASURES)

    await case.consents.withdraw(case.notice, sections=[measures])

    assert await kinds_opened(contact.client, case.notice) == {KIND_SUMMARY}
    assert await refused(contact.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE, [KIND_MEASURES]))


async def test_a_reader_taken_back_stops_reading_and_the_other_goes_on(actors: Actors) -> None:
    case, [stays, goes] = await offered_to(actors, "noorderlicht", "noorderlicht")
    assert await kinds_opened(goes.client, case.notice) == EVERYTHING

    await case.consents.withdraw(case.notice, reader_kids=[goes.kid])

    assert await refused(goes.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await kinds_opened(stays.client, case.notice) == EVERYTHING
    assert await tombstone(goes.client, case.notice) == NOTICE_STATE_RECALL_REQUESTED


async def test_a_withdrawn_report_closes_notices_and_handlers_alike(actors: Actors) -> None:
    case, [contact] = await offered_to(actors, "noorderlicht")

    report = await case.reporter.withdraw_report()

    assert report.state == INCIDENT_STATE_WITHDRAWN
    assert await refused(contact.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await refused(case.handler.handler.read(case.incident))
    assert await refused(case.handler.handler.report(case.incident))
    assert await tombstone(contact.client, case.notice) == NOTICE_STATE_WITHDRAWN
    assert not await until(lambda: seen(case.handler, case.incident), lambda found: not found)
    own = await case.reporter.read([header.name async for header in case.reporter.headers()])
    assert {text.text for text in own} >= set(TEXTS.values())


async def test_whoever_is_excluded_after_the_offer_stops_reading(actors: Actors) -> None:
    """T2, T3: reading stops before the call returns; the other reader and the handler notice nothing."""
    case, [goes, stays] = await offered_to(actors, "noorderlicht", "noorderlicht")
    assert await kinds_opened(goes.client, case.notice) == EVERYTHING
    before = await until(lambda: state_for_handler(case), lambda state: state == NOTICE_STATE_OPENED)

    me = await goes.client.me()
    await case.reporter.exclude([me.member.subject])

    assert await refused(goes.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await kinds_opened(stays.client, case.notice) == EVERYTHING
    assert await state_for_handler(case) == before


async def test_an_excluded_organisation_is_excluded_wherever_its_people_go(
    actors: Actors, world: World
) -> None:
    """T3: a person of the excluded organisation who also works for the recipient reads nothing."""
    elsewhere = await actors.hire("kade9", "Productieleider")
    both = await actors.hire("noorderlicht", "Contactpersoon", known_as=elsewhere.client)
    await actors.appoint(both, "noorderlicht", CAPACITY_SAFETY_CONTACT)
    other = await actors.contact("noorderlicht")
    case = await actors.report()
    await case.propose("noorderlicht", [other.client, both.client])
    await case.accepted()
    assert await kinds_opened(both.client, case.notice) == EVERYTHING

    await case.reporter.exclude(organisations=[world.sector.organisation("kade9")])

    assert await refused(both.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await kinds_opened(other.client, case.notice) == EVERYTHING


async def test_a_new_yes_takes_the_place_of_the_one_before(actors: Actors) -> None:
    case, [first, second] = await offered_to(actors, "noorderlicht", "noorderlicht")
    assert await kinds_opened(first.client, case.notice) == EVERYTHING

    await case.give(Yes(reader_kids=[second.kid]))

    assert await refused(first.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await kinds_opened(second.client, case.notice) == EVERYTHING
    acts = [act.kind.value async for act in case.consents.history()]
    assert acts.count("consent") == 2


async def test_a_decision_that_no_longer_stands_closes_the_notice(actors: Actors) -> None:
    case, [contact] = await offered_to(actors, "noorderlicht")

    await case.handler.handler.decide(
        case.notice, Decided(GROUND_REPORTER_CONSENT, "Het hoeft niet meer.", stands=False)
    )

    assert await refused(contact.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await tombstone(contact.client, case.notice) == NOTICE_STATE_WITHDRAWN
    asked = next(a for a in [r async for r in case.consents.requests()] if a.notice == case.notice)
    assert asked.answer == ConsentRequest.ANSWER_CLOSED


async def test_declined_terms_open_nothing(actors: Actors) -> None:
    contact, case = (await actors.contact("noorderlicht")).client, await actors.report()
    await case.propose("noorderlicht", [contact])
    await case.offered()

    state = await contact.reader.decline(case.notice, await case.terms(), DECLINE_REASON_CAPACITY)

    assert state == NOTICE_STATE_DECLINED
    assert await refused(contact.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    await until(lambda: state_for_handler(case), lambda found: found == NOTICE_STATE_DECLINED)


async def test_a_rotated_handler_key_opens_nothing_and_the_new_one_everything(
    actors: Actors, world: World
) -> None:
    """I27, for a handler in the middle of a case."""
    counsellor = await actors.counsellor("duinroos")
    case = await actors.report([counsellor.client])
    await case.handler.handler.send(case.incident, "Dank voor je melding.")
    before = [text.text for text in await case.handler.handler.read(case.incident)]
    fresh = SecretKeys.generate()

    await counsellor.client.rotation.rotate(fresh)

    assert await refused(counsellor.client.handler.read(case.incident))
    renewed = MemberClient(world.connection, fresh)
    assert [text.text for text in await renewed.handler.read(case.incident)] == before
    await renewed.handler.send(case.incident, "Met een nieuwe sleutel.")
    await case.reporter.send("Ik lees je.")
    assert [text.text for text in await case.reporter.mailbox()][1:] == [
        "Met een nieuwe sleutel.",
        "Ik lees je.",
    ]
    assert [text.text for text in await renewed.handler.mailbox(case.incident)][-1] == "Ik lees je."


async def test_a_rotated_reader_key_opens_nothing_and_the_new_one_everything(
    actors: Actors, world: World
) -> None:
    """I27, for a reader of an accepted notice."""
    case, [contact] = await offered_to(actors, "noorderlicht")
    assert await kinds_opened(contact.client, case.notice) == EVERYTHING
    fresh = SecretKeys.generate()

    await contact.client.rotation.rotate(fresh)

    assert await refused(contact.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    renewed = MemberClient(world.connection, fresh)
    assert await kinds_opened(renewed, case.notice) == EVERYTHING
    await case.consents.withdraw(case.notice)
    assert await refused(renewed.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))


async def test_a_reporter_can_go_to_the_independent_point_instead(actors: Actors) -> None:
    case = await actors.report()
    point = actors.member("vuurtoren-admin")
    circle = await case.reporter.circle()
    chosen = [person for person in circle.independent() if person.kid == point.kid]
    account = [header.name async for header in case.reporter.headers() if header.kind == KIND_ACCOUNT]

    await case.reporter.change_intake(chosen, shared=account)

    assert await refused(case.handler.handler.read(case.incident))
    assert await refused(actors.member("duinroos-plv").handler.report(case.incident))
    await until(lambda: seen(point, case.incident))
    assert [text.text for text in await point.handler.read(case.incident)] == [TEXTS[KIND_ACCOUNT]]
    await case.reporter.send("Zij hoeven het niet meer te weten.")
    assert [text.text for text in await point.handler.mailbox(case.incident)] == [
        "Zij hoeven het niet meer te weten."
    ]


async def test_an_ended_appointment_ends_reading_before_the_call_returns(actors: Actors) -> None:
    case, [goes, stays] = await offered_to(actors, "noorderlicht", "noorderlicht")
    assert await kinds_opened(goes.client, case.notice) == EVERYTHING

    await case.actors.admin("noorderlicht").admin.end_appointment(goes.appointment)

    assert await refused(goes.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await kinds_opened(stays.client, case.notice) == EVERYTHING


async def test_a_removed_member_reads_nothing_before_the_call_returns(actors: Actors) -> None:
    case, [goes, stays] = await offered_to(actors, "noorderlicht", "noorderlicht")
    assert await kinds_opened(goes.client, case.notice) == EVERYTHING

    await case.actors.admin("noorderlicht").admin.remove(goes.member)

    assert await refused(goes.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await kinds_opened(stays.client, case.notice) == EVERYTHING


async def test_a_removed_handler_reads_nothing_before_the_call_returns(actors: Actors) -> None:
    counsellor = await actors.counsellor("duinroos")
    case = await actors.report([counsellor.client, actors.member("duinroos-vp")])
    assert await counsellor.client.handler.read(case.incident)

    await actors.admin("duinroos").admin.remove(counsellor.member)

    assert await refused(counsellor.client.handler.read(case.incident))
    assert await actors.member("duinroos-vp").handler.read(case.incident)
    await case.reporter.send("Alleen nog voor wie er is.")
    assert [text.text for text in await actors.member("duinroos-vp").handler.mailbox(case.incident)]


async def test_an_ended_participation_ends_its_readers_and_keeps_its_handlers(actors: Actors) -> None:
    """The end of a participation closes what it received, and lets it finish what it took in."""
    on = await actors.produce("duinroos", "kade9")
    handler, reader = await actors.counsellor("duinroos", on), await actors.contact("kade9", on)
    taken_in = await actors.report([handler.client], on=on)
    await taken_in.propose("kade9", [reader.client])
    await taken_in.accepted()
    assert await kinds_opened(reader.client, taken_in.notice) == EVERYTHING

    await actors.admin("kade9").admin.end_participation(on.participations["kade9"])

    assert await refused(reader.client.reader.open(taken_in.notice, PURPOSE_PROTECT_PEOPLE))
    await actors.admin("duinroos").admin.end_participation(on.participations["duinroos"])
    assert {text.text for text in await handler.client.handler.read(taken_in.incident)} >= set(TEXTS.values())
    assert not (await actors.circle(on)).counsellors(on.participations["duinroos"])


async def test_who_is_appointed_after_the_yes_reads_nothing(actors: Actors) -> None:
    """T3: a friend that the recipient's admin adds later is not among the named readers."""
    case, _ = await offered_to(actors, "noorderlicht")

    friend = await case.actors.contact("noorderlicht")

    assert await refused(friend.client.reader.stub(case.notice))
    assert await refused(friend.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
    assert await stub_of(friend.client, case.notice) is None


async def test_a_consent_ends_when_its_period_does(actors: Actors, world: World) -> None:
    """I4: by the database's clock; a clock that is set back does not open it again."""
    case, [contact] = await offered_to(actors, "noorderlicht")
    assert await kinds_opened(contact.client, case.notice) == EVERYTHING
    try:
        world.shift_clock(91 * 86_400)
        assert await refused(contact.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE))
        await tombstone(contact.client, case.notice)
    finally:
        world.shift_clock(0)
    with pytest.raises(NotPermitted):
        await contact.client.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)


async def test_an_answer_that_comes_too_late_is_no_yes(actors: Actors, world: World) -> None:
    """No answer is never a yes: after fourteen days the request has lapsed."""
    contact, case = (await actors.contact("noorderlicht")).client, await actors.report()
    await case.propose("noorderlicht", [contact])
    preview = await case.consents.preview(case.notice)
    try:
        world.shift_clock(15 * 86_400)
        with pytest.raises(Refused) as late:
            await case.consents.give(preview)
    finally:
        world.shift_clock(0)
    assert late.value.reason == "WRONG_STATE"
    assert await refused(contact.reader.stub(case.notice))


async def test_the_reporters_status_follows_the_case(actors: Actors) -> None:
    case, _ = await offered_to(actors, "noorderlicht")
    await case.handler.handler.acknowledge(case.incident)

    status = await case.reporter.status()

    assert status.look_again_time.ToDatetime(tzinfo=UTC) > datetime.now(UTC)
