"""Who the directory says takes part, and whether what it vouches with leads to the secretariat root.

The directory is a peer, not an oracle: a key that no chain leads to is refused, whatever the directory says.
Clients verify the same again before they seal; here it keeps a false key out of seats.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.chains import (
    SignedAppointment,
    SignedEndorsement,
    SignedRotation,
    VerifiedMember,
    verify_appointment,
    verify_member,
)
from meldbrug.crypto.errors import AppointmentBroken, EndorsementBroken
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.statements.v1 import statements_pb2
from services.disclosure.domain import Holder
from services.kernel.errors import InvalidArgument

M = TypeVar("M", bound=Message)

# Root, admin, member, with rotations between them; a longer walk is a loop.
MAX_STEPS = 72


class Circle:
    """Who takes part, as fetched for one command.

    Args:
        root_kid: The installation id.
        fetched: What the directory answered.
    """

    def __init__(self, root_kid: str, fetched: directory.Circle) -> None:
        self._fetched = fetched
        self._vouching = Vouching(root_kid, fetched.book)
        self._organisations = {one.name: one for one in fetched.organisations}
        self._participations = {one.name: one for one in fetched.participations}

    def participation(self, name: str) -> directory.Participation:
        """An accepted participation of an organisation that may act. Raises InvalidArgument for any other."""
        if not self.takes_part(name):
            raise InvalidArgument("RECIPIENT_MISMATCH")
        return self._participations[name]

    def _may_act(self, participation: directory.Participation) -> bool:
        organisation = self._organisations.get(participation.organisation)
        return organisation is not None and organisation.state == directory.Organisation.STATE_ACTIVE

    def takes_part(self, name: str) -> bool:
        """Whether the participation is accepted, and its organisation may act."""
        found = self._participations.get(name)
        return (
            found is not None
            and found.state == directory.Participation.STATE_ACCEPTED
            and self._may_act(found)
        )

    def holder(self, participation: str, kid: str, capacity: int) -> Holder | None:
        """Who sits there now with this key, vouched for; None when nobody does.

        Raises:
            EndorsementBroken: no chain leads from the root to the key.
            AppointmentBroken: no admin of the organisation appointed the key.
        """
        for contact in self._fetched.contacts:
            same_place = contact.participation == participation and contact.capacity == capacity
            if same_place and contact.kid == kid and not contact.ended:
                return self._vouched(contact)
        return None

    def _vouched(self, contact: directory.Contact) -> Holder:
        member = self._vouching.member(contact.kid)
        self._vouching.require_appointment(contact, member)
        if self._participations[contact.participation].organisation != member.organisation:
            raise AppointmentBroken("organisation")
        return Holder(
            contact.kid, member.subject, member.organisation, contact.participation, contact.appointment
        )


class Vouching:
    """A key book, looked up by key."""

    def __init__(self, root_kid: str, book: directory.KeyBook) -> None:
        self._root_kid = root_kid
        self._keys = {keys.kid: keys for keys in (PublicKeys(one.signing, one.sealing) for one in book.keys)}
        self._endorsements = {
            said.kid: (signed, said.signer_kid)
            for signed, said in _read(book.endorsements, statements_pb2.Endorsement)
        }
        self._rotations = {
            said.new_kid: (signed, said.old_kid)
            for signed, said in _read(book.rotations, statements_pb2.KeyRotation)
        }
        self._appointments = {
            said.appointment: (signed, said.signer_kid)
            for signed, said in _read(book.appointments, statements_pb2.Appointment)
        }

    def member(self, kid: str) -> VerifiedMember:
        """Whose the key is, from the root down. Raises EndorsementBroken."""
        endorsements: list[SignedEndorsement] = []
        rotations: dict[str, SignedRotation] = {}
        at = kid
        for _ in range(MAX_STEPS):
            if at in self._endorsements:
                signed, signer = self._endorsements[at]
                endorsements.insert(0, SignedEndorsement(signed, self._key(signer)))
                if signer == at:
                    return verify_member(
                        self._root_kid, endorsements, list(rotations.values()), self._key(kid)
                    )
                at = signer
            elif at in self._rotations:
                signed, old = self._rotations[at]
                rotations[at] = SignedRotation(signed, self._key(old))
                at = old
            else:
                break
        raise EndorsementBroken("no-chain")

    def require_appointment(self, contact: directory.Contact, member: VerifiedMember) -> None:
        """Holds a contact to the appointment it names. Raises AppointmentBroken."""
        if contact.appointment not in self._appointments:
            raise AppointmentBroken("absent")
        signed, signer = self._appointments[contact.appointment]
        verify_appointment(
            self._root_kid,
            SignedAppointment(signed, self._key(signer)),
            self.member(signer),
            member,
            participation=contact.participation,
            capacity=contact.capacity,
        )

    def _key(self, kid: str) -> PublicKeys:
        if kid not in self._keys:
            raise EndorsementBroken("no-key")
        return self._keys[kid]


def _read(statements: Iterable[common_pb2.Signed], cls: type[M]) -> list[tuple[common_pb2.Signed, M]]:
    """Reads statements only to find them by the keys they name; whatever is used is verified after."""
    try:
        return [(signed, cls.FromString(signed.statement)) for signed in statements]
    except DecodeError:
        raise EndorsementBroken("does-not-parse") from None
