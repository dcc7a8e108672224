"""A service of no meaning to try the kernel on: its messages, its servicers, and callers with keys."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

import meldbrug.annotations.v1.annotations_pb2
import meldbrug.thirdparty.buf.validate.validate_pb2  # noqa: F401  (the pool must know its extensions)
from meldbrug.crypto import tokens
from meldbrug.crypto.keys import SecretKeys
from services.kernel.config import KernelSettings
from services.kernel.db import Database
from services.kernel.jobs import Jobs
from services.kernel.key_ring import KeyState, KnownKey
from services.kernel.openfga.adapter import Probe
from services.kernel.peers import Peers
from services.kernel.rpc import Call, Kernel, Service

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = "meldbrug.test.v1"
PROBE = Probe("organisation:probe", "member")
INSTALLATION = SecretKeys(b"i" * 32, b"j" * 32).kid


def _load() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "echo.bin"
        include = [f"-I{HERE}", f"-I{ROOT / 'proto'}", f"-I{ROOT / 'third_party'}"]
        google = Path(protoc.__file__).parent / "_proto"
        if protoc.main(
            ["protoc", *include, f"-I{google}", f"--descriptor_set_out={out}", str(HERE / "echo.proto")]
        ):
            raise RuntimeError("echo.proto does not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    for file in files.file:
        descriptor_pool.Default().Add(file)


_load()
EchoRequest: Any = message_factory.GetMessageClass(
    descriptor_pool.Default().FindMessageTypeByName(f"{PACKAGE}.EchoRequest")
)
EchoResponse: Any = message_factory.GetMessageClass(
    descriptor_pool.Default().FindMessageTypeByName(f"{PACKAGE}.EchoResponse")
)

PEER_ECHO = f"/{PACKAGE}.PeerService/Echo"
Behaviour = Callable[[Any, Call], Awaitable[None]]


@dataclass
class Behaviours:
    """What the servicers do by name, and the last call that reached one."""

    by_name: dict[str, Behaviour] = field(default_factory=dict)
    last: Call | None = None

    async def answer(self, request: Any, call: Call) -> Any:
        self.last = call
        if request.behaviour:
            await self.by_name[request.behaviour](request, call)
        return EchoResponse(text=request.text, subject=call.actor.subject, request_id=call.request_id)


async def ask_peer(peers: Peers, behaviour: str = "", *, budget_s: float = 2.0, attempts: int = 1) -> Any:
    """Asks `beta` to say hello, as another service does."""
    request, beta = EchoRequest(behaviour=behaviour, text="hello"), peers.peer("beta")
    return await beta.call(PEER_ECHO, request, EchoResponse, budget_s=budget_s, attempts=attempts)


class Echo:
    def __init__(self, behaviours: Behaviours) -> None:
        self._behaviours = behaviours

    async def echo(self, request: Any, call: Call) -> Any:
        return await self._behaviours.answer(request, call)


class MemberEcho(Echo):
    async def other(self, request: Any, call: Call) -> Any:
        return await self._behaviours.answer(request, call)

    async def watch(self, request: Any, call: Call) -> AsyncIterator[Any]:
        for number in range(3):
            yield EchoResponse(text=str(number))
        yield await self._behaviours.answer(request, call)


class ReporterEcho:
    def __init__(self, behaviours: Behaviours) -> None:
        self._behaviours = behaviours

    async def submit(self, request: Any, call: Call) -> Any:
        return await self._behaviours.answer(request, call)

    async def withdraw(self, request: Any, call: Call) -> Any:
        return await self._behaviours.answer(request, call)


class Ring:
    """A key ring in memory; `failure` makes it unable to tell."""

    def __init__(self) -> None:
        self.known: dict[str, KnownKey] = {}
        self.failure: Exception | None = None
        self.asked = 0

    def enrol(self, keys: SecretKeys, *, state: KeyState = KeyState.ACTIVE) -> None:
        self.known[keys.kid] = KnownKey(
            keys.kid, keys.public, "persons/p", "organisations/o", "members/m", admin=False, state=state
        )

    async def lookup(self, kid: str) -> KnownKey | None:
        self.asked += 1
        if self.failure:
            raise self.failure
        return self.known.get(kid)

    lookup_claimed = lookup

    def was_unknown(self, _kid: str) -> bool:
        return False


@dataclass
class World:
    """What tests and servicers share."""

    ring: Ring = field(default_factory=Ring)
    behaviours: Behaviours = field(default_factory=Behaviours)
    kernel: Kernel | None = None
    jobs: Jobs | None = None
    database: Database | None = None
    background: tuple[Any, ...] = ()

    def build(self, kernel: Kernel) -> Service:
        self.kernel = kernel
        self.database = kernel.database()
        servicers: Mapping[str, object] = {
            f"{PACKAGE}.OpenService": Echo(self.behaviours),
            f"{PACKAGE}.MemberService": MemberEcho(self.behaviours),
            f"{PACKAGE}.ReporterService": ReporterEcho(self.behaviours),
            f"{PACKAGE}.NewcomerService": Echo(self.behaviours),
            f"{PACKAGE}.PeerService": Echo(self.behaviours),
        }
        return Service(
            kernel.name, servicers, self.database, self.ring, jobs=self.jobs, background=self.background
        )


def settings(folder: Path, database_url: str, openfga: Mapping[str, Any], **more: Any) -> KernelSettings:
    """Settings of a process that hosts `alpha`; `beta` is a service that has a key and may not call."""
    public = {}
    for name, byte in (("alpha", b"a"), ("beta", b"b")):
        keys = SecretKeys(byte * 32, byte * 32)
        (folder / f"{name}.key").write_text((byte * 64).hex())
        public[name] = base64.b64encode(keys.public.signing + keys.public.sealing).decode()
    (folder / "pages.key").write_text("11" * 32)
    return KernelSettings(
        installation=INSTALLATION,
        database_url=database_url,
        openfga=openfga,
        service_secrets_dir=folder,
        service_keys=public,
        page_key_file=folder / "pages.key",
        **{"test_switches": True, "refusal_floor_ms": 60, "stop_grace_s": 1.0, **more},
    )


ALPHA, BETA = SecretKeys(b"a" * 32, b"a" * 32), SecretKeys(b"b" * 32, b"b" * 32)


@dataclass
class Caller:
    """A client with a key."""

    channel: grpc.aio.Channel
    keys: SecretKeys
    embed: bool = False

    def token(
        self, method: str, body: bytes, *, now: datetime | None = None, installation: str = INSTALLATION
    ) -> str:
        digest = hashlib.sha256(body).digest()
        return tokens.mint(
            self.keys, installation + method, digest, now or datetime.now(UTC), embed_keys=self.embed
        )

    async def call(
        self, method: str, request: Any = None, *, token: str | None = None, deadline_s: float | None = 10.0,
        body: bytes | None = None, metadata: tuple[tuple[str, str], ...] = (),
    ) -> Any:  # fmt: skip
        path = f"/{PACKAGE}.{method}"
        sent = body if body is not None else (request or EchoRequest()).SerializeToString()
        credential = self.token(path, sent) if token is None else token
        headers = (*metadata, *((("authorization", f"Bearer {credential}"),) if credential else ()))
        return EchoResponse.FromString(
            await self.channel.unary_unary(path)(sent, timeout=deadline_s, metadata=headers)
        )

    def watch(self, request: Any = None, *, timeout: float = 10.0) -> Any:
        path = f"/{PACKAGE}.MemberService/Watch"
        sent = (request or EchoRequest()).SerializeToString()
        headers = (("authorization", f"Bearer {self.token(path, sent)}"),)
        return self.channel.unary_stream(path, response_deserializer=EchoResponse.FromString)(
            sent, timeout=timeout, metadata=headers
        )


@dataclass(frozen=True)
class Answer:
    """A refusal as it came over the wire."""

    code: str
    message: str
    reason: str
    metadata: dict[str, str]
    fields: list[str]
    retry_s: float | None
    trailers: tuple[tuple[str, bytes | str], ...]


async def refused(call: Awaitable[Any]) -> Answer:
    """Awaits a call that must be refused and returns what it was told."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return read(error)
    raise AssertionError("the call was answered")


def read(error: grpc.aio.AioRpcError) -> Answer:
    """Reads a refusal; fails unless it carries exactly one ErrorInfo of our domain."""
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} {error.details()} without a status"
    infos, bad, retry = [], error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    retry_s = None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            infos.append(info)
        detail.Unpack(bad)
        if detail.Unpack(retry):
            retry_s = retry.retry_delay.ToMilliseconds() / 1000
    assert [info.domain for info in infos] == ["meldbrug"]
    return Answer(
        error.code().name,
        status.message,
        infos[0].reason,
        dict(infos[0].metadata),
        [violation.field for violation in bad.field_violations],
        retry_s,
        tuple((key, value) for key, value in error.trailing_metadata()),
    )
