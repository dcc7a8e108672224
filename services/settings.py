"""The settings of all targets taken together: read from a file, required one by one, refused when unknown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services.kernel.config import ConfigurationError

PREFIX = "MELDBRUG_"
KERNEL = "kernel"
# What the `meldbrug` command reads: a shell that is set up for it may start services too.
OF_THE_COMMAND = {
    f"{PREFIX}{name}" for name in ("ENDPOINT", "ENDPOINTS_FILE", "KEY", "LANG", "ROOT", "TLS_ROOT")
}


def read_settings(file: Path) -> dict[str, str]:
    """Returns the settings in a file of NAME=value lines."""
    lines = (
        line.partition("=")
        for line in file.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    )
    return {name.strip(): value for name, _, value in lines}


def required(environment: Mapping[str, str], name: str) -> str:
    """Returns a setting that a command needs without needing all the others. Raises ConfigurationError."""
    value = environment.get(f"{PREFIX}{name}")
    if not value:
        raise ConfigurationError(f"{PREFIX}{name} is missing")
    return value


def prefix_of(part: str) -> str:
    """Returns how the environment begins the names of one part's settings."""
    return PREFIX if part == KERNEL else f"{PREFIX}{part.upper()}_"


def refuse_unknown(environment: Mapping[str, str], parts: Mapping[str, type[BaseSettings]]) -> None:
    """Refuses a setting that no part has: a mistyped name would silently leave the default in force."""
    known = OF_THE_COMMAND | {
        f"{prefix_of(part)}{name.upper()}"
        for part, settings in parts.items()
        for name in settings.model_fields
    }
    for name in environment:
        if name.startswith(PREFIX) and name.upper().split("__")[0] not in known:
            raise ConfigurationError(f"{name} is not a setting")


def explain(wrong: ValidationError) -> list[str]:
    """Returns one line for each wrong setting, with its name and never its value."""
    scope = prefix_of(wrong.title.removesuffix("Settings").lower())
    return [
        f"wrong setting: {scope}{'__'.join(str(part).upper() for part in error['loc'])}: {error['msg']}"
        for error in wrong.errors(include_input=False, include_url=False)
    ]
