"""Closes again, in a database that was restored, what this service's journal says was closed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import Answer, CloseReason, ConsentState, NoticeState, incident_of
from services.disclosure.store import closings, seats
from services.disclosure.store import tables as t
from services.kernel.db import Database
from services.kernel.narrowings import JournalDamaged, Narrowing

T = TypeVar("T")

# So many in one transaction, which must end within a second.
AT_ONCE = 10


async def apply(database: Database, narrowings: Sequence[Narrowing]) -> None:
    """Closes all of it, then sends whoever follows to look again. Idempotent.

    Incidents rise to a new version only at the end: a run that is cut off before that closes it all again.
    """
    for some in _parts(narrowings):
        await database.run_unit(partial(_apply_each, some))
    touched: dict[str, int] = {}
    for some in _parts(narrowings):
        async with database.reading() as conn:
            touched |= await _of_consents(conn, some)
    touched |= _touched(narrowings)
    for names in _parts(sorted(touched.items())):
        await database.run_unit(partial(_rise_each, names))


async def _apply_each(some: Sequence[Narrowing], conn: AsyncConnection) -> None:
    for one in some:
        await _apply(conn, one)


async def _apply(conn: AsyncConnection, one: Narrowing) -> None:
    match one.kind:
        case "seats":
            await _close_seats(conn, one)
        case "sections":
            consent, kids = one.text("consent"), one.texts("kids")
            await closings.drop_sections(conn, consent, kids, one.texts("sections"))
        case "consent":
            state, reason = ConsentState(one.number("state")), CloseReason(one.text("reason"))
            await closings.end_consent(conn, one.text("consent"), state, reason)
        case "notice":
            state_, answer = NoticeState(one.number("state")), Answer(one.number("answer"))
            await closings.mark_closed(conn, one.text("notice"), state_, answer)
        case "report":
            await closings.withdraw_incident(conn, one.text("incident"))
        case "exclusion":
            await _exclude(conn, one.text("incident"), one.texts("targets"))
        case "ended":
            await seats.end(conn, one.texts("targets"))
        case "affiliation":
            await seats.affiliate(conn, one.text("subject"), one.text("organisation"))
        case _:
            raise JournalDamaged(f"narrowings: {one.kind} is unknown to this version")


async def _close_seats(conn: AsyncConnection, one: Narrowing) -> None:
    grant, kids = one.text("grant"), one.fields["kids"]
    if one.fields["version"] is not None:
        row = t.incidents.c
        known = await conn.scalar(select(row.version).where(row.name == grant))
        # Under a later version the change is in the backup, and the seat may have been taken again.
        if known is None or known > one.number("version"):
            return
    who = None if kids is None else one.texts("kids")
    await closings.close_grant(conn, grant, who, CloseReason(one.text("reason")))


async def _exclude(conn: AsyncConnection, incident: str, targets: Sequence[str]) -> None:
    row = t.incidents.c
    if await conn.scalar(select(row.name).where(row.name == incident)) is None:
        return
    await closings.exclude(conn, incident, targets)
    await closings.leave_out_excluded(conn, incident)


def _touched(narrowings: Sequence[Narrowing]) -> dict[str, int]:
    """Incidents that narrowings name, each with the highest version that it must rise above."""
    found: dict[str, int] = {}
    for one in narrowings:
        name = one.fields.get("incident") or one.fields.get("notice") or one.fields.get("grant")
        if isinstance(name, str) and name.startswith("incidents/"):
            version = one.fields.get("version")
            incident = incident_of(name)
            found[incident] = max(found.get(incident, 0), version if isinstance(version, int) else 0)
    return found


async def _of_consents(conn: AsyncConnection, some: Sequence[Narrowing]) -> dict[str, int]:
    names = {str(one.fields[name]) for one in some for name in ("consent", "grant") if name in one.fields}
    row = t.consents.c
    found = await conn.execute(select(row.incident).where(row.name.in_(sorted(names))))
    return dict.fromkeys(found.scalars(), 0)


async def _rise_each(names: Sequence[tuple[str, int]], conn: AsyncConnection) -> None:
    row = t.incidents.c
    for name, version in names:
        above = func.greatest(row.version, version) + 1
        await conn.execute(
            update(t.incidents).where(row.name == name).values(version=above, epoch=row.epoch + 1)
        )


def _parts(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE)]
