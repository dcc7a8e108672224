"""What is decided about: sections, holders, what was asked and what was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class SectionRef:
    """One version of one section, as statements name it."""

    section: str
    version: int
    kind: int
    digest: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator set.

    Args:
        answer_for: How long an answer to a consent request counts.
        consent_for: The longest period a notice may ask for.
        reports_per_s: Reports per second on one production.
        reports_burst: Reports at once on one production, after a pause.
    """

    answer_for: timedelta
    consent_for: timedelta
    reports_per_s: float
    reports_burst: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A member in a role: the key, who holds it, and by which appointment."""

    kid: str
    subject: str
    organisation: str
    participation: str
    appointment: str


@dataclass(frozen=True, slots=True)
class Wrap:
    """One content key sealed to one reader; the service sees only that it is there."""

    section: str
    version: int
    reader_kid: str
    wrap: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a notice asks the reporter for; excluded readers are not among `reader_kids`."""

    recipient: str
    reader_kids: frozenset[str]
    sections: tuple[SectionRef, ...]
    purposes: frozenset[int]
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """What a consent statement says, as far as it must match what was asked."""

    recipient: str
    reader_kids: tuple[str, ...]
    sections: tuple[SectionRef, ...]
    purposes: tuple[int, ...]
    valid_from: datetime
    valid_until: datetime
    terms_version: str
