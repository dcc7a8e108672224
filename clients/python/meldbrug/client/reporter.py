"""A reporter's own acts: report, talk, consent, refuse, withdraw, exclude, and see who opened what.

The receipt's keys are all the authority there is. Texts are sealed here; what comes back is verified.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from google.protobuf.message import Message

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2, coordination_service_pb2
from meldbrug.crypto import PublicKeys, SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .book import Book
from .circle import Circle, Person
from .connection import Connection, Credentials, M
from .device import new_id, new_request_id
from .errors import Refused
from .handlers import Authors, Handlers, handlers_of, verified_intake, writers
from .paging import every, in_turns
from .pins import Pins
from .reading import Content, Eyes, Reader, Text, Unopened, all_open, require, texts_of
from .reports import Draft, Seen, seen_by, submission
from .sealing import seal
from .speaking import Voice

DISCLOSURE = "/meldbrug.disclosure.v1.ReporterService/"
COORDINATION = "/meldbrug.coordination.v1.ReporterService/"
REPORT_WITHIN_S = 120.0
"""How long a report is repeated with the same request id until it is in."""


class ReporterClient:
    """The reporter of one incident."""

    def __init__(self, connection: Connection, keys: SecretKeys) -> None:
        """Uses `connection`; the caller closes it."""
        self._connection = connection
        self._keys = keys
        self._eyes = Eyes(connection.installation, keys)
        self._credentials = Credentials(keys, self_certifying=True)
        self._pins = Pins()
        self.voice = Voice(keys, connection.installation, connection.clock)

    @property
    def kid(self) -> str:
        """Returns the fingerprint of the receipt's keys."""
        return self._keys.kid

    @property
    def public(self) -> PublicKeys:
        """Returns the receipt's public keys."""
        return self._keys.public

    @property
    def installation(self) -> str:
        """Returns the pinned installation."""
        return self._eyes.installation

    def now(self) -> datetime:
        """Returns the corrected time."""
        return self._connection.clock.now()

    def sequence(self) -> int:
        """Returns the next sequence of a statement."""
        return self._connection.clock.sequence()

    def sign(self, kind: StatementKind, message: Message) -> common.Signed:
        """Returns the statement signed by the reporter."""
        return statements.sign(kind, message, self._keys)

    async def intake(self) -> said.Intake:
        """Returns the newest intake, which this reporter signed."""
        return self._signed_intake(await self.find())

    async def report(self, draft: Draft) -> wire.Report:
        """Seals and submits a report; repeats it, unchanged, until it is in or the time is over.

        Raises:
            Refused: the server refused it; nothing was stored.
        """
        await self.agree_on_time(patient=True)
        request = submission(draft, self._keys, self.installation, self.voice)
        answer = await self.call("SubmitReport", request, service.SubmitReportResponse, patient=True)
        return answer.report

    async def agree_on_time(self, *, patient: bool = False) -> None:
        """Lets the server tell the time before something is signed, unless it takes this clock's already.

        A statement carries its time and is repeated as it is: signed by a clock that is off it would be
        refused however often it came, though the first refusal corrected the clock.
        """
        if self._connection.clock.is_agreed:
            return
        # Who reports has no report to look at yet, and a server too full to look may still take what follows.
        with contextlib.suppress(Refused):
            await self.call(
                "GetReport", service.GetReportRequest(), service.GetReportResponse, patient=patient
            )

    async def find(self) -> wire.Report:
        """Returns the report of this receipt.

        Raises:
            NotPermitted: there is none.
        """
        answer = await self.call("GetReport", service.GetReportRequest(), service.GetReportResponse)
        return answer.report

    async def status(self) -> coordination_pb2.Status:
        """Returns how things stand, and when to look again."""
        report = await self.find()
        answer = await self._connection.call(
            COORDINATION + "GetStatus",
            coordination_service_pb2.GetStatusRequest(incident=report.name),
            coordination_service_pb2.GetStatusResponse,
            self._credentials,
        )
        return answer.status

    async def circle(self) -> Circle:
        """Returns who can be chosen or sealed to for this incident, the independent point included."""
        _, circle = await self._authors(await self.find())
        return circle

    async def send(self, text: str) -> wire.SectionHeader:
        """Sends a message to the handlers of the intake."""
        return await self.add(common.KIND_MESSAGE, text)

    async def add(self, kind: common.Kind.ValueType, text: str) -> wire.SectionHeader:
        """Adds a section, sealed to the reporter and the current handlers.

        Raises:
            Unverified: a handler's key does not verify; nothing was sent.
        """
        report = await self.find()
        handlers = await self._handlers(report)
        name, readers = f"{report.name}/sections/{new_id()}", [self._keys.public, *handlers.keys]
        section = seal(self._keys, self.installation, name, kind, text, self.kid, readers)
        request = service.PutSectionRequest(section=section, request_id=new_request_id())
        answer = await self.call("PutSection", request, service.PutSectionResponse)
        require(answer.section.name == name, "another section")
        return answer.section

    async def headers(self, incident: str = "") -> AsyncIterator[wire.SectionHeader]:
        """Yields sections and messages, oldest first."""
        name = incident or (await self.find()).name

        async def fetch(token: str) -> service.ListSectionsResponse:
            request = service.ListSectionsRequest(incident=name, page_token=token)
            return await self.call("ListSections", request, service.ListSectionsResponse)

        async for header in every(fetch, lambda page: page.sections):
            yield header

    async def read(self, sections: Sequence[str]) -> list[Text]:
        """Opens sections of the reporter's own incident; each opening is recorded.

        One that its author sealed wrongly is among them as `Unopened`.

        Raises:
            Unverified: a text is not what it says; nothing is shown.
        """
        return texts_of(await self._looked_at(sections))

    async def mailbox(self) -> list[Text]:
        """Returns the messages between reporter and handlers, oldest first."""
        names = [header.name async for header in self.headers() if header.kind == common.KIND_MESSAGE]
        return await self.read(names)

    async def change_intake(self, people: Sequence[Person], shared: Sequence[str] = ()) -> wire.Report:
        """Replaces the intake; those who are no longer named lose their seats before this returns.

        Args:
            people: Who handles from now on, verified people from `circle()`.
            shared: Earlier sections that those who join may read; one that does not open cannot be shared.
        """
        report = await self.find()
        joining = [person.keys for person in people if person.kid not in report.handler_kids]
        contents = [item for item in await self._looked_at(shared) if isinstance(item, Content)]
        wraps = [content.wrap(keys, report.name, ()) for content in contents for keys in joining]
        request = service.ChangeIntakeRequest(
            incident=report.name,
            intake=self.voice.intake(report.name, report.production, people),
            wraps=wraps,
            request_id=new_request_id(),
        )
        answer = await self.call("ChangeIntake", request, service.ChangeIntakeResponse)
        # Seen now, so that the intake before it is never taken for the newest again.
        self._signed_intake(answer.report)
        return answer.report

    async def exclude(self, subjects: Sequence[str] = (), organisations: Sequence[str] = ()) -> wire.Report:
        """Excludes people or organisations, for ever; reading stops before this returns."""
        report = await self.find()
        request = service.ExcludeRequest(
            incident=report.name,
            exclusion=self.voice.exclusion(report.name, subjects, organisations),
            request_id=new_request_id(),
        )
        answer = await self.call("Exclude", request, service.ExcludeResponse)
        return answer.report

    async def withdraw_report(self) -> wire.Report:
        """Withdraws the whole report: nobody but the reporter can open anything when this returns."""
        report = await self.find()
        request = service.WithdrawReportRequest(
            incident=report.name,
            withdrawal=self.voice.withdrawal(report.name),
            request_id=new_request_id(),
        )
        answer = await self.call("WithdrawReport", request, service.WithdrawReportResponse)
        return answer.report

    async def openings(self) -> AsyncIterator[Seen]:
        """Yields who opened what and when, newest first.

        Raises:
            Unverified: nobody vouches for one of those who opened.
        """
        report = await self.find()

        async def fetch(token: str) -> service.ListOpeningsResponse:
            request = service.ListOpeningsRequest(incident=report.name, page_token=token)
            return await self.call("ListOpenings", request, service.ListOpeningsResponse)

        async for seen in every(
            fetch, lambda page: [seen_by(item, Book(self.installation, page.book)) for item in page.openings]
        ):
            yield seen

    async def contents(self, sections: Sequence[str]) -> list[Content]:
        """Opens and verifies sections, keeping their content keys for handing them on.

        Raises:
            Unverified: one of them is not what it says, or does not open.
        """
        return all_open(await self._looked_at(sections))

    async def _looked_at(self, sections: Sequence[str]) -> list[Content | Unopened]:
        report = await self.find()
        opened = await in_turns(sections, functools.partial(self._opened, report.name))
        others = {section.header.author_kid for section in opened} - {self.kid}
        authors = await self._known_author(report, others) if others else {}
        reader = Reader(self._eyes, self._keys.public, report.name, (), authors)
        return [reader.look(section, report.name) for section in opened]

    async def _authors(self, report: wire.Report) -> tuple[Book, Circle]:
        answer = await self._circle(report.name)
        return Book(self.installation, answer.handlers), Circle(answer.circle, self.installation)

    async def _handlers(self, report: wire.Report) -> Handlers:
        """Returns the handlers of the intake that this reporter signed: whom to seal to."""
        book, _ = await self._authors(report)
        return handlers_of(self._signed_intake(report), book, report.handler_kids)

    async def _known_author(self, report: wire.Report, kids: set[str]) -> Authors:
        """Returns who wrote: counsellors of this circle, those included who have left the intake since."""
        book, circle = await self._authors(report)
        return writers(kids, book, self._signed_intake(report), circle)

    def _signed_intake(self, report: wire.Report) -> said.Intake:
        """Returns the newest intake; going back to an older one than was seen is refused."""
        intake = verified_intake(report.intake, self._keys.public, self.installation, report.name)
        self._pins.check(report.name, self.kid, intake.sequence)
        return intake

    async def _opened(self, incident: str, sections: Sequence[str]) -> list[wire.OpenedSection]:
        request = service.ReporterServiceOpenSectionsRequest(
            incident=incident, sections=sections, request_id=new_request_id()
        )
        answer = await self.call("OpenSections", request, service.ReporterServiceOpenSectionsResponse)
        require([section.header.name for section in answer.sections] == list(sections), "sections")
        return list(answer.sections)

    async def _circle(self, incident: str) -> service.GetCircleResponse:
        return await self.call(
            "GetCircle", service.GetCircleRequest(incident=incident), service.GetCircleResponse
        )

    async def call(self, method: str, request: Message, answer: type[M], *, patient: bool = False) -> M:
        """Calls a method of the disclosure service with the reporter's key."""
        within_s = REPORT_WITHIN_S if patient else 30.0
        return await self._connection.call(
            DISCLOSURE + method,
            request,
            answer,
            self._credentials,
            within_s=within_s,
            repeat_when_exhausted=patient,
        )
