"""The reporter's answers to what a handler asks: see what readers would see, then yes, no, or a part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import CryptoError, digest_of, preview_digest, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .book import Book
from .circle import Circle, Person, named
from .device import new_id, new_request_id
from .errors import Unverified
from .handlers import counsellor
from .paging import every
from .previews import (
    WHOLE,
    Act,
    Preview,
    Yes,
    chosen_purposes,
    chosen_readers,
    chosen_sections,
    organisation_title,
)
from .reading import Author, Content, incident_of, require, spoken
from .reporter import ReporterClient

TEMPLATE = "notice/v1"
"""Version of how a notice is shown, to reporter and readers alike."""


class Consents:
    """The consents of one reporter."""

    def __init__(self, reporter: ReporterClient) -> None:
        """Acts with the reporter's key."""
        self._reporter = reporter

    async def requests(self) -> AsyncIterator[wire.ConsentRequest]:
        """Yields what was asked, newest first."""
        report = await self._reporter.find()

        async def fetch(token: str) -> service.ListConsentRequestsResponse:
            request = service.ListConsentRequestsRequest(incident=report.name, page_token=token)
            return await self._reporter.call(
                "ListConsentRequests", request, service.ListConsentRequestsResponse
            )

        async for asked in every(fetch, lambda page: page.consent_requests):
            yield asked

    async def preview(self, notice: str, language: common.Language.ValueType = common.LANGUAGE_NL) -> Preview:
        """Returns the notice as its readers would see it.

        Raises:
            Unverified: a reader, the handler, the decision or a text does not verify; do not answer yes.
        """
        answer = await self._reporter.call(
            "GetConsentRequest",
            service.GetConsentRequestRequest(notice=notice),
            service.GetConsentRequestResponse,
        )
        asked = answer.consent_request
        require(asked.notice == notice, "another notice")
        book = Book(self._reporter.installation, asked.book)
        circle = Circle(answer.circle, self._reporter.installation)
        decision, handler = await self._decision(asked, book)
        contents = await self._contents(asked)
        readers = named(circle.safety_contacts(asked.recipient), asked.reader_kids)
        return Preview(
            request=asked,
            texts=tuple(content.text for content in contents),
            readers=tuple(readers),
            organisation_title=organisation_title(circle, asked.recipient, readers),
            handler=handler,
            decision=decision,
            language=language,
            contents=tuple(contents),
        )

    async def give(self, preview: Preview, part: Yes = WHOLE) -> wire.ConsentRequest:
        """Says yes to what the preview showed, or to a part of it.

        Raises:
            MeldbrugError: the part is empty, or not a part of what was asked.
            Refused: the server refused it; the state is unchanged.
        """
        contents = chosen_sections(preview, part)
        readers = chosen_readers(preview, part)
        purposes = chosen_purposes(preview, part)
        await self._reporter.agree_on_time()
        consent = f"consents/{new_id()}"
        wraps = [content.wrap(reader.keys, consent, purposes) for content in contents for reader in readers]
        statement = self._statement(preview, consent, contents, readers, purposes, part.valid_until, wraps)
        request = service.GiveConsentRequest(
            notice=preview.request.notice,
            consent=self._reporter.sign(StatementKind.CONSENT, statement),
            wraps=wraps,
            request_id=new_request_id(),
        )
        answer = await self._reporter.call("GiveConsent", request, service.GiveConsentResponse)
        return answer.consent_request

    async def refuse(self, notice: str) -> wire.ConsentRequest:
        """Says no; to everyone else it stays unanswered."""
        await self._reporter.agree_on_time()
        refusal = said.Refusal(
            installation=self._reporter.installation,
            notice=notice,
            reporter_kid=self._reporter.kid,
            sequence=self._reporter.sequence(),
        )
        request = service.RefuseConsentRequest(
            notice=notice,
            refusal=self._reporter.sign(StatementKind.REFUSAL, refusal),
            request_id=new_request_id(),
        )
        answer = await self._reporter.call("RefuseConsent", request, service.RefuseConsentResponse)
        return answer.consent_request

    async def withdraw(
        self, notice: str, *, reader_kids: Sequence[str] = (), sections: Sequence[str] = ()
    ) -> wire.ConsentRequest:
        """Takes a yes back, whole or for some readers or sections; reading has stopped when this returns."""
        await self._reporter.agree_on_time()
        request = service.WithdrawConsentRequest(
            notice=notice,
            withdrawal=self._reporter.voice.withdrawal(incident_of(notice), notice, reader_kids, sections),
            request_id=new_request_id(),
        )
        answer = await self._reporter.call("WithdrawConsent", request, service.WithdrawConsentResponse)
        return answer.consent_request

    async def history(self) -> AsyncIterator[Act]:
        """Yields consents, refusals and withdrawals as this reporter signed them, newest first.

        Raises:
            Unverified: one of them is not the reporter's.
        """
        report = await self._reporter.find()

        async def fetch(token: str) -> service.ListConsentEventsResponse:
            request = service.ListConsentEventsRequest(incident=report.name, page_token=token)
            return await self._reporter.call("ListConsentEvents", request, service.ListConsentEventsResponse)

        async for event in every(fetch, lambda page: page.events):
            yield self._act(event)

    def _act(self, event: wire.ConsentEvent) -> Act:
        reporter = self._reporter.public
        when = event.create_time.ToDatetime(tzinfo=UTC)
        if event.HasField("consent"):
            consent = spoken(StatementKind.CONSENT, event.consent, reporter, said.Consent)
            return Act(event.notice, StatementKind.CONSENT, consent, when)
        if event.HasField("refusal"):
            refusal = spoken(StatementKind.REFUSAL, event.refusal, reporter, said.Refusal)
            return Act(event.notice, StatementKind.REFUSAL, refusal, when)
        withdrawal = spoken(StatementKind.WITHDRAWAL, event.withdrawal, reporter, said.Withdrawal)
        return Act(event.notice, StatementKind.WITHDRAWAL, withdrawal, when)

    async def _decision(self, asked: wire.ConsentRequest, book: Book) -> tuple[said.Decision, Author]:
        try:
            claimed = statements.parse(StatementKind.DECISION, asked.decision, said.Decision)
        except CryptoError as error:
            raise Unverified("decision") from error
        intake = await self._reporter.intake()
        handler = counsellor(book, claimed.handler_kid, [chosen.participation for chosen in intake.handlers])
        decision = spoken(
            StatementKind.DECISION, asked.decision, book.keys(claimed.handler_kid), said.Decision
        )
        require(decision.installation == self._reporter.installation, "decision of another installation")
        require((decision.notice, decision.recipient) == (asked.notice, asked.recipient), "decision")
        require(decision.reporter_kid == self._reporter.kid, "decision about another reporter")
        return decision, handler

    async def _contents(self, asked: wire.ConsentRequest) -> list[Content]:
        """Opens what readers would read, and checks that it is what was asked about."""
        contents = await self._reporter.contents([ref.section for ref in asked.sections])
        require([content.ref for content in contents] == list(asked.sections), "sections")
        return contents

    def _statement(
        self,
        preview: Preview,
        consent: str,
        contents: Sequence[Content],
        readers: Sequence[Person],
        purposes: Sequence[common.Purpose.ValueType],
        valid_until: datetime | None,
        wraps: Sequence[wire.Wrap],
    ) -> said.Consent:
        asked = preview.request
        shown = preview_digest(
            asked.notice, [content.header.digest for content in contents], TEMPLATE, preview.language
        )
        return said.Consent(
            installation=self._reporter.installation,
            incident=incident_of(asked.notice),
            notice=asked.notice,
            consent=consent,
            reporter_kid=self._reporter.kid,
            recipient=asked.recipient,
            reader_kids=[reader.kid for reader in readers],
            sections=[content.ref for content in contents],
            purposes=purposes,
            valid_from=Timestamp(seconds=int(self._reporter.now().timestamp())),
            valid_until=Timestamp(seconds=int((valid_until or preview.valid_until).timestamp())),
            terms_version=asked.terms_version,
            wraps=[
                said.WrapHash(
                    reader_kid=wrap.reader_kid, section=wrap.section, wrap_digest=digest_of(wrap.wrap)
                )
                for wrap in wraps
            ],
            preview_digest=shown,
            preview_template=TEMPLATE,
            preview_language=preview.language,
            sequence=self._reporter.sequence(),
        )
