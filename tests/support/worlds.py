"""What anyone can see of a world, to the byte, and where two worlds differ for whoever may not know.

Before and after a secret, answers must be the same bytes; between twins, the same once every id is replaced
by what it is the id of and every moment by a word. Tokens are random: of those the length is compared.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from meldbrug.client import new_id
from tests.support.observers import Observer
from tests.support.personas import DEADLINE_S, Doors, Persona, descriptor, methods, request_class
from tests.support.requests import request_for
from tests.support.twins import ID

Metadata = tuple[tuple[str, str | bytes], ...]

TOKENS = {"next_page_token", "resume_token", "etag"}
IN_ORDER = {"incidents", "notices", "sections", "openings", "events", "requests", "clocks"}
"""Lists in the order of time; all others are in the order of random ids."""
BUSY = {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}
ATTEMPTS = 20
AT_ONCE = 24
PAGES = 30
WATCH = "/meldbrug.coordination.v1.ReaderService/WatchInbox"
LASTS_S = 600.0
NAMES_A_CASE = {"incident", "notice", "section", "sections", "rewrap"}


def public() -> Iterator[str]:
    """Yields the methods that anybody can reach."""
    return (method for method in methods() if "Internal" not in method)


READS = sorted(
    method
    for method in public()
    if method.rpartition("/")[2].startswith(("Get", "List", "LookUp")) and method != WATCH
)
"""Whatever tells something."""
DOORS = sorted(
    method for method in public() if NAMES_A_CASE & {one.name for one in descriptor(method).input_type.fields}
)
"""Whatever names an incident, a notice or a section."""


@dataclass(frozen=True)
class Seen:
    """Everything that one call showed."""

    code: str
    details: str
    head: Metadata
    trailers: Metadata
    body: bytes
    answer: type[Message] = field(repr=False)

    @property
    def message(self) -> Message:
        """The answer."""
        return self.answer.FromString(self.body)

    @property
    def exact(self) -> tuple[object, ...]:
        """Everything, with tokens by their length, and without what time it is on the server."""
        return self.code, self.details, self.head, self.trailers, size(self.message), _plain(self.message)

    def shape(self, labels: Mapping[str, str]) -> tuple[object, ...]:
        """Everything, with ids by what they are the ids of."""
        return self.code, self.details, self.head, self.trailers, *shape_of(self.untied, labels)

    @property
    def untied(self) -> Message:
        """The answer without what leads to the next page: the last page of a list can be any."""
        message = self.message
        if "next_page_token" in message.DESCRIPTOR.fields_by_name:
            message.ClearField("next_page_token")  # type: ignore[arg-type]
        return message


def of_pages(pages: Sequence[Seen], labels: Mapping[str, str]) -> object:
    """What a list told: tokens by page, and all pages, in any order where theirs is that of random ids."""
    tokens = [len(getattr(page.message, "next_page_token", "")) for page in pages]
    shapes = [page.shape(labels) for page in pages]
    in_order = any(name in pages[0].answer.DESCRIPTOR.fields_by_name for name in IN_ORDER)
    return tokens, shapes if in_order else sorted(shapes, key=repr)


def _plain(message: Message) -> bytes:
    for one, value in message.ListFields():
        if one.name in TOKENS - {"etag"}:
            setattr(message, one.name, "t" * len(value))
        elif one.name == "server_time":
            message.ClearField(one.name)  # type: ignore[arg-type]
    return message.SerializeToString(deterministic=True)


def shape_of(message: Message, labels: Mapping[str, str]) -> tuple[int, object]:
    """How long a message is, whatever its fractions of a second, and what it says."""
    return size(message), _said(message, labels)


def size(message: Message) -> int:
    """How long a message is when every moment is a whole second."""
    counted = type(message)()
    counted.CopyFrom(message)
    for moment in moments(counted):
        moment.nanos = 0  # type: ignore[attr-defined]
    return counted.ByteSize()


def moments(message: Message) -> Iterator[Message]:
    """Yields every timestamp in a message."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        yield message
        return
    for one, value in message.ListFields():
        if one.message_type:
            for item in value if one.is_repeated else [value]:
                yield from moments(item)


def _said(message: Message, labels: Mapping[str, str]) -> object:
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        return "later" if message.seconds > time.time() + 3600 else "now"  # type: ignore[attr-defined]
    said = []
    for one, value in message.ListFields():
        items = [_item(one, item, labels) for item in (value if one.is_repeated else [value])]
        said.append((one.name, items if one.name in IN_ORDER else sorted(items, key=repr)))
    return said


def _item(one: FieldDescriptor, value: object, labels: Mapping[str, str]) -> object:
    if isinstance(value, Message):
        return _said(value, labels)
    if isinstance(value, bytes):
        return len(value), _labelled(value.decode("latin-1"), labels, whole=False)
    if isinstance(value, str):
        return len(value) if one.name in TOKENS else _labelled(value, labels)
    return value


def _labelled(text: str, labels: Mapping[str, str], *, whole: bool = True) -> object:
    found = [labels.get(match.group(), "?") for match in ID.finditer(text)]
    return (ID.sub("*", text), found) if whole else [name for name in found if name != "?"]


class Eyes:
    """Calls as anyone, and keeps all that comes back."""

    def __init__(self, doors: Doors) -> None:
        self._doors, self._places = doors, asyncio.Semaphore(AT_ONCE)
        self.asked = self.busy = 0

    async def ask(self, method: str, request: Message, persona: Persona) -> Seen:
        """Calls; again, as a client does, when the server is too busy."""
        async with self._places:
            for wait in range(ATTEMPTS):
                self.asked += 1
                seen = await self._once(method, request, persona)
                if seen.code not in BUSY:
                    break
                self.busy += 1
                await asyncio.sleep(0.05 * wait)
            return seen

    async def _once(self, method: str, request: Message, persona: Persona) -> Seen:
        body = request.SerializeToString(deterministic=True)
        metadata = self._doors.metadata(method, body, persona)
        call = self._doors.channel(method).unary_unary(method)(body, metadata=metadata, timeout=DEADLINE_S)
        code = await call.code()
        return Seen(
            code.name,
            await call.details() or "",
            _sorted(await call.initial_metadata()),
            _sorted(await call.trailing_metadata()),
            await call if code is grpc.StatusCode.OK else b"",
            GetMessageClass(descriptor(method).output_type),
        )

    async def look(self, who: Observer, read: Sequence[str]) -> dict[str, list[Seen]]:
        """Reads everything there is to read, lists also page by page."""
        asked: dict[str, Awaitable[list[Seen]]] = {}
        for method in read:
            asked[method] = self._pages(method, who, 0)
            if "page_token" in request_class(method).DESCRIPTOR.fields_by_name:
                asked[f"{method} one by one"] = self._pages(method, who, 1)
        return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))

    async def _pages(self, method: str, who: Observer, page_size: int) -> list[Seen]:
        request, pages = request_for(method, who.names, who.persona.keys), []
        if page_size:
            request.page_size = page_size  # type: ignore[attr-defined]
        for _ in range(PAGES):
            pages.append(await self.ask(method, request, who.persona))
            token = getattr(pages[-1].message, "next_page_token", "")
            if not token:
                break
            request.page_token = token  # type: ignore[attr-defined]
        return pages

    async def knock(self, who: Observer, method: str, names: Mapping[str, str]) -> Seen:
        """Tries a door with what `who` should not be able to name."""
        return await self.ask(
            method, request_for(method, {**who.names, **names}, who.persona.keys), who.persona
        )


def _sorted(metadata: object) -> Metadata:
    return tuple(sorted((key, value) for key, value in metadata or ()))  # type: ignore[attr-defined]


def made_up(names: Mapping[str, str]) -> dict[str, str]:
    """The same names with ids that nothing has: an id that occurs twice becomes one id twice."""
    fresh: dict[str, str] = {}
    return {
        field: ID.sub(lambda found: fresh.setdefault(found.group(), new_id()), name)
        for field, name in names.items()
    }


class Stream:
    """What a watcher of an inbox is sent, and when."""

    def __init__(self, doors: Doors, who: Observer, heartbeat_s: float) -> None:
        self._doors, self._who, self._heartbeat_s = doors, who, heartbeat_s
        self.events: list[Any] = []
        self.beats: list[tuple[float, int]] = []
        self._answer = GetMessageClass(descriptor(WATCH).output_type)
        self._began, self._first, self._resume = time.monotonic(), asyncio.Event(), ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Reads; goes on where it was, as a client does, when the server was too busy for it."""
        for wait in range(ATTEMPTS):
            try:
                return await self._once()
            except grpc.aio.AioRpcError as error:
                if error.code().name not in BUSY:
                    raise
            await asyncio.sleep(0.05 * wait)
        raise TimeoutError("the stream broke again and again")

    async def _once(self) -> None:
        request = request_for(WATCH, self._who.names)
        if self._resume:
            request.resume_token = self._resume  # type: ignore[attr-defined]
        body = request.SerializeToString(deterministic=True)
        call = self._doors.channel(WATCH).unary_stream(WATCH)(
            body, metadata=self._doors.metadata(WATCH, body, self._who.persona), timeout=LASTS_S
        )
        try:
            async for answer in call:
                self._heard(answer)
        finally:
            call.cancel()

    def _heard(self, answer: bytes) -> None:
        message = self._answer.FromString(answer)
        self._resume = message.resume_token or self._resume  # type: ignore[attr-defined]
        if message.HasField("notice"):
            self.events.append(message)
        else:
            self.beats.append((time.monotonic() - self._began, len(answer)))
            self._first.set()

    async def lives(self) -> None:
        """Waits for the first beat: from then on nothing is missed. Raises what ended the stream instead."""
        beat = asyncio.create_task(self._first.wait())
        await asyncio.wait({beat, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        beat.cancel()
        self.is_there()

    def is_there(self) -> None:
        """Raises what ended the stream, which nobody has ended yet."""
        if self._reading.done():
            self._reading.result()
            raise EOFError("the stream ended")

    async def close(self) -> None:
        """Stops listening."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def early(self) -> list[float]:
        """Beats that came before their time: each that is one too many puts all later ones there."""
        due = itertools.count(1)
        return [at for at, _ in self.beats if at < next(due) * self._heartbeat_s - 0.1]

    def shape(self, labels: Mapping[str, str]) -> object:
        """What the stream told last of each notice, in order; a busy server tells several changes as one."""
        last: dict[str, object] = {}
        for message in self.events:
            last.pop(message.notice.name, None)
            last[message.notice.name] = shape_of(message, labels)
        return list(last.values()), {length for _, length in self.beats}


def first_difference(one: object, other: object, path: str = "") -> str:
    """Says where two nested values part, or nothing where they are equal."""
    if one == other:
        return ""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        parts = enumerate(zip(one, other, strict=True))
        return next(found for place, pair in parts if (found := first_difference(*pair, f"{path}/{place}")))
    return f"{path}: {one!r} is not {other!r}"
