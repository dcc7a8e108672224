"""Which state a notice closes in, and that closed stays closed."""

from __future__ import annotations

import pytest

from services.disclosure.domain import CloseReason, NoticeState, closed_as

BEFORE = (NoticeState.CONSENT_PENDING, NoticeState.OFFERED, NoticeState.TERMS_ACCEPTED)
CLOSED = set(NoticeState) - {*BEFORE, NoticeState.OPENED}
ALIKE = set(CloseReason) - {CloseReason.EXPIRED, CloseReason.DECLINED}


@pytest.mark.parametrize("reason", sorted(ALIKE))
@pytest.mark.parametrize("state", BEFORE)
def test_before_an_opening_every_cause_looks_the_same(state: NoticeState, reason: CloseReason) -> None:
    assert closed_as(state, reason) is NoticeState.WITHDRAWN


@pytest.mark.parametrize("reason", sorted(ALIKE))
def test_after_an_opening_every_cause_is_a_recall(reason: CloseReason) -> None:
    assert closed_as(NoticeState.OPENED, reason) is NoticeState.RECALL_REQUESTED


@pytest.mark.parametrize("state", [*BEFORE, NoticeState.OPENED])
def test_the_end_of_the_period_and_a_no_of_the_recipient_are_told_apart(state: NoticeState) -> None:
    assert closed_as(state, CloseReason.EXPIRED) is NoticeState.EXPIRED
    assert closed_as(state, CloseReason.DECLINED) is NoticeState.DECLINED


@pytest.mark.parametrize("reason", sorted(CloseReason))
@pytest.mark.parametrize("state", sorted(CLOSED))
def test_a_closed_notice_stays_as_it_is(state: NoticeState, reason: CloseReason) -> None:
    assert closed_as(state, reason) is None
