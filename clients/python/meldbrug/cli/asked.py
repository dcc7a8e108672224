"""What was asked of a reporter: which request a number or name means, and whom it concerns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from meldbrug.client import Circle, Consents, MeldbrugError, Person, Preview, ReporterClient
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.disclosure.v1.disclosure_pb2 import ConsentRequest

from .output import Screen
from .problems import Problem


@dataclass(frozen=True)
class Whom:
    """Whom a notice is for.

    Attributes:
        notice: `incidents/{incident}/notices/{notice}`.
        organisation: Title of the recipient; empty where nobody vouches for it.
        readers: Names of those who would read; empty where nobody vouches for them.
    """

    notice: str
    organisation: str = ""
    readers: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Returns it for a question or a result; the notice itself where there are no names."""
        named = ", ".join(self.readers)
        if not self.organisation:
            return self.notice
        return f"{self.organisation} ({named})" if named else self.organisation

    @property
    def data(self) -> dict[str, Any]:
        """Returns it as JSON."""
        return {"organisation": self.organisation, "readerNames": list(self.readers)}


async def oldest_first(consents: Consents) -> list[ConsentRequest]:
    """Returns every request, oldest first: the list only grows, so that a number stays with its request."""
    return [request async for request in consents.requests()][::-1]


async def notice_of(consents: Consents, choice: str) -> str:
    """Returns the notice that is meant, by name or by number in the list.

    Raises:
        Problem: no request has that number.
    """
    if not choice.isdecimal():
        return choice
    return _numbered(await oldest_first(consents), choice)


async def notice_to_answer(consents: Consents, screen: Screen, choice: str, *, unasked: bool) -> str:
    """Returns the notice to answer; a bare number that nobody is asked about must leave no choice.

    Args:
        consents: Of the reporter.
        screen: Where is shown what happens.
        choice: Name, or number in the list.
        unasked: Whether the answer is given without a question that names whom it concerns.

    Raises:
        Problem: no request has that number, or there are more and nobody is asked.
    """
    if not choice.isdecimal():
        return choice
    requests = await oldest_first(consents)
    if len(requests) > 1 and (unasked or screen.as_json):
        raise Problem(screen.words("name-the-notice"))
    return _numbered(requests, choice)


async def whom_of(reporter: ReporterClient, notice: str, only: Iterable[str] = ()) -> Whom:
    """Returns whom a notice is for, as far as it verifies: what does not must keep nobody from saying no.

    Args:
        reporter: Who was asked.
        notice: `incidents/{incident}/notices/{notice}`.
        only: Keys of the readers it is about; all who were asked for when empty.
    """
    answer = await reporter.call(
        "GetConsentRequest",
        service.GetConsentRequestRequest(notice=notice),
        service.GetConsentRequestResponse,
    )
    asked = answer.consent_request
    wanted = set(only) or set(asked.reader_kids)
    try:
        circle = Circle(answer.circle, reporter.installation)
        contacts = circle.safety_contacts(asked.recipient)
        title = circle.titles()[circle.organisation(asked.recipient).name]
    except (MeldbrugError, KeyError):
        return Whom(notice)
    return Whom(notice, title, _names(person for person in contacts if person.kid in wanted))


def whom_in(found: Preview, only: Iterable[str] = ()) -> Whom:
    """Returns whom a preview is for, or the part of its readers with these keys."""
    wanted = set(only) or {reader.kid for reader in found.readers}
    readers = _names(reader for reader in found.readers if reader.kid in wanted)
    return Whom(found.request.notice, found.organisation_title, readers)


def _names(people: Iterable[Person]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(person.member.subject_name for person in people))


def _numbered(requests: list[ConsentRequest], choice: str) -> str:
    if not 1 <= int(choice) <= len(requests):
        raise Problem(f"there is no number {choice} in the list")
    return requests[int(choice) - 1].notice
