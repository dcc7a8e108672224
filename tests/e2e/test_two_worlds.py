"""The same life with a secret incident and without: whoever may not know sees no difference.

In each pair two worlds stand side by side on one stack: three organisations each, their people, one
production and ordinary life, all the same. One of them has an incident besides. Everyone who may not know
looks before and after it, and again in both worlds when life has gone on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from meldbrug.coordination.v1.coordination_pb2 import Stub
from meldbrug.coordination.v1.coordination_service_pb2 import ListInboxResponse
from tests.support.campaign import Campaign
from tests.support.observers import Observer, observers, of_both
from tests.support.personas import Doors, Persona
from tests.support.sector import SWITCHES, World
from tests.support.twins import Side, Strand
from tests.support.worlds import (
    DOORS,
    READS,
    Eyes,
    Seen,
    Stream,
    first_difference,
    made_up,
    of_pages,
)

SIDE_BY_SIDE = 3
"""Pairs at a time, each with organisations, people and a comparison of its own."""
ROUNDS = 5
"""Secrets one after another in one of two worlds, each with a comparison of its own."""
READS_EACH, DOORS_EACH = 3, 2
ALWAYS = [method for method in READS if method.endswith(("ListIncidents", "ListInbox", "ListSeats"))]
WATCHERS = ("contact", "accused contact", "third contact", "admin of recipient")
HEARTBEAT_S = float(SWITCHES["MELDBRUG_COORDINATION_HEARTBEAT_S"])

View = Mapping[tuple[str, str], Sequence[Seen]]
"""What came back, by observer and method; of a list all pages."""


class Twins:
    """Two worlds, and what their observers see, one secret after another."""

    def __init__(self, world: World, doors: Doors, number: int) -> None:
        self.chance, self._doors, self.eyes = Random(number), doors, Eyes(doors)
        self.sides = self.having, self.without = Side(world, number), Side(world, number)
        self.acts: list[str] = []

    async def both(self, act: str) -> None:
        """Lets the same happen in both worlds."""
        await asyncio.gather(*(getattr(side, act)() for side in self.sides))

    async def view(self, who: Sequence[Observer], reads: Sequence[str]) -> View:
        """Everyone looks at everything at once."""
        looks = await asyncio.gather(*(self.eyes.look(one, reads) for one in who))
        return {
            (one.name, what): seen
            for one, look in zip(who, looks, strict=True)
            for what, seen in look.items()
        }

    async def play(self) -> None:
        """Plays one pair: a secret more in one world, and life goes on in both."""
        reads = sorted({*ALWAYS, *self.chance.sample(READS, READS_EACH)})
        mine, strand = [*observers(self.having), *of_both(self.having)], Strand(self.having, self.chance)
        streams = [self.watch(name) for name in self.chance.sample(WATCHERS, 2)]
        alive = asyncio.gather(*(stream.lives() for pair in streams for stream in pair))
        before = await self.view(mine, reads)
        await alive
        await strand.play()
        self.acts += strand.acts
        same_bytes(before, await self.view(mine, reads))
        assert not any(stream.events for pair in streams for stream in pair)
        await self.knock_everywhere(strand.names)
        await self.both("live")
        views = [await self.view(observers(side), reads) for side in self.sides]
        same_shape(views, self.sides)
        for pair in streams:
            await self.same_stream(pair)

    def watch(self, name: str) -> list[Stream]:
        """Opens a stream for an observer in both worlds."""
        return [
            Stream(self._doors, Observer(Persona(name, side.people[name].keys), side.names), HEARTBEAT_S)
            for side in self.sides
        ]

    async def same_stream(self, pair: Sequence[Stream]) -> None:
        """Fails unless both streams told the same, and neither beat before its time."""
        for stream in pair:
            stream.is_there()
        told = [stream.shape(side.labels) for stream, side in zip(pair, self.sides, strict=True)]
        assert told[0] == told[1], first_difference(*told)
        assert not [stream.early() for stream in pair if stream.early()]
        await asyncio.gather(*(stream.close() for stream in pair))

    async def knock_everywhere(self, real: Mapping[str, str]) -> None:
        """Everyone tries doors of the incident that is there, and of one that is not."""
        absent = made_up(real)
        twins = zip(*map(observers, self.sides), strict=True)
        pairs = [*twins, *((one, one) for one in of_both(self.having))]
        tries = [(pair, door) for pair in pairs for door in self.chance.sample(DOORS, DOORS_EACH)]
        seen = await asyncio.gather(
            *(
                self.eyes.knock(who, door, names)
                for pair, door in tries
                for who, names in zip(pair, (real, absent), strict=True)
            )
        )
        for (pair, door), there, not_there in zip(tries, seen[::2], seen[1::2], strict=True):
            assert there.code != "OK", (pair[0].name, door)
            assert there.exact == not_there.exact, (pair[0].name, door)


def same_bytes(before: View, after: View) -> None:
    """Fails unless everyone sees after the secret what they saw before."""
    assert before.keys() == after.keys()
    for key, pages in before.items():
        told = [[page.exact for page in view] for view in (pages, after[key])]
        assert told[0] == told[1], (key, first_difference(*told))


def same_shape(views: Sequence[View], sides: Sequence[Side]) -> None:
    """Fails unless everyone sees in one world what their twin sees in the other."""
    assert views[0].keys() == views[1].keys()
    for key in views[0]:
        told = [of_pages(view[key], side.labels) for view, side in zip(views, sides, strict=True)]
        assert told[0] == told[1], (key, first_difference(*told))


@pytest.mark.timeout(600)
@pytest.mark.campaign("two_worlds", unit="pairs", floor=30, target=3000, short_s=400)
async def test_who_may_not_know_sees_the_same_with_a_secret_and_without(
    world: World, campaign: Campaign
) -> None:
    """Two worlds that differ in one incident, seen by all who may not know (I7, T2, T12, T29).

    Bodies, trailers, details, counts, order, pages, tokens, sizes, streams and closed doors are the same.
    """
    doors = Doors(world)
    for number in campaign:
        every = [Twins(world, doors, number * SIDE_BY_SIDE + place) for place in range(SIDE_BY_SIDE)]
        for side in [side for twins in every for side in twins.sides]:
            await side.found(side.secretariat)
        await asyncio.gather(*(twins.both("settle") for twins in every))
        for _ in range(ROUNDS):
            await asyncio.gather(*(twins.play() for twins in every))
        campaign.count(pairs=len(every) * ROUNDS, answers=sum(twins.eyes.asked for twins in every))
    await doors.close()


def inbox(*names: str, code: str = "OK", trailer: str = "a") -> Seen:
    """A made-up answer."""
    stubs = [Stub(name=f"incidents/{name * 26}/notices/{name * 26}") for name in names]
    body = ListInboxResponse(notices=stubs).SerializeToString() if code == "OK" else b""
    return Seen(code, "", (), (("x", trailer),), body, ListInboxResponse)


@pytest.mark.parametrize(
    "other", [inbox("a"), inbox("b", "a"), inbox("a", "b", trailer="c"), inbox(code="PERMISSION_DENIED")]
)
def test_a_planted_difference_is_found(other: Seen) -> None:
    """Teeth: one less, another order, another trailer, another code."""
    key = ("contact", "ListInbox")
    with pytest.raises(AssertionError):
        same_bytes({key: [inbox("a", "b")]}, {key: [other]})
    labels = {name * 26: f"the {name}" for name in "ab"}
    assert of_pages([inbox("a", "b")], labels) != of_pages([other], labels)
