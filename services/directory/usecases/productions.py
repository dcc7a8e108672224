"""Productions, who takes part in them, and who is appointed there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1.common_pb2 import Signed as SignedMessage
from meldbrug.crypto import statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1 import statements_pb2 as wire
from services.directory.domain import (
    MAX_CONTACTS_EACH,
    MAX_PARTICIPATIONS,
    Appointment,
    Capacity,
    Contact,
    Organisation,
    OrganisationKind,
    OrganisationState,
    Participation,
    ParticipationState,
    Production,
    Standing,
    WrongState,
    require_state,
)
from services.directory.store import circles, keys, rows
from services.directory.usecases import vouching
from services.directory.usecases.doors import (
    ADMIN,
    APPOINT,
    SECRETARIAT,
    Caller,
    Done,
    Door,
    Doors,
    organisation_lock,
)
from services.kernel.clock import Ids
from services.kernel.db import advisory_lock
from services.kernel.errors import InvalidArgument, NotPermitted
from services.kernel.narrowings import note


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """What a lead says of its production."""

    title: str
    start_time: datetime
    end_time: datetime
    isan: str = ""
    eidr: str = ""


class Productions:
    """Use cases of organisations on productions."""

    def __init__(self, doors: Doors, ids: Ids, installation: str) -> None:
        self.doors, self.ids, self.installation = doors, ids, installation

    async def register_production(
        self, caller: Caller, said: Particulars
    ) -> tuple[Production, Participation]:
        """Registers a production that the caller's organisation leads and takes part in."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            lead = standing.organisation.name
            production = Production(
                name=f"productions/{self.ids.new_id()}",
                title=said.title,
                lead=lead,
                start_time=said.start_time,
                end_time=said.end_time,
                isan=said.isan,
                eidr=said.eidr,
                code=self.ids.new_id(),
            )
            await rows.add(conn, production)
            participation = await self._add_participation(
                conn, production.name, lead, ParticipationState.ACCEPTED
            )
            return Done((production.name, participation), (participation,))

        production, participation = await self.doors.command(caller, ADMIN, act)
        async with self.doors.database.reading() as conn:
            return await rows.get(conn, Production, production), await rows.get(
                conn, Participation, participation
            )

    async def update_production(self, caller: Caller, name: str, said: Particulars, etag: str) -> Production:
        """Changes what the lead says of its production."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            production = await _led(conn, standing, name)
            production.require_etag(etag)
            changed = replace(
                production,
                title=said.title,
                start_time=said.start_time,
                end_time=said.end_time,
                isan=said.isan,
                eidr=said.eidr,
            )
            return Done(((await rows.save(conn, changed)).name,))

        await self.doors.command(caller, ADMIN, act)
        return await self._production(name)

    async def rotate_production_code(self, caller: Caller, name: str) -> Production:
        """Replaces the code of a production; the old one ends at once."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            production = await _led(conn, standing, name)
            changed = await rows.save(conn, replace(production, code=self.ids.new_id()))
            note("code", production=name, version=changed.version)
            return Done((name,))

        await self.doors.command(caller, ADMIN, act)
        return await self._production(name)

    async def propose_participation(
        self, caller: Caller, production: str, organisation: str
    ) -> Participation:
        """Proposes that an organisation takes part in a production that the caller's organisation leads."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            await _led(conn, standing, production)
            invited = await rows.get(conn, Organisation, organisation)
            if invited.state is not OrganisationState.ACTIVE:
                raise NotPermitted
            full = await circles.count_participations(conn, production) >= MAX_PARTICIPATIONS
            if full or invited.kind is OrganisationKind.INDEPENDENT_POINT:
                raise WrongState
            name = await self._add_participation(conn, production, organisation, ParticipationState.PROPOSED)
            return Done((name,), (name,))

        (name,) = await self.doors.command(caller, ADMIN, act)
        return await self._participation(name)

    async def _add_participation(
        self, conn: AsyncConnection, production: str, organisation: str, state: ParticipationState
    ) -> str:
        name = f"participations/{self.ids.new_id()}"
        participation = Participation(
            name=name, production=production, organisation=organisation, state=state
        )
        if not await rows.add(conn, participation):
            raise WrongState
        return name

    async def accept_participation(self, caller: Caller, name: str) -> Participation:
        """Accepts a proposed participation of the caller's organisation."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            participation = await _own(conn, standing, name)
            await rows.save(conn, participation.accept())
            return Done((name,), (name,))

        await self.doors.command(caller, ADMIN, act)
        return await self._participation(name)

    async def end_participation(self, caller: Caller, name: str) -> Participation:
        """Ends a participation of the caller's organisation; its readers' seats end before this returns."""
        return await self._end(caller, ADMIN, name)

    async def close_participation(self, caller: Caller, name: str) -> Participation:
        """Ends anyone's participation, for the secretariat."""
        return await self._end(caller, SECRETARIAT, name)

    async def _end(self, caller: Caller, door: Door, name: str) -> Participation:
        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            find = rows.get(conn, Participation, name) if door.secretariat else _own(conn, standing, name)
            await advisory_lock(conn, organisation_lock((await find).organisation))
            await rows.save(conn, (await rows.get(conn, Participation, name)).end())
            return Done((name,), (name,))

        await self.doors.command(caller, door, act, ends=True)
        return await self._participation(name)

    async def appoint_member(self, caller: Caller, signed: SignedMessage) -> Contact:
        """Appoints a member of the participation's organisation, as the caller's key has signed."""
        claimed = statements.parse(StatementKind.APPOINTMENT, signed, wire.Appointment)

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            place = await _own(conn, standing, claimed.participation)
            said = statements.verify(
                StatementKind.APPOINTMENT, signed, vouching.public_keys(standing.key), wire.Appointment
            )
            vouching.require_here(said, self.installation, place.organisation)
            require_state(place.state, ParticipationState.ACCEPTED)
            holder = next(iter(await keys.standings(conn, [said.kid])), None)
            vouching.require_appointment(said, place, holder)
            await self._require_room(conn, said)
            await vouching.use_sequence(conn, said.signer_kid, said)
            member = holder.member.name if holder else ""
            appointment = _appointment(said, member)
            if not await rows.add(conn, appointment, statement=signed.statement, signature=signed.signature):
                # The same role once more, or a name that is taken.
                raise WrongState
            return Done((said.appointment,), (said.participation,))

        (name,) = await self.doors.command(caller, APPOINT, act, on=claimed.participation)
        return await self._contact(name)

    async def _require_room(self, conn: AsyncConnection, said: wire.Appointment) -> None:
        current = await circles.current_appointments(conn, said.participation)
        if len(current) >= MAX_CONTACTS_EACH:
            raise WrongState
        peers = {
            other.name
            for other in current
            if other.capacity is Capacity(said.capacity) and not other.deputy_of
        }
        if said.deputy_of and said.deputy_of not in peers:
            raise InvalidArgument("APPOINTMENT_BROKEN")

    async def end_appointment(self, caller: Caller, name: str) -> Contact:
        """Ends a role; the seats held under it end before this returns."""
        async with self.doors.database.reading() as conn:
            where = (await rows.get(conn, Appointment, name)).participation

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            appointment = await rows.get(conn, Appointment, name)
            if appointment.organisation != standing.organisation.name:
                raise NotPermitted
            await rows.save(conn, appointment.end())
            return Done((name,), (where,))

        await self.doors.command(caller, APPOINT, act, on=where, ends=True)
        return await self._contact(name)

    async def _production(self, name: str) -> Production:
        async with self.doors.database.reading() as conn:
            return await rows.get(conn, Production, name)

    async def _participation(self, name: str) -> Participation:
        async with self.doors.database.reading() as conn:
            return await rows.get(conn, Participation, name)

    async def _contact(self, name: str) -> Contact:
        async with self.doors.database.reading() as conn:
            return await circles.role(conn, name)


async def _led(conn: AsyncConnection, standing: Standing, name: str) -> Production:
    production = await rows.get(conn, Production, name)
    if production.lead != standing.organisation.name:
        raise NotPermitted
    return production


async def _own(conn: AsyncConnection, standing: Standing, name: str) -> Participation:
    participation = await rows.get(conn, Participation, name)
    if participation.organisation != standing.organisation.name:
        raise NotPermitted
    return participation


def _appointment(said: wire.Appointment, member: str) -> Appointment:
    return Appointment(
        name=said.appointment,
        organisation=said.organisation,
        participation=said.participation,
        capacity=Capacity(said.capacity),
        role=said.role,
        member=member,
        subject=said.subject,
        kid=said.kid,
        deputy_of=said.deputy_of,
        signer_kid=said.signer_kid,
    )
