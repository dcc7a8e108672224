"""A browser's side of the edge: calls over Connect, puzzles, and HTTP as rough as one likes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from google.rpc import code_pb2, status_pb2

UNARY = {"content-type": "application/proto", "connect-protocol-version": "1", "connect-timeout-ms": "10000"}
STREAM = {**UNARY, "content-type": "application/connect+proto"}
PATIENCE_S = 20.0


def written(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read(text: str) -> bytes:
    """The bytes behind base64, of either alphabet, without padding."""
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))


def solved(challenge: str, bits: int, body: bytes) -> str:
    """The header that solves a puzzle, as `docs/edge.md` says it."""
    begin = b"meldbrug/puzzle/v1\0" + read(challenge) + hashlib.sha256(body).digest()
    for number in itertools.count():
        nonce = number.to_bytes(8, "big")
        if int.from_bytes(hashlib.sha256(begin + nonce).digest(), "big") >> (256 - bits) == 0:
            return f"{challenge}.{written(nonce)}"
    raise AssertionError("there are numbers enough")


def enveloped(message: bytes, flags: int = 0) -> bytes:
    """A message of a stream."""
    return bytes([flags]) + len(message).to_bytes(4, "big") + message


def status_of(error: Mapping[str, Any]) -> status_pb2.Status:
    """Connect's error as the status it was made of."""
    status = status_pb2.Status(
        code=code_pb2.Code.Value(error["code"].upper().replace("CANCELED", "CANCELLED")),
        message=error.get("message", ""),
    )
    for detail in error.get("details", ()):
        status.details.add(type_url=f"type.googleapis.com/{detail['type']}", value=read(detail["value"]))
    return status


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def error(self) -> status_pb2.Status:
        """The error of a call, whichever way it is told."""
        return status_of(json.loads(self.body) if self.body[:1] == b"{" else self.end["error"])

    @property
    def end(self) -> dict[str, Any]:
        """What the last envelope says."""
        return dict(json.loads(self.envelopes[-1][1]))

    @property
    def envelopes(self) -> list[tuple[int, bytes]]:
        """The envelopes of a stream."""
        found, rest = [], self.body
        while rest:
            length = int.from_bytes(rest[1:5], "big")
            found.append((rest[0], rest[5 : 5 + length]))
            rest = rest[5 + length :]
        return found


class Wire:
    """One connection to the edge, on which anything may be said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader, self.writer, self._host = reader, writer, host

    @classmethod
    @asynccontextmanager
    async def to(cls, edge: str, authority: str = "") -> AsyncIterator[Self]:
        """Yields a connection that trusts the stack's authority, and ends it; without one it is plain."""
        place = urlsplit(edge)
        trust = ssl.create_default_context(cafile=Path(authority)) if authority else None
        reader, writer = await asyncio.open_connection(place.hostname, place.port, ssl=trust)
        try:
            yield cls(reader, writer, place.netloc)
        finally:
            writer.transport.abort()

    def say(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Sends a request; a content-length of its own stays as it is."""
        lines = {"host": self._host, "content-length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        """The head of an answer."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = text.strip().split("\r\n")
        return int(status.split(" ")[1]), [_pair(line) for line in lines]

    async def hear(self, *, bodiless: bool = False) -> Reply:
        """A whole answer."""
        async with asyncio.timeout(PATIENCE_S):
            status, headers = await self.head()
            named = dict(headers)
            if bodiless:
                body = b""
            elif "content-length" in named:
                body = await self.reader.readexactly(int(named["content-length"]))
            else:
                body = b"".join([chunk async for chunk in self.chunks()])
            return Reply(status, headers, body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The parts of an answer of no known length."""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)

    async def ask(self, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """A POST and its answer."""
        self.say("POST", path, headers, body)
        return await self.hear()


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()
