"""What takes part and how it may change. Pure: every method returns the changed thing or refuses.

The numbers of the enums are those of the wire, so that a stored number and a sent one are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Self

from services.kernel.errors import FailedPrecondition, InvalidArgument, InvalidField, NotPermitted, StaleEtag

INVITATION_LIFETIME = timedelta(days=14)
# A signer's clock may run ahead this far before its sequence counts as from the future.
SEQUENCE_LEEWAY = timedelta(minutes=5)
# A circle carries at most 64 participations, the independent point's among them, and 256 contacts.
MAX_PARTICIPATIONS = 63
MAX_CONTACTS_EACH = 16
# Chains are verified over at most 64 rotations, those of the admin included.
MAX_ROTATIONS = 24


class OrganisationKind(IntEnum):
    """What an organisation is."""

    BROADCASTER = 1
    PRODUCER = 2
    FACILITY = 3
    STREAMING = 4
    UMBRELLA = 5
    INDEPENDENT_POINT = 6
    SECRETARIAT = 7


# There is one of each; neither is made from another kind, suspended or sent away.
SINGULAR = frozenset({OrganisationKind.INDEPENDENT_POINT, OrganisationKind.SECRETARIAT})


class OrganisationState(IntEnum):
    """Whether an organisation may act."""

    ACTIVE = 1
    SUSPENDED = 2
    LEFT = 3


class MemberState(IntEnum):
    """Where a membership stands."""

    INVITED = 1
    KEY_PENDING = 2
    ACTIVE = 3
    REMOVED = 4


class ParticipationState(IntEnum):
    """Where a participation stands."""

    PROPOSED = 1
    ACCEPTED = 2
    ENDED = 3


class Capacity(IntEnum):
    """What an appointment lets its holder do."""

    COUNSELLOR = 1
    SAFETY_CONTACT = 2


class SubjectKind(IntEnum):
    """What a member is."""

    PERSON = 1
    SYSTEM = 2


COLLECTIONS = {SubjectKind.PERSON: "persons", SubjectKind.SYSTEM: "systems"}


class WrongState(FailedPrecondition):
    """The thing is in another state, and the caller may know which."""

    def __init__(self, state: IntEnum | None = None) -> None:
        super().__init__(state=state.name if state else None)


def require_state(actual: IntEnum, expected: IntEnum) -> None:
    """Refuses with WRONG_STATE unless the state is the expected one."""
    if actual is not expected:
        raise WrongState(actual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something with a name and a version that grows with every change."""

    name: str
    version: int = 1

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return f"v{self.version}"

    def require_etag(self, etag: str) -> None:
        """Refuses with ETAG_STALE unless the caller read the latest."""
        if etag != self.etag:
            raise StaleEtag


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation(Resource):
    """A party of the covenant, or of a production."""

    title: str
    kind: OrganisationKind
    umbrella: str = ""
    state: OrganisationState = OrganisationState.ACTIVE

    def updated(
        self, title: str, kind: OrganisationKind, umbrella: str, state: OrganisationState | None
    ) -> Self:
        """Returns the organisation as the secretariat wants it; who left stays away."""
        if kind is not self.kind and SINGULAR & {kind, self.kind}:
            raise InvalidField("organisation.kind", "is given once and never changed")
        if umbrella == self.name:
            raise InvalidField("organisation.umbrella", "must be another organisation")
        wanted = state or self.state
        if wanted is not self.state and (self.kind in SINGULAR or self.state is OrganisationState.LEFT):
            raise WrongState(self.state)
        return replace(self, title=title, kind=kind, umbrella=umbrella, state=wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Resource):
    """A person or system at an organisation."""

    organisation: str
    subject: str
    title: str
    subject_kind: SubjectKind
    admin: bool
    state: MemberState = MemberState.INVITED
    kid: str = ""
    pending_kid: str = ""
    key_change_time: datetime | None = None

    def accept_key(self, kid: str) -> Self:
        """Takes the key that the invited person brought; it waits for comparison."""
        require_state(self.state, MemberState.INVITED)
        return replace(self, state=MemberState.KEY_PENDING, kid=kid)

    def endorse(self) -> Self:
        """Makes the compared key the member's."""
        require_state(self.state, MemberState.KEY_PENDING)
        return replace(self, state=MemberState.ACTIVE)

    def remove(self, root: str) -> Self:
        """Ends the membership; the root's would leave nobody to endorse admins."""
        if self.state is MemberState.REMOVED or self.kid == root:
            raise WrongState(self.state)
        return replace(self, state=MemberState.REMOVED)

    def announce(self, kid: str, root: str) -> Self:
        """Notes the key that shall follow; the latest announcement counts. The root is for ever."""
        if self.kid == root:
            raise WrongState
        return replace(self, pending_kid=kid)

    def rotate(self, kid: str, now: datetime) -> Self:
        """Puts the announced key in the place of the old one."""
        if not kid or self.pending_kid != kid:
            raise WrongState
        return replace(self, kid=kid, pending_kid="", key_change_time=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Production(Resource):
    """A production or project."""

    title: str
    lead: str
    start_time: datetime
    end_time: datetime
    isan: str = ""
    eidr: str = ""
    code: str

    def __post_init__(self) -> None:
        if self.end_time < self.start_time:
            raise InvalidField("production.end_time", "must not lie before the start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Participation(Resource):
    """One organisation on one production; the independent point's standing one has no production."""

    production: str = ""
    organisation: str
    state: ParticipationState = ParticipationState.PROPOSED
    independent: bool = False

    def accept(self) -> Self:
        """Takes part from now on."""
        require_state(self.state, ParticipationState.PROPOSED)
        return replace(self, state=ParticipationState.ACCEPTED)

    def end(self) -> Self:
        """Takes part no longer; the independent point always does."""
        if self.independent or self.state is ParticipationState.ENDED:
            raise WrongState(self.state)
        return replace(self, state=ParticipationState.ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment(Resource):
    """A member's role for a participation, as signed."""

    organisation: str
    participation: str
    capacity: Capacity
    role: str
    member: str
    subject: str
    kid: str
    deputy_of: str = ""
    signer_kid: str
    ended: bool = False

    def end(self) -> Self:
        """Ends the role."""
        if self.ended:
            raise WrongState
        return replace(self, ended=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A role with its holder's current key."""

    appointment: str
    participation: str
    capacity: Capacity
    kid: str
    subject: str
    ended: bool


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
