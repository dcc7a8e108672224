"""What is repeated until it is done, and what is swept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from services.kernel.db import Database
from services.kernel.idempotency import forgetting
from services.kernel.jobs import Handler, Sweep, Task

# I6: drift is found and mended within 60 s.
RESWEEP_EVERY_S = 30.0
# An ended seat is refused at every door as soon as this is done, so the wait stays short.
END_SEATS_WAIT_S = 5


def tasks(sync_policy: Handler, end_seats: Handler) -> Mapping[str, Task]:
    """The jobs that commit with a change."""
    return {"sync_policy": Task(sync_policy), "end_seats": Task(end_seats, END_SEATS_WAIT_S)}


def sweeps(database: Database, resweep: Callable[[], Awaitable[None]]) -> tuple[Sweep, ...]:
    """What is done every so often; `resweep` makes the policy engine equal to SQL."""
    return (forgetting(database), Sweep("resweep", RESWEEP_EVERY_S, resweep))
