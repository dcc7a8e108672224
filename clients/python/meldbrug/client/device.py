"""The device the client runs on: its clock, corrected by the server's, and its randomness."""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from meldbrug.crypto.tokens import CLOCK_SKEW_S


def device_now() -> datetime:
    """Returns the device's time; the one place of the client that asks for it."""
    return datetime.now(UTC)  # noqa: TID251 - see the docstring


def elapsed_s() -> float:
    """Returns seconds since some moment, never going back; for measuring waits."""
    return time.monotonic()  # noqa: TID251 - the one place, as above


def new_id() -> str:
    """Returns 128 random bits as 26 characters."""
    return base64.b32encode(secrets.token_bytes(16)).decode().lower().rstrip("=")


def new_request_id() -> str:
    """Returns a UUIDv4."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


class ServerClock:
    """The local clock, corrected by what the server said; and strictly rising sequences from it."""

    def __init__(self, now: Callable[[], datetime] = device_now) -> None:
        """Starts without correction."""
        self._now = now
        self._offset = timedelta()
        self._last = 0
        self._agreed: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Returns the corrected time."""
        return self._now() + self._offset

    @property
    def is_agreed(self) -> bool:
        """Returns whether the server took this clock's time, and the device's clock was not set since."""
        if self._agreed is None:
            return False
        moment, elapsed = self._agreed
        jumped = (self._now() - moment).total_seconds() - (elapsed_s() - elapsed)
        return abs(jumped) < CLOCK_SKEW_S

    def agree(self) -> None:
        """Remembers that the server takes this clock's time now."""
        self._agreed = self._now(), elapsed_s()

    def correct(self, server_time_ms: int) -> None:
        """Takes the server's time for now."""
        self._offset = datetime.fromtimestamp(server_time_ms / 1000, UTC) - self._now()
        # What was signed further ahead than any token is taken was refused, and so would be what follows it.
        self._last = min(self._last, server_time_ms + CLOCK_SKEW_S * 1000)
        self.agree()

    def sequence(self) -> int:
        """Returns the corrected time in milliseconds, strictly above what was returned before."""
        self._last = max(self._last + 1, int(self.now().timestamp() * 1000))
        return self._last
