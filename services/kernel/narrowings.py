"""The journal of narrowings: what was closed, kept apart from the database and durable before it commits.

A store function that closes something says so with `note`; `Database.run_unit` writes what a unit noted as
one line, and only then commits. A restore applies the lines again, so that no backup brings back what was
closed since it was made. Lines hold ids and states, nothing that a person wrote.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from services.kernel.clock import Ids
from services.kernel.config import ConfigurationError
from services.kernel.errors import Unavailable
from services.kernel.log import emit_failure

SUFFIX = ".narrowings"
FORMAT = 1
# Ids, resource names, fingerprints and names of reasons; no text that a person wrote looks like it.
PLAIN = re.compile(r"[a-z0-9/_]{0,200}")
SUM_CHARACTERS, LENGTH_CHARACTERS = 32, 8
HEADER_CHARACTERS = SUM_CHARACTERS + LENGTH_CHARACTERS + 2

Value = str | int | None | Sequence[str]


class Event(StrEnum):
    """What the journal logs; never with an id."""

    JOURNAL_FAILED = "journal.failed"


class JournalDamaged(ConfigurationError):
    """A line of the journal is not what was written, and not merely the end that a crash cut off."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One thing that was closed: which kind, and the ids and states that say what exactly."""

    kind: str
    fields: Mapping[str, Value]

    def __post_init__(self) -> None:
        for value in self.fields.values():
            texts = [value] if isinstance(value, str) else [] if isinstance(value, int | None) else value
            if not all(PLAIN.fullmatch(text) for text in texts):
                raise ValueError("a journal of narrowings holds ids only")

    def text(self, name: str) -> str:
        """A field that is a text."""
        return str(self.fields[name])

    def number(self, name: str) -> int:
        """A field that is a number."""
        value = self.fields[name]
        if not isinstance(value, int):
            raise JournalDamaged(f"narrowings: {self.kind} has no number {name}")
        return value

    def texts(self, name: str) -> list[str]:
        """A field that is a list of texts."""
        value = self.fields[name]
        if not isinstance(value, list | tuple):
            raise JournalDamaged(f"narrowings: {self.kind} has no list {name}")
        return [str(each) for each in value]


_noted: ContextVar[list[Narrowing] | None] = ContextVar("noted", default=None)


def note(kind: str, /, **fields: Value) -> None:
    """Says that the unit under way closes something. Raises RuntimeError outside of a unit."""
    noted = _noted.get()
    if noted is None:
        raise RuntimeError(f"{kind} is closed outside of a unit of work, so that no journal would know")
    noted.append(Narrowing(kind, fields))


@contextmanager
def collected() -> Iterator[list[Narrowing]]:
    """Yields the list that `note` fills in this unit of work."""
    noted: list[Narrowing] = []
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


class Journal:
    """One file of one service in one process, made at the start; several may lie in a folder.

    Args:
        folder: Where it lies; better not on the database's disk.
        service: Whose narrowings these are.
        ids: Where the file's name comes from.

    Raises:
        ConfigurationError: the folder cannot be written.
    """

    def __init__(self, folder: Path, service: str, ids: Ids) -> None:
        self._folder, self._service, self._ids = folder, service, ids
        self._gate = threading.Lock()
        self._file: int | None = None
        try:
            self._file = self._open()
        except OSError as cause:
            raise ConfigurationError(f"narrowings_dir: cannot write there: {cause.strerror}") from cause

    async def append(self, noted: Sequence[Narrowing]) -> None:
        """Keeps what a unit closes, durably, as one line. Raises Unavailable: then nothing may commit."""
        if not noted:
            return
        try:
            await asyncio.to_thread(self._write, line(noted))
        except OSError as failure:
            emit_failure(Event.JOURNAL_FAILED, failure)
            raise Unavailable("DATABASE_UNAVAILABLE") from failure

    def _write(self, written: bytes) -> None:
        with self._gate:
            # A failure may leave half a line: the next one begins a file, so that only ends can be torn.
            file, self._file = self._file, None
            if file is None:
                file = self._open()
            try:
                whole = os.write(file, written) == len(written)
                os.fdatasync(file)
            except OSError:
                os.close(file)
                raise
            if not whole:
                os.close(file)
                raise OSError(errno.ENOSPC, "the journal took half a line")
            self._file = file

    def _open(self) -> int:
        path = self._folder / f"{self._service}.{self._ids.new_id()}{SUFFIX}"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        sync_folder(self._folder)
        return file


def sync_folder(folder: Path) -> None:
    """Makes durable which files a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def line(noted: Sequence[Narrowing]) -> bytes:
    """Writes one line: a checksum, the length, then what one unit closed."""
    facts = [{"kind": each.kind, **each.fields} for each in noted]
    body = json.dumps({"format": FORMAT, "closed": facts}, sort_keys=True).encode()
    return _header(body) + body + b"\n"


def read(folder: Path) -> list[tuple[str, Narrowing]]:
    """Returns every narrowing of every journal in a folder, with the service whose it is.

    The last line of a file may be torn: its unit never committed, and it is left out.

    Raises:
        ConfigurationError: there is no journal.
        JournalDamaged: another line is not what was written.
    """
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        raise ConfigurationError(f"narrowings: there is no journal in {folder}")
    return [(path.name.partition(".")[0], found) for path in files for found in _read_file(path)]


def _read_file(path: Path) -> Iterator[Narrowing]:
    *lines, rest = path.read_bytes().split(b"\n")
    for number, text in enumerate(lines, 1):
        body = text[HEADER_CHARACTERS:]
        if _header(body) + body == text:
            yield from _facts(path, body)
        elif number < len(lines) or rest or _is_longer(text):
            raise JournalDamaged(f"narrowings: line {number} of {path.name} is damaged")


def _facts(path: Path, body: bytes) -> Iterator[Narrowing]:
    said = json.loads(body)
    if said["format"] != FORMAT:
        raise JournalDamaged(f"narrowings: {path.name} was written by another version")
    for fact in said["closed"]:
        yield Narrowing(fact.pop("kind"), fact)


def _header(body: bytes) -> bytes:
    return f"{hashlib.sha256(body).hexdigest()[:SUM_CHARACTERS]} {len(body):0{LENGTH_CHARACTERS}} ".encode()


def _is_longer(text: bytes) -> bool:
    """Whether more follows than a line says it has: no crash does that, but a line end that was lost does."""
    length = text[SUM_CHARACTERS + 1 : HEADER_CHARACTERS - 1]
    return length.isdigit() and len(text) - HEADER_CHARACTERS > int(length)
