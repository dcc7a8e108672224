"""The `meldbrug` command in a process of its own, as a user starts it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.support.nursery import COMMAND, read, spawn
from tests.support.sector import World

LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def strings(content: object) -> Iterator[str]:
    """Yields every string in JSON, however deep; keys are none."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list):
        for part in content.values() if isinstance(content, dict) else content:
            yield from strings(part)


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that it wrote; no moment in it is written as people read them."""
        assert self.code == 0, self.err
        found = json.loads(self.out)
        assert isinstance(found, dict)
        assert [text for text in strings(found) if LOCAL_TIME.match(text)] == []
        return found

    @property
    def text(self) -> str:
        """What it told a person."""
        assert self.code == 0, self.err
        return self.out


class Terminal:
    """A device with an installation configured."""

    def __init__(self, world: World, home: Path) -> None:
        self._world = world
        self.home = home
        self._addresses = [
            item
            for name, address in world.endpoints.services.items()
            for item in ("--endpoint", f"{name}={address}")
        ]

    async def __call__(
        self,
        *arguments: str,
        role: str = "",
        receipt: str = "",
        typed: str = "",
        env: dict[str, str] | None = None,
        installation: str = "",
    ) -> Result:
        """Runs a command; the receipt goes through a descriptor, what is typed through standard input."""
        options = [*self._addresses, "--root", installation or self._world.endpoints.installation]
        if role:
            options += ["--key", str(self._world.sector.key_file(role))]
        read_end, write_end = os.pipe()
        os.write(write_end, f"{receipt}\n".encode())
        os.close(write_end)
        if receipt:
            options += ["--receipt-fd", str(read_end)]
        plain = {"PATH": os.environ["PATH"], "HOME": str(self.home), "COLUMNS": "200", "NO_COLOR": "1"}
        with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
            stdin.write(typed.encode())
            stdin.seek(0)
            process = spawn(
                [sys.executable, *COMMAND, *options, *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(read_end,),
                cwd=self.home,
                env={**plain, **(env or {})},
            )
            os.close(read_end)
            code = await asyncio.to_thread(process.wait)
            return Result(code, *(read(output) for output in (stdout, stderr)))
