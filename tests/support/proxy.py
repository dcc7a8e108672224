"""A TCP proxy that can fall silent, as a server does that hangs, or spoil what the server answers."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

FAULTS = ("reset", "garbage", "adrift", "truncated", "slow")
AT_ONCE = struct.pack("ii", 1, 0)
# The beginning of an HTTP/2 frame of a kind that there is not: what comes behind it is passed over.
UNKNOWN_FRAME = (16_384).to_bytes(3, "big") + b"\xbe" + bytes(5)


class Proxy:
    """Forwards to `host:port` until told to be silent, or to do one of `FAULTS` to every answer."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.fault, self.delay_s, self.spoiled, self.accepted = "", 0.0, 0, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._closed = False
        self.port = 0

    @contextmanager
    def spoiling(self, fault: str, delay_s: float = 0.0) -> Iterator[None]:
        """Spoils answers until the end of the block."""
        self.fault, self.delay_s = fault, delay_s
        try:
            yield
        finally:
            self.fault, self.delay_s = "", 0.0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.current_task())
        self._writers.add(writer)
        if self._closed or self.fault == "reset":
            self._reset(writer)
            return
        self.accepted += 1
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        self._writers.add(up_writer)
        for source, sink, answers in ((reader, up_writer, False), (up_reader, writer, True)):
            self._keep(asyncio.create_task(self._pump(source, sink, answers=answers)))

    def _keep(self, task: asyncio.Task[None] | None) -> None:
        if task:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await source.read(65536):
                await self.flowing.wait()
                if answers and self.fault:
                    data = await self._spoil(data, sink)
                sink.write(data)
        except OSError:
            pass
        finally:
            sink.close()

    async def _spoil(self, data: bytes, sink: asyncio.StreamWriter) -> bytes:
        """Does to an answer what is asked for; raises OSError where the connection ends with it."""
        self.spoiled += 1
        if self.fault == "slow":
            await asyncio.sleep(self.delay_s)
            return data
        if self.fault == "garbage":
            return random.randbytes(len(data))
        if self.fault == "adrift":
            return UNKNOWN_FRAME + data
        sink.write(data[: len(data) // 2])
        if self.fault == "reset":
            await sink.drain()
            self._reset(sink)
        raise ConnectionResetError

    @staticmethod
    def _reset(sink: asyncio.StreamWriter) -> None:
        """Ends a connection as a machine does that knows nothing of it."""
        sink.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        sink.transport.abort()

    async def close(self) -> None:
        """Ends every connection at once: one that still had something to send would outlive its loop."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def proxied(address: str) -> AsyncIterator[Proxy]:
    """Yields a proxy in front of `host:port`."""
    host, _, port = address.rpartition(":")
    proxy = Proxy(host, int(port))
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
