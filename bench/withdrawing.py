"""Withdrawals while eight clients open without pause: how long they take, how many openings came too late."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from bench.load import percentile
from bench.openers import Openers
from bench.sector import READER, Case, offer, reported
from meldbrug.client import Connection

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


async def measure(connection: Connection, case: Case, address: str, rounds: int = ROUNDS) -> Withdrawals:
    """Offers a notice and withdraws its consent under load, `rounds` times.

    Args:
        connection: The reporter's and handler's.
        case: Whose sector is used.
        address: Of `disclosure`, for the readers.
        rounds: How often.
    """
    found = Withdrawals()
    async with Openers.running(address, connection.installation, case.sector.key_file(READER)) as openers:
        for number in range(rounds):
            if number % PER_INCIDENT == 0:
                case = await reported(connection, case.sector)
            await _round(openers, replace(case, notice=await offer(case)), found)
    return found


async def _round(openers: Openers, case: Case, found: Withdrawals) -> None:
    await openers.begin(case.notice)
    await asyncio.sleep(LOAD_S)
    began = time.monotonic()
    await case.consents.withdraw(case.notice)
    answered = time.monotonic()
    await asyncio.sleep(LOAD_S)
    let_out = await openers.end()
    found.seconds.append(answered - began)
    found.openings += len(let_out)
    found.stale += sum(each > answered for each in let_out)
