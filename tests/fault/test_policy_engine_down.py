"""OpenFGA gone, hanging, or telling anything: nothing leaves that the database does not allow (I5, I6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from meldbrug.client import Draft, MemberClient, ReporterClient, Unavailable
from meldbrug.common.v1.common_pb2 import (
    INCIDENT_STATE_ASSESSING,
    KIND_CONTEXT,
    SUBJECT_KIND_PERSON,
)
from services.kernel.openfga import openfga_pb2 as wire
from tests.support.actors import Actors, Case
from tests.support.faults import Recorder, converged, effects, is_refused, restart, succeeds
from tests.support.openings import open_as, open_once, opened
from tests.support.sector import World


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
    account = [header.name async for header in case.handler.handler.headers(case.incident)].pop()
    before = effects(world, case.incident)
    async with engine(world, fault):
        recorder.patience_s = 1.0
        desk = case.handler.handler
        for act in (
            lambda: open_once(case),
            lambda: desk.contents(case.incident, [account]),
            lambda: desk.assess(case.incident, INCIDENT_STATE_ASSESSING, etag="1"),
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
        await case.reporter.exclude([_subject(world, case)])
    for incident in (case.incident, other.incident, third.incident, report):
        await converged(world, incident)
    assert await is_refused(open_once(case))
    assert await is_refused(open_once(other))
    handler = actors.member("duinroos-vp").handler
    assert await succeeds(lambda: handler.read(report))


async def _report(actors: Actors, reporter: ReporterClient) -> str:
    circle = await actors.circle()
    intake = circle.counsellors(actors.on.participations["duinroos"])
    draft = Draft(texts={KIND_CONTEXT: "Het is weer gebeurd."}, intake=intake, production=circle.production)
    return (await reporter.report(draft)).name


def _subject(world: World, case: Case) -> str:
    query = "SELECT subject FROM disclosure.seats WHERE incident = %s AND kid = %s"
    with world.sql() as sql:
        row = sql.execute(query, (case.incident, case.reader.kid)).fetchone()
    assert row is not None
    return str(row[0])


class Liar(grpc.GenericRpcHandler):
    """The real engine, but for its answers to checks."""

    def __init__(self, address: str, *, allows: bool) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self.allows, self.lies = allows, 0

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = details.method

        async def forward(body: bytes, context: Any) -> bytes:
            call: Any = self._channel.unary_unary(method)
            metadata = [pair for pair in context.invocation_metadata() if pair[0] == "authorization"]
            answer: bytes = await call(body, metadata=metadata, timeout=5)
            return self._lie(method.rpartition("/")[2], body, answer)

        return grpc.unary_unary_rpc_method_handler(forward)

    def _lie(self, method: str, body: bytes, answer: bytes) -> bytes:
        if method == "Check":
            if "probe" in wire.CheckRequest.FromString(body).tuple_key.user:
                return answer
            self.lies += 1
            return wire.CheckResponse(allowed=self.allows).SerializeToString()
        if method == "BatchCheck":
            batch = wire.BatchCheckResponse.FromString(answer)
            for result in batch.result.values():
                result.allowed = self.allows
            self.lies += len(batch.result)
            return batch.SerializeToString()
        return answer

    async def close(self) -> None:
        """Closes the way to the real engine."""
        await self._channel.close()


@asynccontextmanager
async def lying(world: World, *, allows: bool) -> AsyncIterator[Liar]:
    """Disclosure and coordination ask an engine that answers every check alike; as it was afterwards."""
    liar = Liar(world.endpoints.openfga_grpc_address, allows=allows)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([liar])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    services = ("disclosure", "coordination")
    try:
        for name in services:
            await restart(world.stack, name, MELDBRUG_OPENFGA__ADDRESS=f"127.0.0.1:{port}")
        yield liar
    finally:
        for name in services:
            await restart(world.stack, name)
        await server.stop(0)
        await liar.close()


def strangers(actors: Actors) -> list[MemberClient]:
    """Members who have nothing to do with what the broadcaster's contact reads."""
    roles = (
        "kade9-contact",
        "lichtbrug-contact",
        "noorderlicht-systeem",
        "noorderlicht-admin",
        "kade9-admin",
    )
    return [actors.member(role) for role in roles]


async def test_an_engine_that_allows_everything_leaks_nothing(world: World, actors: Actors) -> None:
    """I5: SQL decides too, for openings and for lists."""
    case, withdrawn = await opened(actors), await opened(actors)
    await withdrawn.consents.withdraw(withdrawn.notice)
    pending = await actors.report()
    await pending.propose("lichtbrug", [actors.member("lichtbrug-contact")])
    async with lying(world, allows=True) as liar:
        assert await succeeds(lambda: open_once(case))
        assert liar.lies, "the lie was not asked for"
        for stranger in strangers(actors):
            for notice in (case.notice, withdrawn.notice, pending.notice):
                assert await is_refused(_open_as(stranger, notice))
            assert await is_refused(stranger.handler.report(case.incident))
            assert case.incident not in [found.name async for found in stranger.handler.cases()]
            shown = [stub.name async for stub in stranger.reader.inbox()]
            assert not {case.notice, withdrawn.notice, pending.notice} & set(shown)
        assert await is_refused(open_once(withdrawn))


async def _open_as(member: MemberClient, notice: str) -> None:
    await open_as(member, notice)


async def test_an_engine_that_denies_everything_only_closes_doors(world: World, actors: Actors) -> None:
    """I5: no other error than the one refusal; reporters do not notice."""
    case = await opened(actors)
    async with lying(world, allows=False) as liar:
        assert await is_refused(open_once(case))
        assert await is_refused(case.handler.handler.report(case.incident))
        assert case.incident not in [found.name async for found in case.handler.handler.cases()]
        assert liar.lies, "the lie was not asked for"
        assert (await case.reporter.find()).name == case.incident
    assert await succeeds(lambda: open_once(case))


async def test_another_store_is_no_store(world: World, actors: Actors, recorder: Recorder) -> None:
    """I5, I6: a store that is not ours is neither asked nor written to."""
    case = await opened(actors)
    await restart(world.stack, "disclosure", MELDBRUG_OPENFGA__STORE_ID="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    released = effects(world, case.incident)["releases"]
    recorder.patience_s = 1.0
    with pytest.raises(Unavailable):
        await open_once(case)
    assert effects(world, case.incident)["releases"] == released
    recorder.patience_s = 20.0
    await case.consents.withdraw(case.notice)
    await restart(world.stack, "disclosure")
    assert await is_refused(open_once(case))
    await converged(world, case.incident)
