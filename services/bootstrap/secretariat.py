"""The secretariat and its first admin, who holds the root key: every chain of trust ends there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from meldbrug.common.v1.common_pb2 import SubjectKind as WireSubjectKind
from meldbrug.crypto import statements
from meldbrug.crypto.keys import SecretKeys
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1.statements_pb2 import Endorsement
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import (
    Key,
    Member,
    MemberState,
    Organisation,
    OrganisationKind,
    Signed,
    SubjectKind,
)
from services.directory.store import keys, rows, tables
from services.disclosure.store.tables import affiliations
from services.kernel.clock import SystemIds
from services.kernel.config import ConfigurationError
from services.kernel.db import app_now


@dataclass(frozen=True, slots=True)
class Founders:
    """The secretariat and its first admin, as shown to everyone."""

    organisation: str = "Secretariaat"
    person: str = "Secretaris"


async def found(conn: AsyncConnection, root: SecretKeys, founders: Founders) -> Member:
    """Returns the secretariat's first admin, registered at the first time.

    Raises:
        ConfigurationError: the secretariat was founded with another root key.
    """
    known = await founder(conn)
    if known is None:
        return await register(conn, root, founders)
    if known.kid != root.kid:
        raise ConfigurationError(
            f"this database belongs to the installation {known.kid}, and the root key given is {root.kid}"
        )
    return known


async def founder(conn: AsyncConnection) -> Member | None:
    """Returns who founded the secretariat: the one whose endorsement is its own; None before that."""
    own = tables.endorsements.c.kid == tables.endorsements.c.signer_kid
    query = (
        select(*rows.columns(Member))
        .join(tables.keys, tables.keys.c.member == tables.members.c.name)
        .join(tables.endorsements, tables.endorsements.c.kid == tables.keys.c.kid)
        .where(own)
    )
    found_rows = await rows.every(conn, Member, query)
    return found_rows[0] if found_rows else None


async def register(conn: AsyncConnection, root: SecretKeys, founders: Founders) -> Member:
    """Writes the secretariat, its first admin, the root key and its own endorsement."""
    ids = SystemIds()
    organisation = Organisation(
        name=f"organisations/{ids.new_id()}", title=founders.organisation, kind=OrganisationKind.SECRETARIAT
    )
    member = Member(
        name=f"members/{ids.new_id()}",
        organisation=organisation.name,
        subject=f"persons/{ids.new_id()}",
        title=founders.person,
        subject_kind=SubjectKind.PERSON,
        admin=True,
        state=MemberState.ACTIVE,
        kid=root.kid,
    )
    # As for every member: an exclusion of the organisation must find whoever was ever there.
    await conn.execute(insert(affiliations).values(subject=member.subject, organisation=organisation.name))
    public = root.public
    await rows.add(conn, organisation)
    await rows.add(conn, member)
    await rows.add(
        conn, Key(kid=root.kid, signing=public.signing, sealing=public.sealing, member=member.name)
    )
    said = endorsement(organisation, member, root.kid, await app_now(conn))
    signed = statements.sign(StatementKind.ENDORSEMENT, said, root)
    await keys.add_endorsement(conn, root.kid, root.kid, Signed(signed.statement, signed.signature))
    await keys.keep_sequence(conn, organisation.name, root.kid, said.sequence)
    return member


def endorsement(organisation: Organisation, member: Member, root_kid: str, now: datetime) -> Endorsement:
    """Returns what the root says of its own holder."""
    moment = Timestamp()
    moment.FromDatetime(now)
    return Endorsement(
        installation=root_kid,
        organisation=organisation.name,
        organisation_title=organisation.title,
        subject=member.subject,
        subject_name=member.title,
        subject_kind=WireSubjectKind.SUBJECT_KIND_PERSON,
        kid=root_kid,
        admin=True,
        valid_from=moment,
        signer_kid=root_kid,
        sequence=int(now.timestamp() * 1000),
    )
