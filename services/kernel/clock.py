"""Time, ids and randomness, always passed in. All processes go by the database's clock (`db.app_now`)."""

from __future__ import annotations

import base64
import secrets
import string
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

ID_BYTES = 16
ID_LENGTH = 26
ALPHABET = frozenset(string.ascii_lowercase + "234567")
# A telling that took longer may be that far off; nothing that we hold against the clock minds half of it.
PROMPT_S = 1.0


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class DatabaseClock(SystemClock):
    """The database's clock: what it told last, and what has passed since (ADR 35).

    So that all processes of an installation agree, wherever the clocks of their machines stand and whenever
    somebody sets one. Before the first telling it is the machine's.
    """

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        if self._told is None:
            return super().now()
        moment, at = self._told
        return moment + timedelta(seconds=time.monotonic() - at)

    async def follow(self, ask: Callable[[], Awaitable[datetime]]) -> None:
        """Takes the time that `ask` finds; one that came late only for want of another."""
        began = time.monotonic()
        moment = await ask()
        ended = time.monotonic()
        if self._told is None or ended - began < PROMPT_S:
            self._told = moment.astimezone(UTC), (began + ended) / 2


class Ids(Protocol):
    """Makes ids and random bytes."""

    def new_id(self) -> str:
        """A fresh id: 128 random bits as 26 characters."""

    def token_bytes(self, count: int) -> bytes:
        """Random bytes fit for a secret."""


class SystemIds:
    """Ids from the machine's random source."""

    def new_id(self) -> str:
        """A fresh id: 128 random bits as 26 characters."""
        return text_id(secrets.token_bytes(ID_BYTES))

    def token_bytes(self, count: int) -> bytes:
        """Random bytes fit for a secret."""
        return secrets.token_bytes(count)


def text_id(raw: bytes) -> str:
    """Writes bytes as lower-case base32 without padding: 16 bytes make 26 characters."""
    return base64.b32encode(raw).decode().rstrip("=").lower()


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id."""
    return len(text) == ID_LENGTH and ALPHABET.issuperset(text)
