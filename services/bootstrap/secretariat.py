"""What the root says of itself: the first link of every chain of trust."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1.common_pb2 import SUBJECT_KIND_PERSON, Signed
from meldbrug.crypto import statements
from meldbrug.crypto.keys import SecretKeys
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1.statements_pb2 import Endorsement
from services.directory import bootstrap as directory
from services.directory.bootstrap import Secretariat
from services.disclosure.store.tables import affiliations
from services.kernel.authz import Authz
from services.kernel.clock import SystemIds
from services.kernel.db import Database, app_now


async def found(database: Database, authz: Authz, root: SecretKeys, title: str) -> Secretariat:
    """Returns the secretariat with the root as its first admin, endorsed by itself; made at the first time.

    Raises:
        ConfigurationError: the secretariat was founded with another root key.
    """
    made = await directory.bootstrap(database, authz, SystemIds(), root.public, title=title)

    async def unit(conn: AsyncConnection) -> datetime:
        # As for every member: an exclusion of the organisation must find whoever was ever there.
        row = {"subject": made.subject, "organisation": made.organisation}
        await conn.execute(postgresql.insert(affiliations).values(row).on_conflict_do_nothing())
        return await app_now(conn)

    said = endorsement(made, root, title, await database.run_unit(unit))
    return await directory.bootstrap(database, authz, SystemIds(), root.public, title=title, endorsement=said)


def endorsement(made: Secretariat, root: SecretKeys, title: str, now: datetime) -> Signed:
    """Returns what the root says of its own holder, signed."""
    moment = Timestamp()
    moment.FromDatetime(now)
    said = Endorsement(
        installation=root.kid,
        organisation=made.organisation,
        organisation_title=title,
        subject=made.subject,
        subject_name=title,
        subject_kind=SUBJECT_KIND_PERSON,
        kid=root.kid,
        admin=True,
        valid_from=moment,
        signer_kid=root.kid,
        sequence=int(now.timestamp() * 1000),
    )
    return statements.sign(StatementKind.ENDORSEMENT, said, root)
