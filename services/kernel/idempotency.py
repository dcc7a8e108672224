"""Answers remembered per principal, method and request id, inside the command's own transaction.

Called after authorisation, so that a remembered answer is given only to whoever may have it now.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, Table, delete, func, select
from sqlalchemy.dialects.postgresql import BYTEA, TIMESTAMP, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import Column, MetaData
from sqlalchemy.types import Text

from services.kernel.db import Database
from services.kernel.errors import RequestIdReused, Unavailable
from services.kernel.jobs import Sweep
from services.kernel.statements import Prepared

SOON_S = 0.1
# The contract tells callers that a request id is kept 30 days.
KEPT = timedelta(days=30)
FORGET_EVERY_S = 3600.0
# Created by `db.upgrade` in the schema of each service; found by the connection's search path.
TABLE = Table(
    "idempotency",
    MetaData(),
    Column("principal", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("body_sha256", BYTEA, nullable=False),
    Column("answer", BYTEA, nullable=False),
    Column("create_time", TIMESTAMP(timezone=True), nullable=False),
)


@Prepared
def _answer(principal: str, method: str, request_id: str) -> Select[bytes, bytes]:
    row = TABLE.c
    return select(row.body_sha256, row.answer).where(
        row.principal == principal, row.method == method, row.request_id == request_id
    )


KEEP = (
    insert(TABLE)
    .values(create_time=func.clock_timestamp())
    .on_conflict_do_nothing()
    .returning(TABLE.c.request_id)
)


async def remembered(
    conn: AsyncConnection, principal: str, method: str, request_id: str, body_sha256: bytes
) -> bytes | None:
    """Returns the answer given before, or None. Raises RequestIdReused when it was for another body."""
    found = await conn.execute(*_answer(principal=principal, method=method, request_id=request_id))
    row = found.one_or_none()
    if row is None:
        return None
    if row.body_sha256 != body_sha256:
        raise RequestIdReused
    return bytes(row.answer)


async def remember(
    conn: AsyncConnection, principal: str, method: str, request_id: str, body_sha256: bytes, answer: bytes
) -> None:
    """Keeps the answer, to commit with the change it answers.

    Raises:
        Unavailable: when the same call ran at the same time and committed first; everything rolls back and
            the caller, who repeats it, gets the other's answer.
    """
    call = {"principal": principal, "method": method, "request_id": request_id}
    kept = await conn.execute(KEEP, {**call, "body_sha256": body_sha256, "answer": answer})
    if kept.one_or_none() is None:
        raise Unavailable("DATABASE_UNAVAILABLE", SOON_S)


async def forget_before(conn: AsyncConnection, moment: datetime) -> int:
    """Forgets answers older than `moment`; returns how many."""
    result = await conn.execute(delete(TABLE).where(TABLE.c.create_time < moment))
    return result.rowcount


def forgetting(database: Database) -> Sweep:
    """The sweep by which a service forgets answers that may no longer be repeated."""

    async def forget() -> None:
        async with database.transaction() as conn:
            moment = (await conn.execute(select(func.clock_timestamp()))).scalar_one()
            await forget_before(conn, moment - KEPT)

    return Sweep("forget_answers", FORGET_EVERY_S, forget)
