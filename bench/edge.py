"""What the edge adds to a call: the same one straight to the service and through the edge, in turn."""

from __future__ import annotations

import asyncio
import ssl
import statistics
import sys
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import Call, Subject, in_turn
from bench.subjects import DEADLINE_S
from meldbrug.client import Connection
from meldbrug.common.v1.common_pb2 import LANGUAGE_NL
from meldbrug.disclosure.v1.disclosure_service_pb2 import GetTermsRequest
from services.stack import Endpoints
from services.stack.edge import HERE
from services.stack.folder import throw_away
from services.stack.stack import Stack

METHOD = "/meldbrug.disclosure.v1.TermsService/GetTerms"
PAIRS, WARM, RUNS = 2000, 200, 7
# The same call over and over is a flood to the puzzle; what is measured is the way.
CALM = {"MELDBRUG_EDGE_CALM_PER_S": "100000"}


class Browser:
    """One kept connection over TLS, with as little of a client as there can be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        """Speaks over an open connection; use `connected`."""
        self._reader, self._writer, self._host = reader, writer, host

    @classmethod
    async def connected(cls, endpoints: Endpoints) -> Browser:
        """Returns a browser that trusts the stack's authority."""
        place = urlsplit(endpoints.edge)
        trust = ssl.create_default_context(cafile=Path(endpoints.edge_ca_path))
        reader, writer = await asyncio.open_connection(place.hostname, place.port, ssl=trust)
        return cls(reader, writer, place.netloc)

    async def post(self, method: str, body: bytes) -> bytes:
        """Makes one unary call. Returns the answer's bytes; whatever is not an answer is an error."""
        head = (
            f"POST {method} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/proto\r\n"
            f"connect-protocol-version: 1\r\nconnect-timeout-ms: {DEADLINE_S * 1000:.0f}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length"))
        answer = await self._reader.readexactly(length)
        if " 200 " not in status:
            raise RuntimeError(f"{method}: {status}")
        return answer

    async def close(self) -> None:
        """Closes the connection."""
        self._writer.close()
        await self._writer.wait_closed()


def main() -> int:
    """Measures this alone, some times over, on a throw-away stack. Returns the exit code."""
    home = Path(__file__).resolve().parents[1] / ".stack"
    with (
        throw_away(home, "bench") as folder,
        Stack(folder, edge_host=HERE, edge_env=CALM, tools_folder=home / "tools") as stack,
    ):
        asyncio.run(alone(stack.endpoints))
    return 0


async def alone(endpoints: Endpoints) -> None:
    """Prints what each run finds."""
    async with Connection(endpoints.services, endpoints.installation) as connection:
        for _ in range(RUNS):
            straight, through = await measure(connection, endpoints)
            print(
                f"straight {straight:.2f} ms, through the edge {through:.2f} ms: {through - straight:.2f} ms"
            )


async def measure(connection: Connection, endpoints: Endpoints) -> tuple[float, float]:
    """Returns the medians in milliseconds: straight, and through the edge."""
    body = GetTermsRequest(language=LANGUAGE_NL).SerializeToString()
    method = connection.channel(METHOD).unary_unary(METHOD)
    browser = await Browser.connected(endpoints)

    def straight() -> Call:
        return lambda: method(body, timeout=DEADLINE_S)

    sides = [
        Subject("straight", lambda count: [straight()] * count, per_s=0),
        Subject("edge", lambda count: [lambda: browser.post(METHOD, body)] * count, per_s=0),
    ]
    try:
        if await straight()() != await browser.post(METHOD, body):
            raise RuntimeError("the edge answers other bytes")
        await in_turn(sides, WARM)
        for side in sides:
            side.seconds_in_turn.clear()
        await in_turn(sides, PAIRS)
    finally:
        await browser.close()
    one, other = (1000 * statistics.median(side.seconds_in_turn) for side in sides)
    return one, other


if __name__ == "__main__":
    sys.exit(main())
