"""One incident with its people, laid down as rows: what opening, closing and syncing are tried on.

Nothing here goes through the commands that make such rows; those have tests of their own. So every rule of
the gate can be taken out by one update.
"""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import Table, select, text, update
from sqlalchemy.dialects.postgresql import insert

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import Answer, CloseReason, ConsentState, Kind, NoticeState, Purpose
from services.disclosure.jobs import Followups
from services.disclosure.policy_sync import PolicySync
from services.disclosure.store import tables as t
from services.disclosure.usecases.accept import Answering
from services.disclosure.usecases.close import Closing
from services.disclosure.usecases.deps import Deps, Terms
from services.disclosure.usecases.narrow import Narrowing
from services.disclosure.usecases.open import Opening
from services.disclosure.usecases.seats import Seats
from services.disclosure.usecases.snapshot import Snapshots
from services.kernel.authz import Actor, Authz, PolicyTuple, PrincipalClass
from services.kernel.clock import SystemIds
from services.kernel.db import Database, Lock
from tests.integration.disclosure.builders import admission

IDS = SystemIds()
INSTALLATION = SecretKeys(b"r" * 32, b"r" * 32).kid
TERMS = Terms("1", {1: "Voorwaarden.", 2: "Terms."})
KEYS = itertools.count(1)
NOW = datetime.now(UTC).replace(microsecond=0)
HALF_A_YEAR = timedelta(days=180)


def new(collection: str) -> str:
    """A fresh resource name."""
    return f"{collection}/{IDS.new_id()}"


def fresh_keys() -> SecretKeys:
    """Keys that no other test has."""
    seed = hashlib.sha256(f"scene {next(KEYS)}".encode()).digest()
    return SecretKeys(seed, seed)


def request_id() -> str:
    """An id for one request."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Person:
    """Someone with a key, at an organisation, appointed to a participation."""

    organisation: str
    participation: str
    subject: str = field(default_factory=lambda: new("persons"))
    appointment: str = field(default_factory=lambda: new("appointments"))
    keys: SecretKeys = field(default_factory=fresh_keys)

    @property
    def kid(self) -> str:
        return self.keys.kid

    @property
    def user(self) -> str:
        return "user:" + self.subject.rpartition("/")[2]

    def actor(self) -> Actor:
        return Actor(
            PrincipalClass.MEMBER,
            self.subject,
            self.kid,
            self.organisation,
            "members/x",
            keys=self.keys.public,
        )

    def rekeyed(self) -> Person:
        """The same person with the next key."""
        return replace(self, keys=fresh_keys())


@dataclass
class FakeCall:
    """What use cases read of a call."""

    actor: Actor
    method: str = "/meldbrug.disclosure.v1.Test/Call"
    body_sha256: bytes = b"\0" * 32

    def remaining_s(self) -> float:
        return 5.0


@dataclass
class Told:
    """A stand-in for coordination that remembers of which incidents it was told."""

    incidents: list[str] = field(default_factory=list)

    async def call(self, _method: str, request: Any, response: type[Message], **_more: object) -> Message:
        self.incidents.append(request.incident)
        return response()


@dataclass
class Notice:
    """A notice with the consent it lives under."""

    name: str
    consent: str
    sections: dict[Kind, str]


class Scene:
    """An incident, its reporter and its handler, and the use cases under test."""

    def __init__(self, deps: Deps, told: Told) -> None:
        self.deps, self.told, self.database, self.authz = deps, told, deps.database, deps.authz
        self.opening, self.narrowing = Opening(deps), Narrowing(deps)
        self.answering, self.seats, self.snapshots = Answering(deps), Seats(deps), Snapshots(deps)
        self.followups = Followups(deps)
        self.incident = new("incidents")
        self.reporter = fresh_keys()
        self.handler = self.person(new("organisations"), new("participations"))
        self.account = ""
        self._sequence = int(NOW.timestamp() * 1000)

    def asking(self, authz: Authz) -> Scene:
        """The same incident and people, with another policy engine."""
        other = Scene(replace(self.deps, authz=authz, sync=PolicySync(self.database, authz)), self.told)
        other.incident, other.reporter, other.handler = self.incident, self.reporter, self.handler
        other.account, other._sequence = self.account, self._sequence + 1000
        return other

    def person(self, organisation: str = "", participation: str = "") -> Person:
        return Person(organisation or new("organisations"), participation or new("participations"))

    def colleagues(self, count: int) -> list[Person]:
        """People of one participation."""
        organisation, participation = new("organisations"), new("participations")
        return [self.person(organisation, participation) for _ in range(count)]

    def sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    # Rows.

    async def put(self, table: Table, **values: object) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(insert(table).values(**values))

    async def set(self, table: Table, name: str, **values: object) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(update(table).where(table.c.name == name).values(**values))

    async def all(self, table: Table, **where: object) -> list[Any]:
        statement = select(table).where(*(table.c[name] == value for name, value in where.items()))
        async with self.database.transaction() as conn:
            return list(await conn.execute(statement))

    async def count(self, table: Table, **where: object) -> int:
        return len(await self.all(table, **where))

    async def report(self) -> None:
        """Lays the incident down: the reporter, one handler, an account."""
        public = self.reporter.public
        await self.put(
            t.incidents, name=self.incident, reporter_kid=public.kid, reporter_signing=public.signing,
            reporter_sealing=public.sealing, language=1, categories=[5], withdrawn=False, epoch=1, version=1,
            intake_statement=b"intake", intake_signature=b"s" * 64, create_time=NOW,
        )  # fmt: skip
        await self.seat(self.handler, self.incident, None)
        await self.tuple(self.handler, "counsellor")
        self.account = await self.section(Kind.ACCOUNT, [self.handler.kid, public.kid])

    async def section(self, kind: Kind, readers: Iterable[str], name: str = "", version: int = 1) -> str:
        """Stores a section with wraps under the intake."""
        name = name or new(f"{self.incident}/sections")
        content = IDS.token_bytes(1040)
        await self.put(
            t.sections, name=name, version=version, incident=self.incident, kind=kind,
            digest=hashlib.sha256(content).digest(), commitment=hashlib.sha256(name.encode()).digest(),
            author_kid=self.handler.kid, reporter_kid=self.reporter.kid, author_signature=b"s" * 64,
            ciphertext=content, create_time=NOW,
        )  # fmt: skip
        for kid in readers:
            await self.wrap(name, kid, self.incident, version)
        return name

    async def wrap(self, section: str, kid: str, grant: str, version: int = 1) -> None:
        await self.put(
            t.wraps, section=section, version=version, reader_kid=kid, grant_name=grant,
            incident=self.incident, wrap=IDS.token_bytes(1168),
        )  # fmt: skip

    async def seat(self, person: Person, grant: str, notice: str | None) -> None:
        await self.put(
            t.seats, incident=self.incident, grant_name=grant, kid=person.kid, notice=notice, since=NOW,
            subject=person.subject, organisation=person.organisation, participation=person.participation,
            appointment=person.appointment,
        )  # fmt: skip

    async def tuple(self, person: Person, relation: str) -> None:
        """Writes what the directory would: an appointment."""
        participation = "participation:" + person.participation.rpartition("/")[2]
        await self.authz.write([PolicyTuple(person.user, relation, participation)])

    async def notice(
        self,
        readers: Sequence[Person],
        kinds: Sequence[Kind] = (Kind.SUMMARY, Kind.CONTEXT),
        state: NoticeState = NoticeState.TERMS_ACCEPTED,
        purposes: Sequence[Purpose] = (Purpose.PROTECT_PEOPLE, Purpose.INFORM),
    ) -> Notice:
        """Lays a notice down with a given consent for these readers, its terms accepted."""
        name, consent = new(f"{self.incident}/notices"), new("consents")
        sections = {kind: await self.section(kind, [self.reporter.kid]) for kind in kinds}
        until = NOW + HALF_A_YEAR
        await self.put(
            t.notices, name=name, incident=self.incident, sender_participation=self.handler.participation,
            sender_kid=self.handler.kid, recipient=readers[0].participation, valid_until=until,
            recipient_organisation=readers[0].organisation, purposes=list(purposes), terms_version="1",
            state=state, answer=Answer.GIVEN, decision_statement=b"decision", decision_signature=b"d" * 64,
            decision_stands=True, consent=consent, create_time=NOW, answer_by_time=NOW + timedelta(days=14),
            offer_time=NOW, expire_time=until,
        )  # fmt: skip
        await self.put(
            t.consents, name=consent, notice=name, incident=self.incident, statement=b"consent",
            signature=b"c" * 64, state=ConsentState.GIVEN, purposes=list(purposes),
            valid_from=NOW - timedelta(days=1), valid_until=until, terms_version="1", create_time=NOW,
        )  # fmt: skip
        for position, (kind, section) in enumerate(sections.items()):
            await self.put(
                t.notice_sections, notice=name, position=position, section=section, version=1, kind=kind,
                digest=b"d" * 32, commitment=b"c" * 32,
            )  # fmt: skip
        for position, reader in enumerate(readers):
            await self.put(
                t.notice_readers, notice=name, kid=reader.kid, position=position, subject=reader.subject,
                organisation=reader.organisation, appointment=reader.appointment, excluded=False,
            )  # fmt: skip
            await self.seat(reader, consent, name)
            await self.tuple(reader, "safety_contact")
            for kind, section in sections.items():
                await self.wrap(section, reader.kid, consent)
                await self.put(
                    t.consent_sections,
                    consent=consent,
                    reader_kid=reader.kid,
                    section=section,
                    version=1,
                    kind=kind,
                )
        if state is not NoticeState.OFFERED:
            await self.accept(name, readers[0])
        await self.deps.sync.sync(self.incident)
        return Notice(name, consent, sections)

    async def accept(self, notice: str, reader: Person, version: str = "1") -> None:
        await self.put(
            t.acceptances, notice=notice, participation=reader.participation, terms_version=version,
            accepted=True, statement=b"terms", signature=b"t" * 64, kid=reader.kid, create_time=NOW,
        )  # fmt: skip

    async def exclude_row(self, target: str) -> None:
        await self.put(t.exclusions, incident=self.incident, target=target)

    async def end_row(self, target: str) -> None:
        await self.put(t.ended, target=target, create_time=NOW)

    async def move_clock(self, seconds: float) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(text("UPDATE kernel.test_clock SET offset_s = :s"), {"s": seconds})

    async def move_clock_to(self, moment: datetime) -> None:
        """However long ago `NOW` was."""
        async with self.database.transaction() as conn:
            offset = text(
                "UPDATE kernel.test_clock SET offset_s = extract(epoch FROM :m - clock_timestamp())"
            )
            await conn.execute(offset, {"m": moment})

    async def close(self, notice: str, reason: CloseReason) -> None:
        """Closes as commands do, under the lock."""

        async def work(conn: Any) -> None:
            await self.deps.closing.close_notice(conn, notice, reason)
            await self.deps.closing.changed(conn, self.incident)

        await self.database.run_unit(work, Lock(self.incident))

    async def jobs(self) -> list[tuple[str, dict[str, str]]]:
        """Jobs that wait, oldest first."""
        async with self.database.transaction() as conn:
            rows = await conn.execute(text("SELECT task_name, args FROM jobs.procrastinate_jobs ORDER BY id"))
            named = [(row.task_name.removeprefix("disclosure."), row.args) for row in rows]
            return [
                (task, args) for task, args in named if args.get("incident", self.incident) == self.incident
            ]

    async def own_jobs(self) -> list[tuple[str, dict[str, str]]]:
        """Jobs that wait for this incident; those of no incident may be other tests'."""
        return [(task, args) for task, args in await self.jobs() if "incident" in args]

    async def idle_connections(self) -> list[str]:
        """States of this pool's connections that are not plainly idle, but for the one that asks."""
        async with self.database.transaction() as conn:
            rows = await conn.execute(
                text(
                    "SELECT state FROM pg_stat_activity WHERE application_name = 'test' "
                    "AND pid <> pg_backend_pid() AND datname = current_database() AND state <> 'idle'"
                )
            )
            return list(rows.scalars())

    async def tuples(self, *objects: str) -> set[tuple[str, str, str]]:
        """What the policy engine holds of the incident and these notices."""
        found: set[tuple[str, str, str]] = set()
        for name in (self.incident, *objects):
            kind = "notice" if "/notices/" in name else "incident"
            found |= {each.key for each in await self.authz.read(f"{kind}:{name.rpartition('/')[2]}")}
        return found

    # Calls.

    async def read(
        self,
        reader: Person,
        notice: str,
        *kinds: Kind,
        purpose: Purpose = Purpose.INFORM,
        request: str = "",
        by: Actor | None = None,
    ) -> rpc.OpenSectionsResponse:
        """Opens as a named reader."""
        ask = rpc.OpenSectionsRequest(
            notice=notice, kinds=list(kinds), purpose=purpose, request_id=request or request_id()
        )
        return await self.opening.reader(ask, FakeCall(by or reader.actor()))  # type: ignore[arg-type]

    async def handle(
        self, handler: Person, *sections: str, request: str = ""
    ) -> rpc.HandlerServiceOpenSectionsResponse:
        """Opens as a handler."""
        ask = rpc.HandlerServiceOpenSectionsRequest(
            incident=self.incident, sections=sections, request_id=request or request_id()
        )
        return await self.opening.handler(ask, FakeCall(handler.actor()))  # type: ignore[arg-type]

    def own(self, keys: SecretKeys | None = None, method: str = "/test/Own") -> Any:
        """A call by the reporter."""
        public = (keys or self.reporter).public
        return FakeCall(Actor(PrincipalClass.REPORTER, kid=public.kid, keys=public), method)

    async def reread(
        self, *sections: str, keys: SecretKeys | None = None
    ) -> rpc.ReporterServiceOpenSectionsResponse:
        """Opens as the reporter."""
        ask = rpc.ReporterServiceOpenSectionsRequest(
            incident=self.incident, sections=sections, request_id=request_id()
        )
        return await self.opening.reporter(ask, self.own(keys))

    def withdrawal(
        self, notice: str = "", readers: Iterable[str] = (), sections: Iterable[str] = (), **more: Any
    ) -> common.Signed:
        """A signed withdrawal."""
        message = said.Withdrawal(
            installation=INSTALLATION, incident=self.incident, notice=notice, reader_kids=readers,
            sections=sections, reporter_kid=self.reporter.kid, sequence=self.sequence(),
        )  # fmt: skip
        for name, value in more.items():
            setattr(message, name, value)
        return statements.sign(StatementKind.WITHDRAWAL, message, self.reporter)

    async def withdraw(
        self, notice: str, readers: Iterable[str] = (), sections: Iterable[str] = ()
    ) -> rpc.WithdrawConsentResponse:
        """Withdraws a consent or a part of it, as the reporter."""
        request = rpc.WithdrawConsentRequest(
            notice=notice, withdrawal=self.withdrawal(notice, readers, sections), request_id=request_id()
        )
        return await self.narrowing.withdraw_consent(request, self.own())

    async def withdraw_report(self) -> rpc.WithdrawReportResponse:
        """Withdraws everything, as the reporter."""
        request = rpc.WithdrawReportRequest(
            incident=self.incident, withdrawal=self.withdrawal(), request_id=request_id()
        )
        return await self.narrowing.withdraw_report(request, self.own())

    def exclusion(self, *targets: str) -> common.Signed:
        """A signed exclusion of people and organisations."""
        message = said.Exclusion(
            installation=INSTALLATION, incident=self.incident, reporter_kid=self.reporter.kid,
            subjects=[each for each in targets if not each.startswith("organisations/")],
            organisations=[each for each in targets if each.startswith("organisations/")],
            sequence=self.sequence(),
        )  # fmt: skip
        return statements.sign(StatementKind.EXCLUSION, message, self.reporter)

    async def exclude(self, *targets: str) -> rpc.ExcludeResponse:
        """Excludes people and organisations, as the reporter."""
        request = rpc.ExcludeRequest(
            incident=self.incident, exclusion=self.exclusion(*targets), request_id=request_id()
        )
        return await self.narrowing.exclude(request, self.own())

    async def snapshot(self) -> Any:
        """What coordination would see."""
        answer = await self.snapshots.fetch(rpc.FetchSnapshotRequest(incident=self.incident), self.own())
        return answer.snapshot


def deps_for(database: Database, authz: Authz, jobs: Any, told: Told) -> Deps:
    """The use cases' surroundings without a directory: nothing here asks it."""
    unused: Any = None
    return Deps(
        database=database, authz=authz, jobs=jobs, ids=IDS, pages=unused, admission=admission(),
        directory=unused, coordination=told,  # type: ignore[arg-type]
        limits=unused, installation=INSTALLATION, terms=TERMS, closing=Closing(jobs),
        sync=PolicySync(database, authz),
    )  # fmt: skip
