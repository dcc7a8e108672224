"""A device whose clock is off: what its user signs counts at the first try."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from meldbrug.client import Connection, Consents, Draft, NotReached, ReporterClient, ServerClock, connection
from meldbrug.crypto import SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said
from tests.integration.client.scripted import INSTALLATION, listening, refusal, serving, stale
from tests.support.actors import TEXTS, Actors, Case
from tests.support.sector import World

OFF = [
    pytest.param(timedelta(minutes=10), id="ahead"),
    pytest.param(timedelta(minutes=-10), id="behind"),
]
KEYS = SecretKeys(b"s" * 32, b"e" * 32)
NOTICE = "incidents/" + "a" * 26 + "/notices/" + "a" * 26


def off_by(by: timedelta) -> ServerClock:
    return ServerClock(lambda: datetime.now(UTC) + by)


@asynccontextmanager
async def device(world: World, by: timedelta) -> AsyncIterator[Connection]:
    """Another device, whose clock nobody corrected yet."""
    endpoints = world.endpoints
    async with Connection(endpoints.services, endpoints.installation, clock=off_by(by)) as connected:
        yield connected


async def proposed(actors: Actors) -> Case:
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    return case


@pytest.mark.parametrize("by", OFF)
async def test_a_consent_is_withdrawn_at_the_first_try(world: World, actors: Actors, by: timedelta) -> None:
    case = await proposed(actors)
    await case.give()

    async with device(world, by) as connected:
        consents = Consents(ReporterClient(connected, case.reporter._keys))
        request = await consents.withdraw(case.notice)

    assert request.answer == wire.ConsentRequest.ANSWER_WITHDRAWN


@pytest.mark.parametrize("by", OFF)
async def test_a_request_is_refused_at_the_first_try(world: World, actors: Actors, by: timedelta) -> None:
    case = await proposed(actors)

    async with device(world, by) as connected:
        consents = Consents(ReporterClient(connected, case.reporter._keys))
        request = await consents.refuse(case.notice)

    assert request.answer == wire.ConsentRequest.ANSWER_REFUSED


@pytest.mark.parametrize("by", OFF)
async def test_a_report_is_in_at_the_first_try(world: World, actors: Actors, by: timedelta) -> None:
    circle = await actors.circle()
    draft = Draft(
        texts=TEXTS,
        intake=[await actors.person(actors.member("duinroos-vp"))],
        production=circle.production,
        excluded_subjects=[(await actors.person(actors.member("duinroos-plv"))).member.subject],
    )

    async with device(world, by) as connected:
        report = await ReporterClient(connected, SecretKeys.generate()).report(draft)

    assert report.name


async def test_a_clock_that_was_set_meanwhile_is_asked_about_again(world: World, actors: Actors) -> None:
    case, by = await proposed(actors), [timedelta()]
    clock = ServerClock(lambda: datetime.now(UTC) + by[0])
    endpoints = world.endpoints

    async with Connection(endpoints.services, endpoints.installation, clock=clock) as connected:
        consents = Consents(ReporterClient(connected, case.reporter._keys))
        preview = await consents.preview(case.notice)
        by[0] = timedelta(minutes=10)
        await consents.give(preview)
        by[0] = timedelta(minutes=-10)
        request = await consents.withdraw(case.notice)

    assert request.answer == wire.ConsentRequest.ANSWER_WITHDRAWN


def sequence_of(body: bytes) -> int:
    signed = service.WithdrawConsentRequest.FromString(body).withdrawal
    return statements.parse(StatementKind.WITHDRAWAL, signed, said.Withdrawal).sequence


async def test_what_is_withdrawn_is_signed_once_by_the_time_that_was_told() -> None:
    async with serving(stale(), b"", b"", b"", clock=off_by(timedelta(minutes=10))) as (connected, server):
        consents = Consents(ReporterClient(connected, KEYS))
        await consents.withdraw(NOTICE)
        await consents.withdraw(NOTICE)

    *looks, first, second = server.bodies
    assert looks == [b"", b""]
    now_ms = datetime.now(UTC).timestamp() * 1000
    assert abs(sequence_of(first) - now_ms) < 60_000
    assert sequence_of(second) > sequence_of(first)


async def test_a_server_too_full_to_look_still_takes_a_withdrawal() -> None:
    full = refusal(8, "OVERLOADED")

    async with serving(full, b"") as (connected, server):
        await Consents(ReporterClient(connected, KEYS)).withdraw(NOTICE)

    assert len(server.bodies) == 2


async def test_nothing_is_signed_while_nobody_tells_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_S", 0.001)
    clock = ServerClock()
    async with listening(b"") as (port, _):
        pass

    async with Connection({"disclosure": f"127.0.0.1:{port}"}, INSTALLATION, clock=clock) as connected:
        with pytest.raises(NotReached):
            await Consents(ReporterClient(connected, KEYS)).refuse(NOTICE)

    assert clock._last == 0
