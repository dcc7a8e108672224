"""Readers who open without pause, as a process of their own: no reporter shares an interpreter with them.

Run as `python -m bench.openers <address> <installation> <key file>`. Each line of standard input is a notice
to open until the next line, which is empty; the answer to that is a line of JSON: when each opening that was
let out began. The first line of output, an empty list, says that they are connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bench.lines import Helper, heard, say
from bench.subjects import OPEN, opening
from meldbrug.client import Connection, load_keys
from meldbrug.common.v1.common_pb2 import KIND_SUMMARY
from meldbrug.crypto import SecretKeys

AT_ONCE = 8


class Openers:
    """The process, from outside."""

    def __init__(self, helper: Helper) -> None:
        """Talks to a process; use `running`."""
        self._helper = helper

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, address: str, installation: str, key_file: Path) -> AsyncIterator[Openers]:
        """Yields readers with one key, at the address of `disclosure`."""
        async with Helper.running("bench.openers", address, installation, str(key_file)) as helper:
            await helper.hear()  # That it is connected: no round is without readers.
            yield cls(helper)

    async def begin(self, notice: str) -> None:
        """Lets them open `notice` until `end`."""
        await self._helper.say(notice)

    async def end(self) -> list[float]:
        """Stops them. Returns when each opening that was let out began, in seconds of `time.monotonic()`."""
        await self._helper.say("")
        began: list[float] = await self._helper.hear()
        return began


async def serve(address: str, installation: str, keys: SecretKeys) -> None:
    """Opens what standard input names, until it ends."""
    async with Connection({"disclosure": address}, installation) as connection:
        await connection.channel(OPEN).channel_ready()
        say([])
        while notice := await heard():
            stop = asyncio.Event()
            openers = asyncio.gather(*(_open(connection, keys, notice, stop) for _ in range(AT_ONCE)))
            await heard()
            stop.set()
            say([began for each in await openers for began in each])


async def _open(connection: Connection, keys: SecretKeys, notice: str, stop: asyncio.Event) -> list[float]:
    subject = opening(connection, keys, notice, [KIND_SUMMARY], "opening")
    let_out = []
    while not stop.is_set():
        call, began = subject.prepare(1)[0], time.monotonic()
        try:
            await call()
        except Exception:  # noqa: BLE001 - refused, as it must be after the withdrawal
            await asyncio.sleep(0.001)
            continue
        let_out.append(began)
    return let_out


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], load_keys(Path(sys.argv[3]))))
