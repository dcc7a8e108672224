"""The clocks: pure functions of what happened when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from services.coordination.domain.calendar import end_of_working_day, months_later
from services.coordination.domain.facts import DeliveryFacts, IncidentFacts, NoticeFacts, NoticeState

# A request for consent lasts 14 days: whoever looks once a week never misses one.
LOOK_AGAIN_AT_MOST = timedelta(days=7)


class ClockKind(IntEnum):
    """What a clock runs for; the numbers of the wire."""

    ACKNOWLEDGEMENT = 1
    FEEDBACK = 2
    CONSENT_ANSWER = 3
    STUB_ANSWER = 4
    NOTICE_ACKNOWLEDGEMENT = 5
    RECALL_CONFIRMATION = 6


@dataclass(frozen=True, slots=True, order=True)
class Clock:
    """By when something is due, and when it was met."""

    kind: ClockKind
    due_time: datetime
    met_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Periods:
    """How long the clocks run; the consent request's end comes from disclosure."""

    acknowledgement_working_days: int = 3
    acknowledgement_max_days: int = 7
    feedback_months: int = 3
    stub_answer_working_days: int = 5
    notice_acknowledgement_working_days: int = 2
    recall_working_days: int = 1


def incident_clocks(incident: IncidentFacts, periods: Periods) -> tuple[Clock, ...]:
    """Personal acknowledgement and feedback; none once the report is withdrawn."""
    if incident.withdrawn:
        return ()
    start = incident.create_time
    acknowledge = min(
        end_of_working_day(start, periods.acknowledgement_working_days),
        start + timedelta(days=periods.acknowledgement_max_days),
    )
    return (
        Clock(ClockKind.ACKNOWLEDGEMENT, acknowledge, incident.acknowledge_time),
        Clock(ClockKind.FEEDBACK, months_later(start, periods.feedback_months)),
    )


def notice_clocks(notice: NoticeFacts, periods: Periods) -> tuple[Clock, ...]:
    """The clocks of a notice that its sender and the reporter see. A refusal meets none of them."""
    clocks = []
    if notice.answer_by_time:
        clocks.append(Clock(ClockKind.CONSENT_ANSWER, notice.answer_by_time, notice.offer_time))
    if notice.offer_time:
        due = end_of_working_day(notice.offer_time, periods.stub_answer_working_days)
        clocks.append(Clock(ClockKind.STUB_ANSWER, due, notice.answer_time))
    if notice.open_time:
        due = end_of_working_day(notice.open_time, periods.notice_acknowledgement_working_days)
        clocks.append(Clock(ClockKind.NOTICE_ACKNOWLEDGEMENT, due, notice.acknowledge_time))
    if notice.state is NoticeState.RECALL_REQUESTED and notice.close_time:
        clocks.append(
            Clock(
                ClockKind.RECALL_CONFIRMATION,
                end_of_working_day(notice.close_time, periods.recall_working_days),
            )
        )
    return tuple(clocks)


# What a reader sees of a notice's clocks while the stub lives; the reporter's own clock is not among them.
READER_KINDS = frozenset({ClockKind.STUB_ANSWER, ClockKind.NOTICE_ACKNOWLEDGEMENT})


def delivery_clocks(delivery: DeliveryFacts, periods: Periods) -> tuple[Clock, ...]:
    """The reader's own clock: a tombstone of what this reader opened asks to remove the copies."""
    if delivery.live or not delivery.open_time or not delivery.close_time:
        return ()
    return (
        Clock(
            ClockKind.RECALL_CONFIRMATION,
            end_of_working_day(delivery.close_time, periods.recall_working_days),
        ),
    )


def look_again(clocks: Iterable[Clock], now: datetime) -> datetime:
    """When looking again makes sense: when the next thing is due, within a week."""
    due = (clock.due_time for clock in clocks if not clock.met_time and clock.due_time > now)
    return min((*due, now + LOOK_AGAIN_AT_MOST))
