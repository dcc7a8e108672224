"""Runs the open path on the driver's connection: lock, gate, record and commit are one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple, Protocol

from psycopg import AsyncCursor, AsyncRawCursor
from psycopg.rows import namedtuple_row

from services.disclosure.domain import Door, NoticeState
from services.disclosure.store.gates import STANDING, Compiled
from services.disclosure.store.releases import OPEN
from services.kernel.authz import Grant
from services.kernel.db import Driver
from services.kernel.errors import Unavailable

Values = Mapping[str, object]

# What each session of the open path needs before it can let out.
PRELUDE = tuple(each.definition for each in OPEN.values())
# First of this reader on this notice: what the reporter, the sender and coordination will see of it.
SIT = (
    "UPDATE disclosure.seats SET first_open_time = kernel.app_now() "
    "WHERE grant_name = $1 AND kid = $2 AND first_open_time IS NULL"
)
MARK = (
    "UPDATE disclosure.notices SET state = $2, open_time = coalesce(open_time, kernel.app_now()) "
    "WHERE name = $1 AND state = $3"
)
RISE = "UPDATE disclosure.incidents SET version = version + 1 WHERE name = $1"


class Standing(NamedTuple):
    """What one statement says of a caller before the policy engine is asked.

    `kinds` are those that the caller may name, `purposes` those of the consent; both empty but for readers.
    """

    epoch: int
    incident: str
    now: datetime
    has_opened: bool
    kinds: Sequence[int]
    purposes: Sequence[int]


class Verdict(Enum):
    """What the transaction decided."""

    LET_OUT = "let_out"
    CLOSED = "closed"
    CHANGED = "changed"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict, and the content, a row a section: only where it was let out."""

    verdict: Verdict
    rows: Sequence[Any] = ()


class OnFirst(Protocol):
    """Queues what follows from a first opening, in its transaction."""

    async def __call__(self, driver: Driver) -> None:
        """Queues it."""


async def standing(driver: Driver, door: Door, values: Values) -> Standing | None:
    """Reads epoch and standing in one statement of its own; None for whoever has no seat there."""
    cursor = await _send(driver, STANDING[door], values)
    row = await cursor.fetchone()
    return Standing(*row) if row else None


async def let_out(
    driver: Driver, grant: Grant[Any, Any], door: Door, values: Values, on_first: OnFirst | None
) -> Outcome:
    """Decides, records and fetches in one transaction; content is returned only once that has committed.

    The call is a transaction of its own: it returns without an error once that has committed. Only a first
    opening has more to do before it commits, and so begins one by name.

    Args:
        driver: A connection of the pool, idle.
        grant: That the caller was let through at this door by whoever else decides on it.
        door: The capacity.
        values: Parameters of the door's statement.
        on_first: For who has not opened before: the commit then waits for what follows from it.
    """
    values = {**values, "kid": grant.actor.kid, "subject": grant.actor.subject}
    if on_first is not None:
        await driver.execute("BEGIN")
    cursor = await _send(driver, OPEN[door].call, values)
    outcome = _outcome(await cursor.fetchall(), values["epoch"])
    if on_first is not None:
        await _follow_first(driver, outcome, values, on_first)
        _expect_committed(await driver.execute("COMMIT"))
    return outcome


async def _send(driver: Driver, statement: Compiled, values: Values) -> AsyncRawCursor[Any]:
    cursor = AsyncRawCursor(driver, row_factory=namedtuple_row)
    await cursor.execute(statement.text, [values[name] for name in statement.names], binary=True)
    return cursor


async def _follow_first(driver: Driver, outcome: Outcome, values: Values, on_first: OnFirst) -> None:
    if outcome.verdict is not Verdict.LET_OUT:
        return
    cursor = AsyncRawCursor(driver)
    await cursor.execute(SIT, [outcome.rows[0].grant_name, values["kid"]])
    if cursor.rowcount:
        states = [NoticeState.OPENED.value, NoticeState.TERMS_ACCEPTED.value]
        await cursor.execute(MARK, [values["notice"], *states])
        await cursor.execute(RISE, [values["incident"]])
        await on_first(driver)


def _expect_committed(end: AsyncCursor[Any]) -> None:
    # A COMMIT of a failed transaction rolls back without an error, and says so here only.
    if end.statusmessage != "COMMIT":
        raise Unavailable("DATABASE_UNAVAILABLE")


def _outcome(rows: Sequence[Any], epoch: object) -> Outcome:
    if not rows:
        return Outcome(Verdict.CLOSED)
    if rows[0].recorded:
        return Outcome(Verdict.LET_OUT, rows)
    if rows[0].let_out:
        # Not recorded by us: another call holds the id, or is about to.
        return Outcome(Verdict.REUSED if rows[0].is_reused else Verdict.CHANGED)
    return Outcome(Verdict.CLOSED if rows[0].epoch == epoch else Verdict.CHANGED)
