"""Calls that were good once, garbled, from people who may pass the door: behind it nothing falls over."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from random import Random

import pytest

from tests.support.actors import Actors, Case
from tests.support.campaign import Campaign
from tests.support.effects import Ledger
from tests.support.faults import Recorder, Sent, effects, succeeds
from tests.support.garbling import Garbler, judge
from tests.support.openings import open_once, opened
from tests.support.personas import Doors, Persona, methods
from tests.support.requests import request_for
from tests.support.sector import World
from tests.support.twins import Side, Strand

PER_CASE, AT_ONCE, LIVES = 500, 8, 3


@pytest.fixture
async def doors(world: World) -> AsyncIterator[Doors]:
    """Every method, as anyone."""
    doors = Doors(world)
    yield doors
    await doors.close()


@pytest.fixture
async def victim(actors: Actors) -> Case:
    """An opened notice of people who have nothing to do with those who call."""
    return await opened(actors)


@pytest.mark.campaign("garbled", unit="calls", floor=500, target=100_000, short_s=120)
async def test_whoever_may_pass_cannot_make_anything_fall_over(
    world: World, recorder: Recorder, doors: Doors, ledger: Ledger, victim: Case, campaign: Campaign
) -> None:
    """No INTERNAL, nothing repeated, and nothing of other people's cases moves (T9, I12, I24)."""
    before = effects(world, victim.incident)
    for number in campaign:
        recorder.sent.clear()
        side = await alive(world, number)
        found = await told(doors, Calls(side, recorder.sent, Random(number)))
        print(dict(found.most_common()))
        await ledger.done()
        assert effects(world, victim.incident) == before
        assert await succeeds(lambda: open_once(victim))
        before["releases"] += 1
        campaign.count(calls=PER_CASE)


async def alive(world: World, number: int) -> Side:
    """Organisations and people of this case alone, with whom all that is usual has happened."""
    side = Side(world, number)
    await side.found(Actors(world).secretariat)
    await side.settle()
    await Strand(side, Random(number)).play()
    for _ in range(LIVES):
        await side.live()
    return side


class Calls:
    """What people of one side send: what they sent before or might have sent, garbled."""

    def __init__(self, side: Side, sent: Sequence[Sent], chance: Random) -> None:
        self._side, self._chance = side, chance
        self._sent: dict[str, list[Sent]] = defaultdict(list)
        for one in sent:
            self._sent[one.method].append(one)
        self._garbler = Garbler(chance, [one.request for one in sent])
        reporters = [(case.reporter._keys, True) for case in side.cases]
        self._people = [*((client.keys, False) for client in side.people.values()), *reporters]

    def next(self) -> tuple[str, bytes, Persona]:
        """One call."""
        if self._chance.random() < 0.8:
            return self._again()
        method = self._chance.choice(sorted(methods()))
        keys, embed = self._chance.choice(self._people)
        request = request_for(method, self._side.names, keys)
        return method, self._garbler.garbled(request, keys), Persona("somebody", keys, embed)

    def _again(self) -> tuple[str, bytes, Persona]:
        """A call that somebody made before."""
        sent = self._chance.choice(self._sent[self._chance.choice(sorted(self._sent))])
        known = sent.credentials
        keys = known.keys if known else None
        persona = Persona("somebody", keys, embed=bool(known and known.self_certifying))
        return sent.method, self._garbler.garbled(sent.request, keys), persona


async def told(doors: Doors, calls: Calls) -> Counter[str]:
    """Makes the calls, so many at once; returns what was told how often."""
    found, planned = Counter[str](), iter([calls.next() for _ in range(PER_CASE)])

    async def some() -> None:
        for method, body, persona in planned:
            answer = await doors.try_again(method, body, persona)
            found[answer.reason or answer.code] += 1
            judge(method, body, answer)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return found
