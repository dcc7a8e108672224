"""What takes part and how it may change. Every method returns the changed thing or refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Self

from services.directory.domain.vocabulary import (
    SINGULAR,
    Capacity,
    MemberState,
    OrganisationKind,
    OrganisationState,
    ParticipationState,
    SubjectKind,
)
from services.kernel.errors import FailedPrecondition, InvalidField, StaleEtag


class WrongState(FailedPrecondition):
    """The thing is in another state, and the caller may know which."""

    def __init__(self, state: IntEnum | None = None) -> None:
        super().__init__(state=state.name if state else None)


class AlreadyEnded(WrongState):
    """The thing, by its name, has ended before; who is told so relies on it as on the ending itself."""

    def __init__(self, name: str, state: IntEnum | None = None) -> None:
        super().__init__(state)
        self.name = name


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

    @property
    def closed_as(self) -> int | None:
        """The state in which less is allowed than before, as a number; None while it is open."""
        return None

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

    @property
    def closed_as(self) -> int | None:
        """Suspended or left."""
        return None if self.state is OrganisationState.ACTIVE else int(self.state)

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

    @property
    def closed_as(self) -> int | None:
        """Removed."""
        return int(self.state) if self.state is MemberState.REMOVED else None

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
        if self.state is MemberState.REMOVED:
            raise AlreadyEnded(self.name, self.state)
        if self.kid == root:
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

    @property
    def closed_as(self) -> int | None:
        """Ended."""
        return int(self.state) if self.state is ParticipationState.ENDED else None

    def accept(self) -> Self:
        """Takes part from now on."""
        require_state(self.state, ParticipationState.PROPOSED)
        return replace(self, state=ParticipationState.ACCEPTED)

    def end(self) -> Self:
        """Takes part no longer; the independent point always does."""
        if self.state is ParticipationState.ENDED:
            raise AlreadyEnded(self.name, self.state)
        if self.independent:
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

    @property
    def closed_as(self) -> int | None:
        """Ended, which is its only state."""
        return int(self.ended) or None

    def end(self) -> Self:
        """Ends the role."""
        if self.ended:
            raise AlreadyEnded(self.name)
        return replace(self, ended=True)
