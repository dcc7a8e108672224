"""A handler's acts: see the case, talk with the reporter, note, propose. Reporters are pinned."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Sequence
from typing import Final

from google.protobuf.message import Message

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2
from meldbrug.coordination.v1 import coordination_service_pb2 as coordination
from meldbrug.crypto import PublicKeys
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .circle import Circle
from .connection import M
from .device import new_id, new_request_id
from .errors import MeldbrugError
from .handlers import Authors, Case, handlers_of, verified_intake, writers
from .paging import every, in_turns
from .pins import Pins
from .proposing import Decided, Proposal, Proposing
from .reading import Content, Reader, Text, Unopened, all_open, incident_of, keys_of, require, texts_of
from .sealing import once, seal
from .session import Session, on_latest

DISCLOSURE: Final = "/meldbrug.disclosure.v1.HandlerService/"
COORDINATION: Final = "/meldbrug.coordination.v1.HandlerService/"


class Handling:
    """The cases of one handler."""

    def __init__(self, session: Session, pins: Pins) -> None:
        """Acts with the member's key; `pins` remembers reporters."""
        self._session = session
        self._pins = pins
        self._proposing = Proposing(session)

    async def cases(
        self,
        state: common.IncidentState.ValueType = common.INCIDENT_STATE_UNSPECIFIED,
        production: str = "",
    ) -> AsyncIterator[coordination_pb2.Incident]:
        """Yields the incidents that the caller handles, newest first; of a state or production when named."""

        async def fetch(token: str) -> coordination.ListIncidentsResponse:
            request = coordination.ListIncidentsRequest(page_token=token, state=state, production=production)
            return await self._coordinate("ListIncidents", request, coordination.ListIncidentsResponse)

        async for incident in every(fetch, lambda page: page.incidents):
            yield incident

    async def case(self, incident: str) -> coordination_pb2.Incident:
        """Returns where an incident stands."""
        request = coordination.GetIncidentRequest(incident=incident)
        return (await self._coordinate("GetIncident", request, coordination.GetIncidentResponse)).incident

    async def acknowledge(self, incident: str, etag: str | None = None) -> coordination_pb2.Incident:
        """Confirms to the reporter, personally, that the report arrived.

        Raises:
            Stale: the incident changed since `etag` was read; without one the newest is used.
        """

        async def act(read: str) -> coordination_pb2.Incident:
            request = coordination.AcknowledgeIncidentRequest(
                incident=incident, etag=read, request_id=new_request_id()
            )
            answer = await self._coordinate(
                "AcknowledgeIncident", request, coordination.AcknowledgeIncidentResponse
            )
            return answer.incident

        return await on_latest(etag, functools.partial(self._etag, incident), act)

    async def assess(
        self, incident: str, outcome: common.IncidentState.ValueType, etag: str | None = None
    ) -> coordination_pb2.Incident:
        """Records where the assessment stands.

        Raises:
            Stale: as `acknowledge`.
        """

        async def act(read: str) -> coordination_pb2.Incident:
            request = coordination.AssessIncidentRequest(
                incident=incident, outcome=outcome, etag=read, request_id=new_request_id()
            )
            answer = await self._coordinate("AssessIncident", request, coordination.AssessIncidentResponse)
            return answer.incident

        return await on_latest(etag, functools.partial(self._etag, incident), act)

    async def _etag(self, incident: str) -> str:
        return (await self.case(incident)).etag

    async def report(self, incident: str) -> Case:
        """Returns the report with its reporter and handlers, all verified.

        Raises:
            Unverified: the reporter changed, or the intake is not the reporter's or names others only.
        """
        request = service.HandlerServiceGetReportRequest(incident=incident)
        answer = await self._disclose("GetReport", request, service.HandlerServiceGetReportResponse)
        report = answer.report
        require(report.name == incident, "report of another incident")
        reporter = keys_of(report.reporter_keys)
        intake = self._seen_intake(report.intake, reporter, incident)
        book = await self._session.look_up(
            [self._session.kid, *report.handler_kids, *(handler.kid for handler in intake.handlers)]
        )
        handlers = handlers_of(intake, book, {self._session.kid, *report.handler_kids})
        return Case(report, reporter, intake, handlers)

    async def circle(self, incident: str, organisation: str = "") -> Circle:
        """Returns who can be addressed.

        Args:
            incident: `incidents/{incident}`.
            organisation: Whose contacts to look up, for an incident without production; by the independent
                point only.

        Raises:
            MeldbrugError: the incident has no production and no organisation is named.
        """
        production = (await self.report(incident)).intake.production
        if production:
            return await self._session.circle(production)
        if not organisation:
            raise MeldbrugError("the report names no production: say which organisation to address")
        return await self._session.participations_of(organisation)

    async def headers(self, incident: str) -> AsyncIterator[wire.SectionHeader]:
        """Yields sections, messages and notes that the caller can open, oldest first."""

        async def fetch(token: str) -> service.HandlerServiceListSectionsResponse:
            request = service.HandlerServiceListSectionsRequest(incident=incident, page_token=token)
            return await self._disclose("ListSections", request, service.HandlerServiceListSectionsResponse)

        async for header in every(fetch, lambda page: page.sections):
            yield header

    async def read(self, incident: str, sections: Sequence[str] | None = None) -> list[Text]:
        """Opens sections, all of them unless some are named; each opening is recorded for the reporter.

        One that its author sealed wrongly is among them as `Unopened`.

        Raises:
            Unverified: a text is not what it says; nothing is shown.
        """
        if sections is None:
            sections = [header.name async for header in self.headers(incident)]
        return texts_of(await self._looked_at(incident, sections))

    async def mailbox(self, incident: str) -> list[Text]:
        """Returns the messages between reporter and handlers, oldest first."""
        headers = [header async for header in self.headers(incident)]
        return await self.read(
            incident, [header.name for header in headers if header.kind == common.KIND_MESSAGE]
        )

    async def send(self, incident: str, text: str) -> wire.SectionHeader:
        """Sends a message to the reporter; the other handlers can read it too."""
        return await self.add(incident, common.KIND_MESSAGE, text)

    async def note(self, incident: str, text: str) -> wire.SectionHeader:
        """Keeps a note among handlers; the reporter cannot open it."""
        return await self.add(incident, common.KIND_INTERNAL_NOTE, text)

    async def add(self, incident: str, kind: common.Kind.ValueType, text: str) -> wire.SectionHeader:
        """Adds a section, sealed to the current handlers and, unless it is a note, the reporter."""
        case = await self.report(incident)
        return await self._put(case, f"{incident}/sections/{new_id()}", 1, kind, text)

    async def replace(self, section: str, text: str) -> wire.SectionHeader:
        """Writes a new version of the caller's own section; what was consented to stays the old one."""
        incident = incident_of(section)
        found = [header async for header in self.headers(incident) if header.name == section]
        if not found:
            raise MeldbrugError("there is no such section")
        case = await self.report(incident)
        return await self._put(case, section, found[-1].version + 1, found[-1].kind, text)

    async def propose(self, incident: str, proposal: Proposal) -> service.ProposeNoticeResponse:
        """Asks the reporter to consent to a notice; nothing is shared by it.

        Raises:
            Unverified: a reader or a section does not verify.
            Refused: as `error.proto` says; the reporter was not asked.
        """
        case = await self.report(incident)
        headers = [
            await self._put(case, f"{incident}/sections/{new_id()}", 1, kind, text)
            for kind, text in proposal.texts.items()
        ]
        names = [*proposal.sections, *(header.name for header in headers)]
        refs = [content.ref for content in await self.contents(incident, names)]
        return await self._proposing.propose(case.report.name, case.reporter, case.handlers, refs, proposal)

    async def decide(
        self, notice: str, decided: Decided, recipient: str = ""
    ) -> common.NoticeState.ValueType:
        """Records a new decision on a notice; one that does not stand has closed it when this returns.

        Args:
            notice: `incidents/{incident}/notices/{notice}`.
            decided: The decision.
            recipient: `participations/{participation}`; looked up when empty.
        """
        incident = incident_of(notice)
        case = await self.report(incident)
        recipient = recipient or await self._recipient(notice)
        return await self._proposing.decide(notice, recipient, case.reporter, case.handlers, decided)

    async def notices(self, incident: str) -> AsyncIterator[coordination_pb2.SentNotice]:
        """Yields the incident's notices, newest first: where they stand, never which readers were reached."""

        async def fetch(token: str) -> coordination.ListNoticesResponse:
            request = coordination.ListNoticesRequest(incident=incident, page_token=token)
            return await self._coordinate("ListNotices", request, coordination.ListNoticesResponse)

        async for notice in every(fetch, lambda page: page.notices):
            yield notice

    async def contents(self, incident: str, sections: Sequence[str]) -> list[Content]:
        """Opens and verifies sections, in the order asked for.

        Raises:
            Unverified: one of them is not what it says, or does not open.
        """
        return all_open(await self._looked_at(incident, sections))

    async def _looked_at(self, incident: str, sections: Sequence[str]) -> list[Content | Unopened]:
        return await in_turns(sections, functools.partial(self._opened, incident))

    async def _opened(self, incident: str, sections: Sequence[str]) -> list[Content | Unopened]:
        request = service.HandlerServiceOpenSectionsRequest(
            incident=incident, sections=sections, request_id=new_request_id()
        )
        answer = await self._disclose("OpenSections", request, service.HandlerServiceOpenSectionsResponse)
        require([opened.header.name for opened in answer.sections] == list(sections), "sections")
        reporter = keys_of(answer.reporter_keys)
        intake = self._seen_intake(answer.intake, reporter, incident)
        authors = await self._authors(intake, answer, reporter)
        reader = Reader(self._session.eyes, reporter, incident, (), authors)
        return [reader.look(opened, incident) for opened in answer.sections]

    async def _authors(
        self, intake: said.Intake, answer: service.HandlerServiceOpenSectionsResponse, reporter: PublicKeys
    ) -> Authors:
        """Returns who wrote, after checking that the intake names these eyes, by this or an earlier key."""
        kids = {opened.header.author_kid for opened in answer.sections} - {reporter.kid}
        book = await self._session.look_up({self._session.kid, *kids, *(h.kid for h in intake.handlers)})
        handlers_of(intake, book, [self._session.kid])
        left = kids - {handler.kid for handler in intake.handlers}
        circle = await self._session.circle(intake.production) if intake.production and left else None
        return writers(kids, book, intake, circle)

    def _seen_intake(self, signed: common.Signed, reporter: PublicKeys, incident: str) -> said.Intake:
        intake = verified_intake(signed, reporter, self._session.installation, incident)
        self._pins.check(incident, reporter.kid, intake.sequence)
        return intake

    async def _put(
        self, case: Case, section: str, version: int, kind: common.Kind.ValueType, text: str
    ) -> wire.SectionHeader:
        readers = case.handlers.keys
        if kind != common.KIND_INTERNAL_NOTE:
            readers = [case.reporter, *readers]
        sealed = seal(
            self._session.keys,
            self._session.installation,
            section,
            kind,
            text,
            case.reporter.kid,
            once(readers),
            version=version,
        )
        request = service.HandlerServicePutSectionRequest(section=sealed, request_id=new_request_id())
        answer = await self._disclose("PutSection", request, service.HandlerServicePutSectionResponse)
        require(answer.section.name == section, "another section")
        return answer.section

    async def _recipient(self, notice: str) -> str:
        async for sent in self.notices(incident_of(notice)):
            if sent.name == notice:
                return sent.recipient
        raise MeldbrugError("there is no such notice")

    async def _disclose(self, method: str, request: Message, answer: type[M]) -> M:
        return await self._session.call(DISCLOSURE + method, request, answer)

    async def _coordinate(self, method: str, request: Message, answer: type[M]) -> M:
        return await self._session.call(COORDINATION + method, request, answer)
