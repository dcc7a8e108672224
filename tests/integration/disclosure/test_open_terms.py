"""The recipient's answer to the terms: once, by whoever sees the stub, over the text that was shown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meldbrug.crypto import statements, terms_digest
from meldbrug.crypto.errors import StatementSignature
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import Answer, CloseReason, NoticeState, Purpose
from services.disclosure.store import tables as t
from services.disclosure.usecases.accept import ATTEMPTS
from services.kernel.errors import FailedPrecondition, InvalidArgument, NotPermitted, Refusal, Unavailable
from services.kernel.openfga.adapter import OpenFGA, Probe
from tests.integration.disclosure.between import gives_up
from tests.integration.disclosure.scene import (
    INSTALLATION,
    NOW,
    TERMS,
    FakeCall,
    Notice,
    Person,
    Scene,
    request_id,
)


@pytest.fixture
def readers(scene: Scene) -> list[Person]:
    return scene.colleagues(2)


@pytest.fixture
async def notice(scene: Scene, readers: list[Person]) -> Notice:
    return await scene.notice(readers, state=NoticeState.OFFERED)


def answering(
    scene: Scene, reader: Person, notice: Notice, accepted: bool = True, **more: Any
) -> rpc.AnswerTermsRequest:
    """A signed answer; `more` overrides fields of the statement."""
    fields: dict[str, Any] = {
        "installation": INSTALLATION, "notice": notice.name, "participation": reader.participation,
        "terms_version": TERMS.version, "terms_digest": terms_digest(TERMS.texts[1]), "accepted": accepted,
        "decline_reason": 0 if accepted else 1, "reader_kid": reader.kid, "sequence": scene.sequence(),
        **more,
    }  # fmt: skip
    signed = statements.sign(StatementKind.TERMS, said.TermsAnswer(**fields), reader.keys)
    return rpc.AnswerTermsRequest(notice=notice.name, answer=signed, request_id=request_id())


async def answer(scene: Scene, reader: Person, request: rpc.AnswerTermsRequest) -> int:
    done = await scene.answering.answer_terms(request, FakeCall(reader.actor()))  # type: ignore[arg-type]
    return done.state


async def test_accepting_opens_the_door_for_the_participation(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    with pytest.raises(NotPermitted):
        await scene.read(readers[0], notice.name)
    (before,) = await scene.all(t.incidents, name=scene.incident)

    state = await answer(scene, readers[0], answering(scene, readers[0], notice))

    assert state == NoticeState.TERMS_ACCEPTED
    (after,) = await scene.all(t.incidents, name=scene.incident)
    assert (after.version, after.epoch) == (before.version + 1, before.epoch)
    for reader in readers:
        assert (await scene.read(reader, notice.name)).sections
    assert ("inform", {"incident": scene.incident}) in await scene.jobs()


async def test_the_text_counts_in_either_language(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    english = answering(scene, readers[0], notice, terms_digest=terms_digest(TERMS.texts[2]))

    assert await answer(scene, readers[0], english) == NoticeState.TERMS_ACCEPTED


async def test_declining_closes_it_for_everyone_at_once(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    state = await answer(scene, readers[0], answering(scene, readers[0], notice, accepted=False))

    assert state == NoticeState.DECLINED
    (row,) = await scene.all(t.notices, name=notice.name)
    assert (row.state, row.answer) == (NoticeState.DECLINED, Answer.CLOSED)
    assert await scene.count(t.wraps, grant_name=notice.consent) == 0
    assert {relation for _, relation, _ in await scene.tuples(notice.name)} == {"handler", "origin"}
    assert [reader.live for reader in (await scene.snapshot()).notices[0].readers] == [False, False]


async def test_the_first_answer_counts(scene: Scene, readers: list[Person], notice: Notice) -> None:
    await answer(scene, readers[0], answering(scene, readers[0], notice))

    with pytest.raises(FailedPrecondition) as refused:
        await answer(scene, readers[1], answering(scene, readers[1], notice, accepted=False))
    assert refused.value.metadata == {"state": "TERMS_ACCEPTED"}
    assert await scene.count(t.acceptances, notice=notice.name) == 1


async def test_two_answers_at_once_are_one(scene: Scene, readers: list[Person], notice: Notice) -> None:
    requests = [
        (readers[0], answering(scene, readers[0], notice)),
        (readers[1], answering(scene, readers[1], notice, accepted=False)),
    ]

    outcomes = await asyncio.gather(
        *(answer(scene, reader, request) for reader, request in requests), return_exceptions=True
    )

    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 1
    assert await scene.count(t.acceptances, notice=notice.name) == 1


async def test_the_same_request_is_answered_again(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    request = answering(scene, readers[0], notice)

    assert await answer(scene, readers[0], request) == await answer(scene, readers[0], request)
    assert await scene.count(t.acceptances, notice=notice.name) == 1


@pytest.mark.parametrize("why", ["stranger", "withdrawn", "excluded", "ended", "expired", "revoked"])
async def test_whoever_has_no_stub_gets_the_one_refusal(
    scene: Scene, readers: list[Person], notice: Notice, why: str
) -> None:
    reader = (
        scene.person(readers[0].organisation, readers[0].participation) if why == "stranger" else readers[0]
    )
    if why == "withdrawn":
        await scene.close(notice.name, CloseReason.WITHDRAWN)
    elif why == "excluded":
        await scene.exclude_row(reader.organisation)
    elif why == "ended":
        await scene.end_row(reader.appointment)
    elif why == "expired":
        await scene.move_clock(400 * 86_400)
    elif why == "revoked":
        await scene.set(t.notices, notice.name, decision_stands=False)

    with pytest.raises(NotPermitted):
        await answer(scene, reader, answering(scene, reader, notice))
    assert await scene.count(t.acceptances, notice=notice.name) == 0


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("installation", "b" * 52, "STATEMENT_FOREIGN"),
        ("participation", "participations/" + "b" * 26, "RECIPIENT_MISMATCH"),
        ("terms_version", "0", "TERMS_MISMATCH"),
        ("terms_digest", b"\0" * 32, "TERMS_MISMATCH"),
        pytest.param("sequence", int(NOW.timestamp() * 1000) + 3_600_000, "STATEMENT_SEQUENCE", id="later"),
    ],
)
async def test_each_slip_has_its_reason(
    scene: Scene, readers: list[Person], notice: Notice, field: str, value: Any, reason: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"^{reason}$"):
        await answer(scene, readers[0], answering(scene, readers[0], notice, **{field: value}))
    assert (await scene.all(t.notices, name=notice.name))[0].state == NoticeState.OFFERED


async def test_an_answer_to_another_notice_is_foreign(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    request = answering(scene, readers[0], await scene.notice(readers, state=NoticeState.OFFERED))
    request.notice = notice.name

    with pytest.raises(InvalidArgument, match=r"^STATEMENT_FOREIGN$"):
        await answer(scene, readers[0], request)


async def test_a_colleagues_statement_is_not_ones_own(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    with pytest.raises(StatementSignature):
        await answer(scene, readers[0], answering(scene, readers[1], notice))


async def test_a_notice_for_one_purpose_is_answered_too(scene: Scene, readers: list[Person]) -> None:
    notice = await scene.notice(readers, state=NoticeState.OFFERED, purposes=[Purpose.INFORM])

    assert await answer(scene, readers[0], answering(scene, readers[0], notice)) == NoticeState.TERMS_ACCEPTED


async def test_changes_without_end_are_given_up_on(
    scene: Scene, policy: OpenFGA, readers: list[Person], notice: Notice
) -> None:
    request = answering(scene, readers[0], notice)

    await gives_up(scene, policy, ATTEMPTS, lambda changing: answer(changing, readers[0], request))
    assert await scene.count(t.acceptances, notice=notice.name) == 0


async def test_no_engine_no_answer(scene: Scene, readers: list[Person], notice: Notice) -> None:
    nobody = OpenFGA("127.0.0.1:1", "s", "m", probe=Probe("organisation:probe", "member"))

    with pytest.raises(Unavailable):
        await answer(scene.asking(nobody), readers[0], answering(scene, readers[0], notice))
    assert await scene.count(t.acceptances, notice=notice.name) == 0
    await nobody.close()
