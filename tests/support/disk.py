"""PostgreSQL's disk full: a small volume where one may be mounted, else a limit on the size of its files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import psutil
import psycopg

from services.stack import account
from services.stack.postgres import PostgresServer

SPARE_MB = 96
"""Room for what PostgreSQL writes while it starts and before the disk is full."""
LIMIT_BYTES = 1_000_000
PATIENCE_S = 30.0
ROOM_BYTES = 1_000_000
CHUNK = bytes(1_000_000)


class Disk(Protocol):
    """Where the data of a server lies."""

    reads_go_on: bool
    """Whether a full disk lets the server live until its log needs room too."""

    def fill(self) -> None:
        """Leaves no room."""

    def clear(self) -> None:
        """Makes room again."""


class Volume:
    """A volume that something else fills to the last byte."""

    reads_go_on = True

    def __init__(self, path: Path) -> None:
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Writes until nothing is left, and gives a little back: some are let in before the first is not."""
        with self._ballast.open("ab", buffering=0) as ballast:
            with suppress(OSError):
                while ballast.write(CHUNK):
                    pass
            ballast.truncate(ballast.tell() - ROOM_BYTES)

    def clear(self) -> None:
        """Removes what filled it."""
        self._ballast.unlink(missing_ok=True)


class Limit:
    """No file may grow; the log, whose files have their size from the start, cannot be written either."""

    reads_go_on = False

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def fill(self) -> None:
        """Limits all processes of the server."""
        self._limit(str(LIMIT_BYTES))

    def clear(self) -> None:
        """Lifts the limit; processes that a crash replaced have it from the first one."""
        self._limit("unlimited")

    def _limit(self, soft: str) -> None:
        assert self._server.child is not None
        first = self._server.child.process.pid
        self._limit_one(first, soft, check=True)
        # Whoever is begun from now on has it from the first process.
        for process in psutil.Process(first).children(recursive=True):
            self._limit_one(process.pid, soft, check=False)

    @staticmethod
    def _limit_one(pid: int, soft: str, *, check: bool) -> None:
        # Only who runs as the same user may, where root is not above all.
        command = account.command(["prlimit", f"--pid={pid}", f"--fsize={soft}:"], [])
        subprocess.run([str(part) for part in command], check=check, capture_output=True)


@contextmanager
def own_disk(server: PostgresServer, data: Path) -> Iterator[Disk]:
    """Yields the disk of a running server, which is stopped for a moment to be moved there and back."""
    with ExitStack() as undo:
        size_mb = _used_mb(data) + SPARE_MB
        server.stop()
        undo.callback(server.start)
        disk = undo.enter_context(_volume(data, size_mb)) if may_mount(data.parent) else Limit(server)
        server.start()
        undo.callback(server.stop)
        undo.callback(disk.clear)
        yield disk


@contextmanager
def _volume(data: Path, size_mb: int) -> Iterator[Disk]:
    away = data.with_name("postgres.away")
    data.rename(away)
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", data], check=True)
    try:
        subprocess.run(["cp", "-a", f"{away}/.", data], check=True)
        yield Volume(data)
        shutil.rmtree(away)
        subprocess.run(["cp", "-a", data, away], check=True)
    finally:
        subprocess.run(["umount", "--lazy", data], check=True)
        data.rmdir()
        away.rename(data)


def may_mount(folder: Path) -> bool:
    """Whether this user may mount a volume here."""
    if os.geteuid() != 0:
        return False
    place = folder / "mount.probe"
    place.mkdir()
    try:
        tried = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=False, capture_output=True)
        if tried.returncode == 0:
            subprocess.run(["umount", place], check=True)
    finally:
        place.rmdir()
    return tried.returncode == 0


def _used_mb(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 2**20


def revive(server: PostgresServer) -> None:
    """Starts the server again where a full log ended it; where it comes back by itself it is left to."""
    assert server.child is not None
    until = time.monotonic() + PATIENCE_S
    while not answers(server):
        assert time.monotonic() < until, "it did not come back"
        if not server.child.running:
            server.stop()
            server.start()
        time.sleep(0.05)


def answers(server: PostgresServer) -> bool:
    """Whether somebody is let in."""
    try:
        psycopg.connect(server.url("postgres", "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def force_the_log(url: str) -> None:
    """Makes the server begin one file of its log after another, until it cannot."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=2) as sql:
            for _ in range(100):
                sql.execute("SELECT pg_logical_emit_message(false, 'full', 'disk'), pg_switch_wal()")
    except psycopg.OperationalError:
        return
    raise AssertionError("the log found room")
