"""Strangers with keys made for the purpose, a thousand calls a second, as a process of their own.

Run as `python -m bench.strangers <services> <echo> <installation> <incident> <notice>`, the first two being
addresses. Each line of standard input is a window: `services` or `echo` says who is called, with the same
bytes and tokens. The process says `[]` once they are made; the next line starts the window, and the answer is
in what seconds all were under way, and what they were told, by code.
"""

from __future__ import annotations

import asyncio
import functools
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import grpc

from bench.echo import METHOD as ECHO
from bench.lines import Helper, heard, say
from bench.load import Call, Subject, at_saturation
from bench.subjects import OPEN
from meldbrug.client import Connection
from meldbrug.client.connection import Credentials
from meldbrug.client.device import new_request_id
from meldbrug.common.v1.common_pb2 import PURPOSE_INFORM
from meldbrug.crypto import SecretKeys
from meldbrug.disclosure.v1.disclosure_service_pb2 import GetReportRequest, OpenSectionsRequest

PER_S, WINDOW_S, TICK_S = 1000, 3.0, 0.01
ROUNDS, AT_ONCE = 5, 16
DEADLINE_S = 10.0
LOOK = "/meldbrug.disclosure.v1.ReporterService/GetReport"


@dataclass
class Beside:
    """What openings came to beside strangers, and beside as many bare echoes."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {"services": [], "echo": []})
    told: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def share(self) -> float:
        """The rate beside strangers as a share of that beside echoes."""
        return statistics.median(self.rates["services"]) / statistics.median(self.rates["echo"])

    @property
    def per_s(self) -> float:
        """How many strangers a second there were."""
        return self.told.total() / self.seconds


async def measure(opening: Subject, arguments: Arguments, rounds: int = ROUNDS) -> Beside:
    """Opens at saturation while strangers call, and while they call the echo instead, in turn."""
    found = Beside()
    async with Helper.running("bench.strangers", *arguments) as strangers:
        for _ in range(rounds):
            for whom, rates in found.rates.items():
                await strangers.say(whom)
                await strangers.hear()
                subject = replace(opening, rates=rates)
                await strangers.say("go")
                await at_saturation(subject, WINDOW_S, AT_ONCE)
                took_s, told = await strangers.hear()
                if whom == "services":
                    found.seconds += took_s
                    found.told.update(told)
    return found


class Arguments(NamedTuple):
    """What the process is told."""

    services: str
    echo: str
    installation: str
    incident: str
    notice: str


class Crowd:
    """Makes strangers and lets them call."""

    def __init__(self, told: Arguments, connection: Connection, echo: grpc.aio.Channel) -> None:
        """Calls over these channels."""
        self._told, self._connection, self._echo = told, connection, echo

    def prepare(self, whom: str, count: int) -> list[Call]:
        """Makes that many calls ready, each with a key of its own; half of them name what is there."""
        return [self._ready(whom, number % 2) for number in range(count)]

    def _ready(self, whom: str, kind: int) -> Call:
        keys, told = SecretKeys.generate(), self._told
        opening = OpenSectionsRequest(notice=told.notice, purpose=PURPOSE_INFORM, request_id=new_request_id())
        method, request = (OPEN, opening) if kind else (LOOK, GetReportRequest(incident=told.incident))
        body = request.SerializeToString(deterministic=True)
        metadata = self._connection.metadata(method, body, Credentials(keys, self_certifying=not kind))
        channel, path = (self._echo, ECHO) if whom == "echo" else (self._connection.channel(method), method)
        return functools.partial(channel.unary_unary(path), body, timeout=DEADLINE_S, metadata=metadata)

    async def call(self, calls: Sequence[Call]) -> tuple[float, Counter[str]]:
        """Makes so many calls a second, whatever becomes of those before.

        Returns:
            In what time they were all under way, and what they were told, by code.
        """
        began, started = time.monotonic(), list[asyncio.Task[str]]()
        while len(started) < len(calls):
            due = int((time.monotonic() - began) * PER_S)
            started += [asyncio.create_task(_code(call)) for call in calls[len(started) : due]]
            await asyncio.sleep(TICK_S)
        took_s = time.monotonic() - began
        return took_s, Counter(await asyncio.gather(*started))


async def _code(call: Call) -> str:
    try:
        await call()
    except grpc.aio.AioRpcError as refused:
        return refused.code().name
    return "OK"


async def serve(told: Arguments) -> None:
    """Serves until standard input ends."""
    async with (
        Connection({"disclosure": told.services}, told.installation) as connection,
        grpc.aio.insecure_channel(told.echo) as echo,
    ):
        crowd = Crowd(told, connection, echo)
        while whom := await heard():
            calls = crowd.prepare(whom, int(PER_S * WINDOW_S))
            say([])
            await heard()
            say(await crowd.call(calls))


if __name__ == "__main__":
    asyncio.run(serve(Arguments(*sys.argv[1:])))
