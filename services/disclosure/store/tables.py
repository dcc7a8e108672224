"""The tables of schema `disclosure`; the migrations beside this package make them."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

METADATA = MetaData(schema="disclosure")
TIME = DateTime(timezone=True)
NUMBERS = ARRAY(SmallInteger)

incidents = Table(
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
sections = Table(
    "sections",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("author_kid", Text, nullable=False),
    Column("reporter_kid", Text, nullable=False),
    Column("author_signature", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("create_time", TIME, nullable=False),
)
# The only place where wraps live; `grant_name` is the consent's name, or the incident's for the intake.
wraps = Table(
    "wraps",
    METADATA,
    Column("section", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("reader_kid", Text, primary_key=True),
    Column("grant_name", Text, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("wrap", LargeBinary, nullable=False),
)
seats = Table(
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
exclusions = Table(
    "exclusions",
    METADATA,
    Column("incident", Text, primary_key=True),
    Column("target", Text, primary_key=True),
)
affiliations = Table(
    "affiliations",
    METADATA,
    Column("subject", Text, primary_key=True),
    Column("organisation", Text, primary_key=True),
)
# `target` is a kid or the name of an appointment; permanent.
ended = Table(
    "ended",
    METADATA,
    Column("target", Text, primary_key=True),
    Column("create_time", TIME, nullable=False),
)
notices = Table(
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
    Column("state", SmallInteger, nullable=False),
    Column("answer", SmallInteger, nullable=False),
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
notice_readers = Table(
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
notice_sections = Table(
    "notice_sections",
    METADATA,
    Column("notice", Text, primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("section", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
)
consents = Table(
    "consents",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("notice", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("purposes", NUMBERS, nullable=False),
    Column("valid_from", TIME, nullable=False),
    Column("valid_until", TIME, nullable=False),
    Column("terms_version", Text, nullable=False),
    Column("create_time", TIME, nullable=False),
)
# The live (reader, section) pairs; a partial withdrawal deletes them together with their wraps.
consent_sections = Table(
    "consent_sections",
    METADATA,
    Column("consent", Text, primary_key=True),
    Column("reader_kid", Text, primary_key=True),
    Column("section", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
)
acts = Table(
    "acts",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("notice", Text),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("create_time", TIME, nullable=False),
)
acceptances = Table(
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
releases = Table(
    "releases",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("notice", Text),
    Column("capacity", SmallInteger, nullable=False),
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
sequences = Table(
    "sequences",
    METADATA,
    Column("incident", Text, primary_key=True),
    Column("signer_kid", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)
rewraps = Table(
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
