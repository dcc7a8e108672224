"""The words the service decides with; numbers are those of the wire unless said otherwise."""

from __future__ import annotations

from enum import IntEnum, StrEnum


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


# In 2023 the Dutch sport register had to erase names of the accused: they need a law or a licence.
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
