"""What a handler's device remembers of each incident: the reporter's key, and the newest intake it saw.

A server that exchanges the reporter of an incident, or goes back to an earlier intake, is caught.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import MeldbrugError, Unverified
from .files import read_private, write_private

MAX_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class Pin:
    """The reporter of an incident and the sequence of its newest intake."""

    reporter_kid: str
    intake_sequence: int


class Pins:
    """Remembers in a file, or in memory only when there is none."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads what is remembered.

        Raises:
            MeldbrugError: the file is readable by others, or is not of this format.
        """
        self._path = path
        self._pins = _read(path) if path and path.exists() else {}

    def check(self, incident: str, reporter_kid: str, intake_sequence: int) -> None:
        """Remembers an incident the first time, and holds it against the memory from then on.

        Raises:
            Unverified: another reporter, or an older intake than before.
        """
        known = self._pins.get(incident)
        if known and known.reporter_kid != reporter_kid:
            raise Unverified("the reporter of the incident changed")
        if known and intake_sequence < known.intake_sequence:
            raise Unverified("an older intake than was seen before")
        pin = Pin(reporter_kid, intake_sequence)
        if pin == known:
            return
        self._pins[incident] = pin
        if self._path:
            _write(self._path, self._pins)


def _read(path: Path) -> dict[str, Pin]:
    try:
        entries = json.loads(read_private(path, MAX_BYTES))["incidents"]
        return {
            name: Pin(str(entry["reporterKid"]), int(entry["intakeSequence"]))
            for name, entry in entries.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeldbrugError(f"{path.name} is not a file of remembered reporters") from error


def _write(path: Path, pins: dict[str, Pin]) -> None:
    entries = {
        name: {"reporterKid": pin.reporter_kid, "intakeSequence": pin.intake_sequence}
        for name, pin in pins.items()
    }
    write_private(path, json.dumps({"incidents": entries}, indent=1).encode(), replace=True)
