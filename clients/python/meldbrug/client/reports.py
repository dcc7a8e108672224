"""What a reporter sends and sees: a report before it is sent, and who opened it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.crypto.chains import VerifiedMember
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service

from .book import Book
from .circle import Person
from .device import new_id, new_request_id
from .reading import require
from .sealing import seal
from .speaking import Voice


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


def submission(
    draft: Draft, keys: SecretKeys, installation: str, voice: Voice
) -> service.SubmitReportRequest:
    """Returns a draft sealed and signed, as a new incident of the reporter with these keys."""
    incident = f"incidents/{new_id()}"
    readers = [keys.public, *(person.keys for person in draft.intake)]
    sections = [
        seal(keys, installation, f"{incident}/sections/{new_id()}", kind, text, keys.kid, readers)
        for kind, text in draft.texts.items()
    ]
    request = service.SubmitReportRequest(
        incident=incident,
        intake=voice.intake(incident, draft.production, draft.intake),
        sections=sections,
        categories=draft.categories,
        language=draft.language,
        request_id=new_request_id(),
    )
    if draft.excluded_subjects or draft.excluded_organisations:
        exclusion = voice.exclusion(incident, draft.excluded_subjects, draft.excluded_organisations)
        request.exclusion.CopyFrom(exclusion)
    return request


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
