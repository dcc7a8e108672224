"""What follows from a change, and what mends a loss: idempotent, in any order, one incident a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.coordination.v1 import coordination_service_pb2 as coordination
from services.disclosure.domain import CloseReason, incident_of
from services.disclosure.store import closings, overdue
from services.disclosure.usecases.deps import Deps
from services.kernel.db import Lock
from services.kernel.idempotency import forgetting
from services.kernel.jobs import Sweep, Task, for_each

INFORM = "/meldbrug.coordination.v1.InternalService/Inform"
INFORM_S = 5.0
# Clocks of days need no more; a gate never waits for a sweep.
CLOCKS_EVERY_S = 5.0
# I6: drift is found and mended within 60 s.
RESWEEP_EVERY_S = 30.0

Find = Callable[[AsyncConnection], Awaitable[list[str]]]


class Followups:
    """The handlers of this service's jobs and sweeps."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def policy_sync(self, incident: str) -> None:
        """Brings the policy engine in line, and only then lets coordination know."""
        await self._deps.sync.sync(incident)

        async def tell(conn: AsyncConnection) -> None:
            await self._deps.jobs.defer(conn, "inform", incident=incident)

        await self._deps.database.run_unit(tell)

    async def inform(self, incident: str) -> None:
        """Tells coordination that an incident changed; it pulls what it may know."""
        request = coordination.InformRequest(incident=incident)
        await self._deps.coordination.call(INFORM, request, coordination.InformResponse, budget_s=INFORM_S)

    async def ended_followup(self, target: str) -> None:
        """Closes the seats of an ended key or appointment."""
        await self._mend_each(await self._found(lambda conn: overdue.incidents_of_target(conn, target)))

    async def affiliation_followup(self, organisation: str) -> None:
        """Closes seats of, and syncs the exclusion of, whoever came to belong to an excluded organisation."""
        incidents = await self._found(lambda conn: overdue.incidents_excluding(conn, organisation))
        await self._mend_each(incidents)
        await for_each(incidents, self._deps.sync.sync)

    async def expire(self) -> None:
        """Closes notices whose consent has run out."""
        await for_each(
            await self._found(overdue.expired_notices),
            lambda notice: self._deps.database.run_unit(partial(self._expire, notice), _lock(notice)),
        )

    async def lapse(self) -> None:
        """Ends requests that went without a yes, refused and unanswered alike."""
        await for_each(
            await self._found(overdue.lapsed_notices),
            lambda notice: self._deps.database.run_unit(partial(self._lapse, notice), _lock(notice)),
        )

    async def resweep(self) -> None:
        """Does again what any lost job would have done here; coordination asks for the versions by itself."""
        try:
            await self._mend_each(await self._found(overdue.incidents_with_lost_seats))
        finally:
            await self._deps.sync.resweep()

    async def _found(self, find: Find) -> list[str]:
        async with self._deps.database.reading() as conn:
            return await find(conn)

    async def _mend_each(self, incidents: list[str]) -> None:
        await for_each(
            incidents,
            lambda incident: self._deps.database.run_unit(partial(self._mend, incident), Lock(incident)),
        )

    async def _mend(self, incident: str, conn: AsyncConnection) -> None:
        await closings.leave_out_excluded(conn, incident)
        if await self._deps.closing.close_lost_seats(conn, incident):
            await self._deps.closing.changed(conn, incident)

    async def _expire(self, notice: str, conn: AsyncConnection) -> None:
        if await overdue.is_expired(conn, notice):
            await self._deps.closing.close_notice(conn, notice, CloseReason.EXPIRED)
            await self._deps.closing.changed(conn, incident_of(notice))

    async def _lapse(self, notice: str, conn: AsyncConnection) -> None:
        if await overdue.is_lapsed(conn, notice):
            await self._deps.closing.lapse(conn, notice)
            await self._deps.closing.informed(conn, incident_of(notice))


def _lock(notice: str) -> Lock:
    return Lock(incident_of(notice))


def register(deps: Deps) -> None:
    """Says to the queue what its jobs and sweeps are; once, while the service is built."""
    follow = Followups(deps)
    deps.jobs.register(
        {
            "policy_sync": Task(follow.policy_sync),
            "inform": Task(follow.inform),
            "ended_followup": Task(follow.ended_followup),
            "affiliation_followup": Task(follow.affiliation_followup),
        },
        sweeps=(
            Sweep("expire", CLOCKS_EVERY_S, follow.expire),
            Sweep("lapse", CLOCKS_EVERY_S, follow.lapse),
            Sweep("resweep", RESWEEP_EVERY_S, follow.resweep),
            forgetting(deps.database),
        ),
    )
