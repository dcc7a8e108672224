"""What a reporter sends and sees: a report before it is sent, and who opened it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto.chains import VerifiedMember
from meldbrug.disclosure.v1 import disclosure_pb2 as wire

from .book import Book
from .circle import Person
from .reading import require


@dataclass(frozen=True)
class Draft:
    """A report before it is sent.

    Attributes:
        texts: What is told, by kind.
        intake: Who handles it, verified people from a circle.
        production: `productions/{production}`; empty for the standing entry.
        categories: What kind of behaviour; may be empty.
        language: The reporter's.
        excluded_subjects: Persons and systems who must never know.
        excluded_organisations: Organisations whose people must never know.
    """

    texts: Mapping[common.Kind.ValueType, str]
    intake: Sequence[Person]
    production: str = ""
    categories: Sequence[common.Category.ValueType] = ()
    language: common.Language.ValueType = common.LANGUAGE_NL
    excluded_subjects: Sequence[str] = ()
    excluded_organisations: Sequence[str] = ()


@dataclass(frozen=True)
class Seen:
    """One recorded opening, and who it was.

    Attributes:
        opening: As recorded before a byte left.
        who: Whose key opened, verified; None for the reporter's own openings.
        role: The role it was opened in, as its organisation gave it; empty for the reporter.
    """

    opening: wire.Opening
    who: VerifiedMember | None
    role: str


def seen_by(opening: wire.Opening, book: Book) -> Seen:
    """Returns an opening with who it was, as `book` proves.

    Raises:
        Unverified: nobody vouches for whoever opened, or for the role.
    """
    if opening.capacity == common.OPENING_CAPACITY_REPORTER:
        return Seen(opening, None, "")
    member = book.member(opening.kid)
    require(member.subject == opening.subject, "opening by another")
    is_reader = opening.capacity == common.OPENING_CAPACITY_READER
    held = book.appointment_of(
        opening.kid,
        participation=opening.participation,
        capacity=common.CAPACITY_SAFETY_CONTACT if is_reader else common.CAPACITY_COUNSELLOR,
    )
    return Seen(opening, member, held.role)
