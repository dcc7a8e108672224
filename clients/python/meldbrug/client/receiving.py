"""A named reader's acts: see the stub, answer the terms, open, acknowledge. Opening verifies first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from google.protobuf.message import Message

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2
from meldbrug.coordination.v1 import coordination_service_pb2 as coordination
from meldbrug.crypto import CryptoError, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .connection import M, backoff_s
from .device import new_request_id
from .errors import MeldbrugError, NotReached, Refused, Unverified
from .notices import OpenedNotice, read_notice
from .paging import every
from .public import Terms
from .reading import require
from .session import Session, on_latest

DISCLOSURE: Final = "/meldbrug.disclosure.v1.ReaderService/"
COORDINATION: Final = "/meldbrug.coordination.v1.ReaderService/"
STREAM_S: Final = 1_700.0
"""Below the longest stream that the service takes; the next one goes on where this one ended."""


class Receiving:
    """The notices of one named reader."""

    def __init__(self, session: Session) -> None:
        """Acts with the member's key."""
        self._session = session

    async def inbox(
        self, states: Sequence[common.NoticeState.ValueType] = ()
    ) -> AsyncIterator[coordination_pb2.Stub]:
        """Yields stubs and tombstones, newest change first; of some states when they are named."""

        async def fetch(token: str) -> coordination.ListInboxResponse:
            return await self.inbox_page(token, states)

        async for stub in every(fetch, lambda page: page.notices):
            yield stub

    async def inbox_page(
        self, page_token: str = "", states: Sequence[common.NoticeState.ValueType] = ()
    ) -> coordination.ListInboxResponse:
        """Returns one page, with the token to watch from."""
        request = coordination.ListInboxRequest(page_token=page_token, states=states)
        return await self._coordinate("ListInbox", request, coordination.ListInboxResponse)

    async def watch(self, resume_token: str = "") -> AsyncIterator[coordination_pb2.Stub]:
        """Yields changed stubs and tombstones for ever; goes on by itself where a stream ended or broke.

        Raises:
            Refused: the server refused for good: the key ended, or the token is of another list.
        """
        failures, corrected = 0, False
        while True:
            try:
                async for message in self._stream(resume_token):
                    failures, corrected = 0, False
                    resume_token = message.resume_token or resume_token
                    if message.HasField("notice"):
                        yield message.notice
            except MeldbrugError as error:
                # The refusal itself corrected the clock: once in a row is enough, whatever failed before it.
                is_clock = isinstance(error, Refused) and error.reason == "TOKEN_STALE"
                if not (_comes_back(error) or (is_clock and not corrected)):
                    raise
                corrected = is_clock
            else:
                corrected = False
            # A stream that only ended is reopened after a pause too: one that ends at once would spin.
            failures += 1
            await asyncio.sleep(backoff_s(failures))

    async def stub(self, notice: str) -> coordination_pb2.Stub:
        """Returns a notice's stub, or its tombstone."""
        request = coordination.GetNoticeRequest(notice=notice)
        found = (await self._coordinate("GetNotice", request, coordination.GetNoticeResponse)).notice
        require(found.name == notice, "another notice")
        return found

    async def accept(self, notice: str, terms: Terms) -> common.NoticeState.ValueType:
        """Accepts the handling terms as read, for the participation; returns where the notice stands.

        Raises:
            Refused: TERMS_MISMATCH: these are not the terms of the notice.
        """
        return await self._answer(notice, terms, common.DECLINE_REASON_UNSPECIFIED)

    async def decline(
        self, notice: str, terms: Terms, reason: common.DeclineReason.ValueType
    ) -> common.NoticeState.ValueType:
        """Declines for the participation."""
        if reason == common.DECLINE_REASON_UNSPECIFIED:
            raise MeldbrugError("say why it is declined")
        return await self._answer(notice, terms, reason)

    async def open(
        self,
        notice: str,
        purpose: common.Purpose.ValueType,
        kinds: Sequence[common.Kind.ValueType] = (),
    ) -> OpenedNotice:
        """Opens a notice and returns it after every check held; the reporter sees that and for what.

        Args:
            notice: `incidents/{incident}/notices/{notice}`.
            purpose: What for; one that was consented to.
            kinds: Which kinds; empty for all.

        Raises:
            NotPermitted: no consent, no decision, terms not accepted, a conflict, or no such notice.
            Unverified: something of it is not what it says; nothing is shown.
        """
        stub = await self.stub(notice)
        request = service.OpenSectionsRequest(
            notice=notice, kinds=kinds, purpose=purpose, request_id=new_request_id()
        )
        answer = await self._session.call(DISCLOSURE + "OpenSections", request, service.OpenSectionsResponse)
        book = await self._session.look_up(_kids(answer, self._session.kid))
        return read_notice(
            self._session.eyes, notice, kinds, purpose, answer, book, stub.sender, self._session.now()
        )

    async def acknowledge(self, notice: str, etag: str | None = None) -> coordination_pb2.Stub:
        """Acknowledges an opened notice.

        Raises:
            Stale: the notice changed since `etag` was read; without one the newest is used.
        """

        async def newest() -> str:
            return (await self.stub(notice)).etag

        async def act(read: str) -> coordination_pb2.Stub:
            request = coordination.AcknowledgeNoticeRequest(
                notice=notice, etag=read, request_id=new_request_id()
            )
            answer = await self._coordinate(
                "AcknowledgeNotice", request, coordination.AcknowledgeNoticeResponse
            )
            return answer.notice

        return await on_latest(etag, newest, act)

    async def _answer(
        self, notice: str, terms: Terms, decline_reason: common.DeclineReason.ValueType
    ) -> common.NoticeState.ValueType:
        stub = await self.stub(notice)
        answer = said.TermsAnswer(
            installation=self._session.installation,
            notice=notice,
            participation=stub.recipient,
            terms_version=terms.version,
            terms_digest=terms.digest,
            accepted=decline_reason == common.DECLINE_REASON_UNSPECIFIED,
            decline_reason=decline_reason,
            reader_kid=self._session.kid,
            sequence=self._session.sequence(),
        )
        request = service.AnswerTermsRequest(
            notice=notice,
            answer=self._session.sign(StatementKind.TERMS, answer),
            request_id=new_request_id(),
        )
        answered = await self._session.call(DISCLOSURE + "AnswerTerms", request, service.AnswerTermsResponse)
        return answered.state

    async def _stream(self, resume_token: str) -> AsyncIterator[coordination.WatchInboxResponse]:
        request = coordination.WatchInboxRequest(resume_token=resume_token)
        async for message in self._session.connection.stream(
            COORDINATION + "WatchInbox",
            request,
            coordination.WatchInboxResponse,
            self._session.credentials,
            within_s=STREAM_S,
        ):
            yield message

    async def _coordinate(self, method: str, request: Message, answer: type[M]) -> M:
        return await self._session.call(COORDINATION + method, request, answer)


def _kids(answer: service.OpenSectionsResponse, own: str) -> set[str]:
    """Returns the keys that the answer's statements and texts name; unverified, to look them up."""
    try:
        decision = statements.parse(StatementKind.DECISION, answer.decision, said.Decision)
        rewraps = [statements.parse(StatementKind.REWRAP, step, said.Rewrap) for step in answer.rewraps]
    except CryptoError as error:
        raise Unverified(f"statement: {error.detail}") from error
    authors = {opened.header.author_kid for opened in answer.sections}
    return {own, decision.handler_kid, *authors, *(step.old_kid for step in rewraps)}


def _comes_back(error: MeldbrugError) -> bool:
    """Tells whether a broken stream is worth another one."""
    if isinstance(error, Refused):
        return error.code in {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED", "INTERNAL"}
    return isinstance(error, NotReached)
