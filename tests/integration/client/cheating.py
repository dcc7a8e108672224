"""A server that lies: answers of the real one, changed on their way to the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from meldbrug.client import Connection, Credentials
from meldbrug.client.connection import M
from tests.support.sector import World

Lie = Callable[[Any], object]


class Cheating(Connection):
    """A connection whose answers were changed; what it was asked is remembered."""

    def __init__(self, world: World, lies: Mapping[str, Lie]) -> None:
        super().__init__(world.endpoints.services, world.endpoints.installation)
        self._lies = lies
        self.asked: list[str] = []

    async def call(
        self,
        method: str,
        request: Message,
        answer: type[M],
        credentials: Credentials | None = None,
        *,
        within_s: float = 30.0,
        repeat_when_exhausted: bool = False,
    ) -> M:
        self.asked.append(method.rsplit("/", 1)[1])
        found = await super().call(
            method,
            request,
            answer,
            credentials,
            within_s=within_s,
            repeat_when_exhausted=repeat_when_exhausted,
        )
        for suffix, lie in self._lies.items():
            if method.endswith(suffix):
                lie(found)
        return found


def lying(world: World, **lies: Lie) -> World:
    """The same world behind a server that lies; `HandlerService_GetReport` names a method."""
    return replace(
        world, connection=Cheating(world, {name.replace("_", "/"): lie for name, lie in lies.items()})
    )


def swap(message: Any, field: str, first: int = 0, second: int = 1) -> None:
    """Exchanges a field of two entries."""
    one, other = message[first], message[second]
    kept = getattr(one, field)
    setattr(one, field, getattr(other, field))
    setattr(other, field, kept)
