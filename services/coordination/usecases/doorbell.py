"""Wakes streams when their reader's inbox changed. Whoever misses the bell finds the change by looking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Doorbell:
    """The streams of this process by reader; what rings twice before a stream looks is heard once."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self.is_closing = False

    @contextmanager
    def listening(self, subject: str) -> Iterator[asyncio.Event]:
        """An event that is set at each change of the reader's inbox, for as long as the block lasts."""
        rung = asyncio.Event()
        self._listeners.setdefault(subject, set()).add(rung)
        try:
            yield rung
        finally:
            mine = self._listeners[subject]
            mine.discard(rung)
            if not mine:
                del self._listeners[subject]

    def ring(self, subject: str) -> None:
        """Wakes the reader's streams."""
        for rung in self._listeners.get(subject, ()):
            rung.set()

    def ring_all(self) -> None:
        """Wakes every stream: something may have been missed."""
        for subject in self._listeners:
            self.ring(subject)

    def close(self) -> None:
        """Lets every stream end with its token: the process stops."""
        self.is_closing = True
        self.ring_all()
