"""What the directory tells: to anyone with a code, to members, and to the other services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, true
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import (
    Book,
    Circle,
    Contact,
    Key,
    Member,
    MemberState,
    Organisation,
    Participation,
    Production,
    Resource,
    Standing,
)
from services.directory.store import books, circles, keys, rows
from services.directory.store.keys import Enrolled
from services.directory.store.rows import Condition
from services.directory.store.tables import members, participations
from services.directory.usecases.doors import ADMIN, MEMBER, SECRETARIAT, SELF, Caller, Door, Doors
from services.directory.usecases.vouching import public_keys
from services.kernel.db import app_now
from services.kernel.errors import InvalidArgument, NotPermitted
from services.kernel.key_ring import KeyState, KnownKey
from services.kernel.pages import Pages

R = TypeVar("R", bound=Resource)
DEFAULT_PAGE = 50
LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is asked for."""

    size: int
    token: str


class Lookups:
    """Use cases that change nothing."""

    def __init__(self, doors: Doors, pages: Pages, installation: str) -> None:
        self.doors, self.pages, self.installation = doors, pages, installation

    async def installation_root(self) -> tuple[Key, datetime]:
        """Returns the root's public key and the time."""
        async with self.doors.database.reading() as conn:
            (root,) = await keys.standings(conn, [self.installation])
            return root.key, await app_now(conn)

    async def production_by_code(self, code: str) -> Circle:
        """Returns the circle of the production with this code, without the code."""
        async with self.doors.database.reading() as conn:
            return _without_codes(await circles.entry(conn, await circles.production_by_code(conn, code)))

    async def standing_entry(self) -> Circle:
        """Returns the independent point's circle."""
        async with self.doors.database.reading() as conn:
            return await circles.entry(conn, None)

    async def me(self, caller: Caller) -> tuple[Standing, tuple[Contact, ...]]:
        """Returns the caller's membership and current roles."""

        async def query(conn: AsyncConnection, standing: Standing) -> tuple[Standing, tuple[Contact, ...]]:
            return standing, await circles.current_roles(conn, standing.member.name)

        return await self.doors.read(caller, SELF, query)

    async def circle(self, caller: Caller, production: str) -> Circle:
        """Returns the circle of a production that the caller's organisation takes part in."""

        async def query(conn: AsyncConnection, standing: Standing) -> Circle:
            own = standing.organisation.name
            return await circles.entry(conn, await circles.own_production(conn, production, own))

        return await self.doors.read(caller, MEMBER, query)

    async def look_up_keys(self, caller: Caller, kids: Sequence[str]) -> tuple[Book, tuple[Contact, ...]]:
        """Returns what vouches for keys, and the roles that their holders have or had."""

        async def query(conn: AsyncConnection, _: Standing) -> tuple[Book, tuple[Contact, ...]]:
            holders = {standing.member.name for standing in await keys.standings(conn, kids)}
            roles = await circles.roles(conn, holders)
            return await books.book(conn, kids, None, pending=kids), roles

        return await self.doors.read(caller, MEMBER, query)

    async def look_up_participations(self, caller: Caller, organisation: str) -> Circle:
        """Returns where an organisation takes part, for members of the independent point."""

        async def query(conn: AsyncConnection, standing: Standing) -> Circle:
            if not await circles.is_independent_point(conn, standing.organisation.name):
                raise NotPermitted
            return _without_codes(await circles.circle_of(conn, organisation))

        return await self.doors.read(caller, MEMBER, query)

    async def list_productions(self, caller: Caller, page: PageRequest) -> tuple[tuple[Production, ...], str]:
        """Returns productions that the caller's organisation takes part in."""
        return await self._list(caller, MEMBER, Production, page, circles.takes_part)

    async def list_members(self, caller: Caller, page: PageRequest) -> tuple[tuple[Enrolled, ...], str]:
        """Returns members of the caller's organisation, with their keys."""
        found, more = await self._list(caller, ADMIN, Member, page, _members)
        return await self._with_keys(found), more

    async def list_participations(
        self, caller: Caller, page: PageRequest
    ) -> tuple[tuple[Participation, ...], Mapping[str, tuple[str, str]], str]:
        """Returns participations of the caller's organisation, and what `circles.titles` tells of them.

        Who is asked to take part sees of what, and by whom, before they say yes.
        """
        found, more = await self._list(caller, ADMIN, Participation, page, _participations)
        async with self.doors.database.reading() as conn:
            return found, await circles.titles(conn, found), more

    async def list_organisations(
        self, caller: Caller, page: PageRequest
    ) -> tuple[tuple[Organisation, ...], str]:
        """Returns all organisations, for the secretariat."""
        return await self._list(caller, SECRETARIAT, Organisation, page, _all)

    async def list_pending_admins(
        self, caller: Caller, page: PageRequest
    ) -> tuple[tuple[Enrolled, ...], str]:
        """Returns members whose keys wait for the root's endorsement."""
        found, more = await self._list(caller, SECRETARIAT, Member, page, _pending)
        return await self._with_keys(found), more

    async def _with_keys(self, found: Sequence[Member]) -> tuple[Enrolled, ...]:
        async with self.doors.database.reading() as conn:
            return await keys.with_keys(conn, found)

    async def _list(
        self,
        caller: Caller,
        door: Door,
        cls: type[R],
        page: PageRequest,
        condition: Condition,
    ) -> tuple[tuple[R, ...], str]:
        size = min(page.size or DEFAULT_PAGE, LARGEST_PAGE)
        principal = caller.actor.principal

        async def query(conn: AsyncConnection, standing: Standing) -> tuple[R, ...]:
            after = self._after(principal, caller.method, page.token)
            return await rows.page(conn, cls, condition, standing.organisation.name, after, size + 1)

        found = await self.doors.read(caller, door, query)
        more = self.pages.seal(principal, caller.method, (found[size - 1].name,)) if len(found) > size else ""
        return found[:size], more

    def _after(self, principal: str, method: str, token: str) -> str:
        if not token:
            return ""
        match self.pages.open(principal, method, token):
            case (str(name),):
                return name
            case _:
                raise InvalidArgument("PAGE_TOKEN_INVALID")

    async def resolve_keys(self, kids: Sequence[str]) -> list[Standing]:
        """Returns what is known of keys."""
        async with self.doors.database.reading() as conn:
            return await keys.standings(conn, kids)

    async def fetch_circle(self, production: str) -> Circle:
        """Returns the circle of a production, or the standing entry when none is named."""
        async with self.doors.database.reading() as conn:
            if not production:
                return await circles.entry(conn, None)
            return _without_codes(await circles.entry(conn, await rows.get(conn, Production, production)))

    async def fetch_participations(self, names: Sequence[str]) -> Circle:
        """Returns participations in any state, with the contacts that count now."""
        async with self.doors.database.reading() as conn:
            return _without_codes(await circles.circle(conn, names))

    async def fetch_book(self, kids: Sequence[str]) -> Book:
        """Returns what vouches for keys."""
        async with self.doors.database.reading() as conn:
            return await books.book(conn, kids, None, pending=kids)

    async def known_keys(self, kids: Sequence[str]) -> list[KnownKey]:
        """Returns what is known of keys, as the key ring of this service's own callers."""
        return [_known(standing) for standing in await self.resolve_keys(kids)]


def _members(own: str) -> ColumnElement[bool]:
    return members.c.organisation == own


def _participations(own: str) -> ColumnElement[bool]:
    return participations.c.organisation == own


def _all(_own: str) -> ColumnElement[bool]:
    return true()


def _pending(_own: str) -> ColumnElement[bool]:
    return and_(members.c.admin, members.c.state == MemberState.KEY_PENDING)


def _known(standing: Standing) -> KnownKey:
    return KnownKey(
        kid=standing.key.kid,
        keys=public_keys(standing.key),
        subject=standing.member.subject,
        organisation=standing.organisation.name,
        member=standing.member.name,
        admin=standing.member.admin,
        state=KeyState.ACTIVE if standing.active else KeyState.ENDED,
    )


def _without_codes(circle: Circle) -> Circle:
    return replace(
        circle, productions=tuple(replace(production, code="") for production in circle.productions)
    )
