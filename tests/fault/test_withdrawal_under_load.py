"""Withdrawal while eight clients open without pause (I2, T19): no stale opening, no starvation."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import LiteralString

import psycopg

from meldbrug.client import MemberClient, NotPermitted
from tests.support.actors import Actors, Case
from tests.support.faults import armed, count, is_refused, succeeds, until
from tests.support.openings import open_as
from tests.support.sector import World

CLIENTS = 8
ROUNDS = 6
SLOWEST_S = 1.5
"""Row locks make a withdrawal wait for seconds here; `make bench` holds it to 150 ms on a quiet machine."""


async def ready(case: Case, reader: MemberClient) -> None:
    """A fresh notice of the case, accepted and opened once."""
    await case.propose("noorderlicht", [reader])
    await case.accepted()
    await succeeds(lambda: open_as(reader, case.notice))


async def opening(reader: MemberClient, notice: str, stop: asyncio.Event, begun: list[float]) -> None:
    """Opens without pause; notes when each opening that succeeded began."""
    while not stop.is_set():
        began = time.perf_counter()
        try:
            await open_as(reader, notice)
        except NotPermitted:
            continue
        begun.append(began)


async def test_no_opening_that_begins_after_the_answer_succeeds(actors: Actors) -> None:
    """I2, T19: none is stale in any round, and no withdrawal waits for the openers to have a rest."""
    case, reader = await actors.report(), actors.member("noorderlicht-contact")
    slowest, stale, opened = 0.0, 0, 0
    for _ in range(ROUNDS):
        await ready(case, reader)
        stop, begun = asyncio.Event(), list[float]()
        openers = [asyncio.create_task(opening(reader, case.notice, stop, begun)) for _ in range(CLIENTS)]
        await until(lambda found=begun: _length(found), lambda length: length >= 3 * CLIENTS)
        began = time.perf_counter()
        await case.consents.withdraw(case.notice)
        answered = time.perf_counter()
        await asyncio.sleep(0.1)
        stop.set()
        await asyncio.gather(*openers)
        slowest = max(slowest, answered - began)
        stale += sum(moment > answered for moment in begun)
        opened += len(begun)
    print(f"{opened} openings, slowest withdrawal {slowest * 1000:.0f} ms")
    assert stale == 0
    assert slowest <= SLOWEST_S


async def _length(found: list[float]) -> int:
    return len(found)


async def test_an_opening_let_through_before_the_withdrawal_gets_nothing_after_it(
    world: World, actors: Actors
) -> None:
    """I2: the policy engine had said yes; the transaction decides anew, else this one would have leaked."""
    case, reader = await actors.report(), actors.member("noorderlicht-contact")
    await ready(case, reader)
    released = count(world, "SELECT count(*) FROM disclosure.releases WHERE notice = %s", case.notice)
    async with armed(world.stack, "disclosure.ReaderService.OpenSections.after_check") as is_held:
        held = asyncio.create_task(is_refused(open_as(reader, case.notice)))
        await until(is_held)
        await case.consents.withdraw(case.notice)
        assert not held.done()
    assert await held
    after = count(world, "SELECT count(*) FROM disclosure.releases WHERE notice = %s", case.notice)
    assert after == released


ROW_LOCK: LiteralString = "SELECT epoch FROM stampede WHERE id = 1 FOR SHARE"
ROW_CHANGE: LiteralString = "SELECT epoch FROM stampede WHERE id = 1 FOR UPDATE"
FAIR_LOCK: LiteralString = "SELECT pg_advisory_xact_lock_shared(4711)"
FAIR_CHANGE: LiteralString = "SELECT pg_advisory_xact_lock(4711)"


def waited(url: str, shared: LiteralString, exclusive: LiteralString) -> float:
    """Seconds that one exclusive lock waits while eight openers hold the shared one without pause."""
    stop = threading.Event()

    def opener() -> None:
        with psycopg.connect(url, autocommit=True) as sql:
            while not stop.is_set():
                with sql.transaction():
                    sql.execute(shared)
                    sql.execute("SELECT pg_sleep(0.02)")

    threads = [threading.Thread(target=opener) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    with psycopg.connect(url, autocommit=True) as sql:
        began = time.perf_counter()
        sql.execute("SET statement_timeout = '2s'")
        with suppress(psycopg.errors.QueryCanceled):
            sql.execute(exclusive)
        took = time.perf_counter() - began
    stop.set()
    for thread in threads:
        thread.join()
    return took


async def test_row_locks_would_starve_the_withdrawal(empty_database: str) -> None:
    """T19: why the lock is what it is. Eight overlapping openers keep a row shared as long as they like."""
    with psycopg.connect(empty_database, autocommit=True) as sql:
        sql.execute("CREATE TABLE stampede (id int PRIMARY KEY, epoch bigint)")
        sql.execute("INSERT INTO stampede VALUES (1, 0)")
    rows = [await asyncio.to_thread(waited, empty_database, ROW_LOCK, ROW_CHANGE) for _ in range(3)]
    fair = [await asyncio.to_thread(waited, empty_database, FAIR_LOCK, FAIR_CHANGE) for _ in range(3)]
    print(f"row locks {max(rows):.2f} s, advisory locks {max(fair):.2f} s")
    assert max(fair) < 0.5
    assert max(rows) > 4 * max(fair)
