"""T7, T26, T27: whatever a server makes up or exchanges, the client refuses it before it shows or seals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meldbrug.client import (
    Consents,
    MemberClient,
    Pins,
    PublicClient,
    ReporterClient,
    Unverified,
    accept_invitation,
)
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, SectionContext, new_cek, seal_section, statements, wrap_key
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.statements.v1 import statements_pb2 as said
from tests.integration.client.cheating import Cheating, lying, swap
from tests.support.actors import Actors, Case
from tests.support.sector import World

STRANGER = SecretKeys.generate()


@pytest.fixture(scope="module")
async def case(world: World) -> Case:
    """A report with messages and a notice that its reader may open."""
    actors = Actors(world)
    case = await actors.report()
    await case.handler.handler.send(case.incident, "Dank je dat je dit meldt.")
    await case.reporter.send("Graag gedaan.")
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    return case


def public(keys: SecretKeys) -> common.PublicKeys:
    return common.PublicKeys(signing=keys.public.signing, sealing=keys.public.sealing)


def signed_by(
    kind: StatementKind, keys: SecretKeys, cls: type[Any], **changes: Any
) -> Callable[[common.Signed], None]:
    """A lie: the statement again, changed, and signed by other keys."""

    def lie(signed: common.Signed) -> None:
        statement = cls.FromString(signed.statement)
        for name, value in changes.items():
            setattr(statement, name, value)
        signed.CopyFrom(statements.sign(kind, statement, keys))

    return lie


def reporter_at(case: Case, world: World) -> ReporterClient:
    return ReporterClient(world.connection, case.reporter._keys)


def member_at(client: MemberClient, world: World, **given: Any) -> MemberClient:
    return MemberClient(world.connection, client.keys, **given)


# --- before anything is sealed (T26)


async def test_a_false_key_of_a_counsellor_is_not_offered(world: World) -> None:
    def lie(answer: Any) -> None:
        for contact in answer.circle.contacts:
            contact.kid = STRANGER.kid
        answer.circle.book.keys.append(public(STRANGER))

    cheated = lying(world, PublicService_GetProductionByCode=lie)

    with pytest.raises(Unverified):
        (await PublicClient(cheated.connection).circle(world.sector.code("veerpont"))).counsellors()


async def test_a_contact_moved_to_another_participation_is_not_offered(world: World) -> None:
    def lie(answer: Any) -> None:
        for contact in answer.circle.contacts:
            contact.participation = world.sector.participation("veerpont", "lichtbrug")

    cheated = lying(world, PublicService_GetProductionByCode=lie)

    with pytest.raises(Unverified):
        (await PublicClient(cheated.connection).circle(world.sector.code("veerpont"))).safety_contacts()


async def test_a_safety_contact_is_not_offered_as_counsellor(world: World) -> None:
    def lie(answer: Any) -> None:
        for contact in answer.circle.contacts:
            contact.capacity = common.CAPACITY_COUNSELLOR

    cheated = lying(world, PublicService_GetProductionByCode=lie)

    with pytest.raises(Unverified):
        (await PublicClient(cheated.connection).circle(world.sector.code("veerpont"))).counsellors()


async def test_another_root_is_another_installation(world: World) -> None:
    cheated = lying(
        world, PublicService_GetInstallation=lambda answer: answer.root.CopyFrom(public(STRANGER))
    )

    with pytest.raises(Unverified):
        await PublicClient(cheated.connection).root()


async def test_terms_are_the_ones_that_the_digest_names(world: World) -> None:
    def lie(answer: Any) -> None:
        answer.text += " Alles mag."

    cheated = lying(world, TermsService_GetTerms=lie)

    with pytest.raises(Unverified):
        await PublicClient(cheated.connection).terms(common.LANGUAGE_NL)


async def test_a_message_is_not_sealed_to_somebody_the_reporter_did_not_choose(
    world: World, actors: Actors, case: Case
) -> None:
    intruder = actors.member("noorderlicht-contact")
    book = (await intruder.look_up([intruder.kid])).served

    def forge_seat(answer: Any) -> None:
        answer.report.handler_kids.append(intruder.kid)

    cheated = lying(
        world,
        ReporterService_GetReport=forge_seat,
        ReporterService_GetCircle=lambda answer: answer.handlers.MergeFrom(book),
    )

    with pytest.raises(Unverified):
        await reporter_at(case, cheated).send("Niet voor hen.")

    assert isinstance(cheated.connection, Cheating)
    assert "PutSection" not in cheated.connection.asked


async def test_an_intake_of_somebody_else_is_not_followed(world: World, case: Case) -> None:
    forge = signed_by(StatementKind.INTAKE, STRANGER, said.Intake, reporter_kid=STRANGER.kid)
    cheated = lying(world, ReporterService_GetReport=lambda answer: forge(answer.report.intake))

    with pytest.raises(Unverified):
        await reporter_at(case, cheated).send("Niet zo.")


async def test_a_handler_does_not_seal_to_a_handler_of_a_forged_seat(
    world: World, actors: Actors, case: Case
) -> None:
    intruder = actors.member("noorderlicht-contact")
    cheated = lying(
        world, HandlerService_GetReport=lambda answer: answer.report.handler_kids.append(intruder.kid)
    )

    with pytest.raises(Unverified):
        await member_at(case.handler, cheated).handler.note(case.incident, "Onder ons.")


async def test_a_handler_is_told_when_the_reporter_was_exchanged(world: World, case: Case) -> None:
    pins = Pins()
    await member_at(case.handler, world, pins=pins).handler.report(case.incident)
    forge = signed_by(StatementKind.INTAKE, STRANGER, said.Intake, reporter_kid=STRANGER.kid)

    def lie(answer: Any) -> None:
        forge(answer.report.intake)
        answer.report.reporter_keys.CopyFrom(public(STRANGER))

    cheated = lying(world, HandlerService_GetReport=lie)

    with pytest.raises(Unverified, match="reporter"):
        await member_at(case.handler, cheated, pins=pins).handler.send(case.incident, "Hallo?")


async def test_a_handler_does_not_go_back_to_an_older_intake(world: World, case: Case) -> None:
    pins = Pins()
    seen = await member_at(case.handler, world, pins=pins).handler.report(case.incident)
    pins.check(case.incident, seen.reporter.kid, seen.intake.sequence + 1)

    with pytest.raises(Unverified, match="older"):
        await member_at(case.handler, world, pins=pins).handler.report(case.incident)


# --- before the reporter says yes


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda asked: asked.reader_kids.append(STRANGER.kid), id="a reader nobody vouches for"),
        pytest.param(lambda asked: swap(asked.sections, "section"), id="sections exchanged"),
        pytest.param(lambda asked: swap(asked.sections, "digest"), id="digests exchanged"),
        pytest.param(
            lambda asked: signed_by(
                StatementKind.DECISION, STRANGER, said.Decision, handler_kid=STRANGER.kid
            )(asked.decision),
            id="a decision of nobody",
        ),
        pytest.param(
            lambda asked: setattr(asked, "recipient", "participations/" + "a" * 26), id="another recipient"
        ),
    ],
)
async def test_a_preview_that_does_not_hold_is_not_shown(
    world: World, case: Case, lie: Callable[[Any], None]
) -> None:
    cheated = lying(world, ReporterService_GetConsentRequest=lambda answer: lie(answer.consent_request))

    with pytest.raises(Unverified):
        await Consents(reporter_at(case, cheated)).preview(case.notice)


# --- before the reporter or a handler reads


async def test_a_notice_is_not_shown_as_for_another_organisation_than_its_readers(
    world: World, case: Case
) -> None:
    def lie(answer: Any) -> None:
        recipient = answer.consent_request.recipient
        ours = next(part for part in answer.circle.participations if part.name == recipient)
        other = answer.circle.organisations.add(name="organisations/" + "a" * 26, title="De recherche")
        ours.organisation = other.name

    cheated = lying(world, ReporterService_GetConsentRequest=lie)

    with pytest.raises(Unverified, match="readers' organisation"):
        await Consents(reporter_at(case, cheated)).preview(case.notice)


async def test_a_notice_is_shown_as_for_the_organisation_that_was_vouched_for(
    world: World, case: Case
) -> None:
    def lie(answer: Any) -> None:
        for organisation in answer.circle.organisations:
            organisation.title = "De recherche"

    cheated = lying(world, ReporterService_GetConsentRequest=lie)
    preview = await Consents(reporter_at(case, cheated)).preview(case.notice)

    assert preview.organisation_title == preview.readers[0].member.organisation_title
    assert "recherche" not in preview.organisation_title


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda opened: swap(opened, "ciphertext"), id="texts exchanged"),
        pytest.param(
            lambda opened: setattr(opened[0].header, "author_kid", opened[1].header.author_kid),
            id="another author",
        ),
        pytest.param(
            lambda opened: setattr(opened[0].header, "kind", common.KIND_ACCOUNT), id="another kind"
        ),
    ],
)
async def test_a_mailbox_that_was_tampered_with_is_not_shown(
    world: World, case: Case, lie: Callable[[Any], None]
) -> None:
    cheated = lying(world, ReporterService_OpenSections=lambda answer: lie(answer.sections))

    with pytest.raises(Unverified):
        await reporter_at(case, cheated).mailbox()


async def test_a_message_of_a_stranger_is_not_shown(world: World, case: Case) -> None:
    cheated = lying(
        world, ReporterService_OpenSections=lambda answer: forged(answer.sections[0], case, STRANGER)
    )

    with pytest.raises(Unverified):
        await reporter_at(case, cheated).mailbox()


async def test_a_message_in_the_reporters_name_is_not_shown_to_handlers(
    world: World, actors: Actors, case: Case
) -> None:
    def lie(answer: Any) -> None:
        forged(answer.sections[-1], case, STRANGER, reader=actors.member("duinroos-vp").keys)
        answer.sections[-1].header.author_kid = case.reporter.kid

    cheated = lying(world, HandlerService_OpenSections=lie)

    with pytest.raises(Unverified):
        await member_at(case.handler, cheated).handler.mailbox(case.incident)


def forged(
    opened: wire.OpenedSection, case: Case, author: SecretKeys, reader: SecretKeys | None = None
) -> None:
    """Puts a text of `author` in the place of a section, sealed as it should be."""
    header, keys = opened.header, reader or case.reporter._keys
    context = SectionContext(
        case.reporter.installation, case.incident, header.name, header.version, header.kind
    )
    cek = new_cek()
    sealed = seal_section(context, "Trek je melding in.", cek, author, case.reporter.kid)
    opened.ciphertext = sealed.ciphertext
    opened.wrap.wrap = wrap_key(cek, keys.public, context, opened.grant, opened.purposes)
    header.digest, header.commitment = sealed.digest, sealed.commitment
    header.author_kid, header.author_signature = sealed.author_kid, sealed.author_signature


# --- before a reader reads (T27)


async def test_an_honest_answer_is_shown(case: Case) -> None:
    opened = await case.reader.reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)

    assert {text.kind for text in opened.texts} == {common.KIND_SUMMARY, common.KIND_MEASURES}
    assert opened.handler.member is not None
    assert opened.handler.member.organisation_title == "Duinroos Producties"


def by_stranger(kind: StatementKind, field: str, cls: type[Any], kid_field: str) -> Callable[[Any], None]:
    return lambda answer: signed_by(kind, STRANGER, cls, **{kid_field: STRANGER.kid})(getattr(answer, field))


def exchanged_reporter(answer: Any) -> None:
    answer.reporter_keys.CopyFrom(public(STRANGER))
    by_stranger(StatementKind.CONSENT, "consent", said.Consent, "reporter_kid")(answer)


def with_stranger_s_text(answer: Any) -> None:
    extra = answer.sections.add()
    extra.CopyFrom(answer.sections[0])
    extra.header.name = extra.header.name.rsplit("/", 1)[0] + "/" + "a" * 26


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(
            by_stranger(StatementKind.CONSENT, "consent", said.Consent, "reporter_kid"), id="consent forged"
        ),
        pytest.param(exchanged_reporter, id="reporter exchanged"),
        pytest.param(
            by_stranger(StatementKind.DECISION, "decision", said.Decision, "handler_kid"),
            id="decision forged",
        ),
        pytest.param(lambda answer: answer.ClearField("decision"), id="no decision"),
        pytest.param(lambda answer: answer.ClearField("consent"), id="no consent"),
        pytest.param(lambda answer: answer.ClearField("reporter_keys"), id="no reporter"),
        pytest.param(lambda answer: swap(answer.sections, "ciphertext"), id="texts exchanged"),
        pytest.param(
            lambda answer: answer.sections[0].wrap.CopyFrom(answer.sections[1].wrap), id="wraps exchanged"
        ),
        pytest.param(
            lambda answer: setattr(answer.sections[0].header, "kind", common.KIND_IMPACT), id="another kind"
        ),
        pytest.param(lambda answer: setattr(answer.sections[0].header, "version", 2), id="another version"),
        pytest.param(
            lambda answer: setattr(answer.sections[0], "grant", "consents/" + "a" * 26), id="another grant"
        ),
        pytest.param(with_stranger_s_text, id="a section that was not consented to"),
        pytest.param(lambda answer: answer.sections.pop(), id="a kind withheld"),
    ],
)
async def test_a_notice_that_does_not_hold_is_not_shown(
    world: World, case: Case, lie: Callable[[Any], None]
) -> None:
    cheated = lying(world, ReaderService_OpenSections=lie)
    reader = member_at(case.reader, cheated).reader

    with pytest.raises(Unverified):
        await reader.open(
            case.notice, common.PURPOSE_PROTECT_PEOPLE, [common.KIND_SUMMARY, common.KIND_MEASURES]
        )


async def test_a_decision_of_a_member_who_is_no_counsellor_is_refused(
    world: World, actors: Actors, case: Case
) -> None:
    outsider = actors.member("duinroos-admin").keys
    forge = signed_by(StatementKind.DECISION, outsider, said.Decision, handler_kid=outsider.kid)
    cheated = lying(world, ReaderService_OpenSections=lambda answer: forge(answer.decision))

    with pytest.raises(Unverified, match="appointment"):
        await member_at(case.reader, cheated).reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)


@pytest.mark.parametrize(
    "changes", [{"stands": False}, {"recipient": "participations/" + "a" * 26}, {"reporter_kid": "a" * 52}]
)
async def test_a_decision_that_does_not_stand_or_is_about_others_is_refused(
    world: World, case: Case, changes: dict[str, Any]
) -> None:
    forge = signed_by(StatementKind.DECISION, case.handler.keys, said.Decision, **changes)
    cheated = lying(world, ReaderService_OpenSections=lambda answer: forge(answer.decision))

    with pytest.raises(Unverified):
        await member_at(case.reader, cheated).reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)


@pytest.mark.parametrize(
    "changes",
    [
        {"notice": "incidents/" + "a" * 26 + "/notices/" + "a" * 26},
        {"incident": "incidents/" + "a" * 26},
        {"installation": "a" * 52},
        {"consent": "consents/" + "a" * 26},
        {"recipient": "participations/" + "a" * 26},
    ],
)
async def test_a_consent_to_something_else_is_refused(
    world: World, case: Case, changes: dict[str, Any]
) -> None:
    forge = signed_by(StatementKind.CONSENT, case.reporter._keys, said.Consent, **changes)
    cheated = lying(world, ReaderService_OpenSections=lambda answer: forge(answer.consent))

    with pytest.raises(Unverified):
        await member_at(case.reader, cheated).reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)


async def test_a_consent_for_other_readers_is_refused(world: World, case: Case) -> None:
    def lie(answer: Any) -> None:
        consent = said.Consent.FromString(answer.consent.statement)
        consent.reader_kids[:] = [STRANGER.kid]
        answer.consent.CopyFrom(statements.sign(StatementKind.CONSENT, consent, case.reporter._keys))

    cheated = lying(world, ReaderService_OpenSections=lie)

    with pytest.raises(Unverified, match="reader"):
        await member_at(case.reader, cheated).reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)


async def test_a_consent_that_is_over_is_refused_even_when_the_server_opens(world: World, case: Case) -> None:
    later = Cheating(world, {})
    opening = MemberClient(later, case.reader.keys)
    opening.look_up = case.reader.look_up  # type: ignore[method-assign]  # its token would be stale

    def lie(_answer: Any) -> None:
        later.clock.correct(int((datetime.now(UTC) + timedelta(days=400)).timestamp() * 1000))

    later._lies = {"ReaderService/OpenSections": lie}

    with pytest.raises(Unverified, match="in force"):
        await opening.reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)


# --- before seats are handed to a new key


async def test_a_notice_is_not_proposed_with_another_section_than_was_written(
    world: World, actors: Actors, case: Case
) -> None:
    names = [header.name async for header in case.handler.handler.headers(case.incident)]
    cheated = lying(world, HandlerService_PutSection=lambda answer: setattr(answer.section, "name", names[0]))
    lied_to = replace(case, handler=member_at(case.handler, cheated))

    with pytest.raises(Unverified):
        await lied_to.propose("noorderlicht", [actors.member("noorderlicht-contact")])

    assert isinstance(cheated.connection, Cheating)
    assert "ProposeNotice" not in cheated.connection.asked


async def test_a_message_that_was_stored_as_another_is_no_answer(world: World, case: Case) -> None:
    def lie(answer: Any) -> None:
        answer.section.name = f"{case.incident}/sections/{'a' * 26}"

    with pytest.raises(Unverified):
        await reporter_at(case, lying(world, ReporterService_PutSection=lie)).send("Niet dit.")


async def test_a_seat_that_is_not_what_it_says_is_not_handed_over(
    world: World, actors: Actors, case: Case
) -> None:
    hired = await actors.counsellor("duinroos")
    await actors.report([hired.client])

    def lie(answer: Any) -> None:
        for seat in answer.seats:
            seat.sections[0].commitment = b"\0" * 32

    cheated = lying(world, SeatService_ListSeats=lie)
    rotating = member_at(hired.client, cheated).rotation
    new_keys = SecretKeys.generate()
    await rotating.begin(new_keys)

    with pytest.raises(Unverified):
        await rotating.rewrap(new_keys)

    assert isinstance(cheated.connection, Cheating)
    assert "RewrapSeat" not in cheated.connection.asked


async def test_a_member_is_not_endorsed_with_a_key_that_was_not_compared(
    world: World, actors: Actors
) -> None:
    keys = SecretKeys.generate()
    admin = actors.admin("kade9")
    invited = await admin.admin.invite("Nachtchauffeur")
    member = await accept_invitation(world.connection, keys, invited.code)

    def lie(answer: Any) -> None:
        for each in answer.members:
            each.kid = STRANGER.kid
            each.keys.CopyFrom(public(STRANGER))

    cheated = lying(world, AdminService_ListMembers=lie)

    with pytest.raises(Unverified):
        await member_at(admin, cheated).admin.endorse(member.name, keys.kid)


async def test_every_lie_of_this_file_is_told(world: World, case: Case) -> None:
    """A method renamed would make a lie that nobody hears, and a test that proves nothing."""
    told: list[str] = []

    def hear(name: str, _answer: object) -> None:
        told.append(name)

    cheated = replace(
        world,
        connection=Cheating(
            world,
            {
                name: functools.partial(hear, name)
                for name in (
                    "ReaderService/OpenSections", "HandlerService/OpenSections", "HandlerService/GetReport",
                    "ReporterService/OpenSections", "ReporterService/GetReport", "ReporterService/GetCircle",
                    "ReporterService/GetConsentRequest", "PublicService/GetProductionByCode",
                )
            },
        ),
    )  # fmt: skip

    await member_at(case.reader, cheated).reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)
    await member_at(case.handler, cheated).handler.mailbox(case.incident)
    await member_at(case.handler, cheated).handler.report(case.incident)
    await reporter_at(case, cheated).mailbox()
    await Consents(reporter_at(case, cheated)).preview(case.notice)
    await PublicClient(cheated.connection).circle(case.on.code)

    assert len(set(told)) == 8
