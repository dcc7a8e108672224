"""What the reporter takes back: a consent, a part of one, the whole report; and who must never know.

None of these needs the policy engine to answer: reading has stopped in SQL when the change commits.
"""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import CloseReason, incident_of
from services.disclosure.store import acts, closings
from services.disclosure.usecases import views
from services.disclosure.usecases.commands import M, Request, Work, own_command, spoken_by_reporter
from services.disclosure.usecases.deps import Deps
from services.kernel.errors import FailedPrecondition, InvalidArgument
from services.kernel.rpc import Call

# As many exclusion statements as a report may show.
MAX_EXCLUSIONS = 64


class Narrowing:
    """The reporter's commands that only ever take away; each commits, syncs for a moment, and answers."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def withdraw_consent(
        self, request: rpc.WithdrawConsentRequest, call: Call
    ) -> rpc.WithdrawConsentResponse:
        """Withdraws a consent or a part of it; what is not there any more stays gone."""
        incident = incident_of(request.notice)

        async def work(conn: AsyncConnection, row: Row[tuple[object, ...]]) -> rpc.WithdrawConsentResponse:
            withdrawal = await spoken_by_reporter(
                self._deps, conn, row, StatementKind.WITHDRAWAL, request.withdrawal, said.Withdrawal,
                notice=request.notice,
            )  # fmt: skip
            await _require_asked(conn, request.notice, withdrawal)
            await acts.record(
                conn, incident, StatementKind.WITHDRAWAL, request.withdrawal, notice=request.notice
            )
            await self._deps.closing.close_pairs(
                conn, request.notice, withdrawal.reader_kids, withdrawal.sections, CloseReason.WITHDRAWN
            )
            await self._deps.closing.changed(conn, incident)
            return rpc.WithdrawConsentResponse(
                consent_request=await views.consent_request(conn, request.notice)
            )

        return await self._narrowed(
            call, request, rpc.WithdrawConsentResponse, work,
            incident=incident, notice=request.notice,
        )  # fmt: skip

    async def withdraw_report(
        self, request: rpc.WithdrawReportRequest, call: Call
    ) -> rpc.WithdrawReportResponse:
        """Withdraws the whole report; once done it stays done."""

        async def work(conn: AsyncConnection, row: Row[tuple[object, ...]]) -> rpc.WithdrawReportResponse:
            withdrawal = await spoken_by_reporter(
                self._deps, conn, row, StatementKind.WITHDRAWAL, request.withdrawal, said.Withdrawal
            )
            if withdrawal.notice or withdrawal.reader_kids or withdrawal.sections:
                raise InvalidArgument("STATEMENT_FOREIGN")
            await acts.record(conn, request.incident, StatementKind.WITHDRAWAL, request.withdrawal)
            await self._deps.closing.close_report(conn, request.incident)
            await self._deps.closing.changed(conn, request.incident)
            return rpc.WithdrawReportResponse(report=await views.report(conn, request.incident))

        return await self._narrowed(
            call, request, rpc.WithdrawReportResponse, work, incident=request.incident
        )

    async def exclude(self, request: rpc.ExcludeRequest, call: Call) -> rpc.ExcludeResponse:
        """Excludes people and organisations for ever: their seats close, whatever they sat for."""

        async def work(conn: AsyncConnection, row: Row[tuple[object, ...]]) -> rpc.ExcludeResponse:
            exclusion = await spoken_by_reporter(
                self._deps, conn, row, StatementKind.EXCLUSION, request.exclusion, said.Exclusion
            )
            if await closings.count_exclusions(conn, request.incident) >= MAX_EXCLUSIONS:
                raise FailedPrecondition
            await acts.record(conn, request.incident, StatementKind.EXCLUSION, request.exclusion)
            await closings.exclude(conn, request.incident, targets(exclusion))
            await closings.leave_out_excluded(conn, request.incident)
            await self._deps.closing.close_lost_seats(conn, request.incident)
            await self._deps.closing.changed(conn, request.incident)
            return rpc.ExcludeResponse(report=await views.report(conn, request.incident))

        return await self._narrowed(call, request, rpc.ExcludeResponse, work, incident=request.incident)

    async def _narrowed(
        self,
        call: Call,
        request: Request,
        answer: type[M],
        work: Work[M],
        *,
        incident: str,
        notice: str = "",
    ) -> M:
        """Does the work and syncs. Openings wait meanwhile, but for the reporter of the incident only."""
        precedence = self._deps.admission.precedence
        with ExitStack() as ahead:
            given = await own_command(
                self._deps, call, request, answer, work, incident=incident,
                on_standing=lambda: ahead.enter_context(precedence.taken()),
            )  # fmt: skip
            await self._deps.sync.soon(incident, notice)
        return given


def targets(exclusion: said.Exclusion) -> list[str]:
    """Whom an exclusion names, people and organisations alike."""
    return [*exclusion.subjects, *exclusion.organisations]


async def _require_asked(conn: AsyncConnection, notice: str, withdrawal: said.Withdrawal) -> None:
    """Refuses what was never part of the notice: a slip must not look like a withdrawal."""
    readers, sections = await closings.ever_asked(conn, notice)
    if not readers.issuperset(withdrawal.reader_kids):
        raise InvalidArgument("READER_MISMATCH")
    if not sections.issuperset(withdrawal.sections):
        raise InvalidArgument("SECTION_MISMATCH")
