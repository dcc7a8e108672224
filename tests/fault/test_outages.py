"""What breaks while everyone is at work, and comes back: each answer is true, and nothing is half done.

The policy engine is away for a minute, the sessions of the database are killed one by one, none of its
connections is left, or a crowd comes in at once. Meanwhile four readers open, reports come in, and consents
are withdrawn.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import LiteralString

import grpc
import psycopg
import pytest

from meldbrug.client import Refused
from meldbrug.client.errors import MeldbrugError
from tests.support.actors import Actors, Case
from tests.support.campaign import FRESH_FROM, Campaign
from tests.support.effects import Ledger
from tests.support.faults import Recorder, busy_backends, converged, is_refused, succeeds, until
from tests.support.openings import open_once, opened
from tests.support.reports import Reports, draft_of
from tests.support.sector import World

OPENERS, CLOSINGS, CROWD = 4, 3, 200
QUIET_S, LASTS_S, ENGINE_LASTS_S = 0.5, 2.0, 60.0
PATIENCE_S, HASTE_S = 40.0, 1.5
KILL: LiteralString = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
    "AND application_name <> 'test' AND pid <> pg_backend_pid() ORDER BY random() LIMIT %s"
)
ALL = 1000
ASK = "/meldbrug.directory.v1.PublicService/GetInstallation"
SEPARATE = (("grpc.use_local_subchannel_pool", 1),)


@dataclass
class Work:
    """Everyone at work, until it is over; what they were told is counted."""

    case: Case
    closing: list[Case]
    reports: Reports
    over: bool = False
    told: Counter[str] = field(default_factory=Counter)

    async def opening(self) -> None:
        """Opens without pause."""
        while not self.over:
            self.told[await told(open_once(self.case))] += 1
            await asyncio.sleep(0.02)

    async def reporting(self) -> None:
        """Reports without pause."""
        draft = await draft_of(self.case.actors)
        while not self.over:
            is_in = await self.reports.one(draft)
            self.told["REPORTED" if is_in else "NOT REPORTED"] += 1
            await asyncio.sleep(0.05)

    async def withdrawing(self) -> None:
        """Withdraws one consent after another: from the answer on nothing opens, whatever is broken (I2)."""
        for case in self.closing:
            await asyncio.sleep(0.1)
            await case.consents.withdraw(case.notice)
            self.told["WITHDRAWN"] += 1
            assert await told(open_once(case)) != "OPENED", "open after it was shut"

    async def beside(self, outage: Awaitable[None]) -> None:
        """Everyone works before it, while it lasts and afterwards; those who withdraw begin with it."""
        others = [asyncio.create_task(self.opening()) for _ in range(OPENERS)]
        others.append(asyncio.create_task(self.reporting()))
        try:
            await asyncio.sleep(QUIET_S)
            await asyncio.gather(outage, self.withdrawing())
            await asyncio.sleep(QUIET_S)
        finally:
            self.over = True
            await asyncio.gather(*others)


async def told(act: Awaitable[object]) -> str:
    """`OPENED`, or the reason why not."""
    try:
        await act
    except Refused as refused:
        return refused.reason
    except MeldbrugError as error:
        return type(error).__name__
    return "OPENED"


async def without_the_engine(world: World, lasts_s: float, _chance: Random) -> None:
    """OpenFGA is away."""
    engine = world.stack.backends.openfga
    await asyncio.to_thread(engine.stop)
    try:
        await asyncio.sleep(lasts_s)
    finally:
        await asyncio.to_thread(engine.start)


async def sessions_killed(world: World, lasts_s: float, chance: Random) -> None:
    """Now and then a session of the database is killed, whatever it is doing; OpenFGA's too."""
    async with await psycopg.AsyncConnection.connect(operator(world), autocommit=True) as sql:
        with suppress(TimeoutError):
            async with asyncio.timeout(lasts_s):
                while True:
                    await sql.execute(KILL, (1,))
                    await asyncio.sleep(chance.uniform(0, 0.1))


async def no_connection_left(world: World, lasts_s: float, _chance: Random) -> None:
    """Something else has taken every connection that PostgreSQL gives."""
    with ExitStack() as taken:
        await asyncio.to_thread(take_all, world, taken)
        await asyncio.sleep(lasts_s)


def take_all(world: World, taken: ExitStack) -> None:
    """Kills every session and takes its place, until none is given any more."""
    url = world.endpoints.database_url + "?application_name=test"
    with psycopg.connect(operator(world), autocommit=True) as sql:
        while sql.execute(KILL, (ALL,)).fetchall():
            with suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(psycopg.connect(url))


async def a_crowd(world: World, lasts_s: float, _chance: Random) -> None:
    """Two hundred come in at once, each over a connection of their own, and stay."""
    async with AsyncExitStack() as crowd:
        address = world.endpoints.services["directory"]
        channels = [
            await crowd.enter_async_context(grpc.aio.insecure_channel(address, options=SEPARATE))
            for _ in range(CROWD)
        ]
        await asyncio.gather(*(channel.unary_unary(ASK)(b"", timeout=PATIENCE_S) for channel in channels))
        await asyncio.sleep(lasts_s)


def operator(world: World) -> str:
    """The address of the database for whoever runs the server."""
    return world.stack.backends.postgres.url("postgres", "postgres")


OUTAGES: dict[str, Callable[[World, float, Random], Awaitable[None]]] = {
    "engine": without_the_engine,
    "sessions": sessions_killed,
    "connections": no_connection_left,
    "crowd": a_crowd,
}
TOLD = {
    "engine": {"POLICY_UNAVAILABLE"},
    "sessions": {"POLICY_UNAVAILABLE", "DATABASE_UNAVAILABLE", "PEER_UNAVAILABLE", "NotReached"},
    "connections": {"POLICY_UNAVAILABLE", "DATABASE_UNAVAILABLE", "PEER_UNAVAILABLE", "NotReached"},
    "crowd": set[str](),
}
"""What those who open may be told, by outage.

OpenFGA has sessions and connections there, too; and so has the directory, which is asked for a key that has
not been looked up for a while.
"""
FELT = ("engine", "connections")
"""Outages that everyone who opens must feel."""


@pytest.fixture
async def apart(world: World) -> AsyncIterator[Actors]:
    """Everyone once more, over a connection on which nobody else reports."""
    async with Recorder(world.stack, patience_s=PATIENCE_S) as connection:
        yield Actors(replace(world, connection=connection))


async def ready(actors: Actors, reporters: Actors) -> Work:
    """A notice that stays open, and some that are withdrawn meanwhile."""
    case, *closing = await asyncio.gather(*(opened(actors) for _ in range(1 + CLOSINGS)))
    recorder = reporters.world.connection
    assert isinstance(recorder, Recorder)
    return Work(case, closing, Reports(reporters, recorder))


@pytest.mark.timeout(600)
@pytest.mark.campaign("outages", unit="outages", floor=4, target=400, short_s=240)
async def test_whatever_is_away_each_answer_is_true(
    world: World, actors: Actors, recorder: Recorder, apart: Actors, ledger: Ledger, campaign: Campaign
) -> None:
    """OpenFGA away, sessions of the database killed, no connection left, a crowd; all under load.

    Keeps I2, I3, I5, I6, I8, I10, I11 and I20.
    """
    for number in campaign:
        name = list(OUTAGES)[number % len(OUTAGES)]
        recorder.patience_s = PATIENCE_S
        work = await ready(actors, apart)
        if TOLD[name]:
            recorder.hasty["OpenSections"] = HASTE_S
        lasts_s = ENGINE_LASTS_S if name == "engine" and number < FRESH_FROM else LASTS_S
        await work.beside(OUTAGES[name](world, lasts_s, Random(number)))
        recorder.hasty.clear()
        print(f"{name}: {dict(work.told)}", flush=True)
        await all_is_true(world, work, name)
        assert ledger.released_once(recorder.released)
        campaign.count(outages=1, openings=work.told["OPENED"], reports=len(work.reports.sent))


async def all_is_true(world: World, work: Work, name: str) -> None:
    """Nothing else was told than what may be; what was acknowledged is there; and all is at rest."""
    found = set(work.told) - {"REPORTED", "NOT REPORTED", "WITHDRAWN"}
    assert "OPENED" in found
    assert found - {"OPENED"} <= TOLD[name]
    assert found & TOLD[name] or name not in FELT
    assert work.told["REPORTED"]
    assert work.told["WITHDRAWN"] == len(work.closing)
    await succeeds(lambda: open_once(work.case))
    for case in work.closing:
        assert await is_refused(open_once(case))
    await work.reports.again(world)
    for case in (work.case, *work.closing):
        await converged(world, case.incident)
    await until(lambda: _busy(world), lambda busy: not busy)


async def _busy(world: World) -> list[tuple[object, ...]]:
    return busy_backends(world)
