"""For handlers: their list, an incident, its notices, and the two acts on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain import transitions
from services.coordination.domain.access import Handle, IncidentRef
from services.coordination.domain.facts import IncidentState
from services.coordination.domain.views import IncidentView, SentView, Wanted
from services.coordination.store import following, incidents
from services.coordination.usecases.paging import fill, moment_at, size_of, ticks
from services.coordination.usecases.ports import Deps, once
from services.kernel.authz import Actor, Grant, Question
from services.kernel.db import app_now
from services.kernel.errors import NotPermitted
from services.kernel.rpc import Call

Changes = Mapping[str, Any]


class Handling:
    """What a handler of an intake does. SQL standing and the policy must both say yes."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def list_incidents(
        self, actor: Actor, wanted: Wanted, page_size: int, page_token: str
    ) -> tuple[list[IncidentView], str]:
        """The caller's incidents that are wanted, newest first, and the token of the next page."""
        bound = f"incidents/{wanted.state or 0}{wanted.production}"

        async def read(after: incidents.Place | None, limit: int) -> Sequence[IncidentView]:
            async with self._deps.database.reading() as conn:
                return await incidents.handled(conn, actor.subject, wanted, after, limit)

        async def permitted(rows: Sequence[IncidentView]) -> list[bool]:
            asked = [Question(actor.user, Handle.relation, IncidentRef(row.name).object) for row in rows]
            return await self._deps.authz.check_many(asked)

        after = self._open(actor, bound, page_token)
        shown, rest = await fill(
            size_of(page_size), after, read, permitted, lambda row: (row.create_time, row.name)
        )
        return shown, self._seal(actor, bound, rest)

    async def get_incident(self, actor: Actor, name: str) -> IncidentView:
        """One incident. Raises NotPermitted, also when it does not exist."""
        grant = await self._grant(actor, name)
        async with self._deps.database.reading() as conn:
            return (await incidents.incident(conn, grant))[1]

    async def list_notices(
        self, actor: Actor, name: str, page_size: int, page_token: str
    ) -> tuple[list[SentView], str]:
        """The incident's notices, newest first, and the token of the next page."""
        grant, bound = await self._grant(actor, name), f"notices/{name}"

        async def read(after: incidents.Place | None, limit: int) -> Sequence[SentView]:
            async with self._deps.database.reading() as conn:
                return await incidents.sent(conn, grant, after, limit)

        async def permitted(rows: Sequence[SentView]) -> list[bool]:
            return [True] * len(rows)

        after = self._open(actor, bound, page_token)
        shown, rest = await fill(
            size_of(page_size), after, read, permitted, lambda row: (row.create_time, row.name)
        )
        return shown, self._seal(actor, bound, rest)

    async def acknowledge(self, call: Call, name: str, etag: str, request_id: str) -> IncidentView:
        """Confirms to the reporter that the report arrived, and meets the clock of it."""

        def changes(state: IncidentState) -> Changes:
            return {"progress": transitions.acknowledge(state), "acknowledge_time": func.kernel.app_now()}

        return await self._act(call, name, etag, request_id, changes)

    async def assess(
        self, call: Call, name: str, outcome: IncidentState, etag: str, request_id: str
    ) -> IncidentView:
        """Records where the assessment stands."""

        def changes(state: IncidentState) -> Changes:
            return {"progress": transitions.assess(state, outcome)}

        return await self._act(call, name, etag, request_id, changes)

    async def _act(
        self, call: Call, name: str, etag: str, request_id: str, changes: Callable[[IncidentState], Changes]
    ) -> IncidentView:
        grant = await self._grant(call.actor, name)

        async def act(conn: AsyncConnection) -> None:
            facts, view = await incidents.incident(conn, grant)
            transitions.expect(etag, view.etag)
            await incidents.record(conn, grant, changes(facts.state))
            await following.settle(conn, name, await app_now(conn), self._deps.periods)

        async def view(conn: AsyncConnection) -> IncidentView:
            return (await incidents.incident(conn, grant))[1]

        return await once(self._deps, call, request_id, name, act=act, view=view)

    async def _grant(self, actor: Actor, name: str) -> Grant[Handle, IncidentRef]:
        """Asks our own record first, pulling once for one that may only be late; then the policy."""
        if not await self._stands(actor, name):
            await self._deps.follower.look_again(name)
            if not await self._stands(actor, name):
                raise NotPermitted
        return await self._deps.authz.require(actor, Handle, IncidentRef(name))

    async def _stands(self, actor: Actor, name: str) -> bool:
        async with self._deps.database.reading() as conn:
            return await incidents.stands(conn, actor.subject, name)

    def _open(self, actor: Actor, bound: str, token: str) -> incidents.Place | None:
        if not token:
            return None
        count, name = self._deps.pages.open(actor.subject, bound, token)
        return moment_at(int(count)), str(name)

    def _seal(self, actor: Actor, bound: str, place: incidents.Place | None) -> str:
        if place is None:
            return ""
        return self._deps.pages.seal(actor.subject, bound, (ticks(place[0]), place[1]))
