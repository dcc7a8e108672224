"""The cached key ring asks little, forgets soon, and does not grow."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from meldbrug.crypto.keys import SecretKeys
from services.kernel.errors import Exhausted, Unavailable
from services.kernel.key_ring import KEYS_PER_CALL, CachedKeyRing, KeyState, KnownKey
from services.kernel.log import request_id

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
        self.calls: list[list[str]] = []
        self.known: dict[str, KnownKey] = {}
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def asked(self) -> list[str]:
        return [kid for call in self.calls for kid in call]

    async def fetch(self, kids: Sequence[str]) -> list[KnownKey]:
        self.calls.append(list(kids))
        await self.gate.wait()
        if self.failing:
            raise Unavailable("PEER_UNAVAILABLE")
        return [self.known[kid] for kid in kids if kid in self.known]


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

    assert len(ring._unknown) == 10
    assert ring._asked == {}


async def test_a_flood_of_unknown_kids_leaves_members_remembered(time: Time, directory: Directory) -> None:
    ring = CachedKeyRing(directory.fetch, time, bound=10)
    directory.known[KEYS.kid] = KNOWN
    await ring.lookup(KEYS.kid)
    for number in range(100):
        await ring.lookup(f"shown {number}")
        await ring.lookup_claimed(f"claimed {number}")

    assert await ring.lookup(KEYS.kid) == KNOWN
    assert directory.asked.count(KEYS.kid) == 1


async def test_a_key_that_is_enrolled_is_not_remembered_as_unknown(time: Time, directory: Directory) -> None:
    ring = CachedKeyRing(directory.fetch, time)
    await ring.lookup(KEYS.kid)
    directory.known[KEYS.kid] = KNOWN
    time.seconds = 5.1

    assert await ring.lookup(KEYS.kid) == KNOWN
    assert (len(ring._known), len(ring._unknown)) == (1, 0)


async def begun(*lookups: Coroutine[Any, Any, KnownKey | None]) -> list[asyncio.Task[KnownKey | None]]:
    """Starts look-ups that stay under way."""
    tasks = [asyncio.create_task(lookup) for lookup in lookups]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def turned_away(lookup: Coroutine[Any, Any, KnownKey | None]) -> None:
    """Awaits a look-up that must be refused at once, with a wait."""
    with pytest.raises(Exhausted) as refusal:
        async with asyncio.timeout(1):
            await lookup
    assert refusal.value.retry_after_s


async def test_claims_beyond_their_places_are_turned_away_with_a_wait(
    time: Time, directory: Directory
) -> None:
    ring = CachedKeyRing(directory.fetch, time, claims=3)
    directory.gate.clear()
    asking = await begun(*(ring.lookup_claimed(str(number)) for number in range(3)))

    await turned_away(ring.lookup_claimed("3"))
    # The same question once more takes no place.
    asking += await begun(ring.lookup_claimed("0"))
    directory.gate.set()
    assert await asyncio.gather(*asking) == [None] * 4
    assert await ring.lookup_claimed("3") is None


async def test_a_claim_holds_its_place_until_it_is_answered_whoever_hung_up(
    time: Time, directory: Directory
) -> None:
    ring = CachedKeyRing(directory.fetch, time, claims=3)
    directory.gate.clear()
    asking = await begun(*(ring.lookup_claimed(str(number)) for number in range(3)))
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)

    await turned_away(ring.lookup_claimed("3"))
    assert len(ring._asked) == 3


async def test_keys_that_were_shown_are_asked_about_while_claims_fill_their_places(
    time: Time, directory: Directory
) -> None:
    ring = CachedKeyRing(directory.fetch, time, claims=3)
    directory.gate.clear()
    await begun(*(ring.lookup_claimed(str(number)) for number in range(3)))
    shown = await begun(ring.lookup("shown"))
    directory.gate.set()

    assert await shown[0] is None


async def test_a_member_who_was_known_is_known_again_while_claims_fill_their_places(
    time: Time, directory: Directory
) -> None:
    ring = CachedKeyRing(directory.fetch, time, claims=3)
    directory.known[KEYS.kid] = KNOWN
    await ring.lookup_claimed(KEYS.kid)
    time.seconds = 5.1
    directory.gate.clear()
    await begun(*(ring.lookup_claimed(str(number)) for number in range(3)))
    member = await begun(ring.lookup_claimed(KEYS.kid))
    directory.gate.set()

    assert await member[0] == KNOWN
    assert directory.asked.count(KEYS.kid) == 2


async def test_keys_that_were_shown_wait_their_turn_and_are_bounded_too(
    time: Time, directory: Directory
) -> None:
    ring = CachedKeyRing(directory.fetch, time, calls=2, under_way=6)
    directory.gate.clear()
    asking = await begun(*(ring.lookup(str(number)) for number in range(6)))

    assert directory.asked == ["0", "1"]
    await turned_away(ring.lookup("6"))
    directory.gate.set()
    assert await asyncio.gather(*asking) == [None] * 6


async def test_what_comes_while_calls_are_under_way_goes_together_with_the_next(
    time: Time, directory: Directory
) -> None:
    """T28: a thousand strangers a second are some dozens of questions."""
    ring = CachedKeyRing(directory.fetch, time, calls=2, claims=200)
    directory.known[KEYS.kid] = KNOWN
    directory.gate.clear()
    asking = await begun(*(ring.lookup_claimed(str(number)) for number in range(100)))
    asking += await begun(ring.lookup_claimed(KEYS.kid))
    directory.gate.set()

    assert await asyncio.gather(*asking) == [None] * 100 + [KNOWN]
    assert [len(call) for call in directory.calls] == [1, 1, KEYS_PER_CALL, 101 - 2 - KEYS_PER_CALL]


async def test_a_failure_is_told_to_all_who_went_together(time: Time, directory: Directory) -> None:
    ring = CachedKeyRing(directory.fetch, time, calls=1)
    directory.gate.clear()
    asking = await begun(*(ring.lookup(str(number)) for number in range(3)))
    directory.failing = True
    directory.gate.set()

    told = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in told] == [Unavailable] * 3
    directory.failing = False
    assert await ring.lookup("0") is None


async def test_the_first_callers_call_is_not_the_questions(time: Time) -> None:
    seen: list[object] = []

    async def fetch(_kids: Sequence[str]) -> list[KnownKey]:
        seen.append(request_id.get())
        return []

    request_id.set("of the first caller")
    await CachedKeyRing(fetch, time).lookup("x")
    request_id.set("")

    assert seen == [""]
