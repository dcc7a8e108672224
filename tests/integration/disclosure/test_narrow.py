"""Withdrawing and excluding: exactly what was named goes, at once, and nothing of the reporter's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

from meldbrug.crypto import statements
from meldbrug.crypto.errors import StatementForeign, StatementSignature
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.domain import Answer, CloseReason, ConsentState, Kind, NoticeState
from services.disclosure.store import tables as t
from services.kernel import admission
from services.kernel.admission import Precedence
from services.kernel.authz import Authz
from services.kernel.errors import FailedPrecondition, InvalidArgument, NotPermitted, RequestIdReused
from services.kernel.openfga.adapter import OpenFGA, Probe
from tests.integration.disclosure.scene import Notice, Person, Scene, new, request_id


@pytest.fixture
def readers(scene: Scene) -> list[Person]:
    return scene.colleagues(2)


@pytest.fixture
async def notice(scene: Scene, readers: list[Person]) -> Notice:
    return await scene.notice(readers)


async def pairs(scene: Scene, notice: Notice) -> set[tuple[str, str]]:
    """(reader, section) pairs with a wrap under the consent; those of the consent must be the same."""
    wraps = {(row.reader_kid, row.section) for row in await scene.all(t.wraps, grant_name=notice.consent)}
    assert wraps == {
        (row.reader_kid, row.section) for row in await scene.all(t.consent_sections, consent=notice.consent)
    }
    return wraps


def every(readers: Iterable[Person], sections: Iterable[str]) -> set[tuple[str, str]]:
    return {(reader.kid, section) for reader in readers for section in sections}


async def refused(scene: Scene, reader: Person, notice: Notice, *kinds: Kind) -> None:
    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name, *kinds)


async def own_wraps(scene: Scene) -> int:
    return await scene.count(t.wraps, reader_kid=scene.reporter.kid, incident=scene.incident)


async def test_a_withdrawn_consent_closes_for_every_reader(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    kept = await own_wraps(scene)

    answer = await scene.withdraw(notice.name)

    assert answer.consent_request.answer == Answer.WITHDRAWN
    assert answer.consent_request.state == NoticeState.WITHDRAWN
    for reader in readers:
        await refused(scene, reader, notice)
    assert await pairs(scene, notice) == set()
    assert await own_wraps(scene) == kept
    assert (await scene.all(t.consents, name=notice.consent))[0].state == ConsentState.WITHDRAWN
    assert {seat.close_reason for seat in await scene.all(t.seats, notice=notice.name)} == {
        CloseReason.WITHDRAWN
    }
    assert (await scene.reread(*notice.sections.values())).sections
    (act,) = await scene.all(t.acts, incident=scene.incident)
    assert (act.kind, act.notice) == (StatementKind.WITHDRAWAL, notice.name)


async def test_the_engine_has_nothing_of_a_withdrawn_notice_when_the_call_returns(
    scene: Scene, notice: Notice
) -> None:
    held = await scene.tuples(notice.name)
    assert any(relation == "live" for _, relation, _ in held)

    await scene.withdraw(notice.name)

    assert {each[1] for each in await scene.tuples(notice.name)} == {"handler", "origin"}


async def test_withdrawing_after_an_opening_is_a_recall(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    await scene.read(readers[0], notice.name)

    answer = await scene.withdraw(notice.name)

    assert answer.consent_request.state == NoticeState.RECALL_REQUESTED


async def test_one_reader_loses_everything_and_the_other_nothing(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    first, second = readers

    answer = await scene.withdraw(notice.name, [first.kid])

    assert answer.consent_request.answer == Answer.GIVEN
    await refused(scene, first, notice)
    assert len((await scene.read(second, notice.name)).sections) == 2
    assert await pairs(scene, notice) == every([second], notice.sections.values())
    live = {reader.subject: reader.live for reader in (await scene.snapshot()).notices[0].readers}
    assert live == {first.subject: False, second.subject: True}


async def test_one_section_goes_for_all_and_the_other_stays(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    await scene.withdraw(notice.name, sections=[notice.sections[Kind.SUMMARY]])

    for reader in readers:
        await refused(scene, reader, notice, Kind.SUMMARY)
        opened = await scene.read(reader, notice.name)
        assert [section.header.kind for section in opened.sections] == [Kind.CONTEXT]
    assert await pairs(scene, notice) == every(readers, [notice.sections[Kind.CONTEXT]])


async def test_one_section_goes_for_one_reader(scene: Scene, readers: list[Person], notice: Notice) -> None:
    first, second = readers
    summary, context = notice.sections[Kind.SUMMARY], notice.sections[Kind.CONTEXT]

    await scene.withdraw(notice.name, [first.kid], [summary])

    assert await pairs(scene, notice) == every([first, second], [context]) | every([second], [summary])
    await refused(scene, first, notice, Kind.SUMMARY)
    assert (await scene.read(second, notice.name, Kind.SUMMARY)).sections


async def test_what_is_left_of_nothing_closes_the_notice(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    for reader in readers:
        await scene.withdraw(notice.name, [reader.kid], list(notice.sections.values()))

    (row,) = await scene.all(t.notices, name=notice.name)
    assert (row.state, row.answer) == (NoticeState.WITHDRAWN, Answer.WITHDRAWN)
    assert not any(reader.live for reader in (await scene.snapshot()).notices[0].readers)


async def test_withdrawing_twice_is_once(scene: Scene, readers: list[Person], notice: Notice) -> None:
    await scene.withdraw(notice.name, [readers[0].kid])
    await scene.withdraw(notice.name, [readers[0].kid])
    await scene.withdraw(notice.name)
    (first,) = await scene.all(t.notices, name=notice.name)

    await scene.withdraw(notice.name)

    assert (await scene.all(t.notices, name=notice.name))[0] == first


async def test_a_slip_is_no_withdrawal(scene: Scene, notice: Notice) -> None:
    before = await pairs(scene, notice)

    with pytest.raises(InvalidArgument, match=r"^READER_MISMATCH$"):
        await scene.withdraw(notice.name, [scene.person().kid])
    with pytest.raises(InvalidArgument, match=r"^SECTION_MISMATCH$"):
        await scene.withdraw(notice.name, sections=[scene.account])
    assert await pairs(scene, notice) == before


async def test_the_same_request_acts_once_and_another_body_is_refused(scene: Scene, notice: Notice) -> None:
    """I12."""
    request = rpc.WithdrawConsentRequest(
        notice=notice.name, withdrawal=scene.withdrawal(notice.name), request_id=request_id()
    )

    first = await scene.narrowing.withdraw_consent(request, scene.own())
    second = await scene.narrowing.withdraw_consent(request, scene.own())

    assert first == second
    assert await scene.count(t.acts, incident=scene.incident) == 1
    other = scene.own()
    other.body_sha256 = b"\1" * 32
    with pytest.raises(RequestIdReused):
        await scene.narrowing.withdraw_consent(request, other)


async def test_only_the_reporter_withdraws(scene: Scene, notice: Notice) -> None:
    request = rpc.WithdrawConsentRequest(
        notice=notice.name, withdrawal=scene.withdrawal(notice.name), request_id=request_id()
    )

    with pytest.raises(NotPermitted):
        await scene.narrowing.withdraw_consent(request, scene.own(scene.handler.keys))
    assert await pairs(scene, notice)


async def test_openings_let_a_closing_go_first(
    scene: Scene, readers: list[Person], notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T19: it is done before what began after it, so that readers without pause never starve it."""
    monkeypatch.setattr(admission, "GIVE_WAY_S", 10.0)
    precedence, held = scene.deps.admission.precedence, asyncio.Event()
    reading: list[asyncio.Task[object]] = []

    async def sync(_incident: str, _notice: str = "") -> None:
        reading.append(asyncio.create_task(scene.read(readers[0], notice.name)))
        await asyncio.sleep(0.1)
        held.set()
        assert not reading[0].done()

    monkeypatch.setattr(scene.deps.sync, "soon", sync)
    await scene.withdraw(notice.name)
    assert held.is_set()
    with pytest.raises(NotPermitted):
        await reading[0]
    await asyncio.wait_for(precedence.given(), 1.0)


async def test_an_opening_under_way_gives_way_before_it_lets_anything_out(
    scene: Scene, readers: list[Person], notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "GIVE_WAY_S", 10.0)
    closing, require = ExitStack(), Authz.require

    async def checked(*asked: Any, **context: Any) -> Any:
        grant = await require(*asked, **context)
        closing.enter_context(scene.deps.admission.precedence.taken())
        return grant

    monkeypatch.setattr(Authz, "require", checked)
    reading = asyncio.create_task(scene.read(readers[0], notice.name))
    await asyncio.sleep(0.2)
    assert not reading.done()
    assert await scene.count(t.releases, notice=notice.name) == 0
    closing.close()
    assert (await reading).sections


async def test_only_the_reporter_goes_first(
    scene: Scene, readers: list[Person], notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anyone can make a key and send a withdrawal: whose incident it is not holds up nobody."""
    monkeypatch.setattr(admission, "GIVE_WAY_S", 10.0)
    went_first: list[bool] = []
    taken = Precedence.taken

    def noted(precedence: Precedence) -> AbstractContextManager[None]:
        went_first.append(True)
        return taken(precedence)

    monkeypatch.setattr(Precedence, "taken", noted)
    request = rpc.WithdrawConsentRequest(
        notice=notice.name, withdrawal=scene.withdrawal(notice.name), request_id=request_id()
    )
    with pytest.raises(NotPermitted):
        await scene.narrowing.withdraw_consent(request, scene.own(readers[0].keys))
    assert not went_first
    await scene.withdraw(notice.name)
    assert went_first == [True]


async def test_a_notice_that_is_not_there_is_not_permitted(scene: Scene) -> None:
    with pytest.raises(NotPermitted):
        await scene.withdraw(new(f"{scene.incident}/notices"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("installation", "b" * 52),
        ("incident", "incidents/" + "b" * 26),
        ("notice", "incidents/{}/notices/" + "b" * 26),
    ],
)
async def test_a_withdrawal_that_speaks_of_something_else_is_foreign(
    scene: Scene, notice: Notice, field: str, value: str
) -> None:
    value = value.format(scene.incident.rpartition("/")[2])
    signed = scene.withdrawal(**{"notice": notice.name, field: value})
    request = rpc.WithdrawConsentRequest(notice=notice.name, withdrawal=signed, request_id=request_id())

    with pytest.raises(StatementForeign):
        await scene.narrowing.withdraw_consent(request, scene.own())
    assert await pairs(scene, notice)


async def test_a_withdrawal_that_somebody_else_signed_is_none(scene: Scene, notice: Notice) -> None:
    signed = scene.withdrawal(notice.name)
    signed.signature = scene.handler.keys.sign(
        statements.signing_input(StatementKind.WITHDRAWAL, signed.statement)
    )
    request = rpc.WithdrawConsentRequest(notice=notice.name, withdrawal=signed, request_id=request_id())

    with pytest.raises(StatementSignature):
        await scene.narrowing.withdraw_consent(request, scene.own())
    assert await pairs(scene, notice)


async def test_an_old_withdrawal_is_not_said_again(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    """T8: a captured statement does nothing under a new request id."""
    signed = scene.withdrawal(notice.name, [readers[0].kid])
    first, again = (
        rpc.WithdrawConsentRequest(notice=notice.name, withdrawal=signed, request_id=request_id())
        for _ in range(2)
    )
    await scene.narrowing.withdraw_consent(first, scene.own())

    with pytest.raises(InvalidArgument, match=r"^STATEMENT_SEQUENCE$"):
        await scene.narrowing.withdraw_consent(again, scene.own())
    assert await scene.count(t.acts, incident=scene.incident) == 1


async def test_the_whole_report_closes_notices_and_handlers_alike(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    kept = await own_wraps(scene)

    answer = await scene.withdraw_report()

    assert answer.report.state == 7
    for reader in readers:
        await refused(scene, reader, notice)
    with pytest.raises(NotPermitted):
        await scene.handle(scene.handler, scene.account)
    wraps = await scene.all(t.wraps, incident=scene.incident)
    assert {row.reader_kid for row in wraps} == {scene.reporter.kid}
    assert len(wraps) == kept
    assert await scene.tuples(notice.name) == set()
    seen = await scene.snapshot()
    assert (seen.withdrawn, list(seen.handlers)) == (True, [])
    assert [each.state for each in seen.notices] == [NoticeState.WITHDRAWN]


async def test_withdrawing_the_report_again_changes_nothing(scene: Scene, notice: Notice) -> None:
    await scene.withdraw_report()
    (first,) = await scene.all(t.notices, name=notice.name)

    await scene.withdraw_report()

    assert (await scene.all(t.notices, name=notice.name))[0] == first


@pytest.mark.parametrize("part", ["notice", "reader", "section"])
async def test_a_withdrawal_of_a_part_does_not_withdraw_the_report(
    scene: Scene, readers: list[Person], notice: Notice, part: str
) -> None:
    said_so = {
        "notice": scene.withdrawal(notice.name),
        "reader": scene.withdrawal(readers=[readers[0].kid]),
        "section": scene.withdrawal(sections=[scene.account]),
    }
    request = rpc.WithdrawReportRequest(
        incident=scene.incident, withdrawal=said_so[part], request_id=request_id()
    )

    with pytest.raises(InvalidArgument, match=r"^STATEMENT_FOREIGN$"):
        await scene.narrowing.withdraw_report(request, scene.own())
    assert await pairs(scene, notice)


async def test_the_same_request_closes_once_and_is_answered_again(
    scene: Scene, readers: list[Person]
) -> None:
    excluding = rpc.ExcludeRequest(
        incident=scene.incident, exclusion=scene.exclusion(readers[0].subject), request_id=request_id()
    )
    withdrawing = rpc.WithdrawReportRequest(
        incident=scene.incident, withdrawal=scene.withdrawal(), request_id=request_id()
    )

    excluded = [await scene.narrowing.exclude(excluding, scene.own()) for _ in range(2)]
    withdrawn = [await scene.narrowing.withdraw_report(withdrawing, scene.own()) for _ in range(2)]

    assert excluded[0] == excluded[1]
    assert excluded[0].report.name == scene.incident
    assert withdrawn[0] == withdrawn[1]
    assert await scene.count(t.acts, incident=scene.incident) == 2


@pytest.mark.parametrize("target", ["subject", "organisation"])
async def test_whoever_is_excluded_stops_reading_at_once(
    scene: Scene, readers: list[Person], notice: Notice, target: str
) -> None:
    first, second = readers

    await scene.exclude(getattr(first, target))

    await refused(scene, first, notice)
    assert await scene.count(t.wraps, reader_kid=first.kid) == 0
    if target == "subject":
        assert (await scene.read(second, notice.name)).sections
    else:
        await refused(scene, second, notice)
        assert (await scene.all(t.notices, name=notice.name))[0].state == NoticeState.WITHDRAWN


async def test_an_excluded_handler_stops_handling_at_once(scene: Scene, notice: Notice) -> None:
    await scene.exclude(scene.handler.subject)

    with pytest.raises(NotPermitted):
        await scene.handle(scene.handler, scene.account)
    assert await scene.count(t.wraps, reader_kid=scene.handler.kid) == 0
    assert (scene.handler.user, "handler", "incident:" + scene.incident[10:]) not in await scene.tuples()
    assert (scene.handler.user, "conflicted", "incident:" + scene.incident[10:]) in await scene.tuples()


async def test_everyone_ever_affiliated_is_marked_in_the_engine(
    scene: Scene, readers: list[Person], notice: Notice
) -> None:
    organisation, colleague = new("organisations"), scene.person()
    for person in (readers[1], colleague):
        await scene.put(t.affiliations, subject=person.subject, organisation=organisation)

    await scene.exclude(organisation, readers[0].subject)

    marked = {user for user, relation, _ in await scene.tuples(notice.name) if relation == "conflicted"}
    assert marked == {readers[0].user, readers[1].user, colleague.user}
    places = {place for _, relation, place in await scene.tuples(notice.name) if relation == "conflicted"}
    assert len(places) == 2


async def test_excluded_readers_of_a_request_are_left_out_of_what_is_asked(scene: Scene) -> None:
    """No oracle: the notice is still pending for everyone else."""
    first, second = scene.colleagues(2)
    notice = await scene.notice([first, second], state=NoticeState.CONSENT_PENDING)

    await scene.exclude(first.subject)

    rows = {row.kid: row.excluded for row in await scene.all(t.notice_readers, notice=notice.name)}
    assert rows == {first.kid: True, second.kid: False}
    assert (await scene.all(t.notices, name=notice.name))[0].state == NoticeState.CONSENT_PENDING


async def test_exclusions_have_an_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.disclosure.usecases.narrow.MAX_EXCLUSIONS", 2)
    for _ in range(2):
        await scene.exclude(scene.person().subject)

    with pytest.raises(FailedPrecondition):
        await scene.exclude(scene.person().subject)


@pytest.mark.parametrize("how", ["withdraw", "withdraw_report", "exclude"])
async def test_nothing_of_it_needs_the_engine(
    scene: Scene, readers: list[Person], notice: Notice, how: str
) -> None:
    """SQL alone closes; the tuples follow by the job (I3, I14)."""
    nobody: Any = OpenFGA("127.0.0.1:1", "s", "m", probe=Probe("organisation:probe", "member"))
    arguments = {"withdraw": [notice.name], "withdraw_report": [], "exclude": [readers[0].subject]}[how]

    await getattr(scene.asking(nobody), how)(*arguments)

    assert any(relation == "live" for _, relation, _ in await scene.tuples(notice.name))
    await refused(scene, readers[0], notice)
    for task, ids in await scene.jobs():
        if task == "policy_sync":
            await scene.followups.policy_sync(**ids)
    assert (readers[0].user, "reader") not in {each[:2] for each in await scene.tuples(notice.name)}
    await nobody.close()
