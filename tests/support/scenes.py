"""What can happen to a case: how it comes about, what it shuts and what it opens.

A scene is made without faults; its act then reaches one of the failpoints of an operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from meldbrug.client import Draft, MemberClient
from meldbrug.client.proposing import Decided
from meldbrug.common.v1.common_pb2 import (
    GROUND_REPORTER_CONSENT,
    INCIDENT_STATE_ASSESSING,
    LANGUAGE_NL,
    PURPOSE_INFORM,
)
from tests.support.actors import PARTIES, TEXTS, Actors, Case, Hired, seen
from tests.support.faults import succeeds

Door = Callable[[], Awaitable[object]]
LEAD, RECIPIENT, OTHER = PARTIES[0], PARTIES[1], PARTIES[2]
TITLE = "Een proefopname"


@dataclass
class Scene:
    """What is there before the fault.

    Attributes:
        act: The client's act that reaches the operation.
        method: Short name of the call that is made again when the act was cut off.
        shut: Doors that stood open before, and are closed once the act was acknowledged.
        ajar: Doors that stand open in the end.
        closed: Doors that are closed before and after.
        incidents: Whose policy tuples are compared.
    """

    act: Callable[[], Coroutine[Any, Any, object]]
    method: str
    shut: list[Door] = field(default_factory=list)
    ajar: list[Door] = field(default_factory=list)
    closed: list[Door] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)


def opening(case: Case, reader: MemberClient | None = None) -> Door:
    """A reader's door to a case's notice."""
    return lambda: (reader or case.reader).reader.open(case.notice, PURPOSE_INFORM)


def handling(case: Case, handler: MemberClient | None = None) -> Door:
    """A handler's door to a case."""
    return lambda: (handler or case.handler).handler.read(case.incident)


def scene(case: Case, act: Callable[[], Coroutine[Any, Any, object]], method: str, **doors: Any) -> Scene:
    """A scene of one case."""
    return Scene(act, method, incidents=[case.incident], **doors)


async def proposed(actors: Actors, reader: MemberClient | None = None) -> Case:
    """A case whose reporter is asked."""
    case = await actors.report()
    await case.propose(RECIPIENT, [reader or (await actors.contact(RECIPIENT)).client])
    return case


async def opened(actors: Actors) -> tuple[Case, Hired]:
    """A case whose notice its reader, hired for it, has opened."""
    hired = await actors.contact(RECIPIENT)
    case = await proposed(actors, hired.client)
    await case.accepted()
    await succeeds(opening(case))
    return case, hired


async def submit(actors: Actors) -> Scene:
    circle, reporter = await actors.circle(), actors.newcomer()
    intake = circle.counsellors(actors.on.participations[LEAD])
    draft = Draft(texts=TEXTS, intake=intake, production=circle.production)

    async def is_there() -> None:
        incident = (await reporter.find()).name
        await actors.member("duinroos-vp").handler.read(incident)
        assert await seen(actors.member("duinroos-vp"), incident)

    return Scene(lambda: reporter.report(draft), "SubmitReport", ajar=[is_there])


async def write(actors: Actors) -> Scene:
    case = await actors.report()
    return scene(case, lambda: case.reporter.send("Nog iets."), "PutSection", ajar=[handling(case)])


async def read_own(actors: Actors) -> Scene:
    case = await actors.report()
    own = [header.name async for header in case.reporter.headers()]
    return scene(case, lambda: case.reporter.read(own), "OpenSections", ajar=[handling(case)])


async def change_intake(actors: Actors) -> Scene:
    case = await actors.report()
    leaving, staying = actors.member("duinroos-vp"), actors.member("duinroos-plv")
    chosen = [await actors.person(staying)]
    return scene(
        case, lambda: case.reporter.change_intake(chosen), "ChangeIntake",
        shut=[handling(case, leaving)], ajar=[handling(case, staying)],
    )  # fmt: skip


async def give(actors: Actors) -> Scene:
    case = await proposed(actors)
    preview = await case.consents.preview(case.notice, LANGUAGE_NL)

    async def arms() -> None:
        terms = await case.terms()
        if not (await case.reader.reader.stub(case.notice)).tombstone:
            await case.reader.reader.accept(case.notice, terms)
        await opening(case)()

    return scene(case, lambda: case.consents.give(preview), "GiveConsent", ajar=[arms])


async def refuse(actors: Actors) -> Scene:
    case = await proposed(actors)
    return scene(
        case, lambda: case.consents.refuse(case.notice), "RefuseConsent",
        closed=[opening(case)], ajar=[handling(case)],
    )  # fmt: skip


async def withdraw(actors: Actors) -> Scene:
    case, _ = await opened(actors)
    return scene(
        case, lambda: case.consents.withdraw(case.notice), "WithdrawConsent",
        shut=[opening(case)], ajar=[handling(case)],
    )  # fmt: skip


async def withdraw_report(actors: Actors) -> Scene:
    case, _ = await opened(actors)
    own = [header.name async for header in case.reporter.headers()]
    return scene(
        case, case.reporter.withdraw_report, "WithdrawReport",
        shut=[opening(case), handling(case)], ajar=[lambda: case.reporter.read(own)],
    )  # fmt: skip


async def exclude(actors: Actors) -> Scene:
    case, hired = await opened(actors)
    subject = (await hired.client.me()).member.subject
    return scene(
        case, lambda: case.reporter.exclude([subject]), "Exclude",
        shut=[opening(case)], ajar=[handling(case)],
    )  # fmt: skip


async def handle(actors: Actors) -> Scene:
    case = await actors.report()
    return scene(case, lambda: case.handler.handler.read(case.incident), "OpenSections")


async def note(actors: Actors) -> Scene:
    case = await actors.report()
    act = partial(case.handler.handler.note, case.incident, "Gebeld, belt terug.")
    return scene(case, act, "PutSection", ajar=[handling(case)])


async def propose(actors: Actors) -> Scene:
    case, reader = await actors.report(), (await actors.contact(RECIPIENT)).client
    return scene(case, lambda: case.propose(RECIPIENT, [reader]), "ProposeNotice", ajar=[handling(case)])


async def decide(actors: Actors) -> Scene:
    case, _ = await opened(actors)
    decided = Decided(GROUND_REPORTER_CONSENT, "Toch niet nodig.", stands=False)
    act = partial(case.handler.handler.decide, case.notice, decided)
    return scene(case, act, "RecordDecision", shut=[opening(case)], ajar=[handling(case)])


async def accept(actors: Actors) -> Scene:
    case = await proposed(actors)
    await case.offered()
    terms = await case.terms()
    act = partial(case.reader.reader.accept, case.notice, terms)
    return scene(case, act, "AnswerTerms", ajar=[opening(case)])


async def read(actors: Actors) -> Scene:
    case, _ = await opened(actors)
    act = partial(case.reader.reader.open, case.notice, PURPOSE_INFORM)
    return scene(case, act, "OpenSections", ajar=[opening(case)])


async def acknowledge_incident(actors: Actors) -> Scene:
    case = await actors.report()
    return scene(case, lambda: case.handler.handler.acknowledge(case.incident), "AcknowledgeIncident")


async def assess(actors: Actors) -> Scene:
    case = await actors.report()
    await case.handler.handler.acknowledge(case.incident)
    act = partial(case.handler.handler.assess, case.incident, INCIDENT_STATE_ASSESSING)
    return scene(case, act, "AssessIncident")


async def acknowledge_notice(actors: Actors) -> Scene:
    case, _ = await opened(actors)
    await succeeds(lambda: case.reader.reader.stub(case.notice))
    return scene(case, lambda: case.reader.reader.acknowledge(case.notice), "AcknowledgeNotice")
