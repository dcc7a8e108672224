"""Random closings of seeded reports, through the services' own functions and into their journals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import Appointment, Member, OrganisationState, Participation
from services.directory.domain import Organisation as Party
from services.directory.store import policy, rows
from services.disclosure.domain import CloseReason
from services.disclosure.store import closings, seats
from services.disclosure.usecases.close import Closing
from services.kernel.clock import SystemIds
from services.kernel.db import Database, Lock
from services.kernel.jobs import Jobs
from services.kernel.narrowings import Journal
from tests.support import seeding
from tests.support.seeding import PARTICIPATIONS, PEOPLE, Seeded

RETAKE = (
    """UPDATE disclosure.seats SET closed_time = NULL, close_reason = NULL WHERE grant_name = :incident"""
)
REWRAP = """INSERT INTO disclosure.wraps SELECT name, version, :kid, :incident, incident,
    decode(repeat('00', 1168), 'hex') FROM disclosure.sections WHERE incident = :incident"""
Act = Callable[[AsyncConnection], Awaitable[None]]


class Closer:
    """Closes at random, as much as a share of all reports."""

    def __init__(self, url: str, journals: Path, seeded: Seeded, random: Random) -> None:
        ids = SystemIds()
        self._seeded, self._random = seeded, random
        self._disclosure = Database(
            url, "disclosure", app_name="test", journal=Journal(journals, "disclosure", ids)
        )
        self._directory = Database(
            url, "directory", app_name="test", journal=Journal(journals, "directory", ids)
        )
        self._silent = Database(url, "disclosure", app_name="test")
        self._closing = Closing(Jobs("disclosure", self._disclosure))
        self.closed = 0

    async def close(self) -> None:
        """Closes the pools."""
        for database in (self._disclosure, self._directory, self._silent):
            await database.close()

    async def reports(self, share: float) -> None:
        """Closes something in a share of all reports."""
        kinds = (
            self._withdrawn, self._withdrawn_in_part, self._section, self._report, self._excluded,
            self._organisation_excluded, self._intake, self._superseded, self._revoked,
        )  # fmt: skip
        for number in range(self._seeded.size):
            if self._random.random() < share:
                act = self._random.choice(kinds)(number)
                await self._unit(number, act)

    async def retaken(self, share: float) -> None:
        """Closes the intake of a share of all reports and opens it again, as a reporter who changes twice."""
        for number in range(self._seeded.size):
            if self._random.random() < share:
                await self._unit(number, self._intake(number))
                await self._unit(number, self._taken_again(number))

    async def people(self) -> None:
        """Ends keys, roles and memberships, perhaps a whole organisation; and someone joins another one."""
        people = self._random.sample(range(PEOPLE), 5)
        await self._disclosure.run_unit(lambda conn: seats.end(conn, [seeding.kid(people[0])]))
        await self._disclosure.run_unit(lambda conn: seats.end(conn, [seeding.appointment(people[1])]))
        elsewhere = seeding.organisation(self._random.randrange(PARTICIPATIONS))
        await self._disclosure.run_unit(
            lambda conn: seats.affiliate(conn, seeding.subject(people[2]), elsewhere)
        )
        await self._ended(Member, seeding.member(people[3]))
        await self._ended(Appointment, seeding.appointment(people[4]))
        if self._random.random() < 0.3:
            await self._ended(Participation, seeding.participation(self._random.randrange(PARTICIPATIONS)))
        if self._random.random() < 0.3:
            await self._ended(Party, seeding.organisation(self._random.randrange(PARTICIPATIONS)))
        self.closed += 5

    async def _ended(self, cls: type[Member | Appointment | Participation | Party], name: str) -> None:
        """Ends something at the directory, whose word to the seats leaves no line: a restore must add it."""

        async def unit(conn: AsyncConnection) -> tuple[str, ...]:
            thing = await rows.get(conn, cls, name)
            match thing:
                case Party():
                    await rows.save(conn, replace(thing, state=OrganisationState.LEFT))
                case Member():
                    await rows.save(conn, thing.remove(""))
                case _:
                    await rows.save(conn, thing.end())
            ended = await policy.ended_seats(conn, name)
            return (*ended.kids, *ended.appointments)

        targets = await self._directory.run_unit(unit)
        if targets:
            await self._silent.run_unit(lambda conn: seats.end(conn, targets))

    async def _unit(self, number: int, act: Act) -> None:
        incident = self._seeded.incident(number)

        async def unit(conn: AsyncConnection) -> None:
            await act(conn)
            await closings.rise(conn, incident, epoch=True)

        await self._disclosure.run_unit(unit, Lock(incident))
        self.closed += 1

    def _withdrawn(self, number: int) -> Act:
        notice = self._seeded.notice(number)
        return lambda conn: self._closing.close_pairs(conn, notice, [], [], CloseReason.WITHDRAWN)

    def _withdrawn_in_part(self, number: int) -> Act:
        notice, kid = self._seeded.notice(number), self._one(number)
        return lambda conn: self._closing.close_pairs(conn, notice, [kid], [], CloseReason.WITHDRAWN)

    def _section(self, number: int) -> Act:
        notice, section = self._seeded.notice(number), self._seeded.section(number, 2)
        return lambda conn: self._closing.close_pairs(conn, notice, [], [section], CloseReason.WITHDRAWN)

    def _report(self, number: int) -> Act:
        return lambda conn: self._closing.close_report(conn, self._seeded.incident(number))

    def _excluded(self, number: int) -> Act:
        return self._excluding(number, seeding.subject(self._random.choice(self._seeded.readers(number))))

    def _organisation_excluded(self, number: int) -> Act:
        return self._excluding(number, seeding.organisation(self._random.randrange(PARTICIPATIONS)))

    def _excluding(self, number: int, target: str) -> Act:
        incident = self._seeded.incident(number)

        async def act(conn: AsyncConnection) -> None:
            await closings.exclude(conn, incident, [target])
            await closings.leave_out_excluded(conn, incident)
            await self._closing.close_lost_seats(conn, incident)

        return act

    def _intake(self, number: int) -> Act:
        incident, kids = self._seeded.incident(number), [seeding.kid(self._seeded.handler(number))]
        reason = CloseReason.INTAKE_CHANGED
        return lambda conn: self._closing.close_seats(conn, incident, incident, kids, reason)

    def _taken_again(self, number: int) -> Act:
        names = {
            "incident": self._seeded.incident(number),
            "kid": seeding.kid(self._seeded.handler(number)),
        }

        async def act(conn: AsyncConnection) -> None:
            await conn.execute(text(RETAKE), names)
            await conn.execute(text(REWRAP), names)

        return act

    def _superseded(self, number: int) -> Act:
        return lambda conn: self._closing.supersede(conn, self._seeded.notice(number))

    def _revoked(self, number: int) -> Act:
        notice = self._seeded.notice(number)
        return lambda conn: self._closing.close_notice(conn, notice, CloseReason.DECISION_REVOKED)

    def _one(self, number: int) -> str:
        return seeding.kid(self._random.choice(self._seeded.readers(number)))
