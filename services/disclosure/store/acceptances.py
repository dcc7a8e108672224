"""Answers to the handling terms: one for the participation, by any of its readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Update, and_, exists, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import ConsentState, NoticeState
from services.disclosure.store import tables as t
from services.disclosure.store.seats import live_seat, number
from services.kernel.statements import Prepared

RECORD = insert(t.acceptances).values(create_time=func.kernel.app_now())


@dataclass(frozen=True, slots=True)
class Stub:
    """What a reader with a live seat under a living consent may answer to."""

    epoch: int
    state: NoticeState
    recipient: str
    terms_version: str


async def stub(conn: AsyncConnection, notice_name: str, kid: str, subject: str) -> Stub | None:
    """Reads it for one reader, after the lock; None where the door is closed."""
    row = (await conn.execute(*_stub(notice_name=notice_name, kid=kid, subject=subject))).one_or_none()
    return Stub(row.epoch, NoticeState(row.state), row.recipient, row.terms_version) if row else None


@Prepared
def _stub(notice_name: str, kid: str, subject: str) -> Select[Any]:
    notice, seat, consent, now = t.notices.c, t.seats.c, t.consents.c, func.kernel.app_now()
    given = consent.state == number(ConsentState.GIVEN)
    return (
        select(t.incidents.c.epoch, notice.state, notice.recipient, consent.terms_version)
        .join_from(t.seats, t.notices, and_(notice.name == seat.notice, notice.consent == seat.grant_name))
        .join(t.consents, and_(consent.name == seat.grant_name, given))
        .join(t.incidents, t.incidents.c.name == notice.incident)
        .where(seat.notice == notice_name, seat.kid == kid, seat.subject == subject, live_seat())
        .where(consent.valid_from <= now, now < consent.valid_until, notice.decision_stands == true())
    )


async def accepted(conn: AsyncConnection, notice: str, recipient: str, terms_version: str) -> bool:
    """Whether the recipient accepted this version of the terms for the notice."""
    return bool(await conn.scalar(*_accepted(notice=notice, recipient=recipient, terms=terms_version)))


@Prepared
def _accepted(notice: str, recipient: str, terms: str) -> Select[Any]:
    row = t.acceptances.c
    of_recipient = and_(row.notice == notice, row.participation == recipient)
    return select(exists().where(of_recipient, row.terms_version == terms, row.accepted))


async def record(conn: AsyncConnection, answer: said.TermsAnswer, signed: common_pb2.Signed) -> None:
    """Keeps an answer with its statement."""
    values = {
        "notice": answer.notice,
        "participation": answer.participation,
        "terms_version": answer.terms_version,
        "accepted": answer.accepted,
        "statement": signed.statement,
        "signature": signed.signature,
        "kid": answer.reader_kid,
    }
    await conn.execute(RECORD, values)


async def mark_accepted(conn: AsyncConnection, notice_name: str) -> None:
    """Says that the terms of an offered notice were accepted."""
    await conn.execute(*_marking(which=notice_name))


@Prepared
def _marking(which: str) -> Update:
    became = number(NoticeState.TERMS_ACCEPTED)
    return update(t.notices).where(t.notices.c.name == which).values(state=became)
