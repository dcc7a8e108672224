"""What the use cases need of other services and of each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain.clocks import Periods
from services.coordination.domain.facts import IncidentSnapshot
from services.kernel.authz import Authz
from services.kernel.clock import Clock
from services.kernel.db import Database, Lock
from services.kernel.idempotency import remember, remembered
from services.kernel.pages import Pages
from services.kernel.rpc import Call

T = TypeVar("T")


class Disclosure(Protocol):
    """Where incidents are decided."""

    async def snapshot(self, incident: str, budget_s: float) -> IncidentSnapshot | None:
        """What coordination may know of `incident`; None when there is none. Raises Unavailable."""

    async def versions(self, after: str, limit: int) -> list[tuple[str, int]]:
        """Incidents after a name, by name, with their versions. Raises Unavailable."""


class Directory(Protocol):
    """Where names as shown are kept."""

    async def titles(self, participations: Collection[str], budget_s: float) -> Mapping[str, str]:
        """Titles of participations and their productions, by name, where known. Raises Unavailable."""

    async def independent_title(self, budget_s: float) -> str:
        """The independent point's title; empty when there is none. Raises Unavailable."""


class Follower(Protocol):
    """Follows disclosure."""

    async def look_again(self, incident: str) -> None:
        """Pulls once, within what a closed door has of time. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases of callers share."""

    database: Database
    authz: Authz
    pages: Pages
    clock: Clock
    follower: Follower
    periods: Periods


def lock_on(incident: str) -> Lock:
    """This service's lock on an incident; not the one that openings take, which is disclosure's."""
    return Lock(f"coordination/{incident}")


async def once(
    deps: Deps,
    call: Call,
    request_id: str,
    incident: str,
    *,
    act: Callable[[AsyncConnection], Awaitable[None]],
    view: Callable[[AsyncConnection], Awaitable[T]],
) -> T:
    """Does `act` once per request id and answers with what stands then; after authorisation only.

    A repeated call is answered with the present view, so that nothing old is told again.
    """
    names = (call.actor.principal, call.method, request_id, call.body_sha256)

    async def unit(conn: AsyncConnection) -> T:
        if await remembered(conn, *names) is None:
            await act(conn)
            await remember(conn, *names, b"")
        return await view(conn)

    return await deps.database.run_unit(unit, lock=lock_on(incident))
