"""What coordination knows: the snapshot it pulls from disclosure, and its own rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class IncidentState(IntEnum):
    """Where an incident stands; the numbers of the wire."""

    RECEIVED = 1
    ACKNOWLEDGED = 2
    ASSESSING = 3
    OWN_FOLLOW_UP = 4
    SHARING_CONSIDERED = 5
    ADVICE_ONLY = 6
    WITHDRAWN = 7


class NoticeState(IntEnum):
    """Where a notice stands; the numbers of the wire."""

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


class Purpose(IntEnum):
    """What a reader may use a notice for; numbers of the wire, names of the policy."""

    PROTECT_PEOPLE = 1
    COORDINATE_FOLLOW_UP = 2
    PRESERVE_EVIDENCE = 3
    INFORM = 4


# In these a stub can be alive; in every other one whoever had it sees its tombstone.
SHOWING = frozenset(
    {
        NoticeState.OFFERED,
        NoticeState.TERMS_ACCEPTED,
        NoticeState.DECLINED,
        NoticeState.LAPSED,
        NoticeState.OPENED,
        NoticeState.ACKNOWLEDGED,
    }
)
# The recipient has answered the stub, one way or the other.
ANSWERED = frozenset(
    {NoticeState.TERMS_ACCEPTED, NoticeState.DECLINED, NoticeState.OPENED, NoticeState.RECALL_REQUESTED}
)


@dataclass(frozen=True, slots=True)
class ReaderSnapshot:
    """Someone who has or had the stub, as disclosure says."""

    subject: str
    live: bool
    open_time: datetime | None


@dataclass(frozen=True, slots=True)
class NoticeSnapshot:
    """A notice as disclosure says; a refusal reads as CONSENT_PENDING there already."""

    name: str
    sender: str
    recipient: str
    state: NoticeState
    purposes: tuple[Purpose, ...]
    terms_version: str
    create_time: datetime
    offer_time: datetime | None
    open_time: datetime | None
    close_time: datetime | None
    answer_by_time: datetime | None
    readers: tuple[ReaderSnapshot, ...]


@dataclass(frozen=True, slots=True)
class IncidentSnapshot:
    """An incident as disclosure says; a lower version never replaces a higher one."""

    name: str
    version: int
    production: str
    withdrawn: bool
    reporter_kid: str
    handlers: tuple[str, ...]
    notices: tuple[NoticeSnapshot, ...]
    create_time: datetime


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What is known of an incident; `progress` is the handlers' own."""

    name: str
    production: str
    withdrawn: bool
    progress: IncidentState
    create_time: datetime
    acknowledge_time: datetime | None

    @property
    def state(self) -> IncidentState:
        """What everyone who may see the incident sees."""
        return IncidentState.WITHDRAWN if self.withdrawn else self.progress


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """What is known of a notice; `answer_time` and `acknowledge_time` were noted here."""

    name: str
    sender: str
    recipient: str
    state: NoticeState
    purposes: tuple[Purpose, ...]
    terms_version: str
    create_time: datetime
    offer_time: datetime | None
    open_time: datetime | None
    close_time: datetime | None
    answer_by_time: datetime | None
    answer_time: datetime | None
    acknowledge_time: datetime | None

    @property
    def shown(self) -> NoticeState:
        """The state with this service's own part in it."""
        if self.state is NoticeState.OPENED and self.acknowledge_time:
            return NoticeState.ACKNOWLEDGED
        return self.state


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """One reader's stub; `close_time` is when it turned into a tombstone here, whatever the cause.

    A tombstone keeps the time of the offer that its reader had: a later one to others must not move it.
    """

    subject: str
    live: bool
    offer_time: datetime | None
    open_time: datetime | None
    close_time: datetime | None


def noted(told: NoticeSnapshot, before: NoticeFacts | None, now: datetime) -> NoticeFacts:
    """Takes over what disclosure tells of a notice; own notes stay as long as it is the same offer."""
    same = before is not None and before.offer_time == told.offer_time
    answer_time = before.answer_time if before and same else None
    if answer_time is None and told.state in ANSWERED:
        answer_time = told.open_time or now
    return NoticeFacts(
        name=told.name,
        sender=told.sender,
        recipient=told.recipient,
        state=told.state,
        purposes=told.purposes,
        terms_version=told.terms_version,
        create_time=told.create_time,
        offer_time=told.offer_time,
        open_time=told.open_time,
        close_time=told.close_time,
        answer_by_time=told.answer_by_time,
        answer_time=answer_time,
        acknowledge_time=before.acknowledge_time if before and same else None,
    )


def delivered(
    notice: NoticeSnapshot, before: Mapping[str, DeliveryFacts], now: datetime
) -> dict[str, DeliveryFacts]:
    """The stubs and tombstones of a notice by reader: none before its offer, and none ever goes away."""
    told = {reader.subject: reader for reader in notice.readers} if notice.offer_time else {}
    subjects = sorted({*told, *before})
    return {name: _delivery(notice, name, told.get(name), before.get(name), now) for name in subjects}


def _delivery(
    notice: NoticeSnapshot,
    subject: str,
    told: ReaderSnapshot | None,
    before: DeliveryFacts | None,
    now: datetime,
) -> DeliveryFacts:
    open_time = (told.open_time if told else None) or (before.open_time if before else None)
    if told and told.live and notice.state in SHOWING:
        return DeliveryFacts(subject, True, notice.offer_time, open_time, None)
    offer_time = before.offer_time if before else notice.offer_time
    return DeliveryFacts(subject, False, offer_time, open_time, (before and before.close_time) or now)
