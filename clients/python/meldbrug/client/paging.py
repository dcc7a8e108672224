"""Lists that come in pages, as one asynchronous iterator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final, Protocol, TypeVar

from .errors import MeldbrugError

T = TypeVar("T")
MAX_PAGES: Final = 10_000
"""A server cannot keep a client turning pages for ever."""


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
