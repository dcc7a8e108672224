"""Facts to decide on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.coordination.domain.facts import (
    IncidentFacts,
    IncidentState,
    NoticeFacts,
    NoticeSnapshot,
    NoticeState,
    Purpose,
    ReaderSnapshot,
)

INCIDENT = "incidents/" + "a" * 26
NOTICE = INCIDENT + "/notices/" + "b" * 26
READER, COLLEAGUE = "persons/" + "c" * 26, "persons/" + "d" * 26
# A Friday morning in winter.
START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def incident(**changed: Any) -> IncidentFacts:
    values = {
        "name": INCIDENT,
        "production": "productions/" + "e" * 26,
        "withdrawn": False,
        "progress": IncidentState.RECEIVED,
        "create_time": START,
        "acknowledge_time": None,
    }
    return IncidentFacts(**values | changed)


def notice(**changed: Any) -> NoticeFacts:
    values = {
        "name": NOTICE,
        "sender": "participations/" + "f" * 26,
        "recipient": "participations/" + "g" * 26,
        "state": NoticeState.OFFERED,
        "purposes": (Purpose.INFORM,),
        "terms_version": "v1",
        "create_time": START,
        "offer_time": START,
        "open_time": None,
        "close_time": None,
        "answer_by_time": LATER,
        "answer_time": None,
        "acknowledge_time": None,
    }
    return NoticeFacts(**values | changed)


def told(*readers: ReaderSnapshot, **changed: Any) -> NoticeSnapshot:
    values = {
        "name": NOTICE,
        "sender": "participations/" + "f" * 26,
        "recipient": "participations/" + "g" * 26,
        "state": NoticeState.OFFERED,
        "purposes": (Purpose.INFORM,),
        "terms_version": "v1",
        "create_time": START,
        "offer_time": START,
        "open_time": None,
        "close_time": None,
        "answer_by_time": LATER,
        "readers": readers,
    }
    return NoticeSnapshot(**values | changed)
