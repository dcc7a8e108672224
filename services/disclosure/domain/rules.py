"""What must hold, each departure with its own reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from services.disclosure.domain.values import Asked, Limits, Said, SectionRef, Wrap
from services.disclosure.domain.vocabulary import (
    GROUNDS_FOR_ACCUSED,
    NEVER_SHAREABLE,
    CloseReason,
    Kind,
    NoticeState,
)
from services.kernel.errors import FailedPrecondition, InvalidArgument

# A client's corrected clock may lie this far from ours; consents and sequences allow for it.
CLOCK_TOLERANCE = timedelta(minutes=5)
# The limit of a snapshot and of what a reporter can be asked about one incident.
MAX_NOTICES = 64


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


def led_to(kid: str, steps: Sequence[tuple[str, str]]) -> frozenset[str]:
    """The keys from which hand-overs lead to `kid`, itself included; steps are (old, new), oldest first."""
    chain = {kid}
    for old, new in reversed(steps):
        if new in chain:
            chain.add(old)
    return frozenset(chain)


# Reading can still be stopped in these; every other state is closed and stays what it is.
_BEFORE_OPENING = frozenset({NoticeState.CONSENT_PENDING, NoticeState.OFFERED, NoticeState.TERMS_ACCEPTED})
_OF_THEIR_OWN = {CloseReason.EXPIRED: NoticeState.EXPIRED, CloseReason.DECLINED: NoticeState.DECLINED}


def closed_as(state: NoticeState, reason: CloseReason) -> NoticeState | None:
    """Returns the state of a notice that closes now, or None for one that is closed already.

    All causes but the end of the period and the recipient's own no look alike: before an opening withdrawn,
    after it a recall.
    """
    if state not in _BEFORE_OPENING and state is not NoticeState.OPENED:
        return None
    if reason in _OF_THEIR_OWN:
        return _OF_THEIR_OWN[reason]
    return NoticeState.WITHDRAWN if state in _BEFORE_OPENING else NoticeState.RECALL_REQUESTED


def require_asked(said: Said, asked: Asked, now: datetime) -> None:
    """Holds a consent within what was asked; every departure has its own reason."""
    if said.recipient != asked.recipient:
        raise InvalidArgument("RECIPIENT_MISMATCH")
    require_same_sections(said.sections, asked.sections)
    _require_subset(said.reader_kids, asked.reader_kids, "READER_MISMATCH")
    _require_subset(said.purposes, asked.purposes, "PURPOSE_MISMATCH")
    require_period(said.valid_from, said.valid_until, asked.valid_until, now)


def _require_subset(said: Sequence[Any], asked: frozenset[Any], reason: str) -> None:
    if not said or len(set(said)) != len(said) or not asked.issuperset(said):
        raise InvalidArgument(reason)


def require_same_sections(named: Sequence[SectionRef], known: Sequence[SectionRef]) -> None:
    """Holds named sections to known ones: the same version and kind, then content, then content key."""
    by_place = {(ref.section, ref.version, ref.kind): ref for ref in known}
    kinds = [ref.kind for ref in named]
    if not named or len(set(kinds)) != len(kinds):
        raise InvalidArgument("SECTION_MISMATCH")
    for ref in named:
        stored = by_place.get((ref.section, ref.version, ref.kind))
        if stored is None:
            raise InvalidArgument("SECTION_MISMATCH")
        if ref.digest != stored.digest:
            raise InvalidArgument("DIGEST_MISMATCH")
        if ref.commitment != stored.commitment:
            raise InvalidArgument("COMMITMENT_MISMATCH")


def require_period(valid_from: datetime, valid_until: datetime, asked_until: datetime, now: datetime) -> None:
    """Holds a period to whole seconds, to a start now, and to what was asked."""
    whole = not valid_from.microsecond and not valid_until.microsecond
    begins_now = abs(valid_from - now) <= CLOCK_TOLERANCE
    if not whole or not begins_now or not max(valid_from, now) < valid_until <= asked_until:
        raise InvalidArgument("PERIOD_MISMATCH")


def require_asking_period(valid_until: datetime, now: datetime, limits: Limits) -> None:
    """Holds the end a notice asks for to whole seconds, in the future, and not too far."""
    if valid_until.microsecond or not now < valid_until <= now + limits.consent_for:
        raise InvalidArgument("PERIOD_MISMATCH")


def require_shareable(kinds: Iterable[int], ground: int, reference: str) -> None:
    """Refuses kinds that never leave the intake, and the accused's name without law or licence."""
    wanted = frozenset(kinds)
    if wanted & NEVER_SHAREABLE:
        raise InvalidArgument("SECTION_MISMATCH")
    if Kind.ACCUSED_IDENTITY in wanted and not (ground in GROUNDS_FOR_ACCUSED and reference):
        raise InvalidArgument("SECTION_MISMATCH")


def require_wraps(wraps: Sequence[Wrap], section: str, version: int, reader_kids: Iterable[str]) -> None:
    """Holds the wraps of one section to exactly one for each reader, and none for anybody else."""
    wanted = sorted((section, version, kid) for kid in reader_kids)
    if sorted((wrap.section, wrap.version, wrap.reader_kid) for wrap in wraps) != wanted:
        raise InvalidArgument("WRAP_MISMATCH")


def require_pairs(wraps: Sequence[Wrap], said: Said) -> None:
    """Holds the wraps of a consent to exactly one for each reader and section."""
    wanted = sorted((ref.section, ref.version, kid) for ref in said.sections for kid in said.reader_kids)
    if sorted((wrap.section, wrap.version, wrap.reader_kid) for wrap in wraps) != wanted:
        raise InvalidArgument("WRAP_MISMATCH")
