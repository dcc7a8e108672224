"""kill -9 where no failpoint is: in the midst of many calls, and where nobody calls again (I3, I10, I11)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from meldbrug.client import Draft, MemberClient
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_SAFETY_CONTACT,
    INCIDENT_STATE_RECEIVED,
    PURPOSE_INFORM,
)
from meldbrug.coordination.v1.coordination_pb2 import Stub
from tests.support.actors import TEXTS, Actors, Case, Hired, seen, stub_of
from tests.support.faults import (
    Recorder,
    armed,
    converged,
    effects,
    killed,
    killed_at,
    outcome,
    succeeds,
    until,
)
from tests.support.sector import World


def opens(reader: MemberClient, notice: str) -> Coroutine[Any, Any, object]:
    """An opening of a notice by a reader."""
    return reader.reader.open(notice, PURPOSE_INFORM)


async def offered(actors: Actors) -> Case:
    """A case whose notice the broadcaster's contact has opened."""
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    await succeeds(lambda: opens(case.reader, case.notice))
    return case


async def test_a_report_that_was_cut_off_anywhere_is_whole_or_nothing(
    world: World, actors: Actors, recorder: Recorder
) -> None:
    """I11: killed at moments that nobody chose; then the client repeats the same bytes and it is in once."""
    circle = await actors.circle()
    draft = Draft(
        texts=TEXTS,
        intake=circle.counsellors(actors.on.participations["duinroos"]),
        production=circle.production,
    )
    reporters = [actors.newcomer() for _ in range(24)]
    calls = [asyncio.create_task(reporter.report(draft)) for reporter in reporters]
    await until(lambda: _done(calls, 4))
    await asyncio.to_thread(world.stack.kill, "disclosure")
    acknowledged = [call.done() and not call.exception() for call in calls]
    assert any(acknowledged), "the kill came too early to tell"
    assert not all(acknowledged), "the kill came too late to tell"
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.to_thread(world.stack.start, "disclosure")
    submissions = {
        sent.credentials.keys.kid: sent
        for sent in recorder.sent
        if sent.method.endswith("/SubmitReport") and sent.credentials
    }
    # Who had sent nothing yet has nothing to be whole, and nothing to repeat.
    under_way = [pair for pair in zip(reporters, acknowledged, strict=True) if pair[0].kid in submissions]
    assert sum(is_in for _, is_in in under_way) == sum(acknowledged) < len(under_way)
    for reporter, is_in in under_way:
        sent = submissions[reporter.kid]
        rows = effects(world, sent.request.incident)  # type: ignore[attr-defined]
        whole = rows["sections"] == len(TEXTS) and rows["wraps"] == len(TEXTS) * (len(draft.intake) + 1)
        assert whole or (not is_in and not any(rows.values())), rows
        await recorder.again(sent)
        assert (await succeeds(reporter.find)).name == sent.request.incident  # type: ignore[attr-defined]


async def _done(calls: list[asyncio.Task[Any]], wanted: int) -> bool:
    return sum(call.done() for call in calls) >= wanted


def _is_tombstone(stub: Stub | None) -> bool:
    return stub is not None and stub.tombstone


async def hired_reader(actors: Actors) -> tuple[Case, Hired]:
    """A case that a new contact of the broadcaster has opened."""
    hired = await actors.contact("noorderlicht")
    case = await actors.report()
    await case.propose("noorderlicht", [hired.client])
    await case.accepted()
    await succeeds(lambda: opens(hired.client, case.notice))
    return case, hired


async def test_an_ending_that_nobody_repeats_bites_by_itself(world: World, actors: Actors) -> None:
    """I3: the job that committed with the ending does it, without another call of the admin."""
    case, hired = await hired_reader(actors)
    act = actors.admin("noorderlicht").admin.end_appointment(hired.appointment)
    await killed_at(world.stack, "directory.AdminService.EndAppointment.after_commit", act)
    await until(lambda: outcome(opens(hired.client, case.notice)), lambda code: code == "PERMISSION_DENIED")
    await converged(world, case.incident)


Followed = tuple[Coroutine[Any, Any, object], Callable[[], Awaitable[object]]]


async def a_report(actors: Actors) -> Followed:
    """A report that comes in, and whether its handler has the case."""
    circle, reporter = await actors.circle(), actors.newcomer()
    intake = circle.counsellors(actors.on.participations["duinroos"])

    async def is_received() -> bool:
        incident = (await reporter.find()).name
        if not await seen(actors.member("duinroos-vp"), incident):
            return False
        return (await reporter.status()).state == INCIDENT_STATE_RECEIVED

    return reporter.report(Draft(texts=TEXTS, intake=intake, production=circle.production)), is_received


async def an_offer(actors: Actors) -> Followed:
    """A consent, and whether its reader has the stub."""
    case, reader = await actors.report(), actors.member("noorderlicht-contact")
    await case.propose("noorderlicht", [reader])

    async def is_offered() -> bool:
        stub = await stub_of(reader, case.notice)
        return stub is not None and not stub.tombstone

    return case.give(), is_offered


async def a_tombstone(actors: Actors) -> Followed:
    """A withdrawal, and whether its reader has the tombstone."""
    case = await offered(actors)

    async def is_closed() -> bool:
        return _is_tombstone(await stub_of(case.reader, case.notice))

    return case.consents.withdraw(case.notice), is_closed


@pytest.mark.parametrize("what", [a_report, an_offer, a_tombstone])
async def test_coordination_catches_up_after_a_kill(
    world: World, actors: Actors, what: Callable[[Actors], Awaitable[Followed]]
) -> None:
    """I3, I10: it was pulling when it died; incident, offer and tombstone arrive all the same."""
    act, has_arrived = await what(actors)

    async with armed(world.stack, "coordination.InternalService.Inform.after_pull") as is_held:
        await act  # Answered at once: what follows from it is held.
        await until(is_held)
        await killed(world.stack, "coordination")
    await asyncio.to_thread(world.stack.start, "coordination")

    await until(lambda: succeeds(has_arrived))


async def test_a_new_counsellor_can_be_appointed_after_a_kill(world: World, actors: Actors) -> None:
    """I10: after every kill above the directory still enrols and appoints."""
    hired = await actors.appoint(
        await actors.hire("noorderlicht", "Contactpersoon"), "noorderlicht", CAPACITY_SAFETY_CONTACT
    )
    circle = await actors.circle()
    assert hired.kid in {
        person.kid for person in circle.safety_contacts(actors.on.participations["noorderlicht"])
    }
    await actors.admin("noorderlicht").admin.end_appointment(hired.appointment)
