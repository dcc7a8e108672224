"""What `make bench` sends is what the services take: a run of some minutes must not end at its last part."""

from __future__ import annotations

from bench import withdrawing
from bench.load import one_by_one
from bench.reporting import reports
from bench.sector import reported
from tests.support.sector import World


async def test_the_benchmark_reports_and_withdraws(world: World) -> None:
    """More reports than one, and a withdrawal beside readers, of whom none is too late (I2)."""
    case = await reported(world.connection, world.sector)
    sealed = await reports(world.connection, case, 2)
    await one_by_one(sealed, 2)
    assert len(sealed.seconds) == 2
    address = world.endpoints.services["disclosure"]
    found = await withdrawing.measure(world.connection, case, address, rounds=1)
    assert found.openings > 0
    assert (found.stale, len(found.seconds)) == (0, 1)
