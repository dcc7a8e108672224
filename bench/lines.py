"""Processes that take part in a measurement: a line says what to do, a line of JSON what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from typing import Any

LINE_LIMIT = 2**20


class Helper:
    """Such a process, from outside."""

    def __init__(self, process: Process) -> None:
        """Talks to a process; use `running`."""
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, module: str, *arguments: str) -> AsyncIterator[Helper]:
        """Yields a module of this package as a process."""
        command = [sys.executable, "-m", module, *arguments]
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT)
        try:
            yield cls(process)
        finally:
            process.terminate()
            await process.wait()

    async def hear(self) -> Any:
        """Waits for a line. Returns what it says."""
        if self._process.stdout is None:
            raise TypeError("its output is a pipe")
        return json.loads(await self._process.stdout.readline())

    async def say(self, line: str) -> None:
        """Sends a line."""
        if self._process.stdin is None:
            raise TypeError("its input is a pipe")
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()


async def heard() -> str:
    """Waits, inside such a process, for a line. Returns it; empty at the end of the input."""
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


def say(what: object) -> None:
    """Answers, inside such a process."""
    print(json.dumps(what), flush=True)
