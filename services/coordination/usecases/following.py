"""Follows disclosure: when informed, when looking again before a refusal, and by mending sweeps."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from services.coordination.domain.clocks import Periods
from services.coordination.domain.facts import IncidentSnapshot
from services.coordination.store import following, titles
from services.coordination.store.inbox import INDEPENDENT
from services.coordination.usecases.ports import Directory, Disclosure, lock_on
from services.kernel.db import Database, app_now
from services.kernel.errors import Refusal
from services.kernel.failpoints import failpoint

PAGE = 500
TITLES_AT_ONCE = 63


class Following:
    """Keeps this service's copy at disclosure's heels.

    Args:
        database: The own schema.
        disclosure: Whom to follow.
        directory: Where titles come from; while it is away, stubs lack them until the sweep brings them.
        periods: How long clocks run.
        inform_budget_s: The longest wait for a peer when informed, or in a sweep.
        look_again_budget_s: The longest wait for a peer before a refusal, well below the refusal floor.
        titles_age: How old a title may grow before it is read again.
    """

    def __init__(
        self,
        database: Database,
        disclosure: Disclosure,
        directory: Directory,
        periods: Periods,
        *,
        inform_budget_s: float,
        look_again_budget_s: float,
        titles_age: timedelta,
    ) -> None:
        self._database, self._disclosure, self._directory = database, disclosure, directory
        self._periods, self._titles_age = periods, titles_age
        self._inform_budget_s, self._look_again_budget_s = inform_budget_s, look_again_budget_s

    async def inform(self, incident: str) -> None:
        """Pulls what coordination may know of `incident` and applies it if it is newer. Idempotent.

        Disclosure informs once the policy holds what it tells. Only then is a stub announced again that a
        stream came to send too early: a sweep or a look before a refusal may have pulled it ahead of that.
        """
        await self._follow(incident, self._inform_budget_s, informed=True)

    async def look_again(self, incident: str) -> None:
        """The same within a closed door's time: before it refuses for a row that may only be late."""
        await self._follow(incident, self._look_again_budget_s, informed=False)

    async def _follow(self, incident: str, budget_s: float, *, informed: bool) -> None:
        told = await self._disclosure.snapshot(incident, budget_s)
        await failpoint("after_pull")
        if told is None:
            return
        await self._learn_titles(told, budget_s / 2)

        async def unit(conn: AsyncConnection) -> None:
            await following.apply(conn, told, await app_now(conn), self._periods, informed=informed)

        await self._database.run_unit(unit, lock=lock_on(incident))

    async def _learn_titles(self, told: IncidentSnapshot, budget_s: float) -> None:
        """Reads titles that are missing; those that cannot be had now are left to the sweep."""
        offered = [notice for notice in told.notices if notice.offer_time]
        if not offered:
            return
        names = {INDEPENDENT} | {name for notice in offered for name in (notice.sender, notice.recipient)}
        async with self._database.reading() as conn:
            missing = await titles.unknown(conn, names)
        if missing:
            await self._database.run_unit(lambda conn: titles.expect(conn, missing))
            try:
                await self._read_titles(missing, budget_s)
            except Refusal:
                return

    async def _read_titles(self, names: set[str], budget_s: float) -> None:
        asked = sorted(names - {INDEPENDENT})[:TITLES_AT_ONCE]
        # What the directory does not know has no title, until it is asked again.
        found = dict.fromkeys(asked, "")
        if asked:
            found |= await self._directory.titles(asked, budget_s)
        if INDEPENDENT in names:
            found[INDEPENDENT] = await self._directory.independent_title(budget_s)
        await self._database.run_unit(lambda conn: titles.learn(conn, found))

    async def resync(self) -> None:
        """Sweep: pulls whatever is behind, so that no lost job matters. One failure stops no other."""
        after, failures = "", list[Exception]()
        while page := await self._disclosure.versions(after, PAGE):
            async with self._database.reading() as conn:
                applied = await following.versions(conn, [name for name, _ in page])
            for name, version in page:
                if applied.get(name, -1) < version:
                    failures += await self._caught_up(name)
            after = page[-1][0]
        if failures:
            raise failures[0]

    async def _caught_up(self, incident: str) -> list[Exception]:
        try:
            await self._follow(incident, self._inform_budget_s, informed=False)
        except Exception as failure:  # noqa: BLE001  # raised at the end of the sweep
            return [failure]
        return []

    async def refresh_titles(self) -> None:
        """Sweep: reads old titles again and settles the stubs that bear one that changed."""
        async with self._database.reading() as conn:
            old = await titles.stale(conn, await app_now(conn) - self._titles_age, TITLES_AT_ONCE)
        if old:
            await self._read_titles(set(old), self._inform_budget_s)
        async with self._database.reading() as conn:
            changed = await titles.unspread(conn)
        for name, title in changed.items():
            await self._spread(name)
            await self._database.run_unit(partial(titles.mark_spread, name=name, title=title))

    async def _spread(self, name: str) -> None:
        after = ""
        while True:
            async with self._database.reading() as conn:
                page = await titles.bearers(conn, name, after, PAGE)
            for incident in page:
                await self._settle(incident)
            if len(page) < PAGE:
                return
            after = page[-1]

    async def _settle(self, incident: str) -> None:
        async def unit(conn: AsyncConnection) -> None:
            await following.settle(conn, incident, await app_now(conn), self._periods)

        await self._database.run_unit(unit, lock=lock_on(incident))
