"""Callers of the directory with keys of their own, and a stand-in for the service that holds the seats."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_status import rpc_status

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, SecretKeys, chains, statements, tokens
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2 as pb
from meldbrug.directory.v1 import directory_service_pb2 as rpc
from meldbrug.disclosure.v1 import disclosure_service_pb2 as disclosure
from meldbrug.statements.v1 import statements_pb2 as wire
from services.directory.app import build
from services.directory.store.policy import policy_object, policy_user
from services.kernel.answers import refusal_from, status_of
from services.kernel.authz import Authz
from services.kernel.clock import SystemIds
from services.kernel.config import KernelSettings
from services.kernel.db import Database
from services.kernel.errors import Refusal
from services.kernel.process import Process
from tests.support.faults import until

IDS = SystemIds()
SEQUENCE = itertools.count(int(datetime.now(UTC).timestamp() * 1000))
# The installation's own services, as callers of the internal service.
SERVICE_KEYS = {name: SecretKeys.generate() for name in ("directory", "disclosure", "coordination", "ledger")}


def request_id() -> str:
    return str(uuid.uuid4())


@contextmanager
def refused() -> Iterator[list[Refusal]]:
    """Expects a refusal, and hands it over."""
    caught: list[Refusal] = []
    try:
        yield caught
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None
        caught.append(refusal_from(status))
        return
    raise AssertionError("nothing was refused")


async def reason_of(call: Awaitable[object]) -> str:
    """The reason with which a call is refused."""
    with refused() as caught:
        await call
    return caught[0].reason


async def bytes_of(call: Awaitable[object]) -> tuple[str, str | None, bytes]:
    """All that a refused caller gets to see."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None
        return error.code().name, error.details(), status.SerializeToString(deterministic=True)
    raise AssertionError("nothing was refused")


class FakeDisclosure:
    """Records what it is told; a test may make it refuse or watch what is true when it is called."""

    def __init__(self) -> None:
        self.affiliations: list[disclosure.RecordAffiliationRequest] = []
        self.endings: list[disclosure.EndSeatsRequest] = []
        self.refusal: Refusal | None = None
        self.before: Callable[[Message], Awaitable[None]] | None = None
        self.heard = asyncio.Event()

    async def serve(self) -> tuple[grpc.aio.Server, str]:
        server = grpc.aio.server()
        handlers = {
            "RecordAffiliation": grpc.unary_unary_rpc_method_handler(
                self._handler(
                    disclosure.RecordAffiliationRequest,
                    self.affiliations,
                    disclosure.RecordAffiliationResponse,
                )
            ),
            "EndSeats": grpc.unary_unary_rpc_method_handler(
                self._handler(disclosure.EndSeatsRequest, self.endings, disclosure.EndSeatsResponse)
            ),
        }
        name = "meldbrug.disclosure.v1.InternalService"
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, f"127.0.0.1:{port}"

    def _handler(self, cls: type[Message], heard: list[Any], answer: type[Message]) -> Any:
        async def handle(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            request = cls.FromString(body)
            if self.before:
                await self.before(request)
            if self.refusal:
                await context.abort_with_status(rpc_status.to_status(status_of(self.refusal)))
            heard.append(request)
            self.heard.set()
            return answer().SerializeToString()

        return handle

    def ended(self) -> set[str]:
        return {name for request in self.endings for name in (*request.kids, *request.appointments)}

    def reset(self) -> None:
        self.affiliations.clear()
        self.endings.clear()
        self.refusal = self.before = None
        self.heard.clear()


@dataclass
class Client:
    """A caller with a key, or without."""

    channel: grpc.aio.Channel
    installation: str
    keys: SecretKeys | None = None
    embed: bool = False

    async def call(self, method: str, request: Message) -> Any:
        """Calls `Service/Method` of the directory."""
        path = f"/meldbrug.directory.v1.{method}"
        body = request.SerializeToString()
        metadata = []
        if self.keys:
            digest = hashlib.sha256(body).digest()
            token = tokens.mint(
                self.keys, self.installation + path, digest, datetime.now(UTC), embed_keys=self.embed
            )
            metadata.append(("authorization", f"Bearer {token}"))
        service, _, name = path[1:].rpartition("/")
        declared = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
        answer = message_factory.GetMessageClass(declared.output_type)
        return answer.FromString(await self.channel.unary_unary(path)(body, timeout=10, metadata=metadata))


@dataclass
class Staff(Client):
    """A member with its own key."""

    member: pb.Member = field(default_factory=pb.Member)
    organisation: pb.Organisation = field(default_factory=pb.Organisation)

    @property
    def kid(self) -> str:
        assert self.keys
        return self.keys.kid

    @property
    def user(self) -> str:
        return policy_user(self.member.subject)

    def endorsement(
        self, of: pb.Member, at: pb.Organisation | None = None, /, **changed: Any
    ) -> common.Signed:
        """Signs that a pending key is what the directory says it is, but for what is `changed`."""
        now = Timestamp()
        now.GetCurrentTime()
        place = at or self.organisation
        values: dict[str, Any] = {
            "installation": self.installation,
            "organisation": place.name,
            "organisation_title": place.title,
            "subject": of.subject,
            "subject_name": of.title,
            "subject_kind": of.subject_kind,
            "kid": of.kid,
            "admin": of.admin,
            "valid_from": now,
            "signer_kid": self.kid,
            "sequence": next(SEQUENCE),
        }
        assert self.keys
        return statements.sign(StatementKind.ENDORSEMENT, wire.Endorsement(**values | changed), self.keys)

    def appointment(self, of: Staff, where: str, as_: common.Capacity, /, **changed: Any) -> common.Signed:
        """Signs that a colleague takes a role."""
        values: dict[str, Any] = {
            "installation": self.installation,
            "organisation": self.organisation.name,
            "appointment": f"appointments/{IDS.new_id()}",
            "participation": where,
            "capacity": as_,
            "role": "Vertrouwenspersoon",
            "subject": of.member.subject,
            "kid": of.kid,
            "signer_kid": self.kid,
            "sequence": next(SEQUENCE),
        }
        assert self.keys
        return statements.sign(StatementKind.APPOINTMENT, wire.Appointment(**values | changed), self.keys)

    def rotation(self, new: SecretKeys, **changed: Any) -> common.Signed:
        """Signs that a new key follows the own one."""
        values: dict[str, Any] = {
            "installation": self.installation,
            "organisation": self.organisation.name,
            "subject": self.member.subject,
            "old_kid": self.kid,
            "new_kid": new.kid,
            "sequence": next(SEQUENCE),
        }
        assert self.keys
        return statements.sign(StatementKind.ROTATION, wire.KeyRotation(**values | changed), self.keys)


@dataclass
class Sector:
    """The running directory and those who use it."""

    address: str
    channel: grpc.aio.Channel
    database: Database
    authz: Authz
    disclosure: FakeDisclosure
    secretariat: Staff
    independent: Staff
    standing: pb.Participation
    settings: KernelSettings

    @asynccontextmanager
    async def without_policy_engine(self) -> AsyncIterator[Sector]:
        """Another process on the same database, whose policy engine does not answer."""
        nobody = self.settings.openfga.model_copy(update={"address": "127.0.0.1:1"})
        settings = self.settings.model_copy(update={"openfga": nobody})
        async with (
            Process(settings, {"directory": build}) as process,
            grpc.aio.insecure_channel(process.address) as channel,
        ):
            yield replace(self, address=process.address, channel=channel)

    @property
    def installation(self) -> str:
        return self.secretariat.installation

    def service(self, name: str) -> Client:
        """A call by another service of the installation."""
        return Client(self.channel, self.installation, SERVICE_KEYS[name])

    @property
    def public(self) -> Client:
        return Client(self.channel, self.installation)

    def newcomer(self, keys: SecretKeys | None = None) -> Client:
        return Client(self.channel, self.installation, keys or SecretKeys.generate(), embed=True)

    async def knock(
        self, code: str, keys: SecretKeys | None = None, known_as: SecretKeys | None = None
    ) -> tuple[SecretKeys, pb.Member]:
        """A newcomer hands in its key, with a proof by another key of the same subject."""
        newcomer = self.newcomer(keys or SecretKeys.generate())
        assert newcomer.keys
        proof = self.subject_proof(known_as, newcomer.keys) if known_as else ""
        accepted = await newcomer.call(
            "EnrolmentService/AcceptInvitation",
            rpc.AcceptInvitationRequest(code=code, request_id=request_id(), subject_proof=proof),
        )
        assert newcomer.keys
        return newcomer.keys, accepted.member

    def subject_proof(self, by: SecretKeys, newcomer: SecretKeys) -> str:
        """What shows that the newcomer's key is of the same subject as another."""
        audience = tokens.audience(
            self.installation, "/meldbrug.directory.v1.EnrolmentService/AcceptInvitation"
        )
        both = tokens.body_hash(newcomer.public.signing + newcomer.public.sealing)
        return tokens.mint(by, audience, both, datetime.now(UTC), embed_keys=False)

    async def admit(self, title: str = "Omroep Dijk", kind: int = pb.Organisation.KIND_BROADCASTER) -> Staff:
        """Admits an organisation and returns its first admin."""
        admin, _ = await admit(self.channel, self.secretariat, title, kind)
        return await self.known(admin, "admin", admin.organisation.name)

    async def known(self, staff: Staff, relation: str, name: str) -> Staff:
        """Returns a member once the policy engine knows: where it stalls, a job tells it after the answer."""
        await until(lambda: self.holds(staff, relation, name))
        return staff

    async def invite(self, by: Staff, title: str = "Noor de Wit", /, **more: Any) -> rpc.InviteMemberResponse:
        request = rpc.InviteMemberRequest(
            **{"title": title, "subject_kind": common.SUBJECT_KIND_PERSON, "request_id": request_id(), **more}
        )
        return await by.call("AdminService/InviteMember", request)  # type: ignore[no-any-return]

    async def pending(
        self, by: Staff, title: str = "Noor de Wit", /, *, known_as: Staff | None = None, **more: Any
    ) -> tuple[SecretKeys, pb.Member]:
        """A colleague whose key waits for endorsement; `known_as` is another membership of the same."""
        if known_as:
            more["subject"] = known_as.member.subject
        code = (await self.invite(by, title, **more)).code
        return await self.knock(code, known_as=known_as.keys if known_as else None)

    async def hire(self, admin: Staff, title: str = "Noor de Wit", /, **more: Any) -> Staff:
        """A colleague, endorsed."""
        keys, member = await self.pending(admin, title, **more)
        endorsed = await admin.call(
            "AdminService/EndorseMember",
            rpc.EndorseMemberRequest(
                member=member.name, endorsement=admin.endorsement(member), request_id=request_id()
            ),
        )
        return await self._joined(keys, endorsed.member, admin.organisation, "member")

    async def second_admin(self, admin: Staff) -> Staff:
        """Another admin of the organisation, endorsed by the root."""
        keys, member = await self.pending(admin, "Tweede beheerder", admin=True)
        signed = self.secretariat.endorsement(member, admin.organisation)
        endorsed = await self.secretariat.call(
            "SecretariatService/EndorseAdmin",
            rpc.EndorseAdminRequest(member=member.name, endorsement=signed, request_id=request_id()),
        )
        return await self._joined(keys, endorsed.member, admin.organisation, "admin")

    async def _joined(
        self, keys: SecretKeys, member: pb.Member, organisation: pb.Organisation, relation: str
    ) -> Staff:
        """Whoever was endorsed, once the policy engine knows."""
        staff = Staff(self.channel, self.installation, keys, member=member, organisation=organisation)
        return await self.known(staff, relation, organisation.name)

    async def produce(self, lead: Staff, title: str = "De Brug") -> rpc.RegisterProductionResponse:
        request = rpc.RegisterProductionRequest(production=production(title), request_id=request_id())
        made: rpc.RegisterProductionResponse = await lead.call("AdminService/RegisterProduction", request)
        await self.known(lead, "can_appoint", made.participation.name)
        return made

    async def propose(self, lead: Staff, production_name: str, organisation: str) -> pb.Participation:
        proposed = await lead.call(
            "AdminService/ProposeParticipation",
            rpc.ProposeParticipationRequest(
                production=production_name, organisation=organisation, request_id=request_id()
            ),
        )
        return proposed.participation  # type: ignore[no-any-return]

    async def join(self, lead: Staff, production_name: str, admin: Staff) -> pb.Participation:
        """An organisation is asked, and takes part."""
        proposed = await self.propose(lead, production_name, admin.organisation.name)
        accepted = await admin.call(
            "AdminService/AcceptParticipation",
            rpc.AcceptParticipationRequest(participation=proposed.name, request_id=request_id()),
        )
        await self.known(admin, "can_appoint", proposed.name)
        return accepted.participation  # type: ignore[no-any-return]

    async def leave(self, admin: Staff, participation: str) -> pb.Participation:
        """An organisation takes part no longer."""
        request = rpc.EndParticipationRequest(participation=participation, request_id=request_id())
        return (await admin.call("AdminService/EndParticipation", request)).participation  # type: ignore[no-any-return]

    async def appoint(
        self, admin: Staff, holder: Staff, where: str,
        as_: common.Capacity = common.CAPACITY_COUNSELLOR, /, **changed: Any,
    ) -> pb.Contact:  # fmt: skip
        signed = admin.appointment(holder, where, as_, **changed)
        request = rpc.AppointMemberRequest(appointment=signed, request_id=request_id())
        return (await admin.call("AdminService/AppointMember", request)).contact  # type: ignore[no-any-return]

    async def end(self, admin: Staff, appointment: str) -> pb.Contact:
        request = rpc.EndAppointmentRequest(appointment=appointment, request_id=request_id())
        return (await admin.call("AdminService/EndAppointment", request)).contact  # type: ignore[no-any-return]

    async def remove(self, admin: Staff, member: str) -> pb.Member:
        request = rpc.RemoveMemberRequest(member=member, request_id=request_id())
        return (await admin.call("AdminService/RemoveMember", request)).member  # type: ignore[no-any-return]

    async def circle(self, code: str) -> pb.Circle:
        request = rpc.GetProductionByCodeRequest(code=code)
        return (await self.public.call("PublicService/GetProductionByCode", request)).circle  # type: ignore[no-any-return]

    async def holds(self, staff: Staff, relation: str, name: str) -> bool:
        """What the policy engine says."""
        return await self.authz.check(staff.user, relation, policy_object(name))


async def admit(
    channel: grpc.aio.Channel, secretariat: Staff, title: str, kind: int
) -> tuple[Staff, pb.Participation]:
    """Admits an organisation and endorses its first admin."""
    admitted = await secretariat.call(
        "SecretariatService/AdmitOrganisation",
        rpc.AdmitOrganisationRequest(
            organisation=pb.Organisation(title=title, kind=kind),
            admin_title="Sam Bakker",
            request_id=request_id(),
        ),
    )
    keys = SecretKeys.generate()
    newcomer = Client(channel, secretariat.installation, keys, embed=True)
    accepted = await newcomer.call(
        "EnrolmentService/AcceptInvitation",
        rpc.AcceptInvitationRequest(code=admitted.code, request_id=request_id()),
    )
    endorsed = await secretariat.call(
        "SecretariatService/EndorseAdmin",
        rpc.EndorseAdminRequest(
            member=accepted.member.name,
            endorsement=secretariat.endorsement(accepted.member, admitted.organisation),
            request_id=request_id(),
        ),
    )
    admin = Staff(
        channel, secretariat.installation, keys, member=endorsed.member, organisation=admitted.organisation
    )
    return admin, admitted.participation


def production(title: str, **more: Any) -> pb.Production:
    start, end = Timestamp(seconds=1_780_000_000), Timestamp(seconds=1_790_000_000)
    return pb.Production(**{"title": title, "start_time": start, "end_time": end, **more})


class Chain:
    """What a client does with a key book: it picks what a key needs and verifies it."""

    def __init__(self, book: pb.KeyBook, root: str) -> None:
        self.root = root
        public = [PublicKeys(keys.signing, keys.sealing) for keys in book.keys]
        self.keys = {keys.kid: keys for keys in public}
        self.endorsements = {
            said.kid: (said, signed)
            for signed in book.endorsements
            for said in [statements.parse(StatementKind.ENDORSEMENT, signed, wire.Endorsement)]
        }
        self.before = {
            said.new_kid: (said.old_kid, signed)
            for signed in book.rotations
            for said in [statements.parse(StatementKind.ROTATION, signed, wire.KeyRotation)]
        }
        self.appointments = {
            said.appointment: (said, signed)
            for signed in book.appointments
            for said in [statements.parse(StatementKind.APPOINTMENT, signed, wire.Appointment)]
        }

    def member(self, kid: str) -> chains.VerifiedMember:
        endorsements, rotations = self._needed(kid)
        return chains.verify_member(self.root, endorsements, rotations, self.keys[kid])

    def contact(self, contact: pb.Contact) -> chains.VerifiedAppointment:
        said, signed = self.appointments[contact.appointment]
        return chains.verify_appointment(
            self.root,
            chains.SignedAppointment(signed, self.keys[said.signer_kid]),
            self.member(said.signer_kid),
            self.member(contact.kid),
            participation=contact.participation,
            capacity=contact.capacity,
        )

    def _needed(self, kid: str) -> tuple[list[chains.SignedEndorsement], list[chains.SignedRotation]]:
        rotations = []
        while kid in self.before:
            old, signed = self.before[kid]
            rotations.append(chains.SignedRotation(signed, self.keys[old]))
            kid = old
        said, signed = self.endorsements[kid]
        own = chains.SignedEndorsement(signed, self.keys[said.signer_kid])
        if said.signer_kid == self.root:
            return [own], rotations
        above, more = self._needed(said.signer_kid)
        return [*above, own], [*more, *rotations]


def settings(
    folder: Path, root: SecretKeys, database_url: str, openfga: dict[str, Any], peer: str
) -> KernelSettings:
    """Settings of a process that hosts the directory."""
    for name, own in SERVICE_KEYS.items():
        (folder / f"{name}.key").write_text((own.signing_seed + own.sealing_seed).hex())
    (folder / "pages.key").write_text("11" * 32)
    public = {
        name: base64.b64encode(own.public.signing + own.public.sealing).decode()
        for name, own in SERVICE_KEYS.items()
    }
    return KernelSettings(
        installation=root.kid,
        database_url=database_url,
        openfga=openfga,
        service_secrets_dir=folder,
        service_keys=public,
        page_key_file=folder / "pages.key",
        peers={"disclosure": peer},
        test_switches=True,
        test_clock=True,
        refusal_floor_ms=0,
        stop_grace_s=1.0,
    )
