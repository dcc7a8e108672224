"""Nobody who may not know of an incident learns by the clock that it is there (T12, I7).

Two worlds stand side by side as in `test_two_worlds.py`, one with a secret. Twins read what both have, and
everyone knocks at doors of the incident that is there and of one that is not; always in pairs, the two in
random order, so that what else the machine does befalls both.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from random import Random

import pytest
from google.protobuf.message import Message

from tests.support.actors import Actors
from tests.support.campaign import Campaign
from tests.support.observers import Observer, observers
from tests.support.personas import Answer, Doors
from tests.support.requests import request_for
from tests.support.sector import World
from tests.support.timing import Times
from tests.support.twins import Side, Strand
from tests.support.worlds import DOORS, READS, made_up

READ_OF_ONES_OWN = [m for m in READS if m.endswith(("ListIncidents", "ListInbox", "GetMe"))]
METHODS_EACH, PAIRS_EACH = 2, 150
KNOCKING = 25
"""Pairs at a time at closed doors, which wait for the floor; what is read is read by one pair at a time."""
COMPARED = len(READ_OF_ONES_OWN) + len(DOORS)

Ask = tuple[str, Message, Observer]


class Stopwatch:
    """Times pairs of calls, by method."""

    def __init__(self, doors: Doors, chance: Random) -> None:
        self._doors, self._chance = doors, chance
        self.found: dict[str, Times] = defaultdict(Times)

    async def measure(self, one: Ask, other: Ask, code: str, *, at_once: int) -> int:
        """Calls both again and again; a pair of which one was not answered with `code` says nothing.

        Returns:
            How many pairs say something.
        """
        pairs = self.found[one[0]].pairs
        before = len(pairs)
        for _ in range(0, PAIRS_EACH, at_once):
            for pair in await asyncio.gather(*(self._pair(one, other) for _ in range(at_once))):
                if all(answer.code == code for answer in pair):
                    pairs.append((pair[0].took_s, pair[1].took_s))
        return len(pairs) - before

    async def _pair(self, one: Ask, other: Ask) -> Sequence[Answer]:
        if self._chance.random() < 0.5:
            return [await self.call(one), await self.call(other)]
        return [await self.call(other), await self.call(one)][::-1]

    def call(self, ask: Ask) -> Awaitable[Answer]:
        """Calls once."""
        method, request, who = ask
        return self._doors.knock(method, request, who.persona)


async def secret(world: World, number: int) -> tuple[list[tuple[Observer, Observer]], Mapping[str, str]]:
    """Two worlds, one with a secret: who may not know, each with their twin; and the secret's names."""
    sides = Side(world, number), Side(world, number)
    secretariat = Actors(world).secretariat
    for side in sides:
        await side.found(secretariat)
    await asyncio.gather(*(side.settle() for side in sides))
    strand = Strand(sides[0], Random(number))
    await strand.play()
    return list(zip(*map(observers, sides), strict=True)), strand.names


async def measure_reads(watch: Stopwatch, chance: Random, twins: Sequence[tuple[Observer, Observer]]) -> int:
    """Twins who are members read what is their own."""
    members = [pair for pair in twins if pair[0].persona.keys and not pair[0].persona.embed]
    measured = 0
    for read in chance.sample(READ_OF_ONES_OWN, METHODS_EACH):
        one, other = (asking(read, who, {}) for who in chance.choice(members))
        measured += await watch.measure(one, other, "OK", at_once=1)
    return measured


async def measure_doors(
    watch: Stopwatch,
    chance: Random,
    twins: Sequence[tuple[Observer, Observer]],
    real: Mapping[str, str],
) -> int:
    """Anyone knocks at what is there, and at what is not."""
    measured = 0
    for door in chance.sample(DOORS, METHODS_EACH):
        who, _ = chance.choice(twins)
        one, other = (asking(door, who, names) for names in (real, made_up(real)))
        code = (await watch.call(one)).code
        measured += await watch.measure(one, other, code, at_once=KNOCKING)
    return measured


def asking(method: str, who: Observer, names: Mapping[str, str]) -> Ask:
    """What somebody asks, with names that are not theirs."""
    return method, request_for(method, {**who.names, **names}, who.persona.keys), who


@pytest.mark.timeout(300)
@pytest.mark.campaign("timing", unit="pairs", floor=500, target=200_000, short_s=150)
async def test_nobody_can_tell_by_the_clock(world: World, campaign: Campaign) -> None:
    """What twins read, and doors that are closed and doors that are not there, timed in pairs (T12, I7)."""
    doors, chance = Doors(world), Random()
    watch = Stopwatch(doors, chance)
    for number in campaign:
        chance.seed(number)
        twins, names = await secret(world, number)
        measured = await measure_reads(watch, chance, twins)
        measured += await measure_doors(watch, chance, twins, names)
        campaign.count(pairs=measured)
    await doors.close()
    for method, times in watch.found.items():
        within_ms = 1000 * times.surely_below_s(COMPARED)
        print(f"{method}: {len(times.pairs)} pairs, medians within {within_ms:.2f} ms")
    assert not [method for method, times in watch.found.items() if times.told_apart(COMPARED)]
