"""What is seen, and that an etag moves with that and with nothing else."""

from __future__ import annotations

import dataclasses
from datetime import timedelta, timezone

import pytest

from services.coordination.domain.clocks import Clock, ClockKind, Periods, delivery_clocks, notice_clocks
from services.coordination.domain.facts import DeliveryFacts, IncidentState, NoticeFacts, NoticeState, Purpose
from services.coordination.domain.views import StubView, Titles, incident_view, sent_view, stub_view
from tests.unit.coordination.builders import LATER, READER, START, incident, notice

TITLES = Titles("Dijkzicht Producties", "De Brug", "Onafhankelijk Meldpunt")
LIVE = DeliveryFacts(READER, live=True, offer_time=START, open_time=None, close_time=None)


def seen(facts: NoticeFacts, delivery: DeliveryFacts, titles: Titles = TITLES) -> StubView:
    shared, own = notice_clocks(facts, Periods()), delivery_clocks(delivery, Periods())
    return stub_view(facts, delivery, titles, shared, own, LATER)


def test_a_stub_tells_sender_production_purpose_terms_and_by_when_to_answer() -> None:
    stub = seen(notice(), LIVE)

    assert (stub.sender_title, stub.production_title) == ("Dijkzicht Producties", "De Brug")
    assert (stub.purposes, stub.terms_version) == ((Purpose.INFORM,), "v1")
    assert stub.reply_by_time == next(c.due_time for c in stub.clocks if c.kind is ClockKind.STUB_ANSWER)
    assert not stub.tombstone


def test_a_stub_does_not_tell_when_the_reporter_was_asked() -> None:
    assert ClockKind.CONSENT_ANSWER not in {clock.kind for clock in seen(notice(), LIVE).clocks}


def test_once_answered_there_is_nothing_to_reply_by() -> None:
    assert seen(notice(state=NoticeState.TERMS_ACCEPTED, answer_time=LATER), LIVE).reply_by_time is None


@pytest.mark.parametrize("opened", [False, True])
def test_a_tombstone_is_the_same_whatever_the_cause(opened: bool) -> None:
    closed = dataclasses.replace(LIVE, live=False, open_time=START if opened else None, close_time=LATER)
    causes = [
        notice(state=NoticeState.WITHDRAWN, close_time=LATER),
        notice(state=NoticeState.EXPIRED, close_time=LATER),
        notice(state=NoticeState.RECALL_REQUESTED, close_time=START, open_time=START),
        notice(state=NoticeState.DECLINED),
        notice(state=NoticeState.NOT_CONSENTED, offer_time=None),
        # This reader alone was excluded: for the others it goes on, to another purpose, offered again.
        notice(
            state=NoticeState.OPENED, open_time=LATER, acknowledge_time=LATER, purposes=(), offer_time=LATER
        ),
    ]

    tombstones = {seen(cause, closed) for cause in causes}

    assert len(tombstones) == 1
    assert len({stone.etag for stone in tombstones}) == 1
    (stone,) = tombstones
    assert stone.state is (NoticeState.RECALL_REQUESTED if opened else NoticeState.WITHDRAWN)
    assert (stone.sender, stone.sender_title, stone.production_title) == ("", "", "")
    assert (stone.purposes, stone.terms_version, stone.reply_by_time) == ((), "", None)
    assert stone.tombstone


def test_an_etag_moves_with_whatever_is_seen() -> None:
    stub = seen(notice(), LIVE)
    others = [
        seen(notice(state=NoticeState.TERMS_ACCEPTED), LIVE),
        seen(notice(purposes=(Purpose.PROTECT_PEOPLE,)), LIVE),
        seen(notice(), LIVE, dataclasses.replace(TITLES, sender="Dijkzicht Film")),
        dataclasses.replace(stub, clocks=(Clock(ClockKind.STUB_ANSWER, LATER, LATER),)),
        dataclasses.replace(stub, tombstone=True),
    ]

    assert len({stub.etag, *(other.etag for other in others)}) == 1 + len(others)


def test_an_etag_does_not_move_with_what_is_hidden_from_a_reader() -> None:
    stub = seen(notice(), LIVE)

    assert seen(notice(answer_by_time=START, create_time=LATER), LIVE).etag == stub.etag


def test_an_etag_does_not_depend_on_the_time_zone_a_moment_is_written_in() -> None:
    moved = START.astimezone(timezone(timedelta(hours=5)))

    assert (
        incident_view(incident(create_time=moved), (), LATER).etag
        == incident_view(incident(), (), LATER).etag
    )


def test_an_etag_does_not_depend_on_the_order_of_clocks() -> None:
    clocks = [Clock(ClockKind.FEEDBACK, LATER), Clock(ClockKind.ACKNOWLEDGEMENT, LATER, START)]

    assert incident_view(incident(), clocks, LATER) == incident_view(incident(), clocks[::-1], LATER)


def test_a_withdrawn_report_is_shown_as_such_whatever_was_done_with_it() -> None:
    gone = incident(withdrawn=True, progress=IncidentState.ASSESSING)

    assert incident_view(gone, (), LATER).state is IncidentState.WITHDRAWN


def test_a_sender_sees_the_state_of_a_notice_with_its_acknowledgement() -> None:
    facts = notice(state=NoticeState.OPENED, open_time=START, acknowledge_time=LATER)

    assert sent_view(facts, (), LATER).state is NoticeState.ACKNOWLEDGED
