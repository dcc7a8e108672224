"""Names as shown, read from the directory now and then, so that no reader ever waits for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Select, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.store import tables as t
from services.coordination.store.inbox import INDEPENDENT
from services.kernel.statements import Prepared

# Old enough for the next sweep: known by name only.
NEVER = text("'-infinity'::timestamptz")


async def unknown(conn: AsyncConnection, names: Collection[str]) -> set[str]:
    """Those of `names` that nothing is stored of."""
    return set(names).difference(await conn.scalars(*_known(names=names)))


@Prepared
def _known(names: Collection[str]) -> Select[str]:
    return select(t.titles.c.name).where(t.titles.c.name.in_(names))


async def expect(conn: AsyncConnection, names: Collection[str]) -> None:
    """Makes sure that the sweep asks for `names`."""
    rows = [{"name": name, "title": "", "read_time": NEVER, "spread": True} for name in sorted(names)]
    await conn.execute(insert(t.titles).values(rows).on_conflict_do_nothing())


async def learn(conn: AsyncConnection, titles: Mapping[str, str]) -> None:
    """Stores titles just read; one that changed is marked until every stub with it was settled again."""
    now = func.kernel.app_now()
    rows = [
        {"name": name, "title": titles[name], "read_time": now, "spread": False} for name in sorted(titles)
    ]
    new = insert(t.titles).values(rows)
    spread = t.titles.c.spread & (t.titles.c.title == new.excluded.title)
    values = {"title": new.excluded.title, "read_time": new.excluded.read_time, "spread": spread}
    await conn.execute(new.on_conflict_do_update(index_elements=[t.titles.c.name], set_=values))


async def stale(conn: AsyncConnection, before: datetime, limit: int) -> list[str]:
    """Participations and the independent point that were not read since `before`, oldest first."""
    asked = or_(t.titles.c.name == INDEPENDENT, t.titles.c.name.startswith("participations/"))
    query = select(t.titles.c.name).where(t.titles.c.read_time < before, asked)
    return list(await conn.scalars(query.order_by(t.titles.c.read_time).limit(limit)))


async def unspread(conn: AsyncConnection) -> dict[str, str]:
    """Titles that stubs may still show the old way."""
    query = select(t.titles.c.name, t.titles.c.title).where(~t.titles.c.spread).limit(100)
    return {row.name: row.title for row in await conn.execute(query)}


async def bearers(conn: AsyncConnection, name: str, after: str, limit: int) -> list[str]:
    """Incidents, by name, whose stubs bear the title of `name`."""
    joined = select(t.incidents.c.name).join(t.notices, t.notices.c.incident == t.incidents.c.name)
    query = joined.where(t.incidents.c.name > after).distinct().order_by(t.incidents.c.name)
    if name != INDEPENDENT:
        query = query.where(or_(t.notices.c.sender == name, t.incidents.c.production == name))
    return list(await conn.scalars(query.limit(limit)))


async def mark_spread(conn: AsyncConnection, name: str, title: str) -> None:
    """Notes that every stub shows `title`, unless it changed meanwhile."""
    here = (t.titles.c.name == name) & (t.titles.c.title == title)
    await conn.execute(update(t.titles).where(here).values(spread=True))
