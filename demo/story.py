"""One incident on a joint production, from report to withdrawal, as it is told on a terminal.

What the people in it do is in `demo/cast.py`; here it is told, and every promise in it is checked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from demo import texts
from demo.cast import PATIENCE_S, Cast, cases_of, inbox_of, is_refused, looked_for, part_of
from demo.narration import (
    Narrator,
    StoryBroken,
    described,
    the_covenants_five,
    who_opened,
    who_takes_part,
    who_would_read,
)
from demo.seed import Sector
from meldbrug.client import Draft, MemberClient, NotPermitted, PublicClient, Refused, ReporterClient
from meldbrug.common.v1.common_pb2 import (
    CATEGORY_DISCRIMINATION,
    KIND_ACCOUNT,
    KIND_SUMMARY,
    LANGUAGE_EN,
    LANGUAGE_NL,
    PURPOSE_PROTECT_PEOPLE,
    Kind,
    NoticeState,
)
from meldbrug.coordination.v1.coordination_pb2 import Stub
from meldbrug.crypto import keys_from, new_entropy, to_words

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

    _watching: AsyncIterator[Stub]

    def __init__(
        self, addresses: Mapping[str, str], installation: str, sector: Sector, narrator: Narrator
    ) -> None:
        """Tells `narrator` what happens at these addresses."""
        self._entropy = new_entropy()
        self._cast = Cast(addresses, installation, sector, texts.NL, self._entropy)
        self._say = narrator
        self.told = Told()

    async def play(self) -> Told:
        """Plays every chapter and returns what was found out.

        Raises:
            StoryBroken: something was not as promised.
        """
        async with self._cast as cast:
            page = await cast.broadcaster.reader.inbox_page()
            self._watching = cast.broadcaster.reader.watch(page.resume_token)
            for chapter in (
                self._report,
                self._talk,
                self._propose,
                self._consent,
                self._offer,
                self._open,
                self._not_told,
                self._withdraw,
                self._standing_entry,
            ):
                await chapter()
        return self.told

    async def _report(self) -> None:
        self._say.chapter(1, "Someone reports")
        circle = await self._cast.circle()
        self._say.tell(
            "It is late, after a night shoot. Someone of the light crew scans the code on the call sheet of "
            f"[bold]{circle.served.production.title}[/bold] with a phone."
        )
        self._say.table("The reporter", ("organisation", "role", "what for"), who_takes_part(circle))
        draft = self._cast.draft(circle, LANGUAGE_NL)
        columns = ("", "what it was, of the covenant's five", "in Dutch")
        self._say.table("The reporter", columns, the_covenants_five(draft.categories))
        self.told.incident = (await self._cast.reporter.report(draft)).name
        self._say.tell(
            "The reporter chooses the producer's counsellor with her deputy, and excludes the executive "
            "producer: he must never know."
        )
        words = " ".join(to_words(self._entropy, "nl"))
        self._say.shows("The reporter", words, note="the receipt: shown once, the only way back in")
        status = await self._cast.reporter.status()
        again = status.look_again_time.ToDatetime(tzinfo=UTC)
        self._say.expect(
            f"The report is in. Looking again makes sense from {again:%d %B}.",
            holds=again > datetime.now(UTC),
        )

    async def _talk(self) -> None:
        self._say.chapter(2, "The counsellor answers")
        handler = self._cast.counsellor.handler
        cases = await looked_for(lambda: cases_of(self._cast.counsellor), self.told.incident)
        self._say.expect("The counsellor's list holds one case.", holds=cases == [self.told.incident])
        await handler.acknowledge(self.told.incident)
        opened = await handler.read(self.told.incident)
        account = next(text for text in opened if text.kind == KIND_ACCOUNT)
        self._say.expect(
            "She opens it; her device checked that the reporter wrote every word.",
            holds=account.author.is_reporter,
        )
        self._say.shows("The counsellor", account.text)
        await self._cast.talk(self.told.incident)
        for message in await self._cast.reporter.mailbox():
            member = message.author.member
            self._say.shows(
                "The reporter", message.text, note="you" if member is None else member.subject_name
            )

    async def _propose(self) -> None:
        self._say.chapter(3, "Two notices are proposed")
        self.told.to_broadcaster, self.told.to_facility = await self._cast.propose(self.told.incident)
        self._say.tell(
            "The counsellor proposes one notice to the broadcaster and one to the facility company."
        )
        self._say.expect(
            "Neither of them has anything: the reporter was not heard yet.",
            holds=await inbox_of(self._cast.broadcaster) == [],
        )

    async def _consent(self) -> None:
        self._say.chapter(4, "The reporter decides")
        consents = self._cast.consents
        preview = await consents.preview(self.told.to_broadcaster, LANGUAGE_NL)
        self._say.table(
            "The reporter", ("who would read", "role", "organisation", ""), who_would_read(preview)
        )
        for text in preview.texts:
            self._say.shows(
                "The reporter", text.text, note=f"exactly as they would read it · {Kind.Name(text.kind)}"
            )
        part = part_of(preview)
        await consents.give(preview, part)
        person = next(reader for reader in preview.readers if [reader.kid] == part.reader_kids)
        self._say.tell(
            "Yes, in part: only the summary, and only for the "
            f"{person.appointment.role.lower()}, not for the broadcaster's system."
        )
        await consents.refuse(self.told.to_facility)
        notices = self._cast.counsellor.handler.notices(self.told.incident)
        states = {sent.name: sent.state async for sent in notices}
        self._say.expect(
            "And no to the facility company. To the counsellor that looks as if it was not answered yet.",
            holds=states[self.told.to_facility] == NoticeState.NOTICE_STATE_CONSENT_PENDING,
        )

    async def _offer(self) -> None:
        self._say.chapter(5, "The broadcaster gets a stub")
        stub = await self._next()
        self._say.shows(
            "The broadcaster's compliance officer",
            described(stub),
            note="no category, no names, no other recipients",
        )
        terms = await PublicClient(await self._cast.connection()).terms(LANGUAGE_NL)
        self._say.expect(
            "Opening before accepting the terms is refused.",
            holds=await is_refused(self._cast.broadcaster, stub.name),
        )
        await self._cast.broadcaster.reader.accept(stub.name, terms)
        self._say.tell(f"The handling terms ({terms.version}) are read and accepted.")

    async def _open(self) -> None:
        self._say.chapter(6, "The notice is opened")
        reader = self._cast.broadcaster.reader
        opened = await reader.open(self.told.to_broadcaster, PURPOSE_PROTECT_PEOPLE)
        self._say.expect(
            "What is opened is the summary, and nothing else.",
            holds=[text.kind for text in opened.texts] == [KIND_SUMMARY],
        )
        self._say.shows("The compliance officer", opened.texts[0].text)
        await reader.acknowledge(self.told.to_broadcaster)
        self._say.tell("The compliance officer acknowledges it.")
        seen = [opening async for opening in self._cast.reporter.openings()]
        self._say.table("The reporter", ("when", "who opened", "as"), who_opened(seen))
        readers = [item for item in seen if item.opening.notice == self.told.to_broadcaster]
        self._say.expect(
            "The reporter can see who opened what, written down before a byte left.", holds=len(readers) == 1
        )

    async def _not_told(self) -> None:
        self._say.chapter(7, "And the others")
        facility, accused = self._cast.facility, self._cast.accused
        for who, client in (("The facility company", facility), ("The excluded producer", accused)):
            self._say.expect(f"{who} has an empty inbox.", holds=await inbox_of(client) == [])
        refused = await refusal(facility, self.told.to_facility)
        absent = await refusal(facility, NOBODY)
        self._say.expect(
            f"Asked for by name, it is answered like something that does not exist: “{refused.message}”.",
            holds=(refused.code, refused.reason, refused.message)
            == (absent.code, absent.reason, absent.message),
        )

    async def _withdraw(self) -> None:
        self._say.chapter(8, "The reporter withdraws")
        began = time.perf_counter()
        await self._cast.consents.withdraw(self.told.to_broadcaster)
        self.told.withdrawal_ms = (time.perf_counter() - began) * 1000
        self._say.expect(
            f"The call took {self.told.withdrawal_ms:.0f} ms; an opening right after it is refused.",
            holds=await is_refused(self._cast.broadcaster, self.told.to_broadcaster),
        )
        stub = await self._next()
        while not stub.tombstone:
            stub = await self._next()
        self._say.shows(
            "The compliance officer", described(stub), note="a tombstone: copies are to be removed"
        )
        self._say.tell(
            "What was read was read: that cannot be undone, and the reporter was told so before saying yes."
        )

    async def _standing_entry(self) -> None:
        self._say.chapter(9, "Meanwhile, years later")
        circle = await PublicClient(await self._cast.connection()).standing_entry()
        entropy = new_entropy()
        bystander = ReporterClient(await self._cast.connection(), keys_from(entropy))
        draft = Draft(
            texts={KIND_ACCOUNT: texts.BYSTANDER_EN},
            intake=circle.independent(),
            categories=[CATEGORY_DISCRIMINATION],
            language=LANGUAGE_EN,
        )
        report = await bystander.report(draft)
        self._say.tell(
            "A bystander of a production long over writes to the independent point. No code is needed."
        )
        self._say.shows("The bystander", " ".join(to_words(entropy, "en")), note="a receipt, in English")
        point = await self._cast.member("vuurtoren-admin")
        cases = await looked_for(lambda: cases_of(point), report.name)
        self._say.expect(
            "The independent point has the case; nobody else does.", holds=cases == [report.name]
        )
        received = await point.handler.report(report.name)
        self._say.expect(
            "It sees what the bystander ticked: discrimination.",
            holds=list(received.report.categories) == [CATEGORY_DISCRIMINATION],
        )

    async def _next(self) -> Stub:
        """Returns the next change that the broadcaster's open inbox shows by itself."""
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._watching)


async def refusal(member: MemberClient, notice: str) -> Refused:
    """Returns how a member is refused what is asked for by name.

    Raises:
        StoryBroken: it was not refused.
    """
    try:
        await member.reader.stub(notice)
    except NotPermitted as refused:
        return refused
    raise StoryBroken(f"{notice} was shown to somebody who may not know of it")
