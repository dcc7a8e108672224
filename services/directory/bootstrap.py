"""The installation's first organisation and member: the secretariat and its root."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1.common_pb2 import Signed as SignedMessage
from meldbrug.crypto import PublicKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1 import statements_pb2 as wire
from services.directory.domain import (
    Key,
    Member,
    MemberState,
    Organisation,
    OrganisationKind,
    Signed,
    SubjectKind,
)
from services.directory.store import keys, policy, rows
from services.directory.store.tables import organisations
from services.kernel.authz import Authz
from services.kernel.clock import Ids
from services.kernel.config import ConfigurationError
from services.kernel.db import Database, Lock

DEFAULT_TITLE = "Secretariat"


@dataclass(frozen=True, slots=True)
class Secretariat:
    """Names of what bootstrap made, or found."""

    organisation: str
    member: str
    subject: str


async def bootstrap(
    database: Database,
    authz: Authz,
    ids: Ids,
    root: PublicKeys,
    *,
    title: str = DEFAULT_TITLE,
    endorsement: SignedMessage | None = None,
) -> Secretariat:
    """Makes the secretariat with the installation's root as its admin. Idempotent.

    Args:
        database: Of schema `directory`, migrated.
        authz: The policy engine, store and model in place.
        ids: Where names come from.
        root: The public keys whose fingerprint is the installation's id.
        title: The secretariat's name, and its root's, as shown; only for the first time.
        endorsement: The root's own, signed by itself, so that what it signs as a member verifies too.

    Raises:
        ConfigurationError: the database belongs to another installation.
    """

    async def unit(conn: AsyncConnection) -> Secretariat:
        made = await _found(conn, root) or await _made(conn, ids, root, title)
        if endorsement is not None:
            await _keep(conn, root, made, endorsement)
        return made

    made = await database.run_unit(unit, Lock("directory/bootstrap"))
    async with database.reading() as conn:
        wanted = await policy.wanted_tuples(conn, made.organisation)
    await authz.write(writes=sorted(wanted, key=lambda one: one.key))
    return made


async def _found(conn: AsyncConnection, root: PublicKeys) -> Secretariat | None:
    here = organisations.c.kind == OrganisationKind.SECRETARIAT
    secretariats = await rows.every(conn, Organisation, select(*rows.columns(Organisation)).where(here))
    if not secretariats:
        return None
    known = await keys.standings(conn, [root.kid])
    if not known:
        raise ConfigurationError("the database belongs to an installation with another root key")
    return Secretariat(secretariats[0].name, known[0].member.name, known[0].member.subject)


async def _made(conn: AsyncConnection, ids: Ids, root: PublicKeys, title: str) -> Secretariat:
    organisation = Organisation(
        name=f"organisations/{ids.new_id()}", title=title, kind=OrganisationKind.SECRETARIAT
    )
    member = Member(
        name=f"members/{ids.new_id()}",
        organisation=organisation.name,
        subject=f"persons/{ids.new_id()}",
        title=title,
        subject_kind=SubjectKind.PERSON,
        admin=True,
        state=MemberState.ACTIVE,
        kid=root.kid,
    )
    await rows.add(conn, organisation)
    await rows.add(conn, member)
    await rows.add(conn, Key(kid=root.kid, signing=root.signing, sealing=root.sealing, member=member.name))
    return Secretariat(organisation.name, member.name, member.subject)


async def _keep(
    conn: AsyncConnection, root: PublicKeys, made: Secretariat, endorsement: SignedMessage
) -> None:
    said = statements.verify(StatementKind.ENDORSEMENT, endorsement, root, wire.Endorsement)
    claimed = (said.installation, said.organisation, said.subject, said.kid, said.admin)
    if claimed != (root.kid, made.organisation, made.subject, root.kid, True):
        raise ConfigurationError("the root's endorsement of itself says something else")
    await keys.add_endorsement(conn, root.kid, root.kid, Signed(endorsement.statement, endorsement.signature))
