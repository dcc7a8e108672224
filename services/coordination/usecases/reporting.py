"""For the reporter: how things stand. The incident's key is the authority; SQL alone answers."""

from __future__ import annotations

from services.coordination.domain.access import Follow, IncidentRef
from services.coordination.domain.views import StatusView
from services.coordination.store import incidents
from services.coordination.usecases.ports import Deps
from services.kernel.authz import Actor, granted_by_record
from services.kernel.db import app_now
from services.kernel.errors import NotPermitted


class Reporting:
    """What a reporter asks."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def get_status(self, actor: Actor, name: str) -> StatusView:
        """How the caller's own incident stands. Raises NotPermitted for every other key and incident.

        States are those that everyone sees: a refusal reads as no answer here too; the reporter's own answers
        are kept by disclosure.
        """
        if not await self._is_own(actor, name):
            await self._deps.follower.look_again(name)
            if not await self._is_own(actor, name):
                raise NotPermitted
        grant = granted_by_record(actor, Follow, IncidentRef(name))
        async with self._deps.database.reading() as conn:
            return await incidents.status(conn, grant, await app_now(conn))

    async def _is_own(self, actor: Actor, name: str) -> bool:
        async with self._deps.database.reading() as conn:
            return await incidents.is_reporter(conn, actor.kid, name)
