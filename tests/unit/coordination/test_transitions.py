"""Every step from every state: the legal ones happen, the others name the state they met."""

from __future__ import annotations

import itertools

import pytest

from services.coordination.domain import transitions
from services.coordination.domain.facts import IncidentState, NoticeState
from services.kernel.errors import FailedPrecondition, InvalidField, StaleEtag
from tests.unit.coordination.builders import LATER, START, notice

ASSESSED = {IncidentState.OWN_FOLLOW_UP, IncidentState.SHARING_CONSIDERED, IncidentState.ADVICE_ONLY}
LEGAL = {
    (IncidentState.ACKNOWLEDGED, IncidentState.ASSESSING),
    *((IncidentState.ASSESSING, outcome) for outcome in ASSESSED),
    *((outcome, IncidentState.ASSESSING) for outcome in ASSESSED),
}


@pytest.mark.parametrize(
    ("state", "outcome"), list(itertools.product(IncidentState, [IncidentState.ASSESSING, *sorted(ASSESSED)]))
)
def test_an_assessment_follows_the_one_before_it(state: IncidentState, outcome: IncidentState) -> None:
    if (state, outcome) in LEGAL:
        assert transitions.assess(state, outcome) is outcome
        return
    with pytest.raises(FailedPrecondition) as refused:
        transitions.assess(state, outcome)
    assert refused.value.metadata == {"state": state.name}


@pytest.mark.parametrize(
    "outcome", [IncidentState.RECEIVED, IncidentState.ACKNOWLEDGED, IncidentState.WITHDRAWN]
)
def test_what_is_no_outcome_is_refused_by_its_field(outcome: IncidentState) -> None:
    with pytest.raises(InvalidField) as refused:
        transitions.assess(IncidentState.ASSESSING, outcome)
    assert [path for path, _ in refused.value.fields] == ["outcome"]


@pytest.mark.parametrize("state", IncidentState)
def test_only_what_was_just_received_is_acknowledged(state: IncidentState) -> None:
    if state is IncidentState.RECEIVED:
        assert transitions.acknowledge(state) is IncidentState.ACKNOWLEDGED
        return
    with pytest.raises(FailedPrecondition) as refused:
        transitions.acknowledge(state)
    assert refused.value.metadata == {"state": state.name}


@pytest.mark.parametrize("state", NoticeState)
def test_only_an_opened_notice_is_acknowledged(state: NoticeState) -> None:
    facts = notice(state=state, open_time=START)
    if state is NoticeState.OPENED:
        transitions.acknowledge_notice(facts)
        return
    with pytest.raises(FailedPrecondition):
        transitions.acknowledge_notice(facts)


def test_a_notice_is_acknowledged_once_for_the_participation() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        transitions.acknowledge_notice(
            notice(state=NoticeState.OPENED, open_time=START, acknowledge_time=LATER)
        )
    assert refused.value.metadata == {"state": "ACKNOWLEDGED"}


def test_an_old_etag_is_refused() -> None:
    transitions.expect("new", "new")
    with pytest.raises(StaleEtag):
        transitions.expect("old", "new")
