"""For named readers: the inbox, one notice, its acknowledgement.

A live stub is shown only when our record and the policy both say yes; a tombstone from our record alone, to
whoever had the stub.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain import transitions
from services.coordination.domain.access import NoticeRef, Read
from services.coordination.domain.facts import NoticeState
from services.coordination.domain.views import Entry, StubView
from services.coordination.store import following, inbox
from services.coordination.usecases.paging import fill, size_of
from services.coordination.usecases.ports import Deps, once
from services.kernel.authz import Actor, Context, Grant, Question, timestamp
from services.kernel.db import app_now
from services.kernel.errors import NotPermitted
from services.kernel.rpc import Call

INBOX = "inbox"
WATCH = "watch"


def stub_context(view: StubView, now: datetime) -> Context:
    """The context of the question for a stub: its first purpose, no kinds."""
    return {"current_time": timestamp(now), "purpose": view.purposes[0].name, "requested": []}


async def permitted(deps: Deps, actor: Actor, entries: Sequence[Entry]) -> list[bool]:
    """Which entries the caller may see now: every tombstone, and live stubs that the policy allows."""
    live = [entry.view for entry in entries if not entry.view.tombstone]
    if not live:
        return [True] * len(entries)
    async with deps.database.reading() as conn:
        now = await app_now(conn)
    asked = [
        Question(actor.user, Read.relation, NoticeRef(view.name).object, stub_context(view, now))
        for view in live
    ]
    answers = iter(await deps.authz.check_many(asked))
    return [entry.view.tombstone or next(answers) for entry in entries]


class Reading:
    """What a named reader does with the inbox."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def list_inbox(
        self, actor: Actor, states: Collection[NoticeState], page_size: int, page_token: str
    ) -> tuple[list[StubView], str, str]:
        """Stubs and tombstones, newest change first; the next page's token; the token to watch from.

        Those that the caller sees in one of `states`, or all without. Watching from the token of any page
        shows every change since the first page was read, whatever its state.
        """
        pages, subject = self._deps.pages, actor.subject
        bound = "/".join([INBOX, *map(str, sorted(states))])
        if page_token:
            before, start = (int(part) for part in pages.open(subject, bound, page_token))
        else:
            async with self._deps.database.reading() as conn:
                start = await inbox.last_seq(conn, subject)
            before = start + 1

        async def read(after: int | None, limit: int) -> Sequence[Entry]:
            async with self._deps.database.reading() as conn:
                return await inbox.page(conn, subject, after, limit, states)

        async def allowed(entries: Sequence[Entry]) -> list[bool]:
            return await permitted(self._deps, actor, entries)

        shown, rest = await fill(size_of(page_size), before, read, allowed, lambda entry: entry.seq)
        token = "" if rest is None else pages.seal(subject, bound, (rest, start))
        return [entry.view for entry in shown], token, pages.seal(subject, WATCH, (start,))

    async def get_notice(self, actor: Actor, name: str) -> StubView:
        """The stub, or its tombstone. Raises NotPermitted, also when there is neither."""
        entry = await self._entry(actor, name) or await self._late_entry(actor, name)
        if entry is None:
            raise NotPermitted
        if not entry.view.tombstone:
            await self._grant(actor, entry.view)
        return entry.view

    async def acknowledge(self, call: Call, name: str, etag: str, request_id: str) -> StubView:
        """Acknowledges what the participation opened, and meets the clock of it."""
        actor, ref = call.actor, NoticeRef(name)
        grant = await self._grant(actor, await self._live(actor, name))

        async def live(conn: AsyncConnection) -> StubView:
            entry = await inbox.entry(conn, actor.subject, name)
            if entry is None or entry.view.tombstone:
                raise NotPermitted
            return entry.view

        async def act(conn: AsyncConnection) -> None:
            view = await live(conn)
            transitions.expect(etag, view.etag)
            transitions.acknowledge_notice(await inbox.notice(conn, grant))
            await inbox.acknowledge(conn, grant)
            await following.settle(conn, ref.incident, await app_now(conn), self._deps.periods)

        return await once(self._deps, call, request_id, ref.incident, act=act, view=live)

    async def _live(self, actor: Actor, name: str) -> StubView:
        """The caller's live stub; pulls once when the opening before it may not have arrived here yet."""
        entry = await self._entry(actor, name)
        if entry is None or entry.view.state in transitions.BEFORE_OPENING:
            entry = await self._late_entry(actor, name)
        if entry is None or entry.view.tombstone:
            raise NotPermitted
        return entry.view

    async def _grant(self, actor: Actor, view: StubView) -> Grant[Read, NoticeRef]:
        async with self._deps.database.reading() as conn:
            now = await app_now(conn)
        return await self._deps.authz.require(
            actor, Read, NoticeRef(view.name), context=stub_context(view, now)
        )

    async def _late_entry(self, actor: Actor, name: str) -> Entry | None:
        await self._deps.follower.look_again(NoticeRef(name).incident)
        return await self._entry(actor, name)

    async def _entry(self, actor: Actor, name: str) -> Entry | None:
        async with self._deps.database.reading() as conn:
            return await inbox.entry(conn, actor.subject, name)
