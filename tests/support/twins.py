"""Two worlds on one stack: organisations, people and ordinary life twice over, and a secret in one of them.

Everyone who acts in both is listed in `STAFF`; `INSIDERS` are those who may know of the secret.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random

from meldbrug.client import MemberClient, accept_invitation, new_id
from meldbrug.client.administering import endorsement_of
from meldbrug.client.device import new_request_id
from meldbrug.client.secretariat import SECRETARIAT
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_COUNSELLOR,
    CAPACITY_SAFETY_CONTACT,
    PURPOSE_INFORM,
    SUBJECT_KIND_PERSON,
)
from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1 import directory_service_pb2 as directory
from meldbrug.directory.v1.directory_pb2 import Organisation
from tests.support.actors import Actors, Case, Set, until
from tests.support.sector import World

LEAD, RECIPIENT, THIRD = PARTIES = ("lead", "recipient", "third")
STAFF = {
    "handler": LEAD,
    "deputy": LEAD,
    "accused counsellor": LEAD,
    "reader": RECIPIENT,
    "contact": RECIPIENT,
    "accused contact": RECIPIENT,
    "third reader": THIRD,
    "third contact": THIRD,
}
INSIDERS = {"handler", "reader", "third reader"}
ACCUSED = ("accused counsellor", "accused contact", "admin of recipient", "admin of lead")
ID = re.compile(r"[a-z2-7]{52}|[a-z2-7]{26}")
DAY = timedelta(days=1)


class Side(Actors):
    """One of the two worlds; `labels` says of every id that both have what it is the id of."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world)
        self.chance = Random(number)
        self.people: dict[str, MemberClient] = {}
        self.subjects: dict[str, str] = {}
        self.organisations: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.production = ""
        self.stranger = SecretKeys.generate()
        self.note("stranger", self.stranger.kid)
        self.cases: list[Case] = []
        self.incidents: set[str] = set()
        self.hired = 0
        self.names: dict[str, str] = {}

    def admin(self, party: str) -> MemberClient:
        """The party's admin."""
        return self.people[f"admin of {party}"]

    def note(self, label: str, *names: str) -> None:
        """Remembers what the ids in these names are the ids of."""
        self.labels |= {found: label for name in names for found in ID.findall(name)[-1:]}

    async def found(self, secretariat: MemberClient) -> None:
        """The secretariat admits three organisations, each with its admin."""
        for party in PARTIES:
            admitted = await secretariat.secretariat.admit(
                f"Organisatie {party}", Organisation.KIND_PRODUCER, "Bestuurder"
            )
            keys = SecretKeys.generate()
            member = await accept_invitation(self.world.connection, keys, admitted.code)
            endorsement = endorsement_of(secretariat, member, admitted.organisation, keys.kid, admin=True)
            request = directory.EndorseAdminRequest(
                member=member.name, endorsement=endorsement, request_id=new_request_id()
            )
            await secretariat.call(SECRETARIAT + "EndorseAdmin", request, directory.EndorseAdminResponse)
            self.organisations[party] = admitted.organisation.name
            self.note(party, admitted.organisation.name)
            await self._joins(f"admin of {party}", keys, member.name)

    async def settle(self) -> None:
        """Makes the production, hires everyone, and lets a first report be handled."""
        self.on = await self.produce(*PARTIES)
        await asyncio.gather(*map(self._staff, PARTIES))
        self.production = (await self.circle()).production
        self.note("production", self.production)
        await self.report_another()
        await self.share()
        await self.followed()
        self.names = await self._names()

    async def _names(self) -> dict[str, str]:
        """Names that someone of this world can give by right, and the right shape of all others."""
        case = self.cases[0]
        section = next(iter([header.name async for header in case.reporter.headers()]))
        return {
            "installation": self.world.endpoints.installation,
            "incident": case.incident,
            "notice": case.notice,
            "section": section,
            "sections": section,
            "production": self.production,
            "participation": self.on.participations[LEAD],
            "participations": self.on.participations[LEAD],
            "recipient": self.on.participations[RECIPIENT],
            "organisation": self.organisations[LEAD],
            "member": f"members/{new_id()}",
            "appointment": f"appointments/{new_id()}",
            "subject": f"persons/{new_id()}",
            "code": self.on.code,
            "kids": self.people["deputy"].kid,
            "reader_kids": self.people["contact"].kid,
            "new_kid": self.stranger.kid,
        }

    async def _staff(self, party: str) -> None:
        for name, at in STAFF.items():
            if at == party:
                await self.engage(name, party)

    async def _joins(self, name: str, keys: SecretKeys, member: str) -> None:
        client = MemberClient(self.world.connection, keys)
        self.people[name], self.subjects[name] = client, (await client.me()).member.subject
        self.note(name, member, keys.kid, self.subjects[name])

    async def produce(self, lead: str, *others: str) -> Set:
        """A new production that all three take part in."""
        begins = datetime.now(UTC).replace(microsecond=0)
        made = await self.admin(lead).admin.register_production("Een proefopname", begins, begins + 30 * DAY)
        taking_part = {lead: made.participation.name}
        for party in others:
            organisation = self.organisations[party]
            asked = await self.admin(lead).admin.propose_participation(made.production.name, organisation)
            await self.admin(party).admin.accept_participation(asked.name)
            taking_part[party] = asked.name
        for party, name in taking_part.items():
            self.note(f"participation of {party}", name)
        self.note("code", made.production.code)
        return Set(made.production.code, taking_part)

    async def engage(self, name: str, party: str) -> None:
        """Hires someone and appoints them."""
        admin, keys = self.admin(party).admin, SecretKeys.generate()
        invited = await admin.invite("Een rol", SUBJECT_KIND_PERSON)
        member = await accept_invitation(self.world.connection, keys, invited.code)
        await admin.endorse(member.name, keys.kid)
        await self._joins(name, keys, member.name)
        capacity = CAPACITY_COUNSELLOR if party == LEAD else CAPACITY_SAFETY_CONTACT
        made = await admin.appoint(self.on.participations[party], keys.kid, capacity, "Een rol")
        self.note(f"appointment of {name}", made.appointment)

    async def followed(self) -> None:
        """Waits until everything that follows by job from this world's incidents has happened."""
        await until(self._jobs_left, lambda left: not left)

    async def _jobs_left(self) -> int:
        return await asyncio.to_thread(self._count_jobs)

    def _count_jobs(self) -> int:
        names = "|".join(name.rpartition("/")[2] for name in self.incidents) or "none"
        with self.world.sql() as sql:
            row = sql.execute("SELECT count(*) FROM jobs.procrastinate_jobs WHERE args::text ~ %s", (names,))
            return int((row.fetchone() or (0,))[0])

    async def live(self) -> str:
        """One act of ordinary life, the same in both worlds; returns which."""
        acts: dict[str, Callable[[], Awaitable[object]]] = {
            "talk": self.talk,
            "report": self.report_another,
            "share": self.share,
            "take back": self.take_back,
            "hire": self.hire_another,
        }
        name = self.chance.choice(list(acts))
        await acts[name]()
        await self.followed()
        return name

    @property
    def last(self) -> Case:
        """The report that ordinary life is about."""
        return self.cases[-1]

    async def talk(self) -> None:
        """The reporter of the last report and its handler write to each other."""
        await self.last.reporter.send("Is er al iets bekend?")
        await self.last.handler.handler.send(self.last.incident, "Nog niet.")

    async def report_another(self) -> None:
        """Somebody reports to the deputy and to the counsellor whom the secret accuses."""
        case = await self.report([self.people["deputy"], self.people["accused counsellor"]])
        self.cases.append(case)
        self.incidents.add(case.incident)
        self.note(f"report {len(self.cases)}", case.incident, case.reporter.kid)

    async def share(self) -> None:
        """The deputy's notice reaches two contacts, and the one whom the secret accuses opens it."""
        case, place = self.last, len(self.labels)
        readers = [self.people["accused contact"], self.people["contact"]]
        self.note(f"notice {place}", await case.propose(RECIPIENT, readers))
        await case.accepted()
        await case.reader.reader.open(case.notice, PURPOSE_INFORM)

    async def take_back(self) -> None:
        """The reporter withdraws the last notice, if there is one."""
        if self.last.notice:
            await self.last.consents.withdraw(self.last.notice)
            self.last.notice = ""

    async def hire_another(self) -> None:
        """The admin whom the secret may accuse hires someone new."""
        self.hired += 1
        await self.engage(f"newcomer {self.hired}", RECIPIENT)


class Strand:
    """The secret: a report of which only its handler, its named readers and its reporter know."""

    def __init__(self, side: Side, chance: Random) -> None:
        self._side, self._chance = side, chance
        self.acts: list[str] = []
        self.names: dict[str, str] = {}

    def _maybe(self, act: str, odds: float = 0.5) -> bool:
        """Decides whether an act belongs to this strand, and writes it down."""
        happens = self._chance.random() < odds
        if happens:
            self.acts.append(act)
        return happens

    async def play(self) -> None:
        """Plays the whole strand, and waits until all that follows from it has happened."""
        side, chance = self._side, self._chance
        accused = [who for who in ACCUSED if self._maybe(f"excludes the {who}", 0.6)]
        organisation = self._maybe("excludes the third organisation", 0.3)
        case = await side.report(
            [side.people["handler"]],
            excluded=[side.subjects[who] for who in accused],
            excluded_organisations=[side.organisations[THIRD]] if organisation else (),
        )
        side.incidents.add(case.incident)
        section = next(iter([header.name async for header in case.reporter.headers()]))
        self.names = {"incident": case.incident, "section": section, "sections": section}
        self.names["notice"] = f"{case.incident}/notices/{case.incident.rpartition('/')[2]}"
        if self._maybe("acknowledges"):
            await case.handler.handler.acknowledge(case.incident)
        if self._maybe("talks"):
            await case.reporter.send("Wanneer hoor ik iets?")
        if self._maybe("proposes", 0.9):
            to_third = not organisation and self._maybe("to the third organisation", 0.3)
            await self._notice(case, THIRD if to_third else RECIPIENT, accused)
        await self._ends(case, chance.choice(("goes on", "excludes more", "withdraws everything", "goes on")))
        await side.followed()

    async def _notice(self, case: Case, party: str, accused: list[str]) -> None:
        people = self._side.people
        readers = [people["reader" if party == RECIPIENT else "third reader"]]
        if party == RECIPIENT and "accused contact" in accused and self._maybe("names the accused", 0.7):
            readers.append(people["accused contact"])
        self.names["notice"] = await case.propose(party, readers)
        answer = self._chance.choice(("silence", "refuses", "gives", "gives", "gives"))
        self.acts.append(answer)
        if answer == "refuses":
            await case.consents.refuse(case.notice)
        if answer == "gives":
            await case.offered()
            await self._reads(case)

    async def _reads(self, case: Case) -> None:
        if self._maybe("accepts", 0.8):
            await case.reader.reader.accept(case.notice, await case.terms())
            if self._maybe("opens", 0.8):
                await case.reader.reader.open(case.notice, PURPOSE_INFORM)
        if self._maybe("takes back"):
            await case.consents.withdraw(case.notice)

    async def _ends(self, case: Case, how: str) -> None:
        self.acts.append(how)
        if how == "excludes more":
            await case.reporter.exclude([self._side.subjects["contact"], self._side.subjects["deputy"]])
        if how == "withdraws everything":
            await case.reporter.withdraw_report()
