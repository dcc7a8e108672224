"""A backup: PostgreSQL's own dump of one snapshot of all schemas, and a manifest that vouches for it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psycopg

from services.backup import programs
from services.kernel import migrations
from services.kernel.clock import Clock, Ids
from services.kernel.config import ConfigurationError
from services.kernel.narrowings import sync_folder

DUMP, MANIFEST = "database.dump", "manifest.json"
FORMAT = 1
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup consists of. `revisions` are those of each service's schema."""

    format: int
    made: str
    sha256: str
    size_bytes: int
    postgresql: int
    revisions: dict[str, list[str]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Returns the manifest in a folder. Raises ConfigurationError unless it is one of this format."""
        try:
            said = json.loads((folder / MANIFEST).read_text("utf-8"))
            digest = said.pop("manifest_sha256")
            made = cls(**said)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as cause:
            raise ConfigurationError(f"{folder}: {MANIFEST} is missing or damaged") from cause
        if made.format != FORMAT:
            raise ConfigurationError(f"{folder}: the backup was made by another version")
        if made.digest != digest:
            raise ConfigurationError(f"{folder}: {MANIFEST} is missing or damaged")
        return made

    @property
    def digest(self) -> str:
        """Vouches for the manifest itself."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Writes it, durably."""
        text = json.dumps({**asdict(self), "manifest_sha256": self.digest}, indent=2)
        with (folder / MANIFEST).open("x", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())


def backup(
    url: str, to: Path, services: Sequence[str], clock: Clock, ids: Ids, postgres_bin: Path | None
) -> Manifest:
    """Makes a backup in the new folder `to`; it is there whole, or not at all.

    Raises:
        ConfigurationError: the folder exists, a restore is not complete, or a program does not fit.
        ProgramFailed: the dump failed.
    """
    if to.exists():
        raise ConfigurationError(f"{to} exists; a backup never replaces another")
    if migrations.is_restoring(url):
        raise ConfigurationError("database_url: a restore is not complete; run restore again")
    fresh = to.with_name(f".{to.name}.{ids.new_id()}")
    fresh.mkdir(mode=0o700, parents=True)
    try:
        made = _dump(url, fresh, services, clock, postgres_bin)
        sync_folder(fresh)
        fresh.rename(to)
    except BaseException:
        shutil.rmtree(fresh)
        raise
    sync_folder(to.parent)
    return made


def _dump(
    url: str, folder: Path, services: Sequence[str], clock: Clock, postgres_bin: Path | None
) -> Manifest:
    with psycopg.connect(url) as conn:
        version = programs.server_version(conn)
    made, revisions = clock.now(), migrations.heads(url, services)
    tool = programs.program("pg_dump", postgres_bin, version)
    programs.run([tool, "--format=custom", "--file", folder / DUMP], url)
    if migrations.heads(url, services) != revisions:
        raise ConfigurationError("the schema changed meanwhile; back up again once migrate is done")
    (folder / DUMP).chmod(0o600)
    with (folder / DUMP).open("rb") as file:
        os.fsync(file.fileno())
    size = (folder / DUMP).stat().st_size
    manifest = Manifest(FORMAT, made.isoformat(), digest_of(folder / DUMP), size, version, revisions)
    manifest.write(folder)
    return manifest


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(folder: Path) -> Manifest:
    """Returns the manifest of a backup whose dump is what was written. Raises ConfigurationError."""
    manifest = Manifest.read(folder)
    dump = folder / DUMP
    if not dump.exists() or digest_of(dump) != manifest.sha256:
        raise ConfigurationError(f"{folder}: {DUMP} is missing or damaged")
    for service, revisions in manifest.revisions.items():
        if not migrations.is_known(service, revisions):
            raise ConfigurationError(f"{folder}: the schema of {service} is newer than this code")
    return manifest
