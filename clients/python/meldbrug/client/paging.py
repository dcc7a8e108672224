"""Lists that come in pages, as one asynchronous iterator; and what is asked for a few at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

from .errors import MeldbrugError

T = TypeVar("T")
MAX_PAGES: Final = 10_000
"""A server cannot keep a client turning pages for ever."""
SECTIONS_AT_A_TIME: Final = 8
"""As many as an answer holds."""


class Page(Protocol):
    """What every answer of a list has."""

    @property
    def next_page_token(self) -> str:
        """For the next page; empty on the last."""


P = TypeVar("P", bound=Page)


async def every(fetch: Callable[[str], Awaitable[P]], items: Callable[[P], Iterable[T]]) -> AsyncIterator[T]:
    """Yields the items of every page; a page is fetched when it is reached."""
    token = ""
    for _ in range(MAX_PAGES):
        page = await fetch(token)
        for item in items(page):
            yield item
        token = page.next_page_token
        if not token:
            return
    raise MeldbrugError("the list does not end")


async def in_turns(
    sections: Sequence[str], fetch: Callable[[Sequence[str]], Awaitable[Sequence[T]]]
) -> list[T]:
    """Returns what `fetch` finds for each section, in their order, asked for a few at a time."""
    found: list[T] = []
    for start in range(0, len(sections), SECTIONS_AT_A_TIME):
        found += await fetch(sections[start : start + SECTIONS_AT_A_TIME])
    return found
