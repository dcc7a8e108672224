"""What is repeated until it is done, and what is swept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from services.kernel.db import Database, app_now
from services.kernel.idempotency import forget_before
from services.kernel.jobs import Handler, Sweep, Task

# The contract tells callers that a request id is kept 30 days.
ANSWERS_KEPT = timedelta(days=30)
FORGET_EVERY_S = 3600.0
# I6: drift is found and mended within 60 s.
RESWEEP_EVERY_S = 30.0
# An ended seat is refused at every door as soon as this is done, so the wait stays short.
END_SEATS_WAIT_S = 5


def tasks(sync_policy: Handler, end_seats: Handler) -> Mapping[str, Task]:
    """The jobs that commit with a change."""
    return {"sync_policy": Task(sync_policy), "end_seats": Task(end_seats, END_SEATS_WAIT_S)}


def sweeps(database: Database, resweep: Callable[[], Awaitable[None]]) -> tuple[Sweep, ...]:
    """What is done every so often; `resweep` makes the policy engine equal to SQL."""

    async def forget_answers() -> None:
        async with database.transaction() as conn:
            await forget_before(conn, await app_now(conn) - ANSWERS_KEPT)

    return (
        Sweep("forget_answers", FORGET_EVERY_S, forget_answers),
        Sweep("resweep", RESWEEP_EVERY_S, resweep),
    )
