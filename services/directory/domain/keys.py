"""Keys, what vouches for them, and what is told of both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.directory.domain.resources import Member, Organisation, Participation, Production
from services.directory.domain.vocabulary import SEQUENCE_LEEWAY, Capacity, MemberState, OrganisationState
from services.kernel.errors import InvalidArgument, NotPermitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A code that was handed over; only its hash is kept."""

    code_digest: bytes
    member: str
    expire_time: datetime
    used: bool = False


class InvitationInvalid(InvalidArgument):
    """Unknown, used and expired look the same."""

    def __init__(self) -> None:
        super().__init__("INVITATION_INVALID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key that was enrolled; known for ever, so that it is never taken for a reporter's."""

    kid: str
    signing: bytes
    sealing: bytes
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A role with its holder's current key."""

    appointment: str
    participation: str
    capacity: Capacity
    kid: str
    subject: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement's bytes as signed, with the signature."""

    statement: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Book:
    """Keys and the statements that vouch for them, up to the root."""

    keys: tuple[Key, ...] = ()
    endorsements: tuple[Signed, ...] = ()
    rotations: tuple[Signed, ...] = ()
    appointments: tuple[Signed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Who takes part and who can be chosen, with what vouches for them."""

    productions: tuple[Production, ...] = ()
    participations: tuple[Participation, ...]
    organisations: tuple[Organisation, ...]
    contacts: tuple[Contact, ...]
    book: Book


@dataclass(frozen=True, slots=True)
class Seats:
    """Keys and appointments whose seats have ended."""

    kids: tuple[str, ...] = ()
    appointments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whose a key is, and whether it may act now."""

    key: Key
    member: Member
    organisation: Organisation

    @property
    def active(self) -> bool:
        """Whether it is the current key of an active member of an organisation that may act."""
        return (
            self.member.kid == self.key.kid
            and self.member.state is MemberState.ACTIVE
            and self.organisation.state is OrganisationState.ACTIVE
        )

    def require(self, *, admin: bool) -> None:
        """Refuses with the one closed door unless the key may act, as admin when asked."""
        if not self.active or (admin and not self.member.admin):
            raise NotPermitted


def require_sequence(sequence: int, last: int, now: datetime) -> None:
    """Refuses a sequence that is not above the signer's last or lies in the future."""
    if sequence <= last or sequence > (now + SEQUENCE_LEEWAY).timestamp() * 1000:
        raise InvalidArgument("STATEMENT_SEQUENCE")
