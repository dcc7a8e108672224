"""T7, T26, T27: the Python and the TypeScript client play one story, each in turn on either side.

What one seals the other opens, what one signs the other verifies, and both write a statement in the same
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message

from meldbrug.client import Consents, MemberClient, NotPermitted, ReporterClient
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, keys_from, new_entropy, to_words
from meldbrug.directory.v1.directory_pb2 import Organisation
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said
from tests.integration.typescript.peer import Peer, PeerFailed, seeds
from tests.support.actors import NOTICE, TEXTS, Actors, Case, seen, stub_of, until
from tests.support.sector import World

UNTIL = int((datetime.now(UTC) + timedelta(days=60)).timestamp())
ACCOUNT, SUMMARY, MEASURES = (
    TEXTS[common.KIND_ACCOUNT],
    NOTICE[common.KIND_SUMMARY],
    NOTICE[common.KIND_MEASURES],
)
PURPOSES = [common.PURPOSE_PROTECT_PEOPLE, common.PURPOSE_INFORM]
OPEN = (common.NOTICE_STATE_OFFERED, common.NOTICE_STATE_TERMS_ACCEPTED, common.NOTICE_STATE_ACKNOWLEDGED)
CLOSED = (common.NOTICE_STATE_WITHDRAWN, common.NOTICE_STATE_RECALL_REQUESTED)


@dataclass(frozen=True)
class Receipt:
    """One receipt, for either language."""

    words: str
    reporter: ReporterClient


@pytest.fixture
def receipt(world: World) -> Receipt:
    entropy = new_entropy()
    return Receipt(" ".join(to_words(entropy, "nl")), ReporterClient(world.connection, keys_from(entropy)))


def by_kind(texts: dict[common.Kind.ValueType, str]) -> dict[str, str]:
    return {str(int(kind)): text for kind, text in texts.items()}


def texts_of(found: list[dict[str, object]]) -> list[object]:
    return [text["text"] for text in found]


async def reported(typescript: Peer, actors: Actors, receipt: Receipt, *handlers: MemberClient) -> str:
    """A report by the TypeScript client, once its handler sees it."""
    chosen = handlers or (actors.member("duinroos-vp"), actors.member("duinroos-plv"))
    incident: str = await typescript.do(
        "report",
        receipt=receipt.words,
        code=actors.on.code,
        texts=by_kind(TEXTS),
        intake=[handler.kid for handler in chosen],
    )
    await until(lambda: seen(chosen[0], incident))
    return incident


def written_alike(signed: common.Signed, cls: type[Message]) -> bool:
    """Whether Python writes what the statement says in the very bytes that were signed."""
    return cls.FromString(signed.statement).SerializeToString(deterministic=True) == signed.statement


async def test_the_installation_is_the_pinned_one_and_everyone_verifies(
    typescript: Peer, actors: Actors, world: World
) -> None:
    circle = await actors.circle()

    assert await typescript.do("root") == world.endpoints.installation
    assert await typescript.do("circle", code=actors.on.code) == [
        [person.kid, person.appointment.role] for person in circle.everyone()
    ]
    independent = (await actors.public.standing_entry()).independent()
    assert await typescript.do("independent") == [[p.kid, p.appointment.role] for p in independent]
    assert await typescript.do("terms", language=1) == (await actors.public.terms(common.LANGUAGE_NL)).text


async def test_a_reporter_in_typescript_talks_and_consents_in_part_to_what_python_proposes(
    typescript: Peer, actors: Actors, receipt: Receipt
) -> None:
    incident = await reported(typescript, actors, receipt)
    handler, contact = actors.member("duinroos-vp"), actors.member("noorderlicht-contact")
    case = Case(actors, actors.on, incident, receipt.reporter, handler)

    assert [text.text for text in await handler.handler.read(incident)] == list(TEXTS.values())
    await handler.handler.send(incident, "Dank je dat je dit meldt.")
    await typescript.do("send", receipt=receipt.words, text="Graag gedaan. Één ding nog: 😀")
    assert texts_of(await typescript.do("mailbox", receipt=receipt.words)) == [
        "Dank je dat je dit meldt.",
        "Graag gedaan. Één ding nog: 😀",
    ]
    assert [text.text for text in await handler.handler.mailbox(incident)][
        1
    ] == "Graag gedaan. Één ding nog: 😀"
    assert (await receipt.reporter.mailbox())[0].text == "Dank je dat je dit meldt."

    notice = await case.propose("noorderlicht", [contact, actors.member("noorderlicht-systeem")])
    assert await typescript.do("requests", receipt=receipt.words) == [notice]
    shown = await typescript.do("preview", receipt=receipt.words, notice=notice)
    assert texts_of(shown["texts"]) == [SUMMARY, MEASURES]
    assert sorted(is_system for _, is_system in shown["readers"]) == [False, True]
    assert shown["organisationTitle"] == "Omroep Noorderlicht"

    await typescript.do(
        "give",
        receipt=receipt.words,
        notice=notice,
        kinds=[int(common.KIND_SUMMARY)],
        readers=[contact.kid],
        purposes=[int(common.PURPOSE_PROTECT_PEOPLE)],
    )
    await until(lambda: stub_of(contact, notice), lambda stub: stub is not None)
    await contact.reader.accept(notice, await case.terms())
    opened = await contact.reader.open(notice, common.PURPOSE_PROTECT_PEOPLE)
    assert [text.text for text in opened.texts] == [SUMMARY]
    assert list(opened.consent.purposes) == [common.PURPOSE_PROTECT_PEOPLE]
    openings = await typescript.do("openings", receipt=receipt.words)
    assert openings[0][:2] == [notice, "Compliance officer"]

    await typescript.do("withdraw", receipt=receipt.words, notice=notice)
    with pytest.raises(NotPermitted):
        await contact.reader.open(notice, common.PURPOSE_PROTECT_PEOPLE)
    assert await typescript.do("history", receipt=receipt.words) == [
        ["withdrawal", notice],
        ["consent", notice],
    ]
    assert [act.kind.value async for act in Consents(receipt.reporter).history()] == ["withdrawal", "consent"]


async def test_both_languages_write_the_same_statement_in_the_same_bytes(
    typescript: Peer, actors: Actors, receipt: Receipt
) -> None:
    incident = await reported(typescript, actors, receipt)
    case = Case(actors, actors.on, incident, receipt.reporter, actors.member("duinroos-vp"))
    refused = await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await typescript.do("refuse", receipt=receipt.words, notice=refused)
    given = await case.propose("lichtbrug", [actors.member("lichtbrug-contact")])
    await typescript.do("give", receipt=receipt.words, notice=given)
    await typescript.do("withdraw", receipt=receipt.words, notice=given)

    report = await receipt.reporter.find()
    request = service.ListConsentEventsRequest(incident=incident)
    answer = await receipt.reporter.call("ListConsentEvents", request, service.ListConsentEventsResponse)

    assert written_alike(report.intake, said.Intake)
    withdrawal, consent, refusal = answer.events
    assert written_alike(withdrawal.withdrawal, said.Withdrawal)
    assert written_alike(consent.consent, said.Consent)
    assert written_alike(refusal.refusal, said.Refusal)


async def test_a_handler_and_a_reader_in_typescript_serve_a_reporter_in_python(
    typescript: Peer, actors: Actors
) -> None:
    case = await actors.report()
    handler = {"seeds": seeds(case.handler.keys), "incident": case.incident}
    contact = actors.member("noorderlicht-contact")
    reader = {"seeds": seeds(contact.keys)}

    assert case.incident in await typescript.do("cases", **handler)
    await typescript.do("acknowledgeCase", **handler)
    await typescript.do("assess", **handler, outcome=int(common.INCIDENT_STATE_ASSESSING))
    assert texts_of(await typescript.do("readCase", **handler)) == list(TEXTS.values())
    await typescript.do("answer", **handler, text="Ik heb het gelezen.")
    note = await typescript.do("note", **handler, text="Onder ons.")
    assert await typescript.do("replace", **handler, section=note, text="Onder ons, beter gezegd.") == 2
    assert [text.text for text in await case.reporter.mailbox()] == ["Ik heb het gelezen."]
    assert note not in [header.name async for header in case.reporter.headers()]

    await typescript.do("watch", **reader)
    case.notice = await typescript.do(
        "propose",
        **handler,
        recipient=actors.on.participations["noorderlicht"],
        readers=[contact.kid],
        purposes=[int(purpose) for purpose in PURPOSES],
        validUntil=UNTIL,
        ground=int(common.GROUND_REPORTER_CONSENT),
        necessity="Zonder hen kan er op de set niets gebeuren.",
        texts=by_kind(NOTICE),
    )
    preview = await case.consents.preview(case.notice, common.LANGUAGE_NL)
    assert [text.text for text in preview.texts] == [SUMMARY, MEASURES]
    assert int(preview.valid_until.timestamp()) == UNTIL
    await case.consents.give(preview)

    assert await typescript.do("next", **reader) == [case.notice, False]
    with pytest.raises(PeerFailed) as early:
        await typescript.do("open", **reader, notice=case.notice, purpose=int(PURPOSES[0]))
    assert early.value.kind == "NOT_PERMITTED"
    await typescript.do("accept", **reader, notice=case.notice)
    opened = await typescript.do("open", **reader, notice=case.notice, purpose=int(PURPOSES[0]))
    assert texts_of(opened["texts"]) == [SUMMARY, MEASURES]
    assert opened["handler"] == "Vertrouwenspersoon"
    await typescript.do("acknowledgeNotice", **reader, notice=case.notice)
    assert [case.notice, int(common.NOTICE_STATE_ACKNOWLEDGED)] in await typescript.do("notices", **handler)

    await typescript.do(
        "decide", **handler, notice=case.notice, ground=1, necessity="Niet meer nodig.", stands=False
    )
    with pytest.raises(PeerFailed) as closed:
        await typescript.do("open", **reader, notice=case.notice, purpose=int(PURPOSES[0]))
    assert closed.value.type == "NotPermitted"
    assert (await anext(case.reporter.openings())).opening.notice == case.notice
    for states in (OPEN, CLOSED):
        found = [[stub.name, stub.tombstone] async for stub in contact.reader.inbox(states)]
        assert await typescript.do("inbox", **reader, states=list(states)) == found
        assert ([case.notice, True] in found) is (states == CLOSED)


async def test_both_clients_list_a_handlers_reports_of_one_production(
    typescript: Peer, actors: Actors
) -> None:
    case, elsewhere = await actors.report(), await actors.produce("duinroos")
    handler = {"seeds": seeds(case.handler.keys)}
    here = (await case.handler.handler.case(case.incident)).production
    there = (await actors.circle(elsewhere)).production

    for production in (here, there):
        found = [incident.name async for incident in case.handler.handler.cases(production=production)]
        assert await typescript.do("cases", **handler, production=production) == found
        assert (case.incident in found) is (production == here)
    received = int(common.INCIDENT_STATE_RECEIVED)
    assert case.incident in await typescript.do("cases", **handler, state=received, production=here)
    await case.handler.handler.acknowledge(case.incident)
    assert case.incident not in await typescript.do("cases", **handler, state=received, production=here)


async def test_a_closed_door_says_the_same_of_what_is_refused_and_what_is_not_there(
    typescript: Peer, actors: Actors
) -> None:
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    stranger = {"seeds": seeds(actors.member("kade9-contact").keys), "purpose": int(PURPOSES[0])}

    failures = []
    for notice in (case.notice, f"incidents/{'a' * 26}/notices/{'a' * 26}"):
        with pytest.raises(PeerFailed) as refused:
            await typescript.do("open", **stranger, notice=notice)
        failures.append(str(refused.value))

    assert failures[0] == failures[1]
    assert failures[0].startswith("NotPermitted")


async def test_a_reporter_in_typescript_excludes_moves_to_the_independent_point_and_withdraws(
    typescript: Peer, actors: Actors, receipt: Receipt
) -> None:
    incident = await reported(typescript, actors, receipt)
    counsellor, point = actors.member("duinroos-vp"), actors.member("vuurtoren-admin")
    accused = await actors.person(actors.member("kade9-contact"))

    await typescript.do("exclude", receipt=receipt.words, subjects=[accused.member.subject])
    await typescript.do("changeIntake", receipt=receipt.words, intake=[point.kid])
    await until(lambda: seen(point, incident))
    assert [text.text for text in await point.handler.read(incident)] == list(TEXTS.values())
    with pytest.raises(NotPermitted):
        await counsellor.handler.read(incident)

    await typescript.do("withdrawReport", receipt=receipt.words)
    with pytest.raises(NotPermitted):
        await point.handler.read(incident)
    assert texts_of(await typescript.do("read", receipt=receipt.words)) == list(TEXTS.values())


async def test_a_counsellor_is_enrolled_appointed_and_rotated_in_typescript(
    typescript: Peer, actors: Actors, receipt: Receipt
) -> None:
    admin = {"seeds": seeds(actors.admin("duinroos").keys)}
    keys, successor = SecretKeys.generate(), SecretKeys.generate()

    code = await typescript.do("invite", **admin, title="Vertrouwenspersoon voor een proef")
    member = await typescript.do("enrol", seeds=seeds(keys), code=code)
    with pytest.raises(PeerFailed) as other:
        await typescript.do("endorse", **admin, member=member, kid=successor.kid)
    assert (other.value.type, other.value.kind) == ("Unverified", "the key is not the one that was compared")
    await typescript.do("endorse", **admin, member=member, kid=keys.kid)
    participation = actors.on.participations["duinroos"]
    await typescript.do(
        "appoint", **admin, participation=participation, kid=keys.kid, capacity=1, role="Voor een proef"
    )
    hired = MemberClient(actors.world.connection, keys)
    incident = await reported(typescript, actors, receipt, hired)

    assert await typescript.do("rotate", seeds=seeds(keys), successor=seeds(successor)) == successor.kid
    renewed = MemberClient(actors.world.connection, successor)
    assert [text.text for text in await renewed.handler.read(incident)] == list(TEXTS.values())
    assert texts_of(await typescript.do("readCase", seeds=seeds(successor), incident=incident)) == list(
        TEXTS.values()
    )
    with pytest.raises(PeerFailed) as ended:
        await typescript.do("readCase", seeds=seeds(keys), incident=incident)
    # The service may know the old key for some seconds more; its seat is another's already.
    assert ended.value.kind in {"KEY_UNKNOWN", "NOT_PERMITTED"}

    await typescript.do("send", receipt=receipt.words, text="Ben je er nog?")
    assert [text.text for text in await renewed.handler.mailbox(incident)] == ["Ben je er nog?"]
    await typescript.do("remove", **admin, member=member)
    with pytest.raises(PeerFailed):
        await typescript.do("readCase", seeds=seeds(successor), incident=incident)


async def test_the_secretariat_admits_an_organisation_in_typescript(
    typescript: Peer, actors: Actors, world: World
) -> None:
    secretariat, keys = {"seeds": seeds(world.root)}, SecretKeys.generate()

    code = await typescript.do(
        "admit",
        **secretariat,
        title="Proef Omroep",
        kind=int(Organisation.KIND_BROADCASTER),
        adminTitle="Hoofd",
    )
    member = await typescript.do("enrol", seeds=seeds(keys), code=code)
    await typescript.do("endorseAdmin", **secretariat, member=member, kid=keys.kid)

    me = await MemberClient(world.connection, keys).me()
    assert (me.organisation.title, me.member.title) == ("Proef Omroep", "Hoofd")
    assert (await actors.secretariat.look_up([keys.kid])).member(keys.kid).admin


async def test_a_flood_of_strangers_is_asked_for_work_and_gets_in_with_it(
    typescript: Peer, actors: Actors
) -> None:
    found, solved = await typescript.do("flood", code=actors.on.code, times=48)

    assert found == 48
    assert solved > 0
