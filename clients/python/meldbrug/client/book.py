"""What vouches for keys, verified from the pinned root before anything is sealed to them or shown as theirs.

A directory serves a flat book of keys and statements (`KeyBook`). Nothing in it is believed for being there:
whatever a client needs is verified from the root's fingerprint, and what does not verify does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import CryptoError, PublicKeys, chains, statements
from meldbrug.crypto.chains import (
    SignedAppointment,
    SignedEndorsement,
    SignedRotation,
    VerifiedAppointment,
    VerifiedMember,
)
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1.directory_pb2 import KeyBook
from meldbrug.statements.v1 import statements_pb2 as said

from .errors import Unverified


@dataclass(frozen=True)
class Book:
    """A key book and the root that everything in it must lead to."""

    root_kid: str
    served: KeyBook

    def keys(self, kid: str) -> PublicKeys:
        """Returns the public keys of `kid`.

        Raises:
            Unverified: the book does not hold them.
        """
        try:
            return self._keys[kid]
        except KeyError:
            raise Unverified("key") from None

    def member(self, kid: str) -> VerifiedMember:
        """Returns whose key `kid` is, as the root or an admin under it vouches.

        Raises:
            Unverified: no chain of the book leads from the root to the key.
        """
        line = self._line(kid)
        own = self._endorsements.get(line[0])
        if own is None:
            raise Unverified("endorsement")
        endorsements = [*self._admin(own), own]
        lines = [self._line(endorsed.kid_now) for endorsed in endorsements[:-1]]
        rotations = [self._rotations[new] for kids in [*lines, line] for new in kids[1:]]
        try:
            return chains.verify_member(
                self.root_kid,
                [
                    SignedEndorsement(endorsed.signed, self.keys(endorsed.said.signer_kid))
                    for endorsed in endorsements
                ],
                [
                    SignedRotation(rotation.signed, self.keys(rotation.said.old_kid))
                    for rotation in _once(rotations)
                ],
                self.keys(kid),
            )
        except CryptoError as error:
            raise Unverified(f"endorsement: {error.detail}") from error

    def appointment(self, name: str, *, participation: str, capacity: int) -> VerifiedAppointment:
        """Returns the seat called `name`, as an admin of its organisation gave it.

        Raises:
            Unverified: the book does not prove it for this participation and capacity.
        """
        for appointed in self._appointments:
            if appointed.said.appointment == name:
                return self._verified(appointed, participation, capacity)
        raise Unverified("appointment")

    def appointment_of(self, kid: str, *, participation: str, capacity: int) -> VerifiedAppointment:
        """Returns a seat that the holder of `kid` has or had at `participation`.

        Raises:
            Unverified: the book proves none.
        """
        held = set(self._line(kid))
        for appointed in self._appointments:
            matches = appointed.said.participation == participation and appointed.said.capacity == capacity
            if matches and appointed.said.kid in held:
                return self._verified(appointed, participation, capacity, holder=kid)
        raise Unverified("appointment")

    def _verified(
        self, appointed: _Appointed, participation: str, capacity: int, *, holder: str = ""
    ) -> VerifiedAppointment:
        signer = appointed.said.signer_kid
        try:
            return chains.verify_appointment(
                self.root_kid,
                SignedAppointment(appointed.signed, self.keys(signer)),
                self.member(signer),
                self.member(holder or self._newest(appointed.said.kid)),
                participation=participation,
                capacity=capacity,
            )
        except CryptoError as error:
            raise Unverified(f"appointment: {error.detail}") from error

    def _admin(self, own: _Endorsed) -> list[_Endorsed]:
        """Returns the endorsement of the admin who signed `own`; none when the root signed it."""
        signer = own.said.signer_kid
        if signer == self.root_kid:
            return []
        admin = self._endorsements.get(self._line(signer)[0])
        if admin is None:
            raise Unverified("endorsement of the admin")
        return [_Endorsed(admin.signed, admin.said, signer)]

    def _line(self, kid: str) -> list[str]:
        """Returns the keys that were rotated into `kid`, oldest first, itself last."""
        line = [kid]
        while (rotation := self._rotations.get(line[0])) is not None:
            if rotation.said.old_kid in line:
                raise Unverified("rotation")
            line.insert(0, rotation.said.old_kid)
        return line

    def _newest(self, kid: str) -> str:
        """Returns the key that `kid` was rotated into; itself when it was not."""
        seen = {kid}
        while (new := self._successors.get(kid)) is not None:
            if new in seen:
                raise Unverified("rotation")
            seen.add(new)
            kid = new
        return kid

    @cached_property
    def _keys(self) -> Mapping[str, PublicKeys]:
        try:
            found = [PublicKeys(keys.signing, keys.sealing) for keys in self.served.keys]
        except CryptoError as error:
            raise Unverified("key") from error
        return {keys.kid: keys for keys in found}

    @cached_property
    def _endorsements(self) -> Mapping[str, _Endorsed]:
        found = [
            (signed, _parse(StatementKind.ENDORSEMENT, signed, said.Endorsement))
            for signed in self.served.endorsements
        ]
        return {statement.kid: _Endorsed(signed, statement, statement.kid) for signed, statement in found}

    @cached_property
    def _rotations(self) -> Mapping[str, _Rotated]:
        found = [
            (signed, _parse(StatementKind.ROTATION, signed, said.KeyRotation))
            for signed in self.served.rotations
        ]
        return {statement.new_kid: _Rotated(signed, statement) for signed, statement in found}

    @cached_property
    def _successors(self) -> Mapping[str, str]:
        return {rotation.said.old_kid: new for new, rotation in self._rotations.items()}

    @cached_property
    def _appointments(self) -> tuple[_Appointed, ...]:
        found = [
            (signed, _parse(StatementKind.APPOINTMENT, signed, said.Appointment))
            for signed in self.served.appointments
        ]
        return tuple(_Appointed(signed, statement) for signed, statement in found)


@dataclass(frozen=True)
class _Endorsed:
    signed: Signed
    said: said.Endorsement
    kid_now: str
    """The key at the end of the rotations to follow: the signer's own in a chain, else the endorsed one."""


@dataclass(frozen=True)
class _Rotated:
    signed: Signed
    said: said.KeyRotation


@dataclass(frozen=True)
class _Appointed:
    signed: Signed
    said: said.Appointment


def _parse(kind: StatementKind, signed: Signed, cls: type[statements.M]) -> statements.M:
    try:
        return statements.parse(kind, signed, cls)
    except CryptoError as error:
        raise Unverified(f"{kind.value}: {error.detail}") from error


def _once(rotations: list[_Rotated]) -> list[_Rotated]:
    return list({rotation.said.new_kid: rotation for rotation in rotations}.values())
