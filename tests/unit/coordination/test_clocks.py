"""Which clocks run, when they are due, what meets them."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.coordination.domain.calendar import ZONE, end_of_working_day
from services.coordination.domain.clocks import (
    LOOK_AGAIN_AT_MOST,
    Clock,
    ClockKind,
    Periods,
    delivery_clocks,
    incident_clocks,
    look_again,
    notice_clocks,
)
from services.coordination.domain.facts import DeliveryFacts, NoticeState
from tests.unit.coordination.builders import LATER, READER, START, incident, notice

PERIODS = Periods()


def by_kind(clocks: tuple[Clock, ...]) -> dict[ClockKind, Clock]:
    return {clock.kind: clock for clock in clocks}


def test_a_report_is_acknowledged_within_three_working_days() -> None:
    clock = by_kind(incident_clocks(incident(), PERIODS))[ClockKind.ACKNOWLEDGEMENT]

    assert clock == Clock(ClockKind.ACKNOWLEDGEMENT, datetime(2026, 11, 26, tzinfo=ZONE))


def test_holidays_never_stretch_the_acknowledgement_past_seven_days() -> None:
    # Christmas Eve 2026: three working days would end at midnight after 30 December.
    eve = datetime(2026, 12, 24, 10, tzinfo=ZONE)
    patient = Periods(acknowledgement_working_days=5)

    clock = by_kind(incident_clocks(incident(create_time=eve), patient))[ClockKind.ACKNOWLEDGEMENT]

    assert end_of_working_day(eve, 5) > eve + timedelta(days=7)
    assert clock.due_time == eve + timedelta(days=7)


def test_feedback_is_due_after_three_months() -> None:
    clock = by_kind(incident_clocks(incident(), PERIODS))[ClockKind.FEEDBACK]

    assert clock.due_time == datetime(2027, 2, 20, 10, 30, tzinfo=ZONE)


def test_acknowledging_meets_the_first_clock_only() -> None:
    clocks = by_kind(incident_clocks(incident(acknowledge_time=LATER), PERIODS))

    assert clocks[ClockKind.ACKNOWLEDGEMENT].met_time == LATER
    assert clocks[ClockKind.FEEDBACK].met_time is None


def test_a_withdrawn_report_has_no_clocks() -> None:
    assert incident_clocks(incident(withdrawn=True), PERIODS) == ()


def test_only_a_yes_meets_the_clock_of_the_request() -> None:
    pending = notice(state=NoticeState.CONSENT_PENDING, offer_time=None)

    assert notice_clocks(pending, PERIODS) == (Clock(ClockKind.CONSENT_ANSWER, LATER),)
    assert by_kind(notice_clocks(notice(), PERIODS))[ClockKind.CONSENT_ANSWER].met_time == START


def test_an_offer_is_answered_within_five_working_days() -> None:
    clock = by_kind(notice_clocks(notice(answer_time=LATER), PERIODS))[ClockKind.STUB_ANSWER]

    assert clock == Clock(ClockKind.STUB_ANSWER, datetime(2026, 11, 28, tzinfo=ZONE), LATER)


def test_an_opened_notice_is_acknowledged_within_two_working_days() -> None:
    opened = notice(state=NoticeState.OPENED, open_time=START)

    clock = by_kind(notice_clocks(opened, PERIODS))[ClockKind.NOTICE_ACKNOWLEDGEMENT]

    assert clock == Clock(ClockKind.NOTICE_ACKNOWLEDGEMENT, datetime(2026, 11, 25, tzinfo=ZONE))


def test_a_recall_is_confirmed_within_a_working_day() -> None:
    recalled = notice(state=NoticeState.RECALL_REQUESTED, close_time=START)

    clock = by_kind(notice_clocks(recalled, PERIODS))[ClockKind.RECALL_CONFIRMATION]

    assert clock.due_time == datetime(2026, 11, 24, tzinfo=ZONE)


def test_a_tombstone_asks_to_remove_copies_only_of_whoever_opened() -> None:
    opened = DeliveryFacts(READER, live=False, offer_time=START, open_time=START, close_time=LATER)
    unopened = DeliveryFacts(READER, live=False, offer_time=START, open_time=None, close_time=LATER)

    assert [clock.kind for clock in delivery_clocks(opened, PERIODS)] == [ClockKind.RECALL_CONFIRMATION]
    assert delivery_clocks(unopened, PERIODS) == ()


def test_looking_again_makes_sense_when_the_next_thing_is_due() -> None:
    soon = Clock(ClockKind.ACKNOWLEDGEMENT, START + timedelta(days=2))
    far = Clock(ClockKind.FEEDBACK, START + timedelta(days=90))

    assert look_again([far, soon], START) == soon.due_time


def test_met_and_past_clocks_are_not_waited_for_and_nobody_waits_longer_than_a_week() -> None:
    met = Clock(ClockKind.ACKNOWLEDGEMENT, START + timedelta(days=2), START)
    past = Clock(ClockKind.STUB_ANSWER, START - timedelta(days=2))
    far = Clock(ClockKind.FEEDBACK, START + timedelta(days=90))

    assert look_again([met, past, far], START) == START + LOOK_AGAIN_AT_MOST
