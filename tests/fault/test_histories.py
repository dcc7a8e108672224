"""Ten clients at once on one notice, and whether what each reader saw can have happened in some order.

Openers knock without pause while the reporter takes back, gives again, excludes or withdraws everything, an
admin ends or removes, or the period runs out; now and then a call is cut off or the service killed. A checker
(`tests/support/histories.py`) decides for each reader by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from time import monotonic, time

import pytest

from meldbrug.client import MemberClient, NotPermitted, Yes
from meldbrug.client.errors import MeldbrugError, Refused
from meldbrug.common.v1.common_pb2 import LANGUAGE_NL
from tests.support.actors import WHOLE, Actors, Case, Hired
from tests.support.campaign import Campaign
from tests.support.faults import killed, succeeds
from tests.support.histories import NOTHING, Kinds, Op, linearizable, written
from tests.support.openings import open_as, open_once
from tests.support.sector import World

PARTY = "noorderlicht"
AT_ONCE = 3
"""Histories side by side, each with ten clients."""
OPENERS = 4
"""Clients that open for each of the two readers."""
KILL_EVERY = 5
LONGEST_S = 30.0
LIVES_S = 5


@dataclass
class Played:
    """One notice, its two readers, and what each of them saw."""

    case: Case
    hired: list[Hired]
    chance: Random
    seen: dict[str, list[Op]] = field(default_factory=dict)
    over: bool = False

    def note(self, what: str, kinds: Kinds, called: float, answered: float, *readers: MemberClient) -> None:
        """Writes an operation into the histories of these readers, or of both."""
        for reader in readers or self.case.readers:
            self.seen.setdefault(reader.kid, []).append(Op(what, kinds, called, answered))  # type: ignore[arg-type]

    async def knock(self, reader: MemberClient) -> None:
        """Opens without pause; an answer that says nothing about the door is left out."""
        while not self.over:
            called = monotonic()
            try:
                answer = await open_as(reader, self.case.notice)
            except (NotPermitted, Refused) as refused:
                if refused.code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
                    self.note("refused", NOTHING, called, monotonic(), reader)
                await asyncio.sleep(0.01)
            except MeldbrugError:
                await asyncio.sleep(0.05)
            else:
                kinds = frozenset(int(section.header.kind) for section in answer.sections)
                self.note("opened", kinds, called, monotonic(), reader)

    async def change(
        self, what: str, kinds: Kinds, act: Callable[[], Awaitable[object]], *readers: MemberClient
    ) -> None:
        """Does one change until it is answered, sometimes cut off first; that is one operation."""
        called = monotonic()
        if self.chance.random() < 0.3:
            cut = asyncio.create_task(_quietly(act))
            await asyncio.sleep(self.chance.uniform(0, 0.03))
            cut.cancel()
            with suppress(asyncio.CancelledError):
                await cut
        await _until_done(act)
        self.note(what, kinds, called, monotonic(), *readers)


async def _quietly(act: Callable[[], Awaitable[object]]) -> None:
    with suppress(MeldbrugError):
        await act()


async def _until_done(act: Callable[[], Awaitable[object]]) -> None:
    """What was done by the call that was cut off is refused now, or done again: both are an answer."""
    end = monotonic() + LONGEST_S
    while True:
        try:
            await act()
        except MeldbrugError as error:
            if isinstance(error, Refused) and error.code in ("FAILED_PRECONDITION", "PERMISSION_DENIED"):
                return
            if monotonic() > end:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def begun(actors: Actors, admin: asyncio.Lock, chance: Random, how: str) -> Played:
    """A notice with two readers of its own, given and accepted; known to open for both."""
    # What an admin says is counted: one thing after another.
    async with admin:
        hired = [await actors.contact(PARTY) for _ in range(2)]
    case = await actors.report()
    await case.propose(PARTY, [each.client for each in hired])
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LIVES_S)
    await case.accepted(Yes(valid_until=soon) if how == "expire" else WHOLE)
    played = Played(case, hired, chance)
    kinds = await _kinds(case)
    played.note("set", kinds, 0.0, 0.0)
    return played


async def _kinds(case: Case) -> Kinds:
    answer = await succeeds(lambda: open_once(case))
    return frozenset(int(section.header.kind) for section in answer.sections)


async def _sections(case: Case) -> dict[int, str]:
    preview = await succeeds(lambda: case.consents.preview(case.notice, LANGUAGE_NL))
    return {int(text.kind): text.section for text in preview.texts}


async def withdraw(played: Played) -> None:
    """The whole of it."""
    case = played.case
    await played.change("close", NOTHING, lambda: case.consents.withdraw(case.notice))


async def withdraw_from_one(played: Played) -> None:
    """From one reader; the other reads on."""
    case, reader = played.case, played.case.reader
    await played.change(
        "close", NOTHING, lambda: case.consents.withdraw(case.notice, reader_kids=[reader.kid]), reader
    )


async def part_by_part(played: Played) -> None:
    """One section, then a further yes to everything, then the whole."""
    case = played.case
    kind, section = next(iter((await _sections(case)).items()))
    both = frozenset(await _sections(case))
    await played.change(
        "drop", frozenset({kind}), lambda: case.consents.withdraw(case.notice, sections=[section])
    )
    await asyncio.sleep(0.1)
    await played.change("set", both, lambda: case.give(WHOLE))
    await asyncio.sleep(0.1)
    await withdraw(played)


async def give_less(played: Played) -> None:
    """A further yes to one section only."""
    case = played.case
    kind, section = list((await _sections(case)).items())[-1]
    await played.change("set", frozenset({kind}), lambda: case.give(Yes(sections=[section])))


async def exclude(played: Played) -> None:
    """One reader, for ever."""
    case, reader = played.case, played.case.reader
    subject = (await succeeds(reader.me)).member.subject
    await played.change("close", NOTHING, lambda: case.reporter.exclude([subject]), reader)


async def withdraw_report(played: Played) -> None:
    """Everything."""
    await played.change("close", NOTHING, played.case.reporter.withdraw_report)


async def end(played: Played) -> None:
    """The role of one reader."""
    admin, one = played.case.actors.admin(PARTY).admin, played.hired[0]
    await played.change("close", NOTHING, lambda: admin.end_appointment(one.appointment), one.client)


async def remove(played: Played) -> None:
    """The membership of one reader."""
    admin, one = played.case.actors.admin(PARTY).admin, played.hired[0]
    await played.change("close", NOTHING, lambda: admin.remove(one.member), one.client)


async def expire(played: Played) -> None:
    """Nobody does anything: the period ends, by the clock of the database on this machine."""
    with played.case.actors.world.sql() as sql:
        row = sql.execute(
            "SELECT extract(epoch FROM expire_time)::float8 FROM disclosure.notices WHERE name = %s",
            (played.case.notice,),
        ).fetchone()
    assert row is not None
    ends = float(row[0])
    await asyncio.sleep(max(0.0, ends - time()) + 0.1)
    moment = monotonic() - (time() - ends)
    played.note("close", NOTHING, moment - 0.002, moment + 0.002)


HOW = {
    "withdraw": withdraw,
    "from one": withdraw_from_one,
    "part by part": part_by_part,
    "less": give_less,
    "exclude": exclude,
    "report": withdraw_report,
    "end": end,
    "remove": remove,
    "expire": expire,
}


async def play(played: Played, how: str) -> None:
    """Lets eight knock while one change is made; everything follows from the number but the moments."""
    openers = [
        asyncio.create_task(played.knock(reader)) for reader in played.case.readers for _ in range(OPENERS)
    ]
    try:
        await asyncio.sleep(played.chance.uniform(0.05, 0.2))
        await HOW[how](played)
        await asyncio.sleep(0.1)
    finally:
        played.over = True
        await asyncio.gather(*openers)


async def _kill_once(world: World, chance: Random) -> None:
    await asyncio.sleep(chance.uniform(0.05, 0.3))
    await killed(world.stack, "disclosure")
    await asyncio.to_thread(world.stack.start, "disclosure")


@pytest.mark.timeout(600)
@pytest.mark.campaign("histories", unit="histories", floor=50, target=2000, short_s=300)
async def test_what_ten_clients_saw_can_have_happened(world: World, campaign: Campaign) -> None:
    """Three notices side by side, each with eight openers and who closes it (I1, I2, I3, I4, T19)."""
    for number in campaign:
        actors, admin, chance = await Actors.on_their_own(world), asyncio.Lock(), Random(number)
        ways = [list(HOW)[(number * AT_ONCE + place) % len(HOW)] for place in range(AT_ONCE)]
        played = await asyncio.gather(*(begun(actors, admin, Random(chance.random()), how) for how in ways))
        acts = [play(each, how) for each, how in zip(played, ways, strict=True)]
        if number % KILL_EVERY == 0:
            acts.append(_kill_once(world, chance))
        await asyncio.gather(*acts)
        histories = [history for each in played for history in each.seen.values()]
        for history in histories:
            assert linearizable(history), f"{ways}\n{written(history)}"
        campaign.count(
            histories=len(histories),
            operations=sum(map(len, histories)),
            opened=sum(op.what == "opened" for history in histories for op in history),
            refused=sum(op.what == "refused" for history in histories for op in history),
        )
