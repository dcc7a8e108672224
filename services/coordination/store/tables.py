"""The tables of schema `coordination`; the migrations beside this package make them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

SCHEMA = "coordination"
metadata = MetaData(schema=SCHEMA)
MOMENT = DateTime(timezone=True)

incidents = Table(
    "incidents",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", BigInteger),
    Column("production", Text),
    Column("reporter_kid", Text),
    Column("withdrawn", Boolean),
    Column("progress", SmallInteger),
    Column("create_time", MOMENT),
    Column("acknowledge_time", MOMENT),
    Column("update_time", MOMENT),
    Column("content", Text),
)
handlers = Table(
    "handlers",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("create_time", MOMENT),
)
notices = Table(
    "notices",
    metadata,
    Column("name", Text, primary_key=True),
    Column("incident", Text),
    Column("sender", Text),
    Column("recipient", Text),
    Column("state", SmallInteger),
    Column("purposes", ARRAY(SmallInteger)),
    Column("terms_version", Text),
    Column("create_time", MOMENT),
    Column("offer_time", MOMENT),
    Column("open_time", MOMENT),
    Column("close_time", MOMENT),
    Column("answer_by_time", MOMENT),
    Column("answer_time", MOMENT),
    Column("acknowledge_time", MOMENT),
    Column("update_time", MOMENT),
    Column("content", Text),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("notice", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("live", Boolean),
    Column("offer_time", MOMENT),
    Column("open_time", MOMENT),
    Column("close_time", MOMENT),
    Column("seq", BigInteger),
    Column("update_time", MOMENT),
    Column("content", Text),
    Column("denied", Boolean),
)
inboxes = Table("inboxes", metadata, Column("subject", Text, primary_key=True), Column("seq", BigInteger))
clocks = Table(
    "clocks",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("due_time", MOMENT),
    Column("met_time", MOMENT),
)
titles = Table(
    "titles",
    metadata,
    Column("name", Text, primary_key=True),
    Column("title", Text),
    Column("read_time", MOMENT),
    Column("spread", Boolean),
)
