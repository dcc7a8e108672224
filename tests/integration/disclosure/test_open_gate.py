"""Every rule of the gate by itself: each test takes one condition away and the door is closed (I1, I30).

The policy engine says yes throughout, so that it is SQL that refuses (I5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.disclosure.domain import CloseReason, ConsentState, Door, Kind, NoticeState, Purpose
from services.disclosure.store import tables as t
from services.disclosure.store.access import NoticeRef, Read
from services.disclosure.store.openings import Verdict, let_out
from services.kernel.authz import Authz, Context, PolicyTuple, Question, granted_by_record
from services.kernel.errors import NotPermitted
from tests.integration.disclosure.scene import HALF_A_YEAR, NOW, Notice, Person, Scene, new

DAY_S = 86_400.0
Change = Callable[[Scene, Person, Notice], Awaitable[None]]


class YesToAll(Authz):
    """An engine that allows everything; `meanwhile` happens once, while it is asked."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.asked = 0
        self.context: Context | None = None

    async def check(self, user: str, relation: str, object: str, *, context: Context | None = None) -> bool:
        self.asked, self.context = self.asked + 1, context
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return True

    async def check_many(self, questions: Sequence[Question]) -> list[bool]:
        return [True for _ in questions]

    async def read(self, object: str, *, relation: str = "", user: str = "") -> list[PolicyTuple]:
        return []

    async def write(self, writes: Sequence[PolicyTuple] = (), deletes: Sequence[PolicyTuple] = ()) -> None:
        pass

    async def ready(self) -> None:
        pass


@pytest.fixture
def policy() -> YesToAll:
    """Instead of the real engine."""
    return YesToAll()


@pytest.fixture
async def reader(scene: Scene) -> Person:
    return scene.person()


@pytest.fixture
async def notice(scene: Scene, reader: Person) -> Notice:
    return await scene.notice([reader])


async def closed(scene: Scene, reader: Person, notice: Notice, *kinds: Kind, **more: Any) -> None:
    """Holds the door to be closed, and nothing written down."""
    before = await scene.count(t.releases, kid=reader.kid)

    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name, *kinds, **more)

    assert await scene.count(t.releases, kid=reader.kid) == before


def of_notice(**values: object) -> Change:
    async def change(scene: Scene, _reader: Person, notice: Notice) -> None:
        await scene.set(t.notices, notice.name, **values)

    return change


def of_consent(**values: object) -> Change:
    async def change(scene: Scene, _reader: Person, notice: Notice) -> None:
        await scene.set(t.consents, notice.consent, **values)

    return change


def of_acceptance(**values: object) -> Change:
    async def change(scene: Scene, _reader: Person, notice: Notice) -> None:
        async with scene.database.transaction() as conn:
            row = t.acceptances.update().where(t.acceptances.c.notice == notice.name)
            await conn.execute(row.values(**values))

    return change


def ending(attribute: str) -> Change:
    async def change(scene: Scene, reader: Person, _notice: Notice) -> None:
        await scene.end_row(getattr(reader, attribute))

    return change


def excluding(attribute: str) -> Change:
    async def change(scene: Scene, reader: Person, _notice: Notice) -> None:
        await scene.exclude_row(getattr(reader, attribute))

    return change


async def exclude_a_former_organisation(scene: Scene, reader: Person, _notice: Notice) -> None:
    former = new("organisations")
    await scene.put(t.affiliations, subject=reader.subject, organisation=former)
    await scene.exclude_row(former)


async def close_the_seat(scene: Scene, reader: Person, _notice: Notice) -> None:
    async with scene.database.transaction() as conn:
        seat = t.seats.update().where(t.seats.c.kid == reader.kid)
        await conn.execute(seat.values(closed_time=NOW, close_reason=CloseReason.ENDED.value))


async def withdraw_the_report(scene: Scene, _reader: Person, _notice: Notice) -> None:
    await scene.set(t.incidents, scene.incident, withdrawn=True)


async def take_the_wraps(scene: Scene, reader: Person, _notice: Notice) -> None:
    async with scene.database.transaction() as conn:
        await conn.execute(t.wraps.delete().where(t.wraps.c.reader_kid == reader.kid))


async def take_the_pairs(scene: Scene, reader: Person, _notice: Notice) -> None:
    async with scene.database.transaction() as conn:
        await conn.execute(t.consent_sections.delete().where(t.consent_sections.c.reader_kid == reader.kid))


RULES: dict[str, Change] = {
    "a closed seat": close_the_seat,
    "an ended key": ending("kid"),
    "an ended appointment": ending("appointment"),
    "an excluded person": excluding("subject"),
    "an excluded organisation": excluding("organisation"),
    "an excluded organisation of old": exclude_a_former_organisation,
    "a consent that ended": of_consent(state=ConsentState.WITHDRAWN),
    "a consent that another one followed": of_notice(consent="consents/another"),
    "a window that is over": of_consent(valid_until=NOW - timedelta(seconds=1)),
    "a window that is yet to come": of_consent(valid_from=NOW + timedelta(hours=1)),
    "another purpose": of_consent(purposes=[Purpose.PRESERVE_EVIDENCE]),
    "a decision that fell": of_notice(decision_stands=False),
    "terms of another version": of_consent(terms_version="2"),
    "terms declined": of_acceptance(accepted=False),
    "terms accepted by others": of_acceptance(participation="participations/another"),
    "a report withdrawn": withdraw_the_report,
    "wraps that are gone": take_the_wraps,
    "pairs that are gone": take_the_pairs,
    **{
        f"a notice that is {state.name.lower()}": of_notice(state=state)
        for state in sorted(set(NoticeState) - {NoticeState.TERMS_ACCEPTED, NoticeState.OPENED})
    },
}


@pytest.mark.parametrize("rule", RULES)
async def test_any_one_rule_closes_the_door(scene: Scene, reader: Person, notice: Notice, rule: str) -> None:
    await RULES[rule](scene, reader, notice)

    await closed(scene, reader, notice)


@pytest.mark.parametrize("rule", RULES)
async def test_any_one_rule_closes_it_while_the_engine_is_asked(
    scene: Scene, policy: YesToAll, reader: Person, notice: Notice, rule: str
) -> None:
    """The transaction decides anew, also on what the first look had allowed."""

    async def meanwhile() -> None:
        await RULES[rule](scene, reader, notice)

    policy.meanwhile = meanwhile

    await closed(scene, reader, notice)
    assert policy.asked == 1


async def test_the_transaction_itself_holds_the_seat_to_its_person(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """A grant for somebody else with the same key lets nothing out: the gate leans on no earlier look."""
    (row,) = await scene.all(t.incidents, name=scene.incident)
    values = {
        "incident": scene.incident,
        "notice": notice.name,
        "kinds": [],
        "purpose": Purpose.INFORM.value,
        "request_id": "x",
        "epoch": row.epoch,
    }
    for person, verdict in (
        (Person(reader.organisation, reader.participation, keys=reader.keys), Verdict.CLOSED),
        (reader, Verdict.LET_OUT),
    ):
        grant = granted_by_record(person.actor(), Read, NoticeRef(notice.name))
        outcome = await scene.database.run_raw(
            lambda driver, grant=grant: let_out(driver, grant, Door.READER, values, None)
        )
        assert outcome.verdict is verdict
        assert bool(outcome.rows) == (verdict is Verdict.LET_OUT)


HANDLER_RULES = (
    "an ended key",
    "an ended appointment",
    "an excluded person",
    "an excluded organisation",
    "an excluded organisation of old",
    "a closed seat",
    "a report withdrawn",
    "wraps that are gone",
)


@pytest.mark.parametrize("rule", HANDLER_RULES)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_the_same_rules_close_the_handlers_door(
    scene: Scene, policy: YesToAll, notice: Notice, rule: str, when: str
) -> None:
    async def change() -> None:
        await RULES[rule](scene, scene.handler, notice)

    if when == "before":
        await change()
    else:
        policy.meanwhile = change

    with pytest.raises(NotPermitted):
        await scene.handle(scene.handler, scene.account)
    assert await scene.count(t.releases, kid=scene.handler.kid) == 0


async def test_strangers_never_reach_the_engine(scene: Scene, policy: YesToAll, notice: Notice) -> None:
    """T28."""
    await closed(scene, scene.person(), notice)
    with pytest.raises(NotPermitted):
        await scene.handle(scene.person(), scene.account)

    assert policy.asked == 0


async def test_a_named_reader_opens_what_was_consented_to(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    opened = await scene.read(reader, notice.name)

    assert [section.header.kind for section in opened.sections] == [Kind.CONTEXT, Kind.SUMMARY]
    assert {section.header.name for section in opened.sections} == set(notice.sections.values())
    for section in opened.sections:
        (stored,) = await scene.all(t.sections, name=section.header.name)
        (wrap,) = await scene.all(t.wraps, section=section.header.name, reader_kid=reader.kid)
        assert section.ciphertext == stored.ciphertext
        assert section.wrap.wrap == wrap.wrap
        header = section.header
        named = (section.wrap.section, section.wrap.version, section.wrap.reader_kid)
        assert named == (header.name, header.version, reader.kid)
        assert section.grant == notice.consent
        assert list(section.purposes) == [Purpose.PROTECT_PEOPLE, Purpose.INFORM]
    assert opened.consent.statement == b"consent"
    assert opened.decision.statement == b"decision"
    assert opened.reporter_keys.signing == scene.reporter.public.signing


@pytest.mark.parametrize(
    ("kinds", "requested"), [((), ["CONTEXT", "SUMMARY"]), ((Kind.SUMMARY,), ["SUMMARY"])]
)
async def test_the_engine_is_asked_about_what_would_be_let_out(
    scene: Scene, reader: Person, notice: Notice, policy: YesToAll, kinds: list[Kind], requested: list[str]
) -> None:
    await scene.read(reader, notice.name, *kinds)

    assert policy.context is not None
    assert sorted(policy.context["requested"]) == requested
    assert policy.context["purpose"] == "INFORM"


async def test_one_kind_is_opened_by_itself(scene: Scene, reader: Person, notice: Notice) -> None:
    opened = await scene.read(reader, notice.name, Kind.SUMMARY)

    assert [section.header.kind for section in opened.sections] == [Kind.SUMMARY]


async def test_a_release_is_written_with_what_left(scene: Scene, reader: Person, notice: Notice) -> None:
    await scene.read(reader, notice.name, Kind.SUMMARY, purpose=Purpose.PROTECT_PEOPLE, request="a-request")

    (release,) = await scene.all(t.releases, incident=scene.incident)
    assert (release.incident, release.notice) == (scene.incident, notice.name)
    assert (release.subject, release.kid) == (reader.subject, reader.kid)
    assert (release.participation, release.capacity) == (reader.participation, 3)
    assert (release.sections, release.versions) == ([notice.sections[Kind.SUMMARY]], [1])
    assert (release.kinds, release.purpose) == ([Kind.SUMMARY], Purpose.PROTECT_PEOPLE)
    assert release.request_id == "a-request"


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_one_forbidden_kind_at_any_place_refuses_all(
    scene: Scene, reader: Person, notice: Notice, position: int
) -> None:
    """I21."""
    kinds = [Kind.SUMMARY, Kind.CONTEXT]
    kinds.insert(position, Kind.ACCOUNT)

    await closed(scene, reader, notice, *kinds)


async def test_a_stranger_gets_nothing(scene: Scene, notice: Notice) -> None:
    await closed(scene, scene.person(), notice)


async def test_somebody_else_with_the_readers_key_gets_nothing(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    other = Person(reader.organisation, reader.participation, keys=reader.keys)

    await closed(scene, other, notice)


async def test_a_notice_under_another_incidents_name_is_no_notice(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    elsewhere = f"{new('incidents')}/notices/{notice.name.rpartition('/')[2]}"

    await closed(scene, reader, Notice(elsewhere, notice.consent, notice.sections))


async def test_the_window_is_read_from_the_databases_clock(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """I4: both bounds, by the shifted clock."""
    await scene.read(reader, notice.name)

    await scene.move_clock(HALF_A_YEAR.total_seconds() + 60)
    await closed(scene, reader, notice)
    await scene.move_clock(-2 * DAY_S)
    await closed(scene, reader, notice)
    await scene.move_clock(0)
    await scene.read(reader, notice.name)


async def test_another_purpose_opens_nothing(scene: Scene, reader: Person, notice: Notice) -> None:
    await closed(scene, reader, notice, purpose=Purpose.PRESERVE_EVIDENCE)


async def test_terms_that_nobody_accepted_open_nothing(scene: Scene) -> None:
    reader = scene.person()
    notice = await scene.notice([reader], state=NoticeState.OFFERED)
    await scene.set(t.notices, notice.name, state=NoticeState.TERMS_ACCEPTED)

    await closed(scene, reader, notice)
    await scene.accept(notice.name, reader)
    await scene.read(reader, notice.name)


async def test_one_readers_acceptance_counts_for_the_participation(scene: Scene) -> None:
    first, second = scene.colleagues(2)
    notice = await scene.notice([first, second])

    assert (await scene.read(second, notice.name)).sections


async def test_exclusions_of_another_incident_close_nothing_here(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    other = Scene(scene.deps, scene.told)
    await other.report()
    await other.exclude_row(reader.subject)

    assert (await scene.read(reader, notice.name)).sections


async def test_a_pair_that_was_taken_away_is_not_opened(scene: Scene, reader: Person, notice: Notice) -> None:
    summary = notice.sections[Kind.SUMMARY]
    async with scene.database.transaction() as conn:
        await conn.execute(t.consent_sections.delete().where(t.consent_sections.c.section == summary))

    await closed(scene, reader, notice, Kind.SUMMARY)
    assert [each.header.kind for each in (await scene.read(reader, notice.name)).sections] == [Kind.CONTEXT]


async def test_a_section_without_a_wrap_is_not_opened(scene: Scene, reader: Person, notice: Notice) -> None:
    summary = notice.sections[Kind.SUMMARY]
    async with scene.database.transaction() as conn:
        wrap = t.wraps.c
        await conn.execute(t.wraps.delete().where(wrap.section == summary, wrap.reader_kid == reader.kid))

    await closed(scene, reader, notice, Kind.SUMMARY)


async def test_the_other_readers_wraps_stay_with_them(scene: Scene) -> None:
    first, second = scene.colleagues(2)
    notice = await scene.notice([first, second], [Kind.SUMMARY])

    mine = await scene.read(first, notice.name)
    theirs = await scene.read(second, notice.name)

    assert mine.sections[0].ciphertext == theirs.sections[0].ciphertext
    assert mine.sections[0].wrap.wrap != theirs.sections[0].wrap.wrap


async def test_handlers_open_sections_in_the_order_asked_for(scene: Scene) -> None:
    context = await scene.section(Kind.CONTEXT, [scene.handler.kid])

    opened = await scene.handle(scene.handler, scene.account, context)

    assert [each.header.name for each in opened.sections] == [scene.account, context]
    assert opened.intake.statement == b"intake"
    (release,) = await scene.all(t.releases, incident=scene.incident)
    assert (release.capacity, release.subject, release.notice) == (2, scene.handler.subject, None)


async def test_handlers_open_the_newest_version(scene: Scene) -> None:
    await scene.section(Kind.ACCOUNT, [scene.handler.kid], scene.account, version=2)

    opened = await scene.handle(scene.handler, scene.account)

    assert [each.header.version for each in opened.sections] == [2]


async def test_a_handler_opens_nothing_without_a_wrap(scene: Scene) -> None:
    """I21: one forbidden section refuses them all."""
    other = await scene.section(Kind.EVIDENCE, [scene.reporter.kid])

    with pytest.raises(NotPermitted):
        await scene.handle(scene.handler, scene.account, other)
    assert await scene.count(t.releases, incident=scene.incident) == 0


async def test_a_reader_is_no_handler_and_a_handler_no_reader(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    with pytest.raises(NotPermitted):
        await scene.handle(reader, scene.account)
    await closed(scene, scene.handler, notice)


async def test_the_reporter_opens_by_the_key_alone(scene: Scene) -> None:
    opened = await scene.reread(scene.account)

    assert [each.header.name for each in opened.sections] == [scene.account]
    (release,) = await scene.all(t.releases, incident=scene.incident)
    assert (release.capacity, release.subject, release.kid) == (1, None, scene.reporter.kid)


async def test_another_key_opens_nothing_of_the_reporters(scene: Scene) -> None:
    with pytest.raises(NotPermitted):
        await scene.reread(scene.account, keys=scene.handler.keys)


async def test_the_reporter_still_reads_after_withdrawing_everything(scene: Scene) -> None:
    await scene.set(t.incidents, scene.incident, withdrawn=True)

    assert (await scene.reread(scene.account)).sections
