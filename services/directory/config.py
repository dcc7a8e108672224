"""The directory's own settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from services.kernel.config import ServiceSettings, service_config


class DirectorySettings(ServiceSettings):
    """Environment: `MELDBRUG_DIRECTORY_<NAME>`."""

    model_config = service_config("directory")

    invitation_key_file: Path | None = Field(
        None,
        description="32 bytes in hex that invitation codes derive from; absent: the page key's file",
    )
