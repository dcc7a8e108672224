"""Coordination's own settings."""

from __future__ import annotations

from pydantic import Field

from services.coordination.domain.clocks import Periods
from services.kernel.config import ServiceSettings, service_config


class CoordinationSettings(ServiceSettings):
    """Environment: `MELDBRUG_COORDINATION_<NAME>`."""

    model_config = service_config("coordination")

    heartbeat_s: float = Field(15.0, gt=0, le=60, description="time between the heartbeats of a stream")
    stream_max_age_s: float = Field(
        1800.0, gt=0, le=7200, description="age at which a stream ends with its token"
    )
    inform_budget_ms: int = Field(2000, ge=50, le=10_000, description="longest wait for a peer when informed")
    look_again_budget_ms: int = Field(
        100, ge=10, le=200, description="longest wait for a peer before a refusal"
    )
    resync_every_s: float = Field(
        60.0, ge=1, description="how often all versions are compared with disclosure's"
    )
    titles_every_s: float = Field(60.0, ge=1, description="how often old names as shown are looked for")
    titles_age_s: float = Field(600.0, ge=0, description="age at which a name as shown is read again")
    acknowledgement_working_days: int = Field(
        3, ge=1, le=30, description="until a handler acknowledges a report"
    )
    acknowledgement_max_days: int = Field(
        7, ge=1, le=60, description="the same, whatever holidays lie between"
    )
    feedback_months: int = Field(3, ge=1, le=12, description="until the reporter hears what was done")
    stub_answer_working_days: int = Field(5, ge=1, le=60, description="until a recipient answers a stub")
    notice_acknowledgement_working_days: int = Field(
        2, ge=1, le=60, description="until an opened notice is acknowledged"
    )
    recall_working_days: int = Field(1, ge=1, le=60, description="until the removal of copies is confirmed")

    @property
    def periods(self) -> Periods:
        """How long the clocks run."""
        return Periods(
            acknowledgement_working_days=self.acknowledgement_working_days,
            acknowledgement_max_days=self.acknowledgement_max_days,
            feedback_months=self.feedback_months,
            stub_answer_working_days=self.stub_answer_working_days,
            notice_acknowledgement_working_days=self.notice_acknowledgement_working_days,
            recall_working_days=self.recall_working_days,
        )
