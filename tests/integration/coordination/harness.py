"""Callers of coordination, and a stand-in for the two services that it asks."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_status import rpc_status

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2 as wire
from meldbrug.coordination.v1 import coordination_service_pb2 as calls
from meldbrug.crypto import SecretKeys, tokens
from meldbrug.directory.v1 import directory_pb2, directory_service_pb2
from meldbrug.disclosure.v1 import disclosure_pb2, disclosure_service_pb2
from services.kernel.answers import refusal_from, status_of
from services.kernel.authz import Authz, PolicyTuple, timestamp
from services.kernel.clock import SystemIds
from services.kernel.config import KernelSettings
from services.kernel.db import Database
from services.kernel.errors import Refusal, Unavailable
from tests.support.proxy import Proxy

IDS = SystemIds()
INSTALLATION = SecretKeys.generate().kid
SERVICE_KEYS = {name: SecretKeys.generate() for name in ("directory", "disclosure", "coordination")}
REPORTED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
Snapshot = disclosure_pb2.IncidentSnapshot


def request_id() -> str:
    return str(uuid.uuid4())


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def new(collection: str) -> str:
    return f"{collection}/{IDS.new_id()}"


def user(subject: str) -> str:
    return "user:" + subject.rpartition("/")[2]


def policy_object(kind: str, name: str) -> str:
    return f"{kind}:{name.rpartition('/')[2]}"


async def refusal(call: Awaitable[object]) -> Refusal:
    """The refusal of a call that must be refused."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None
        return refusal_from(status)
    raise AssertionError("nothing was refused")


async def closed_door(call: Awaitable[object]) -> tuple[str, str | None, bytes]:
    """All that a refused caller gets to see."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None
        return error.code().name, error.details(), status.SerializeToString(deterministic=True)
    raise AssertionError("nothing was refused")


class Peers:
    """What disclosure and directory would answer; they keep count of what they were asked."""

    def __init__(self) -> None:
        self.snapshots: dict[str, Snapshot] = {}
        self.pulled: list[str] = []
        self.keys: dict[str, directory_service_pb2.ResolvedKey] = {}
        self.titles: dict[str, str] = {}
        self.productions: dict[str, str] = {}
        self.away: set[str] = set()

    async def serve(self) -> tuple[grpc.aio.Server, str]:
        server = grpc.aio.server()
        for service, methods in {
            "meldbrug.disclosure.v1.InternalService": (self.fetch_snapshot, self.list_versions),
            "meldbrug.directory.v1.InternalService": (
                self.fetch_participations,
                self.fetch_circle,
                self.resolve_keys,
            ),
        }.items():
            handlers = {camel(method.__name__): self._handler(service, method) for method in methods}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, f"127.0.0.1:{port}"

    def _handler(self, service: str, method: Callable[[Any], Message]) -> Any:
        declared = (
            descriptor_pool.Default().FindServiceByName(service).methods_by_name[camel(method.__name__)]
        )
        request_class = message_factory.GetMessageClass(declared.input_type)

        async def handle(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            if method.__name__ in self.away:
                down = Unavailable("PEER_UNAVAILABLE")
                await context.abort_with_status(rpc_status.to_status(status_of(down)))
            return method(request_class.FromString(body)).SerializeToString()

        return grpc.unary_unary_rpc_method_handler(handle)

    def fetch_snapshot(self, request: Any) -> Message:
        self.pulled.append(request.incident)
        return disclosure_service_pb2.FetchSnapshotResponse(snapshot=self.snapshots.get(request.incident))

    def list_versions(self, request: Any) -> Message:
        names = sorted(name for name in self.snapshots if name > request.after)[: request.page_size]
        versions = [
            disclosure_service_pb2.IncidentVersion(incident=name, version=self.snapshots[name].version)
            for name in names
        ]
        return disclosure_service_pb2.ListVersionsResponse(versions=versions)

    def fetch_participations(self, request: Any) -> Message:
        circle = directory_pb2.Circle()
        for name in request.participations:
            if name in self.titles:
                self._add(circle, name)
        productions = [
            directory_pb2.Production(name=name, title=title) for name, title in self.productions.items()
        ]
        return directory_service_pb2.FetchParticipationsResponse(circle=circle, productions=productions)

    def fetch_circle(self, _request: Any) -> Message:
        circle = directory_pb2.Circle()
        self._add(circle, "participations/independent", independent=True)
        return directory_service_pb2.FetchCircleResponse(circle=circle)

    def _add(self, circle: directory_pb2.Circle, name: str, *, independent: bool = False) -> None:
        organisation = "organisations/" + name.rpartition("/")[2]
        circle.participations.add(name=name, organisation=organisation, independent=independent)
        circle.organisations.add(name=organisation, title=self.titles[name])

    def resolve_keys(self, request: Any) -> Message:
        found = [self.keys[kid] for kid in request.kids if kid in self.keys]
        return directory_service_pb2.ResolveKeysResponse(keys=found)


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


@dataclass
class Client:
    """A caller with a key."""

    channel: grpc.aio.Channel
    keys: SecretKeys
    embed: bool = False
    subject: str = ""

    def _sent(
        self, method: str, request: Message
    ) -> tuple[str, bytes, tuple[tuple[str, str]], type[Message]]:
        path = f"/meldbrug.coordination.v1.{method}"
        body = request.SerializeToString()
        digest = hashlib.sha256(body).digest()
        token = tokens.mint(self.keys, INSTALLATION + path, digest, datetime.now(UTC), embed_keys=self.embed)
        service, _, name = path[1:].rpartition("/")
        declared = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
        answer = message_factory.GetMessageClass(declared.output_type)
        return path, body, (("authorization", f"Bearer {token}"),), answer

    async def call(self, method: str, request: Message, *, timeout: float = 10) -> Any:
        path, body, metadata, answer = self._sent(method, request)
        return answer.FromString(
            await self.channel.unary_unary(path)(body, timeout=timeout, metadata=metadata)
        )

    @asynccontextmanager
    async def watch(self, token: str = "", *, timeout: float = 30) -> AsyncIterator[Any]:
        """A stream of the own inbox; cancelled at the end of the block."""
        path, body, metadata, answer = self._sent(
            "ReaderService/WatchInbox", calls.WatchInboxRequest(resume_token=token)
        )
        stream = self.channel.unary_stream(path, response_deserializer=answer.FromString)(
            body, timeout=timeout, metadata=metadata
        )
        try:
            yield stream
        finally:
            stream.cancel()

    async def inbox(self, **more: Any) -> calls.ListInboxResponse:
        return await self.call("ReaderService/ListInbox", calls.ListInboxRequest(**more))

    async def notice(self, name: str) -> wire.Stub:
        return (await self.call("ReaderService/GetNotice", calls.GetNoticeRequest(notice=name))).notice

    async def confirm(self, name: str, etag: str, **more: Any) -> wire.Stub:
        """Acknowledges a notice."""
        request = calls.AcknowledgeNoticeRequest(
            **{"notice": name, "etag": etag, "request_id": request_id(), **more}
        )
        return (await self.call("ReaderService/AcknowledgeNotice", request)).notice

    async def incidents(self, **more: Any) -> calls.ListIncidentsResponse:
        return await self.call("HandlerService/ListIncidents", calls.ListIncidentsRequest(**more))

    async def incident(self, name: str) -> wire.Incident:
        return (
            await self.call("HandlerService/GetIncident", calls.GetIncidentRequest(incident=name))
        ).incident

    async def acknowledge(self, name: str, etag: str, **more: Any) -> wire.Incident:
        values = {"incident": name, "etag": etag, "request_id": request_id(), **more}
        request = calls.AcknowledgeIncidentRequest(**values)
        return (await self.call("HandlerService/AcknowledgeIncident", request)).incident

    async def assess(self, name: str, outcome: int, etag: str) -> wire.Incident:
        request = calls.AssessIncidentRequest(
            incident=name, outcome=outcome, etag=etag, request_id=request_id()
        )
        return (await self.call("HandlerService/AssessIncident", request)).incident

    async def sent(self, name: str, **more: Any) -> calls.ListNoticesResponse:
        return await self.call("HandlerService/ListNotices", calls.ListNoticesRequest(incident=name, **more))

    async def status(self, name: str) -> wire.Status:
        return (await self.call("ReporterService/GetStatus", calls.GetStatusRequest(incident=name))).status


@dataclass
class Case:
    """An incident as disclosure holds it; `tell` makes its last change known."""

    world: World
    snapshot: Snapshot
    reporter: Client
    handler: Client

    @property
    def name(self) -> str:
        return self.snapshot.incident

    async def tell(self) -> None:
        """Raises the version and informs coordination."""
        self.hold()
        await self.world.inform(self.name)

    def hold(self) -> None:
        """Raises the version; coordination is not informed."""
        self.snapshot.version += 1
        self.world.peers.snapshots[self.name] = Snapshot.FromString(self.snapshot.SerializeToString())

    async def propose(self, *, tell: bool = True) -> Snapshot.Notice:
        notice = self.snapshot.notices.add(
            name=f"{self.name}/{new('notices')}",
            sender=self.world.sender,
            recipient=self.world.recipient,
            state=common.NOTICE_STATE_CONSENT_PENDING,
            purposes=[common.PURPOSE_INFORM],
            terms_version="v1",
            create_time=stamp(REPORTED + timedelta(minutes=len(self.snapshot.notices))),
            answer_by_time=stamp(REPORTED + timedelta(days=14)),
        )
        if tell:
            await self.tell()
        return notice

    async def offer(self, *readers: Client, tell: bool = True) -> Snapshot.Notice:
        """A notice that the reporter agreed to, with the policy armed for its readers."""
        notice = await self.propose(tell=False)
        notice.state = common.NOTICE_STATE_OFFERED
        notice.offer_time.FromDatetime(REPORTED + timedelta(hours=1))
        for reader in readers:
            notice.readers.add(subject=reader.subject, live=True)
        await self.world.arm(notice)
        if tell:
            await self.tell()
        return notice

    async def open(self, notice: Snapshot.Notice, *readers: Client) -> None:
        notice.state = common.NOTICE_STATE_OPENED
        notice.open_time.FromDatetime(REPORTED + timedelta(hours=2))
        for entry in notice.readers:
            if entry.subject in {reader.subject for reader in readers}:
                entry.open_time.CopyFrom(notice.open_time)
        await self.tell()

    async def close(self, notice: Snapshot.Notice, state: int, *readers: Client) -> None:
        """Closes the seats of `readers`, or of all, and leaves the notice in `state`."""
        subjects = {reader.subject for reader in readers}
        for entry in notice.readers:
            if not subjects or entry.subject in subjects:
                entry.live = False
        notice.state = state
        await self.tell()


@dataclass
class World:
    """The running coordination and those around it."""

    channel: grpc.aio.Channel
    database: Database
    authz: Authz
    peers: Peers
    policy: Proxy
    sender: str = field(default_factory=lambda: new("participations"))
    recipient: str = field(default_factory=lambda: new("participations"))
    production: str = field(default_factory=lambda: new("productions"))

    def reset(self) -> None:
        """Sender, recipient and production of their own, and peers that answer."""
        self.peers.away.clear()
        self.peers.pulled.clear()
        self.peers.productions.clear()
        self.sender, self.recipient = new("participations"), new("participations")
        self.production = new("productions")
        self.peers.titles[self.sender], self.peers.titles[self.recipient] = (
            "Dijkzicht Producties",
            "Omroep Noord",
        )
        self.peers.titles["participations/independent"] = "Onafhankelijk Meldpunt"
        self.peers.productions[self.production] = "De Brug"

    def member(self) -> Client:
        keys, subject = SecretKeys.generate(), new("persons")
        public = common.PublicKeys(signing=keys.public.signing, sealing=keys.public.sealing)
        self.peers.keys[keys.kid] = directory_service_pb2.ResolvedKey(
            kid=keys.kid,
            keys=public,
            subject=subject,
            organisation=new("organisations"),
            member=new("members"),
            active=True,
        )
        return Client(self.channel, keys, subject=subject)

    def stranger(self) -> Client:
        """A reporter's key of which nobody has heard."""
        return Client(self.channel, SecretKeys.generate(), embed=True)

    async def reader(self) -> Client:
        """A safety contact of the recipient."""
        reader = self.member()
        await self.authz.write(
            [
                PolicyTuple(
                    user(reader.subject), "safety_contact", policy_object("participation", self.recipient)
                )
            ]
        )
        return reader

    async def handler(self) -> Client:
        """A counsellor of the sender."""
        handler = self.member()
        await self.authz.write(
            [PolicyTuple(user(handler.subject), "counsellor", policy_object("participation", self.sender))]
        )
        return handler

    async def case(
        self, handler: Client | None = None, *, tell: bool = True, age: timedelta = timedelta()
    ) -> Case:
        """A reported incident, with the policy armed for its handler."""
        handler, reporter = handler or await self.handler(), self.stranger()
        snapshot = Snapshot(
            incident=new("incidents"),
            production=self.production,
            reporter_kid=reporter.keys.kid,
            create_time=stamp(REPORTED - age),
        )
        snapshot.handlers.add(subject=handler.subject, participation=self.sender)
        incident = policy_object("incident", snapshot.incident)
        await self.authz.write(
            [
                PolicyTuple(policy_object("participation", self.sender), "origin", incident),
                PolicyTuple(user(handler.subject), "handler", incident),
            ]
        )
        case = Case(self, snapshot, reporter, handler)
        if tell:
            await case.tell()
        return case

    async def arm(self, notice: Snapshot.Notice) -> None:
        """Writes what lets the readers of a notice see it."""
        target = policy_object("notice", notice.name)
        now = datetime.now(UTC)
        window = {
            "valid_from": timestamp(now - timedelta(days=1)),
            "valid_until": timestamp(now + timedelta(days=400)),
            "purposes": [
                common.Purpose.Name(purpose).removeprefix("PURPOSE_") for purpose in notice.purposes
            ],
            "kinds": ["SUMMARY"],
        }
        readers = [
            PolicyTuple.conditional(user(entry.subject), "reader", target, "consent", window)
            for entry in notice.readers
        ]
        addressee = PolicyTuple(policy_object("participation", notice.recipient), "addressee", target)
        await self.authz.write([addressee, *readers, _live(notice)])

    async def disarm(self, notice: Snapshot.Notice) -> None:
        """Takes away what lets anyone see a notice."""
        await self.authz.write(deletes=[_live(notice)])

    async def rearm(self, notice: Snapshot.Notice) -> None:
        """Gives back what `disarm` took."""
        await self.authz.write([_live(notice)])

    async def inform(self, incident: str) -> None:
        disclosure = Client(self.channel, SERVICE_KEYS["disclosure"])
        await disclosure.call("InternalService/Inform", calls.InformRequest(incident=incident))

    async def rows(self, table: str, where: str = "true") -> list[tuple[Any, ...]]:
        """All rows of a table, in order."""
        from sqlalchemy import text

        async with self.database.transaction() as conn:
            found = await conn.execute(
                text(f"SELECT * FROM coordination.{table} WHERE {where} ORDER BY 1, 2")
            )
            return [tuple(row) for row in found]


def _live(notice: Snapshot.Notice) -> PolicyTuple:
    return PolicyTuple("user:*", "live", policy_object("notice", notice.name))


def settings(
    folder: Path, database_url: str, openfga: dict[str, Any], peer: str, **more: Any
) -> KernelSettings:
    """Settings of a process that hosts coordination."""
    for name, own in SERVICE_KEYS.items():
        (folder / f"{name}.key").write_text((own.signing_seed + own.sealing_seed).hex())
    (folder / "pages.key").write_text("11" * 32)
    public = {
        name: base64.b64encode(own.public.signing + own.public.sealing).decode()
        for name, own in SERVICE_KEYS.items()
    }
    values = {"refusal_floor_ms": 0, "stop_grace_s": 1.0, **more}
    return KernelSettings(
        installation=INSTALLATION,
        database_url=database_url,
        openfga=openfga,
        service_secrets_dir=folder,
        service_keys=public,
        page_key_file=folder / "pages.key",
        peers={"disclosure": peer, "directory": peer},
        test_switches=True,
        test_clock=True,
        **values,
    )
