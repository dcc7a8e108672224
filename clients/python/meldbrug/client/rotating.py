"""A new key for the same member: announce it, hand over every seat, then let the old one end."""

from __future__ import annotations

from typing import Final

from meldbrug.crypto import (
    CryptoError,
    PublicKeys,
    SecretKeys,
    SectionContext,
    commitment_of,
    digest_of,
    unwrap_key,
)
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_pb2
from meldbrug.directory.v1 import directory_service_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .device import new_request_id
from .errors import Unverified
from .reading import incident_of, require
from .sealing import wrap_for
from .session import MEMBERS, Session, public_keys

SEATS: Final = "/meldbrug.disclosure.v1.SeatService/"
MAX_SEATS: Final = 100_000
"""A server cannot keep a client re-wrapping for ever."""


class Rotating:
    """Rotates the caller's key. Every step may be repeated; the old key works until the last one."""

    def __init__(self, session: Session) -> None:
        """Acts with the old key."""
        self._session = session

    async def rotate(self, new_keys: SecretKeys) -> directory_pb2.Member:
        """Announces `new_keys`, hands over every seat and ends the old key.

        The caller has stored `new_keys` before: when this returns nothing else opens.
        """
        await self.begin(new_keys)
        await self.rewrap(new_keys)
        return await self.complete(new_keys)

    async def begin(self, new_keys: SecretKeys) -> directory_pb2.Member:
        """Announces the key that shall follow."""
        me = (await self._session.me()).member
        rotation = said.KeyRotation(
            installation=self._session.installation,
            organisation=me.organisation,
            subject=me.subject,
            old_kid=self._session.kid,
            new_kid=new_keys.kid,
            sequence=self._session.sequence(),
        )
        request = directory.BeginRotationRequest(
            rotation=self._session.sign(StatementKind.ROTATION, rotation),
            new_keys=public_keys(new_keys.public),
            request_id=new_request_id(),
        )
        answer = await self._session.call(MEMBERS + "BeginRotation", request, directory.BeginRotationResponse)
        return answer.member

    async def rewrap(self, new_keys: SecretKeys) -> int:
        """Hands every seat that has no successor yet to the new key; returns how many steps it took.

        Raises:
            Unverified: a wrap is not what it says; nothing of its seat was handed over.
        """
        steps, last = 0, b""
        while seats := await self._seats(new_keys.kid):
            listed = b"".join(seat.SerializeToString(deterministic=True) for seat in seats)
            require(listed != last and steps < MAX_SEATS, "the list of seats does not end")
            last = listed
            for seat in seats:
                await self._hand_over(seat, new_keys.public)
                steps += 1
        return steps

    async def complete(self, new_keys: SecretKeys) -> directory_pb2.Member:
        """Ends the old key.

        Raises:
            Refused: SEATS_WITHOUT_SUCCESSOR: a seat came meanwhile; re-wrap again.
        """
        request = directory.CompleteRotationRequest(new_kid=new_keys.kid, request_id=new_request_id())
        answer = await self._session.call(
            MEMBERS + "CompleteRotation", request, directory.CompleteRotationResponse
        )
        return answer.member

    async def _seats(self, new_kid: str) -> list[wire.Seat]:
        request = service.ListSeatsRequest(new_kid=new_kid)
        answer = await self._session.call(SEATS + "ListSeats", request, service.ListSeatsResponse)
        return list(answer.seats)

    async def _hand_over(self, seat: wire.Seat, successor: PublicKeys) -> None:
        held = {(wrap.section, wrap.version): wrap for wrap in seat.wraps}
        items, wraps = [], []
        for ref in seat.sections:
            wrap = held.get((ref.section, ref.version))
            require(wrap is not None and incident_of(ref.section) == seat.incident, "wrap of a seat")
            handed = self._handed(seat, ref, held[ref.section, ref.version], successor)
            wraps.append(handed)
            items.append(
                said.Rewrap.Item(
                    section=ref.section,
                    version=ref.version,
                    commitment=ref.commitment,
                    wrap_digest=digest_of(handed.wrap),
                )
            )
        rewrap = said.Rewrap(
            installation=self._session.installation,
            incident=seat.incident,
            grant=seat.grant,
            old_kid=self._session.kid,
            new_kid=successor.kid,
            items=items,
            sequence=self._session.sequence(),
        )
        request = service.RewrapSeatRequest(
            rewrap=self._session.sign(StatementKind.REWRAP, rewrap),
            wraps=wraps,
            request_id=new_request_id(),
        )
        await self._session.call(SEATS + "RewrapSeat", request, service.RewrapSeatResponse)

    def _handed(
        self, seat: wire.Seat, ref: said.SectionRef, wrap: wire.Wrap, successor: PublicKeys
    ) -> wire.Wrap:
        context = SectionContext(
            self._session.installation, seat.incident, ref.section, ref.version, ref.kind
        )
        try:
            cek = unwrap_key(wrap.wrap, self._session.keys, context, seat.grant, seat.purposes)
        except CryptoError as error:
            raise Unverified("wrap of a seat") from error
        require(commitment_of(cek) == ref.commitment, "commitment of a seat")
        return wrap_for(successor, cek, context, seat.grant, seat.purposes)
