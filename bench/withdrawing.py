"""Withdrawals while eight clients open without pause: how long they take, how many openings came too late."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from bench.load import percentile
from bench.sector import Case, offer, reported
from bench.subjects import opening
from meldbrug.client import Connection
from meldbrug.common.v1.common_pb2 import KIND_SUMMARY

OPENERS = 8
ROUNDS = 200
PER_INCIDENT = 50
"""Rounds with one incident, below the bound on its notices."""
LOAD_S = 0.15
"""How long the openers run before each withdrawal and after it."""


@dataclass
class Withdrawals:
    """What the rounds gave."""

    seconds: list[float] = field(default_factory=list)
    openings: int = 0
    stale: int = 0

    @property
    def p99_ms(self) -> float:
        """Returns the 99th percentile of the withdrawals."""
        return percentile(self.seconds, 0.99) * 1000


async def measure(connection: Connection, case: Case, rounds: int = ROUNDS) -> Withdrawals:
    """Offers a notice and withdraws its consent under load, `rounds` times."""
    found = Withdrawals()
    for number in range(rounds):
        if number % PER_INCIDENT == 0:
            case = await reported(connection, case.sector)
        await _round(connection, replace(case, notice=await offer(case)), found)
    return found


async def _round(connection: Connection, case: Case, found: Withdrawals) -> None:
    stop = asyncio.Event()
    answered: list[float] = []
    """When the withdrawal was answered; empty until then."""
    subject = opening(connection, case, [KIND_SUMMARY], "opening")

    async def opener() -> None:
        while not stop.is_set():
            began = time.perf_counter()
            try:
                await subject.prepare(1)[0]()
            except Exception:  # noqa: BLE001 - refused, as it must be after the withdrawal
                await asyncio.sleep(0.001)
                continue
            found.openings += 1
            found.stale += bool(answered) and began > answered[0]

    async def withdrawer() -> None:
        await asyncio.sleep(LOAD_S)
        began = time.perf_counter()
        await case.consents.withdraw(case.notice)
        answered.append(time.perf_counter())
        found.seconds.append(answered[0] - began)
        await asyncio.sleep(LOAD_S)
        stop.set()

    await asyncio.gather(withdrawer(), *(opener() for _ in range(OPENERS)))
