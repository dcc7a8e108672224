"""The shape that commands share: standing, then the remembered answer, then the work, then its memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.errors import StatementForeign
from meldbrug.crypto.statements import StatementKind, verify
from services.disclosure.store import acts, reports
from services.disclosure.store.access import Handle, IncidentRef
from services.disclosure.usecases.deps import Deps
from services.kernel.authz import Grant
from services.kernel.db import Lock
from services.kernel.idempotency import remember, remembered
from services.kernel.rpc import Call

M = TypeVar("M", bound=Message)
S = TypeVar("S", bound=Message)
Work = Callable[[AsyncConnection, Row[Any]], Awaitable[M]]
Standing = Callable[[AsyncConnection], Awaitable[Row[Any]]]


class Request(Protocol):
    """A command as it comes in."""

    @property
    def request_id(self) -> str:
        """What the caller repeats it with."""


async def own_command(
    deps: Deps,
    call: Call,
    request: Request,
    answer: type[M],
    work: Work[M],
    *,
    incident: str,
    on_standing: Callable[[], object] | None = None,
) -> M:
    """Runs a reporter's command once, in one transaction under the exclusive lock of the incident.

    `on_standing` is called once it is known that the incident is the caller's, before the lock.

    Raises:
        NotPermitted: the incident is not the caller's, or there is none.
    """

    async def standing(conn: AsyncConnection) -> Row[Any]:
        return (await reports.owned(conn, call.actor, incident))[0]

    return await command(
        deps, call, request, answer, work, standing, incident=incident, on_standing=on_standing
    )


async def handler_command(
    deps: Deps,
    call: Call,
    request: Request,
    answer: type[M],
    work: Work[M],
    grant: Grant[Handle, IncidentRef],
) -> M:
    """Runs a handler's command the same way; the seat is read under the lock, whatever the policy said."""

    async def standing(conn: AsyncConnection) -> Row[Any]:
        return await reports.handled(conn, call.actor, grant.on.name)

    return await command(deps, call, request, answer, work, standing, incident=grant.on.name)


async def command(
    deps: Deps,
    call: Call,
    request: Request,
    answer: type[M],
    work: Work[M],
    standing: Standing,
    *,
    incident: str,
    on_standing: Callable[[], object] | None = None,
) -> M:
    """Runs a command once: one that was done is answered as it was then.

    Standing is read before the lock too: who has none must not be able to hold the lock of those who have.
    """
    async with deps.database.reading() as conn:
        await standing(conn)
    if on_standing:
        on_standing()

    async def unit(conn: AsyncConnection) -> M:
        row = await standing(conn)
        given = await _remembered(conn, call, request)
        if given is not None:
            return answer.FromString(given)
        result = await work(conn, row)
        await remember(
            conn,
            call.actor.principal,
            call.method,
            request.request_id,
            call.body_sha256,
            result.SerializeToString(),
        )
        return result

    return await deps.database.run_unit(unit, Lock(incident))


async def replayed(conn: AsyncConnection, call: Call, request: Request, answer: type[M]) -> M | None:
    """The answer to the same call before: commands that ask others first look here before they do.

    A report that is in stays in, even when a handler it names has left since.
    """
    given = await _remembered(conn, call, request)
    return None if given is None else answer.FromString(given)


async def _remembered(conn: AsyncConnection, call: Call, request: Request) -> bytes | None:
    return await remembered(conn, call.actor.principal, call.method, request.request_id, call.body_sha256)


async def spoken_by_reporter(
    deps: Deps,
    conn: AsyncConnection,
    row: Row[Any],
    kind: StatementKind,
    signed: common_pb2.Signed,
    cls: type[S],
    *,
    notice: str = "",
) -> S:
    """Returns the reporter's statement once its signature, its binding and its sequence hold.

    Args:
        deps: What the use case was handed.
        conn: The transaction.
        row: The incident.
        kind: Which statement it must be.
        signed: The statement as received.
        cls: Its message.
        notice: The notice it must speak of; empty when it speaks of the incident.
    """
    keys = PublicKeys(row.reporter_signing, row.reporter_sealing)
    said = verify(kind, signed, keys, cls)
    require_bound(said, installation=deps.installation, incident=row.name, notice=notice)
    await acts.advance(conn, row.name, keys.kid, said.sequence)  # type: ignore[attr-defined]  # every statement has one
    return said


def require_bound(said: Message, **bindings: str) -> None:
    """Holds a statement to what it must speak of. Raises StatementForeign."""
    for name, value in bindings.items():
        if value and getattr(said, name, value) != value:
            raise StatementForeign(name)
