"""A state machine over everything that decides on reading, on the real services, against a small model.

Keeps I1, I2, I3, I7, I8, I12, I15 and I27: after every step those whom it concerned and one other try their
doors; at the end everyone tries everything. Nothing fails and nobody dies here: what a policy engine that is
gone (I5) or a kill (I11) may do is for tests/fault. The number of a case is the seed of its round;
`MELDBRUG_PROPERTY_STEPS` makes rounds longer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from meldbrug.client.errors import MeldbrugError
from meldbrug.crypto import CryptoError, SectionContext, unwrap_key
from tests.support.campaign import Campaign
from tests.support.effects import Ledger, since
from tests.support.faults import FAST, Recorder, settled_on
from tests.support.machine import KINDS, LEAD, PURPOSES, RECIPIENTS, Play, one_loop
from tests.support.stack import running_stack

STEPS = int(os.environ.get("MELDBRUG_PROPERTY_STEPS", "120"))

AT_ONCE = 6
pick = st.integers(0, 11)
"""Which of what there is, by its place; the same place again after the list grew is another one."""
some = st.sets(st.sampled_from(["0", "1"]), min_size=1)


async def together(tries: Sequence[Awaitable[object]]) -> None:
    """Lets all of them try at once, a few at a time; the first that fails is the failure."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(attempt: Awaitable[object]) -> None:
        async with places:
            await attempt

    await asyncio.gather(*map(one, tries))


class Machine(RuleBasedStateMachine):
    """One production, its staff, up to two reports with up to four notices each."""

    run: Any = None
    world: Any = None
    wire: Any = None
    ledger: Any = None
    steps = 0

    @initialize(salt=st.integers(0, 2**60))
    def begin(self, salt: int) -> None:
        # Hypothesis begins with the simplest example of all, which would be every round's only one.
        assume(salt)
        self.play = Play(self.world, self.wire)
        self.run(self.play.begin(salt))
        self.clock_steps = 0
        self.newcomers = 0

    def act(self, work: Awaitable[Any], *who: str, on: str = "") -> None:
        """Does one step on a notice or an incident; then those whom it concerned and one other try doors."""
        self.run(work)
        self.look(*who, on=on)

    def look(self, *who: str, on: str = "") -> None:
        """They try what the step was about, each at the doors of their kind; one of them and another, any."""
        type(self).steps += 1
        model, turn = self.play.model, type(self).steps
        notices = sorted(name for name, asked in model.asked.items() if on in {name, asked.incident})
        incidents = sorted({on.partition("/notices/")[0]} & model.told.keys())
        tries: list[Awaitable[None]] = []
        for name in who:
            if model.people[name].party == LEAD:
                tries += [self.play.handler_sees(name, incident) for incident in incidents]
            else:
                tries += [self.play.reader_sees(name, notice, PURPOSES[turn % 2]) for notice in notices]
        others = [name for name in model.people if name not in who]
        for name in (*who[turn % max(len(who), 1) :][:1], *others[turn % max(len(others), 1) :][:1]):
            tries += [self.any_notice(name, turn)] if model.asked else []
            tries += [self.play.handler_sees(name, self.one(list(model.told), turn))] if model.told else []
        self.run(together(tries))

    def any_notice(self, who: str, turn: int) -> Awaitable[None]:
        return self.play.reader_sees(who, self.one(list(self.play.model.asked), turn), PURPOSES[turn % 2])

    def one(self, of: list[Any], place: int) -> Any:
        return of[place % len(of)]

    @precondition(lambda self: len(self.play.model.told) < 2 and self.play.current(LEAD))
    @rule(both=st.booleans(), excluded=st.sampled_from(["", "", "n0", "k0"]))
    def report(self, both: bool, excluded: str) -> None:
        current = self.play.current(LEAD)
        handlers = current if both else current[:1]
        self.act(self.play.report(handlers, [excluded] if excluded else []), *handlers)

    def live(self) -> list[str]:
        """Reports that somebody handles."""
        return [name for name in self.play.model.told if self.play.model.handlers(name)]

    @precondition(lambda self: self.live())
    @rule(which=pick)
    def write(self, which: int) -> None:
        incident = self.one(self.live(), which)
        self.act(self.play.write(incident), *self.play.model.handlers(incident), on=incident)

    @precondition(lambda self: self.live() and len(self.play.model.asked) < 8)
    @rule(
        which=pick, party=st.sampled_from(RECIPIENTS), several=st.booleans(), kinds=some, short=st.booleans()
    )
    def propose(self, which: int, party: str, several: bool, kinds: set[str], short: bool) -> None:
        incident, current = self.one(self.live(), which), self.play.current(party)
        if not current:
            return
        readers = current[:4] if several else [self.one(current, which)]
        handler = self.one(self.play.model.handlers(incident), which)
        chosen = [KINDS[int(place)] for place in sorted(kinds)]
        self.act(self.play.propose(handler, incident, readers, chosen, short=short), *readers)

    def open_notices(self) -> list[str]:
        model = self.play.model
        return [
            name
            for name, asked in model.asked.items()
            if not asked.closed and model.now < asked.until and not model.told[asked.incident].withdrawn
        ]

    @precondition(lambda self: self.open_notices())
    @rule(which=pick, whole=st.booleans(), first=st.booleans(), kind=pick, purposes=some)
    def give(self, which: int, whole: bool, first: bool, kind: int, purposes: set[str]) -> None:
        notice = self.one(self.open_notices(), which)
        asked = self.play.model.asked[notice]
        readers, kinds = set(asked.readers), set(asked.kinds)
        if not whole:
            readers = {self.one(sorted(readers), 0 if first else 1)}
            kinds = {self.one(sorted(kinds), kind)}
        chosen = [PURPOSES[int(place)] for place in sorted(purposes)]
        self.act(
            self.play.give(notice, readers, kinds, list(PURPOSES) if whole else chosen),
            *asked.readers,
            on=notice,
        )

    def unanswered(self) -> list[str]:
        return [name for name in self.open_notices() if not self.play.model.asked[name].answered]

    @precondition(lambda self: self.unanswered())
    @rule(which=pick)
    def refuse(self, which: int) -> None:
        notice = self.one(self.unanswered(), which)
        self.act(self.play.refuse(notice), *self.play.model.asked[notice].readers, on=notice)

    def given(self) -> list[str]:
        return [name for name in self.open_notices() if self.play.model.asked[name].pairs]

    def offered(self) -> list[tuple[str, str]]:
        model = self.play.model
        return [
            (who, name)
            for name in self.given()
            if not model.asked[name].accepted
            for who in sorted(model.asked[name].seats)
            if model.has_stub(who, name)
        ]

    @precondition(lambda self: self.given())
    @rule(which=pick, how=st.sampled_from(["all", "reader", "kind", "both"]))
    def withdraw(self, which: int, how: str) -> None:
        notice = self.one(self.given(), which)
        asked = self.play.model.asked[notice]
        readers = {self.one(sorted(asked.seats), which)} if how in ("reader", "both") else set[str]()
        kinds = {self.one(sorted(asked.kinds), which)} if how in ("kind", "both") else set[int]()
        if any(self.play.model.people[who].turns != asked.readers.get(who) for who in readers):
            return
        self.act(self.play.withdraw(notice, readers, kinds), *asked.seats, on=notice)

    @precondition(lambda self: self.offered())
    @rule(which=pick)
    def accept(self, which: int) -> None:
        who, notice = self.one(self.offered(), which)
        self.act(self.play.accept(who, notice), *self.play.model.asked[notice].seats, on=notice)

    @precondition(lambda self: self.offered() and self.play.model.now)
    @rule(which=pick)
    def decline(self, which: int) -> None:
        who, notice = self.one(self.offered(), which)
        self.act(self.play.decline(who, notice), *self.play.model.asked[notice].seats, on=notice)

    @precondition(lambda self: self.live() and len(self.play.model.asked) > 2)
    @rule(which=pick)
    def withdraw_report(self, which: int) -> None:
        incident, model = self.one(self.live(), which), self.play.model
        readers = {who for asked in model.asked.values() if asked.incident == incident for who in asked.seats}
        concerned = {*model.told[incident].seats, *readers}
        self.act(self.play.withdraw_report(incident), *sorted(concerned), on=incident)

    @precondition(lambda self: self.live())
    @rule(which=pick, who=pick, party=st.booleans())
    def exclude(self, which: int, who: int, party: bool) -> None:
        incident, name = self.one(self.live(), which), self.one(sorted(self.play.model.people), who)
        whole = party and self.play.model.people[name].party != LEAD
        self.act(self.play.exclude(incident, name, party=whole), name, on=incident)

    @precondition(lambda self: len(self.live()) > 1)
    @rule(turned=st.booleans(), who=pick, taken_back=st.booleans())
    def side_by_side(self, turned: bool, who: int, taken_back: bool) -> None:
        """Two reporters act at once: what one does has no effect on the other's."""
        one, other = self.live()[:2][:: -1 if turned else 1]
        model, name = self.play.model, self.one(sorted(self.play.model.people), who)
        acts: list[Awaitable[Any]] = [self.play.write(one), self.play.exclude(other, name, party=False)]
        given = [notice for notice in self.given() if model.asked[notice].incident == one]
        if taken_back and given:
            acts.append(self.play.withdraw(given[0], set(), set()))
        self.run(together(acts))
        self.look(name, on=other)
        self.look(*model.told[one].seats, on=one)

    @precondition(lambda self: self.live() and self.play.current(LEAD))
    @rule(which=pick, both=st.booleans(), share=st.booleans())
    def change_intake(self, which: int, both: bool, share: bool) -> None:
        incident, current = self.one(self.live(), which), self.play.current(LEAD)
        model = self.play.model
        free = [who for who in current if not model.is_out(who, incident)]
        if free:
            handlers = free if both else [self.one(free, which)]
            before = list(model.told[incident].seats)
            self.act(
                self.play.change_intake(incident, handlers, share=share),
                *{*before, *handlers},
                on=incident,
            )

    @precondition(lambda self: self.newcomers < 2)
    @rule(party=st.sampled_from([LEAD, *RECIPIENTS]))
    def appoint_newcomer(self, party: str) -> None:
        """T3: whoever comes later reads nothing of what was said before."""
        self.newcomers += 1
        who = f"new{self.newcomers}"
        self.run(self.play.hire(who, party))
        self.act(self.play.appoint(who), who)

    def staff(self) -> list[str]:
        model = self.play.model
        return [who for who in model.people if model.is_current(who)]

    @precondition(lambda self: len(self.staff()) > 3 and self.play.model.asked)
    @rule(which=pick, again=st.booleans())
    def end_appointment(self, which: int, again: bool) -> None:
        who = self.one(self.staff(), which)
        self.act(self.play.end_appointment(who), who)
        if again:
            self.act(self.play.appoint(who), who)

    @precondition(lambda self: len(self.staff()) > 3 and self.play.model.asked)
    @rule(which=pick)
    def remove(self, which: int) -> None:
        who = self.one(self.staff(), which)
        self.act(self.play.remove(who), who)

    @precondition(lambda self: self.staff() and len(self.play.former) < 3)
    @rule(which=pick)
    def rotate(self, which: int) -> None:
        who = self.one(self.staff(), which)
        self.act(self.play.rotate(who), who)
        self.run(self.play.former_keys_open_nothing())

    @precondition(lambda self: self.given() and self.clock_steps < 2)
    @rule()
    def expire(self) -> None:
        self.clock_steps += 1
        self.play.advance()
        self.look(*self.play.model.people)

    @precondition(lambda self: self.commands())
    @rule(which=st.integers(0, 200))
    def again(self, which: int) -> None:
        """I12: any command once more, same bytes: whatever the answer, nothing happens."""
        sent = self.one(self.commands(), which)
        self.run(self.ledger.nothing_overdue())
        before = self.run(self.ledger.done())
        with suppress(MeldbrugError):
            self.run(self.wire.again(sent))
        assert not since(before, self.ledger.count())
        self.look()

    def commands(self) -> list[Any]:
        """What was sent to disclosure with a request id, openings apart: those leave a row."""
        return [
            sent
            for sent in self.wire.sent[self.play.mark :]
            if "disclosure" in sent.method
            and "request_id" in sent.request.DESCRIPTOR.fields_by_name
            and not sent.method.endswith("/OpenSections")
        ]

    def teardown(self) -> None:
        """Everyone tries everything; every release is written down once; every wrap is for one."""
        if not hasattr(self, "play"):
            return
        play = self.play
        tries: list[Awaitable[None]] = []
        for who in play.model.people:
            tries += [
                play.reader_sees(who, notice, purpose) for notice in play.model.asked for purpose in PURPOSES
            ]
            tries += [play.handler_sees(who, incident) for incident in play.model.told]
            tries.append(play.lists_hold_nothing_strange(who))
        self.run(together(tries))
        self.run(play.former_keys_open_nothing())
        self.releases_are_single()
        self.wraps_are_for_one()

    def releases_are_single(self) -> None:
        """I8: exactly one row for every answer that left, and no row more."""
        kids = [reporter.kid for reporter in self.play.reporters.values()]
        kids += [member.kid for member in (*self.play.members.values(), *self.play.former)]
        with self.world.sql() as sql:
            query = "SELECT kid, request_id FROM disclosure.releases WHERE incident = ANY(%s)"
            rows = [tuple(row) for row in sql.execute(query, (list(self.play.model.told),))]
        assert sorted(rows) == sorted(pair for pair in self.wire.released if pair[0] in kids)

    def wraps_are_for_one(self) -> None:
        """I15: every wrap that is stored opens with its reader's key, and with nobody else's."""
        keys = {member.kid: member.keys for member in self.play.members.values()}
        query = (
            "SELECT w.wrap, w.reader_kid, w.grant_name, w.incident, s.name, s.version, s.kind, c.purposes "
            "FROM disclosure.wraps w "
            "JOIN disclosure.sections s ON s.name = w.section AND s.version = w.version "
            "LEFT JOIN disclosure.consents c ON c.name = w.grant_name WHERE w.incident = ANY(%s) LIMIT 40"
        )
        with self.world.sql() as sql:
            rows = sql.execute(query, (list(self.play.model.told),)).fetchall()
        for wrap, reader, grant, incident, name, version, kind, purposes in rows:
            context = SectionContext(self.wire.installation, incident, name, version, kind)
            for kid, own in keys.items():
                try:
                    unwrap_key(bytes(wrap), own, context, grant, purposes or ())
                    opens = True
                except CryptoError:
                    opens = False
                assert opens == (kid == reader)


@pytest.fixture(scope="module")
def machine() -> Iterator[type[Machine]]:
    """The machine on a stack of its own."""
    with running_stack(one_process=True, env=FAST) as stack, one_loop() as run:
        Machine.run = staticmethod(run)
        Machine.wire = Recorder(stack)
        settling = settled_on(stack, Machine.wire)
        Machine.world = run(settling.__aenter__())
        Machine.ledger = Ledger(stack.endpoints.database_url)
        yield Machine
        Machine.ledger.close()
        run(settling.__aexit__(None, None, None))
        run(Machine.wire.close())


def play_round(machine: type[Machine], number: int) -> None:
    """Plays one round, told by its seed alone."""
    plan = settings(
        max_examples=1,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(machine), settings=plan)


@pytest.mark.timeout(1000)
@pytest.mark.campaign("machine", unit="steps", floor=2000, target=100_000, short_s=900)
def test_nobody_reads_more_or_less_than_the_model_says(machine: type[Machine], campaign: Campaign) -> None:
    """Up to two reports with eight notices on a production with its staff, and all that can happen to them.

    Keeps I1, I2, I3, I7, I8, I12, I15 and I27.
    """
    for number in campaign:
        before = machine.steps
        play_round(machine, number)
        campaign.count(rounds=1, steps=machine.steps - before)
