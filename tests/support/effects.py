"""What an operation leaves in the database: rows of each table, by the state they are in."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import LiteralString

import psycopg

Effects = Mapping[str, int]
EXPECTED = Path(__file__).parents[1] / "vectors" / "effects.json"
PATIENCE_S, POLL_S, QUIET_S, SOON_S = 25.0, 0.05, 0.1, 0.01

# By what rows of a table are told apart; a table that is not here is derived, remembered or a queue.
TABLES: dict[LiteralString, LiteralString] = {
    "disclosure.incidents": "withdrawn",
    "disclosure.sections": "kind",
    "disclosure.wraps": "NULL",
    "disclosure.seats": "coalesce(close_reason, 'live')",
    "disclosure.exclusions": "NULL",
    "disclosure.affiliations": "NULL",
    "disclosure.ended": "NULL",
    "disclosure.notices": "state, answer, decision_stands",
    "disclosure.notice_readers": "excluded",
    "disclosure.consents": "state",
    "disclosure.consent_sections": "NULL",
    "disclosure.acts": "kind",
    "disclosure.acceptances": "accepted",
    "disclosure.releases": "capacity",
    "disclosure.rewraps": "NULL",
    "directory.organisations": "state",
    "directory.members": "state, admin, pending_kid <> ''",
    "directory.keys": "NULL",
    "directory.invitations": "used",
    "directory.endorsements": "NULL",
    "directory.rotations": "completed",
    "directory.productions": "version",
    "directory.participations": "state",
    "directory.appointments": "ended",
    "coordination.incidents": "withdrawn, progress, acknowledge_time IS NULL",
    "coordination.handlers": "NULL",
    "coordination.notices": "state, acknowledge_time IS NULL",
    "coordination.deliveries": "live, open_time IS NULL, close_time IS NULL",
    "coordination.clocks": "kind, met_time IS NULL",
}
_COUNTS: LiteralString = " UNION ALL ".join(
    f"SELECT concat_ws(' ', '{table}', {states}), count(*) FROM {table} GROUP BY 1"
    for table, states in TABLES.items()
)
# Jobs that wait, and those that a worker who is alive is doing: whoever died has left a heartbeat behind.
_DUE: LiteralString = (
    "SELECT count(*) FROM jobs.procrastinate_jobs AS job "
    "LEFT JOIN jobs.procrastinate_workers AS worker ON worker.id = job.worker_id "
    "WHERE (job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())) "
    "OR (job.status = 'doing' AND worker.last_heartbeat > now() - interval '5 s')"
)
_UNDONE: LiteralString = (
    "SELECT id, task_name, status::text, attempts, scheduled_at - now(), lock FROM jobs.procrastinate_jobs "
    "WHERE status IN ('todo', 'doing') ORDER BY id LIMIT 20"
)
_HURRY: LiteralString = (
    "UPDATE jobs.procrastinate_jobs SET scheduled_at = now() "
    "WHERE status = 'todo' AND attempts > 0 AND scheduled_at > now()"
)
_BURY: LiteralString = (
    "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 min' "
    "WHERE id IN (SELECT worker_id FROM jobs.procrastinate_jobs WHERE status = 'doing' AND queue_name = %s)"
)
_OVERDUE: LiteralString = (
    "SELECT count(*) FROM disclosure.notices WHERE (close_time IS NULL AND expire_time <= kernel.app_now()) "
    "OR (state = 1 AND answer_by_time <= kernel.app_now())"
)
_RELEASED: LiteralString = (
    "SELECT count(*), count(DISTINCT (kid, request_id)) FROM disclosure.releases "
    "JOIN unnest(%s::text[], %s::text[]) AS given (k, r) ON kid = k AND request_id = r"
)


class Ledger:
    """Counts everything; what an operation did is the difference of two counts."""

    marked: Counter[str]

    def __init__(self, url: str) -> None:
        # The triggers of the jobs' tables find each other on the path; its time is that of the services.
        options = "-c search_path=jobs -c meldbrug.test_clock=on"
        self._sql = psycopg.connect(url, autocommit=True, application_name="test", options=options)

    def close(self) -> None:
        """Ends the connection."""
        self._sql.close()

    def count(self) -> Counter[str]:
        """How many rows there are, by table and state."""
        return Counter(dict(self._sql.execute(_COUNTS).fetchall()))

    def mark(self) -> None:
        """Counts, to compare with later."""
        self.marked = self.count()

    def hurry(self) -> None:
        """Lets jobs that failed before, and would be tried again up to a minute later, be tried now."""
        self._sql.execute(_HURRY)

    def bury(self, service: str) -> None:
        """Lets a minute have passed since the process of a service died; else what it did waits for 10 s."""
        self._sql.execute(_BURY, (service,))

    async def quiet(self) -> Counter[str]:
        """Returns the count once nothing is due or under way, and nothing has changed for a moment."""
        end, found = time.monotonic() + PATIENCE_S, self.count()
        while time.monotonic() < end:
            await asyncio.sleep(QUIET_S)
            before, found = found, self.count()
            if found == before and not self._due():
                return found
        raise AssertionError(self._restless())

    async def done(self) -> Counter[str]:
        """Returns the count once nothing is due or under way, for whoever alone gives the stack work."""
        end = time.monotonic() + PATIENCE_S
        while self._due():
            assert time.monotonic() < end, self._restless()
            await asyncio.sleep(SOON_S)
        return self.count()

    async def comes_to(self, *wanted: Effects) -> None:
        """Waits until the difference since the mark is one of those wanted."""
        end = time.monotonic() + PATIENCE_S
        while (found := since(self.marked, self.count())) not in wanted:
            assert time.monotonic() < end, f"{found} is none of {wanted}"
            await asyncio.sleep(POLL_S)

    def released_once(self, given: Collection[tuple[str, str]]) -> bool:
        """Whether every release that a client was given, by key and request id, stands there once (I8)."""
        kids, requests = [kid for kid, _ in given], [one for _, one in given]
        return self._sql.execute(_RELEASED, (kids, requests)).fetchone() == (len(given), len(given))

    async def nothing_overdue(self) -> None:
        """Waits until no notice is left that a sweep would close by itself in a moment."""
        end = time.monotonic() + PATIENCE_S
        while left := self._number(_OVERDUE):
            assert time.monotonic() < end, f"{left} notices are overdue and not closed"
            await asyncio.sleep(POLL_S)

    def _restless(self) -> str:
        rows = self._sql.execute(_UNDONE).fetchall()
        return f"the stack does not come to rest: {rows or 'its rows change'}"

    def _due(self) -> int:
        return self._number(_DUE)

    def _number(self, query: LiteralString) -> int:
        row = self._sql.execute(query).fetchone()
        return int(row[0]) if row else 0


def since(before: Counter[str], after: Counter[str]) -> Effects:
    """What changed between two counts."""
    names = sorted(before.keys() | after.keys())
    return {name: after[name] - before[name] for name in names if after[name] != before[name]}


def expected() -> dict[str, dict[str, int]]:
    """What the act of each scene leaves when nothing goes wrong, as it was written down."""
    found: dict[str, dict[str, int]] = json.loads(EXPECTED.read_text("utf-8"))
    return found
