"""The doors that every command and read goes through, and what follows a command.

The policy engine is asked first, then SQL decides inside the transaction that acts; both must say yes.
A command commits once per request id, together with the jobs that repeat whatever must follow it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import AlreadyEnded, OrganisationKind, Seats, Standing
from services.directory.policy_sync import PolicySync
from services.directory.store import policy
from services.directory.store.keys import standings
from services.kernel.authz import Actor, Authz
from services.kernel.db import Database, Lock
from services.kernel.errors import NotPermitted, Unavailable
from services.kernel.failpoints import failpoint
from services.kernel.idempotency import remember, remembered
from services.kernel.jobs import Jobs

T = TypeVar("T")

# Long enough for a handful of writes; whatever is left over follows by job.
INLINE_SYNC_S = 0.3


class Disclosure(Protocol):
    """What the directory asks of the service that holds the seats."""

    async def record_affiliation(self, subject: str, organisation: str) -> None:
        """Records, for ever, that a person or system belongs to an organisation."""

    async def end_seats(self, seats: Seats, *, require_successors: bool = False) -> None:
        """Ends every seat held by keys or under appointments."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and which of its requests this is."""

    actor: Actor
    method: str
    body_sha256: bytes
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """What a caller must be: a relation in the policy engine, and its equal in SQL."""

    relation: str = ""
    admin: bool = False
    secretariat: bool = False

    def require(self, standing: Standing) -> None:
        """Refuses whoever SQL does not let through."""
        standing.require(admin=self.admin)
        if self.secretariat and standing.organisation.kind is not OrganisationKind.SECRETARIAT:
            raise NotPermitted


# Possession of a current key decides.
SELF = Door()
MEMBER = Door("member")
ADMIN = Door("admin", admin=True)
APPOINT = Door("can_appoint", admin=True)
# The secretariat's organisation is the caller's own, or its admins are nobody special.
SECRETARIAT = Door("admin", admin=True, secretariat=True)


@dataclass(frozen=True, slots=True)
class Done:
    """What a command changed.

    Attributes:
        names: What the answer is made from; the first is what ended, when something did.
        touched: Organisations and participations whose policy tuples follow.
    """

    names: tuple[str, ...]
    touched: Sequence[str] = ()


Act = Callable[[AsyncConnection, Standing], Awaitable[Done]]


class Doors:
    """Lets callers in, runs their acts once, and sees to what follows."""

    def __init__(self, database: Database, authz: Authz, jobs: Jobs, disclosure: Disclosure) -> None:
        self.database, self.authz, self.jobs, self.disclosure = database, authz, jobs, disclosure
        self.sync = PolicySync(database, authz)

    async def ask(self, actor: Actor, door: Door, on: str = "") -> None:
        """Asks the policy engine about `on`, or the caller's organisation."""
        if not door.relation:
            return
        of = policy.policy_object(on or actor.organisation)
        if not await self.authz.check(actor.user, door.relation, of):
            raise NotPermitted

    async def read(
        self, caller: Caller, door: Door, query: Callable[[AsyncConnection, Standing], Awaitable[T]]
    ) -> T:
        """Returns what the caller may read."""
        await self.ask(caller.actor, door)
        async with self.database.reading() as conn:
            return await query(conn, await _standing(conn, caller, door))

    async def preflight(
        self, caller: Caller, door: Door, check: Callable[[AsyncConnection, Standing], Awaitable[T]]
    ) -> T | None:
        """Checks a command before another service is told of it; None when it was answered before."""

        async def query(conn: AsyncConnection, standing: Standing) -> T | None:
            return None if await answered(conn, caller) else await check(conn, standing)

        return await self.read(caller, door, query)

    async def command(
        self, caller: Caller, door: Door, act: Act, *, on: str = "", ends: bool = False
    ) -> tuple[str, ...]:
        """Runs `act` once for this request id and returns the names of its answer.

        Args:
            caller: Who calls.
            door: What the caller must be.
            act: Checks and changes, in the transaction it is given.
            on: What the policy engine is asked about; the caller's organisation when empty.
            ends: Whether seats end under the answer's first name, before this returns.
        """
        await self.ask(caller.actor, door, on)
        touched: list[str] = []

        async def unit(conn: AsyncConnection) -> tuple[str, ...]:
            standing = await _standing(conn, caller, door)
            if names := await answered(conn, caller):
                return names
            done = await act(conn, standing)
            touched.extend(done.touched)
            await self._follow(conn, done, ends=ends)
            await answer(conn, caller, done.names)
            return done.names

        try:
            names = await self.database.run_unit(unit, Lock(organisation_lock(caller.actor.organisation)))
        except AlreadyEnded as already:
            # The call that ended it may have broken off between the commits, and its job not have run yet.
            await self.end_seats(already.name)
            raise
        if ends:
            await self.end_seats(names[0])
            await failpoint("after_end_seats")
        await self.sync_soon(touched)
        return names

    async def _follow(self, conn: AsyncConnection, done: Done, *, ends: bool) -> None:
        for name in done.touched:
            await self.jobs.defer(conn, "sync_policy", lock=f"sync_policy/{name}", name=name)
        if ends:
            await self.jobs.defer(conn, "end_seats", name=done.names[0])

    async def end_seats(self, name: str) -> None:
        """Ends the seats of an ended member, appointment, participation or organisation. Idempotent."""
        async with self.database.reading() as conn:
            seats = await policy.ended_seats(conn, name)
        await self.disclosure.end_seats(seats)

    async def sync_soon(self, names: Iterable[str]) -> None:
        """Tells the policy engine now, as far as it answers in time; the jobs do the rest."""
        with suppress(Unavailable, TimeoutError, SQLAlchemyError):
            async with asyncio.timeout(INLINE_SYNC_S):
                for name in names:
                    await self.sync_policy(name)

    async def sync_policy(self, name: str) -> None:
        """Makes the policy engine's tuples of an organisation or participation equal to SQL's. Idempotent."""
        await self.sync.make_equal(name)

    async def resweep(self) -> None:
        """Syncs everything."""
        await self.sync.resweep()


def organisation_lock(organisation: str) -> str:
    """The lock under which everything of an organisation changes, one command after another."""
    return f"directory/{organisation}"


async def answered(conn: AsyncConnection, caller: Caller) -> tuple[str, ...] | None:
    """Returns the names of the answer that this request id got before."""
    known = await remembered(
        conn, caller.actor.principal, caller.method, caller.request_id, caller.body_sha256
    )
    return None if known is None else tuple(known.decode().split())


async def answer(conn: AsyncConnection, caller: Caller, names: tuple[str, ...]) -> None:
    """Remembers the names that the answer is made from; never a code or anything else that opens a door."""
    await remember(
        conn,
        caller.actor.principal,
        caller.method,
        caller.request_id,
        caller.body_sha256,
        " ".join(names).encode(),
    )


async def _standing(conn: AsyncConnection, caller: Caller, door: Door) -> Standing:
    found = await standings(conn, [caller.actor.kid])
    if not found:
        raise NotPermitted
    door.require(found[0])
    return found[0]
