"""What each kind of caller sees. An etag is a digest of exactly that, so nothing hidden can move it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from services.coordination.domain.clocks import READER_KINDS, Clock, ClockKind
from services.coordination.domain.facts import (
    DeliveryFacts,
    IncidentFacts,
    IncidentState,
    NoticeFacts,
    NoticeState,
    Purpose,
)

DIGEST_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class View:
    """Base of the views."""

    @property
    def etag(self) -> str:
        """Digest of all that is seen; the time of the last change follows from it and is left out."""
        seen = [getattr(self, field.name) for field in fields(self) if field.name != "update_time"]
        text = json.dumps(seen, default=_plain, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return astuple(value)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a handler's incidents: in one state, of one production; all without."""

    state: IncidentState | None = None
    production: str = ""


@dataclass(frozen=True, slots=True)
class IncidentView(View):
    """An incident as its handlers see it."""

    name: str
    production: str
    state: IncidentState
    create_time: datetime
    clocks: tuple[Clock, ...]
    update_time: datetime


@dataclass(frozen=True, slots=True)
class SentView(View):
    """A notice as its senders see it: its state, never which readers were reached."""

    name: str
    recipient: str
    state: NoticeState
    create_time: datetime
    clocks: tuple[Clock, ...]
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Titles:
    """Names as shown around a stub."""

    sender: str = ""
    production: str = ""
    independent: str = ""


@dataclass(frozen=True, slots=True)
class StubView(View):
    """A stub, or its tombstone, as one reader sees it."""

    name: str
    recipient: str
    state: NoticeState
    tombstone: bool
    offer_time: datetime | None
    independent_contact: str
    clocks: tuple[Clock, ...]
    update_time: datetime
    sender: str = ""
    sender_title: str = ""
    production_title: str = ""
    purposes: tuple[Purpose, ...] = ()
    terms_version: str = ""
    reply_by_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticeStatus:
    """A notice as the reporter sees it."""

    name: str
    state: NoticeState
    clocks: tuple[Clock, ...]


@dataclass(frozen=True, slots=True)
class StatusView:
    """How things stand, for the reporter."""

    incident: str
    state: IncidentState
    look_again_time: datetime | None
    clocks: tuple[Clock, ...]
    notices: tuple[NoticeStatus, ...]


def incident_view(incident: IncidentFacts, clocks: Collection[Clock], update_time: datetime) -> IncidentView:
    """The incident as its handlers see it."""
    return IncidentView(
        name=incident.name,
        production=incident.production,
        state=incident.state,
        create_time=incident.create_time,
        clocks=tuple(sorted(clocks)),
        update_time=update_time,
    )


def sent_view(notice: NoticeFacts, clocks: Collection[Clock], update_time: datetime) -> SentView:
    """The notice as its senders see it."""
    return SentView(
        name=notice.name,
        recipient=notice.recipient,
        state=notice.shown,
        create_time=notice.create_time,
        clocks=tuple(sorted(clocks)),
        update_time=update_time,
    )


def stub_view(
    notice: NoticeFacts,
    delivery: DeliveryFacts,
    titles: Titles,
    shared: Collection[Clock],
    own: Collection[Clock],
    update_time: datetime,
) -> StubView:
    """What one reader sees; a tombstone tells only whether this reader had opened it, never why it closed.

    Args:
        notice: The notice, of which a tombstone shows the name and the recipient only.
        delivery: This reader's part in it.
        titles: Names as shown.
        shared: The clocks of the notice; a tombstone shows none of them, since they tell why it closed.
        own: The clocks of this reader.
        update_time: When this reader's view changed last.
    """
    if not delivery.live:
        return StubView(
            name=notice.name,
            recipient=notice.recipient,
            state=NoticeState.RECALL_REQUESTED if delivery.open_time else NoticeState.WITHDRAWN,
            tombstone=True,
            offer_time=delivery.offer_time,
            independent_contact=titles.independent,
            clocks=tuple(sorted(own)),
            update_time=update_time,
        )
    shown = tuple(sorted(clock for clock in shared if clock.kind in READER_KINDS))
    reply_by = (
        clock.due_time for clock in shown if clock.kind is ClockKind.STUB_ANSWER and not clock.met_time
    )
    return StubView(
        name=notice.name,
        recipient=notice.recipient,
        state=notice.shown,
        tombstone=False,
        offer_time=delivery.offer_time,
        independent_contact=titles.independent,
        clocks=shown,
        update_time=update_time,
        sender=notice.sender,
        sender_title=titles.sender,
        production_title=titles.production,
        purposes=notice.purposes,
        terms_version=notice.terms_version,
        reply_by_time=next(reply_by, None),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in one reader's inbox; `seq` orders the changes that this reader can see."""

    seq: int
    view: StubView
