"""The services' clocks an hour and ten years off, and set back; the database's is right (I4, I22)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message

from meldbrug.client import Connection, Consents, MemberClient, ReporterClient, ServerClock, Yes
from meldbrug.client.connection import Credentials
from meldbrug.common.v1.common_pb2 import LANGUAGE_NL
from meldbrug.coordination.v1 import coordination_service_pb2 as coordination
from meldbrug.directory.v1 import directory_service_pb2 as directory
from tests.support.actors import Actors, Case
from tests.support.clocks import HOUR_S, TEN_YEARS_S, Clocks
from tests.support.faults import converged, count, is_refused, succeeds, until
from tests.support.openings import OPEN, open_as, open_once, opening, proposed
from tests.support.personas import NOBODY, Doors
from tests.support.sector import World

OFF = (HOUR_S, -HOUR_S, TEN_YEARS_S, -TEN_YEARS_S)
LIVES_S = 6
SOON_S = 60
"""The longest wait of a job that failed."""


@pytest.fixture
def clocks(world: World) -> Clocks:
    """The services' clocks."""
    return Clocks(world.stack)


@pytest.fixture
async def doors(world: World) -> AsyncIterator[Doors]:
    """Every method, with any token."""
    doors = Doors(world)
    yield doors
    await doors.close()


def off_by(off_s: float) -> ServerClock:
    """The clock of a device that nobody corrected yet."""
    return ServerClock(lambda: datetime.now(UTC) + timedelta(seconds=off_s))


@asynccontextmanager
async def device(world: World, off_s: float = 0.0) -> AsyncIterator[Connection]:
    """A device that was never here before; its clock is right, or off."""
    ends = world.endpoints
    async with Connection(ends.services, ends.installation, clock=off_by(off_s)) as connected:
        yield connected


async def opened(actors: Actors, part: Yes | None = None) -> Case:
    """A case whose reader has opened."""
    case = await proposed(actors)
    await case.accepted(*([part] if part else []))
    await succeeds(lambda: open_once(case))
    return case


async def once_around(world: World, case: Case, off_s: float = 0.0) -> None:
    """Yes, terms, opening, withdrawal; each party on a device that was never here before."""
    async with device(world, off_s) as theirs, device(world, off_s) as other, device(world, off_s) as last:
        consents = Consents(ReporterClient(theirs, case.reporter._keys))
        await consents.give(await consents.preview(case.notice, LANGUAGE_NL))
        reader = MemberClient(other, case.reader._credentials.keys)
        await succeeds(lambda: reader.reader.stub(case.notice))
        await reader.reader.accept(case.notice, await case.terms())
        assert await succeeds(lambda: open_as(reader, case.notice))
        await Consents(ReporterClient(last, case.reporter._keys)).withdraw(case.notice)
        assert await is_refused(open_as(reader, case.notice))


@pytest.mark.parametrize("off_s", OFF)
async def test_wrong_clocks_of_the_services_shut_nobody_out(
    world: World, actors: Actors, clocks: Clocks, off_s: float
) -> None:
    """I4, I22: a reporter who has the receipt only can say yes and take it back, whatever the machine says.

    By the services' own clocks no statement of anyone would be taken: signed by the time that they told, it
    would lie an hour ahead of the database's, or behind what was signed before.
    """
    case = await proposed(actors)
    with clocks.off_by(off_s):
        await once_around(world, case)
    await converged(world, case.incident)


async def test_services_whose_clocks_differ_understand_each_other(
    world: World, actors: Actors, clocks: Clocks
) -> None:
    """I22: each in turn is the one that is wrong; a device of the same wrong time is put right (I4)."""
    case = await proposed(actors)
    for name, off_s in zip(clocks.services, (HOUR_S, -TEN_YEARS_S, TEN_YEARS_S), strict=True):
        with clocks.off_by(off_s, name):
            await once_around(world, case, off_s)
        await case.propose("noorderlicht", case.readers)
    await converged(world, case.incident)


@pytest.mark.parametrize("off_s", OFF)
async def test_a_token_counts_by_the_databases_clock(
    world: World, actors: Actors, clocks: Clocks, doors: Doors, off_s: float
) -> None:
    """I4: one that only a wrong clock of the service would take is refused, with the right time beside it."""
    reader, nothing = actors.member("noorderlicht-contact"), "incidents/" + "a" * 26 + "/notices/" + "a" * 26
    calls: dict[str, Message] = {
        OPEN: opening(nothing),
        "/meldbrug.directory.v1.MemberService/GetMe": directory.GetMeRequest(),
        "/meldbrug.coordination.v1.ReaderService/ListInbox": coordination.ListInboxRequest(),
    }
    async with device(world, off_s) as wrong, device(world) as right:
        with clocks.off_by(off_s):
            for method, request in calls.items():
                body = request.SerializeToString(deterministic=True)
                credentials = Credentials(reader._credentials.keys)
                said = [
                    await doors.knock(method, body, NOBODY, metadata=each.metadata(method, body, credentials))
                    for each in (wrong, right)
                ]
                told_s = int(said[0].metadata["serverTimeMs"]) / 1000
                assert (said[0].code, said[0].reason) == ("UNAUTHENTICATED", "TOKEN_STALE")
                assert abs(told_s - datetime.now(UTC).timestamp()) < 2.0
                assert said[1].code in {"OK", "PERMISSION_DENIED"}


async def test_clocks_that_jump_disturb_no_opening(
    world: World, actors: Actors, clocks: Clocks, doors: Doors
) -> None:
    """I4: set forward and back under readers who open without pause; every single one is let in."""
    case, stop, let_in = await opened(actors), asyncio.Event(), 0
    credentials = Credentials(case.reader._credentials.keys)

    async def knocking(right: Connection) -> None:
        nonlocal let_in
        while not stop.is_set():
            body = opening(case.notice).SerializeToString()
            metadata = right.metadata(OPEN, body, credentials)
            assert (await doors.knock(OPEN, body, NOBODY, metadata=metadata)).code == "OK"
            let_in += 1

    async with device(world) as right, asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(knocking(right))
        for off_s in (*OFF, 0.0):
            clocks.set(off_s)
            before = let_in
            await until(lambda: _is(let_in), lambda now, before=before: now >= before + 10)
        stop.set()
    await case.consents.withdraw(case.notice)
    assert await is_refused(open_once(case))


async def _is(number: int) -> int:
    return number


async def test_nothing_ends_early_or_late_or_comes_back(world: World, actors: Actors, clocks: Clocks) -> None:
    """I4, I22: ten years ahead nothing has run out; ten years back what has run out stays closed."""
    case, asked = await opened(actors), await proposed(actors)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LIVES_S)
    short = await opened(actors, Yes(valid_until=soon))
    with clocks.off_by(TEN_YEARS_S):
        assert await open_once(short)
        assert datetime.now(UTC) < soon, "the machine was too slow to see anything"
        await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.05)
        assert await is_refused(open_once(short))
        await until(lambda: _ended(world, short), lambda ended: ended == 1)
        assert [await _ended(world, each) for each in (case, asked)] == [0, 0]
        assert await open_once(case)
    with clocks.off_by(-TEN_YEARS_S):
        assert await is_refused(open_once(short))
        await asked.give()
    await converged(world, short.incident)


async def _ended(world: World, case: Case) -> int:
    """How often a notice was closed."""
    query = "SELECT count(*) FROM disclosure.notices WHERE name = %s AND close_time IS NOT NULL"
    return count(world, query, case.notice)


QUEUED = (
    "SELECT extract(epoch FROM scheduled_at - now())::float8 FROM jobs.procrastinate_jobs "
    "WHERE status = 'todo' AND attempts > 0 AND task_name = 'disclosure.policy_sync'"
)


@pytest.mark.parametrize("off_s", [TEN_YEARS_S, -TEN_YEARS_S])
async def test_a_job_that_failed_comes_again_in_its_time(
    world: World, actors: Actors, clocks: Clocks, off_s: float
) -> None:
    """I3, I6, I22: by a clock ten years ahead it would come then; by one ten years back without a pause."""
    case, engine = await opened(actors), world.stack.backends.openfga
    with clocks.off_by(off_s):
        await asyncio.to_thread(engine.stop)
        try:
            await case.consents.withdraw(case.notice)
            waits = await until(lambda: _waits(world))
        finally:
            await asyncio.to_thread(engine.start)
        assert all(-1 < wait <= SOON_S for wait in waits)
        await converged(world, case.incident)


async def _waits(world: World) -> list[float]:
    """In how many seconds failed jobs come again."""
    with world.sql() as sql:
        return [float(row[0]) for row in sql.execute(QUEUED)]
