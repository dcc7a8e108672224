"""The same call twice gives the same answer once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.db import Database
from services.kernel.errors import RequestIdReused, Unavailable
from services.kernel.idempotency import forget_before, forgetting, remember, remembered

BODY, OTHER = b"1" * 32, b"2" * 32


async def command(
    database: Database,
    principal: str = "kid",
    method: str = "/m",
    body: bytes = BODY,
    both: asyncio.Barrier | None = None,
) -> bytes:
    async def work(conn: AsyncConnection) -> bytes:
        found = await remembered(conn, principal, method, "request", body)
        if found is not None:
            return found
        if both:
            await both.wait()
        answer = f"{principal}{method}{datetime.now(UTC)}".encode()
        await remember(conn, principal, method, "request", body, answer)
        return answer

    return await database.run_unit(work)


async def test_a_repeated_call_gets_the_first_answer(database: Database) -> None:
    assert await command(database) == await command(database)


async def test_another_body_under_the_same_id_is_refused(database: Database) -> None:
    await command(database)
    with pytest.raises(RequestIdReused):
        await command(database, body=OTHER)


async def test_another_caller_or_method_has_its_own_ids(database: Database) -> None:
    answers = {
        await command(database),
        await command(database, principal="other", body=OTHER),
        await command(database, method="/n", body=OTHER),
    }

    assert len(answers) == 3


async def test_a_failed_command_is_not_remembered(database: Database) -> None:
    async def fail(conn: AsyncConnection) -> None:
        await remember(conn, "kid", "/m", "request", BODY, b"never")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.run_unit(fail)

    assert await command(database, body=OTHER) != b"never"


async def test_of_two_at_once_one_is_done_and_the_other_repeats(database: Database) -> None:
    both = asyncio.Barrier(2)
    results = await asyncio.gather(*(command(database, both=both) for _ in range(2)), return_exceptions=True)
    done = [result for result in results if isinstance(result, bytes)]

    assert [type(result) for result in results if not isinstance(result, bytes)] == [Unavailable]
    assert await command(database) == done[0]


async def test_old_answers_are_forgotten(database: Database) -> None:
    await command(database)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert await database.run_unit(lambda conn: forget_before(conn, soon - timedelta(hours=1))) == 0
    assert await database.run_unit(lambda conn: forget_before(conn, soon)) == 1
    await command(database, body=OTHER)


async def test_a_request_id_is_forgotten_after_thirty_days(database: Database) -> None:
    async with database.transaction() as conn:
        for age in (29, 31):
            await conn.execute(
                text(
                    "INSERT INTO idempotency VALUES "
                    "('p', 'm', :age, '', '', clock_timestamp() - make_interval(days => :days))"
                ),
                {"age": str(age), "days": age},
            )

    await forgetting(database).run()

    async with database.transaction() as conn:
        kept = await conn.scalars(text("SELECT request_id FROM idempotency WHERE principal = 'p'"))
        assert list(kept) == ["29"]
