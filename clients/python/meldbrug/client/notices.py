"""A notice as its reader may read it: held against decision, consent and re-wraps before that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import CryptoError, PublicKeys, digest_of, statements, tokens
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .book import Book
from .errors import Unverified
from .handlers import Authors, counsellor
from .reading import Author, Eyes, Reader, Text, incident_of, keys_of, require, spoken

CLOCK_TOLERANCE: Final = timedelta(seconds=tokens.TOKEN_LIFETIME_S + tokens.CLOCK_SKEW_S)
"""How far a device's clock may be off before a token is refused and the clock corrected."""


@dataclass(frozen=True)
class OpenedNotice:
    """A notice as its reader may read it, and by whose yes.

    Attributes:
        notice: `incidents/{incident}/notices/{notice}`.
        texts: What was opened, by kind.
        consent: The reporter's statement, verified.
        decision: The handler's statement, verified.
        handler: Who decided to propose it.
    """

    notice: str
    texts: tuple[Text, ...]
    consent: said.Consent
    decision: said.Decision
    handler: Author


def read_notice(
    eyes: Eyes,
    notice: str,
    asked: Sequence[int],
    purpose: int,
    answer: service.OpenSectionsResponse,
    book: Book,
    sender: str,
    now: datetime,
) -> OpenedNotice:
    """Returns a notice's texts after checking every statement that lets these eyes read them.

    Args:
        eyes: Whose key reads.
        notice: What was asked for.
        asked: Kinds asked for; empty for all.
        purpose: As stated.
        answer: What the server gave.
        book: What vouches for the handler and for these eyes' own earlier keys.
        sender: The participation that the stub names as sender.
        now: The corrected time.

    Raises:
        Unverified: any of it is not what it says.
    """
    reporter = keys_of(answer.reporter_keys)
    decision, handler = _decision(answer.decision, notice, reporter, book, sender, eyes.installation)
    consent = _consent(answer.consent, notice, reporter, decision, eyes.installation)
    _require_in_force(consent, now)
    require(purpose in consent.purposes, "purpose")
    promised = _promised(consent, answer.rewraps, eyes, book)
    listed = {(ref.section, ref.version): ref for ref in consent.sections}
    reader = Reader(
        eyes,
        reporter,
        consent.consent,
        consent.purposes,
        {handler.kid: (handler, book.keys(handler.kid)), **_others(answer, reporter, handler, book, sender)},
    )
    texts = []
    for opened in answer.sections:
        ref = listed.get((opened.header.name, opened.header.version))
        require(ref is not None and _same(ref, opened.header), "section that was not consented to")
        require(
            digest_of(opened.wrap.wrap) == promised.get(opened.header.name), "wrap that was not consented to"
        )
        texts.append(reader.content(opened, incident_of(notice)).text)
    require(not asked or {text.kind for text in texts} == set(asked), "kinds")
    return OpenedNotice(notice, tuple(texts), consent, decision, handler)


def _require_in_force(consent: said.Consent, now: datetime) -> None:
    since, until = (stamp.ToDatetime(tzinfo=UTC) for stamp in (consent.valid_from, consent.valid_until))
    require(since <= now + CLOCK_TOLERANCE and now - CLOCK_TOLERANCE < until, "consent is not in force")


def _others(
    answer: service.OpenSectionsResponse, reporter: PublicKeys, handler: Author, book: Book, sender: str
) -> Authors:
    """Returns handlers other than the one who decided whose texts are in the answer."""
    kids = {opened.header.author_kid for opened in answer.sections} - {reporter.kid, handler.kid}
    return {kid: (counsellor(book, kid, [sender]), book.keys(kid)) for kid in kids}


def _same(ref: said.SectionRef, header: wire.SectionHeader) -> bool:
    return (ref.kind, ref.digest, ref.commitment) == (header.kind, header.digest, header.commitment)


def _decision(
    signed: common.Signed, notice: str, reporter: PublicKeys, book: Book, sender: str, installation: str
) -> tuple[said.Decision, Author]:
    try:
        claimed = statements.parse(StatementKind.DECISION, signed, said.Decision)
    except CryptoError as error:
        raise Unverified("decision") from error
    handler = counsellor(book, claimed.handler_kid, [sender])
    decision = spoken(StatementKind.DECISION, signed, book.keys(claimed.handler_kid), said.Decision)
    require(decision.installation == installation and decision.notice == notice, "decision on another notice")
    require(decision.reporter_kid == reporter.kid, "decision about another reporter")
    require(decision.stands, "decision does not stand")
    return decision, handler


def _consent(
    signed: common.Signed, notice: str, reporter: PublicKeys, decision: said.Decision, installation: str
) -> said.Consent:
    consent = spoken(StatementKind.CONSENT, signed, reporter, said.Consent)
    require(consent.installation == installation and consent.notice == notice, "consent to another notice")
    require(consent.incident == incident_of(notice), "consent on another incident")
    require(consent.reporter_kid == reporter.kid, "consent of another reporter")
    require(consent.recipient == decision.recipient, "consent for another recipient")
    return consent


def _promised(
    consent: said.Consent, rewraps: Sequence[common.Signed], eyes: Eyes, book: Book
) -> Mapping[str, bytes]:
    """Returns the digest of each section's wrap for these eyes, by the consent or re-wraps from it."""
    if eyes.kid in consent.reader_kids:
        return {wrap.section: wrap.wrap_digest for wrap in consent.wraps if wrap.reader_kid == eyes.kid}
    handed = _handed_over(rewraps, consent, eyes, book)
    commitments = {(ref.section, ref.version): ref.commitment for ref in consent.sections}
    require(
        all(commitments.get((item.section, item.version)) == item.commitment for item in handed), "re-wrap"
    )
    return {item.section: item.wrap_digest for item in handed}


def _handed_over(
    rewraps: Sequence[common.Signed], consent: said.Consent, eyes: Eyes, book: Book
) -> list[said.Rewrap.Item]:
    """Returns what re-wraps hand to these eyes, each step signed by the key before it.

    Raises:
        Unverified: no unbroken line leads from the readers consented to to these eyes.
    """
    right = (eyes.installation, consent.incident, consent.consent)
    reached, handed = set(consent.reader_kids), dict[str, list[said.Rewrap.Item]]()
    for signed in rewraps:
        try:
            claimed = statements.parse(StatementKind.REWRAP, signed, said.Rewrap)
        except CryptoError as error:
            raise Unverified("re-wrap") from error
        require(claimed.old_kid in reached, "re-wrap by another")
        step = spoken(StatementKind.REWRAP, signed, book.keys(claimed.old_kid), said.Rewrap)
        require((step.installation, step.incident, step.grant) == right, "re-wrap of another grant")
        reached.add(step.new_kid)
        handed.setdefault(step.new_kid, []).extend(step.items)
    require(eyes.kid in handed, "reader")
    return handed[eyes.kid]
