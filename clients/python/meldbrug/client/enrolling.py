"""How a newcomer's key reaches the organisation that invited it."""

from __future__ import annotations

from typing import Final

from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1 import directory_pb2 as wire
from meldbrug.directory.v1 import directory_service_pb2 as service

from .connection import Connection, Credentials
from .device import new_request_id
from .reading import require

ENROLMENT: Final = "/meldbrug.directory.v1.EnrolmentService/"


async def accept_invitation(connection: Connection, keys: SecretKeys, code: str) -> wire.Member:
    """Hands a new key to the organisation that invited; returns the membership, waiting for endorsement.

    Whoever endorses compares `keys.kid` with what the newcomer reads out, on another channel.

    Raises:
        Refused: INVITATION_INVALID: the code is unknown, used or too old.
        Unverified: the directory took note of another key.
    """
    request = service.AcceptInvitationRequest(code=code, request_id=new_request_id())
    answer = await connection.call(
        ENROLMENT + "AcceptInvitation",
        request,
        service.AcceptInvitationResponse,
        Credentials(keys, self_certifying=True),
    )
    require(answer.member.kid == keys.kid, "key")
    return answer.member
