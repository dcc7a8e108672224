"""Which step is legal from where. Refusals name the state, which whoever gets that far may see."""

from __future__ import annotations

from services.coordination.domain.facts import IncidentState, NoticeFacts, NoticeState
from services.kernel.errors import FailedPrecondition, InvalidField, StaleEtag

OUTCOMES = (IncidentState.OWN_FOLLOW_UP, IncidentState.SHARING_CONSIDERED, IncidentState.ADVICE_ONLY)
# An outcome may be looked at again: a reporter who only wanted advice may come to want more.
ASSESSMENTS: dict[IncidentState, tuple[IncidentState, ...]] = {
    IncidentState.ACKNOWLEDGED: (IncidentState.ASSESSING,),
    IncidentState.ASSESSING: OUTCOMES,
    **dict.fromkeys(OUTCOMES, (IncidentState.ASSESSING,)),
}


def expect(etag: str, current: str) -> None:
    """Raises StaleEtag unless the caller has seen the latest."""
    if etag != current:
        raise StaleEtag


def acknowledge(state: IncidentState) -> IncidentState:
    """The state after a handler's acknowledgement. Raises FailedPrecondition unless just received."""
    if state is not IncidentState.RECEIVED:
        raise FailedPrecondition(state=state.name)
    return IncidentState.ACKNOWLEDGED


def assess(state: IncidentState, outcome: IncidentState) -> IncidentState:
    """The state after an assessment. Raises InvalidField for what is none, FailedPrecondition out of turn."""
    if outcome not in (IncidentState.ASSESSING, *OUTCOMES):
        raise InvalidField("outcome", "must be assessing, own follow-up, sharing considered or advice only")
    if outcome not in ASSESSMENTS.get(state, ()):
        raise FailedPrecondition(state=state.name)
    return outcome


def acknowledge_notice(notice: NoticeFacts) -> None:
    """Raises FailedPrecondition unless the participation opened it and has not acknowledged yet."""
    if notice.shown is not NoticeState.OPENED:
        raise FailedPrecondition(state=notice.shown.name)


# A reader who acknowledges in one of these may be ahead of what arrived here.
BEFORE_OPENING = frozenset({NoticeState.OFFERED, NoticeState.TERMS_ACCEPTED})
