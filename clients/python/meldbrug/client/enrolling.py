"""How a newcomer's key reaches the organisation that invited it."""

from __future__ import annotations

from typing import Final

from meldbrug.crypto import SecretKeys, tokens
from meldbrug.directory.v1 import directory_pb2 as wire
from meldbrug.directory.v1 import directory_service_pb2 as service

from .connection import Connection, Credentials
from .device import new_request_id
from .reading import require

ENROLMENT: Final = "/meldbrug.directory.v1.EnrolmentService/"


async def accept_invitation(
    connection: Connection, keys: SecretKeys, code: str, *, known_as: SecretKeys | None = None
) -> wire.Member:
    """Hands a new key to the organisation that invited; returns the membership, waiting for endorsement.

    Whoever endorses compares `keys.kid` with what the newcomer reads out, on another channel.

    Args:
        connection: To the installation.
        keys: New ones, made for this membership.
        code: The invitation's.
        known_as: The keys of another membership, where the invitation names somebody who has one.

    Raises:
        Refused: INVITATION_INVALID: the code is unknown, used or too old; FIELD_INVALID: the invitation names
            somebody who is known, and `known_as` is missing or somebody else's.
        Unverified: the directory took note of another key.
    """
    proof = _subject_proof(connection, keys, known_as) if known_as else ""
    request = service.AcceptInvitationRequest(code=code, request_id=new_request_id(), subject_proof=proof)
    answer = await connection.call(
        ENROLMENT + "AcceptInvitation",
        request,
        service.AcceptInvitationResponse,
        Credentials(keys, self_certifying=True),
    )
    require(answer.member.kid == keys.kid, "key")
    return answer.member


def _subject_proof(connection: Connection, keys: SecretKeys, known_as: SecretKeys) -> str:
    return tokens.mint(
        known_as,
        tokens.audience(connection.installation, ENROLMENT + "AcceptInvitation"),
        tokens.body_hash(keys.public.signing + keys.public.sealing),
        connection.clock.now(),
        embed_keys=False,
    )
