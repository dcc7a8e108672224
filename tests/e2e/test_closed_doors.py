"""Closed doors look alike: same status, details and trailers, at the same moment (T12, I7).

Refused, absent, withdrawn, expired and excluded are told apart by nobody whom they are closed to. How far
their times may lie apart is measured in many pairs by `test_timing.py`; here every door answers at the floor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
from google.protobuf.message import Message

from meldbrug.client import MemberClient, ReporterClient, new_id, new_request_id
from meldbrug.client.sealing import seal
from meldbrug.common.v1.common_pb2 import LANGUAGE_NL, NOTICE_STATE_CONSENT_PENDING, NOTICE_STATE_WITHDRAWN
from meldbrug.coordination.v1.coordination_service_pb2 import GetNoticeRequest
from meldbrug.disclosure.v1.disclosure_service_pb2 import SubmitReportRequest
from tests.support.actors import TEXTS, Actors, Case, stub_of, until
from tests.support.personas import Answer, Doors, Persona, methods
from tests.support.requests import absent, request_for
from tests.support.sector import World

FLOOR_S = 0.25
EARLY_S = 0.003  # A timer of the event loop may ring so much before its time.
APART_S = 0.06  # Between the quickest answers: whatever else the machine does only ever adds to one.
REPEATS = 3
METHODS_AT_ONCE = 3
ROUNDS = 5  # What keeps the machine busy for a while does not last; a door that is slower stays so.


@dataclass(frozen=True)
class Door:
    """Somebody at a door that is closed, and what the request names; `sent` is a request made before."""

    persona: Persona
    names: Mapping[str, str]
    sent: Message | None = None

    def request(self, method: str, installation: str) -> Message:
        """What is asked there; a statement of another installation would be refused for that."""
        names = {**self.names, "installation": installation}
        return self.sent or request_for(method, names, self.persona.keys)


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
    installation: str
    to_reporters: dict[str, Door]
    to_handlers: dict[str, Door]
    to_readers: dict[str, Door]
    to_readers_without_stub: dict[str, Door]
    to_members: dict[str, Door]
    to_admins: dict[str, Door]
    to_all_but_admins: dict[str, Door]
    to_secretariat: dict[str, Door]
    to_all_but_secretariat: dict[str, Door]
    to_anyone: dict[str, Door]
    to_who_submits: dict[str, Door]


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
    own_names = {
        **absent(),
        "production": (await actors.circle()).production,
        "participation": actors.on.participations["duinroos"],
        "organisation": world.sector.organisation("duinroos"),
        "member": world.sector.progress.members["duinroos-plv"],
    }
    to_members = {
        "absent": Door(member(actors.admin("duinroos")), absent()),
        "another organisation's": Door(member(actors.admin("duinroos")), world_names),
    }
    to_all_but_admins = {
        "no admin": Door(own, own_names),
        "no admin, another organisation's": Door(own, world_names),
        "no admin, absent": Door(me, absent()),
    }
    to_all_but_secretariat = {
        "another's admin": Door(member(actors.admin("duinroos")), own_names),
        **to_all_but_admins,
    }
    yield Closed(
        doors,
        world.endpoints.installation,
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
        to_members=to_members,
        to_admins={**to_members, **to_all_but_admins},
        to_all_but_admins=to_all_but_admins,
        to_secretariat={"absent": Door(member(actors.secretariat), absent()), **to_all_but_secretariat},
        to_all_but_secretariat=to_all_but_secretariat,
        to_anyone={"absent": Door(Persona("nobody"), absent())},
        to_who_submits={
            "taken": await _submits(actors, actors.newcomer(), refused.incident),
            "taken and withdrawn": await _submits(actors, actors.newcomer(), gone.incident),
            "one's own": await _submits(actors, refused.reporter, refused.incident),
            "a second one": await _submits(actors, refused.reporter, absent()["incident"]),
            "no such production": await _submits(
                actors, actors.newcomer(), absent()["incident"], absent()["production"]
            ),
        },
    )
    await doors.close()


async def _submits(actors: Actors, who: ReporterClient, incident: str, production: str = "") -> Door:
    """A whole report, well made, under an id that is taken or by a key that has a report."""
    circle = await actors.circle()
    intake = circle.counsellors(actors.on.participations["duinroos"])
    readers = [who.public, *(person.keys for person in intake)]
    sent = SubmitReportRequest(
        incident=incident,
        intake=who.voice.intake(incident, production or circle.production, intake),
        sections=[
            seal(
                who._keys,
                actors.world.endpoints.installation,
                f"{incident}/sections/{new_id()}",
                kind,
                text,
                who.kid,
                readers,
            )
            for kind, text in TEXTS.items()
        ],
        language=LANGUAGE_NL,
        request_id=new_request_id(),
    )
    return Door(reporter(who), {}, sent)


DIRECTORY, DISCLOSURE, COORDINATION = (
    f"/meldbrug.{name}.v1." for name in ("directory", "disclosure", "coordination")
)
CLOSED_TO: Mapping[str, str] = {
    f"{DIRECTORY}PublicService": "to_anyone",
    f"{DIRECTORY}MemberService": "to_members",
    f"{DIRECTORY}AdminService": "to_admins",
    **{
        f"{DIRECTORY}AdminService/{name}": "to_all_but_admins"
        for name in ("InviteMember", "ListMembers", "RegisterProduction", "ListParticipations")
    },
    f"{DIRECTORY}SecretariatService": "to_secretariat",
    **{
        f"{DIRECTORY}SecretariatService/{name}": "to_all_but_secretariat"
        for name in ("AdmitOrganisation", "ListOrganisations", "ListPendingAdmins")
    },
    f"{DISCLOSURE}ReporterService": "to_reporters",
    f"{DISCLOSURE}ReporterService/SubmitReport": "to_who_submits",
    f"{DISCLOSURE}HandlerService": "to_handlers",
    f"{DISCLOSURE}ReaderService": "to_readers",
    f"{DISCLOSURE}SeatService": "to_handlers",
    f"{COORDINATION}ReporterService": "to_reporters",
    f"{COORDINATION}HandlerService": "to_handlers",
    f"{COORDINATION}ReaderService": "to_readers",
    # Whoever had the stub sees its tombstone there.
    f"{COORDINATION}ReaderService/GetNotice": "to_readers_without_stub",
}
"""To whom the doors of a service are closed, or those of one method where they differ."""

ANYONE = "anyone at all may call it, and it names nothing"
OWN = "a current key is all it takes: it tells or changes what is the caller's own, and names nothing else"
SERVICES = "only services reach it: whoever else calls is told PRINCIPAL_CLASS, whatever the request names"
WITHOUT_A_CLOSED_DOOR: Mapping[str, str] = {
    f"{DIRECTORY}PublicService/GetInstallation": ANYONE,
    f"{DIRECTORY}PublicService/GetStandingEntry": ANYONE,
    f"{DISCLOSURE}TermsService/GetTerms": ANYONE,
    f"{DIRECTORY}EnrolmentService/AcceptInvitation": (
        "a code that is wrong, used or too old is INVITATION_INVALID: its holder must know to ask for another"
    ),
    f"{DIRECTORY}MemberService/GetMe": OWN,
    f"{DIRECTORY}MemberService/ListProductions": OWN,
    f"{DIRECTORY}MemberService/BeginRotation": OWN,
    f"{DIRECTORY}MemberService/CompleteRotation": OWN,
    f"{DIRECTORY}MemberService/LookUpKeys": (
        "every member may look up every key; one that nobody has is left out of the answer"
    ),
    f"{DISCLOSURE}SeatService/ListSeats": OWN,
    f"{COORDINATION}HandlerService/ListIncidents": OWN,
    f"{COORDINATION}ReaderService/ListInbox": OWN,
    f"{COORDINATION}ReaderService/WatchInbox": OWN,
    **{
        f"{DIRECTORY}InternalService/{name}": SERVICES
        for name in ("ResolveKeys", "FetchCircle", "FetchParticipations", "FetchBook")
    },
    **{
        f"{DISCLOSURE}InternalService/{name}": SERVICES
        for name in ("EndSeats", "RecordAffiliation", "FetchSnapshot", "ListVersions")
    },
    f"{COORDINATION}InternalService/Inform": SERVICES,
}
"""What is not compared, and why; test_matrix tries every kind of caller at these too."""


def closed_to(method: str) -> str:
    """To whom a method's doors are closed; empty when nobody has said so."""
    return CLOSED_TO.get(method) or CLOSED_TO.get(method.rpartition("/")[0], "")


CLOSABLE = sorted(method for method in methods() if closed_to(method) and method not in WITHOUT_A_CLOSED_DOOR)


def test_every_method_is_compared_or_says_why_it_is_not() -> None:
    """A new method of these services is compared from its first day; one of a new service must be listed."""
    assert set(methods()) - set(CLOSABLE) == set(WITHOUT_A_CLOSED_DOOR)
    assert {closed_to(method) for method in CLOSABLE} <= set(Closed.__annotations__)
    for name in CLOSED_TO:
        assert any(method == name or method.startswith(f"{name}/") for method in CLOSABLE), name


@pytest.fixture(scope="module")
async def answers(closed: Closed) -> Mapping[str, Mapping[str, list[Answer]]]:
    """What came back at every closed door, by method and cause; a few methods at a time: most is waiting."""
    places = asyncio.Semaphore(METHODS_AT_ONCE)

    async def of(method: str) -> dict[str, list[Answer]]:
        async with places:
            return await knocked(closed, method)

    return dict(zip(CLOSABLE, await asyncio.gather(*map(of, CLOSABLE)), strict=True))


async def knocked(closed: Closed, method: str) -> dict[str, list[Answer]]:
    """Returns what everyone was answered to whom a method is closed, by cause."""
    doors: dict[str, Door] = getattr(closed, closed_to(method))

    async def knocks(door: Door) -> list[Answer]:
        return [
            await closed.doors.try_again(method, door.request(method, closed.installation), door.persona)
            for _ in range(REPEATS)
        ]

    answers: dict[str, list[Answer]] = {cause: [] for cause in doors}
    for _ in range(ROUNDS):
        for given, more in zip(
            answers.values(), await asyncio.gather(*map(knocks, doors.values())), strict=True
        ):
            given.extend(more)
        if apart(quickest_of(answers)) < APART_S:
            break
    return answers


@pytest.fixture(scope="module")
async def reference(closed: Closed) -> Answer:
    """The one refusal."""
    method = "/meldbrug.directory.v1.PublicService/GetProductionByCode"
    return await closed.doors.knock(method, request_for(method, absent()), Persona("nobody"))


@pytest.mark.parametrize("method", CLOSABLE)
async def test_every_closed_door_looks_the_same_and_answers_at_the_floor(
    answers: Mapping[str, Mapping[str, list[Answer]]], reference: Answer, method: str
) -> None:
    assert reference.code == "PERMISSION_DENIED"
    assert answers[method]
    for cause, given in answers[method].items():
        for answer in given:
            assert answer.seen == reference.seen, (cause, answer.code, answer.reason)
            assert answer.took_s >= FLOOR_S - EARLY_S, cause
    quickest = quickest_of(answers[method])
    assert apart(quickest) < APART_S, quickest


def quickest_of(answers: Mapping[str, list[Answer]]) -> dict[str, float]:
    """Returns by cause how long the quickest of its answers took, in seconds."""
    return {cause: min(answer.took_s for answer in given) for cause, given in answers.items()}


def apart(seconds: Mapping[str, float]) -> float:
    """Returns how much longer the slowest cause took than the quickest, in seconds."""
    return max(seconds.values()) - min(seconds.values())


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
