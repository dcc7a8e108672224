"""Closed doors look alike: same status, details and trailers, at the same moment (T12, I7).

Refused, absent, withdrawn, expired and excluded are told apart by nobody whom they are closed to.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from meldbrug.client import MemberClient, ReporterClient, new_id
from meldbrug.common.v1.common_pb2 import NOTICE_STATE_CONSENT_PENDING, NOTICE_STATE_WITHDRAWN
from meldbrug.coordination.v1.coordination_service_pb2 import GetNoticeRequest
from meldbrug.crypto import SecretKeys
from tests.support.actors import Actors, Case, stub_of, until
from tests.support.personas import Answer, Doors, Persona, methods
from tests.support.requests import request_for
from tests.support.sector import World

FLOOR_S = 0.25
EARLY_S = 0.003  # A timer of the event loop may ring so much before its time.
APART_S = 0.06  # Between medians, on a machine that does other things too.
REPEATS = 3
NAMES = {
    "incident", "notice", "section", "production", "participation", "organisation", "member", "appointment",
    "code",
}  # fmt: skip


@dataclass(frozen=True)
class Door:
    """Somebody at a door that is closed, and what the request names."""

    persona: Persona
    names: Mapping[str, str]


def absent() -> dict[str, str]:
    """Names of things that are not there."""
    incident = f"incidents/{new_id()}"
    section = f"{incident}/sections/{new_id()}"
    kid = SecretKeys.generate().kid
    return {
        "installation": SecretKeys.generate().kid,
        "incident": incident,
        "notice": f"{incident}/notices/{new_id()}",
        "section": section,
        "sections": section,
        "production": f"productions/{new_id()}",
        "participation": f"participations/{new_id()}",
        "recipient": f"participations/{new_id()}",
        "organisation": f"organisations/{new_id()}",
        "member": f"members/{new_id()}",
        "appointment": f"appointments/{new_id()}",
        "subject": f"persons/{new_id()}",
        "code": new_id(),
        "kids": kid,
        "reader_kids": kid,
        "new_kid": kid,
    }


def of(case: Case, section: str) -> dict[str, str]:
    """Names of what belongs to a case."""
    return {
        **absent(), "incident": case.incident, "notice": case.notice, "section": section, "sections": section,
    }  # fmt: skip


def member(client: MemberClient) -> Persona:
    return Persona("member", client.keys)


def reporter(client: ReporterClient) -> Persona:
    return Persona("reporter", client._keys, embed=True)


@dataclass
class Closed:
    """Every way in which a door can be closed, by whom it is closed to."""

    doors: Doors
    to_reporters: dict[str, Door]
    to_handlers: dict[str, Door]
    to_readers: dict[str, Door]
    to_readers_without_stub: dict[str, Door]
    to_admins: dict[str, Door]
    to_anyone: dict[str, Door]


@pytest.fixture(scope="module")
async def closed(world: World) -> AsyncIterator[Closed]:
    actors, doors = await Actors.on_their_own(world), Doors(world)
    reader, handler = (
        (await actors.contact("noorderlicht")).client,
        (await actors.counsellor("duinroos")).client,
    )
    deputy = (await actors.counsellor("duinroos")).client
    me, own = member(reader), member(handler)

    names: dict[str, dict[str, str]] = {}

    async def case_of(handlers: list[MemberClient] | None = None) -> Case:
        case = await actors.report(handlers or [handler, deputy])
        section = next(iter([header.name async for header in case.reporter.headers()]))
        await case.propose("noorderlicht", [reader])
        names[case.incident] = of(case, section)
        return case

    unanswered, refused, withdrawn, opened, excluded, expired, gone, left, barred = [
        await case_of() for _ in range(9)
    ]
    others = await case_of([deputy])
    await refused.consents.refuse(refused.notice)
    for case in (withdrawn, opened, excluded, expired, gone):
        await case.accepted()
    await opened.reader.reader.open(opened.notice, 1)
    await withdrawn.consents.withdraw(withdrawn.notice)
    await opened.consents.withdraw(opened.notice)
    await excluded.reporter.exclude([(await reader.me()).member.subject])
    await gone.reporter.withdraw_report()
    circle = await left.reporter.circle()
    await left.reporter.change_intake([p for p in circle.counsellors() if p.kid == deputy.kid])
    await barred.reporter.exclude([(await handler.me()).member.subject])
    world_names = {
        **absent(),
        "production": world.sector.production("avondrood"),
        "participation": world.sector.participation("avondrood", "kade9"),
        "organisation": world.sector.organisation("kade9"),
        "member": world.sector.progress.members["kade9-contact"],
        "appointment": world.sector.progress.appointments["veerpont/kade9-contact"],
    }
    world.shift_clock(91 * 86_400)
    await until(lambda: stub_of(reader, expired.notice), lambda stub: stub is not None and stub.tombstone)
    world.shift_clock(0)
    yield Closed(
        doors,
        to_reporters={
            "absent": Door(reporter(others.reporter), absent()),
            "another's": Door(reporter(others.reporter), names[refused.incident]),
            "withdrawn, another's": Door(reporter(others.reporter), names[gone.incident]),
            "of nobody yet": Door(reporter(actors.newcomer()), names[refused.incident]),
        },
        to_handlers={
            "absent": Door(own, absent()),
            "never theirs": Door(own, names[others.incident]),
            "withdrawn": Door(own, names[gone.incident]),
            "no longer theirs": Door(own, names[left.incident]),
            "excluded": Door(own, names[barred.incident]),
        },
        to_readers={
            "absent": Door(me, absent()),
            "unanswered": Door(me, names[unanswered.incident]),
            "refused": Door(me, names[refused.incident]),
            "withdrawn": Door(me, names[withdrawn.incident]),
            "withdrawn after opening": Door(me, names[opened.incident]),
            "report withdrawn": Door(me, names[gone.incident]),
            "expired": Door(me, names[expired.incident]),
            "excluded": Door(me, names[excluded.incident]),
            "somebody else's": Door(member(actors.member("lichtbrug-contact")), names[withdrawn.incident]),
        },
        to_readers_without_stub={
            "absent": Door(me, absent()),
            "unanswered": Door(me, names[unanswered.incident]),
            "refused": Door(me, names[refused.incident]),
            "somebody else's": Door(member(actors.member("lichtbrug-contact")), names[withdrawn.incident]),
        },
        to_admins={
            "absent": Door(member(actors.admin("duinroos")), absent()),
            "another organisation's": Door(member(actors.admin("duinroos")), world_names),
        },
        to_anyone={"absent": Door(Persona("nobody"), absent())},
    )
    await doors.close()


def doors_of(closed: Closed, method: str) -> dict[str, Door]:
    """Which doors a method has that are closed."""
    service = method.split("/")[1].rsplit(".", 1)[1]
    if method.endswith("ReaderService/GetNotice"):
        return closed.to_readers_without_stub  # Whoever had the stub sees its tombstone there.
    return {
        "ReporterService": closed.to_reporters,
        "HandlerService": closed.to_handlers,
        "ReaderService": closed.to_readers,
        "PublicService": closed.to_anyone,
    }.get(service, closed.to_admins)


def _named(method: str) -> set[str]:
    return {one.name for one in methods()[method].input_type.fields}


# Services, the secretariat and newcomers meet other doors; a report and a production are made, not found.
CLOSABLE = sorted(
    method
    for method in methods()
    if NAMES & _named(method)
    and not any(
        part in method
        for part in ("Internal", "Secretariat", "SubmitReport", "Enrolment", "RegisterProduction")
    )
)


@pytest.mark.parametrize("method", CLOSABLE)
async def test_every_closed_door_looks_the_same_and_answers_at_the_floor(closed: Closed, method: str) -> None:
    doors = doors_of(closed, method)
    assert doors

    async def knocks(door: Door) -> list[Answer]:
        return [
            await closed.doors.try_again(
                method, request_for(method, door.names, door.persona.keys), door.persona
            )
            for _ in range(REPEATS)
        ]

    answers = dict(zip(doors, await asyncio.gather(*map(knocks, doors.values())), strict=True))

    reference = await closed.doors.knock(
        "/meldbrug.directory.v1.PublicService/GetProductionByCode",
        request_for("/meldbrug.directory.v1.PublicService/GetProductionByCode", absent()),
        Persona("nobody"),
    )
    assert reference.code == "PERMISSION_DENIED"
    for cause, given in answers.items():
        for answer in given:
            assert answer.seen == reference.seen, (cause, answer.code, answer.reason)
            assert answer.took_s >= FLOOR_S - EARLY_S, cause
    medians = {
        cause: statistics.median(answer.took_s for answer in given) for cause, given in answers.items()
    }
    assert max(medians.values()) - min(medians.values()) < APART_S, medians


async def test_a_refusal_looks_like_no_answer(world: World, actors: Actors) -> None:
    """A refused request and an unanswered one are the same to handler, readers and everyone else."""
    contact = (await actors.contact("noorderlicht")).client
    refused, unanswered = await actors.report(), await actors.report()
    for case in (refused, unanswered):
        await case.propose("noorderlicht", [contact])
    before = await _seen_by_handler(refused)
    inbox = (await contact.reader.inbox_page()).notices

    await refused.consents.refuse(refused.notice)

    after = await _seen_by_handler(refused)
    assert after == before
    assert [state for state, *_ in after] == [NOTICE_STATE_CONSENT_PENDING]
    assert [row[0] for row in await _seen_by_handler(unanswered)] == [row[0] for row in after]
    assert (await contact.reader.inbox_page()).notices == inbox
    doors = Doors(world)
    answers = [
        await doors.knock(
            "/meldbrug.coordination.v1.ReaderService/GetNotice",
            GetNoticeRequest(notice=notice),
            member(contact),
        )
        for notice in (refused.notice, unanswered.notice)
    ]
    await doors.close()
    assert answers[0].seen == answers[1].seen


async def _seen_by_handler(case: Case) -> list[tuple[int, bytes]]:
    """Everything that the handler sees of a case's notices and of the case."""
    rows = [
        (notice.state, notice.SerializeToString(deterministic=True))
        async for notice in case.handler.handler.notices(case.incident)
    ]
    incident = await case.handler.handler.case(case.incident)
    return [(state, text + incident.SerializeToString(deterministic=True)) for state, text in rows]


async def test_tombstones_are_equal_whatever_the_cause(actors: Actors) -> None:
    stays = (await actors.contact("noorderlicht")).client

    async def tombstone_after(cause: str) -> bytes:
        goes = await actors.contact("noorderlicht")
        case = await actors.report()
        await case.propose("noorderlicht", [goes.client, stays])
        await case.accepted()
        await CAUSES[cause](case, goes.client)
        stub = await until(
            lambda: stub_of(goes.client, case.notice), lambda stub: stub is not None and stub.tombstone
        )
        assert stub is not None
        assert stub.state == NOTICE_STATE_WITHDRAWN, cause
        for own in ("name", "etag", "update_time", "close_time", "create_time", "offer_time"):
            if own in stub.DESCRIPTOR.fields_by_name:
                stub.ClearField(own)
        return stub.SerializeToString(deterministic=True)

    tombstones = {cause: await tombstone_after(cause) for cause in CAUSES}
    assert len(set(tombstones.values())) == 1, tombstones


async def _withdraws(case: Case, _goes: MemberClient) -> None:
    await case.consents.withdraw(case.notice)


async def _takes_back_one_reader(case: Case, goes: MemberClient) -> None:
    await case.consents.withdraw(case.notice, reader_kids=[goes.kid])


async def _withdraws_the_report(case: Case, _goes: MemberClient) -> None:
    await case.reporter.withdraw_report()


async def _excludes(case: Case, goes: MemberClient) -> None:
    await case.reporter.exclude([(await goes.me()).member.subject])


CAUSES = {
    "withdrawn": _withdraws,
    "one reader taken back": _takes_back_one_reader,
    "report withdrawn": _withdraws_the_report,
    "excluded": _excludes,
}
