"""The cached key ring asks little, forgets soon, and does not grow."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from meldbrug.crypto.keys import SecretKeys
from services.kernel.errors import Unavailable
from services.kernel.log import request_id
from services.kernel.tokens import CachedKeyRing, KeyState, KnownKey

KEYS = SecretKeys(b"k" * 32, b"k" * 32)
KNOWN = KnownKey(
    KEYS.kid, KEYS.public, "persons/p", "organisations/o", "members/m", admin=True, state=KeyState.ACTIVE
)


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class Directory:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known: dict[str, KnownKey] = {}
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, kid: str) -> KnownKey | None:
        self.asked.append(kid)
        await self.gate.wait()
        if self.failing:
            raise Unavailable("PEER_UNAVAILABLE")
        return self.known.get(kid)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def directory() -> Directory:
    return Directory()


async def test_what_is_known_is_asked_once_in_five_seconds(time: Time, directory: Directory) -> None:
    ring = CachedKeyRing(directory.fetch, time)
    directory.known[KEYS.kid] = KNOWN
    assert [await ring.lookup(KEYS.kid) for _ in range(3)] == [KNOWN] * 3
    assert len(directory.asked) == 1

    time.seconds = 5.1
    del directory.known[KEYS.kid]
    assert await ring.lookup(KEYS.kid) is None


async def test_that_nobody_knows_a_key_is_remembered_too(time: Time, directory: Directory) -> None:
    ring = CachedKeyRing(directory.fetch, time)
    assert [await ring.lookup("x") for _ in range(3)] == [None] * 3
    assert directory.asked == ["x"]


async def test_a_failure_is_not_remembered(time: Time, directory: Directory) -> None:
    ring = CachedKeyRing(directory.fetch, time)
    directory.failing = True
    with pytest.raises(Unavailable):
        await ring.lookup(KEYS.kid)
    directory.failing = False
    directory.known[KEYS.kid] = KNOWN

    assert await ring.lookup(KEYS.kid) == KNOWN


async def test_many_at_once_share_one_question_even_when_the_first_gives_up(
    time: Time, directory: Directory
) -> None:
    ring = CachedKeyRing(directory.fetch, time)
    directory.known[KEYS.kid] = KNOWN
    directory.gate.clear()
    asking = [asyncio.create_task(ring.lookup(KEYS.kid)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    directory.gate.set()

    assert await asyncio.gather(*asking[1:]) == [KNOWN] * 4
    assert len(directory.asked) == 1


async def test_it_does_not_grow_with_strangers(time: Time, directory: Directory) -> None:
    ring = CachedKeyRing(directory.fetch, time, bound=10)
    for number in range(100):
        await ring.lookup(str(number))

    assert len(ring._known) == 10
    assert ring._asked == {}


async def test_the_first_callers_call_is_not_the_questions(time: Time) -> None:
    seen: list[object] = []

    async def fetch(_kid: str) -> KnownKey | None:
        seen.append(request_id.get())
        return None

    request_id.set("of the first caller")
    await CachedKeyRing(fetch, time).lookup("x")
    request_id.set("")

    assert seen == [""]
