"""The actors of the state machine: each act is done on the real services first, then in the model."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from meldbrug.client import (
    Consents,
    Draft,
    MemberClient,
    Person,
    Proposal,
    PublicClient,
    ReporterClient,
    Yes,
)
from meldbrug.client.device import new_request_id
from meldbrug.client.errors import MeldbrugError, Refused
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_COUNSELLOR,
    CAPACITY_SAFETY_CONTACT,
    DECLINE_REASON_NOT_CONCERNED,
    GROUND_REPORTER_CONSENT,
    KIND_ACCOUNT,
    KIND_CONTEXT,
    KIND_MEASURES,
    KIND_SUMMARY,
    LANGUAGE_NL,
    PURPOSE_INFORM,
    PURPOSE_PROTECT_PEOPLE,
)
from meldbrug.crypto import SecretKeys
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from tests.support.actors import Actors
from tests.support.faults import Recorder, succeeds
from tests.support.model import Asked, Model, Somebody
from tests.support.openings import OPEN, open_as
from tests.support.sector import World

T = TypeVar("T")

LEAD = "duinroos"
RECIPIENTS = ("noorderlicht", "kade9")
PURPOSES = (PURPOSE_PROTECT_PEOPLE, PURPOSE_INFORM)
KINDS = (KIND_SUMMARY, KIND_MEASURES)
STAFF = {
    "c0": LEAD,
    "c1": LEAD,
    "n0": RECIPIENTS[0],
    "n1": RECIPIENTS[0],
    "k0": RECIPIENTS[1],
}
SHORT_S, STEP_S, LONG_S = 120, 125, 90 * 86400
HANDLE = "/meldbrug.disclosure.v1.HandlerService/OpenSections"
CLOSED = {"PERMISSION_DENIED", "UNAUTHENTICATED"}


class Play:
    """One example: a production of its own, with staff of its own."""

    def __init__(self, world: World, recorder: Recorder) -> None:
        self.world, self.wire, self.model = world, recorder, Model()
        self.actors = Actors(world)
        self.members: dict[str, MemberClient] = {}
        self.names: dict[str, str] = {}
        self.subjects: dict[str, str] = {}
        self.former: list[MemberClient] = []
        self.reporters: dict[str, ReporterClient] = {}
        self.mark = len(recorder.sent)
        self.numbers = itertools.count()

    async def begin(self, salt: int) -> None:
        """Sets the clock right, makes the production, hires everyone, and lets a first report come some way.

        Hypothesis leaves some rules out of each example; without a report most of the others do nothing.
        """
        self.world.shift_clock(0)
        self.actors.on = await self.actors.produce(LEAD, *RECIPIENTS)
        await asyncio.gather(*map(self._staff, (LEAD, *RECIPIENTS)))
        handlers = self.current(LEAD)[: 1 + salt % 2]
        incident = await self.report(handlers, [])
        for way, party in zip((salt >> 1, salt >> 3), RECIPIENTS, strict=True):
            await self._some_way(way % 4, incident, handlers[0], self.current(party))

    async def _staff(self, party: str) -> None:
        """Hires those of one party, one after another: what an admin says is counted."""
        for who in [who for who, at in STAFF.items() if at == party]:
            await self.hire(who, party)
            await self.appoint(who)

    async def _some_way(self, way: int, incident: str, handler: str, readers: list[str]) -> None:
        """A notice that was not asked, is asked, given, or accepted."""
        if way > 0:
            notice = await self.propose(handler, incident, readers, list(KINDS), short=False)
        if way > 1:
            await self.give(notice, set(readers), set(KINDS), list(PURPOSES))
        if way > 2:
            await self.accept(readers[0], notice)

    async def hire(self, who: str, party: str) -> None:
        """Enrols someone."""
        hired = await self.actors.hire(party, f"Rol {who}")
        self.members[who], self.names[who] = hired.client, hired.member
        self.subjects[who] = (await hired.client.me()).member.subject
        self.model.people[who] = Somebody(party)

    async def appoint(self, who: str) -> None:
        """Gives someone their role; also again, under a new appointment."""
        party = self.model.people[who].party
        capacity = CAPACITY_COUNSELLOR if party == LEAD else CAPACITY_SAFETY_CONTACT
        participation = self.actors.on.participations[party]
        admin = self.actors.admin(party).admin
        contact = await admin.appoint(participation, self.members[who].kid, capacity, "Rol in een proef")
        self.model.people[who].appointment = contact.appointment

    async def end_appointment(self, who: str) -> None:
        """Ends someone's role."""
        somebody = self.model.people[who]
        await self.actors.admin(somebody.party).admin.end_appointment(somebody.appointment)
        self.model.ended.add(somebody.appointment)

    async def remove(self, who: str) -> None:
        """Removes a member."""
        await self.actors.admin(self.model.people[who].party).admin.remove(self.names[who])
        self.model.people[who].removed = True

    async def rotate(self, who: str) -> None:
        """Replaces someone's key; the old one is kept to try."""
        keys, old = SecretKeys.generate(), self.members[who]
        await old.rotation.rotate(keys)
        self.former.append(old)
        self.members[who] = MemberClient(self.wire, keys)
        self.model.reseat(who)

    def current(self, party: str) -> list[str]:
        """Who holds a role at a party now."""
        people = self.model.people.items()
        return [who for who, somebody in people if somebody.party == party and self.model.is_current(who)]

    async def people(self, chosen: list[str], found: list[Person]) -> list[Person]:
        """Those of the people found who are chosen, in that order."""
        by_kid = {person.kid: person for person in found}
        return [by_kid[self.members[who].kid] for who in chosen]

    async def report(self, handlers: list[str], excluded: list[str]) -> str:
        """Someone new reports."""
        circle = await PublicClient(self.wire).circle(self.actors.on.code)
        reporter = ReporterClient(self.wire, SecretKeys.generate())
        draft = Draft(
            texts={KIND_CONTEXT: "Op de pont.", KIND_ACCOUNT: "Wat mij overkwam."},
            intake=await self.people(handlers, circle.counsellors()),
            production=circle.production,
            excluded_subjects=[self.subjects[who] for who in excluded],
        )
        name = (await reporter.report(draft)).name
        self.reporters[name] = reporter
        sent = self.wire.last("SubmitReport").request
        self.model.report(name, handlers, [s.header.name for s in sent.sections])  # type: ignore[attr-defined]
        self.model.told[name].excluded |= set(excluded)
        return name

    async def write(self, incident: str) -> None:
        """The reporter adds a message."""
        header = await self.reporters[incident].send("Een bericht.")
        self.model.write(incident, [header.name])

    async def propose(
        self, handler: str, incident: str, readers: list[str], kinds: list[int], *, short: bool
    ) -> str:
        """A handler proposes a notice."""
        party = self.model.people[readers[0]].party
        recipient = self.actors.on.participations[party]
        desk = self.members[handler].handler
        mark = len(self.wire.sent)
        circle = await succeeds(lambda: desk.circle(incident))
        people = await self.people(readers, circle.safety_contacts(recipient))
        until = self.app_now() + timedelta(seconds=SHORT_S if short else LONG_S)
        proposal = Proposal(
            recipient=recipient,
            readers=people,
            texts=dict.fromkeys(kinds, "Een tekst."),  # type: ignore[misc]
            purposes=list(PURPOSES),
            valid_until=until,
            ground=GROUND_REPORTER_CONSENT,
            necessity="Omdat het nodig is.",
        )
        notice = (await desk.propose(incident, proposal)).notice
        self.model.write(incident, [header.name for header in self._put(mark)])
        turns = {who: self.model.people[who].turns for who in readers}
        # Relative to the model's own clock: real seconds are far below the steps of the test.
        end = self.model.now + (SHORT_S if short else LONG_S)
        self.model.asked[notice] = Asked(incident, party, turns, frozenset(kinds), end)
        return notice

    def _put(self, mark: int) -> Iterator[Any]:
        for sent in self.wire.sent[mark:]:
            request: Any = sent.request
            if sent.method.endswith("/PutSection"):
                yield request.section.header
            if sent.method.endswith("/ProposeNotice"):
                yield request.necessity.header

    def app_now(self) -> datetime:
        """The database's time, in whole seconds."""
        with self.world.sql() as sql:
            sql.execute("SET meldbrug.test_clock = 'on'")
            row = sql.execute("SELECT kernel.app_now()").fetchone()
        assert row is not None
        moment: datetime = row[0]
        return moment.astimezone(UTC).replace(microsecond=0)

    async def give(self, notice: str, readers: set[str], kinds: set[int], purposes: list[int]) -> bool:
        """The reporter says yes, or a part of it; tells whether it was taken."""
        asked = self.model.asked[notice]
        must = self.model.can_be_given(notice)
        consents = Consents(self.reporters[asked.incident])
        mark = len(self.wire.sent)
        try:
            preview = await consents.preview(notice, LANGUAGE_NL)
            sections = [text.section for text in preview.texts if text.kind in kinds]
            kids = [self.members[who].kid for who in sorted(readers)]
            part = Yes(reader_kids=kids, sections=sections, purposes=purposes)  # type: ignore[arg-type]
            await consents.give(preview, part)
        except MeldbrugError:
            assert not must, f"a yes was not taken: {[sent.method for sent in self.wire.sent[mark:]]}"
            return False
        assert all(self.model.is_current(who) for who in readers), "a yes to somebody who left was taken"
        assert not any(self.model.is_out(who, asked.incident) for who in readers), "a yes to the excluded"
        self.model.give(notice, readers, kinds, purposes)
        return True

    async def refuse(self, notice: str) -> None:
        """The reporter says no; nothing changes for anybody."""
        await Consents(self.reporters[self.model.asked[notice].incident]).refuse(notice)

    async def withdraw(self, notice: str, readers: set[str], kinds: set[int]) -> None:
        """The reporter takes back a yes, or a part of it."""
        asked = self.model.asked[notice]
        consents = Consents(self.reporters[asked.incident])
        sections = await self._sections(notice, kinds)
        kids = [self.members[who].kid for who in sorted(readers)]
        await consents.withdraw(notice, reader_kids=kids, sections=sections)
        self.model.withdraw(notice, readers, kinds)

    async def _sections(self, notice: str, kinds: set[int]) -> list[str]:
        with self.world.sql() as sql:
            query = "SELECT section FROM disclosure.notice_sections WHERE notice = %s AND kind = ANY(%s)"
            return [str(row[0]) for row in sql.execute(query, (notice, sorted(kinds)))]

    async def withdraw_report(self, incident: str) -> None:
        """The reporter takes back everything."""
        await self.reporters[incident].withdraw_report()
        self.model.told[incident].withdrawn = True

    async def exclude(self, incident: str, who: str, *, party: bool) -> None:
        """The reporter excludes a person, or everyone at that person's party."""
        target = self.model.people[who].party if party else who
        organisation = self.world.sector.organisation(target) if party else ""
        await self.reporters[incident].exclude(
            [] if party else [self.subjects[who]], [organisation] if party else []
        )
        self.model.told[incident].excluded.add(target)

    async def change_intake(self, incident: str, handlers: list[str], *, share: bool) -> None:
        """The reporter chooses who handles from now on."""
        reporter = self.reporters[incident]
        people = await self.people(handlers, (await reporter.circle()).counsellors())
        shared = [h.name async for h in reporter.headers() if h.kind == KIND_ACCOUNT] if share else []
        await reporter.change_intake(people, shared=shared)
        self.model.change_intake(incident, handlers, shared)

    async def accept(self, who: str, notice: str) -> None:
        """A reader accepts the terms, once the stub has come."""
        terms = await PublicClient(self.wire).terms(LANGUAGE_NL)
        await succeeds(lambda: self.members[who].reader.accept(notice, terms))
        self.model.asked[notice].accepted = True

    async def decline(self, who: str, notice: str) -> None:
        """A reader declines for the participation."""
        terms = await PublicClient(self.wire).terms(LANGUAGE_NL)
        decline = self.members[who].reader.decline
        await succeeds(lambda: decline(notice, terms, DECLINE_REASON_NOT_CONCERNED))
        self.model.asked[notice].closed = True

    def advance(self) -> None:
        """Time passes: what was given for a short while has run out."""
        self.model.now += STEP_S
        self.world.shift_clock(self.model.now)

    async def reader_sees(self, who: str, notice: str, purpose: int) -> None:
        """Tries a reader's door and holds what comes out to the model: no more, in the end no less."""
        request = service.OpenSectionsRequest(notice=notice, purpose=purpose, request_id=new_request_id())  # type: ignore[arg-type]
        call = self.members[who].call
        expected = self.model.kinds(who, notice, purpose)
        if expected:
            answer = await succeeds(lambda: call(OPEN, request, service.OpenSectionsResponse))
            assert {opened.header.kind for opened in answer.sections} == expected, (
                f"{who} reads something else"
            )
        else:
            await self._is_shut(lambda: call(OPEN, request, service.OpenSectionsResponse), who)

    async def handler_sees(self, who: str, incident: str) -> None:
        """Tries a handler's door in the same way."""
        expected = self.model.sections(who, incident)
        everything = sorted({name for _, name in self.model.told[incident].sections})
        asked = sorted(expected) or everything
        request = service.HandlerServiceOpenSectionsRequest(
            incident=incident, sections=asked[:8], request_id=new_request_id()
        )
        call = self.members[who].call
        if expected:
            await succeeds(lambda: call(HANDLE, request, service.HandlerServiceOpenSectionsResponse))
            names = {header.name async for header in self.members[who].handler.headers(incident)}
            assert names == expected, f"{who}: {names - expected} too much, {expected - names} too little"
        elif asked:
            await self._is_shut(
                lambda: call(HANDLE, request, service.HandlerServiceOpenSectionsResponse), who
            )

    async def _is_shut(self, act: Callable[[], Awaitable[object]], who: str) -> None:
        try:
            await act()
        except Refused as refused:
            answered = refused.code
        else:
            answered = "through a closed door"
        assert answered in CLOSED, f"{who} got {answered}"

    async def lists_hold_nothing_strange(self, who: str) -> None:
        """I7: nobody is listed what was never theirs."""
        if self.model.people[who].removed:
            return
        notices = {stub.name async for stub in self.members[who].reader.inbox()} & set(self.model.asked)
        assert notices <= {name for name, asked in self.model.asked.items() if who in asked.offered}
        cases = {case.name async for case in self.members[who].handler.cases()} & set(self.model.told)
        assert cases <= {name for name, told in self.model.told.items() if who in told.seated}

    async def former_keys_open_nothing(self) -> None:
        """I27: a key that was replaced is nobody's any more."""
        for old in self.former:
            for notice in self.model.asked:
                act = open_as(old, notice)
                await self._is_shut(lambda act=act: act, "an old key")


@contextmanager
def one_loop() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """Yields what runs coroutines one after another, all on one loop."""
    with asyncio.Runner() as runner:

        async def wait(act: Awaitable[Any]) -> Any:
            return await act

        yield lambda act: runner.run(wait(act))
