"""What reporters and handlers read: keyset pages, statements as stored, one closed door for all others."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC
from itertools import chain
from typing import Any

import pytest
from google.protobuf.message import Message

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.domain import Door
from services.disclosure.store import tables as t
from services.disclosure.usecases.views import Page
from services.kernel.answers import status_of
from services.kernel.errors import Refusal
from tests.integration.disclosure.builders import (
    Caller,
    Reporter,
    World,
    new,
    reason_of,
)

R, H = "ReporterService", "HandlerService"


@pytest.fixture(autouse=True)
def frugal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No list reads more than its page and the row that tells of a next one."""
    cut = Page.cut

    def counted(page: Page, rows: list[Any], key: Any) -> Any:
        assert len(rows) <= page.size + 1
        return cut(page, rows, key)

    monkeypatch.setattr(Page, "cut", counted)


async def in_one_moment(world: World, reporter: Reporter) -> None:
    """As if everything had happened at once, so that the second key of a cursor counts."""
    async with world.deps.database.transaction() as conn:
        for table in (t.notices, t.acts, t.sections):
            mine = table.c.incident == reporter.incident
            await conn.exec_driver_sql(f"ALTER TABLE {table.fullname} DISABLE TRIGGER USER")
            await conn.execute(table.update().where(mine).values(create_time=world.now()))
            await conn.exec_driver_sql(f"ALTER TABLE {table.fullname} ENABLE TRIGGER USER")


async def pages(
    caller: Caller, method: str, make: Callable[..., Message], items: str, size: int, **where: str
) -> list[list[Any]]:
    """All pages of a list."""
    found, token = [], ""
    while True:
        answer = await caller.call(method, make(**where, page_size=size, page_token=token))
        found.append(list(getattr(answer, items)))
        token = answer.next_page_token
        if not token:
            return found


async def put_message(world: World, reporter: Reporter) -> str:
    section = reporter.section(common.KIND_MESSAGE, [world.counsellor])
    request = rpc.PutSectionRequest(section=section, request_id=str(uuid.uuid4()))
    return (await reporter.call(f"{R}/PutSection", request)).section.name


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
async def test_sections_come_oldest_first_each_once_whatever_the_page(world: World, size: int) -> None:
    reporter = await world.reported()
    written = [await put_message(world, reporter) for _ in range(2)]

    async def listed() -> tuple[list[list[str]], list[list[str]]]:
        where = {"incident": reporter.incident}
        mine = await pages(reporter, f"{R}/ListSections", rpc.ListSectionsRequest, "sections", size, **where)
        make = rpc.HandlerServiceListSectionsRequest
        theirs = await pages(world.handler, f"{H}/ListSections", make, "sections", size, **where)
        return named(mine), named(theirs)

    mine, theirs = await listed()
    names = [*chain(*mine)]
    assert names[3:] == written
    assert len(set(names)) == 5
    assert theirs == mine
    assert [len(page) for page in mine] == [len(names[at : at + size]) for at in range(0, 5, size)]
    await in_one_moment(world, reporter)
    for whole in await listed():
        assert [*chain(*whole)] == sorted(names)


async def test_a_section_says_when_it_was_put(world: World) -> None:
    reporter = await world.reported()
    began = world.now()
    name = await put_message(world, reporter)

    answer = await reporter.call(f"{R}/ListSections", rpc.ListSectionsRequest(incident=reporter.incident))

    (put,) = (one for one in answer.sections if one.name == name)
    assert began <= put.create_time.ToDatetime(UTC) <= world.now()


def named(found: list[list[Any]]) -> list[list[str]]:
    """Names of sections, page by page."""
    return [[one.name for one in page] for page in found]


async def test_a_new_version_replaces_the_one_before_in_the_list(world: World) -> None:
    reporter = await world.reported()
    name = reporter.headers[common.KIND_SUMMARY].name
    second = reporter.section(common.KIND_SUMMARY, [world.counsellor], name=name, version=2)
    await reporter.call(
        f"{R}/PutSection", rpc.PutSectionRequest(section=second, request_id=str(uuid.uuid4()))
    )

    answer = await reporter.call(f"{R}/ListSections", rpc.ListSectionsRequest(incident=reporter.incident))

    assert [(one.name, one.version) for one in answer.sections if one.name == name] == [(name, 2)]


async def test_requests_come_newest_first_without_key_books(world: World) -> None:
    reporter = await world.reported()
    asked = [(await world.handler.propose(reporter, world.contacts)).notice for _ in range(5)]

    async def listed() -> list[list[pb.ConsentRequest]]:
        make, items = rpc.ListConsentRequestsRequest, "consent_requests"
        where = {"incident": reporter.incident}
        return await pages(reporter, f"{R}/ListConsentRequests", make, items, 2, **where)

    found = await listed()
    assert [one.notice for page in found for one in page] == asked[::-1]
    assert [len(page) for page in found] == [2, 2, 1]
    assert not any(one.HasField("book") for page in found for one in page)
    await in_one_moment(world, reporter)
    assert sorted(one.notice for page in await listed() for one in page) == sorted(asked)


async def test_one_request_comes_with_what_vouches_for_everyone_in_it(world: World) -> None:
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)

    answer = await reporter.call(f"{R}/GetConsentRequest", rpc.GetConsentRequestRequest(notice=asked.notice))

    assert answer.consent_request.book == world.sector.book_
    assert [one.name for one in answer.circle.participations] == [world.co]
    assert {one.kid for one in answer.circle.contacts} == {one.kid for one in world.contacts}


async def test_the_history_holds_each_act_as_it_was_signed(world: World) -> None:
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    refusal, consent = reporter.refusal(asked.notice), reporter.consent(asked)
    await reporter.call(f"{R}/RefuseConsent", refusal)
    await reporter.call(f"{R}/GiveConsent", consent)
    await reporter.withdraw(asked)

    async def listed() -> list[pb.ConsentEvent]:
        make, where = rpc.ListConsentEventsRequest, {"incident": reporter.incident}
        found = await pages(reporter, f"{R}/ListConsentEvents", make, "events", 1, **where)
        return [one for page in found for one in page]

    withdrawn, given, refused = await listed()
    assert (withdrawn.notice, withdrawn.HasField("withdrawal")) == (asked.notice, True)
    assert given.create_time.ToNanoseconds() > refused.create_time.ToNanoseconds() > 0
    assert (given.notice, given.consent) == (asked.notice, consent.consent)
    assert (refused.notice, refused.refusal) == (asked.notice, refusal.refusal)
    assert not refused.HasField("consent")
    assert not given.HasField("refusal")
    await in_one_moment(world, reporter)
    assert [one.notice for one in await listed()] == [asked.notice] * 3


async def release(world: World, reporter: Reporter, number: int, **more: object) -> None:
    async with world.deps.database.transaction() as conn:
        await conn.execute(
            t.releases.insert().values(
                incident=reporter.incident,
                capacity=Door.HANDLER,
                subject=world.counsellor.staff.subject,
                kid=world.counsellor.kid,
                participation=world.lead,
                sections=[reporter.headers[common.KIND_ACCOUNT].name],
                versions=[1],
                kinds=[common.KIND_ACCOUNT],
                request_id=f"{reporter.incident} {number}",
                # Two in the same moment, so that the second key of the cursor counts.
                create_time=world.now().replace(minute=number // 2, second=0, microsecond=0),
                **more,
            )
        )


async def test_openings_come_newest_first_with_what_vouches_for_the_openers(world: World) -> None:
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    for number in range(5):
        await release(world, reporter, number)
    await release(world, reporter, 6, notice=asked.notice, purpose=common.PURPOSE_INFORM)

    found = await pages(
        reporter, f"{R}/ListOpenings", rpc.ListOpeningsRequest, "openings", 2, incident=reporter.incident
    )
    whole = await reporter.call(f"{R}/ListOpenings", rpc.ListOpeningsRequest(incident=reporter.incident))

    assert [one for page in found for one in page] == list(whole.openings)
    assert [one.create_time.ToDatetime().minute for one in whole.openings] == [3, 2, 1, 1, 0, 0]
    assert whole.book == world.sector.book_
    of_notice, opening = whole.openings[:2]
    assert (of_notice.notice, of_notice.purpose) == (asked.notice, common.PURPOSE_INFORM)
    assert opening == pb.Opening(
        capacity=Door.HANDLER,
        subject=world.counsellor.staff.subject,
        kid=world.counsellor.kid,
        participation=world.lead,
        sections=[reporter.headers[common.KIND_ACCOUNT].name],
        kinds=[common.KIND_ACCOUNT],
        create_time=opening.create_time,
    )


async def test_the_reporters_own_openings_ask_nobody_to_vouch(world: World) -> None:
    reporter = await world.reported()
    account = reporter.headers[common.KIND_ACCOUNT].name
    request = rpc.ReporterServiceOpenSectionsRequest(
        incident=reporter.incident, sections=[account], request_id=str(uuid.uuid4())
    )
    opened = await reporter.call(f"{R}/OpenSections", request)

    listed = await reporter.call(f"{R}/ListOpenings", rpc.ListOpeningsRequest(incident=reporter.incident))

    assert [one.header.name for one in opened.sections] == [account]
    assert not opened.book.keys
    (mine,) = listed.openings
    assert (mine.capacity, mine.subject, mine.participation) == (Door.REPORTER, "", "")
    assert not listed.book.keys


async def test_opening_a_handlers_answer_comes_with_what_vouches_for_it(world: World) -> None:
    reporter, handler = await world.reported(), world.handler
    readers = [reporter.keys.public, handler.staff.public]
    section = handler.section(reporter, common.KIND_MESSAGE, readers)
    put = rpc.HandlerServicePutSectionRequest(section=section, request_id=str(uuid.uuid4()))
    await handler.call(f"{H}/PutSection", put)

    opened = await reporter.call(
        f"{R}/OpenSections",
        rpc.ReporterServiceOpenSectionsRequest(
            incident=reporter.incident, sections=[section.header.name], request_id=str(uuid.uuid4())
        ),
    )

    assert opened.book == world.sector.book_


async def test_the_circle_shows_who_can_be_chosen(world: World) -> None:
    reporter = await world.reported()

    answer = await reporter.call(f"{R}/GetCircle", rpc.GetCircleRequest(incident=reporter.incident))

    assert {one.name for one in answer.circle.participations} == {
        world.lead,
        world.co,
        world.other,
        world.point,
    }
    assert answer.handlers == world.sector.book_


async def test_without_a_production_the_directory_is_asked_for_none(world: World) -> None:
    """Which it knows as the independent point alone."""
    reporter = world.reporter()
    await reporter.submit(world.adviser, intake=reporter.intake([world.adviser], production=""))

    world.sector.circles.clear()

    answer = await reporter.call(f"{R}/GetCircle", rpc.GetCircleRequest(incident=reporter.incident))

    assert world.sector.circles == [""]
    assert {one.name for one in answer.circle.participations} == {world.point}


async def test_a_handler_sees_the_report_and_whom_to_seal_to(world: World) -> None:
    reporter = await world.reported(world.counsellor, world.deputy)
    await world.end(world.deputy.contact.appointment)

    answer = await world.handler.call(
        f"{H}/GetReport", rpc.HandlerServiceGetReportRequest(incident=reporter.incident)
    )

    keys = reporter.keys.public
    report = (await reporter.call(f"{R}/GetReport", rpc.GetReportRequest())).report
    assert answer.report == pb.HandledReport(
        name=reporter.incident,
        production=world.production,
        intake=report.intake,
        reporter_keys=common.PublicKeys(signing=keys.signing, sealing=keys.sealing),
        categories=[common.CATEGORY_BULLYING],
        language=common.LANGUAGE_NL,
        create_time=report.create_time,
        handler_kids=[world.counsellor.kid],
    )
    assert report.create_time.seconds


async def test_a_handler_at_the_independent_point_sees_that_there_is_no_production(world: World) -> None:
    reporter = world.reporter()
    await reporter.submit(world.adviser, intake=reporter.intake([world.adviser], production=""))

    answer = await world.member(world.adviser).call(
        f"{H}/GetReport", rpc.HandlerServiceGetReportRequest(incident=reporter.incident)
    )

    assert (answer.report.name, answer.report.production) == (reporter.incident, "")


@pytest.mark.parametrize("language", [common.LANGUAGE_NL, common.LANGUAGE_EN])
async def test_the_terms_are_there_for_anybody(world: World, language: common.Language) -> None:
    answer = await world.anyone.call("TermsService/GetTerms", rpc.GetTermsRequest(language=language))

    assert answer.version == world.deps.terms.version
    assert world.deps.terms.is_text(answer.version, answer.digest)
    assert not world.deps.terms.is_text("v0", answer.digest)
    assert answer.text.startswith("# ")


# Closed doors.


async def test_a_page_token_is_of_one_caller_and_one_list(world: World) -> None:
    reporter, other = await world.reported(), await world.reported()
    first = await reporter.call(
        f"{R}/ListSections", rpc.ListSectionsRequest(incident=reporter.incident, page_size=1)
    )
    token = first.next_page_token

    for caller, method, request in [
        (other, "ListSections", rpc.ListSectionsRequest(incident=other.incident, page_token=token)),
        (reporter, "ListOpenings", rpc.ListOpeningsRequest(incident=reporter.incident, page_token=token)),
        (reporter, "ListSections", rpc.ListSectionsRequest(incident=reporter.incident, page_token="x")),
    ]:
        assert await reason_of(caller.call(f"{R}/{method}", request)) == "PAGE_TOKEN_INVALID"


# fmt: off
def of_reporter(incident: str, notice: str) -> list[tuple[str, Message]]:
    some = str(uuid.uuid4())
    section = f"{incident}/sections/{'a' * 26}"
    return [
        ("GetReport", rpc.GetReportRequest(incident=incident)),
        ("GetCircle", rpc.GetCircleRequest(incident=incident)),
        ("ListSections", rpc.ListSectionsRequest(incident=incident)),
        ("OpenSections", rpc.ReporterServiceOpenSectionsRequest(
            incident=incident, sections=[section], request_id=some)),
        ("PutSection", rpc.PutSectionRequest(section=pb.NewSection(header=pb.SectionHeader(name=section)))),
        ("ChangeIntake", rpc.ChangeIntakeRequest(incident=incident)),
        ("ListConsentRequests", rpc.ListConsentRequestsRequest(incident=incident)),
        ("GetConsentRequest", rpc.GetConsentRequestRequest(notice=notice)),
        ("GiveConsent", rpc.GiveConsentRequest(notice=notice)),
        ("RefuseConsent", rpc.RefuseConsentRequest(notice=notice)),
        ("WithdrawConsent", rpc.WithdrawConsentRequest(notice=notice)),
        ("WithdrawReport", rpc.WithdrawReportRequest(incident=incident)),
        ("Exclude", rpc.ExcludeRequest(incident=incident)),
        ("ListConsentEvents", rpc.ListConsentEventsRequest(incident=incident)),
        ("ListOpenings", rpc.ListOpeningsRequest(incident=incident)),
    ]


def of_handler(incident: str, notice: str) -> list[tuple[str, Message]]:
    some = str(uuid.uuid4())
    section = f"{incident}/sections/{'a' * 26}"
    header = pb.SectionHeader(name=section)
    return [
        ("GetReport", rpc.HandlerServiceGetReportRequest(incident=incident)),
        ("ListSections", rpc.HandlerServiceListSectionsRequest(incident=incident)),
        ("OpenSections", rpc.HandlerServiceOpenSectionsRequest(
            incident=incident, sections=[section], request_id=some)),
        ("PutSection", rpc.HandlerServicePutSectionRequest(section=pb.NewSection(header=header))),
        ("ProposeNotice", rpc.ProposeNoticeRequest(notice=notice)),
        ("RecordDecision", rpc.RecordDecisionRequest(notice=notice)),
    ]


# fmt: on
async def door(call: Awaitable[object]) -> bytes:
    """All that a refused caller gets to see."""
    try:
        await call
    except Refusal as refusal:
        return status_of(refusal).SerializeToString(deterministic=True)
    raise AssertionError("nothing was refused")


async def test_a_foreign_reporter_sees_the_same_bytes_as_for_what_is_absent(world: World) -> None:
    reporter, stranger, nobody = await world.reported(), await world.reported(), world.reporter()
    asked = await world.handler.propose(reporter, world.contacts)
    absent = new("incidents")
    before, asked_of_directory = await world.dump(reporter.incident), world.sector.asked
    here, gone = (
        of_reporter(reporter.incident, asked.notice),
        of_reporter(absent, f"{absent}/notices/{'a' * 26}"),
    )

    doors = set()
    for (method, request), (_, other) in zip(here, gone, strict=True):
        for caller in (stranger, nobody):
            doors.add(await door(caller.call(f"{R}/{method}", request)))
            doors.add(await door(caller.call(f"{R}/{method}", other)))

    assert len(doors) == 1
    assert await world.dump(reporter.incident) == before
    assert world.sector.asked == asked_of_directory


async def test_a_member_without_a_seat_sees_the_same_bytes_as_for_what_is_absent(world: World) -> None:
    """Named readers of an offered notice included; none of them costs the policy engine a question (T28)."""
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    await reporter.give(asked)
    absent = new("incidents")
    here, gone = (
        of_handler(reporter.incident, asked.notice),
        of_handler(absent, f"{absent}/notices/{'a' * 26}"),
    )
    silent = world.without_policy()

    doors = set()
    for (method, request), (_, other) in zip(here, gone, strict=True):
        for seat in (world.deputy, world.adviser, world.contacts[0]):
            member = silent.member(seat)
            doors.add(await door(member.call(f"{H}/{method}", request)))
            doors.add(await door(member.call(f"{H}/{method}", other)))

    assert len(doors) == 1


async def test_a_handler_with_a_seat_that_the_policy_engine_denies_is_refused(world: World) -> None:
    """I5: both must say yes; here the appointment ended at the directory and the seat not yet here."""
    reporter = await world.reported()
    user = world.counsellor.staff.actor().user
    mine = [
        one for one in await world.deps.authz.read(f"participation:{world.lead[-26:]}") if one.user == user
    ]
    await world.deps.authz.write(deletes=mine)

    refused = world.handler.call(
        f"{H}/GetReport", rpc.HandlerServiceGetReportRequest(incident=reporter.incident)
    )

    assert await reason_of(refused) == "NOT_PERMITTED"


async def test_a_handler_of_a_withdrawn_report_sees_nothing_of_it(world: World) -> None:
    reporter = await world.reported()
    await world.withdrawn(reporter)

    refused = world.handler.call(
        f"{H}/GetReport", rpc.HandlerServiceGetReportRequest(incident=reporter.incident)
    )

    assert await reason_of(refused) == "NOT_PERMITTED"
    put = rpc.PutSectionRequest(
        section=reporter.section(common.KIND_MESSAGE, [world.counsellor]), request_id=str(uuid.uuid4())
    )
    assert await reason_of(reporter.call(f"{R}/PutSection", put)) == "WRONG_STATE"


async def test_nothing_that_is_remembered_holds_a_wrap(world: World) -> None:
    """Design section 5: wraps live in one table, nowhere else."""
    reporter = await world.reported()
    asked = await world.handler.propose(reporter, world.contacts)
    await reporter.give(asked)

    async with world.deps.database.transaction() as conn:
        wraps = [
            row.wrap
            for row in await conn.execute(t.wraps.select().where(t.wraps.c.incident == reporter.incident))
        ]
        answers = (await conn.exec_driver_sql("SELECT answer FROM idempotency")).scalars().all()
        others = [
            value
            for table in t.METADATA.sorted_tables
            if table is not t.wraps
            for row in await conn.execute(table.select())
            for value in row
            if isinstance(value, bytes)
        ]

    assert len(wraps) == 3 * 2 + 1 + 2 * 2
    assert not any(wrap[:32] in held for wrap in wraps for held in (*answers, *others))
