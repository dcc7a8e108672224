"""The clocks of the services' machine, moved while the services run; the database's own stays right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.clock.sitecustomize import SWITCH

if TYPE_CHECKING:
    from services.stack.stack import Stack

HOOK = Path(__file__).parent / "clock"
HOUR_S, TEN_YEARS_S = 3600.0, 10 * 365 * 86_400.0


def movable(folder: Path) -> dict[str, str]:
    """Settings of processes whose clocks follow the files in `folder`; inert while it is empty."""
    path = os.pathsep.join(filter(None, (str(HOOK), os.environ.get("PYTHONPATH"))))
    return {SWITCH: str(folder), "PYTHONPATH": path}


class Clocks:
    """The clocks of a stack's services."""

    def __init__(self, stack: Stack) -> None:
        self._folder, self.services = Path(stack.env[SWITCH]), tuple(stack.addresses)

    def set(self, off_s: float, *services: str) -> None:
        """Sets the clocks of these services, or of all, to so many seconds from the right time."""
        for service in services or self.services:
            fresh = self._folder / f".{service}"
            fresh.write_text(str(off_s), "ascii")
            fresh.replace(self._folder / service)

    @contextmanager
    def off_by(self, off_s: float, *services: str) -> Iterator[None]:
        """The clocks are wrong until the end of the block."""
        self.set(off_s, *services)
        try:
            yield
        finally:
            self.set(0.0)
