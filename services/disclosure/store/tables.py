"""The tables of schema `disclosure`; the migrations beside this package make them."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    and_,
    exists,
    not_,
    or_,
    select,
)
from sqlalchemy.types import TypeDecorator

from services.disclosure import domain


class Coded(TypeDecorator[IntEnum]):
    """An enum of the domain, stored as its number on the wire."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, cls: type[IntEnum]) -> None:
        super().__init__()
        self.cls = cls

    def process_bind_param(self, value: IntEnum | None, dialect: Dialect) -> int | None:  # noqa: ARG002  SQLAlchemy's
        """Writes the number."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> IntEnum | None:  # noqa: ARG002  SQLAlchemy's
        """Reads the number back."""
        return None if value is None else self.cls(value)


METADATA = MetaData(schema="disclosure")
TIME = DateTime(timezone=True)
NUMBERS = ARRAY(SmallInteger)

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("reporter_kid", Text, nullable=False),
    Column("reporter_signing", LargeBinary, nullable=False),
    Column("reporter_sealing", LargeBinary, nullable=False),
    Column("production", Text),
    Column("language", SmallInteger, nullable=False),
    Column("categories", NUMBERS, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("intake_statement", LargeBinary, nullable=False),
    Column("intake_signature", LargeBinary, nullable=False),
    Column("create_time", TIME, nullable=False),
)
SECTIONS = Table(
    "sections",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("kind", Coded(domain.Kind), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("author_kid", Text, nullable=False),
    Column("reporter_kid", Text, nullable=False),
    Column("author_signature", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("create_time", TIME, nullable=False),
)
# The only place where wraps live; `grant_name` is the consent's name, or the incident's for the intake.
WRAPS = Table(
    "wraps",
    METADATA,
    Column("section", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("reader_kid", Text, primary_key=True),
    Column("grant_name", Text, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("wrap", LargeBinary, nullable=False),
)
SEATS = Table(
    "seats",
    METADATA,
    Column("grant_name", Text, primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("notice", Text),
    Column("subject", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("participation", Text, nullable=False),
    Column("appointment", Text, nullable=False),
    Column("since", TIME, nullable=False),
    Column("closed_time", TIME),
    Column("close_reason", Text),
    Column("first_open_time", TIME),
)
# `target` is the name of a person, a system or an organisation; the statements are among the acts.
EXCLUSIONS = Table(
    "exclusions",
    METADATA,
    Column("incident", Text, primary_key=True),
    Column("target", Text, primary_key=True),
)
AFFILIATIONS = Table(
    "affiliations",
    METADATA,
    Column("subject", Text, primary_key=True),
    Column("organisation", Text, primary_key=True),
)
# `target` is a kid or the name of an appointment; permanent.
ENDED = Table(
    "ended",
    METADATA,
    Column("target", Text, primary_key=True),
    Column("create_time", TIME, nullable=False),
)
NOTICES = Table(
    "notices",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("sender_participation", Text, nullable=False),
    Column("sender_kid", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("recipient_organisation", Text, nullable=False),
    Column("purposes", NUMBERS, nullable=False),
    Column("valid_until", TIME, nullable=False),
    Column("terms_version", Text, nullable=False),
    Column("state", Coded(domain.NoticeState), nullable=False),
    Column("answer", Coded(domain.Answer), nullable=False),
    Column("decision_statement", LargeBinary, nullable=False),
    Column("decision_signature", LargeBinary, nullable=False),
    Column("decision_stands", Boolean, nullable=False),
    Column("consent", Text),
    Column("create_time", TIME, nullable=False),
    Column("answer_by_time", TIME, nullable=False),
    Column("offer_time", TIME),
    Column("open_time", TIME),
    Column("close_time", TIME),
    Column("expire_time", TIME),
)
NOTICE_READERS = Table(
    "notice_readers",
    METADATA,
    Column("notice", Text, primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("appointment", Text, nullable=False),
    Column("excluded", Boolean, nullable=False),
)
NOTICE_SECTIONS = Table(
    "notice_sections",
    METADATA,
    Column("notice", Text, primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("section", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Coded(domain.Kind), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
)
CONSENTS = Table(
    "consents",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("notice", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("state", Coded(domain.ConsentState), nullable=False),
    Column("purposes", NUMBERS, nullable=False),
    Column("valid_from", TIME, nullable=False),
    Column("valid_until", TIME, nullable=False),
    Column("terms_version", Text, nullable=False),
    Column("create_time", TIME, nullable=False),
)
# The live (reader, section) pairs; a partial withdrawal deletes them together with their wraps.
CONSENT_SECTIONS = Table(
    "consent_sections",
    METADATA,
    Column("consent", Text, primary_key=True),
    Column("reader_kid", Text, primary_key=True),
    Column("section", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("kind", Coded(domain.Kind), nullable=False),
)
ACTS = Table(
    "acts",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("kind", Coded(domain.ActKind), nullable=False),
    Column("notice", Text),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("create_time", TIME, nullable=False),
)
ACCEPTANCES = Table(
    "acceptances",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("notice", Text, nullable=False),
    Column("participation", Text, nullable=False),
    Column("terms_version", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("kid", Text, nullable=False),
    Column("create_time", TIME, nullable=False),
)
# Each row commits before a byte leaves; it is its own outbox entry for a later ledger.
RELEASES = Table(
    "releases",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("notice", Text),
    Column("capacity", Coded(domain.Door), nullable=False),
    Column("subject", Text),
    Column("kid", Text, nullable=False),
    Column("participation", Text),
    Column("sections", ARRAY(Text), nullable=False),
    Column("versions", ARRAY(Integer), nullable=False),
    Column("kinds", NUMBERS, nullable=False),
    Column("purpose", SmallInteger),
    Column("request_id", Text, nullable=False),
    Column("create_time", TIME, nullable=False),
)
SEQUENCES = Table(
    "sequences",
    METADATA,
    Column("incident", Text, primary_key=True),
    Column("signer_kid", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)
REWRAPS = Table(
    "rewraps",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("grant_name", Text, nullable=False),
    Column("old_kid", Text, nullable=False),
    Column("new_kid", Text, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("create_time", TIME, nullable=False),
)


def is_excluded(
    incident: ColumnElement[str], subject: ColumnElement[str], organisation: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether the reporter excluded the person, or an organisation the person was ever affiliated with."""
    ever = select(AFFILIATIONS.c.organisation).where(AFFILIATIONS.c.subject == subject)
    target = EXCLUSIONS.c.target
    named = or_(target == subject, target == organisation, target.in_(ever))
    return exists().where(EXCLUSIONS.c.incident == incident, named)


def is_ended(kid: ColumnElement[str], appointment: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the key or the appointment was ended, for ever."""
    return exists().where(or_(ENDED.c.target == kid, ENDED.c.target == appointment))


def seat_is_live() -> ColumnElement[bool]:
    """The one meaning of a live seat, for every gate: not closed, not ended, not excluded."""
    seat = SEATS.c
    return and_(
        seat.closed_time.is_(None),
        not_(is_ended(seat.kid, seat.appointment)),
        not_(is_excluded(seat.incident, seat.subject, seat.organisation)),
    )
