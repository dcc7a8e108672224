"""What was said: the statements of an incident in order, and how far each signer has counted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.statements import StatementKind
from services.disclosure.domain import require_sequence
from services.disclosure.store import tables as t
from services.kernel.authz import Grant
from services.kernel.statements import Prepared

RECORD = insert(t.acts).values(create_time=func.kernel.app_now())
# What the reporter said about a notice, as the history of consents shows it.
ABOUT_CONSENT = (StatementKind.CONSENT.value, StatementKind.REFUSAL.value, StatementKind.WITHDRAWAL.value)


async def record(
    conn: AsyncConnection,
    incident: str,
    kind: StatementKind,
    signed: common_pb2.Signed,
    *,
    notice: str | None = None,
) -> None:
    """Keeps a statement as received, for ever."""
    act = {"incident": incident, "kind": kind.value, "notice": notice}
    await conn.execute(RECORD, {**act, "statement": signed.statement, "signature": signed.signature})


async def advance(conn: AsyncConnection, incident: str, kid: str, sequence: int) -> None:
    """Moves the signer's count up to `sequence`, under the exclusive lock of the incident.

    Raises:
        InvalidArgument: it is not above the last; the transaction must then roll back.
    """
    before = (await conn.execute(*_counted(of=incident, signer=kid, to=sequence))).one()
    require_sequence(sequence, before.last or 0, before.now)


@Prepared
def _counted(of: str, signer: str, to: int) -> Select[Any]:
    """One statement for both: what it reads is what was there before it wrote."""
    row = t.sequences.c
    last = select(row.last).where(row.incident == of, row.signer_kid == signer).scalar_subquery()
    counted = (
        insert(t.sequences)
        .values(incident=of, signer_kid=signer, last=to)
        .on_conflict_do_update(index_elements=[row.incident, row.signer_kid], set_={"last": to})
    )
    return select(last.label("last"), func.kernel.app_now().label("now")).add_cte(counted.cte("counted"))


async def statements(conn: AsyncConnection, incident: str, kind: StatementKind) -> list[common_pb2.Signed]:
    """The statements of one kind, oldest first."""
    found = await conn.execute(*_statements(incident=incident, kind=kind.value))
    return [common_pb2.Signed(statement=act.statement, signature=act.signature) for act in found]


@Prepared
def _statements(incident: str, kind: str) -> Select[bytes, bytes]:
    row = t.acts.c
    return (
        select(row.statement, row.signature)
        .where(row.incident == incident, row.kind == kind)
        .order_by(row.id)
    )


async def consent_events(
    conn: AsyncConnection, grant: Grant[Any, Any], before: tuple[datetime, int] | None, limit: int
) -> list[Row[Any]]:
    """What the reporter said about notices, newest first, below a cursor."""
    row = t.acts.c
    query = select(t.acts).where(
        row.incident == grant.on.name, row.kind.in_(ABOUT_CONSENT), row.notice.is_not(None)
    )
    if before:
        query = query.where(tuple_(row.create_time, row.id) < before)
    return list(await conn.execute(query.order_by(row.create_time.desc(), row.id.desc()).limit(limit)))
