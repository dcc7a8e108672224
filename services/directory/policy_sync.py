"""Makes the policy engine's tuples of organisations and participations equal to SQL: level-triggered."""

from __future__ import annotations

from enum import StrEnum

from services.directory.store import policy
from services.kernel.authz import Authz, PolicyTuple
from services.kernel.db import Database, Lock
from services.kernel.log import emit

# The engine's own limit of tuples in one Write.
WRITE_LIMIT = 100
SWEEP_PAGE = 200


class Event(StrEnum):
    """What the sync logs; never with a name."""

    POLICY_DRIFT_MENDED = "policy.drift_mended"


class PolicySync:
    """The one writer of organisation and participation tuples."""

    def __init__(self, database: Database, authz: Authz) -> None:
        self._database, self._authz = database, authz

    async def make_equal(self, name: str) -> bool:
        """Makes the tuples of one of them equal to SQL's; returns whether anything differed."""
        async with self._database.transaction(Lock(f"directory/policy/{name}")) as conn:
            wanted = await policy.wanted_tuples(conn, name)
            held = set(await self._authz.read(policy.policy_object(name)))
            # Taken away before anything is given: a run that stops half-way leaves doors shut.
            for gone in _parts(held - wanted):
                await self._authz.write(deletes=gone)
            for new in _parts(wanted - held):
                await self._authz.write(writes=new)
            return wanted != held

    async def resweep(self) -> None:
        """Syncs everything: mends what lost jobs or others left, and rebuilds an empty store."""
        after = ""
        while names := await self._names_after(after):
            for name in names:
                if await self.make_equal(name):
                    emit(Event.POLICY_DRIFT_MENDED, "warning")
            after = names[-1]

    async def _names_after(self, after: str) -> list[str]:
        async with self._database.reading() as conn:
            return await policy.names_after(conn, after, SWEEP_PAGE)


def _parts(tuples: set[PolicyTuple]) -> list[list[PolicyTuple]]:
    ordered = sorted(tuples, key=lambda each: each.key)
    return [ordered[start : start + WRITE_LIMIT] for start in range(0, len(ordered), WRITE_LIMIT)]
