"""What strangers send, and what must hold whatever it is: the targets of the fuzzer.

An input is a byte that chooses the target, then the target's own bytes. Nothing but the error that a
function documents may come out of it, and nothing of the input in what a caller is told.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

from google.protobuf import message_factory
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from meldbrug.client.book import Book
from meldbrug.client.errors import MeldbrugError, Unverified
from meldbrug.client.keyfile import opened_file
from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import SecretKeys, SectionContext, from_words, statements, to_words, tokens, unwrap_key
from meldbrug.crypto.errors import CryptoError
from meldbrug.crypto.receipt import ReceiptLanguage
from meldbrug.crypto.sealing import SealedSection, decrypt_content, digest_of, open_section
from meldbrug.directory.v1 import directory_pb2
from meldbrug.error.v1 import error_pb2
from services.kernel.admission import Admission
from services.kernel.clock import SystemIds
from services.kernel.config import AdmissionSettings, KernelSettings
from services.kernel.interceptors import Chain
from services.kernel.key_ring import KeyState, KnownKey
from services.kernel.log import Metrics, configure
from services.kernel.rpc import rules
from services.kernel.tokens import Identity, ServiceKeys
from tests.support.personas import services

INSTALLATION = "a" * 52
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = SecretKeys(bytes(32), bytes([1]) * 32)
STRANGER = SecretKeys(bytes([2]) * 32, bytes([3]) * 32)
INCIDENT = "incidents/" + "a" * 26
PLACE = SectionContext(INSTALLATION, INCIDENT, f"{INCIDENT}/sections/{'b' * 26}", 1, 1)
REASONS = frozenset(error_pb2.ErrorReason.keys())
LANGUAGES: Sequence[ReceiptLanguage] = get_args(ReceiptLanguage)
# What a caller may be told; INTERNAL and UNKNOWN would be a failure that nobody thought of.
TOLD = frozenset(
    {"INVALID_ARGUMENT", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "UNAVAILABLE"}
)


class Broken(AssertionError):
    """Something held that must not, or did not that must."""


class Told(Exception):
    """The chain ended a call with a status."""


@dataclass
class Context:
    """A call as gRPC hands it over."""

    metadata: Sequence[tuple[str, str]]
    code: str = ""
    reason: str = ""
    text: bytes = b""

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return self.metadata

    def time_remaining(self) -> float:
        return 10.0

    async def write(self, _message: bytes) -> None:
        return

    async def abort_with_status(self, status: Any) -> None:
        self.code = status.code.name
        told = status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        self.reason = info.reason if any(one.Unpack(info) for one in told.details) else ""
        self.text = told.SerializeToString()
        raise Told


class Clock:
    """A clock that stands still for tokens, and runs for rates."""

    def __init__(self) -> None:
        self.ticks = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        self.ticks += 60.0
        return self.ticks


class Ring:
    """A key ring that knows one member."""

    async def lookup(self, kid: str) -> KnownKey | None:
        if kid != KEYS.kid:
            return None
        return KnownKey(
            kid, KEYS.public, f"persons/{'a' * 26}", f"organisations/{'a' * 26}", f"members/{'a' * 26}",
            True, KeyState.ACTIVE,
        )  # fmt: skip

    lookup_claimed = lookup

    def was_unknown(self, _kid: str) -> bool:
        return False


@cache
def chain_handlers() -> list[tuple[str, Any]]:
    """Every method of the contract behind the real chain; what would serve it answers with nothing."""
    configure("ERROR", io.StringIO())
    settings = KernelSettings.model_construct(refusal_floor_ms=0, max_message_bytes=262_144, max_stream_s=60)
    clock = Clock()
    admission = Admission(AdmissionSettings(), Metrics(), clock.monotonic)
    identity = Identity(INSTALLATION, Ring(), ServiceKeys({}), clock)  # type: ignore[arg-type]
    chain = Chain(identity, admission, settings, Metrics(), SystemIds())
    served = [rules(service.full_name, _servicer(service)) for service in services()]
    return [(rule.path, chain.handler(rule)) for of_service in served for rule in of_service]


def _servicer(service: Any) -> object:
    def of(method: Any) -> Callable[..., Any]:
        answer = message_factory.GetMessageClass(method.output_type)

        async def once(_self: object, _request: Any, _call: Any) -> Any:
            return answer()

        async def stream(_self: object, _request: Any, _call: Any) -> Any:
            yield answer()

        return stream if method.server_streaming else once

    from services.kernel.rpc import _snake

    return type("Servicer", (), {_snake(method.name): of(method) for method in service.methods})()


@cache
def loop() -> asyncio.AbstractEventLoop:
    """The loop that all calls run on."""
    return asyncio.new_event_loop()


def request(data: bytes) -> None:
    """Any bytes at any method, from nobody, a member, a stranger, or with any text for a token."""
    if len(data) < 2:
        return
    path, handler = chain_handlers()[data[0] % len(chain_handlers())]
    caller, body = data[1] % 4, data[2:]
    context = Context(_metadata(path, caller, body))
    serve = handler.unary_unary or handler.unary_stream
    try:
        loop().run_until_complete(asyncio.wait_for(serve(body, context), 5))
    except Told:
        if context.code not in TOLD or f"ERROR_REASON_{context.reason}" not in REASONS:
            raise Broken(f"{path} answered {context.code} {context.reason}") from None
        if len(body) > 24 and body[:24] in context.text:
            raise Broken(f"{path} repeated what was sent") from None


def _metadata(path: str, caller: int, body: bytes) -> Sequence[tuple[str, str]]:
    if caller == 0:
        return ()
    if caller == 1:
        return (("authorization", "Bearer " + body[:2048].decode("latin-1")),)
    keys = KEYS if caller == 2 else STRANGER
    token = tokens.mint(
        keys, tokens.audience(INSTALLATION, path), tokens.body_hash(body), NOW, embed_keys=caller == 3
    )
    return (("authorization", f"Bearer {token}"),)


def token(data: bytes) -> None:
    """Whatever parses is what would be written again, and nobody's signature but the signer's counts."""
    try:
        read = tokens.parse(data.decode("latin-1"))
        tokens.check(read, STRANGER.public.signing, INSTALLATION, bytes(32), NOW)
    except CryptoError:
        return
    raise Broken("a token that nobody signed")


KINDS = [(kind, cls) for kind, (cls, _) in statements._FORMS.items()]


def statement(data: bytes) -> None:
    """What is taken is canonical; a signature that was not made for it never holds."""
    if len(data) < 65:
        return
    kind, cls = KINDS[data[0] % len(KINDS)]
    signed = common_pb2.Signed(statement=data[65:], signature=data[1:65])
    try:
        said = statements.parse(kind, signed, cls)
    except CryptoError:
        return
    if cls.FromString(said.SerializeToString(deterministic=True)) != said:
        raise Broken("a statement that reads differently the second time")
    try:
        statements.verify(kind, signed, KEYS.public, cls)
    except CryptoError:
        return
    raise Broken("a signature that nobody made")


def chain(data: bytes) -> None:
    """A key book that a directory made up vouches for nobody."""
    try:
        book = directory_pb2.KeyBook.FromString(data)
    except DecodeError:
        return
    kids = [KEYS.kid, *(key.signing.hex()[:52] for key in list(book.keys)[:2])]
    for kid in kids:
        for ask in (Book(INSTALLATION, book).member, Book(INSTALLATION, book).keys):
            try:
                ask(kid)
            except (CryptoError, Unverified):
                continue
            if ask.__name__ == "member":
                raise Broken("somebody is vouched for by nobody")


def receipt(data: bytes) -> None:
    """Twelve words that are taken are those that would be shown."""
    text = data.decode("utf-8", "replace")
    try:
        entropy = from_words(text)
    except CryptoError as error:
        if len(str(error)) > 400:
            raise Broken("an error as long as what was typed") from None
        return
    if any(from_words(" ".join(to_words(entropy, language))) != entropy for language in LANGUAGES):
        raise Broken("words that are not the receipt's")


def sealed(data: bytes) -> None:
    """Bytes that nobody sealed do not open."""
    if len(data) < 97:
        return
    section = SealedSection(data[97:], digest_of(data[97:]), data[1:33], KEYS.kid, data[33:97], STRANGER.kid)
    tries: list[Callable[[], object]] = [
        lambda: open_section(PLACE, section, data[65:97], KEYS.public),
        lambda: decrypt_content(PLACE, data[97:], data[65:97]),
        lambda: unwrap_key(data[1:], KEYS, PLACE, PLACE.incident, ()),
    ]
    for attempt in tries:
        try:
            attempt()
        except CryptoError:
            continue
        raise Broken("something opened that nobody sealed")


def key_file(data: bytes) -> None:
    """A file that was not written by us opens no key."""
    try:
        opened_file(data, None)
    except MeldbrugError:
        return
    raise Broken("a key from a file that is none")


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (request, token, statement, chain, receipt, sealed, key_file)
}


def play(data: bytes) -> str:
    """Plays one input; returns its target's name. Raises Broken, or whatever the target let out."""
    if not data:
        return ""
    name = list(TARGETS)[data[0] % len(TARGETS)]
    TARGETS[name](data[1:])
    return name
