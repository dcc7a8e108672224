"""Notices whose time is over: consents that ran out, requests that went without a yes."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.disclosure.domain import NoticeState
from services.disclosure.store import tables as t
from services.disclosure.store.closings import BATCH


def _expired() -> ColumnElement[bool]:
    row = t.notices.c
    return and_(row.close_time.is_(None), row.expire_time <= func.kernel.app_now())


def _lapsed() -> ColumnElement[bool]:
    row = t.notices.c
    return and_(row.state == NoticeState.CONSENT_PENDING, row.answer_by_time <= func.kernel.app_now())


async def expired_notices(conn: AsyncConnection) -> list[str]:
    """Notices whose consent has run out."""
    return list((await conn.execute(select(t.notices.c.name).where(_expired()).limit(BATCH))).scalars())


async def lapsed_notices(conn: AsyncConnection) -> list[str]:
    """Notices whose reporter gave no yes in time, refused ones among them."""
    return list((await conn.execute(select(t.notices.c.name).where(_lapsed()).limit(BATCH))).scalars())


async def is_expired(conn: AsyncConnection, name: str) -> bool:
    """Whether it has run out, read after the lock (I4)."""
    return (
        await conn.execute(select(t.notices.c.name).where(t.notices.c.name == name, _expired()))
    ).first() is not None


async def is_lapsed(conn: AsyncConnection, name: str) -> bool:
    """Whether it went without a yes, read after the lock."""
    return (
        await conn.execute(select(t.notices.c.name).where(t.notices.c.name == name, _lapsed()))
    ).first() is not None
