"""A handler who probes for exclusions learns nothing: T29.

The same script runs in two worlds that differ only in whom the reporter excluded; everything that the
handler's services answer is compared, field by field, with random ids and times replaced by their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from meldbrug.client import MemberClient, Refused
from meldbrug.common.v1.common_pb2 import LANGUAGE_NL
from meldbrug.coordination.v1 import coordination_service_pb2 as coordination
from meldbrug.disclosure.v1 import disclosure_service_pb2 as disclosure
from tests.support.actors import Actors, Case, stub_of, until
from tests.support.sector import World
from tests.support.worlds import size

RECIPIENTS = ("noorderlicht", "kade9", "lichtbrug")
APART_S = 0.1  # Between the quickest proposals, each several calls: what else runs only ever adds.
ROUNDS = 4  # So often, at most: what takes longer by itself still does, whatever else ran the first time.
HOUR = timedelta(hours=1)


@dataclass
class Recorded:
    """What a handler saw, in order, with nothing in it that is random."""

    seen: list[object] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, message: Message) -> None:
        self.seen.append((what, size(message), list(self._shape(message))))

    def _shape(self, message: Message) -> Iterator[object]:
        if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
            yield "time in the future" if _moment(message) > datetime.now(UTC) + HOUR else "time now"
            return
        for one, value in message.ListFields():
            values = list(value) if one.is_repeated else [value]
            yield one.name, len(values), [self._plain(one, item) for item in values]

    def _plain(self, one: FieldDescriptor, value: object) -> object:
        if isinstance(value, Message):
            return list(self._shape(value))
        if isinstance(value, bytes):
            return len(value)
        if isinstance(value, str):
            if one.name in {"etag", "next_page_token"}:
                return len(value)
            return self._names.setdefault(value, f"name {len(self._names)}")
        return value


def _moment(message: Message) -> datetime:
    return message.ToDatetime(tzinfo=UTC)  # type: ignore[attr-defined,no-any-return]


async def probe(actors: Actors, excludes: bool) -> Recorded:
    """Proposes to every contact in turn and looks at everything after each."""
    contacts = [(party, await actors.contact(party)) for party in RECIPIENTS for _ in range(2)]
    handler = (await actors.counsellor("duinroos")).client
    organisation = actors.world.sector.organisation("kade9")
    victims = [(await contacts[0][1].client.me()).member.subject]
    case = await actors.report(
        [handler],
        excluded=victims if excludes else (),
        excluded_organisations=[organisation] if excludes else (),
    )
    recorded = Recorded()
    await handler.handler.acknowledge(case.incident)
    for party, contact in contacts:
        began = time.perf_counter()
        await case.propose(party, [contact.client])
        recorded.took_s.append(time.perf_counter() - began)
        await until(lambda: notices(handler, case), lambda found: case.notice in found)
        await look(recorded, handler, case)
    # Both contacts of one recipient at once, one of them excluded; the reporter says yes to whoever is left.
    both = [contact.client for party, contact in contacts if party == "noorderlicht"]
    await case.propose("noorderlicht", both)
    await until(lambda: notices(handler, case), lambda found: case.notice in found)
    preview = await case.consents.preview(case.notice, LANGUAGE_NL)
    await case.consents.give(preview)
    await until(lambda: stub_of(both[1], case.notice), lambda stub: stub is not None)
    await both[1].reader.accept(case.notice, await case.terms())
    await both[1].reader.open(case.notice, preview.request.purposes[0])
    await both[1].reader.acknowledge(case.notice)
    await until(lambda: states(handler, case), lambda found: 8 in found)
    await look(recorded, handler, case)
    await case.handler.handler.send(case.incident, "Een bericht.")
    await look(recorded, handler, case)
    return recorded


async def notices(handler: MemberClient, case: Case) -> list[str]:
    """Names of the notices that coordination heard of by now: it follows by job, in either world."""
    return [notice.name async for notice in handler.handler.notices(case.incident)]


async def states(handler: MemberClient, case: Case) -> list[int]:
    return [notice.state async for notice in handler.handler.notices(case.incident)]


async def look(recorded: Recorded, handler: MemberClient, case: Case) -> None:
    """Asks the handler's services everything that they answer."""
    name = case.incident
    told, seen = "/meldbrug.disclosure.v1.HandlerService/", "/meldbrug.coordination.v1.HandlerService/"
    asked: list[tuple[str, Message, type[Message]]] = [
        (
            told + "GetReport",
            disclosure.HandlerServiceGetReportRequest(incident=name),
            disclosure.HandlerServiceGetReportResponse,
        ),
        (
            told + "ListSections",
            disclosure.HandlerServiceListSectionsRequest(incident=name),
            disclosure.HandlerServiceListSectionsResponse,
        ),
        (seen + "ListIncidents", coordination.ListIncidentsRequest(), coordination.ListIncidentsResponse),
        (
            seen + "GetIncident",
            coordination.GetIncidentRequest(incident=name),
            coordination.GetIncidentResponse,
        ),
        (
            seen + "ListNotices",
            coordination.ListNoticesRequest(incident=name),
            coordination.ListNoticesResponse,
        ),
    ]
    for method, request, cls in asked:
        try:
            recorded.add(method, await handler.call(method, request, cls))
        except Refused as refusal:
            recorded.seen.append((method, refusal.code, refusal.reason))


async def test_the_handlers_view_is_the_same_with_and_without_exclusions(world: World) -> None:
    quickest = {False: float("inf"), True: float("inf")}
    for _ in range(ROUNDS):
        without, excluding = [
            await probe(await Actors.on_their_own(world), excludes=excludes) for excludes in quickest
        ]

        assert len(without.seen) == len(excluding.seen)
        for plain, hidden in zip(without.seen, excluding.seen, strict=True):
            assert plain == hidden
        quickest[False] = min(quickest[False], *without.took_s)
        quickest[True] = min(quickest[True], *excluding.took_s)
        if abs(quickest[False] - quickest[True]) < APART_S:
            return
    raise AssertionError(f"one world is quicker: {quickest}")


async def test_the_reporter_is_told_whom_the_exclusion_left_out_and_nobody_else_is(actors: Actors) -> None:
    goes, stays = await actors.contact("noorderlicht"), await actors.contact("noorderlicht")
    case = await actors.report(excluded=[(await goes.client.me()).member.subject])

    await case.propose("noorderlicht", [goes.client, stays.client])

    [asked] = [request async for request in case.consents.requests()]
    assert list(asked.reader_kids) == [stays.kid]
    assert list(asked.excluded_reader_kids) == [goes.kid]
    await case.give()
    await until(lambda: stub_of(stays.client, case.notice), lambda stub: stub is not None)
    assert await stub_of(goes.client, case.notice) is None


async def test_who_is_excluded_before_the_report_has_nothing_of_it(actors: Actors) -> None:
    """I7: not a row, not a count, not a tombstone, for the excluded reader, whatever happens."""
    goes, stays = await actors.contact("noorderlicht"), await actors.contact("noorderlicht")
    before = (await goes.client.reader.inbox_page()).notices
    case = await actors.report(excluded=[(await goes.client.me()).member.subject])
    await case.propose("noorderlicht", [stays.client, goes.client])
    await case.accepted()

    await case.consents.withdraw(case.notice)

    await until(lambda: stub_of(stays.client, case.notice), lambda stub: stub is not None and stub.tombstone)
    assert (await goes.client.reader.inbox_page()).notices == before
