"""What happens between a check of the policy and the transaction that acts on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from services.kernel.authz import Authz, Context, PolicyTuple
from services.kernel.db import Lock
from services.kernel.errors import Unavailable
from tests.integration.disclosure.scene import Scene


class Between(Authz):
    """The real engine, with something that happens after each of its answers."""

    def __init__(self, inner: Authz, after: Callable[[], Awaitable[None]]) -> None:
        self._inner, self._after = inner, after

    async def check(self, user: str, relation: str, object: str, *, context: Context | None = None) -> bool:
        allowed = await self._inner.check(user, relation, object, context=context)
        await self._after()
        return allowed

    async def check_many(self, questions: Any) -> list[bool]:
        return await self._inner.check_many(questions)

    async def read(self, object: str, *, relation: str = "", user: str = "") -> list[PolicyTuple]:
        return await self._inner.read(object, relation=relation, user=user)

    async def write(self, writes: Sequence[PolicyTuple] = (), deletes: Sequence[PolicyTuple] = ()) -> None:
        await self._inner.write(writes, deletes)

    async def ready(self) -> None:
        await self._inner.ready()


async def raise_epoch(scene: Scene) -> None:
    """What any change of who may read does, here without changing who may."""

    async def work(conn: Any) -> None:
        await scene.deps.closing.changed(conn, scene.incident)

    await scene.database.run_unit(work, Lock(scene.incident))


async def gives_up(
    scene: Scene, policy: Authz, attempts: int, act: Callable[[Scene], Awaitable[object]]
) -> None:
    """Holds `act` to so many attempts when who may read changes after every check."""
    asked = []

    async def after() -> None:
        asked.append(1)
        await raise_epoch(scene)

    with pytest.raises(Unavailable, match=r"^DATABASE_UNAVAILABLE$") as refused:
        await act(scene.asking(Between(policy, after)))
    assert refused.value.retry_after_s == 0.1
    assert len(asked) == attempts
