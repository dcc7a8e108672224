"""What is true of incidents, notices and consents, whatever stores or carries them. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from services.kernel.errors import FailedPrecondition, InvalidArgument

# A client's corrected clock may lie this far from ours; consents and sequences allow for it.
CLOCK_TOLERANCE = timedelta(minutes=5)
# The limit of a snapshot and of what a reporter can be asked about one incident.
MAX_NOTICES = 64
MAX_LIVE_HANDLERS = 8


class Kind(IntEnum):
    """What a section holds, by rising sensitivity."""

    CONTEXT = 1
    SUMMARY = 2
    MEASURES = 3
    ACCOUNT = 4
    IMPACT = 5
    DETERMINATION = 6
    REPLY = 7
    WITNESSES = 8
    EVIDENCE = 9
    REPORTER_IDENTITY = 10
    ACCUSED_IDENTITY = 11
    MESSAGE = 12
    INTERNAL_NOTE = 13


NEVER_SHAREABLE = frozenset({Kind.MESSAGE, Kind.INTERNAL_NOTE})


class Purpose(IntEnum):
    """What a reader may use a notice for."""

    PROTECT_PEOPLE = 1
    COORDINATE_FOLLOW_UP = 2
    PRESERVE_EVIDENCE = 3
    INFORM = 4


class Ground(IntEnum):
    """On what ground a handler decided to propose a disclosure."""

    REPORTER_CONSENT = 1
    LEGAL_OBLIGATION = 2
    LEGITIMATE_INTEREST = 3
    VITAL_INTEREST = 4
    LEGAL_CLAIMS = 5
    LICENCE = 6


# In 2023 the Dutch sport register had to erase names of the accused: they need law or licence, with its reference.
GROUNDS_FOR_ACCUSED = frozenset({Ground.LEGAL_OBLIGATION, Ground.LEGAL_CLAIMS, Ground.LICENCE})


class NoticeState(IntEnum):
    """Where a notice stands, as everyone but the reporter may know."""

    CONSENT_PENDING = 1
    NOT_CONSENTED = 2
    OFFERED = 3
    TERMS_ACCEPTED = 4
    DECLINED = 5
    LAPSED = 6
    OPENED = 7
    ACKNOWLEDGED = 8
    WITHDRAWN = 9
    RECALL_REQUESTED = 10
    EXPIRED = 11


# A first or a further yes counts in these; later the notice is closed and needs a new proposal.
ANSWERABLE = frozenset(
    {NoticeState.CONSENT_PENDING, NoticeState.OFFERED, NoticeState.TERMS_ACCEPTED, NoticeState.OPENED}
)


class Answer(IntEnum):
    """The reporter's own answer; nobody else sees it."""

    NONE = 1
    GIVEN = 2
    REFUSED = 3
    WITHDRAWN = 4
    EXPIRED = 5
    LAPSED = 6
    CLOSED = 7


class Door(IntEnum):
    """The capacity in which somebody opens."""

    REPORTER = 1
    HANDLER = 2
    READER = 3


class IncidentState(IntEnum):
    """Where an incident stands as far as this service knows."""

    RECEIVED = 1
    WITHDRAWN = 7


class ConsentState(IntEnum):
    """Whether a consent still opens something, and if not, why; numbers are ours, in the database only."""

    GIVEN = 1
    WITHDRAWN = 2
    EXPIRED = 3
    SUPERSEDED = 4
    CLOSED = 5


class CloseReason(StrEnum):
    """Why a seat or a consent closed; kept for the reporter, never shown to whoever lost it."""

    WITHDRAWN = "withdrawn"
    REPORT_WITHDRAWN = "report_withdrawn"
    EXCLUDED = "excluded"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    DECISION_REVOKED = "decision_revoked"
    TERMS_LAPSED = "terms_lapsed"
    DECLINED = "declined"
    INTAKE_CHANGED = "intake_changed"
    ENDED = "ended"
    REWRAPPED = "rewrapped"


@dataclass(frozen=True, slots=True)
class SectionRef:
    """One version of one section, as statements name it."""

    section: str
    version: int
    kind: int
    digest: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """A member in a role: the key, who holds it, and by which appointment."""

    kid: str
    subject: str
    organisation: str
    participation: str
    appointment: str


def incident_of(name: str) -> str:
    """The incident that a notice, a section or an incident itself belongs to."""
    return "/".join(name.split("/")[:2])


def wrong_state(state: IntEnum) -> FailedPrecondition:
    """Refuses for the state, which the caller may see."""
    return FailedPrecondition(state=state.name)


def require_sequence(sequence: int, last: int, now: datetime) -> None:
    """Holds a sequence strictly above the signer's last here, and not ahead of the clock.

    One from the future would lock its signer out until then.
    """
    if sequence <= last or sequence > (now + CLOCK_TOLERANCE).timestamp() * 1000:
        raise InvalidArgument("STATEMENT_SEQUENCE")
