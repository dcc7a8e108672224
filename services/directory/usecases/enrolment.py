"""Becoming a member, and leaving."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1.common_pb2 import Signed as SignedMessage
from meldbrug.crypto import CryptoError, PublicKeys, statements, tokens
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1 import statements_pb2 as wire
from services.directory.domain import (
    COLLECTIONS,
    InvitationInvalid,
    Member,
    MemberState,
    Organisation,
    OrganisationState,
    Signed,
    Standing,
    WrongState,
    require_state,
)
from services.directory.store import keys, policy, rows
from services.directory.store.keys import Enrolled, enrolled
from services.directory.store.tables import invitations, members
from services.directory.usecases import vouching
from services.directory.usecases.doors import (
    ADMIN,
    SECRETARIAT,
    Caller,
    Done,
    Door,
    Doors,
    answer,
    answered,
    organisation_lock,
)
from services.directory.usecases.invitations import Invitations, Invitee, code_digest
from services.directory.usecases.vouching import own_key
from services.kernel.db import advisory_lock, app_now
from services.kernel.errors import InvalidArgument, InvalidField, NotPermitted
from services.kernel.failpoints import failpoint

ACCEPT = "/meldbrug.directory.v1.EnrolmentService/AcceptInvitation"


class Enrolment:
    """Use cases around memberships and their keys."""

    def __init__(self, doors: Doors, invitations_: Invitations, installation: str) -> None:
        self.doors, self.invitations, self.installation = doors, invitations_, installation

    async def invite_member(self, caller: Caller, whom: Invitee) -> tuple[Enrolled, str]:
        """Invites a person or system; returns the membership and the code."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            if whom.subject:
                await _require_subject(conn, whom)
            return Done(((await self.invitations.invite(conn, standing.organisation.name, whom)).name,))

        (name,) = await self.doors.command(caller, ADMIN, act)
        return await enrolled(self.doors.database, name), self.invitations.code(name)

    async def accept_invitation(self, caller: Caller, code: str, proof: str) -> Enrolled:
        """Hands the newcomer's key to the organisation that invited it; the same key as often as it asks.

        Args:
            caller: Who calls.
            code: The invitation's.
            proof: A token by a key of whom the invitation names; needed where they are known already.
        """

        async def unit(conn: AsyncConnection) -> str:
            digest = code_digest(code)
            await _lock_invited(conn, digest)
            if names := await answered(conn, caller):
                return names[0]
            name = await _taken(conn, digest, caller) or await self._take(conn, digest, caller, proof)
            await answer(conn, caller, (name,))
            return name

        return await enrolled(self.doors.database, await self.doors.database.run_unit(unit))

    async def _take(self, conn: AsyncConnection, digest: bytes, caller: Caller, proof: str) -> str:
        """Takes the key for whom an invitation is; returns the membership."""
        member = await self._invited(conn, digest)
        keys_ = caller.actor.keys
        if keys_ is None:
            raise InvitationInvalid
        await self._require_same_subject(conn, member, keys_, proof)
        if not await rows.add(conn, own_key(keys_, member)):
            raise InvitationInvalid
        await rows.save(conn, member.accept_key(keys_.kid))
        return member.name

    @staticmethod
    async def _invited(conn: AsyncConnection, digest: bytes) -> Member:
        """Uses an invitation up. Raises INVITATION_INVALID."""
        use = (
            update(invitations)
            .where(
                invitations.c.code_digest == digest,
                invitations.c.used.is_(False),
                invitations.c.expire_time > await app_now(conn),
            )
            .values(used=True)
            .returning(invitations.c.member)
        )
        name = (await conn.execute(use)).scalar()
        if name is None:
            raise InvitationInvalid
        member = await rows.get(conn, Member, name)
        state = (await rows.get(conn, Organisation, member.organisation)).state
        if member.state is not MemberState.INVITED or state is not OrganisationState.ACTIVE:
            raise InvitationInvalid
        return member

    async def _require_same_subject(
        self, conn: AsyncConnection, member: Member, newcomer: PublicKeys, proof: str
    ) -> None:
        """Holds whom an invitation names to a key of theirs: an admin's word makes nobody somebody else.

        Else an admin could belong to any person whose id a poster's code shows, see what awaits them, and end
        their seats wherever that admin's organisation is excluded.
        """
        await advisory_lock(conn, f"directory/{member.subject}")
        known = await _known_as(conn, member)
        if known and not await self._is_by_one_of(conn, known, newcomer, proof):
            raise InvalidField("subject_proof", "is not by a key of whom the invitation names")

    async def _is_by_one_of(
        self, conn: AsyncConnection, known: Sequence[str], newcomer: PublicKeys, proof: str
    ) -> bool:
        try:
            token = tokens.parse(proof)
            signers = await keys.standings(conn, [token.kid] if token.kid in known else [])
            both = tokens.body_hash(newcomer.signing + newcomer.sealing)
            audience = tokens.audience(self.installation, ACCEPT)
            # At its own time: it names one new key, and is no use to anyone else however long it is kept.
            made = datetime.fromtimestamp(token.iat, UTC)
            for signer in signers:
                tokens.check(token, signer.key.signing, audience, both, made)
        except CryptoError:
            return False
        return bool(signers)

    async def endorse_member(self, caller: Caller, name: str, signed: SignedMessage) -> Enrolled:
        """Endorses a pending key of the caller's organisation with the caller's own."""
        return await self._endorse(caller, ADMIN, name, signed)

    async def endorse_admin(self, caller: Caller, name: str, signed: SignedMessage) -> Enrolled:
        """Endorses a pending admin of any organisation with the root."""
        return await self._endorse(caller, SECRETARIAT, name, signed)

    async def _endorse(self, caller: Caller, door: Door, name: str, signed: SignedMessage) -> Enrolled:
        async def check(conn: AsyncConnection, standing: Standing) -> tuple[Member, wire.Endorsement]:
            return await self._endorsable(conn, standing, door, name, signed)

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            member, said = await check(conn, standing)
            await vouching.use_sequence(conn, said.signer_kid, said)
            await keys.add_endorsement(
                conn, said.kid, said.signer_kid, Signed(signed.statement, signed.signature)
            )
            await rows.save(conn, member.endorse())
            return Done((name,), [member.organisation])

        if checked := await self.doors.preflight(caller, door, check):
            # Before the membership: an exclusion of the organisation must know everyone who ever joined it.
            await self.doors.disclosure.record_affiliation(checked[0].subject, checked[0].organisation)
            await failpoint("after_affiliation")
        await self.doors.command(caller, door, act)
        return await enrolled(self.doors.database, name)

    async def _endorsable(
        self, conn: AsyncConnection, standing: Standing, door: Door, name: str, signed: SignedMessage
    ) -> tuple[Member, wire.Endorsement]:
        member = await rows.get(conn, Member, name)
        if not door.secretariat and member.organisation != standing.organisation.name:
            raise NotPermitted
        await advisory_lock(conn, organisation_lock(member.organisation))
        member = await rows.get(conn, Member, name)
        organisation = await rows.get(conn, Organisation, member.organisation)
        member.endorse()
        require_state(organisation.state, OrganisationState.ACTIVE)
        said = statements.verify(
            StatementKind.ENDORSEMENT, signed, await self._signer(conn, standing, door), wire.Endorsement
        )
        vouching.require_here(said, self.installation, organisation.name)
        vouching.require_endorsement(said, organisation, member, await app_now(conn))
        if said.admin != door.secretariat:
            # An admin is vouched for by the root alone, and the root's door is for admins alone.
            raise InvalidArgument("ENDORSEMENT_BROKEN")
        await vouching.require_fresh(conn, said.signer_kid, said)
        return member, said

    async def _signer(self, conn: AsyncConnection, standing: Standing, door: Door) -> PublicKeys:
        if not door.secretariat:
            return vouching.public_keys(standing.key)
        (root,) = await keys.standings(conn, [self.installation])
        return vouching.public_keys(root.key)

    async def remove_member(self, caller: Caller, name: str) -> Enrolled:
        """Removes a member of the caller's organisation; its seats end before this returns."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            member = await rows.get(conn, Member, name)
            if member.organisation != standing.organisation.name:
                raise NotPermitted
            removed = member.remove(self.installation)
            if member.state is MemberState.ACTIVE and member.admin:
                await _require_other_admin(conn, member)
            await rows.save(conn, removed)
            return Done((name,), await policy.touched_by_member(conn, name, member.organisation))

        await self.doors.command(caller, ADMIN, act, ends=True)
        return await enrolled(self.doors.database, name)


async def _require_other_admin(conn: AsyncConnection, leaving: Member) -> None:
    """Refuses to leave an organisation without anyone who could endorse, appoint or end."""
    others = select(members.c.name).where(
        members.c.organisation == leaving.organisation,
        members.c.admin,
        members.c.state == MemberState.ACTIVE,
        members.c.name != leaving.name,
    )
    if not await rows.rows(conn, others.limit(1)):
        raise WrongState(leaving.state)


async def _lock_invited(conn: AsyncConnection, digest: bytes) -> None:
    """Waits for the organisation that handed the code over. Raises INVITATION_INVALID for an unknown one."""
    found = select(members.c.organisation).join(invitations, invitations.c.member == members.c.name)
    organisation = (await conn.execute(found.where(invitations.c.code_digest == digest))).scalar()
    if organisation is None:
        raise InvitationInvalid
    await advisory_lock(conn, organisation_lock(organisation))


async def _taken(conn: AsyncConnection, digest: bytes, caller: Caller) -> str | None:
    """The membership that took this very key with this code before, while it stands.

    A device that died before it heard so asks again under another request id: it would hold a key that it
    takes for refused. To every other key a used code is as good as an unknown one.
    """
    standing = members.c.state.in_((MemberState.KEY_PENDING, MemberState.ACTIVE))
    found = select(members.c.name).join(invitations, invitations.c.member == members.c.name)
    own = found.where(invitations.c.code_digest == digest, members.c.kid == caller.actor.kid, standing)
    return (await conn.execute(own)).scalar()


async def _known_as(conn: AsyncConnection, invited: Member) -> list[str]:
    """The newest key of every other membership of the same subject, past ones too; none for a new subject."""
    others = select(members.c.kid).where(
        members.c.subject == invited.subject,
        members.c.name != invited.name,
        members.c.state != MemberState.INVITED,
    )
    return [row.kid for row in await rows.rows(conn, others)]


async def _require_subject(conn: AsyncConnection, whom: Invitee) -> None:
    if not whom.subject.startswith(COLLECTIONS[whom.subject_kind] + "/"):
        raise InvalidField("subject", "is not of the kind that is invited")
    if not await rows.every(
        conn, Member, select(*rows.columns(Member)).where(members.c.subject == whom.subject).limit(1)
    ):
        raise NotPermitted
