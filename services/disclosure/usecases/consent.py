"""The reporter's yes and no. A yes is held to what was asked; a no changes only the reporter's own view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.preview import preview_digest
from meldbrug.crypto.sealing import digest_of
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2
from services.disclosure.domain import (
    ANSWERABLE,
    Holder,
    NoticeState,
    Said,
    incident_of,
    require_asked,
    require_pairs,
    wrong_state,
)
from services.disclosure.store import acceptances, acts, notices, proposals, reports
from services.disclosure.usecases import views, wire
from services.disclosure.usecases.commands import own_command, replayed, spoken_by_reporter
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.vouching import Circle
from services.kernel.errors import InvalidArgument
from services.kernel.rpc import Call


class Consenting:
    """Gives and refuses consent."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def give(self, request: rpc.GiveConsentRequest, call: Call) -> rpc.GiveConsentResponse:
        """Gives consent, whole or in part; a newer one supersedes."""
        incident = incident_of(request.notice)
        async with self._deps.database.reading() as conn:
            await reports.owned(conn, call.actor, incident)
            if (answer := await replayed(conn, call, request, rpc.GiveConsentResponse)) is not None:
                return answer
            recipient = (await notices.of_incident(conn, request.notice, incident)).recipient
        circle = Circle(self._deps.installation, await self._deps.directory.participations([recipient]))

        async def work(conn: AsyncConnection, row: Row[Any]) -> rpc.GiveConsentResponse:
            await self._give(conn, row, request, circle)
            await self._deps.closing.changed(conn, incident)
            return rpc.GiveConsentResponse(consent_request=await views.consent_request(conn, request.notice))

        answer = await own_command(
            self._deps, call, request, rpc.GiveConsentResponse, work, incident=incident
        )
        await self._deps.sync.soon(incident, request.notice)
        return answer

    async def _give(
        self, conn: AsyncConnection, row: Row[Any], request: rpc.GiveConsentRequest, circle: Circle
    ) -> None:
        notice = await notices.of_incident(conn, request.notice, row.name)
        _require_answerable(notice)
        statement = await spoken_by_reporter(
            self._deps,
            conn,
            row,
            StatementKind.CONSENT,
            request.consent,
            statements_pb2.Consent,
            notice=request.notice,
        )
        said = wire.consented(statement)
        details = (await notices.details(conn, [request.notice]))[request.notice]
        require_asked(said, notices.asked(notice, details), notice.now)
        if said.terms_version != self._deps.terms.version:
            raise InvalidArgument("TERMS_MISMATCH")
        readers = await _current_readers(conn, row.name, circle, said)
        _require_preview(statement, said)
        require_pairs(wire.wraps(request.wraps), said)
        _require_hashes(statement, request)
        await self._replace(conn, row.name, request, statement.consent, said, readers)

    async def _replace(
        self,
        conn: AsyncConnection,
        incident: str,
        request: rpc.GiveConsentRequest,
        consent: str,
        said: Said,
        readers: Sequence[Holder],
    ) -> None:
        notice = await notices.of_incident(conn, request.notice, incident)
        await self._deps.closing.supersede(conn, request.notice)
        await proposals.add_consent(conn, consent, request.notice, incident, said, request.consent)
        await reports.add_wraps(conn, incident, consent, wire.wraps(request.wraps))
        await reports.take_seats(conn, incident, consent, request.notice, readers)
        accepted = await acceptances.accepted(conn, request.notice, notice.recipient, said.terms_version)
        await proposals.offer(conn, request.notice, consent, said, _offered(notice.state, accepted=accepted))
        await acts.record(conn, incident, StatementKind.CONSENT, request.consent, notice=request.notice)

    async def refuse(self, request: rpc.RefuseConsentRequest, call: Call) -> rpc.RefuseConsentResponse:
        """Refuses: for all others the notice stays unanswered, and nothing that they see moves."""
        incident = incident_of(request.notice)

        async def work(conn: AsyncConnection, row: Row[Any]) -> rpc.RefuseConsentResponse:
            notice = await notices.of_incident(conn, request.notice, incident)
            _require_answerable(notice)
            if notice.state != NoticeState.CONSENT_PENDING:
                raise wrong_state(NoticeState(notice.state))
            await spoken_by_reporter(
                self._deps,
                conn,
                row,
                StatementKind.REFUSAL,
                request.refusal,
                statements_pb2.Refusal,
                notice=request.notice,
            )
            await proposals.refuse(conn, request.notice)
            await acts.record(conn, incident, StatementKind.REFUSAL, request.refusal, notice=request.notice)
            return rpc.RefuseConsentResponse(
                consent_request=await views.consent_request(conn, request.notice)
            )

        return await own_command(
            self._deps, call, request, rpc.RefuseConsentResponse, work, incident=incident
        )


def _require_answerable(notice: Row[Any]) -> None:
    """Refuses an answer to what is closed, was decided otherwise, or was asked too long ago."""
    if notice.state not in ANSWERABLE or not notice.decision_stands:
        raise wrong_state(NoticeState(notice.state))
    if notice.state == NoticeState.CONSENT_PENDING and notice.now >= notice.answer_by_time:
        raise wrong_state(NoticeState.NOT_CONSENTED)


def _offered(state: int, *, accepted: bool) -> NoticeState:
    """Where a notice stands under a new consent: terms that were accepted stay accepted, opened stays opened.

    What was opened must be recalled when it is withdrawn later, whichever consent it was opened under.
    """
    if not accepted:
        return NoticeState.OFFERED
    return NoticeState.OPENED if state == NoticeState.OPENED else NoticeState.TERMS_ACCEPTED


async def _current_readers(conn: AsyncConnection, incident: str, circle: Circle, said: Said) -> list[Holder]:
    """The readers as they sit now: current, endorsed, not ended, not excluded. Raises InvalidArgument."""
    circle.participation(said.recipient)
    holders = []
    for kid in said.reader_kids:
        holder = circle.holder(said.recipient, kid, common_pb2.CAPACITY_SAFETY_CONTACT)
        if holder is None or any(await reports.barred(conn, incident, holder)):
            raise InvalidArgument("READER_MISMATCH")
        holders.append(holder)
    return holders


def _require_preview(statement: statements_pb2.Consent, said: Said) -> None:
    digests = [ref.digest for ref in said.sections]
    shown = preview_digest(statement.notice, digests, statement.preview_template, statement.preview_language)
    if statement.preview_digest != shown:
        raise InvalidArgument("PREVIEW_MISMATCH")


def _require_hashes(statement: statements_pb2.Consent, request: rpc.GiveConsentRequest) -> None:
    """Holds the wraps to those that the statement hashes, one by one."""
    said = sorted((one.reader_kid, one.section, one.wrap_digest) for one in statement.wraps)
    if said != sorted((wrap.reader_kid, wrap.section, digest_of(wrap.wrap)) for wrap in request.wraps):
        raise InvalidArgument("WRAP_MISMATCH")
