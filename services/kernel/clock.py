"""Time, ids and randomness, always passed in. The database has its own clock (`db.app_now`)."""

from __future__ import annotations

import base64
import secrets
import string
import time
from datetime import UTC, datetime
from typing import Protocol

ID_BYTES = 16
ID_LENGTH = 26
ALPHABET = frozenset(string.ascii_lowercase + "234567")


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
