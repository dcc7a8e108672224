"""Who takes part and who can be chosen, verified: what a reporter or handler picks people from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.chains import VerifiedAppointment, VerifiedMember
from meldbrug.directory.v1 import directory_pb2 as wire

from .book import Book
from .errors import Unverified


@dataclass(frozen=True)
class Person:
    """Someone, or a system, with a role that was verified from the root.

    Attributes:
        kid: The current key.
        keys: Its public keys.
        member: Who it is.
        appointment: The role and the participation it is for.
    """

    kid: str
    keys: PublicKeys
    member: VerifiedMember
    appointment: VerifiedAppointment

    @property
    def is_system(self) -> bool:
        """Tells whether this is a system; it is shown as one."""
        return self.member.subject_kind == common.SUBJECT_KIND_SYSTEM


class Circle:
    """A circle as served, with people that verified."""

    def __init__(self, served: wire.Circle, root_kid: str) -> None:
        """Keeps what was served; people are verified when they are asked for."""
        self.served = served
        self.book = Book(root_kid, served.book)

    @property
    def production(self) -> str:
        """Returns `productions/{production}`; empty for the standing entry."""
        return self.served.production.name

    def organisation(self, participation: str) -> wire.Organisation:
        """Returns the organisation of a participation.

        Raises:
            Unverified: the circle does not hold it.
        """
        for part in self.served.participations:
            if part.name == participation:
                return self._organisation(part.organisation)
        raise Unverified("participation")

    def titles(self) -> dict[str, str]:
        """Returns the title of every organisation by its name: as vouched for, where somebody of it is here.

        Raises:
            Unverified: one of the people does not verify.
        """
        vouched = {person.member.organisation: person.member.organisation_title for person in self.everyone()}
        return {item.name: item.title for item in self.served.organisations} | vouched

    def everyone(self) -> list[Person]:
        """Returns everybody with a current role.

        Raises:
            Unverified: as `people`.
        """
        return [*self.counsellors(), *self.safety_contacts()]

    def people(self, capacity: common.Capacity.ValueType, participation: str = "") -> list[Person]:
        """Returns current people in a capacity, of one participation or of all.

        Raises:
            Unverified: one of them does not verify; the directory served a key that nobody vouches for.
        """
        wanted = [
            contact
            for contact in self.served.contacts
            if contact.capacity == capacity
            and not contact.ended
            and participation in ("", contact.participation)
        ]
        return [self._person(contact) for contact in wanted]

    def counsellors(self, participation: str = "") -> list[Person]:
        """Returns who takes reports."""
        return self.people(common.CAPACITY_COUNSELLOR, participation)

    def safety_contacts(self, participation: str = "") -> list[Person]:
        """Returns who receives notices."""
        return self.people(common.CAPACITY_SAFETY_CONTACT, participation)

    def independent(self) -> list[Person]:
        """Returns the counsellors of the independent point."""
        standing = [part.name for part in self.served.participations if part.independent]
        return [person for name in standing for person in self.counsellors(name)]

    def _organisation(self, name: str) -> wire.Organisation:
        for organisation in self.served.organisations:
            if organisation.name == name:
                return organisation
        raise Unverified("organisation")

    def _person(self, contact: wire.Contact) -> Person:
        appointment = self.book.appointment(
            contact.appointment, participation=contact.participation, capacity=contact.capacity
        )
        member = self.book.member(contact.kid)
        if (appointment.subject, appointment.kid in member.kids) != (member.subject, True):
            raise Unverified("contact")
        return Person(contact.kid, self.book.keys(contact.kid), member, appointment)


def named(people: Sequence[Person], kids: Sequence[str]) -> list[Person]:
    """Returns the people with these keys, in that order.

    Raises:
        Unverified: one of the keys is nobody's here.
    """
    by_kid = {person.kid: person for person in people}
    if missing := [kid for kid in kids if kid not in by_kid]:
        raise Unverified(f"{len(missing)} of the people")
    return [by_kid[kid] for kid in kids]
