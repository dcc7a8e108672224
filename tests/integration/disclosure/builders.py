"""A small sector whose people act through the service: real keys, real chains, real sealing and signing.

Only the directory is a stand-in. It vouches with statements that its own secretariat and admins signed.
"""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Table, select, text

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, SecretKeys, statements
from meldbrug.crypto.preview import preview_digest
from meldbrug.crypto.sealing import SectionContext, digest_of, new_cek, seal_section, wrap_key
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.app import limits, servicers, terms
from services.disclosure.config import DisclosureSettings
from services.disclosure.jobs import register
from services.disclosure.policy_sync import PolicySync
from services.disclosure.store import tables as t
from services.disclosure.usecases.close import Closing
from services.disclosure.usecases.deps import Deps
from services.kernel.admission import Admission
from services.kernel.authz import PUBLIC, Actor, Authz, PolicyTuple, PrincipalClass
from services.kernel.clock import SystemIds
from services.kernel.config import AdmissionSettings
from services.kernel.db import Database
from services.kernel.errors import Refusal
from services.kernel.jobs import Jobs
from services.kernel.log import Metrics
from services.kernel.openfga.adapter import OpenFGA, Probe
from services.kernel.pages import Pages

IDS = SystemIds()
PACKAGE = "meldbrug.disclosure.v1"
SEQUENCE = itertools.count(int(datetime.now(UTC).timestamp() * 1000) - 100_000)
ROOT = SecretKeys(b"\1" * 32, b"\2" * 32)
INSTALLATION = ROOT.kid
CONTENT = "Op maandag, na de opname, in de montagewagen."


def new(collection: str) -> str:
    """A fresh resource name."""
    return f"{collection}/{IDS.new_id()}"


def stamp(moment: datetime) -> Timestamp:
    """A moment as statements carry it, whole seconds."""
    written = Timestamp()
    written.FromDatetime(moment.astimezone(UTC).replace(microsecond=0))
    return written


def wrap_message(section: str, version: int, reader_kid: str, wrap: bytes) -> pb.Wrap:
    return pb.Wrap(section=section, version=version, reader_kid=reader_kid, wrap=wrap)


@dataclass
class FakeCall:
    """What use cases read of a call."""

    actor: Actor
    method: str
    body_sha256: bytes
    place: None = None

    def remaining_s(self) -> float:
        return 10.0


@dataclass(eq=False)
class Staff:
    """A member: a person at an organisation with an endorsed key."""

    organisation: str
    title: str
    admin: bool = False
    keys: SecretKeys = field(default_factory=SecretKeys.generate)
    subject: str = field(default_factory=lambda: new("persons"))

    @property
    def kid(self) -> str:
        return self.keys.kid

    @property
    def public(self) -> PublicKeys:
        return self.keys.public

    def actor(self) -> Actor:
        return Actor(
            PrincipalClass.MEMBER, self.subject, self.kid, self.organisation, "members/x", keys=self.public
        )


@dataclass(eq=False)
class Seat:
    """A current role of a member; the contact the directory shows for it."""

    staff: Staff
    contact: directory.Contact

    @property
    def kid(self) -> str:
        return self.staff.kid


class FakeDirectory:
    """Organisations with an admin each, participations and contacts, vouched for down from the root."""

    def __init__(self) -> None:
        self.book_ = directory.KeyBook()
        self.organisations: dict[str, directory.Organisation] = {}
        self.admins: dict[str, Staff] = {}
        self.participations_: dict[str, directory.Participation] = {}
        self.contacts: list[directory.Contact] = []
        self.tuples: list[PolicyTuple] = []
        self.asked, self.circles = 0, list[str]()
        self.enrol(Staff("organisations/" + "s" * 26, "Secretariaat", admin=True, keys=ROOT), by=ROOT)

    def enrol(self, staff: Staff, by: SecretKeys) -> Staff:
        """Endorses a key and lists it."""
        endorsement = said.Endorsement(
            installation=INSTALLATION,
            organisation=staff.organisation,
            organisation_title=staff.organisation[-4:],
            subject=staff.subject,
            subject_name=staff.title,
            subject_kind=common.SUBJECT_KIND_PERSON,
            kid=staff.kid,
            admin=staff.admin,
            valid_from=stamp(datetime(2026, 1, 1, tzinfo=UTC)),
            signer_kid=by.kid,
            sequence=next(SEQUENCE),
        )
        self.add_keys(staff.public)
        self.book_.endorsements.append(statements.sign(StatementKind.ENDORSEMENT, endorsement, by))
        return staff

    def add_keys(self, keys: PublicKeys) -> None:
        self.book_.keys.append(common.PublicKeys(signing=keys.signing, sealing=keys.sealing))

    def organisation(self) -> str:
        name = new("organisations")
        self.organisations[name] = directory.Organisation(
            name=name,
            title=name,
            kind=directory.Organisation.KIND_PRODUCER,
            state=directory.Organisation.STATE_ACTIVE,
        )
        self.admins[name] = self.enrol(Staff(name, "Beheer", admin=True), by=ROOT)
        return name

    def participation(self, production: str, *, independent: bool = False, organisation: str = "") -> str:
        name = new("participations")
        self.participations_[name] = directory.Participation(
            name=name,
            production=production,
            organisation=organisation or self.organisation(),
            state=directory.Participation.STATE_ACCEPTED,
            independent=independent,
        )
        return name

    def appoint(
        self, participation: str, capacity: common.Capacity, *, signer: SecretKeys | None = None
    ) -> Seat:
        """A new member of the participation's organisation in a role."""
        organisation = self.participations_[participation].organisation
        staff = self.enrol(Staff(organisation, "Medewerker"), by=self.admins[organisation].keys)
        return self.seat(participation, capacity, staff, signer)

    def seat(
        self, participation: str, capacity: common.Capacity, staff: Staff, signer: SecretKeys | None = None
    ) -> Seat:
        by = signer or self.admins[staff.organisation].keys
        appointment = said.Appointment(
            installation=INSTALLATION,
            organisation=staff.organisation,
            appointment=new("appointments"),
            participation=participation,
            capacity=capacity,
            role="Vertrouwenspersoon",
            subject=staff.subject,
            kid=staff.kid,
            signer_kid=by.kid,
            sequence=next(SEQUENCE),
        )
        self.book_.appointments.append(statements.sign(StatementKind.APPOINTMENT, appointment, by))
        contact = directory.Contact(
            appointment=appointment.appointment,
            participation=participation,
            capacity=capacity,
            kid=staff.kid,
            subject=staff.subject,
        )
        self.contacts.append(contact)
        relation = "counsellor" if capacity == common.CAPACITY_COUNSELLOR else "safety_contact"
        self.tuples.append(
            PolicyTuple(f"user:{staff.subject[-26:]}", relation, f"participation:{participation[-26:]}")
        )
        return Seat(staff, contact)

    def remove(self, seat: Seat) -> None:
        """Ends a role: it is no longer shown."""
        self.contacts.remove(seat.contact)

    # What the service asks.

    async def circle(self, production: str) -> directory.Circle:
        self.circles.append(production)
        return self._circle(
            one
            for one in self.participations_.values()
            if one.independent or (production and one.production == production)
        )

    async def participations(self, names: Iterable[str]) -> directory.Circle:
        return self._circle(self.participations_[name] for name in names if name in self.participations_)

    async def book(self, kids: Iterable[str]) -> directory.KeyBook:
        self.asked += 1
        return self.book_ if list(kids) else directory.KeyBook()

    def _circle(self, participations: Iterable[directory.Participation]) -> directory.Circle:
        self.asked += 1
        shown = list(participations)
        names = {one.name for one in shown}
        return directory.Circle(
            participations=shown,
            organisations=[self.organisations[one.organisation] for one in shown],
            contacts=[contact for contact in self.contacts if contact.participation in names],
            book=self.book_,
        )


class Caller:
    """Calls the service as somebody."""

    def __init__(self, world: World, actor: Actor) -> None:
        self.world, self._actor = world, actor

    async def call(self, method: str, request: Message) -> Any:
        """Calls `Service/Method` as the chain does once the caller is known and the message is parsed."""
        service, _, name = method.partition("/")
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
        body = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
        call = FakeCall(self._actor, f"/{PACKAGE}.{method}", body)
        return await getattr(self.world.servicers[f"{PACKAGE}.{service}"], snake)(request, call)


class Member(Caller):
    """A member at work, with what a handler or reader signs and seals."""

    def __init__(self, world: World, seat: Seat) -> None:
        super().__init__(world, seat.staff.actor())
        self.seat, self.staff, self.keys, self.kid = seat, seat.staff, seat.staff.keys, seat.staff.kid

    def section(
        self, reporter: Reporter, kind: common.Kind, readers: Sequence[PublicKeys], **changed: Any
    ) -> pb.NewSection:
        return sealed(self.keys, reporter.incident, kind, readers, reporter.kid, **changed)[0]

    def note(self, reporter: Reporter, *handlers: Member) -> pb.NewSection:
        """A note among handlers."""
        readers = [one.staff.public for one in handlers or (self,)]
        return self.section(reporter, common.KIND_INTERNAL_NOTE, readers)

    def decision(
        self, reporter: Reporter, notice: str, recipient: str, note: pb.NewSection, /, **changed: Any
    ) -> common.Signed:
        values: dict[str, Any] = {
            "installation": INSTALLATION,
            "notice": notice,
            "reporter_kid": reporter.kid,
            "recipient": recipient,
            "ground": common.GROUND_REPORTER_CONSENT,
            "necessity_digest": note.header.digest,
            "handler_kid": self.kid,
            "stands": True,
            "sequence": next(SEQUENCE),
        }
        return statements.sign(StatementKind.DECISION, said.Decision(**values | changed), self.keys)

    def proposal(
        self,
        reporter: Reporter,
        readers: Sequence[Seat],
        kinds: Sequence[common.Kind] = (common.KIND_SUMMARY, common.KIND_CONTEXT),
        /,
        *,
        decision: dict[str, Any] | None = None,
        **changed: Any,
    ) -> rpc.ProposeNoticeRequest:
        """A proposal to the participation of the first reader."""
        notice, note = new(f"{reporter.incident}/notices"), self.note(reporter)
        recipient = readers[0].contact.participation
        values: dict[str, Any] = {
            "notice": notice,
            "recipient": recipient,
            "reader_kids": [reader.kid for reader in readers],
            "sections": [reporter.ref(kind) for kind in kinds],
            "purposes": [common.PURPOSE_PROTECT_PEOPLE, common.PURPOSE_INFORM],
            "valid_until": stamp(self.world.now() + timedelta(days=180)),
            "necessity": note,
            "request_id": str(uuid.uuid4()),
        } | changed
        if "decision_signed" in values:
            values["decision"] = values.pop("decision_signed")
        else:
            values["decision"] = self.decision(
                reporter, values["notice"], values["recipient"], values["necessity"], **decision or {}
            )
        return rpc.ProposeNoticeRequest(**values)

    async def propose(
        self, reporter: Reporter, readers: Sequence[Seat], *kinds: common.Kind
    ) -> rpc.ProposeNoticeRequest:
        """Proposes; returns the request."""
        request = self.proposal(reporter, readers, kinds) if kinds else self.proposal(reporter, readers)
        await self.call("HandlerService/ProposeNotice", request)
        return request


def sealed(
    author: SecretKeys,
    incident: str,
    kind: common.Kind,
    readers: Sequence[PublicKeys],
    reporter_kid: str,
    *,
    name: str = "",
    version: int = 1,
) -> tuple[pb.NewSection, bytes]:
    """A section sealed to readers under the intake, and its content key."""
    section, cek = name or new(f"{incident}/sections"), new_cek()
    place = SectionContext(INSTALLATION, incident, section, version, kind)
    whole = seal_section(place, CONTENT, cek, author, reporter_kid)
    header = pb.SectionHeader(
        name=section,
        version=version,
        kind=kind,
        digest=whole.digest,
        commitment=whole.commitment,
        author_kid=whole.author_kid,
        reporter_kid=whole.reporter_kid,
        author_signature=whole.author_signature,
    )
    wraps = [
        wrap_message(section, version, one.kid, wrap_key(cek, one, place, incident, ())) for one in readers
    ]
    return pb.NewSection(header=header, ciphertext=whole.ciphertext, wraps=wraps), cek


class Reporter(Caller):
    """A reporter with the receipt's keys, and everything a reporter's client signs and seals."""

    def __init__(self, world: World) -> None:
        self.keys = SecretKeys.generate()
        actor = Actor(PrincipalClass.REPORTER, kid=self.keys.kid, keys=self.keys.public)
        super().__init__(world, actor)
        self.kid, self.incident = self.keys.kid, new("incidents")
        self.headers: dict[int, pb.SectionHeader] = {}
        self.content_keys: dict[str, bytes] = {}

    def ref(self, kind: common.Kind) -> said.SectionRef:
        header = self.headers[kind]
        return said.SectionRef(
            section=header.name,
            version=header.version,
            kind=kind,
            digest=header.digest,
            commitment=header.commitment,
        )

    def sign(self, kind: StatementKind, message: Message) -> common.Signed:
        return statements.sign(kind, message, self.keys)

    def intake(self, handlers: Sequence[Seat], /, **changed: Any) -> common.Signed:
        values: dict[str, Any] = {
            "installation": INSTALLATION,
            "incident": self.incident,
            "production": self.world.production,
            "reporter_kid": self.kid,
            "handlers": [
                said.Intake.Handler(
                    kid=one.kid, participation=one.contact.participation, appointment=one.contact.appointment
                )
                for one in handlers
            ],
            "sequence": next(SEQUENCE),
        }
        return self.sign(StatementKind.INTAKE, said.Intake(**values | changed))

    def exclusion(self, *targets: str, **changed: Any) -> common.Signed:
        values: dict[str, Any] = {
            "installation": INSTALLATION,
            "incident": self.incident,
            "subjects": [one for one in targets if not one.startswith("organisations/")],
            "organisations": [one for one in targets if one.startswith("organisations/")],
            "reporter_kid": self.kid,
            "sequence": next(SEQUENCE),
        }
        return self.sign(StatementKind.EXCLUSION, said.Exclusion(**values | changed))

    def section(self, kind: common.Kind, handlers: Sequence[Seat], **changed: Any) -> pb.NewSection:
        """A section sealed to the reporter and these handlers; its key is remembered."""
        readers = [self.keys.public, *(one.staff.public for one in handlers)]
        section, cek = sealed(self.keys, self.incident, kind, readers, self.kid, **changed)
        self.headers[kind], self.content_keys[section.header.name] = section.header, cek
        return section

    def submission(
        self,
        handlers: Sequence[Seat],
        kinds: Sequence[common.Kind] = (common.KIND_SUMMARY, common.KIND_CONTEXT, common.KIND_ACCOUNT),
        /,
        **changed: Any,
    ) -> rpc.SubmitReportRequest:
        values: dict[str, Any] = {
            "incident": self.incident,
            "intake": self.intake(handlers),
            "sections": [self.section(kind, handlers) for kind in kinds],
            "categories": [common.CATEGORY_BULLYING],
            "language": common.LANGUAGE_NL,
            "request_id": str(uuid.uuid4()),
        }
        return rpc.SubmitReportRequest(**values | changed)

    async def submit(self, *handlers: Seat, **changed: Any) -> pb.Report:
        """Reports to these handlers."""
        answer = await self.call("ReporterService/SubmitReport", self.submission(handlers, **changed))
        return answer.report

    def consent(self, asked: rpc.ProposeNoticeRequest, /, **changed: Any) -> rpc.GiveConsentRequest:
        """A yes to the whole of what was asked, but for what is `changed` in the statement."""
        consent = changed.get("consent") or new("consents")
        kids = changed.get("reader_kids", list(asked.reader_kids))
        refs = changed.get("sections", list(asked.sections))
        purposes = changed.get("purposes", list(asked.purposes))
        keys = {one.kid: one for one in self.world.all_keys()}
        wraps = [self._wrap(ref, keys[kid], consent, purposes) for kid in dict.fromkeys(kids) for ref in refs]
        digests = [ref.digest for ref in refs]
        values: dict[str, Any] = {
            "installation": INSTALLATION,
            "incident": self.incident,
            "notice": asked.notice,
            "consent": consent,
            "reporter_kid": self.kid,
            "recipient": asked.recipient,
            "reader_kids": kids,
            "sections": refs,
            "purposes": purposes,
            "valid_from": stamp(self.world.now()),
            "valid_until": asked.valid_until,
            "terms_version": self.world.deps.terms.version,
            "wraps": self.hashes(wraps),
            "preview_digest": preview_digest(asked.notice, digests, "p1", common.LANGUAGE_NL),
            "preview_template": "p1",
            "preview_language": common.LANGUAGE_NL,
            "sequence": next(SEQUENCE),
        }
        statement = said.Consent(**values | changed)
        return rpc.GiveConsentRequest(
            notice=asked.notice,
            consent=self.sign(StatementKind.CONSENT, statement),
            wraps=wraps,
            request_id=str(uuid.uuid4()),
        )

    def hashes(self, wraps: Iterable[pb.Wrap]) -> list[said.WrapHash]:
        return [
            said.WrapHash(reader_kid=one.reader_kid, section=one.section, wrap_digest=digest_of(one.wrap))
            for one in wraps
        ]

    def _wrap(
        self, ref: said.SectionRef, reader: PublicKeys, consent: str, purposes: Sequence[int]
    ) -> pb.Wrap:
        cek = self.content_keys.get(ref.section, b"\0" * 32)
        place = SectionContext(INSTALLATION, self.incident, ref.section, ref.version, ref.kind)
        return wrap_message(
            ref.section, ref.version, reader.kid, wrap_key(cek, reader, place, consent, purposes)
        )

    async def give(self, asked: rpc.ProposeNoticeRequest, /, **changed: Any) -> pb.ConsentRequest:
        """Says yes."""
        answer = await self.call("ReporterService/GiveConsent", self.consent(asked, **changed))
        return answer.consent_request

    async def withdraw(self, asked: rpc.ProposeNoticeRequest) -> None:
        """Takes a yes back."""
        message = said.Withdrawal(
            installation=INSTALLATION,
            incident=self.incident,
            notice=asked.notice,
            reporter_kid=self.kid,
            sequence=next(SEQUENCE),
        )
        request = rpc.WithdrawConsentRequest(
            notice=asked.notice,
            withdrawal=self.sign(StatementKind.WITHDRAWAL, message),
            request_id=str(uuid.uuid4()),
        )
        await self.call("ReporterService/WithdrawConsent", request)

    def refusal(self, notice: str, /, **changed: Any) -> rpc.RefuseConsentRequest:
        values: dict[str, Any] = {
            "installation": INSTALLATION,
            "notice": notice,
            "reporter_kid": self.kid,
            "sequence": next(SEQUENCE),
        }
        signed = self.sign(StatementKind.REFUSAL, said.Refusal(**values | changed))
        return rpc.RefuseConsentRequest(notice=notice, refusal=signed, request_id=str(uuid.uuid4()))


class World:
    """A production with its lead, two co-producers and the independent point, and the service under test."""

    def __init__(self, deps: Deps, sector: FakeDirectory) -> None:
        self.deps, self.sector, self.servicers = deps, sector, servicers(deps)
        self.production, self.offset = new("productions"), timedelta()
        self.lead = sector.participation(self.production)
        self.co, self.other = sector.participation(self.production), sector.participation(self.production)
        self.point = sector.participation("", independent=True)
        self.counsellor = sector.appoint(self.lead, common.CAPACITY_COUNSELLOR)
        self.deputy = sector.appoint(self.lead, common.CAPACITY_COUNSELLOR)
        self.adviser = sector.appoint(self.point, common.CAPACITY_COUNSELLOR)
        self.contacts = [sector.appoint(self.co, common.CAPACITY_SAFETY_CONTACT) for _ in range(2)]
        self.elsewhere = sector.appoint(self.other, common.CAPACITY_SAFETY_CONTACT)

    async def arm(self) -> None:
        """Writes what the directory would to the policy engine, and who belongs where."""
        await self.deps.authz.write(self.sector.tuples[:100])
        self.sector.tuples.clear()
        for seat in [self.counsellor, self.deputy, self.adviser, self.elsewhere, *self.contacts]:
            await self.affiliate(seat.staff.subject, seat.staff.organisation)

    async def affiliate(self, subject: str, organisation: str) -> None:
        async with self.deps.database.transaction() as conn:
            await conn.execute(t.affiliations.insert().values(subject=subject, organisation=organisation))

    async def end(self, target: str) -> None:
        async with self.deps.database.transaction() as conn:
            await conn.execute(t.ended.insert().values(target=target, create_time=self.now()))

    async def withdrawn(self, reporter: Reporter) -> None:
        """As if the whole report had been taken back, with nothing closed yet."""
        async with self.deps.database.transaction() as conn:
            mine = t.incidents.c.name == reporter.incident
            await conn.execute(t.incidents.update().where(mine).values(withdrawn=True))

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    async def pass_days(self, days: float) -> None:
        """Moves the database's clock; the next test gets it back."""
        self.offset += timedelta(days=days)
        async with self.deps.database.transaction() as conn:
            await conn.execute(
                text("UPDATE kernel.test_clock SET offset_s = :s"), {"s": self.offset.total_seconds()}
            )

    def slowed(self, per_s: float, burst: int) -> World:
        """The same sector, where reports on one production come in at this rate."""
        limited = replace(self.deps.limits, reports_per_s=per_s, reports_burst=burst)
        return self._with(limits=limited, admission=admission())

    def without_policy(self) -> World:
        """The same sector, where nobody answers for the policy engine."""
        nobody = OpenFGA("127.0.0.1:1", "store", "model", probe=Probe("organisation:probe", "member"))
        return self._with(authz=nobody, sync=PolicySync(self.deps.database, nobody))

    def _with(self, **changed: Any) -> World:
        other = copy(self)
        other.deps = replace(self.deps, **changed)
        other.servicers = servicers(other.deps)
        return other

    def reporter(self) -> Reporter:
        return Reporter(self)

    async def reported(self, *handlers: Seat, **changed: Any) -> Reporter:
        """A reporter whose report is in, with the counsellor unless others are named."""
        reporter = Reporter(self)
        await reporter.submit(*(handlers or (self.counsellor,)), **changed)
        return reporter

    def member(self, seat: Seat) -> Member:
        return Member(self, seat)

    @property
    def handler(self) -> Member:
        return Member(self, self.counsellor)

    @property
    def anyone(self) -> Caller:
        return Caller(self, PUBLIC)

    def all_keys(self) -> list[PublicKeys]:
        return [PublicKeys(one.signing, one.sealing) for one in self.sector.book_.keys]

    async def dump(self, incident: str) -> dict[str, list[str]]:
        """Every row of the incident, and everything else that a command may write."""
        rows: dict[str, list[str]] = {}
        async with self.deps.database.transaction() as conn:
            for table in t.METADATA.sorted_tables:
                rows[table.name] = sorted(map(str, await conn.execute(_of(table, incident))))
            jobs = await conn.execute(text("SELECT args::text FROM jobs.procrastinate_jobs ORDER BY id"))
            rows["jobs"] = [args for args in jobs.scalars() if incident in args]
        return rows


def _of(table: Table, incident: str) -> Any:
    column = next(
        name for name in ("incident", "notice", "consent", "name", "subject", "target") if name in table.c
    )
    if table is t.incidents:
        return select(table).where(table.c.name == incident)
    if column == "incident":
        return select(table).where(table.c.incident == incident)
    if column == "notice":
        return select(table).where(table.c.notice.startswith(incident))
    if table is t.consent_sections:
        return select(table).where(table.c.section.startswith(incident))
    return select(table).where(False)


async def reason_of(call: Any) -> str:
    """The reason with which a call is refused; of a field also which and why."""
    try:
        await call
    except Refusal as refusal:
        return f"{refusal.reason} {refusal.message}" if refusal.fields else refusal.reason
    except Exception as error:
        if reason := getattr(error, "reason", ""):
            return str(reason)
        raise
    raise AssertionError("nothing was refused")


class Coordination:
    """Stands in for the service that is told."""

    async def call(
        self, _method: str, _request: Message, response: type[Message], **_more: object
    ) -> Message:
        return response()


def admission() -> Admission:
    """Doors that let everybody in, but for the rate of reports."""
    return Admission(AdmissionSettings(principal_per_s=1000, principal_burst=1000), Metrics(), monotonic)


def assembled(database: Database, authz: Authz, sector: FakeDirectory) -> Deps:
    """The use cases' surroundings, as `app.py` makes them, around a directory of the test's own."""
    jobs = Jobs("disclosure", database)
    deps = Deps(
        database=database,
        authz=authz,
        jobs=jobs,
        ids=IDS,
        pages=Pages(b"\3" * 32),
        admission=admission(),
        directory=sector,
        coordination=Coordination(),  # type: ignore[arg-type]  # answers as the peer does
        limits=limits(DisclosureSettings(reports_per_s=1000, reports_burst=1000)),
        installation=INSTALLATION,
        terms=terms(),
        closing=Closing(jobs),
        sync=PolicySync(database, authz),
    )
    register(deps)
    return deps
