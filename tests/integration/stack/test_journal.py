"""A unit of work and the journal: the line is durable before the commit, and without it there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from services.disclosure.store import seats
from services.kernel.clock import SystemIds
from services.kernel.db import Database
from services.kernel.errors import Unavailable
from services.kernel.narrowings import Journal, Narrowing, read


class Looking(Journal):
    """Looks from outside, when a line was written, whether its unit committed; fails when told to."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder, "disclosure", SystemIds())
        self._url, self.is_full, self.committed = url, False, list[int]()

    async def append(self, noted: Sequence[Narrowing]) -> None:
        if self.is_full:
            raise Unavailable("DATABASE_UNAVAILABLE")
        await super().append(noted)
        self.committed.append(ended(self._url))


def ended(url: str) -> int:
    """How many keys and appointments have ended."""
    with psycopg.connect(url) as sql:
        row = sql.execute("SELECT count(*) FROM disclosure.ended").fetchone()
    assert row
    return int(row[0])


async def test_a_line_is_there_before_the_commit_and_without_it_nothing_commits(
    database: str, tmp_path: Path
):
    """I19, I3."""
    journal = Looking(tmp_path, database)
    opened = Database(database, "disclosure", app_name="test", journal=journal)

    await opened.run_unit(lambda conn: seats.end(conn, ["one"]))
    assert (journal.committed, ended(database)) == ([0], 1)

    journal.is_full = True
    with pytest.raises(Unavailable):
        await opened.run_unit(lambda conn: seats.end(conn, ["two"]))
    assert ended(database) == 1

    await opened.close()
    assert read(tmp_path) == [("disclosure", Narrowing("ended", {"targets": ["one"]}))]
