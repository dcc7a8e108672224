"""Builders: who acts on the sector, and the stages that one report goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from meldbrug.client import (
    WHOLE,
    Circle,
    Consents,
    Draft,
    MemberClient,
    Person,
    Proposal,
    PublicClient,
    ReporterClient,
    Terms,
    Yes,
    accept_invitation,
)
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_COUNSELLOR,
    CAPACITY_SAFETY_CONTACT,
    GROUND_REPORTER_CONSENT,
    KIND_ACCOUNT,
    KIND_CONTEXT,
    KIND_MEASURES,
    KIND_SUMMARY,
    LANGUAGE_NL,
    PURPOSE_INFORM,
    PURPOSE_PROTECT_PEOPLE,
    SUBJECT_KIND_PERSON,
    Capacity,
)
from meldbrug.coordination.v1.coordination_pb2 import Stub
from meldbrug.crypto import SecretKeys, keys_from, new_entropy
from tests.support.sector import World

T = TypeVar("T")

DEMO = "veerpont"
PARTIES = ("duinroos", "noorderlicht", "kade9", "lichtbrug")
TEXTS = {KIND_CONTEXT: "Op de pont, na tien uur.", KIND_ACCOUNT: "Wat mij overkwam, in mijn eigen woorden."}
NOTICE = {KIND_SUMMARY: "Een samenvatting zonder namen.", KIND_MEASURES: "Een tweede verantwoordelijke."}
PATIENCE_S = 15.0
POLL_S = 0.05


async def until(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool] = bool) -> T:
    """Returns what `look` finds once it `holds`; what follows by job needs a moment."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds(found := await look()):
            await asyncio.sleep(POLL_S)
    return found


@dataclass(frozen=True)
class Set:
    """A production as its reporters know it."""

    code: str
    participations: Mapping[str, str]


@dataclass
class Hired:
    """A member made for one test."""

    client: MemberClient
    member: str
    appointment: str = ""

    @property
    def kid(self) -> str:
        """The member's key."""
        return self.client.kid


class Actors:
    """Everyone who can act on a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.public = PublicClient(world.connection)
        self.secretariat = MemberClient(world.connection, world.root)
        self.on = Set(world.sector.code(DEMO), {p: world.sector.participation(DEMO, p) for p in PARTIES})

    def member(self, role: str) -> MemberClient:
        """A role of the demo sector, with a device of its own."""
        return MemberClient(self.world.connection, self.world.sector.keys(role))

    def admin(self, party: str) -> MemberClient:
        """The party's admin."""
        return self.member(f"{party}-admin")

    @classmethod
    async def on_their_own(cls, world: World) -> Actors:
        """Everyone on a production of this test alone, with the lead's counsellor and deputy appointed."""
        actors = cls(world)
        actors.on = await actors.produce(*PARTIES)
        for role in ("duinroos-vp", "duinroos-plv"):
            await actors.appoint(Hired(actors.member(role), ""), "duinroos", CAPACITY_COUNSELLOR)
        return actors

    async def produce(self, lead: str, *others: str) -> Set:
        """A new production, led by one party, that others take part in."""
        start = datetime.now(UTC)
        made = await self.admin(lead).admin.register_production(
            "Een proefopname", start, start + timedelta(days=30)
        )
        taking_part = {lead: made.participation.name}
        for party in others:
            organisation = self.world.sector.organisation(party)
            proposed = await self.admin(lead).admin.propose_participation(made.production.name, organisation)
            await self.admin(party).admin.accept_participation(proposed.name)
            taking_part[party] = proposed.name
        return Set(made.production.code, taking_part)

    async def hire(self, party: str, title: str, *, known_as: MemberClient | None = None) -> Hired:
        """Enrols a new member at a party; `known_as` is a person known from elsewhere."""
        subject = (await known_as.me()).member.subject if known_as else ""
        admin, keys = self.admin(party).admin, SecretKeys.generate()
        invited = await admin.invite(title, SUBJECT_KIND_PERSON, subject=subject)
        member = await accept_invitation(
            self.world.connection,
            keys,
            invited.code,
            known_as=known_as._credentials.keys if known_as else None,
        )
        await admin.endorse(member.name, keys.kid)
        return Hired(MemberClient(self.world.connection, keys), member.name)

    async def appoint(
        self, hired: Hired, party: str, capacity: Capacity.ValueType, on: Set | None = None
    ) -> Hired:
        """Appoints someone on a participation of their party."""
        contact = await self.admin(party).admin.appoint(
            (on or self.on).participations[party], hired.kid, capacity, "Rol voor een test"
        )
        hired.appointment = contact.appointment
        return hired

    async def contact(self, party: str, on: Set | None = None) -> Hired:
        """A new safety contact."""
        hired = await self.hire(party, "Contactpersoon")
        return await self.appoint(hired, party, CAPACITY_SAFETY_CONTACT, on)

    async def counsellor(self, party: str, on: Set | None = None) -> Hired:
        """A new counsellor."""
        hired = await self.hire(party, "Vertrouwenspersoon")
        return await self.appoint(hired, party, CAPACITY_COUNSELLOR, on)

    async def circle(self, on: Set | None = None) -> Circle:
        """Who takes part, as anyone with the code sees it."""
        return await self.public.circle((on or self.on).code)

    async def person(self, client: MemberClient, on: Set | None = None) -> Person:
        """A member as the circle vouches for them."""
        circle = await self.circle(on)
        return next(p for p in [*circle.counsellors(), *circle.safety_contacts()] if p.kid == client.kid)

    def newcomer(self) -> ReporterClient:
        """Somebody with a receipt nobody has seen."""
        return ReporterClient(self.world.connection, keys_from(new_entropy()))

    async def report(
        self,
        handlers: Sequence[MemberClient] = (),
        *,
        on: Set | None = None,
        excluded: Sequence[str] = (),
        excluded_organisations: Sequence[str] = (),
    ) -> Case:
        """A report to these handlers, or to the lead's counsellor and deputy; returns when they see it."""
        chosen = handlers or [self.member("duinroos-vp"), self.member("duinroos-plv")]
        circle, reporter = await self.circle(on), self.newcomer()
        report = await reporter.report(
            Draft(
                texts=TEXTS,
                intake=[await self.person(handler, on) for handler in chosen],
                production=circle.production,
                excluded_subjects=excluded,
                excluded_organisations=excluded_organisations,
            )
        )
        case = Case(self, on or self.on, report.name, reporter, chosen[0])
        await until(lambda: seen(case.handler, case.incident))
        return case


@dataclass
class Case:
    """One report and the notice that grows from it."""

    actors: Actors
    on: Set
    incident: str
    reporter: ReporterClient
    handler: MemberClient
    notice: str = ""
    readers: list[MemberClient] = field(default_factory=list)

    @property
    def consents(self) -> Consents:
        """The reporter's answers."""
        return Consents(self.reporter)

    @property
    def reader(self) -> MemberClient:
        """The first named reader."""
        return self.readers[0]

    async def propose(self, party: str, readers: Sequence[MemberClient], **changes: object) -> str:
        """The handler proposes a notice to these contacts of a party."""
        recipient = self.on.participations[party]
        circle = await self.handler.handler.circle(self.incident)
        people = {person.kid: person for person in circle.safety_contacts(recipient)}
        proposal = {
            "recipient": recipient,
            "readers": [people[reader.kid] for reader in readers],
            "texts": NOTICE,
            "purposes": [PURPOSE_PROTECT_PEOPLE, PURPOSE_INFORM],
            "valid_until": datetime.now(UTC).replace(microsecond=0) + timedelta(days=90),
            "ground": GROUND_REPORTER_CONSENT,
            "necessity": "Zonder hen kan er op de set niets gebeuren.",
            **changes,
        }
        proposed = await self.handler.handler.propose(self.incident, Proposal(**proposal))  # type: ignore[arg-type]
        self.notice, self.readers = proposed.notice, list(readers)
        return self.notice

    async def give(self, part: Yes = WHOLE) -> None:
        """The reporter says yes, whole or in part."""
        preview = await self.consents.preview(self.notice, LANGUAGE_NL)
        await self.consents.give(preview, part)

    async def offered(self, part: Yes = WHOLE) -> Stub:
        """The reporter says yes and the first reader has the stub."""
        await self.give(part)
        return await until(lambda: stub_of(self.reader, self.notice), lambda stub: stub is not None)

    async def accepted(self, part: Yes = WHOLE) -> None:
        """... and accepted the terms."""
        await self.offered(part)
        await self.reader.reader.accept(self.notice, await self.terms())

    async def terms(self) -> Terms:
        """The handling terms in Dutch."""
        return await self.actors.public.terms(LANGUAGE_NL)


async def seen(handler: MemberClient, incident: str) -> bool:
    """Whether a handler's list holds an incident."""
    return incident in [case.name async for case in handler.handler.cases()]


async def stub_of(reader: MemberClient, notice: str) -> Stub | None:
    """A notice as a reader's inbox shows it."""
    return next((stub for stub in [s async for s in reader.reader.inbox()] if stub.name == notice), None)
