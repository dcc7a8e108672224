"""Notices: what was asked, what was answered, and the consents that open them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import Asked, SectionRef
from services.disclosure.store import tables as t
from services.disclosure.store.access import IncidentRef, Own
from services.disclosure.store.seats import excluded
from services.kernel.authz import Grant
from services.kernel.errors import NotPermitted
from services.kernel.statements import Prepared


@dataclass(frozen=True, slots=True)
class Details:
    """What a notice asks for, with readers apart by whether the reporter excluded them."""

    reader_kids: tuple[str, ...]
    excluded_kids: tuple[str, ...]
    sections: tuple[SectionRef, ...]


async def count(conn: AsyncConnection, incident: str) -> int:
    """How many notices the incident has, closed ones included."""
    return int(await conn.scalar(*_count(incident=incident)) or 0)


@Prepared
def _count(incident: str) -> Select[Any]:
    return select(func.count()).where(t.notices.c.incident == incident)


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
    is_excluded = excluded(notice.incident, reader.subject, reader.organisation)
    left_out = or_(reader.excluded, is_excluded).label("left_out")
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
