"""What reporters and handlers see. Every list has its own predicate for the caller and goes by keyset."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2
from services.disclosure.domain import Door, IncidentState, incident_of
from services.disclosure.store import acts, notices, reports
from services.disclosure.store.notices import Details
from services.disclosure.usecases import wire
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.propose import handler_grant
from services.kernel.pages import Cursor, Pages
from services.kernel.rpc import Call

SECTIONS_PAGE, REQUESTS_PAGE, EVENTS_PAGE, OPENINGS_PAGE = 50, 10, 20, 50
EPOCH, RESOLUTION = datetime.fromtimestamp(0, UTC), datetime.resolution
LARGEST = {SECTIONS_PAGE: 100, REQUESTS_PAGE: 10, EVENTS_PAGE: 20, OPENINGS_PAGE: 100}


class PageRequest(Protocol):
    """A request for one page of an incident's list."""

    @property
    def incident(self) -> str:
        """Resource name."""

    @property
    def page_size(self) -> int:
        """How many at most; 0 for the default."""

    @property
    def page_token(self) -> str:
        """From the last answer; empty for the first page."""


class Page:
    """One page of one caller's list: its size, its cursor, and the token of the next.

    Args:
        pages: What seals cursors.
        request: What was asked for.
        call: Who asks, and for which list.
        default: How many when the caller does not say.
    """

    def __init__(self, pages: Pages, request: PageRequest, call: Call, default: int) -> None:
        self._pages, self._caller = pages, call.actor.kid
        self._list = f"{call.method} {request.incident}"
        self.size = min(request.page_size or default, LARGEST[default])
        self._token = request.page_token

    def cursor(self) -> tuple[datetime, Any] | None:
        """Where the page before ended. Raises InvalidArgument for another caller's or list's token."""
        if not self._token:
            return None
        micros, last = self._pages.open(self._caller, self._list, self._token)
        return EPOCH + int(micros) * RESOLUTION, last

    def cut(self, rows: list[Row[Any]], key: Callable[[Row[Any]], str | int]) -> tuple[list[Row[Any]], str]:
        """The rows of this page, of the one more that were read, and the token of the next."""
        shown = rows[: self.size]
        if len(rows) <= self.size:
            return shown, ""
        micros = (shown[-1].create_time - EPOCH) // RESOLUTION
        cursor: Cursor = (micros, key(shown[-1]))
        return shown, self._pages.seal(self._caller, self._list, cursor)


async def report(conn: AsyncConnection, incident: str) -> pb.Report:
    """The report as its reporter sees it; that it is the reporter who asks was checked."""
    row = await reports.incident(conn, incident)
    return pb.Report(
        name=row.name,
        production=row.production or "",
        state=IncidentState.WITHDRAWN if row.withdrawn else IncidentState.RECEIVED,  # type: ignore[arg-type]  # its number
        intake=wire.signed(row.intake_statement, row.intake_signature),
        exclusions=await acts.statements(conn, incident, StatementKind.EXCLUSION),
        categories=row.categories,
        language=row.language,
        create_time=wire.stamp(row.create_time),
        handler_kids=[seat.kid for seat in await reports.live_handlers(conn, incident)],
    )


async def consent_request(conn: AsyncConnection, notice: str) -> pb.ConsentRequest:
    """A request as its reporter sees it, without key book; that the reporter asks was checked."""
    row = await notices.of_incident(conn, notice, incident_of(notice))
    return _consent_request(row, (await notices.details(conn, [notice]))[notice])


def _consent_request(row: Row[Any], details: Details) -> pb.ConsentRequest:
    return pb.ConsentRequest(
        notice=row.name,
        answer=row.answer,
        recipient=row.recipient,
        reader_kids=details.reader_kids,
        excluded_reader_kids=details.excluded_kids,
        sections=wire.ref_messages(details.sections),
        purposes=row.purposes,
        valid_until=wire.stamp(row.valid_until),
        decision=wire.signed(row.decision_statement, row.decision_signature),
        terms_version=row.terms_version,
        create_time=wire.stamp(row.create_time),
        answer_by_time=wire.stamp(row.answer_by_time),
        consent=wire.signed(row.consent_statement, row.consent_signature) if row.consent else None,
        state=row.state,
    )


class ReporterViews:
    """What a reporter reads; SQL decides by possession of the key."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def report(self, request: rpc.GetReportRequest, call: Call) -> rpc.GetReportResponse:
        """The report, by name or by the caller's key alone."""
        async with self._deps.database.reading() as conn:
            row, _ = await reports.owned(conn, call.actor, request.incident)
            return rpc.GetReportResponse(report=await report(conn, row.name))

    async def circle(self, request: rpc.GetCircleRequest, call: Call) -> rpc.GetCircleResponse:
        """Who can be chosen or sealed to."""
        async with self._deps.database.reading() as conn:
            row, grant = await reports.owned(conn, call.actor, request.incident)
            kids = await reports.intake_kids(conn, grant)
        return rpc.GetCircleResponse(
            circle=await self._deps.directory.circle(row.production or ""),
            handlers=await self._deps.directory.book(kids),
        )

    async def sections(self, request: rpc.ListSectionsRequest, call: Call) -> rpc.ListSectionsResponse:
        """Sections that the reporter can open, oldest first."""
        page = Page(self._deps.pages, request, call, SECTIONS_PAGE)
        async with self._deps.database.reading() as conn:
            _, grant = await reports.owned(conn, call.actor, request.incident)
            rows = await reports.readable_sections(conn, grant, page.cursor(), page.size + 1)
        shown, token = page.cut(rows, lambda row: str(row.name))
        return rpc.ListSectionsResponse(sections=map(wire.section_header, shown), next_page_token=token)

    async def consent_requests(
        self, request: rpc.ListConsentRequestsRequest, call: Call
    ) -> rpc.ListConsentRequestsResponse:
        """Requests for consent, newest first."""
        page = Page(self._deps.pages, request, call, REQUESTS_PAGE)
        async with self._deps.database.reading() as conn:
            _, grant = await reports.owned(conn, call.actor, request.incident)
            rows = await notices.page(conn, grant, page.cursor(), page.size + 1)
            shown, token = page.cut(rows, lambda row: str(row.name))
            details = await notices.details(conn, [row.name for row in shown])
        return rpc.ListConsentRequestsResponse(
            consent_requests=[_consent_request(row, details[row.name]) for row in shown],
            next_page_token=token,
        )

    async def consent_request(
        self, request: rpc.GetConsentRequestRequest, call: Call
    ) -> rpc.GetConsentRequestResponse:
        """One request with what vouches for everyone it names."""
        incident = incident_of(request.notice)
        async with self._deps.database.reading() as conn:
            await reports.owned(conn, call.actor, incident)
            notice = await notices.of_incident(conn, request.notice, incident)
            asked = await consent_request(conn, request.notice)
        kids = [*asked.reader_kids, *asked.excluded_reader_kids, notice.sender_kid, _decider(asked)]
        asked.book.CopyFrom(await self._deps.directory.book(kids))
        return rpc.GetConsentRequestResponse(
            consent_request=asked, circle=await self._deps.directory.participations([notice.recipient])
        )

    async def events(
        self, request: rpc.ListConsentEventsRequest, call: Call
    ) -> rpc.ListConsentEventsResponse:
        """Consents, refusals and withdrawals, newest first."""
        page = Page(self._deps.pages, request, call, EVENTS_PAGE)
        async with self._deps.database.reading() as conn:
            _, grant = await reports.owned(conn, call.actor, request.incident)
            rows = await acts.consent_events(conn, grant, page.cursor(), page.size + 1)
        shown, token = page.cut(rows, lambda row: int(row.id))
        return rpc.ListConsentEventsResponse(events=map(_event, shown), next_page_token=token)

    async def openings(self, request: rpc.ListOpeningsRequest, call: Call) -> rpc.ListOpeningsResponse:
        """Who opened what and when, newest first."""
        page = Page(self._deps.pages, request, call, OPENINGS_PAGE)
        async with self._deps.database.reading() as conn:
            _, grant = await reports.owned(conn, call.actor, request.incident)
            rows = await reports.releases(conn, grant, page.cursor(), page.size + 1)
        shown, token = page.cut(rows, lambda row: int(row.id))
        others = [row.kid for row in shown if row.capacity != Door.REPORTER]
        return rpc.ListOpeningsResponse(
            openings=map(_opening, shown), next_page_token=token, book=await self._deps.directory.book(others)
        )


def _decider(asked: pb.ConsentRequest) -> str:
    """Whose decision it is now: another handler's than the one who proposed, perhaps."""
    return statements_pb2.Decision.FromString(asked.decision.statement).handler_kid


def _event(row: Row[Any]) -> pb.ConsentEvent:
    return pb.ConsentEvent(
        notice=row.notice,
        create_time=wire.stamp(row.create_time),
        **{row.kind: wire.signed(row.statement, row.signature)},
    )


def _opening(row: Row[Any]) -> pb.Opening:
    return pb.Opening(
        capacity=row.capacity,
        subject=row.subject or "",
        kid=row.kid,
        participation=row.participation or "",
        notice=row.notice or "",
        sections=row.sections,
        kinds=row.kinds,
        purpose=row.purpose or common_pb2.PURPOSE_UNSPECIFIED,
        create_time=wire.stamp(row.create_time),
    )


class HandlerViews:
    """What a handler reads; the seat and the policy engine decide, the seat again when the rows are read."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def report(
        self, request: rpc.HandlerServiceGetReportRequest, call: Call
    ) -> rpc.HandlerServiceGetReportResponse:
        """The report with its newest intake and the reporter's keys."""
        grant = await handler_grant(self._deps, call, request.incident)
        async with self._deps.database.reading() as conn:
            row = await reports.handled(conn, call.actor, grant.on.name)
            kids = [seat.kid for seat in await reports.live_handlers(conn, row.name)]
        return rpc.HandlerServiceGetReportResponse(
            report=pb.HandledReport(
                name=row.name,
                production=row.production or "",
                intake=wire.signed(row.intake_statement, row.intake_signature),
                reporter_keys=wire.public_keys(row),
                categories=row.categories,
                language=row.language,
                create_time=wire.stamp(row.create_time),
                handler_kids=kids,
            )
        )

    async def sections(
        self, request: rpc.HandlerServiceListSectionsRequest, call: Call
    ) -> rpc.HandlerServiceListSectionsResponse:
        """Sections that the handler can open, oldest first."""
        page = Page(self._deps.pages, request, call, SECTIONS_PAGE)
        grant = await handler_grant(self._deps, call, request.incident)
        async with self._deps.database.reading() as conn:
            await reports.handled(conn, call.actor, grant.on.name)
            rows = await reports.readable_sections(conn, grant, page.cursor(), page.size + 1)
        shown, token = page.cut(rows, lambda row: str(row.name))
        return rpc.HandlerServiceListSectionsResponse(
            sections=map(wire.section_header, shown), next_page_token=token
        )
