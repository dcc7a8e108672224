"""PostgreSQL's own programs, told where the database is by a file only we can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from services.bootstrap.files import write_private
from services.kernel.config import ConfigurationError

SERVICE = "meldbrug"
APPLICATION = "meldbrug backup"


class ProgramFailed(Exception):
    """A program of PostgreSQL's ended with a failure; the text is the end of what it said."""


def program(name: str, folder: Path | None, server: int) -> Path:
    """Returns the path of a program that is as new as the server.

    Args:
        name: Of the program.
        folder: Where it lies; anywhere on the search path when absent.
        server: The major version of the server.

    Raises:
        ConfigurationError: there is none, or it is older.
    """
    found = shutil.which(name, path=str(folder) if folder else None)
    if found is None:
        raise ConfigurationError(f"{name} is not in {folder or 'PATH'}; say where with --postgres-bin")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = said.split()[2]
    if int(version.split(".")[0]) < server:
        raise ConfigurationError(f"{found} is of PostgreSQL {version}, older than the server's {server}")
    return Path(found)


@contextmanager
def environment(url: str) -> Iterator[Mapping[str, str]]:
    """Yields an environment that leads programs to the database; no command line shows the password."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "service"
        settings = {**conninfo_to_dict(url), "application_name": APPLICATION}
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        write_private(file, f"[{SERVICE}]\n{lines}")
        yield {**os.environ, "PGSERVICEFILE": str(file), "PGSERVICE": SERVICE}


def run(command: Sequence[str | Path], url: str, given: Path | None = None) -> None:
    """Runs a program to its end, with the content of a file as its input. Raises ProgramFailed.

    The input comes through a pipe of ours: a program whose parent was killed meets its end and gives up.
    """
    with environment(url) as env, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=env,
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        if given and process.stdin:
            _feed(process, given)
        if process.wait():
            said.seek(0)
            text = said.read().decode(errors="replace")[-1000:].strip()
            raise ProgramFailed(f"{Path(str(command[0])).name} failed: {text}")


def _feed(process: subprocess.Popen[bytes], given: Path) -> None:
    pipe = process.stdin
    if pipe is None:
        return
    try:
        with given.open("rb") as file, pipe:
            shutil.copyfileobj(file, pipe)
    except BrokenPipeError:
        # It ended before it had read all; what it said of that is told by whoever waits for it.
        return


def server_version(conn: psycopg.Connection) -> int:
    """The server's major version."""
    return conn.info.server_version // 10_000
