"""Invitations: who is invited, and the code that lets a key in."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain import (
    COLLECTIONS,
    INVITATION_LIFETIME,
    Invitation,
    Member,
    SubjectKind,
    WrongState,
)
from services.directory.store import rows
from services.kernel.clock import Ids, text_id
from services.kernel.db import app_now

CODE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitee:
    """Whom an admin invites; `subject` names a person or system known already."""

    title: str
    subject_kind: SubjectKind
    subject: str = ""
    admin: bool = False


class Invitations:
    """Codes that are handed over once and kept as hashes only.

    A code is the keyed hash of the membership it is for: a repeated call is answered with the same code,
    and yet neither a table nor a remembered answer holds one.
    """

    def __init__(self, key: bytes, ids: Ids) -> None:
        self._key, self._ids = key, ids

    def code(self, member: str) -> str:
        """Returns the code that lets a key into this membership."""
        return text_id(
            hmac.digest(self._key, b"meldbrug/invitation/v1\0" + member.encode(), "sha256")[:CODE_BYTES]
        )

    async def invite(self, conn: AsyncConnection, organisation: str, whom: Invitee) -> Member:
        """Adds a membership that waits for a key. Raises WRONG_STATE when the subject has one already."""
        member = Member(
            name=f"members/{self._ids.new_id()}",
            organisation=organisation,
            subject=whom.subject or f"{COLLECTIONS[whom.subject_kind]}/{self._ids.new_id()}",
            title=whom.title,
            subject_kind=whom.subject_kind,
            admin=whom.admin,
        )
        if not await rows.add(conn, member):
            raise WrongState
        expire_time = await app_now(conn) + INVITATION_LIFETIME
        digest = code_digest(self.code(member.name))
        await rows.add(conn, Invitation(code_digest=digest, member=member.name, expire_time=expire_time))
        return member


def code_digest(code: str) -> bytes:
    """Returns what is kept of a code: 128 random bits need no slower hash."""
    return hashlib.sha256(code.encode()).digest()
