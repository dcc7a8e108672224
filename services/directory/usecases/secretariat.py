"""What the secretariat does: it admits organisations and changes how they stand."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import (
    Member,
    Organisation,
    OrganisationKind,
    OrganisationState,
    Participation,
    ParticipationState,
    Standing,
    SubjectKind,
    WrongState,
)
from services.directory.store import policy, rows
from services.directory.usecases.doors import SECRETARIAT, Caller, Done, Doors, organisation_lock
from services.directory.usecases.invitations import Invitations, Invitee
from services.kernel.clock import Ids
from services.kernel.db import advisory_lock
from services.kernel.errors import InvalidField, NotPermitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the secretariat says of an organisation; no state leaves it as it is."""

    title: str
    kind: OrganisationKind
    umbrella: str = ""
    state: OrganisationState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """An admitted organisation; the standing participation is the independent point's only."""

    organisation: Organisation
    admin: Member
    code: str
    participation: Participation | None


class Secretariat:
    """Use cases of the secretariat."""

    def __init__(self, doors: Doors, invitations: Invitations, ids: Ids) -> None:
        self.doors, self.invitations, self.ids = doors, invitations, ids

    async def admit_organisation(self, caller: Caller, wanted: Wanted, admin_title: str) -> Admission:
        """Admits an organisation and invites its first admin."""
        if wanted.kind is OrganisationKind.SECRETARIAT:
            raise InvalidField("organisation.kind", "the installation has its secretariat")

        async def act(conn: AsyncConnection, _: Standing) -> Done:
            await _require_umbrella(conn, wanted.umbrella)
            name = f"organisations/{self.ids.new_id()}"
            organisation = Organisation(
                name=name, title=wanted.title, kind=wanted.kind, umbrella=wanted.umbrella
            )
            if not await rows.add(conn, organisation):
                # Only the independent point can be there already.
                raise WrongState
            standing = await self._standing_participation(conn, organisation)
            whom = Invitee(title=admin_title, subject_kind=SubjectKind.PERSON, admin=True)
            admin = await self.invitations.invite(conn, name, whom)
            return Done((name, admin.name, *standing), (name, *standing))

        names = await self.doors.command(caller, SECRETARIAT, act)
        return await self._admission(names)

    async def _standing_participation(
        self, conn: AsyncConnection, organisation: Organisation
    ) -> tuple[str, ...]:
        if organisation.kind is not OrganisationKind.INDEPENDENT_POINT:
            return ()
        name = f"participations/{self.ids.new_id()}"
        await rows.add(
            conn,
            Participation(
                name=name,
                organisation=organisation.name,
                state=ParticipationState.ACCEPTED,
                independent=True,
            ),
        )
        return (name,)

    async def _admission(self, names: tuple[str, ...]) -> Admission:
        organisation, admin, *standing = names
        async with self.doors.database.reading() as conn:
            return Admission(
                organisation=await rows.get(conn, Organisation, organisation),
                admin=await rows.get(conn, Member, admin),
                code=self.invitations.code(admin),
                participation=await rows.get(conn, Participation, standing[0]) if standing else None,
            )

    async def update_organisation(self, caller: Caller, name: str, wanted: Wanted, etag: str) -> Organisation:
        """Changes an organisation. When it left, its keys' seats end before this returns."""
        leaves = wanted.state is OrganisationState.LEFT

        async def act(conn: AsyncConnection, _: Standing) -> Done:
            await advisory_lock(conn, organisation_lock(name))
            organisation = await rows.get(conn, Organisation, name)
            organisation.require_etag(etag)
            if wanted.umbrella != organisation.umbrella:
                await _require_umbrella(conn, wanted.umbrella)
            changed = organisation.updated(wanted.title, wanted.kind, wanted.umbrella, wanted.state)
            await rows.save(conn, changed)
            moved = changed.state is not organisation.state
            return Done((name,), await policy.touched_by_organisation(conn, name) if moved else ())

        await self.doors.command(caller, SECRETARIAT, act, ends=leaves)
        async with self.doors.database.reading() as conn:
            return await rows.get(conn, Organisation, name)


async def _require_umbrella(conn: AsyncConnection, name: str) -> None:
    if not name:
        return
    try:
        umbrella = await rows.get(conn, Organisation, name)
    except NotPermitted:
        raise InvalidField("organisation.umbrella", "is no umbrella organisation") from None
    if umbrella.kind is not OrganisationKind.UMBRELLA:
        raise InvalidField("organisation.umbrella", "is no umbrella organisation")
