"""Who acts in the demo and what they do; each has a connection of their own and only their own keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Self

from demo.narration import StoryBroken
from demo.seed import Sector
from demo.texts import Texts
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
    ReporterClient,
    ServerClock,
    Yes,
)
from meldbrug.common.v1.common_pb2 import (
    CATEGORY_SEXUAL_HARASSMENT_AND_INTIMIDATION,
    GROUND_REPORTER_CONSENT,
    INCIDENT_STATE_ASSESSING,
    INCIDENT_STATE_SHARING_CONSIDERED,
    KIND_ACCOUNT,
    KIND_CONTEXT,
    KIND_IMPACT,
    KIND_MEASURES,
    KIND_SUMMARY,
    PURPOSE_COORDINATE_FOLLOW_UP,
    PURPOSE_INFORM,
    PURPOSE_PROTECT_PEOPLE,
    Language,
)
from meldbrug.crypto import keys_from

TITLE = "veerpont"
ACCUSED = "Uitvoerend producent"
PERIOD = timedelta(days=90)
PATIENCE_S = 15.0
"""How long somebody looks at a list or an inbox before the story is broken."""
LOOKS = 100


class Cast:
    """Everybody in one incident on the sector's first production.

    Args:
        addresses: Where the services are.
        installation: Fingerprint of its root.
        sector: The settled sector.
        texts: What they write.
        entropy: The reporter's receipt, 16 bytes.
    """

    def __init__(
        self, addresses: Mapping[str, str], installation: str, sector: Sector, texts: Texts, entropy: bytes
    ) -> None:
        self._addresses, self._installation = addresses, installation
        self.sector, self.texts, self._entropy = sector, texts, entropy
        self._connections = AsyncExitStack()
        # All of them play on one machine.
        self._clock = ServerClock()

    async def __aenter__(self) -> Self:
        """Opens everybody's connection."""
        self.reporter = ReporterClient(await self.connection(), keys_from(self._entropy))
        self.consents = Consents(self.reporter)
        self.counsellor = await self.member("duinroos-vp")
        self.broadcaster = await self.member("noorderlicht-contact")
        self.facility = await self.member("lichtbrug-contact")
        self.accused = await self.member("kade9-producent")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes them."""
        await self._connections.aclose()

    async def connection(self) -> Connection:
        """Returns a connection of one actor's own."""
        connection = Connection(self._addresses, self._installation, clock=self._clock)
        return await self._connections.enter_async_context(connection)

    async def member(self, role: str) -> MemberClient:
        """Returns a role of the sector, on a device of its own."""
        return MemberClient(await self.connection(), self.sector.keys(role))

    async def circle(self) -> Circle:
        """Returns who takes part, as whoever has the code sees it."""
        public = PublicClient(await self.connection())
        await public.root()
        return await public.circle(self.sector.code(TITLE))

    def draft(self, circle: Circle, language: Language.ValueType) -> Draft:
        """Returns what the reporter sends in; the executive producer must never know."""
        accused = next(p for p in circle.safety_contacts() if p.member.subject_name == ACCUSED)
        return Draft(
            texts={
                KIND_CONTEXT: self.texts.context,
                KIND_ACCOUNT: self.texts.account,
                KIND_IMPACT: self.texts.impact,
            },
            intake=circle.counsellors(self.sector.participation(TITLE, "duinroos")),
            production=circle.production,
            categories=[CATEGORY_SEXUAL_HARASSMENT_AND_INTIMIDATION],
            language=language,
            excluded_subjects=[accused.member.subject],
        )

    async def talk(self, incident: str) -> None:
        """The counsellor answers what came in, and the reporter answers that."""
        await self.counsellor.handler.send(incident, self.texts.first_reply)
        await self.reporter.send(self.texts.reporter_reply)

    async def propose(self, incident: str) -> tuple[str, str]:
        """The counsellor proposes two notices; returns the broadcaster's and the facility company's."""
        handler = self.counsellor.handler
        await handler.assess(incident, INCIDENT_STATE_ASSESSING)
        await handler.assess(incident, INCIDENT_STATE_SHARING_CONSIDERED)
        circle = await handler.circle(incident)
        broadcaster = await handler.propose(incident, self._to_broadcaster(circle))
        facility = await handler.propose(incident, self._to_facility(circle))
        return broadcaster.notice, facility.notice

    def _to_broadcaster(self, circle: Circle) -> Proposal:
        recipient = self.sector.participation(TITLE, "noorderlicht")
        return Proposal(
            recipient=recipient,
            readers=circle.safety_contacts(recipient),
            texts={KIND_SUMMARY: self.texts.summary, KIND_MEASURES: self.texts.measures},
            purposes=[PURPOSE_PROTECT_PEOPLE, PURPOSE_COORDINATE_FOLLOW_UP],
            valid_until=self._until(),
            ground=GROUND_REPORTER_CONSENT,
            necessity=self.texts.necessity,
        )

    def _to_facility(self, circle: Circle) -> Proposal:
        recipient = self.sector.participation(TITLE, "lichtbrug")
        return Proposal(
            recipient=recipient,
            readers=circle.safety_contacts(recipient),
            texts={KIND_SUMMARY: self.texts.summary},
            purposes=[PURPOSE_INFORM],
            valid_until=self._until(),
            ground=GROUND_REPORTER_CONSENT,
            necessity=self.texts.necessity_facility,
        )

    def _until(self) -> datetime:
        return self._clock.now().replace(microsecond=0) + PERIOD


def part_of(preview: Preview) -> Yes:
    """Returns the yes that the reporter says: the summary only, and for the person, not for the system."""
    person = next(reader for reader in preview.readers if not reader.is_system)
    summary = next(text for text in preview.texts if text.kind == KIND_SUMMARY)
    return Yes(reader_kids=[person.kid], sections=[summary.section])


async def cases_of(member: MemberClient) -> list[str]:
    """Returns the incidents on a member's list."""
    return [case.name async for case in member.handler.cases()]


async def inbox_of(member: MemberClient) -> list[str]:
    """Returns the notices in a member's inbox."""
    return [stub.name async for stub in member.reader.inbox()]


async def looked_for(look: Callable[[], Awaitable[list[str]]], name: str) -> list[str]:
    """Returns the list that somebody looks at, once a name is on it.

    Raises:
        StoryBroken: it did not come in time.
    """
    for _ in range(LOOKS):
        if name in (found := await look()):
            return found
        await asyncio.sleep(PATIENCE_S / LOOKS)
    raise StoryBroken(f"{name} did not arrive")


async def is_refused(member: MemberClient, notice: str) -> bool:
    """Whether a reader finds the door of a notice closed."""
    try:
        await member.reader.open(notice, PURPOSE_PROTECT_PEOPLE)
    except NotPermitted:
        return True
    return False
