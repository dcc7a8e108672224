"""What happens between a check of the policy and the transaction that acts on it, and while calls wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from services.kernel.authz import Authz, Context, PolicyTuple
from services.kernel.db import Database, Lock
from services.kernel.errors import Unavailable
from tests.integration.disclosure.scene import Scene

# Well below the 0.7 s after which a call gives up waiting, which a busy machine reaches soon.
WAITS_S = 0.15


@asynccontextmanager
async def held_up(
    database: Database, lock: str, *calls: Awaitable[Any]
) -> AsyncIterator[Awaitable[list[Any]]]:
    """Makes calls while somebody holds the lock, sees that they wait, and gives what they will answer."""
    async with database.transaction(Lock(lock)) as holder:
        await holder.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        waiting = asyncio.gather(*calls)
        await asyncio.sleep(WAITS_S)
        assert not waiting.done()
        yield waiting


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
