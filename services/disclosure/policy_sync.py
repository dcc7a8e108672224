"""Makes the policy engine's tuples of an incident equal to what SQL wants: level-triggered, one at a time.

The same function serves the inline path, the job, the resweep and a rebuild of everything. Every stop
half-way leaves the engine denying more than SQL would, never less: exclusions go in first, and `live` goes
out first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from services.disclosure.domain import Kind, Purpose
from services.disclosure.store import policy
from services.disclosure.store.policy import Arming, Facts
from services.kernel.authz import Authz, PolicyTuple, timestamp
from services.kernel.db import Database, Lock
from services.kernel.jobs import for_each
from services.kernel.log import emit, emit_failure

# The engine's own limit of tuples in one Write.
WRITE_LIMIT = 100
# Design section 6: a close waits this long for the engine before it answers; the job does the rest.
INLINE_S = 0.3
# Syncs at once in this process, so that an engine that hangs cannot take the pool away from reporters.
AT_ONCE = 2
# How long one step at the engine may take before the database lets go of the incident's sync lock.
STEP_MS = 5000
SWEEP_PAGE = 200


class Event(StrEnum):
    """What the sync logs; never with an id."""

    POLICY_LEFT_TO_JOB = "policy.left_to_job"
    POLICY_DRIFT_MENDED = "policy.drift_mended"


Step = tuple[Sequence[PolicyTuple], Sequence[PolicyTuple]]


def wanted(facts: Facts) -> frozenset[PolicyTuple]:
    """Every tuple that the incident and its notices should have, and no other."""
    return frozenset(_of_incident(facts)) | frozenset(_of_notices(facts))


def _of_incident(facts: Facts) -> Iterator[PolicyTuple]:
    incident = _object(facts.incident)
    for subject, participation in facts.handlers:
        yield PolicyTuple(_user(subject), "handler", incident)
        yield PolicyTuple(_object(participation), "origin", incident)
    for subject in facts.conflicted:
        for each in (incident, *map(_object, facts.notices)):
            yield PolicyTuple(_user(subject), "conflicted", each)


def _of_notices(facts: Facts) -> Iterator[PolicyTuple]:
    for name, arming in facts.armed.items():
        yield PolicyTuple(_object(arming.recipient), "addressee", _object(name))
        for subject, kinds in arming.readers.items():
            yield PolicyTuple.conditional(
                _user(subject), "reader", _object(name), "consent", _context(arming, kinds)
            )
        if arming.decision_stands:
            yield PolicyTuple("user:*", "live", _object(name))


def _context(arming: Arming, kinds: Iterable[int]) -> dict[str, object]:
    """All four keys, always: a missing one would be filled by whoever asks."""
    return {
        "valid_from": timestamp(arming.valid_from),
        "valid_until": timestamp(arming.valid_until),
        "purposes": [Purpose(purpose).name for purpose in sorted(arming.purposes)],
        "kinds": [Kind(kind).name for kind in sorted(kinds)],
    }


def _user(subject: str) -> str:
    return "user:" + subject.rpartition("/")[2]


def _object(name: str) -> str:
    collection, _, own = name.rpartition("/")
    return f"{collection.rpartition('/')[2].removesuffix('s')}:{own}"


def plan(held: frozenset[PolicyTuple], wanted: frozenset[PolicyTuple]) -> list[Step]:
    """The writes, in order, that lead from one to the other and never open more than both would.

    New exclusions first; then disarming, `live` before readers; then handlers, addressees, readers, `live`.
    A consent that changed is deleted in one write and written in a later one: the gap denies.
    """
    missing, extra = wanted - held, held - wanted
    steps: list[Step] = []
    gone = [*_of(extra, "live"), *_of(extra, "reader"), *_others(extra)]
    base = _others(missing)
    if gone:
        steps += _writes(_of(missing, "conflicted")) + _deletes(gone) + _writes(base)
    else:
        steps += _writes([*_of(missing, "conflicted"), *base])
    steps += _writes(_of(missing, "reader")) + _writes(_of(missing, "live"))
    return steps + _deletes(_of(extra, "conflicted"))


def _of(tuples: Iterable[PolicyTuple], relation: str) -> list[PolicyTuple]:
    return sorted((each for each in tuples if each.relation == relation), key=lambda each: each.key)


def _others(tuples: Iterable[PolicyTuple]) -> list[PolicyTuple]:
    last = ("conflicted", "reader", "live")
    return sorted((each for each in tuples if each.relation not in last), key=lambda each: each.key)


def _writes(tuples: Sequence[PolicyTuple]) -> list[Step]:
    return [(part, ()) for part in _parts(tuples)]


def _deletes(tuples: Sequence[PolicyTuple]) -> list[Step]:
    return [((), part) for part in _parts(tuples)]


def _parts(tuples: Sequence[PolicyTuple]) -> list[Sequence[PolicyTuple]]:
    return [tuples[start : start + WRITE_LIMIT] for start in range(0, len(tuples), WRITE_LIMIT)]


class PolicySync:
    """The one writer of incident and notice tuples.

    Args:
        database: Where the truth is.
        authz: The engine; it refuses to write into another store than the expected one.
    """

    def __init__(self, database: Database, authz: Authz) -> None:
        self._database, self._authz = database, authz
        self._places = asyncio.Semaphore(AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    async def sync(self, incident: str) -> bool:
        """Makes the tuples of the incident equal to SQL; returns whether anything had to change.

        Raises:
            Unavailable: the engine did not take everything; what it took is a step of the way.
        """
        async with self._places:
            return await self._sync(incident)

    async def _sync(self, incident: str, notice: str = "") -> bool:
        async with self._database.transaction(Lock(f"policy/{incident}")) as conn:
            await policy.stay_open(conn, STEP_MS)
            facts = await policy.facts(conn, incident, notice)
            steps = plan(await self._held(facts), wanted(facts))
            for writes, deletes in steps:
                await self._authz.write(writes, deletes)
            return bool(steps)

    async def _held(self, facts: Facts) -> frozenset[PolicyTuple]:
        names = (facts.incident, *sorted(facts.notices))
        held = await asyncio.gather(*(self._authz.read(_object(name)) for name in names))
        return frozenset(each for tuples in held for each in tuples)

    async def soon(self, incident: str, notice: str = "") -> None:
        """Syncs inline, for at most 300 ms, and never fails: the change has committed with its job.

        With `notice`, of the notices that one only: so much changed, and the job looks at all of them. What
        is under way when the time is over goes on by itself; cancelling a write half-way would leave open
        whether it happened.
        """
        # Bounded by the limits of the engine's calls.
        task = asyncio.create_task(self._try(incident, notice))  # noqa: TID251  owned by `_running`
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait({task}, timeout=INLINE_S)

    async def _try(self, incident: str, notice: str) -> None:
        try:
            async with asyncio.timeout(INLINE_S):
                await self._places.acquire()
        except TimeoutError:
            emit(Event.POLICY_LEFT_TO_JOB)
            return
        try:
            await self._sync(incident, notice)
        except Exception as failure:  # noqa: BLE001  whatever it was, the job that rides with the change does it again
            emit_failure(Event.POLICY_LEFT_TO_JOB, failure)
        finally:
            self._places.release()

    async def resweep(self) -> None:
        """Syncs every incident: mends what lost jobs or others left, and rebuilds an empty store."""
        after, failures = "", list[Exception]()
        while page := await self._page(after):
            try:
                await for_each([incident for incident, _ in page], self._mend)
            except Exception as failure:  # noqa: BLE001 (raised once every page had its turn)
                failures.append(failure)
            after = page[-1][0]
        if failures:
            raise failures[0]

    async def _mend(self, incident: str) -> None:
        if await self.sync(incident):
            emit(Event.POLICY_DRIFT_MENDED, "warning")

    async def _page(self, after: str) -> list[tuple[str, int]]:
        async with self._database.reading() as conn:
            return await policy.versions(conn, after, SWEEP_PAGE)
