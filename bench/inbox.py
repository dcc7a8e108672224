"""A page of fifty from an inbox of a thousand deliveries and from one of a hundred thousand."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bench.load import Call, Subject
from bench.sector import TITLE, Case
from bench.subjects import Method
from demo.seed import roles_by_key
from meldbrug.client import Connection, MemberClient
from meldbrug.client.connection import Credentials
from meldbrug.coordination.v1.coordination_service_pb2 import ListInboxRequest
from services.bootstrap.policy import PROBE
from services.kernel.authz import PolicyTuple, timestamp
from services.kernel.openfga.adapter import WRITE_LIMIT, OpenFGA
from services.stack import Endpoints

LIST = "/meldbrug.coordination.v1.ReaderService/ListInbox"
PAGE = 50
LIVE = 60
"""The newest ones are live and openable; the older ones were closed, as in an inbox of years."""

NOTICES = """
INSERT INTO coordination.notices
SELECT (jsonb_populate_record(
  model, jsonb_build_object('name', model.incident || '/notices/' || %(mark)s || n))).*
FROM coordination.notices model, generate_series(1, %(count)s::int) n WHERE model.name = %(notice)s
"""
DELIVERIES = """
INSERT INTO coordination.deliveries
SELECT (jsonb_populate_record(model, jsonb_build_object(
  'notice', %(incident)s || '/notices/' || %(mark)s || n, 'subject', %(subject)s::text, 'seq', n,
  'live', n > %(count)s::int - %(live)s::int,
  'close_time', CASE WHEN n > %(count)s::int - %(live)s::int THEN NULL ELSE model.update_time END))).*
FROM coordination.deliveries model, generate_series(1, %(count)s::int) n
WHERE model.notice = %(notice)s AND model.subject = %(owner)s
"""
INBOX = """
INSERT INTO coordination.inboxes VALUES (%(subject)s, %(count)s)
ON CONFLICT (subject) DO UPDATE SET seq = excluded.seq
"""


async def seed(connection: Connection, case: Case, endpoints: Endpoints, role: str, count: int) -> None:
    """Gives a role's inbox `count` deliveries like the measured one; the newest are openable for real."""
    member = MemberClient(connection, case.sector.keys(role))
    subject = (await member.me()).member.subject
    values = {
        "mark": f"{role}-",
        "count": count,
        "live": LIVE,
        "incident": case.incident,
        "notice": case.notice,
        "subject": subject,
        "owner": (await case.reader.me()).member.subject,
    }
    async with await psycopg.AsyncConnection.connect(endpoints.database_url, autocommit=True) as database:
        for statement in (NOTICES, DELIVERIES, INBOX):
            await database.execute(statement, values)
        await database.execute("ANALYZE coordination.deliveries, coordination.notices")
    await _open_doors(case, endpoints, role, subject, count)


async def _open_doors(case: Case, endpoints: Endpoints, role: str, subject: str, count: int) -> None:
    """Writes the tuples that let the role open its newest notices."""
    party = roles_by_key()[role].party
    addressee = f"participation:{_id(case.sector.participation(TITLE, party))}"
    now = datetime.now(UTC)
    window = {
        "valid_from": timestamp(now - timedelta(hours=1)),
        "valid_until": timestamp(now + timedelta(days=1)),
        "purposes": ["PROTECT_PEOPLE", "INFORM"],
        "kinds": ["SUMMARY"],
    }
    tuples = []
    for number in range(count - LIVE + 1, count + 1):
        notice = f"notice:{role}-{number}"
        tuples += [
            PolicyTuple(addressee, "addressee", notice),
            PolicyTuple.conditional(f"user:{_id(subject)}", "reader", notice, "consent", window),
            PolicyTuple("user:*", "live", notice),
        ]
    engine = OpenFGA(
        endpoints.openfga_grpc_address,
        endpoints.openfga_store_id,
        endpoints.openfga_model_id,
        probe=PROBE,
        token=policy_token(endpoints),
    )
    for start in range(0, len(tuples), WRITE_LIMIT):
        await engine.write(tuples[start : start + WRITE_LIMIT])
    await engine.close()


def page(connection: Connection, case: Case, role: str, name: str) -> Subject:
    """Returns the first page of a role's inbox."""
    signing = Credentials(case.sector.keys(role))
    method: Method = connection.channel(LIST).unary_unary(LIST)
    body = ListInboxRequest(page_size=PAGE).SerializeToString(deterministic=True)

    def ready() -> Call:
        return functools.partial(
            method, body, timeout=10.0, metadata=connection.metadata(LIST, body, signing)
        )

    return Subject(name, lambda count: [ready() for _ in range(count)], per_s=200)


def policy_token(endpoints: Endpoints) -> str:
    """Returns the engine's preshared key."""
    return Path(endpoints.openfga_token_path).read_text().strip()


def _id(name: str) -> str:
    return name.rsplit("/", 1)[1]
