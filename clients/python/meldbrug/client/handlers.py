"""Who handles a report: the people of an intake that the reporter signed, each verified from the root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.statements.v1 import statements_pb2 as said

from .book import Book
from .circle import Circle
from .errors import Unverified
from .reading import Author, require, spoken

Authors = Mapping[str, tuple[Author, PublicKeys]]


@dataclass(frozen=True)
class Handlers:
    """Who handles the report now: whom a text is sealed to."""

    authors: Authors

    @property
    def keys(self) -> list[PublicKeys]:
        """Returns their public keys."""
        return [keys for _, keys in self.authors.values()]


@dataclass(frozen=True)
class Case:
    """A report as its handler sees it, verified.

    Attributes:
        report: As served.
        reporter: The pinned reporter's keys.
        intake: The reporter's newest choice of handlers; it names these eyes.
        handlers: Who they are: whom a text is sealed to.
    """

    report: wire.HandledReport
    reporter: PublicKeys
    intake: said.Intake
    handlers: Handlers


def verified_intake(
    signed: common.Signed, reporter: PublicKeys, installation: str, incident: str
) -> said.Intake:
    """Returns the intake that the reporter signed for this incident.

    Raises:
        Unverified: somebody else signed it, or it is for another incident.
    """
    intake = spoken(StatementKind.INTAKE, signed, reporter, said.Intake)
    require((intake.installation, intake.incident) == (installation, incident), "intake of another incident")
    require(intake.reporter_kid == reporter.kid, "intake of another reporter")
    return intake


def handlers_of(intake: said.Intake, book: Book, kids: Iterable[str]) -> Handlers:
    """Returns the holders of `kids` as handlers that the intake names, themselves or by an earlier key.

    Raises:
        Unverified: one of them was not chosen, or does not hold the role it was chosen for.
    """
    return Handlers({kid: (_handler(intake, book, kid), book.keys(kid)) for kid in kids})


def counsellor(book: Book, kid: str, participations: Sequence[str]) -> Author:
    """Returns the counsellor whose key wrote something, appointed at one of `participations`, now or once.

    Raises:
        Unverified: the book proves no such role.
    """
    failed = Unverified("author is no counsellor here")
    for participation in dict.fromkeys(participations):
        try:
            held = book.appointment_of(kid, participation=participation, capacity=common.CAPACITY_COUNSELLOR)
            return Author(kid, is_reporter=False, member=book.member(kid), appointment=held)
        except Unverified as error:
            failed = error
    raise failed


def writers(kids: Iterable[str], book: Book, intake: said.Intake, circle: Circle | None = None) -> Authors:
    """Returns whose keys wrote: counsellors of the intake, and of the circle for those who left the intake.

    Raises:
        Unverified: one of them is no such counsellor.
    """
    participations = [handler.participation for handler in intake.handlers]
    participations += [part.name for part in circle.served.participations] if circle else []
    return {kid: (counsellor(book, kid, participations), book.keys(kid)) for kid in kids}


def _handler(intake: said.Intake, book: Book, kid: str) -> Author:
    member = book.member(kid)
    chosen = next((handler for handler in intake.handlers if handler.kid in member.kids), None)
    if chosen is None:
        raise Unverified("handler whom the reporter did not choose")
    held = book.appointment(
        chosen.appointment, participation=chosen.participation, capacity=common.CAPACITY_COUNSELLOR
    )
    require((held.subject, held.kid in member.kids) == (member.subject, True), "handler's role")
    return Author(kid, is_reporter=False, member=member, appointment=held)
