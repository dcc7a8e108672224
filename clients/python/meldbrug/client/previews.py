"""What a reporter is shown before the answer, what can be answered, and what was answered before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.statements.v1 import statements_pb2 as said

from .circle import Circle, Person
from .errors import MeldbrugError
from .reading import Author, Content, Text, require


@dataclass(frozen=True)
class Preview:
    """A notice exactly as its readers would see it, verified.

    Attributes:
        request: What the handler asks.
        texts: What readers would read, in their order.
        readers: Who they are, by name and role; systems are marked.
        organisation_title: Whose they are.
        handler: Who asks.
        decision: The handler's signed ground.
    """

    request: wire.ConsentRequest
    texts: tuple[Text, ...]
    readers: tuple[Person, ...]
    organisation_title: str
    handler: Author
    decision: said.Decision
    language: common.Language.ValueType
    contents: tuple[Content, ...] = field(repr=False)

    @property
    def valid_until(self) -> datetime:
        """Returns until when at the latest."""
        return self.request.valid_until.ToDatetime(tzinfo=UTC)


@dataclass(frozen=True)
class Yes:
    """A part of what was asked; what is left out stays as it was asked.

    Attributes:
        reader_kids: Only these readers.
        sections: Only these sections.
        purposes: Only these purposes.
        valid_until: Only until then, whole seconds.
    """

    reader_kids: Sequence[str] = ()
    sections: Sequence[str] = ()
    purposes: Sequence[common.Purpose.ValueType] = ()
    valid_until: datetime | None = None


@dataclass(frozen=True)
class Act:
    """One act of the reporter on a notice, as signed.

    Attributes:
        notice: `incidents/{incident}/notices/{notice}`.
        kind: Consent, refusal or withdrawal.
        statement: What was signed, verified.
        create_time: When the service stored it, as the service says.
    """

    notice: str
    kind: StatementKind
    statement: said.Consent | said.Refusal | said.Withdrawal
    create_time: datetime


WHOLE = Yes()
"""Everything that was asked."""


def organisation_title(circle: Circle, participation: str, readers: Sequence[Person]) -> str:
    """Returns whose readers these are, as it was vouched for with each of them.

    The list of participations and organisations is nobody's statement: what is shown with it must not be
    another organisation than the one the readers belong to.

    Raises:
        Unverified: a reader is of another organisation than the recipient.
    """
    organisation = circle.organisation(participation).name
    require(all(reader.member.organisation == organisation for reader in readers), "readers' organisation")
    vouched = [reader.member.organisation_title for reader in readers]
    return vouched[0] if vouched else circle.titles()[organisation]


def chosen_sections(preview: Preview, part: Yes) -> list[Content]:
    """Returns the sections of a part.

    Raises:
        MeldbrugError: it has none, or one that was not asked for.
    """
    by_name = {content.header.name: content for content in preview.contents}
    if any(name not in by_name for name in part.sections):
        raise MeldbrugError("a section was not asked for")
    chosen = [content for name, content in by_name.items() if not part.sections or name in part.sections]
    if not chosen:
        raise MeldbrugError("nothing is left to consent to")
    return chosen


def chosen_readers(preview: Preview, part: Yes) -> list[Person]:
    """Returns the readers of a part.

    Raises:
        MeldbrugError: it has none, or one who was not asked for.
    """
    kids = [reader.kid for reader in preview.readers]
    if any(kid not in kids for kid in part.reader_kids):
        raise MeldbrugError("a reader was not asked for")
    chosen = [reader for reader in preview.readers if not part.reader_kids or reader.kid in part.reader_kids]
    if not chosen:
        raise MeldbrugError("nobody is left to consent to")
    return chosen


def chosen_purposes(preview: Preview, part: Yes) -> list[common.Purpose.ValueType]:
    """Returns the purposes of a part.

    Raises:
        MeldbrugError: it has one that was not asked for.
    """
    asked = preview.request.purposes
    if any(purpose not in asked for purpose in part.purposes):
        raise MeldbrugError("a purpose was not asked for")
    return [purpose for purpose in asked if not part.purposes or purpose in part.purposes]
