"""The tables of schema `directory`; the migrations beside this package make them."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

from services.directory import domain


class Coded(TypeDecorator[IntEnum]):
    """An enum of the domain, stored as its number on the wire."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, cls: type[IntEnum]) -> None:
        super().__init__()
        self.cls = cls

    def process_bind_param(self, value: IntEnum | None, _dialect: Dialect) -> int | None:
        """Writes the number."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> IntEnum | None:
        """Reads the number back."""
        return None if value is None else self.cls(value)


SCHEMA = "directory"
metadata = MetaData(schema=SCHEMA)

organisations = Table(
    "organisations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer),
    Column("title", Text),
    Column("kind", Coded(domain.OrganisationKind)),
    Column("umbrella", Text),
    Column("state", Coded(domain.OrganisationState)),
)
members = Table(
    "members",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer),
    Column("organisation", Text),
    Column("subject", Text),
    Column("title", Text),
    Column("subject_kind", Coded(domain.SubjectKind)),
    Column("admin", Boolean),
    Column("state", Coded(domain.MemberState)),
    Column("kid", Text),
    Column("pending_kid", Text),
    Column("key_change_time", DateTime(timezone=True)),
)
keys = Table(
    "keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("signing", LargeBinary),
    Column("sealing", LargeBinary),
    Column("member", Text),
)
invitations = Table(
    "invitations",
    metadata,
    Column("code_digest", LargeBinary, primary_key=True),
    Column("member", Text),
    Column("expire_time", DateTime(timezone=True)),
    Column("used", Boolean),
)
endorsements = Table(
    "endorsements",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("signer_kid", Text),
    Column("statement", LargeBinary),
    Column("signature", LargeBinary),
)
rotations = Table(
    "rotations",
    metadata,
    Column("old_kid", Text, primary_key=True),
    Column("new_kid", Text),
    Column("completed", Boolean),
    Column("statement", LargeBinary),
    Column("signature", LargeBinary),
)
sequences = Table(
    "sequences",
    metadata,
    Column("organisation", Text, primary_key=True),
    Column("signer_kid", Text, primary_key=True),
    Column("last", BigInteger),
)
productions = Table(
    "productions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer),
    Column("title", Text),
    Column("lead", Text),
    Column("start_time", DateTime(timezone=True)),
    Column("end_time", DateTime(timezone=True)),
    Column("isan", Text),
    Column("eidr", Text),
    Column("code", Text),
)
participations = Table(
    "participations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer),
    Column("production", Text),
    Column("organisation", Text),
    Column("state", Coded(domain.ParticipationState)),
    Column("independent", Boolean),
)
appointments = Table(
    "appointments",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer),
    Column("organisation", Text),
    Column("participation", Text),
    Column("capacity", Coded(domain.Capacity)),
    Column("role", Text),
    Column("member", Text),
    Column("subject", Text),
    Column("kid", Text),
    Column("deputy_of", Text),
    Column("signer_kid", Text),
    Column("ended", Boolean),
    Column("statement", LargeBinary),
    Column("signature", LargeBinary),
)
