"""OpenFGA gone, hanging, or telling anything: nothing leaves that the database does not allow (I5, I6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meldbrug.client import ReporterClient, Unavailable
from meldbrug.client.device import new_request_id
from meldbrug.common.v1.common_pb2 import (
    INCIDENT_STATE_ASSESSING,
    KIND_CONTEXT,
    PURPOSE_INFORM,
    SUBJECT_KIND_PERSON,
)
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from tests.support.actors import Actors, Case
from tests.support.faults import Recorder, converged, effects, is_refused, succeeds
from tests.support.sector import World

OPEN = "/meldbrug.disclosure.v1.ReaderService/OpenSections"
CHECKS = ("Check", "BatchCheck")


async def opened(actors: Actors) -> Case:
    """A case whose notice the broadcaster's contact has opened."""
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    await succeeds(lambda: case.reader.reader.open(case.notice, PURPOSE_INFORM))
    return case


async def open_once(case: Case) -> service.OpenSectionsResponse:
    """The bare opening of a notice."""
    request = service.OpenSectionsRequest(
        notice=case.notice, purpose=PURPOSE_INFORM, request_id=new_request_id()
    )
    return await case.reader.call(OPEN, request, service.OpenSectionsResponse)


@asynccontextmanager
async def engine(world: World, fault: str) -> AsyncIterator[None]:
    """The policy engine stopped, or holding every call; back as it was afterwards."""
    server = world.stack.backends.openfga
    assert server.child is not None
    if fault == "stopped":
        await asyncio.to_thread(server.stop)
        assert not server.child.running
    else:
        server.child.pause()
    try:
        yield
    finally:
        if fault == "stopped":
            await asyncio.to_thread(server.start)
        else:
            server.child.resume()


@pytest.mark.parametrize("fault", ["stopped", "hanging"])
async def test_members_wait_and_reporters_go_on(
    world: World, actors: Actors, recorder: Recorder, fault: str
) -> None:
    """I5, I6: UNAVAILABLE with RetryInfo for members; reporters do as ever; afterwards all is well."""
    case, other = await opened(actors), await opened(actors)
    third = await actors.report()
    await third.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    before = effects(world, case.incident)
    async with engine(world, fault):
        recorder.patience_s = 1.0
        for act in (
            lambda: open_once(case),
            lambda: (
                case.handler.handler.read(case.incident, [f"{case.incident}/sections/{'a' * 26}"])
                if False
                else case.handler.handler.add(case.incident, KIND_CONTEXT, "Een aanvulling.")
            ),
            lambda: case.handler.handler.assess(case.incident, INCIDENT_STATE_ASSESSING, etag="1"),
            lambda: actors.admin("noorderlicht").admin.invite("Iemand", SUBJECT_KIND_PERSON),
        ):
            with pytest.raises(Unavailable) as refused:
                await act()
            assert refused.value.retry_after_s
        assert effects(world, case.incident) == before
        recorder.patience_s = 20.0
        reporter = actors.newcomer()
        report = await _report(actors, reporter)
        assert (await reporter.find()).name == report
        texts = await case.reporter.read([header.name async for header in case.reporter.headers()][:1])
        assert texts[0].text
        await third.consents.refuse(third.notice)
        await other.consents.withdraw(other.notice)
        await other.reporter.withdraw_report()
        await case.reporter.exclude([(await _subject(world, case))])
    for incident in (case.incident, other.incident, third.incident, report):
        await converged(world, incident)
    assert await is_refused(open_once(case))
    assert await is_refused(open_once(other))
    handler = actors.member("duinroos-vp").handler
    assert await succeeds(lambda: handler.read(report))


async def _report(actors: Actors, reporter: ReporterClient) -> str:
    from meldbrug.client import Draft

    circle = await actors.circle()
    intake = circle.counsellors(actors.on.participations["duinroos"])
    draft = Draft(texts={KIND_CONTEXT: "Het is weer gebeurd."}, intake=intake, production=circle.production)
    return (await reporter.report(draft)).name


async def _subject(world: World, case: Case) -> str:
    query = "SELECT subject FROM disclosure.seats WHERE incident = %s AND kid = %s"
    with world.sql() as sql:
        row = sql.execute(query, (case.incident, case.reader.kid)).fetchone()
    assert row is not None
    return str(row[0])
