"""What a handler adds: sections and notes, notices with the decision to disclose, and a decision's end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.errors import DigestMismatch
from meldbrug.crypto.statements import StatementKind, verify
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import (
    ANSWERABLE,
    MAX_NOTICES,
    CloseReason,
    Holder,
    NoticeState,
    incident_of,
    require_asking_period,
    require_same_sections,
    require_shareable,
    wrong_state,
)
from services.disclosure.store import acts, notices, proposals, reports
from services.disclosure.store.access import Handle, IncidentRef
from services.disclosure.usecases import sections, wire
from services.disclosure.usecases.commands import handler_command, replayed, require_bound
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.vouching import Circle
from services.kernel.authz import Grant
from services.kernel.db import app_now
from services.kernel.errors import FailedPrecondition, InvalidArgument, InvalidField, NotPermitted
from services.kernel.rpc import Call


async def handler_grant(deps: Deps, call: Call, incident: str) -> Grant[Handle, IncidentRef]:
    """Lets a handler through: first the seat in SQL, then the policy engine. Raises NotPermitted.

    Whoever has no seat costs the policy engine nothing (T28).
    """
    async with deps.database.reading() as conn:
        await reports.handled(conn, call.actor, incident)
    return await deps.authz.require(call.actor, Handle, IncidentRef(incident))


class Handling:
    """A handler's commands."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def put_section(
        self, request: rpc.HandlerServicePutSectionRequest, call: Call
    ) -> rpc.HandlerServicePutSectionResponse:
        """Adds a section, a new version of the caller's own one, a message, or a note among handlers."""
        section = request.section
        grant = await handler_grant(self._deps, call, incident_of(section.header.name))

        async def work(conn: AsyncConnection, row: Row[Any]) -> rpc.HandlerServicePutSectionResponse:
            header = await sections.put(
                conn, self._deps.installation, section, row, _keys(call), may_be_note=True
            )
            return rpc.HandlerServicePutSectionResponse(section=header)

        return await handler_command(
            self._deps, call, request, rpc.HandlerServicePutSectionResponse, work, grant
        )

    async def propose(self, request: rpc.ProposeNoticeRequest, call: Call) -> rpc.ProposeNoticeResponse:
        """Asks the reporter about a notice; nothing is shared, and exclusions show nowhere."""
        incident = incident_of(request.notice)
        grant = await handler_grant(self._deps, call, incident)
        async with self._deps.database.reading() as conn:
            row = await reports.handled(conn, call.actor, incident)
            if (answer := await replayed(conn, call, request, rpc.ProposeNoticeResponse)) is not None:
                return answer
        fetched = await self._deps.directory.participations([request.recipient, row.participation])
        parties = Parties(Circle(self._deps.installation, fetched), row, request)

        async def work(conn: AsyncConnection, row: Row[Any]) -> rpc.ProposeNoticeResponse:
            decision = await self._decided(conn, row, request, request.recipient, call)
            if not decision.stands:
                raise InvalidField("decision.stands", "must be true")
            await self._add(conn, row, request, parties, decision)
            await self._deps.closing.informed(conn, incident)
            return rpc.ProposeNoticeResponse(
                notice=request.notice, state=common_pb2.NOTICE_STATE_CONSENT_PENDING
            )

        return await handler_command(self._deps, call, request, rpc.ProposeNoticeResponse, work, grant)

    async def _add(
        self,
        conn: AsyncConnection,
        row: Row[Any],
        request: rpc.ProposeNoticeRequest,
        parties: Parties,
        decision: said.Decision,
    ) -> None:
        if await notices.count(conn, row.name) >= MAX_NOTICES:
            raise InvalidField("notice", f"the incident has {MAX_NOTICES} notices, and no more fit")
        refs, valid_until = wire.refs(request.sections), wire.moment(request.valid_until)
        known = await reports.refs(conn, row.name, [ref.section for ref in refs])
        require_same_sections(refs, known)
        require_shareable((ref.kind for ref in refs), decision.ground, decision.reference)
        await _require_not_ended(conn, row.name, parties.readers)
        if len(set(request.purposes)) != len(request.purposes):
            raise InvalidArgument("PURPOSE_MISMATCH")
        require_asking_period(valid_until, await app_now(conn), self._deps.limits)
        proposal = proposals.Proposal(
            notice=request.notice,
            incident=row.name,
            sender_participation=row.participation,
            sender_kid=decision.handler_kid,
            recipient=request.recipient,
            recipient_organisation=parties.recipient.organisation,
            readers=parties.readers,
            sections=refs,
            purposes=tuple(request.purposes),
            valid_until=valid_until,
            terms_version=self._deps.terms.version,
            decision=request.decision,
        )
        await proposals.add(conn, proposal, self._deps.limits.answer_for)

    async def _decided(
        self,
        conn: AsyncConnection,
        row: Row[Any],
        request: rpc.ProposeNoticeRequest | rpc.RecordDecisionRequest,
        recipient: str,
        call: Call,
    ) -> said.Decision:
        """Holds a decision to its signer, its notice and its note on necessity, and keeps both."""
        decision = verify(StatementKind.DECISION, request.decision, _keys(call), said.Decision)
        require_bound(
            decision,
            installation=self._deps.installation,
            notice=request.notice,
            reporter_kid=row.reporter_kid,
            recipient=recipient,
        )
        await acts.advance(conn, row.name, decision.handler_kid, decision.sequence)
        if decision.ground == common_pb2.GROUND_LICENCE and not decision.reference:
            raise InvalidField("decision.reference", "a licence is named by its reference")
        await self._keep_necessity(conn, row, request.necessity, decision, call)
        await acts.record(conn, row.name, StatementKind.DECISION, request.decision, notice=request.notice)
        return decision

    async def _keep_necessity(
        self, conn: AsyncConnection, row: Row[Any], note: pb.NewSection, decision: said.Decision, call: Call
    ) -> None:
        if note.header.kind != common_pb2.KIND_INTERNAL_NOTE:
            raise InvalidField("necessity.header.kind", "is a note among handlers")
        if note.header.digest != decision.necessity_digest:
            raise DigestMismatch("necessity")
        await sections.put(conn, self._deps.installation, note, row, _keys(call), may_be_note=True)

    async def record_decision(
        self, request: rpc.RecordDecisionRequest, call: Call
    ) -> rpc.RecordDecisionResponse:
        """Keeps a newer decision; one that does not stand closes the notice before the call returns."""
        incident = incident_of(request.notice)
        grant = await handler_grant(self._deps, call, incident)

        async def work(conn: AsyncConnection, row: Row[Any]) -> rpc.RecordDecisionResponse:
            notice = await notices.of_incident(conn, request.notice, incident)
            if notice.state not in ANSWERABLE or not notice.decision_stands:
                raise wrong_state(NoticeState(notice.state))
            decision = await self._decided(conn, row, request, notice.recipient, call)
            kinds = await proposals.kinds(conn, request.notice)
            if decision.stands:
                require_shareable(kinds, decision.ground, decision.reference)
            await proposals.decide(conn, request.notice, request.decision, stands=decision.stands)
            if not decision.stands:
                await self._deps.closing.close_notice(conn, request.notice, CloseReason.DECISION_REVOKED)
                await self._deps.closing.changed(conn, incident)
            left = await notices.of_incident(conn, request.notice, incident)
            return rpc.RecordDecisionResponse(state=left.state)

        answer = await handler_command(self._deps, call, request, rpc.RecordDecisionResponse, work, grant)
        await self._deps.sync.soon(incident, request.notice)
        return answer


class Parties:
    """Sender, recipient and readers of a proposal, as the directory vouches for them now."""

    def __init__(self, circle: Circle, row: Row[Any], request: rpc.ProposeNoticeRequest) -> None:
        if not circle.takes_part(row.participation):
            # Its handlers handle on, but propose nothing new.
            raise FailedPrecondition
        self.recipient = circle.participation(request.recipient)
        _require_reachable(row.production, circle.participation(row.participation), self.recipient)
        self.readers = require_contacts(circle, request.recipient, request.reader_kids)


def _require_reachable(
    production: str | None, sender: directory.Participation, recipient: directory.Participation
) -> None:
    """Holds a recipient to the production; without one the independent point reaches anybody."""
    same = bool(production) and recipient.production == production
    by_independent = not production and sender.independent
    if not (same or recipient.independent or by_independent):
        raise InvalidArgument("RECIPIENT_MISMATCH")


def require_contacts(circle: Circle, recipient: str, kids: Sequence[str]) -> tuple[Holder, ...]:
    """The recipient's current, endorsed safety contacts with these keys. Raises InvalidArgument."""
    holders = [circle.holder(recipient, kid, common_pb2.CAPACITY_SAFETY_CONTACT) for kid in kids]
    current = tuple(holder for holder in holders if holder)
    if len({holder.kid for holder in current}) != len(kids):
        raise InvalidArgument("READER_MISMATCH")
    return current


async def _require_not_ended(conn: AsyncConnection, incident: str, readers: Sequence[Holder]) -> None:
    # Whether a reader is excluded is read in the same statement and deliberately not looked at (T29).
    for reader in readers:
        is_ended, _ = await reports.barred(conn, incident, reader)
        if is_ended:
            raise InvalidArgument("READER_MISMATCH")


def _keys(call: Call) -> PublicKeys:
    if call.actor.keys is None:
        raise NotPermitted
    return call.actor.keys
