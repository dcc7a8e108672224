"""What a handler's device remembers of each incident: the reporter's key, and the newest intake it saw.

A server that exchanges the reporter of an incident, or goes back to an earlier intake, is caught.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import MeldbrugError, Unverified
from .files import locked, read_private, write_private

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
        self._pins = _read(path)

    def check(self, incident: str, reporter_kid: str, intake_sequence: int) -> None:
        """Remembers an incident the first time, and holds it against the memory from then on.

        Raises:
            Unverified: another reporter, or an older intake than before, here or in another process.
            MeldbrugError: the file cannot be read or written.
        """
        pin = Pin(reporter_kid, intake_sequence)
        with self._held() as held:
            # What is remembered here counts too: a file that was taken away forgets nothing for this process.
            for known in (self._pins.get(incident), held.get(incident)):
                _require_after(known, pin)
            self._pins[incident] = pin
            if self._path and held.get(incident) != pin:
                _write(self._path, {**self._pins, **held, incident: pin})

    @contextmanager
    def _held(self) -> Iterator[Mapping[str, Pin]]:
        """Yields what the file holds now; nobody else changes it meanwhile."""
        if not self._path:
            yield {}
            return
        with locked(self._path):
            yield _read(self._path)


def _require_after(known: Pin | None, pin: Pin) -> None:
    if known and known.reporter_kid != pin.reporter_kid:
        raise Unverified("the reporter of the incident changed")
    if known and pin.intake_sequence < known.intake_sequence:
        raise Unverified("an older intake than was seen before")


def _read(path: Path | None) -> dict[str, Pin]:
    if not (path and path.exists()):
        return {}
    try:
        entries = json.loads(read_private(path, MAX_BYTES))["incidents"]
        return {
            name: Pin(str(entry["reporterKid"]), int(entry["intakeSequence"]))
            for name, entry in entries.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeldbrugError(f"{path.name} is not a file of remembered reporters") from error


def _write(path: Path, pins: Mapping[str, Pin]) -> None:
    entries = {
        name: {"reporterKid": pin.reporter_kid, "intakeSequence": pin.intake_sequence}
        for name, pin in pins.items()
    }
    write_private(path, json.dumps({"incidents": entries}, indent=1).encode(), replace=True)
