"""A reader's stream of changes.

Guarantee: from a resume token on, the latest state of every notice of the reader that changed is sent at
least once, in the order of the changes; several changes of one notice may be sent as one. Nothing is lost by
a lost connection, a lost doorbell or a stopped process, since a token says how far the reader has seen and
the numbers behind it commit in order. What the policy denies at the moment of sending is not sent; it comes
with its next change, or when disclosure says that the policy holds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from services.coordination.domain.views import Entry, StubView
from services.coordination.store import inbox
from services.coordination.usecases.doorbell import Doorbell
from services.coordination.usecases.ports import Deps
from services.coordination.usecases.reading import WATCH, permitted
from services.kernel.authz import Actor
from services.kernel.errors import Unauthenticated
from services.kernel.key_ring import KeyRing, KeyState
from services.kernel.rpc import Call

# A change, or None for a heartbeat, with the token to resume after it.
Message = tuple[StubView | None, str]
# Left of the caller's deadline when a stream ends by itself, so that its end is a clean one.
PARTING_S = 1.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When streams beat and end; the same for everyone, so that a beat tells nothing."""

    heartbeat_s: float
    max_age_s: float


class Watching:
    """Streams the inboxes of readers.

    Args:
        deps: What all use cases share.
        doorbell: Wakes streams early; at each heartbeat they look without it.
        ring: Where the caller's key is looked up again before anything is sent.
        rhythm: Heartbeat and maximum age.
    """

    def __init__(self, deps: Deps, doorbell: Doorbell, ring: KeyRing, rhythm: Rhythm) -> None:
        self._deps, self._doorbell, self._ring, self._rhythm = deps, doorbell, ring, rhythm

    async def watch(self, call: Call, resume_token: str) -> AsyncIterator[Message]:
        """Sends changes after the token, or from now on without one, until the stream is old enough.

        Idle, it holds an event and three numbers. Changes are read and checked one at a time, just before
        they are sent, however slowly the caller takes them.
        """
        actor, now = call.actor, self._deps.clock.monotonic
        seen = await self._start(actor, resume_token)
        end = now() + min(self._rhythm.max_age_s, call.remaining_s() - PARTING_S)
        beat = now() + self._rhythm.heartbeat_s
        with self._doorbell.listening(actor.subject) as rung:
            while True:
                rung.clear()
                while entry := await self._next(actor, seen):
                    seen = entry.seq
                    if await self._may_have(actor, entry):
                        yield entry.view, self._token(actor, seen)
                    if now() >= end:
                        break
                if now() >= end or self._doorbell.is_closing:
                    yield None, self._token(actor, seen)
                    return
                if (late := now() - beat) >= 0:
                    beat += self._rhythm.heartbeat_s * (1 + late // self._rhythm.heartbeat_s)
                    yield None, self._token(actor, seen)
                await _wait(rung.wait, min(beat, end) - now())

    async def _start(self, actor: Actor, resume_token: str) -> int:
        if resume_token:
            return int(self._deps.pages.open(actor.subject, WATCH, resume_token)[0])
        async with self._deps.database.reading() as conn:
            return await inbox.last_seq(conn, actor.subject)

    async def _next(self, actor: Actor, seen: int) -> Entry | None:
        async with self._deps.database.reading() as conn:
            return await inbox.next_change(conn, actor.subject, seen)

    async def _may_have(self, actor: Actor, entry: Entry) -> bool:
        """Asks again, key and policy: a stream outlives the moment at which it began."""
        known = await self._ring.lookup(actor.kid)
        if known is None or known.state is not KeyState.ACTIVE:
            raise Unauthenticated("KEY_UNKNOWN")
        if (await permitted(self._deps, actor, [entry]))[0]:
            return True
        async with self._deps.database.transaction() as conn:
            await inbox.mark_denied(conn, actor.subject, entry)
        # Disclosure may have informed between the answer and the mark, and will not do so again.
        return (await permitted(self._deps, actor, [entry]))[0]

    def _token(self, actor: Actor, seen: int) -> str:
        return self._deps.pages.seal(actor.subject, WATCH, (seen,))


async def _wait(rung: Callable[[], Awaitable[object]], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            await rung()
