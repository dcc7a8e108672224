"""Answers to the handling terms: whoever sees the stub may accept or decline for the participation, once."""

from __future__ import annotations

from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.statements import StatementKind, verify
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from meldbrug.statements.v1 import statements_pb2 as said
from services.disclosure.domain import CloseReason, Door, NoticeState, incident_of, wrong_state
from services.disclosure.store import acceptances, acts, openings
from services.disclosure.store.access import NoticeRef, Read
from services.disclosure.store.openings import Standing
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.open import ATTEMPTS, SOON_S, reading_context
from services.kernel.db import Lock
from services.kernel.errors import InvalidArgument, NotPermitted, Unavailable
from services.kernel.idempotency import remember, remembered
from services.kernel.rpc import Call


class Answering:
    """The recipient's own yes or no, before anything is opened."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def answer_terms(self, request: rpc.AnswerTermsRequest, call: Call) -> rpc.AnswerTermsResponse:
        """Accepts or declines. Raises NotPermitted for whoever does not see the stub."""
        incident = incident_of(request.notice)
        for _ in range(ATTEMPTS):
            standing = await self._see_stub(request.notice, call)
            answer = await self._deps.database.run_unit(
                partial(self._answer, standing.epoch, request, call), Lock(incident)
            )
            if answer is not None:
                if answer.state == common_pb2.NOTICE_STATE_DECLINED:
                    await self._deps.sync.soon(incident)
                return answer
        raise Unavailable("DATABASE_UNAVAILABLE", SOON_S)

    async def _see_stub(self, notice: str, call: Call) -> Standing:
        asked = {"notice": notice, "kid": call.actor.kid, "subject": call.actor.subject}
        standing = await self._deps.database.run_raw(
            lambda driver: openings.standing(driver, Door.READER, asked)
        )
        if standing is None:
            raise NotPermitted
        context = reading_context(standing, standing.purposes[0], [])
        await self._deps.authz.require(call.actor, Read, NoticeRef(notice), context=context)
        return standing

    async def _answer(
        self, epoch: int, request: rpc.AnswerTermsRequest, call: Call, conn: AsyncConnection
    ) -> rpc.AnswerTermsResponse | None:
        """One transaction under the exclusive lock; None when who may read changed since the check."""
        stub = await acceptances.stub(conn, request.notice, call.actor.kid, call.actor.subject)
        if stub is None:
            raise NotPermitted
        if stub.epoch != epoch:
            return None
        key = (call.actor.principal, call.method, request.request_id, call.body_sha256)
        if (known := await remembered(conn, *key)) is not None:
            return rpc.AnswerTermsResponse.FromString(known)
        if stub.state is not NoticeState.OFFERED:
            raise wrong_state(stub.state)
        said_so = self._spoken(request, call, stub)
        await acts.advance(conn, incident_of(request.notice), call.actor.kid, said_so.sequence)
        answer = rpc.AnswerTermsResponse(state=await self._record(conn, request, said_so))
        await remember(conn, *key, answer.SerializeToString())
        return answer

    def _spoken(
        self, request: rpc.AnswerTermsRequest, call: Call, stub: acceptances.Stub
    ) -> said.TermsAnswer:
        if call.actor.keys is None:
            raise NotPermitted
        answer = verify(StatementKind.TERMS, request.answer, call.actor.keys, said.TermsAnswer)
        if (answer.installation, answer.notice) != (self._deps.installation, request.notice):
            raise InvalidArgument("STATEMENT_FOREIGN")
        if answer.participation != stub.recipient:
            raise InvalidArgument("RECIPIENT_MISMATCH")
        is_current = self._deps.terms.is_text(answer.terms_version, answer.terms_digest)
        if not is_current or answer.terms_version != stub.terms_version:
            raise InvalidArgument("TERMS_MISMATCH")
        return answer

    async def _record(
        self, conn: AsyncConnection, request: rpc.AnswerTermsRequest, answer: said.TermsAnswer
    ) -> common_pb2.NoticeState.ValueType:
        incident = incident_of(request.notice)
        await acceptances.record(conn, answer, request.answer)
        if answer.accepted:
            await acceptances.mark_accepted(conn, request.notice)
            await self._deps.closing.informed(conn, incident)
            return common_pb2.NOTICE_STATE_TERMS_ACCEPTED
        await self._deps.closing.close_notice(conn, request.notice, CloseReason.DECLINED)
        await self._deps.closing.changed(conn, incident)
        return common_pb2.NOTICE_STATE_DECLINED
