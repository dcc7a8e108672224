"""What is checked before a text is shown: who wrote it, that it is whole, and by whose yes it is read.

Three doors, one core. Nothing is returned unless every section of the answer verified; no check is optional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import (
    CryptoError,
    PublicKeys,
    SealedSection,
    SecretKeys,
    SectionContext,
    digest_of,
    open_section,
    statements,
    unwrap_key,
)
from meldbrug.crypto.chains import VerifiedAppointment, VerifiedMember
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .book import Book
from .errors import Unverified
from .sealing import wrap_for


@dataclass(frozen=True)
class Author:
    """Who wrote a text: the reporter, or a member with the role an admin of its organisation gave it."""

    kid: str
    is_reporter: bool
    member: VerifiedMember | None = None
    appointment: VerifiedAppointment | None = None


@dataclass(frozen=True)
class Text:
    """One section, opened and verified.

    Attributes:
        section: `incidents/{incident}/sections/{section}`.
        version: Counted from 1.
        kind: Number of the `Kind`.
        text: What it says.
        author: Who wrote it.
        create_time: When the service stored it, as the service says.
    """

    section: str
    version: int
    kind: common.Kind.ValueType
    text: str
    author: Author
    create_time: datetime


@dataclass(frozen=True)
class Content:
    """A verified section with the key that opens it: what its holder may hand on."""

    text: Text
    header: wire.SectionHeader
    context: SectionContext
    cek: bytes = field(repr=False)

    @property
    def ref(self) -> said.SectionRef:
        """Returns how statements name it."""
        header = self.header
        return said.SectionRef(
            section=header.name,
            version=header.version,
            kind=header.kind,
            digest=header.digest,
            commitment=header.commitment,
        )

    def wrap(self, reader: PublicKeys, grant: str, purposes: Sequence[int]) -> wire.Wrap:
        """Returns the content key sealed to `reader` under a grant."""
        return wrap_for(reader, self.cek, self.context, grant, purposes)


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


@dataclass(frozen=True)
class Eyes:
    """Whose eyes read: the keys of this device and the installation they belong to."""

    installation: str
    keys: SecretKeys

    @property
    def kid(self) -> str:
        """Returns the reading key."""
        return self.keys.kid


def incident_of(name: str) -> str:
    """Returns the incident that a section or notice belongs to."""
    return "/".join(name.split("/")[:2])


def keys_of(served: common.PublicKeys, kid: str = "") -> PublicKeys:
    """Returns served public keys; they must be those of `kid` when one is named.

    Raises:
        Unverified: they are malformed, or another's.
    """
    try:
        keys = PublicKeys(served.signing, served.sealing)
    except CryptoError as error:
        raise Unverified("key") from error
    require(not kid or keys.kid == kid, "key of another")
    return keys


def require(holds: object, what: str) -> None:
    """Raises `Unverified(what)` unless the check holds."""
    if not holds:
        raise Unverified(what)


def spoken(
    kind: StatementKind, signed: common.Signed, signer: PublicKeys, cls: type[statements.M]
) -> statements.M:
    """Returns a statement that `signer` made.

    Raises:
        Unverified: it is another's, or malformed.
    """
    try:
        return statements.verify(kind, signed, signer, cls)
    except CryptoError as error:
        raise Unverified(f"{kind.value}: {error.detail}") from error


def verified_intake(
    signed: common.Signed, reporter: PublicKeys, installation: str, incident: str
) -> said.Intake:
    """Returns the intake that the reporter signed for this incident."""
    intake = spoken(StatementKind.INTAKE, signed, reporter, said.Intake)
    require(intake.installation == installation and intake.incident == incident, "intake of another incident")
    require(intake.reporter_kid == reporter.kid, "intake of another reporter")
    return intake


def handler_author(book: Book, kid: str, participations: Sequence[str]) -> Author:
    """Returns the counsellor whose key wrote something, appointed at one of `participations`.

    Raises:
        Unverified: the book proves no such role.
    """
    failed = Unverified("author is no counsellor here")
    for participation in participations:
        try:
            held = book.appointment_of(kid, participation=participation, capacity=common.CAPACITY_COUNSELLOR)
        except Unverified as error:
            failed = error
        else:
            return Author(kid, is_reporter=False, member=book.member(kid), appointment=held)
    raise failed


class Reader:
    """Opens sections through one door: one grant, one reporter, these eyes."""

    def __init__(
        self,
        eyes: Eyes,
        reporter: PublicKeys,
        grant: str,
        purposes: Sequence[int],
        authors: Mapping[str, tuple[Author, PublicKeys]],
    ) -> None:
        """Keeps what every section of the answer is held against."""
        self._eyes = eyes
        self._reporter = reporter
        self._grant = grant
        self._purposes = tuple(purposes)
        self._authors = {**authors, reporter.kid: (Author(reporter.kid, is_reporter=True), reporter)}

    def content(self, opened: wire.OpenedSection, incident: str) -> Content:
        """Returns one section with its content key.

        Raises:
            Unverified: place, author, text or key is not what it says.
        """
        header = opened.header
        require(incident_of(header.name) == incident, "section of another incident")
        require(header.reporter_kid == self._reporter.kid, "section pinned to another reporter")
        require(header.author_kid in self._authors, "author")
        require(opened.grant == self._grant, "grant")
        require(
            (opened.wrap.section, opened.wrap.version) == (header.name, header.version),
            "wrap of another section",
        )
        require(opened.wrap.reader_kid == self._eyes.kid, "wrap of another reader")
        author, keys = self._authors[header.author_kid]
        context = SectionContext(self._eyes.installation, incident, header.name, header.version, header.kind)
        cek, plain = self._plain(opened, keys, context)
        text = Text(
            section=header.name,
            version=header.version,
            kind=header.kind,
            text=plain,
            author=author,
            create_time=header.create_time.ToDatetime(tzinfo=UTC),
        )
        return Content(text, header, context, cek)

    def _plain(
        self, opened: wire.OpenedSection, author: PublicKeys, context: SectionContext
    ) -> tuple[bytes, str]:
        header = opened.header
        sealed = SealedSection(
            ciphertext=opened.ciphertext,
            digest=header.digest,
            commitment=header.commitment,
            author_kid=header.author_kid,
            author_signature=header.author_signature,
            reporter_kid=header.reporter_kid,
        )
        try:
            cek = unwrap_key(opened.wrap.wrap, self._eyes.keys, context, self._grant, self._purposes)
            return cek, open_section(context, sealed, cek, author).decode()
        except (CryptoError, UnicodeDecodeError) as error:
            raise Unverified("content") from error


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
    within = consent.valid_from.ToDatetime(tzinfo=UTC) <= now < consent.valid_until.ToDatetime(tzinfo=UTC)
    require(within, "consent is not in force")
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


def _others(
    answer: service.OpenSectionsResponse, reporter: PublicKeys, handler: Author, book: Book, sender: str
) -> dict[str, tuple[Author, PublicKeys]]:
    """Returns handlers other than the one who decided whose texts are in the answer."""
    kids = {opened.header.author_kid for opened in answer.sections} - {reporter.kid, handler.kid}
    return {kid: (handler_author(book, kid, [sender]), book.keys(kid)) for kid in kids}


def _same(ref: said.SectionRef, header: wire.SectionHeader) -> bool:
    return (ref.kind, ref.digest, ref.commitment) == (header.kind, header.digest, header.commitment)


def _decision(
    signed: common.Signed, notice: str, reporter: PublicKeys, book: Book, sender: str, installation: str
) -> tuple[said.Decision, Author]:
    try:
        claimed = statements.parse(StatementKind.DECISION, signed, said.Decision)
    except CryptoError as error:
        raise Unverified("decision") from error
    handler = handler_author(book, claimed.handler_kid, [sender])
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
    handed = handed_over(rewraps, consent.consent, consent.reader_kids, eyes, book)
    commitments = {(ref.section, ref.version): ref.commitment for ref in consent.sections}
    require(
        all(commitments.get((item.section, item.version)) == item.commitment for item in handed), "re-wrap"
    )
    return {item.section: item.wrap_digest for item in handed}


def handed_over(
    rewraps: Sequence[common.Signed], grant: str, first: Sequence[str], eyes: Eyes, book: Book
) -> list[said.Rewrap.Item]:
    """Returns what re-wraps hand to these eyes, each step signed by the key before it.

    Raises:
        Unverified: no unbroken line leads from `first` to these eyes.
    """
    reached, handed = set(first), dict[str, list[said.Rewrap.Item]]()
    for signed in rewraps:
        try:
            claimed = statements.parse(StatementKind.REWRAP, signed, said.Rewrap)
        except CryptoError as error:
            raise Unverified("re-wrap") from error
        require(claimed.old_kid in reached, "re-wrap by another")
        step = spoken(StatementKind.REWRAP, signed, book.keys(claimed.old_kid), said.Rewrap)
        require((step.installation, step.grant) == (eyes.installation, grant), "re-wrap of another grant")
        reached.add(step.new_kid)
        handed.setdefault(step.new_kid, []).extend(step.items)
    require(eyes.kid in handed, "reader")
    return handed[eyes.kid]
