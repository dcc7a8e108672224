"""Settings of the disclosure service."""

from __future__ import annotations

from pydantic import Field

from services.kernel.config import ServiceSettings, service_config


class DisclosureSettings(ServiceSettings):
    """Environment: `MELDBRUG_DISCLOSURE_<NAME>`."""

    model_config = service_config("disclosure")

    answer_days: int = Field(
        14, ge=1, le=90, description="days in which an answer to a consent request counts"
    )
    consent_max_days: int = Field(
        400, ge=1, le=1000, description="longest period a notice may ask consent for"
    )
    reports_per_s: float = Field(
        5.0, gt=0, description="reports per second on one production; more of them wait"
    )
    reports_burst: int = Field(20, ge=1, description="reports at once on one production, after a pause")
    directory_timeout_s: float = Field(2.0, gt=0, le=10, description="longest wait for the directory")
