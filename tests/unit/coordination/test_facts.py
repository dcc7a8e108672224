"""What is taken over from disclosure, and what stays ours."""

from __future__ import annotations

from services.coordination.domain.facts import DeliveryFacts, NoticeState, ReaderSnapshot, delivered, noted
from tests.unit.coordination.builders import COLLEAGUE, LATER, READER, START, notice, told

LIVE = ReaderSnapshot(READER, live=True, open_time=None)
CLOSED = ReaderSnapshot(READER, live=False, open_time=None)


def test_nobody_has_a_stub_before_the_offer() -> None:
    asked = told(LIVE, state=NoticeState.CONSENT_PENDING, offer_time=None)

    assert delivered(asked, {}, LATER) == {}


def test_an_offer_brings_a_live_stub_to_its_readers() -> None:
    assert delivered(told(LIVE), {}, LATER) == {READER: DeliveryFacts(READER, True, START, None, None)}


def test_a_closed_notice_has_no_live_stub_whatever_its_seats_say() -> None:
    for state in (
        NoticeState.WITHDRAWN,
        NoticeState.EXPIRED,
        NoticeState.RECALL_REQUESTED,
        NoticeState.NOT_CONSENTED,
    ):
        assert not delivered(told(LIVE, state=state), {}, LATER)[READER].live


def test_a_tombstone_keeps_the_moment_at_which_it_came() -> None:
    first = delivered(told(CLOSED), delivered(told(LIVE), {}, START), START)

    assert delivered(told(CLOSED), first, LATER) == first
    assert first[READER].close_time == START


def test_whoever_had_the_stub_keeps_a_tombstone_when_no_longer_told_of() -> None:
    had = delivered(told(LIVE), {}, START)

    assert delivered(told(), had, LATER)[READER] == DeliveryFacts(READER, False, START, None, LATER)


def test_a_new_offer_to_others_does_not_move_the_time_on_a_tombstone() -> None:
    had = delivered(told(CLOSED), delivered(told(LIVE), {}, START), START)
    again = told(CLOSED, ReaderSnapshot(COLLEAGUE, live=True, open_time=None), offer_time=LATER)

    now = delivered(again, had, LATER)

    assert now[READER] == had[READER]
    assert now[COLLEAGUE].offer_time == LATER


def test_a_stub_can_come_back_to_life_with_a_new_offer() -> None:
    had = delivered(told(CLOSED), delivered(told(LIVE), {}, START), START)

    assert delivered(told(LIVE, offer_time=LATER), had, LATER)[READER] == DeliveryFacts(
        READER, True, LATER, None, None
    )


def test_an_opening_is_remembered_when_the_seat_is_gone() -> None:
    opened = delivered(told(ReaderSnapshot(READER, live=True, open_time=START)), {}, START)

    assert delivered(told(), opened, LATER)[READER].open_time == START


def test_the_answer_is_noted_when_it_is_first_heard_and_then_stays() -> None:
    accepted = told(state=NoticeState.TERMS_ACCEPTED)

    first = noted(accepted, notice(), START)

    assert first.answer_time == START
    assert noted(accepted, first, LATER).answer_time == START


def test_an_opening_heard_late_counts_from_when_it_was() -> None:
    opened = told(state=NoticeState.OPENED, open_time=START)

    assert noted(opened, None, LATER).answer_time == START


def test_the_acknowledgement_belongs_to_one_offer() -> None:
    acknowledged = notice(state=NoticeState.OPENED, open_time=START, acknowledge_time=LATER)

    same = noted(told(state=NoticeState.OPENED, open_time=START), acknowledged, LATER)
    new = noted(told(state=NoticeState.OPENED, open_time=START, offer_time=LATER), acknowledged, LATER)

    assert same.shown is NoticeState.ACKNOWLEDGED
    assert new.shown is NoticeState.OPENED


def test_closing_is_shown_even_of_what_was_acknowledged() -> None:
    assert (
        notice(state=NoticeState.RECALL_REQUESTED, acknowledge_time=LATER).shown
        is NoticeState.RECALL_REQUESTED
    )
