"""What a notice asks and what came of it: proposals, the handler's decisions, the reporter's yes and no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Update, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from services.disclosure.domain import Answer, ConsentState, Holder, NoticeState, Said, SectionRef
from services.disclosure.store import tables as t
from services.disclosure.store.seats import excluded, number
from services.kernel.errors import NotPermitted
from services.kernel.statements import Prepared

_NOW = func.kernel.app_now()
NOTICE = (
    insert(t.notices)
    .values(create_time=_NOW, answer_by_time=_NOW + bindparam("answer_for"))
    .on_conflict_do_nothing()
)
CONSENT = (
    insert(t.consents).values(create_time=_NOW).on_conflict_do_nothing(index_elements=[t.consents.c.name])
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A notice as a handler proposes it."""

    notice: str
    incident: str
    sender_participation: str
    sender_kid: str
    recipient: str
    recipient_organisation: str
    readers: tuple[Holder, ...]
    sections: tuple[SectionRef, ...]
    purposes: tuple[int, ...]
    valid_until: datetime
    terms_version: str
    decision: common_pb2.Signed


async def add(conn: AsyncConnection, proposal: Proposal, answer_for: timedelta) -> None:
    """Adds a notice that waits for the reporter. Raises NotPermitted when the name is taken."""
    values = {
        "name": proposal.notice,
        "incident": proposal.incident,
        "sender_participation": proposal.sender_participation,
        "sender_kid": proposal.sender_kid,
        "recipient": proposal.recipient,
        "recipient_organisation": proposal.recipient_organisation,
        "purposes": sorted(proposal.purposes),
        "valid_until": proposal.valid_until,
        "terms_version": proposal.terms_version,
        "state": NoticeState.CONSENT_PENDING,
        "answer": Answer.NONE,
        "decision_statement": proposal.decision.statement,
        "decision_signature": proposal.decision.signature,
        "decision_stands": True,
        "answer_for": answer_for,
    }
    if (await conn.execute(NOTICE, values)).rowcount == 0:
        raise NotPermitted
    await _add_readers(conn, proposal)
    sections = [
        {
            "notice": proposal.notice,
            "position": position,
            "section": ref.section,
            "version": ref.version,
            "kind": ref.kind,
            "digest": ref.digest,
            "commitment": ref.commitment,
        }
        for position, ref in enumerate(proposal.sections)
    ]
    await conn.execute(insert(t.notice_sections), sections)


async def _add_readers(conn: AsyncConnection, proposal: Proposal) -> None:
    readers = [
        {
            "notice": proposal.notice,
            "kid": reader.kid,
            "position": position,
            "subject": reader.subject,
            "organisation": reader.organisation,
            "appointment": reader.appointment,
            "excluded": False,
        }
        for position, reader in enumerate(proposal.readers)
    ]
    await conn.execute(insert(t.notice_readers), readers)
    await conn.execute(*_leaving_out(of=proposal.notice, on=proposal.incident))


@Prepared
def _leaving_out(of: str, on: Any) -> Update:
    # The same statement runs whether anybody is excluded or not, so that its time tells nothing (T29).
    reader = t.notice_readers.c
    left_out = excluded(on, reader.subject, reader.organisation)
    return update(t.notice_readers).where(reader.notice == of, left_out).values(excluded=True)


async def kinds(conn: AsyncConnection, notice: str) -> list[int]:
    """Kinds of the sections that a notice asks for."""
    return list(await conn.scalars(*_kinds(notice=notice)))


@Prepared
def _kinds(notice: str) -> Select[int]:
    return select(t.notice_sections.c.kind).where(t.notice_sections.c.notice == notice)


async def decide(conn: AsyncConnection, notice: str, decision: common_pb2.Signed, *, stands: bool) -> None:
    """Keeps the newest decision and whether it stands."""
    said = _deciding(which=notice, said=decision.statement, signed=decision.signature, stands=stands)
    await conn.execute(*said)


@Prepared
def _deciding(which: str, said: bytes, signed: bytes, *, stands: bool) -> Update:
    values = {"decision_statement": said, "decision_signature": signed, "decision_stands": stands}
    return update(t.notices).where(t.notices.c.name == which).values(values)


async def add_consent(
    conn: AsyncConnection, name: str, notice: str, incident: str, said: Said, signed: common_pb2.Signed
) -> None:
    """Adds a given consent with its (reader, section) pairs. Raises NotPermitted when the name is taken."""
    values = {
        "name": name,
        "notice": notice,
        "incident": incident,
        "statement": signed.statement,
        "signature": signed.signature,
        "state": ConsentState.GIVEN,
        "purposes": sorted(said.purposes),
        "valid_from": said.valid_from,
        "valid_until": said.valid_until,
        "terms_version": said.terms_version,
    }
    if (await conn.execute(CONSENT, values)).rowcount == 0:
        raise NotPermitted
    pairs = [
        {
            "consent": name,
            "reader_kid": kid,
            "section": ref.section,
            "version": ref.version,
            "kind": ref.kind,
        }
        for kid in said.reader_kids
        for ref in said.sections
    ]
    await conn.execute(insert(t.consent_sections), pairs)


async def offer(conn: AsyncConnection, notice: str, consent: str, said: Said, state: NoticeState) -> None:
    """Offers the notice under a given consent."""
    await conn.execute(
        *_offering(
            which=notice, under=consent, terms=said.terms_version, until=said.valid_until, became=state.value
        )
    )


@Prepared
def _offering(which: str, under: str, terms: str, until: datetime, became: int) -> Update:
    values = {
        "state": became,
        "answer": number(Answer.GIVEN),
        "consent": under,
        "terms_version": terms,
        "offer_time": _NOW,
        "expire_time": until,
    }
    return update(t.notices).where(t.notices.c.name == which).values(values)


async def refuse(conn: AsyncConnection, notice: str) -> None:
    """Keeps the reporter's no; nothing that anybody else sees changes."""
    await conn.execute(*_refusing(which=notice))


@Prepared
def _refusing(which: str) -> Update:
    return update(t.notices).where(t.notices.c.name == which).values(answer=number(Answer.REFUSED))
