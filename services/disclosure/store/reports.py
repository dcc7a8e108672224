"""Incidents, their sections and wraps, and the seats of their intake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.sealing import SealedSection, SectionContext
from services.disclosure.domain import Holder, Kind, SectionRef, Wrap
from services.disclosure.store import tables as t
from services.disclosure.store.access import Handle, IncidentRef, Own
from services.disclosure.store.seats import ended, excluded, live_seat
from services.kernel.authz import Actor, Grant, granted_by_record
from services.kernel.errors import NotPermitted
from services.kernel.statements import Prepared, upsert

OwnIncident = Grant[Own, IncidentRef]
Inside = Grant[Own, IncidentRef] | Grant[Handle, IncidentRef]


def _header() -> list[Any]:
    return [column for column in t.sections.c if column is not t.sections.c.ciphertext]


INCIDENT = insert(t.incidents).values(create_time=func.kernel.app_now()).on_conflict_do_nothing()
SECTION = (
    insert(t.sections)
    .values(create_time=func.kernel.app_now())
    .on_conflict_do_nothing()
    .returning(*_header())
)
WRAP = insert(t.wraps).on_conflict_do_nothing()
# Whoever had a closed seat gets it back.
SEAT = upsert(
    t.seats, "subject", "organisation", "participation", "appointment", "since", "closed_time", "close_reason"
).values(since=func.kernel.app_now(), closed_time=None, close_reason=None)


async def owned(conn: AsyncConnection, actor: Actor, incident: str) -> tuple[Row[Any], OwnIncident]:
    """The incident of the caller's key, by name or by the key alone. Raises NotPermitted."""
    mine = _owned(kid=actor.kid, incident=incident, named=bool(incident))
    found: Row[Any] | None = (await conn.execute(*mine)).one_or_none()
    if found is None or not actor.kid:
        raise NotPermitted
    return found, granted_by_record(actor, Own, IncidentRef(found.name))


@Prepared
def _owned(kid: str, incident: str, *, named: bool) -> Select[Any]:
    row = t.incidents.c
    query = select(t.incidents).where(row.reporter_kid == kid)
    return query.where(row.name == incident) if named else query


async def handled(conn: AsyncConnection, actor: Actor, incident: str) -> Row[Any]:
    """The incident with the caller's live seat of its intake, unless withdrawn. Raises NotPermitted."""
    mine = _handled(incident=incident, kid=actor.kid, subject=actor.subject)
    found: Row[Any] | None = (await conn.execute(*mine)).one_or_none()
    if found is None:
        raise NotPermitted
    return found


@Prepared
def _handled(incident: str, kid: str, subject: str) -> Select[Any]:
    row, seat = t.incidents.c, t.seats.c
    return (
        select(t.incidents, seat.participation, seat.appointment)
        .join(t.seats, seat.incident == row.name)
        .where(row.name == incident, ~row.withdrawn)
        .where(seat.grant_name == incident, seat.kid == kid, seat.subject == subject, live_seat())
    )


async def incident(conn: AsyncConnection, name: str) -> Row[Any]:
    """The incident of this name, for whoever was let to it before in the same transaction."""
    found: Row[Any] = (await conn.execute(*_incident(name=name))).one()
    return found


@Prepared
def _incident(name: str) -> Select[Any]:
    return select(t.incidents).where(t.incidents.c.name == name)


async def add_incident(
    conn: AsyncConnection,
    name: str,
    keys: PublicKeys,
    production: str,
    language: int,
    categories: Sequence[int],
    intake: common_pb2.Signed,
) -> None:
    """Adds an incident. Raises NotPermitted when the name or the key has one already."""
    values = {
        "name": name,
        "reporter_kid": keys.kid,
        "reporter_signing": keys.signing,
        "reporter_sealing": keys.sealing,
        "production": production or None,
        "language": language,
        "categories": sorted(categories),
        "withdrawn": False,
        "epoch": 0,
        "version": 0,
        "intake_statement": intake.statement,
        "intake_signature": intake.signature,
    }
    if (await conn.execute(INCIDENT, values)).rowcount == 0:
        raise NotPermitted


async def replace_intake(conn: AsyncConnection, name: str, intake: common_pb2.Signed) -> None:
    """Keeps the newest intake statement."""
    row = t.incidents
    values = {"intake_statement": intake.statement, "intake_signature": intake.signature}
    await conn.execute(update(row).where(row.c.name == name).values(values))


async def live_handlers(conn: AsyncConnection, name: str) -> list[Row[Any]]:
    """The live seats of the intake, by key."""
    return list(await conn.execute(*_live_handlers(name=name)))


@Prepared
def _live_handlers(name: str) -> Select[Any]:
    seat = t.seats.c
    return select(t.seats).where(seat.grant_name == name, live_seat()).order_by(seat.kid)


async def intake_kids(conn: AsyncConnection, grant: Inside) -> list[str]:
    """Every key that ever had a seat of the intake."""
    seat = t.seats.c
    return list((await conn.execute(select(seat.kid).where(seat.grant_name == grant.on.name))).scalars())


async def take_seats(
    conn: AsyncConnection, incident: str, grant_name: str, notice: str | None, holders: Iterable[Holder]
) -> None:
    """Seats these holders under a grant; whoever had a closed seat under it gets it back."""
    rows = [
        {
            "grant_name": grant_name,
            "kid": holder.kid,
            "incident": incident,
            "notice": notice,
            "subject": holder.subject,
            "organisation": holder.organisation,
            "participation": holder.participation,
            "appointment": holder.appointment,
        }
        for holder in holders
    ]
    await conn.execute(SEAT, rows)


async def barred(conn: AsyncConnection, incident: str, holder: Holder) -> tuple[bool, bool]:
    """Whether the holder was ended, and whether the reporter excluded the holder."""
    asked = _barred(holder.kid, holder.appointment, incident, holder.subject, holder.organisation)
    is_ended, is_excluded = (await conn.execute(*asked)).one()
    return bool(is_ended), bool(is_excluded)


@Prepared
def _barred(kid: Any, appointment: Any, incident: Any, subject: Any, organisation: Any) -> Select[bool, bool]:
    return select(ended(kid, appointment), excluded(incident, subject, organisation))


async def add_section(conn: AsyncConnection, place: SectionContext, sealed: SealedSection) -> Row[Any]:
    """Adds a section's version and returns it without content. Raises NotPermitted when it is taken."""
    values = {
        "name": place.section,
        "version": place.version,
        "incident": place.incident,
        "kind": place.kind,
        "digest": sealed.digest,
        "commitment": sealed.commitment,
        "author_kid": sealed.author_kid,
        "reporter_kid": sealed.reporter_kid,
        "author_signature": sealed.author_signature,
        "ciphertext": sealed.ciphertext,
    }
    added = (await conn.execute(SECTION, values)).one_or_none()
    if added is None:
        raise NotPermitted
    return added


async def add_wraps(conn: AsyncConnection, incident: str, grant_name: str, wraps: Iterable[Wrap]) -> int:
    """Adds wraps under a grant; returns how many were not there yet."""
    rows = [
        {
            "section": wrap.section,
            "version": wrap.version,
            "reader_kid": wrap.reader_kid,
            "grant_name": grant_name,
            "incident": incident,
            "wrap": wrap.wrap,
        }
        for wrap in wraps
    ]
    if not rows:
        return 0
    return (await conn.execute(WRAP, rows)).rowcount


async def newest(conn: AsyncConnection, section: str) -> Row[Any] | None:
    """The newest version of a section, without its content; None when there is none."""
    found: Row[Any] | None = (await conn.execute(*_newest(section=section))).one_or_none()
    return found


@Prepared
def _newest(section: str) -> Select[Any]:
    row = t.sections.c
    return select(*_header()).where(row.name == section).order_by(row.version.desc()).limit(1)


async def refs(conn: AsyncConnection, incident: str, sections: Iterable[str]) -> list[SectionRef]:
    """Every version of these sections of the incident, as statements name them."""
    row = t.sections.c
    query = select(row.name, row.version, row.kind, row.digest, row.commitment)
    found = await conn.execute(query.where(row.incident == incident, row.name.in_(sorted(set(sections)))))
    return [SectionRef(one.name, one.version, one.kind, one.digest, one.commitment) for one in found]


async def reporters_versions(
    conn: AsyncConnection, grant: OwnIncident, sections: Iterable[str]
) -> set[tuple[str, int]]:
    """Which versions of these sections the reporter can open, notes among handlers never."""
    row, wrap = t.sections.c, t.wraps.c
    query = (
        select(row.name, row.version)
        .join(t.wraps, (wrap.section == row.name) & (wrap.version == row.version))
        .where(
            row.incident == grant.on.name, row.name.in_(sorted(set(sections))), row.kind != Kind.INTERNAL_NOTE
        )
        .where(wrap.reader_kid == grant.actor.kid, wrap.grant_name == grant.on.name)
    )
    return {(one.name, one.version) for one in await conn.execute(query)}


async def readable_sections(
    conn: AsyncConnection, grant: Inside, after: tuple[datetime, str] | None, limit: int
) -> list[Row[Any]]:
    """The newest version of each section that the caller holds a wrap of under the intake; oldest first."""
    time, section = after or (None, "")
    mine = _readable(
        incident=grant.on.name,
        kid=grant.actor.kid,
        limit=limit,
        time=time,
        section=section,
        goes_on=after is not None,
    )
    return list(await conn.execute(*mine))


@Prepared
def _readable(
    incident: str, kid: str, limit: int, time: datetime | None, section: str, *, goes_on: bool
) -> Select[Any]:
    row, wrap = t.sections.c, t.wraps.c
    mine = (
        (wrap.section == row.name)
        & (wrap.version == row.version)
        & (wrap.reader_kid == kid)
        & (wrap.grant_name == incident)
    )
    newest_mine = (
        select(*_header())
        .ext(distinct_on(row.name))
        .where(row.incident == incident, exists().where(mine))
        .order_by(row.name, row.version.desc())
        .subquery("newest_mine")
    )
    one = newest_mine.c
    query = select(newest_mine)
    if goes_on:
        query = query.where(tuple_(one.create_time, one.name) > tuple_(time, section))
    return query.order_by(one.create_time, one.name).limit(limit)


async def releases(
    conn: AsyncConnection, grant: OwnIncident, before: tuple[datetime, int] | None, limit: int
) -> list[Row[Any]]:
    """Who opened what, newest first, below a cursor."""
    row = t.releases.c
    query = select(t.releases).where(row.incident == grant.on.name)
    if before:
        query = query.where(tuple_(row.create_time, row.id) < before)
    return list(await conn.execute(query.order_by(row.create_time.desc(), row.id.desc()).limit(limit)))
