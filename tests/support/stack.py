"""Runs of the real stack for tests: throw-away folders beside the developer's own stack."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil

from services.stack import Backends
from services.stack.folder import throw_away
from services.stack.stack import Stack
from tests.support import nursery

ROOT = Path(__file__).resolve().parents[2]
STACK = ROOT / ".stack"
TOOLS = STACK / "tools"
MEMORY = Path("/dev/shm")
PLENTY_BYTES = 8 * 2**30
NUMBERS = itertools.count(1)
RUNNING: list[Stack] = []
AT_EXIT = contextlib.ExitStack()
atexit.register(AT_EXIT.close)


@contextmanager
def throw_away_folder() -> Iterator[Path]:
    """Yields a fresh folder for a stack and removes it afterwards."""
    with throw_away(_home(), "test") as folder:
        yield folder


@functools.cache
def _home() -> Path:
    """Where throw-away stacks live: in memory where that is plenty, for a database copies and syncs files.

    What is killed here are processes, which leave memory as they leave a disk.
    """
    if not os.access(MEMORY, os.W_OK):
        return STACK
    free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    return MEMORY / f"meldbrug-{os.getuid()}" if free > PLENTY_BYTES else STACK


@contextmanager
def fresh_database(backends: Backends, template: str = "template1") -> Iterator[str]:
    """Yields the address of a fresh copy of `template` and drops it afterwards."""
    name = next_name()
    yield backends.create_database(name, template=template)
    backends.drop_database(name)


@asynccontextmanager
async def fresh_database_beside(backends: Backends, template: str = "template1") -> AsyncIterator[str]:
    """The same for those whose loop other pools live in.

    PostgreSQL drops a database once every connection has noticed; one that is just being opened notices when
    its own side goes on, and that side must not be the one that waits.
    """
    name = next_name()
    yield await asyncio.to_thread(backends.create_database, name, template=template)
    await asyncio.to_thread(backends.drop_database, name)


def next_name() -> str:
    """Returns a name that no other database has."""
    return f"test_{os.getpid()}_{next(NUMBERS)}"


@contextmanager
def running_stack(*, one_process: bool, env: Mapping[str, str] | None = None, **edge: Any) -> Iterator[Stack]:
    """Yields a whole stack of its own, with the services in one process or in one each.

    Args:
        one_process: False gives each service a process of its own.
        env: settings besides, such as `{"MELDBRUG_TEST_SWITCHES": "true", "MELDBRUG_TEST_CLOCK": "true"}`.
        edge: what `Stack` is told of an edge.
    """
    with (
        throw_away_folder() as folder,
        Stack(
            copied(prepared(), folder),
            one_process=one_process,
            env=env,
            tools_folder=TOOLS,
            spawn=nursery.spawn,
            **edge,
        ) as stack,
    ):
        RUNNING.append(stack)
        try:
            yield stack
        finally:
            RUNNING.remove(stack)
            for child in stack.backends.supervisor.children:
                child.resume()


def pause_all() -> None:
    """Stops every stack in its tracks until it is ended: a tenth of the machine goes to those that idle."""
    for stack in RUNNING:
        for child in stack.backends.supervisor.children:
            child.pause()


def copied(source: Path, folder: Path) -> Path:
    """Returns a copy of a stopped stack's folder, with the owners of its files."""
    target = folder / "stack"
    subprocess.run(["cp", "-a", source, target], check=True)
    (target / "endpoints.json").unlink()  # Another stack, beside the first one's copies: other ports.
    return target


@functools.cache
def prepared() -> Path:
    """Returns the folder of a stopped stack with the demo sector on it, made once in each process."""
    folder = AT_EXIT.enter_context(throw_away_folder()) / "stack"
    # In a process of its own: whoever asks may be inside a loop already.
    subprocess.run([sys.executable, "-m", "tests.support.prepare", str(folder)], cwd=ROOT, check=True)
    return folder
