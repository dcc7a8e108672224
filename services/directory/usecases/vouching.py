"""Statements that vouch for a key or a role, verified before they are kept as every client verifies them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.crypto import PublicKeys
from meldbrug.statements.v1 import statements_pb2 as wire
from services.directory.domain import (
    SEQUENCE_LEEWAY,
    Key,
    Member,
    Organisation,
    Participation,
    Standing,
    require_sequence,
)
from services.directory.store.keys import keep_sequence, last_sequence
from services.kernel.db import app_now
from services.kernel.errors import InvalidArgument

Sequenced = wire.Endorsement | wire.Appointment | wire.KeyRotation


def public_keys(key: Key) -> PublicKeys:
    """Returns an enrolled key as one that verifies."""
    return PublicKeys(key.signing, key.sealing)


def own_key(public: PublicKeys, member: Member) -> Key:
    """Returns a public key as one that is enrolled for a member."""
    return Key(kid=public.kid, signing=public.signing, sealing=public.sealing, member=member.name)


async def require_fresh(conn: AsyncConnection, signer_kid: str, statement: Sequenced) -> None:
    """Refuses a sequence that is not above its signer's last, or lies in the future."""
    last = await last_sequence(conn, statement.organisation, signer_kid)
    require_sequence(statement.sequence, last, await app_now(conn))


async def use_sequence(conn: AsyncConnection, signer_kid: str, statement: Sequenced) -> None:
    """Takes the statement's sequence for its signer. Raises STATEMENT_SEQUENCE for an old or a future one."""
    await require_fresh(conn, signer_kid, statement)
    await keep_sequence(conn, statement.organisation, signer_kid, statement.sequence)


def require_here(statement: Sequenced, installation: str, organisation: str) -> None:
    """Refuses a statement made for another installation or organisation."""
    if (statement.installation, statement.organisation) != (installation, organisation):
        raise InvalidArgument("STATEMENT_FOREIGN")


def require_endorsement(
    said: wire.Endorsement, organisation: Organisation, member: Member, now: datetime
) -> None:
    """Refuses an endorsement that says anything else than what is known of the pending key."""
    stored = (
        organisation.title,
        member.subject,
        member.title,
        member.subject_kind.value,
        member.kid,
        member.admin,
    )
    claimed = (
        said.organisation_title,
        said.subject,
        said.subject_name,
        said.subject_kind,
        said.kid,
        said.admin,
    )
    if claimed != stored or said.valid_from.ToDatetime(UTC) > now + SEQUENCE_LEEWAY:
        raise InvalidArgument("ENDORSEMENT_BROKEN")


def require_appointment(said: wire.Appointment, place: Participation, holder: Standing | None) -> None:
    """Refuses an appointment of anyone but an acting member of the participation's organisation.

    The root takes no role: it vouches for everyone, and must not be reached by what it vouches for.
    """
    if holder is None or not holder.active or holder.key.kid == said.installation:
        raise InvalidArgument("APPOINTMENT_BROKEN")
    if (holder.organisation.name, holder.member.subject) != (place.organisation, said.subject):
        raise InvalidArgument("APPOINTMENT_BROKEN")


def require_rotation(said: wire.KeyRotation, member: Member, new: PublicKeys) -> None:
    """Refuses a rotation of another member or to another key than the one sent along."""
    if said.subject != member.subject or said.new_kid != new.kid:
        raise InvalidArgument("STATEMENT_FOREIGN")
