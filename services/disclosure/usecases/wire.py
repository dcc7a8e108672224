"""Between the wire's messages and the domain's values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Row

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.sealing import SealedSection, SectionContext
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.statements.v1 import statements_pb2
from services.disclosure.domain import Said, SectionRef, Wrap, incident_of
from services.kernel.errors import InvalidArgument

# The last second of year 9999: what a Timestamp and a datetime can both hold.
LAST_SECOND = 253_402_300_799


def moment(stamp: Timestamp) -> datetime:
    """Reads a moment of a period. Raises InvalidArgument when it is none."""
    if not 0 <= stamp.seconds <= LAST_SECOND or not 0 <= stamp.nanos < 10**9 or stamp.nanos % 1000:
        raise InvalidArgument("PERIOD_MISMATCH")
    return stamp.ToDatetime(tzinfo=UTC)


def stamp(moment: datetime | None) -> Timestamp | None:
    """Writes a moment; nothing for none."""
    if moment is None:
        return None
    written = Timestamp()
    written.FromDatetime(moment.astimezone(UTC))
    return written


def signed(statement: bytes, signature: bytes) -> common_pb2.Signed:
    """A statement as stored, untouched."""
    return common_pb2.Signed(statement=statement, signature=signature)


def public_keys(row: Row[Any]) -> common_pb2.PublicKeys:
    """The reporter's keys of an incident."""
    return common_pb2.PublicKeys(signing=row.reporter_signing, sealing=row.reporter_sealing)


def place(installation: str, header: pb.SectionHeader) -> SectionContext:
    """Where a section says it belongs."""
    return SectionContext(installation, incident_of(header.name), header.name, header.version, header.kind)


def sealed(section: pb.NewSection) -> SealedSection:
    """A section as the crypto library checks it."""
    header = section.header
    return SealedSection(
        ciphertext=section.ciphertext,
        digest=header.digest,
        commitment=header.commitment,
        author_kid=header.author_kid,
        author_signature=header.author_signature,
        reporter_kid=header.reporter_kid,
    )


def wraps(messages: Iterable[pb.Wrap]) -> list[Wrap]:
    """Wraps as the domain knows them."""
    return [Wrap(wrap.section, wrap.version, wrap.reader_kid, wrap.wrap) for wrap in messages]


def refs(messages: Iterable[statements_pb2.SectionRef]) -> tuple[SectionRef, ...]:
    """Sections as statements name them."""
    return tuple(
        SectionRef(ref.section, ref.version, ref.kind, ref.digest, ref.commitment) for ref in messages
    )


def ref_messages(refs: Iterable[SectionRef]) -> list[statements_pb2.SectionRef]:
    """The same, for an answer."""
    return [
        statements_pb2.SectionRef(
            section=ref.section,
            version=ref.version,
            kind=ref.kind,  # type: ignore[arg-type]  # a number of the enum, as stored
            digest=ref.digest,
            commitment=ref.commitment,
        )
        for ref in refs
    ]


def consented(consent: statements_pb2.Consent) -> Said:
    """What a consent statement says of what was asked."""
    return Said(
        recipient=consent.recipient,
        reader_kids=tuple(consent.reader_kids),
        sections=refs(consent.sections),
        purposes=tuple(consent.purposes),
        valid_from=moment(consent.valid_from),
        valid_until=moment(consent.valid_until),
        terms_version=consent.terms_version,
    )


def section_header(row: Row[Any]) -> pb.SectionHeader:
    """A stored section without its content."""
    return pb.SectionHeader(
        name=row.name,
        version=row.version,
        kind=row.kind,
        digest=row.digest,
        commitment=row.commitment,
        author_kid=row.author_kid,
        reporter_kid=row.reporter_kid,
        author_signature=row.author_signature,
        create_time=stamp(row.create_time),
    )
