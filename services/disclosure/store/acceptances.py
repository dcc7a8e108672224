"""Answers to the handling terms: one for the participation, by any of its readers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import ConsentState, NoticeState
from services.disclosure.store import tables as t
from services.disclosure.store.seats import live_seat


@dataclass(frozen=True, slots=True)
class Stub:
    """What a reader with a live seat under a living consent may answer to."""

    epoch: int
    state: NoticeState
    recipient: str
    terms_version: str


async def stub(conn: AsyncConnection, notice_name: str, kid: str, subject: str) -> Stub | None:
    """Reads it for one reader, after the lock; None where the door is closed."""
    notice, seat, consent, now = t.notices.c, t.seats.c, t.consents.c, func.kernel.app_now()
    statement = (
        select(t.incidents.c.epoch, notice.state, notice.recipient, consent.terms_version)
        .join_from(t.seats, t.notices, and_(notice.name == seat.notice, notice.consent == seat.grant_name))
        .join(t.consents, and_(consent.name == seat.grant_name, consent.state == ConsentState.GIVEN))
        .join(t.incidents, t.incidents.c.name == notice.incident)
        .where(seat.notice == notice_name, seat.kid == kid, seat.subject == subject, live_seat())
        .where(consent.valid_from <= now, now < consent.valid_until, notice.decision_stands == true())
    )
    row = (await conn.execute(statement)).one_or_none()
    return Stub(row.epoch, NoticeState(row.state), row.recipient, row.terms_version) if row else None


async def record(conn: AsyncConnection, answer: said.TermsAnswer, signed: common_pb2.Signed) -> None:
    """Keeps an answer with its statement."""
    await conn.execute(
        insert(t.acceptances).values(
            notice=answer.notice,
            participation=answer.participation,
            terms_version=answer.terms_version,
            accepted=answer.accepted,
            statement=signed.statement,
            signature=signed.signature,
            kid=answer.reader_kid,
            create_time=func.kernel.app_now(),
        )
    )


async def mark_accepted(conn: AsyncConnection, notice_name: str) -> None:
    """Says that the terms of an offered notice were accepted."""
    await conn.execute(
        update(t.notices)
        .where(t.notices.c.name == notice_name)
        .values(state=NoticeState.TERMS_ACCEPTED.value)
    )
