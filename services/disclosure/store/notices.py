"""Notices: what was asked, what was answered, and the consents that open them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from services.disclosure.domain import Answer, Asked, ConsentState, Holder, NoticeState, Said, SectionRef
from services.disclosure.store import tables as t
from services.disclosure.store.access import IncidentRef, Own
from services.disclosure.store.seats import excluded
from services.kernel.authz import Grant
from services.kernel.errors import NotPermitted
from services.kernel.statements import Prepared


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


@dataclass(frozen=True, slots=True)
class Details:
    """What a notice asks for, with readers apart by whether the reporter excluded them."""

    reader_kids: tuple[str, ...]
    excluded_kids: tuple[str, ...]
    sections: tuple[SectionRef, ...]


async def add(conn: AsyncConnection, proposal: Proposal, answer_for: timedelta) -> None:
    """Adds a notice that waits for the reporter. Raises NotPermitted when the name is taken."""
    now = func.kernel.app_now()
    values = insert(t.notices).values(
        name=proposal.notice,
        incident=proposal.incident,
        sender_participation=proposal.sender_participation,
        sender_kid=proposal.sender_kid,
        recipient=proposal.recipient,
        recipient_organisation=proposal.recipient_organisation,
        purposes=sorted(proposal.purposes),
        valid_until=proposal.valid_until,
        terms_version=proposal.terms_version,
        state=NoticeState.CONSENT_PENDING,
        answer=Answer.NONE,
        decision_statement=proposal.decision.statement,
        decision_signature=proposal.decision.signature,
        decision_stands=True,
        create_time=now,
        answer_by_time=now + answer_for,
    )
    if (await conn.execute(values.on_conflict_do_nothing())).rowcount == 0:
        raise NotPermitted
    await _add_readers(conn, proposal)
    await conn.execute(
        insert(t.notice_sections),
        [
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
        ],
    )


async def _add_readers(conn: AsyncConnection, proposal: Proposal) -> None:
    await conn.execute(
        insert(t.notice_readers),
        [
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
        ],
    )
    # The same statement runs whether anybody is excluded or not, so that its time tells nothing (T29).
    reader = t.notice_readers
    left_out = _is_left_out_of(proposal.incident)
    await conn.execute(
        update(reader).where(reader.c.notice == proposal.notice, left_out).values(excluded=True)
    )


def _is_left_out_of(incident: Any) -> Any:
    reader = t.notice_readers.c
    return excluded(incident, reader.subject, reader.organisation)


async def count(conn: AsyncConnection, incident: str) -> int:
    """How many notices the incident has, closed ones included."""
    return int(await conn.scalar(select(func.count()).where(t.notices.c.incident == incident)) or 0)


def _with_consent() -> Select[Any]:
    """Notices with the time and the statement of their newest consent, if there is one."""
    consent = t.consents.c
    return select(
        t.notices,
        func.kernel.app_now().label("now"),
        consent.statement.label("consent_statement"),
        consent.signature.label("consent_signature"),
    ).outerjoin(t.consents, consent.name == t.notices.c.consent)


async def of_incident(conn: AsyncConnection, notice: str, incident: str) -> Row[Any]:
    """A notice of this incident, with the time and its newest consent. Raises NotPermitted."""
    found: Row[Any] | None = (await conn.execute(*_one(notice=notice, incident=incident))).one_or_none()
    if found is None:
        raise NotPermitted
    return found


@Prepared
def _one(notice: str, incident: str) -> Select[Any]:
    row = t.notices.c
    return _with_consent().where(row.name == notice, row.incident == incident)


async def page(
    conn: AsyncConnection,
    grant: Grant[Own, IncidentRef],
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Row[Any]]:
    """The incident's notices with their newest consents, newest first, below a cursor."""
    time, name = before or (None, "")
    some = _page(incident=grant.on.name, time=time, name=name, limit=limit, goes_on=before is not None)
    return list(await conn.execute(*some))


@Prepared
def _page(incident: str, time: datetime | None, name: str, limit: int, *, goes_on: bool) -> Select[Any]:
    row = t.notices.c
    query = _with_consent().where(row.incident == incident)
    if goes_on:
        query = query.where(tuple_(row.create_time, row.name) < tuple_(time, name))
    return query.order_by(row.create_time.desc(), row.name.desc()).limit(limit)


async def details(conn: AsyncConnection, names: Sequence[str]) -> dict[str, Details]:
    """What each of these notices asks for."""
    readers, sections = await _readers(conn, names), await _sections(conn, names)
    return {
        name: Details(
            reader_kids=tuple(row.kid for row in readers if row.notice == name and not row.left_out),
            excluded_kids=tuple(row.kid for row in readers if row.notice == name and row.left_out),
            sections=tuple(_ref(row) for row in sections if row.notice == name),
        )
        for name in names
    }


async def _readers(conn: AsyncConnection, names: Sequence[str]) -> list[Row[Any]]:
    return list(await conn.execute(*_asked_readers(names=names)))


@Prepared
def _asked_readers(names: Sequence[str]) -> Select[Any]:
    reader, notice = t.notice_readers.c, t.notices.c
    # An affiliation may have become known after the notice was proposed.
    left_out = or_(reader.excluded, _is_left_out_of(notice.incident)).label("left_out")
    query = select(t.notice_readers, left_out).join(t.notices, notice.name == reader.notice)
    return query.where(reader.notice.in_(names)).order_by(reader.position)


async def _sections(conn: AsyncConnection, names: Sequence[str]) -> list[Row[Any]]:
    return list(await conn.execute(*_asked_sections(names=names)))


@Prepared
def _asked_sections(names: Sequence[str]) -> Select[Any]:
    row = t.notice_sections.c
    return select(t.notice_sections).where(row.notice.in_(names)).order_by(row.position)


def _ref(row: Row[Any]) -> SectionRef:
    return SectionRef(row.section, row.version, row.kind, row.digest, row.commitment)


def asked(notice: Row[Any], details: Details) -> Asked:
    """What the reporter is asked for by a notice."""
    return Asked(
        recipient=notice.recipient,
        reader_kids=frozenset(details.reader_kids),
        sections=details.sections,
        purposes=frozenset(notice.purposes),
        valid_until=notice.valid_until,
    )


async def add_consent(
    conn: AsyncConnection, name: str, notice: str, incident: str, said: Said, signed: common_pb2.Signed
) -> None:
    """Adds a given consent with its (reader, section) pairs. Raises NotPermitted when the name is taken."""
    values = insert(t.consents).values(
        name=name,
        notice=notice,
        incident=incident,
        statement=signed.statement,
        signature=signed.signature,
        state=ConsentState.GIVEN,
        purposes=sorted(said.purposes),
        valid_from=said.valid_from,
        valid_until=said.valid_until,
        terms_version=said.terms_version,
        create_time=func.kernel.app_now(),
    )
    if (await conn.execute(values.on_conflict_do_nothing(index_elements=[t.consents.c.name]))).rowcount == 0:
        raise NotPermitted
    await conn.execute(
        insert(t.consent_sections),
        [
            {
                "consent": name,
                "reader_kid": kid,
                "section": ref.section,
                "version": ref.version,
                "kind": ref.kind,
            }
            for kid in said.reader_kids
            for ref in said.sections
        ],
    )


async def accepted(conn: AsyncConnection, notice: str, recipient: str, terms_version: str) -> bool:
    """Whether the recipient accepted this version of the terms for the notice."""
    row = t.acceptances.c
    yes = and_(
        row.notice == notice, row.participation == recipient, row.terms_version == terms_version, row.accepted
    )
    return bool(await conn.scalar(select(exists().where(yes))))


async def offer(conn: AsyncConnection, notice: str, consent: str, said: Said, state: NoticeState) -> None:
    """Offers the notice under a given consent."""
    row = t.notices
    values = {
        "state": state,
        "answer": Answer.GIVEN,
        "consent": consent,
        "terms_version": said.terms_version,
        "offer_time": func.kernel.app_now(),
        "expire_time": said.valid_until,
    }
    await conn.execute(update(row).where(row.c.name == notice).values(values))


async def refuse(conn: AsyncConnection, notice: str) -> None:
    """Keeps the reporter's no; nothing that anybody else sees changes."""
    await conn.execute(update(t.notices).where(t.notices.c.name == notice).values(answer=Answer.REFUSED))


async def decide(conn: AsyncConnection, notice: str, decision: common_pb2.Signed, *, stands: bool) -> None:
    """Keeps the newest decision and whether it stands."""
    values = {
        "decision_statement": decision.statement,
        "decision_signature": decision.signature,
        "decision_stands": stands,
    }
    await conn.execute(update(t.notices).where(t.notices.c.name == notice).values(values))


async def kinds(conn: AsyncConnection, notice: str) -> list[int]:
    """Kinds of the sections that a notice asks for."""
    row = t.notice_sections.c
    return list((await conn.execute(select(row.kind).where(row.notice == notice))).scalars())
