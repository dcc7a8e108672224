"""One incident on a joint production, from report to withdrawal.

Each actor is a client of its own, holding only its own keys.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from demo import texts
from demo.narration import Narrator, StoryBroken
from demo.seed import Sector
from meldbrug.cli.labels import CATEGORIES, label
from meldbrug.cli.words import Words
from meldbrug.client import (
    Circle,
    Connection,
    Consents,
    Draft,
    MemberClient,
    NotPermitted,
    Preview,
    Proposal,
    PublicClient,
    Refused,
    ReporterClient,
    Yes,
)
from meldbrug.common.v1.common_pb2 import (
    CATEGORY_DISCRIMINATION,
    CATEGORY_SEXUAL_HARASSMENT_AND_INTIMIDATION,
    GROUND_REPORTER_CONSENT,
    INCIDENT_STATE_ASSESSING,
    INCIDENT_STATE_SHARING_CONSIDERED,
    KIND_ACCOUNT,
    KIND_CONTEXT,
    KIND_IMPACT,
    KIND_MEASURES,
    KIND_SUMMARY,
    LANGUAGE_EN,
    LANGUAGE_NL,
    PURPOSE_COORDINATE_FOLLOW_UP,
    PURPOSE_INFORM,
    PURPOSE_PROTECT_PEOPLE,
    Category,
    Kind,
    NoticeState,
    OpeningCapacity,
)
from meldbrug.coordination.v1.coordination_pb2 import Stub
from meldbrug.crypto import keys_from, new_entropy, to_words

TITLE = "veerpont"
PERIOD = timedelta(days=90)
PATIENCE_S = 15.0
"""How long someone looks at an inbox before the story is broken."""
LOOKS = 100
NOBODY = "incidents/" + "a" * 26 + "/notices/" + "a" * 26
"""A notice that does not exist."""


@dataclass
class Told:
    """What the story found out on the way, for whoever wants to check it again."""

    incident: str = ""
    to_broadcaster: str = ""
    to_facility: str = ""
    withdrawal_ms: float = 0.0


class Story:
    """The story, chapter by chapter."""

    def __init__(
        self, addresses: Mapping[str, str], installation: str, sector: Sector, narrator: Narrator
    ) -> None:
        """Tells `narrator` what happens at these addresses."""
        self._addresses = addresses
        self._installation = installation
        self._sector = sector
        self._say = narrator
        self._connections = AsyncExitStack()
        self.told = Told()

    async def play(self) -> Told:
        """Plays every chapter and returns what was found out.

        Raises:
            StoryBroken: something was not as promised.
        """
        async with self._connections:
            self._reporter = ReporterClient(await self._connection(), keys_from(self._receipt()))
            self._consents = Consents(self._reporter)
            self._counsellor = await self._member("duinroos-vp")
            self._broadcaster = await self._member("noorderlicht-contact")
            self._facility = await self._member("lichtbrug-contact")
            self._accused = await self._member("kade9-producent")
            page = await self._broadcaster.reader.inbox_page()
            self._watching = {self._broadcaster.kid: self._broadcaster.reader.watch(page.resume_token)}
            await self._report()
            await self._talk()
            await self._propose()
            await self._consent()
            await self._offer()
            await self._open()
            await self._not_told()
            await self._withdraw()
            await self._standing_entry()
        return self.told

    def _receipt(self) -> bytes:
        self._entropy = new_entropy()
        return self._entropy

    async def _connection(self) -> Connection:
        """Returns a connection of one actor's own."""
        return await self._connections.enter_async_context(Connection(self._addresses, self._installation))

    async def _member(self, role: str) -> MemberClient:
        return MemberClient(await self._connection(), self._sector.keys(role))

    async def _report(self) -> None:
        self._say.chapter(1, "Someone reports")
        public = PublicClient(await self._connection())
        await public.root()
        circle = await public.circle(self._sector.code(TITLE))
        self._say.tell(
            "It is late, after a night shoot. Someone of the light crew scans the code on the call sheet of "
            f"[bold]{circle.served.production.title}[/bold] with a phone."
        )
        self._say.table("The reporter", ("organisation", "role", "what for"), who_takes_part(circle))
        accused = next(p for p in circle.safety_contacts() if p.member.subject_name == "Uitvoerend producent")
        intake = circle.counsellors(self._sector.participation(TITLE, "duinroos"))
        draft = Draft(
            texts={
                KIND_CONTEXT: texts.CONTEXT_NL,
                KIND_ACCOUNT: texts.ACCOUNT_NL,
                KIND_IMPACT: texts.IMPACT_NL,
            },
            intake=intake,
            production=circle.production,
            categories=[CATEGORY_SEXUAL_HARASSMENT_AND_INTIMIDATION],
            language=LANGUAGE_NL,
            excluded_subjects=[accused.member.subject],
        )
        columns = ("", "what it was, of the covenant's five", "in Dutch")
        self._say.table("The reporter", columns, the_covenants_five(draft.categories))
        report = await self._reporter.report(draft)
        self.told.incident = report.name
        self._say.tell(
            "The reporter chooses the producer's counsellor with her deputy, and excludes the executive "
            "producer: he must never know."
        )
        words = " ".join(to_words(self._entropy, "nl"))
        self._say.shows("The reporter", words, note="the receipt: shown once, the only way back in")
        status = await self._reporter.status()
        again = status.look_again_time.ToDatetime(tzinfo=UTC)
        self._say.expect(
            f"The report is in. Looking again makes sense from {again:%d %B}.",
            holds=again > datetime.now(UTC),
        )

    async def _talk(self) -> None:
        self._say.chapter(2, "The counsellor answers")
        handler = self._counsellor.handler
        cases = await self._cases(self._counsellor)
        self._say.expect(
            "The counsellor's list holds one case.",
            holds=cases == [self.told.incident],
        )
        await handler.acknowledge(self.told.incident)
        opened = await handler.read(self.told.incident)
        account = next(text for text in opened if text.kind == KIND_ACCOUNT)
        self._say.expect(
            "She opens it; her device checked that the reporter wrote every word.",
            holds=account.author.is_reporter,
        )
        self._say.shows("The counsellor", account.text)
        await handler.send(self.told.incident, texts.FIRST_REPLY_NL)
        await self._reporter.send(texts.REPORTER_REPLY_NL)
        for message in await self._reporter.mailbox():
            member = message.author.member
            self._say.shows(
                "The reporter", message.text, note="you" if member is None else member.subject_name
            )

    async def _propose(self) -> None:
        self._say.chapter(3, "Two notices are proposed")
        handler = self._counsellor.handler
        await handler.assess(self.told.incident, INCIDENT_STATE_ASSESSING)
        await handler.assess(self.told.incident, INCIDENT_STATE_SHARING_CONSIDERED)
        circle = await handler.circle(self.told.incident)
        broadcaster = self._sector.participation(TITLE, "noorderlicht")
        facility = self._sector.participation(TITLE, "lichtbrug")
        until = datetime.now(UTC).replace(microsecond=0) + PERIOD
        proposed = await handler.propose(
            self.told.incident,
            Proposal(
                recipient=broadcaster,
                readers=circle.safety_contacts(broadcaster),
                texts={KIND_SUMMARY: texts.SUMMARY_NL, KIND_MEASURES: texts.MEASURES_NL},
                purposes=[PURPOSE_PROTECT_PEOPLE, PURPOSE_COORDINATE_FOLLOW_UP],
                valid_until=until,
                ground=GROUND_REPORTER_CONSENT,
                necessity=texts.NECESSITY_NL,
            ),
        )
        self.told.to_broadcaster = proposed.notice
        proposed = await handler.propose(
            self.told.incident,
            Proposal(
                recipient=facility,
                readers=circle.safety_contacts(facility),
                texts={KIND_SUMMARY: texts.SUMMARY_NL},
                purposes=[PURPOSE_INFORM],
                valid_until=until,
                ground=GROUND_REPORTER_CONSENT,
                necessity=texts.NECESSITY_LICHTBRUG_NL,
            ),
        )
        self.told.to_facility = proposed.notice
        self._say.tell(
            "The counsellor proposes one notice to the broadcaster and one to the facility company."
        )
        self._say.expect(
            "Neither of them has anything: the reporter was not heard yet.",
            holds=await self._inbox(self._broadcaster) == [],
        )

    async def _consent(self) -> None:
        self._say.chapter(4, "The reporter decides")
        preview = await self._consents.preview(self.told.to_broadcaster, LANGUAGE_NL)
        self._say.table(
            "The reporter", ("who would read", "role", "organisation", ""), who_would_read(preview)
        )
        for text in preview.texts:
            self._say.shows(
                "The reporter", text.text, note=f"exactly as they would read it · {Kind.Name(text.kind)}"
            )
        person = next(reader for reader in preview.readers if not reader.is_system)
        summary = next(text for text in preview.texts if text.kind == KIND_SUMMARY)
        await self._consents.give(preview, Yes(reader_kids=[person.kid], sections=[summary.section]))
        self._say.tell(
            "Yes, in part: only the summary, and only for the "
            f"{person.appointment.role.lower()}, not for the broadcaster's system."
        )
        await self._consents.refuse(self.told.to_facility)
        states = {
            sent.name: sent.state async for sent in self._counsellor.handler.notices(self.told.incident)
        }
        self._say.expect(
            "And no to the facility company. To the counsellor that looks as if it was not answered yet.",
            holds=states[self.told.to_facility] == NoticeState.NOTICE_STATE_CONSENT_PENDING,
        )

    async def _offer(self) -> None:
        self._say.chapter(5, "The broadcaster gets a stub")
        stub = await self._next(self._broadcaster)
        self._say.shows(
            "The broadcaster's compliance officer",
            described(stub),
            note="no category, no names, no other recipients",
        )
        terms = await PublicClient(await self._connection()).terms(LANGUAGE_NL)
        self._say.expect(
            "Opening before accepting the terms is refused.",
            holds=await self._refused(self._broadcaster, stub.name),
        )
        await self._broadcaster.reader.accept(stub.name, terms)
        self._say.tell(f"The handling terms ({terms.version}) are read and accepted.")

    async def _open(self) -> None:
        self._say.chapter(6, "The notice is opened")
        opened = await self._broadcaster.reader.open(self.told.to_broadcaster, PURPOSE_PROTECT_PEOPLE)
        self._say.expect(
            "What is opened is the summary, and nothing else.",
            holds=[text.kind for text in opened.texts] == [KIND_SUMMARY],
        )
        self._say.shows("The compliance officer", opened.texts[0].text)
        await self._broadcaster.reader.acknowledge(self.told.to_broadcaster)
        self._say.tell("The compliance officer acknowledges it.")
        seen = [opening async for opening in self._reporter.openings()]
        rows = [
            (
                f"{item.opening.create_time.ToDatetime(tzinfo=UTC):%H:%M:%S}",
                "you" if item.who is None else f"{item.who.subject_name}, {item.who.organisation_title}",
                OpeningCapacity.Name(item.opening.capacity).removeprefix("OPENING_CAPACITY_").lower(),
            )
            for item in seen
        ]
        self._say.table("The reporter", ("when", "who opened", "as"), rows)
        readers = [item for item in seen if item.opening.notice == self.told.to_broadcaster]
        self._say.expect(
            "The reporter can see who opened what, written down before a byte left.", holds=len(readers) == 1
        )

    async def _not_told(self) -> None:
        self._say.chapter(7, "And the others")
        for who, client in (
            ("The facility company", self._facility),
            ("The excluded producer", self._accused),
        ):
            self._say.expect(f"{who} has an empty inbox.", holds=await self._inbox(client) == [])
        refused = await self._refusal(self._facility, self.told.to_facility)
        absent = await self._refusal(self._facility, NOBODY)
        self._say.expect(
            f"Asked for by name, it is answered like something that does not exist: “{refused.message}”.",
            holds=(refused.code, refused.reason, refused.message)
            == (absent.code, absent.reason, absent.message),
        )

    async def _withdraw(self) -> None:
        self._say.chapter(8, "The reporter withdraws")
        began = time.perf_counter()
        await self._consents.withdraw(self.told.to_broadcaster)
        self.told.withdrawal_ms = (time.perf_counter() - began) * 1000
        self._say.expect(
            f"The call took {self.told.withdrawal_ms:.0f} ms; an opening right after it is refused.",
            holds=await self._refused(self._broadcaster, self.told.to_broadcaster),
        )
        stub = await self._next(self._broadcaster)
        while not stub.tombstone:
            stub = await self._next(self._broadcaster)
        self._say.shows(
            "The compliance officer", described(stub), note="a tombstone: copies are to be removed"
        )
        self._say.tell(
            "What was read was read: that cannot be undone, and the reporter was told so before saying yes."
        )

    async def _standing_entry(self) -> None:
        self._say.chapter(9, "Meanwhile, years later")
        public = PublicClient(await self._connection())
        circle = await public.standing_entry()
        entropy = new_entropy()
        bystander = ReporterClient(await self._connection(), keys_from(entropy))
        draft = Draft(
            texts={KIND_ACCOUNT: texts.STANDING_ENTRY_EN},
            intake=circle.independent(),
            categories=[CATEGORY_DISCRIMINATION],
            language=LANGUAGE_EN,
        )
        report = await bystander.report(draft)
        self._say.tell(
            "A bystander of a production long over writes to the independent point. No code is needed."
        )
        self._say.shows("The bystander", " ".join(to_words(entropy, "en")), note="a receipt, in English")
        point = await self._member("vuurtoren-admin")
        cases = await self._cases(point)
        self._say.expect(
            "The independent point has the case; nobody else does.", holds=cases == [report.name]
        )
        received = await point.handler.report(report.name)
        self._say.expect(
            "It sees what the bystander ticked: discrimination.",
            holds=list(received.report.categories) == [CATEGORY_DISCRIMINATION],
        )

    async def _inbox(self, member: MemberClient) -> list[Stub]:
        return [stub async for stub in member.reader.inbox()]

    async def _cases(self, member: MemberClient) -> list[str]:
        """Returns the incidents on the member's list, once there are any."""
        for _ in range(LOOKS):
            if cases := [case.name async for case in member.handler.cases()]:
                return cases
            await asyncio.sleep(PATIENCE_S / LOOKS)
        raise StoryBroken("no case arrived")

    async def _next(self, member: MemberClient) -> Stub:
        """Returns the next change that the member's open inbox shows by itself."""
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._watching[member.kid])

    async def _refused(self, member: MemberClient, notice: str) -> bool:
        try:
            await member.reader.open(notice, PURPOSE_PROTECT_PEOPLE)
        except NotPermitted:
            return True
        return False

    async def _refusal(self, member: MemberClient, notice: str) -> Refused:
        try:
            await member.reader.stub(notice)
        except NotPermitted as refusal:
            return refusal
        return Refused("OK", "", "")


def who_takes_part(circle: Circle) -> list[tuple[str, str, str]]:
    """Returns a row for each verified person of a circle."""
    counsellors = [
        (circle.organisation(p.appointment.participation).title, p.appointment.role, "takes reports")
        for p in circle.counsellors()
    ]
    contacts = [
        (
            circle.organisation(p.appointment.participation).title,
            p.appointment.role + (" (system)" if p.is_system else ""),
            "may receive notices",
        )
        for p in circle.safety_contacts()
    ]
    return counsellors + contacts


def the_covenants_five(ticked: Sequence[Category.ValueType]) -> list[tuple[str, str, str]]:
    """Returns a row for each category of the covenant, in its order, with a tick where it is chosen."""
    names = [(Category.Name(category), "✓" if category in ticked else "") for category in CATEGORIES.values()]
    return [(tick, label(Words("en"), name), label(Words("nl"), name)) for name, tick in names]


def who_would_read(preview: Preview) -> list[tuple[str, str, str, str]]:
    """Returns a row for each reader of a preview."""
    return [
        (
            reader.member.subject_name,
            reader.appointment.role,
            preview.organisation_title,
            "system" if reader.is_system else "person",
        )
        for reader in preview.readers
    ]


def described(stub: Stub) -> str:
    """Returns what a stub or tombstone shows."""
    lines = [f"state: {NoticeState.Name(stub.state).removeprefix('NOTICE_STATE_').lower().replace('_', ' ')}"]
    if not stub.tombstone:
        lines += [
            f"from: {stub.sender_title}",
            f"production: {stub.production_title}",
            f"terms to accept: {stub.terms_version}",
            f"please answer by: {stub.reply_by_time.ToDatetime(tzinfo=UTC):%d %B %Y}",
            f"independent contact: {stub.independent_contact}",
        ]
    return "\n".join(lines)
