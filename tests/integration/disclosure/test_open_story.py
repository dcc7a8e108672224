"""From the report to the end through the service's own doors, with real keys: what is opened can be read."""

from __future__ import annotations

import uuid

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, statements, terms_digest
from meldbrug.crypto.sealing import SealedSection, SectionContext, open_section, unwrap_key
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.kernel.errors import NotPermitted
from tests.integration.disclosure.builders import INSTALLATION, SEQUENCE, Member, Reporter, World


def opening(notice: str, *kinds: common.Kind) -> rpc.OpenSectionsRequest:
    return rpc.OpenSectionsRequest(
        notice=notice, kinds=kinds, purpose=common.PURPOSE_INFORM, request_id=str(uuid.uuid4())
    )


async def accept(world: World, reader: Member, notice: str, recipient: str) -> None:
    answer = said.TermsAnswer(
        installation=INSTALLATION,
        notice=notice,
        participation=recipient,
        terms_version=world.deps.terms.version,
        terms_digest=terms_digest(world.deps.terms.texts[common.LANGUAGE_NL]),
        accepted=True,
        reader_kid=reader.kid,
        sequence=next(SEQUENCE),
    )
    request = rpc.AnswerTermsRequest(
        notice=notice,
        answer=statements.sign(StatementKind.TERMS, answer, reader.keys),
        request_id=str(uuid.uuid4()),
    )
    await reader.call("ReaderService/AnswerTerms", request)


def plaintext(opened: pb.OpenedSection, reader: Member, reporter: Reporter) -> bytes:
    """What the reader's client shows, every check of the library made."""
    header = opened.header
    place = SectionContext(INSTALLATION, reporter.incident, header.name, header.version, header.kind)
    cek = unwrap_key(opened.wrap.wrap, reader.keys, place, opened.grant, opened.purposes)
    sealed = SealedSection(
        opened.ciphertext,
        header.digest,
        header.commitment,
        header.author_kid,
        header.author_signature,
        header.reporter_kid,
    )
    return open_section(place, sealed, cek, reporter.keys.public)


def withdrawal(reporter: Reporter, notice: str) -> rpc.WithdrawConsentRequest:
    message = said.Withdrawal(
        installation=INSTALLATION,
        incident=reporter.incident,
        notice=notice,
        reporter_kid=reporter.kid,
        sequence=next(SEQUENCE),
    )
    signed = reporter.sign(StatementKind.WITHDRAWAL, message)
    return rpc.WithdrawConsentRequest(notice=notice, withdrawal=signed, request_id=str(uuid.uuid4()))


async def test_named_readers_read_from_the_acceptance_to_the_withdrawal(world: World) -> None:
    reporter = await world.reported()
    readers = [world.member(contact) for contact in world.contacts]
    asked = await world.handler.propose(reporter, world.contacts)
    with pytest.raises(NotPermitted):
        await readers[0].call("ReaderService/OpenSections", opening(asked.notice))
    await reporter.give(asked)
    with pytest.raises(NotPermitted):
        await readers[0].call("ReaderService/OpenSections", opening(asked.notice))
    await accept(world, readers[0], asked.notice, asked.recipient)

    for reader in readers:
        answer = await reader.call("ReaderService/OpenSections", opening(asked.notice))

        keys = PublicKeys(answer.reporter_keys.signing, answer.reporter_keys.sealing)
        consent = statements.verify(StatementKind.CONSENT, answer.consent, keys, said.Consent)
        assert reader.kid in consent.reader_kids
        decision = statements.verify(
            StatementKind.DECISION, answer.decision, world.handler.staff.public, said.Decision
        )
        assert (decision.notice, decision.reporter_kid) == (asked.notice, keys.kid)
        assert all(plaintext(opened, reader, reporter) for opened in answer.sections)

    outsider = world.member(world.elsewhere)
    with pytest.raises(NotPermitted):
        await outsider.call("ReaderService/OpenSections", opening(asked.notice))
    await reporter.call("ReporterService/WithdrawConsent", withdrawal(reporter, asked.notice))
    for reader in readers:
        with pytest.raises(NotPermitted):
            await reader.call("ReaderService/OpenSections", opening(asked.notice))
    openings = await reporter.call(
        "ReporterService/ListOpenings", rpc.ListOpeningsRequest(incident=reporter.incident)
    )
    assert {each.subject for each in openings.openings} == {reader.staff.subject for reader in readers}


async def test_a_second_consent_takes_the_place_of_the_first(world: World) -> None:
    reporter = await world.reported()
    first, second = (world.member(contact) for contact in world.contacts)
    asked = await world.handler.propose(reporter, world.contacts)
    await reporter.give(asked)
    await accept(world, first, asked.notice, asked.recipient)
    before = await second.call("ReaderService/OpenSections", opening(asked.notice))

    await reporter.give(asked, reader_kids=[first.kid])

    with pytest.raises(NotPermitted):
        await second.call("ReaderService/OpenSections", opening(asked.notice))
    after = await first.call("ReaderService/OpenSections", opening(asked.notice))
    assert after.sections[0].grant != before.sections[0].grant
    assert all(plaintext(opened, first, reporter) for opened in after.sections)


async def test_handler_and_reporter_open_what_they_sealed_to_each_other(world: World) -> None:
    reporter = await world.reported()
    header = reporter.headers[common.KIND_ACCOUNT]
    request = {"incident": reporter.incident, "sections": [header.name], "request_id": str(uuid.uuid4())}

    handled = await world.handler.call(
        "HandlerService/OpenSections", rpc.HandlerServiceOpenSectionsRequest(**request)
    )
    own = await reporter.call(
        "ReporterService/OpenSections", rpc.ReporterServiceOpenSectionsRequest(**request)
    )

    keys = PublicKeys(handled.reporter_keys.signing, handled.reporter_keys.sealing)
    intake = statements.verify(StatementKind.INTAKE, handled.intake, keys, said.Intake)
    assert [each.kid for each in intake.handlers] == [world.handler.kid]
    assert plaintext(handled.sections[0], world.handler, reporter)
    assert own.sections[0].ciphertext == handled.sections[0].ciphertext
    assert own.sections[0].wrap.reader_kid == reporter.kid
