"""What is checked before a text is shown: who wrote it, that it is whole, and by whose yes it is read.

Three doors, one core. Nothing is returned unless every section of the answer verified; no check is optional.
A mailbox or a case names a section that is as its author signed it but does not open, and goes on with the
others: else one author who seals wrongly closes it for ever, and a server that exchanges a wrap could as well
have left the section out. A notice or a preview is whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import (
    CryptoError,
    PublicKeys,
    SealedSection,
    SecretKeys,
    SectionContext,
    open_section,
    statements,
    unwrap_key,
    verify_sealed,
)
from meldbrug.crypto.chains import VerifiedAppointment, VerifiedMember
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.statements.v1 import statements_pb2 as said

from .errors import DoesNotOpen, Unverified
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
        text: What it says; empty when it is no text.
        author: Who wrote it.
        create_time: When the service stored it, as the service says.
        data: What evidence holds that is no text, a picture for instance; empty for every text.
    """

    section: str
    version: int
    kind: common.Kind.ValueType
    text: str
    author: Author
    create_time: datetime
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Unopened(Text):
    """A section that its author signed but that does not open for these eyes; `text` and `data` are empty."""


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


def texts_of(items: Iterable[Content | Unopened]) -> list[Text]:
    """Returns what is shown of each, in their order."""
    return [item.text if isinstance(item, Content) else item for item in items]


def all_open(items: Iterable[Content | Unopened]) -> list[Content]:
    """Returns the contents.

    Raises:
        DoesNotOpen: one of them did not open.
    """
    contents = []
    for item in items:
        if not isinstance(item, Content):
            raise DoesNotOpen
        contents.append(item)
    return contents


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
            DoesNotOpen: it is as its author signed it, but does not open for these eyes.
        """
        found = self.look(opened, incident)
        if isinstance(found, Unopened):
            raise DoesNotOpen
        return found

    def look(self, opened: wire.OpenedSection, incident: str) -> Content | Unopened:
        """Returns one section with its content key, or that it does not open.

        Raises:
            Unverified: place, author or text is not what it says.
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
        sealed = _signed(opened, context, keys)
        stored = header.create_time.ToDatetime(tzinfo=UTC)
        try:
            cek = unwrap_key(opened.wrap.wrap, self._eyes.keys, context, self._grant, self._purposes)
            text, data = _told(open_section(context, sealed, cek, keys), header.kind)
        except (CryptoError, UnicodeDecodeError):
            return Unopened(header.name, header.version, header.kind, "", author, stored)
        shown = Text(header.name, header.version, header.kind, text, author, stored, data)
        return Content(shown, header, context, cek)


def _signed(opened: wire.OpenedSection, context: SectionContext, author: PublicKeys) -> SealedSection:
    """Returns the section as its author signed it.

    Raises:
        Unverified: the ciphertext or anything about it is not what the author signed.
    """
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
        verify_sealed(context, sealed, author)
    except CryptoError as error:
        raise Unverified("content") from error
    return sealed


def _told(content: bytes, kind: int) -> tuple[str, bytes]:
    """Returns a content as text, or as the bytes that evidence alone may be.

    Raises:
        UnicodeDecodeError: it should be text, and is none.
    """
    try:
        return content.decode(), b""
    except UnicodeDecodeError:
        if kind != common.KIND_EVIDENCE:
            raise
        return "", content
