"""The reporter's own writing: the report, what follows it, and who handles it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.statements import StatementKind, verify
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import CloseReason, Holder, Wrap, incident_of
from services.disclosure.store import acts, closings, reports
from services.disclosure.usecases import intake, sections, views, wire
from services.disclosure.usecases.commands import own_command, replayed, require_bound, spoken_by_reporter
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.vouching import Circle
from services.kernel.admission import Rate
from services.kernel.db import Lock
from services.kernel.errors import InvalidArgument, InvalidField, NotPermitted
from services.kernel.idempotency import remember
from services.kernel.rpc import Call


class Reporting:
    """Takes in reports and what reporters add to them."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._rate = Rate(deps.limits.reports_per_s, deps.limits.reports_burst)

    async def submit(self, request: rpc.SubmitReportRequest, call: Call) -> rpc.SubmitReportResponse:
        """Takes in a report whole, or not at all. Once in, it is never lost."""
        async with self._deps.database.reading() as conn:
            if (answer := await replayed(conn, call, request, rpc.SubmitReportResponse)) is not None:
                return answer
        submission = Submission(self._deps.installation, request, _keys(call))
        await self._deps.admission.wait(f"production:{submission.intake.production}", self._rate, call)
        fetched = await self._deps.directory.circle(submission.intake.production)
        handlers = intake.chosen(Circle(self._deps.installation, fetched), submission.intake)
        # Not the lock of the incident: it may be somebody else's, and a stranger must not hold that one up.
        own = Lock(f"report/{call.actor.kid}")
        answer = await self._deps.database.run_unit(
            lambda conn: self._take_in(conn, submission, handlers, call), own
        )
        await self._deps.sync.soon(request.incident)
        return answer

    async def _take_in(
        self, conn: AsyncConnection, submission: Submission, handlers: list[Holder], call: Call
    ) -> rpc.SubmitReportResponse:
        request, incident = submission.request, submission.request.incident
        if (answer := await replayed(conn, call, request, rpc.SubmitReportResponse)) is not None:
            return answer
        await reports.add_incident(
            conn,
            incident,
            submission.keys,
            submission.intake.production,
            request.language,
            request.categories,
            request.intake,
        )
        await self._record(conn, submission)
        await intake.require_free(conn, incident, handlers)
        await reports.take_seats(conn, incident, incident, None, handlers)
        for section in request.sections:
            await sections.store(
                conn,
                section,
                self._deps.installation,
                submission.keys.kid,
                [handler.kid for handler in handlers],
            )
        await self._deps.closing.changed(conn, incident)
        answer = rpc.SubmitReportResponse(report=await views.report(conn, incident))
        given = answer.SerializeToString()
        await remember(conn, call.actor.principal, call.method, request.request_id, call.body_sha256, given)
        return answer

    async def _record(self, conn: AsyncConnection, submission: Submission) -> None:
        incident, kid = submission.request.incident, submission.keys.kid
        for kind, statement, signed in submission.statements():
            await acts.advance(conn, incident, kid, statement.sequence)
            await acts.record(conn, incident, kind, signed)
        if submission.exclusion:
            targets = [*submission.exclusion.subjects, *submission.exclusion.organisations]
            await closings.exclude(conn, incident, targets)

    async def put_section(self, request: rpc.PutSectionRequest, call: Call) -> rpc.PutSectionResponse:
        """Adds a section, a new version of the reporter's own one, or a message."""
        section = request.section
        incident = incident_of(section.header.name)

        async def work(conn: AsyncConnection, row: Row[Any]) -> rpc.PutSectionResponse:
            sections.require_not_withdrawn(withdrawn=row.withdrawn)
            header = await sections.put(
                conn, self._deps.installation, section, row, _keys(call), may_be_note=False
            )
            return rpc.PutSectionResponse(section=header)

        return await own_command(self._deps, call, request, rpc.PutSectionResponse, work, incident=incident)

    async def change_intake(self, request: rpc.ChangeIntakeRequest, call: Call) -> rpc.ChangeIntakeResponse:
        """Replaces the intake: whoever is no longer named loses seat and wraps before the call returns."""
        async with self._deps.database.reading() as conn:
            row, _ = await reports.owned(conn, call.actor, request.incident)
            if (answer := await replayed(conn, call, request, rpc.ChangeIntakeResponse)) is not None:
                return answer
        fetched = await self._deps.directory.circle(row.production or "")
        circle = Circle(self._deps.installation, fetched)

        async def work(conn: AsyncConnection, row: Row[Any]) -> rpc.ChangeIntakeResponse:
            sections.require_not_withdrawn(withdrawn=row.withdrawn)
            new = await spoken_by_reporter(
                self._deps, conn, row, StatementKind.INTAKE, request.intake, said.Intake
            )
            if new.production != (row.production or ""):
                raise InvalidArgument("STATEMENT_FOREIGN")
            await self._replace(conn, request, new, circle, call)
            return rpc.ChangeIntakeResponse(report=await views.report(conn, row.name))

        answer = await own_command(
            self._deps, call, request, rpc.ChangeIntakeResponse, work, incident=request.incident
        )
        await self._deps.sync.soon(request.incident)
        return answer

    async def _replace(
        self,
        conn: AsyncConnection,
        request: rpc.ChangeIntakeRequest,
        new: said.Intake,
        circle: Circle,
        call: Call,
    ) -> None:
        incident = request.incident
        seats = await reports.live_handlers(conn, incident)
        staying = intake.seated(new, {seat.kid: (seat.participation, seat.appointment) for seat in seats})
        joining = intake.chosen(circle, new, but=staying)
        await intake.require_free(conn, incident, joining)
        leaving = {seat.kid for seat in seats} - staying
        await self._deps.closing.close_seats(conn, incident, incident, leaving, CloseReason.INTAKE_CHANGED)
        if joining:
            await reports.take_seats(conn, incident, incident, None, joining)
        await _hand_over(conn, wire.wraps(request.wraps), incident, {holder.kid for holder in joining}, call)
        await reports.replace_intake(conn, incident, request.intake)
        await acts.record(conn, incident, StatementKind.INTAKE, request.intake)
        await self._deps.closing.changed(conn, incident)


class Submission:
    """A report as it came in, with everything held that can be held without asking anybody."""

    def __init__(self, installation: str, request: rpc.SubmitReportRequest, keys: PublicKeys) -> None:
        self.request, self.keys = request, keys
        self.intake = verify(StatementKind.INTAKE, request.intake, keys, said.Intake)
        require_bound(self.intake, installation=installation, incident=request.incident)
        self.exclusion: said.Exclusion | None = None
        if request.HasField("exclusion"):
            self.exclusion = verify(StatementKind.EXCLUSION, request.exclusion, keys, said.Exclusion)
            require_bound(self.exclusion, installation=installation, incident=request.incident)
        self._require_sections(installation)

    def _require_sections(self, installation: str) -> None:
        names = [section.header.name for section in self.request.sections]
        if len(set(names)) != len(names):
            raise InvalidField("sections", "names a section twice")
        for section in self.request.sections:
            sections.require_shape(section, self.request.incident, may_be_note=False)
            if section.header.version != 1:
                raise InvalidField("sections.header.version", "starts at 1")
            sections.require_whole(section, installation, self.keys, self.keys.kid)

    def statements(self) -> list[tuple[StatementKind, said.Intake | said.Exclusion, common_pb2.Signed]]:
        """What was signed, in the order in which the signer counted."""
        spoken: list[tuple[StatementKind, said.Intake | said.Exclusion, common_pb2.Signed]] = [
            (StatementKind.INTAKE, self.intake, self.request.intake)
        ]
        if self.exclusion:
            spoken.append((StatementKind.EXCLUSION, self.exclusion, self.request.exclusion))
        return sorted(spoken, key=lambda one: one[1].sequence)


def _keys(call: Call) -> PublicKeys:
    if call.actor.keys is None:
        raise NotPermitted
    return call.actor.keys


async def _hand_over(
    conn: AsyncConnection, wraps: list[Wrap], incident: str, joining: set[str], call: Call
) -> None:
    """Stores wraps of earlier sections for handlers who join, of versions that the reporter can open."""
    _, grant = await reports.owned(conn, call.actor, incident)
    known = await reports.reporters_versions(conn, grant, [wrap.section for wrap in wraps])
    fits = all(wrap.reader_kid in joining and (wrap.section, wrap.version) in known for wrap in wraps)
    if not fits or await reports.add_wraps(conn, incident, incident, wraps) != len(wraps):
        raise InvalidArgument("WRAP_MISMATCH")
