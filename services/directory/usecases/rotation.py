"""Changing one's key: announced, then put in force once nothing hangs on the old one."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1.common_pb2 import Signed as SignedMessage
from meldbrug.crypto import PublicKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1 import statements_pb2 as wire
from services.directory.domain import (
    MAX_ROTATIONS,
    Member,
    Seats,
    Signed,
    Standing,
    WrongState,
)
from services.directory.store import keys, rows
from services.directory.store.keys import Enrolled, enrolled
from services.directory.usecases import vouching
from services.directory.usecases.doors import (
    SELF,
    Caller,
    Done,
    Doors,
)
from services.directory.usecases.vouching import own_key
from services.kernel.db import app_now
from services.kernel.errors import InvalidField
from services.kernel.failpoints import failpoint


class Rotation:
    """Use cases of a member with its own key."""

    def __init__(self, doors: Doors, installation: str) -> None:
        self.doors, self.installation = doors, installation

    async def begin_rotation(self, caller: Caller, signed: SignedMessage, new: PublicKeys) -> Enrolled:
        """Notes the key that shall follow the caller's; the old one stays in force."""

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            member, old = standing.member, standing.key
            said = statements.verify(
                StatementKind.ROTATION, signed, vouching.public_keys(old), wire.KeyRotation
            )
            vouching.require_here(said, self.installation, member.organisation)
            vouching.require_rotation(said, member, new)
            await vouching.use_sequence(conn, old.kid, said)
            changed = member.announce(new.kid, self.installation)
            await _add_successor(conn, member, new)
            await keys.put_rotation(conn, old.kid, new.kid, Signed(signed.statement, signed.signature))
            await rows.save(conn, changed)
            return Done((member.name,))

        (name,) = await self.doors.command(caller, SELF, act)
        return await enrolled(self.doors.database, name)

    async def complete_rotation(self, caller: Caller, new_kid: str) -> Enrolled:
        """Puts the announced key in force, once no live seat of the old one is without a successor."""

        async def check(conn: AsyncConnection, standing: Standing) -> Member:
            return standing.member.rotate(new_kid, await app_now(conn))

        async def act(conn: AsyncConnection, standing: Standing) -> Done:
            await keys.complete_rotation(conn, standing.key.kid, new_kid)
            return Done(((await rows.save(conn, await check(conn, standing))).name,))

        if await self.doors.preflight(caller, SELF, check):
            await self.doors.disclosure.end_seats(Seats((caller.actor.kid,)), require_successors=True)
            await failpoint("after_end_seats")
        (name,) = await self.doors.command(caller, SELF, act)
        return await enrolled(self.doors.database, name)


async def _add_successor(conn: AsyncConnection, member: Member, new: PublicKeys) -> None:
    if len(await keys.keys_of(conn, [member.name])) >= MAX_ROTATIONS:
        raise WrongState
    added = await rows.add(conn, own_key(new, member))
    # The same announcement may come again; any other known key has had its time, or is someone else's.
    if not added and member.pending_kid != new.kid:
        raise InvalidField("new_keys", "must be new")
