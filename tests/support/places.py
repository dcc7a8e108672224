"""Where something could lie after a story was played: every row, file, log, line and number."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import psycopg

from services.bootstrap.policy import Engine
from tests.support.sector import World

TABLES = (
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
    " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
)


def dump(url: str) -> bytes:
    """Returns every row of every table of ours, binary columns raw and in hex."""
    found: list[bytes] = []
    with psycopg.connect(url) as sql:
        for (table,) in sql.execute(TABLES).fetchall():
            for row in sql.execute(f"SELECT * FROM {table}"):
                found += [_raw(value) for value in row]
    return b"\n".join(found)


def copied(url: str, schema: str = "") -> bytes:
    """Returns the same as text, in which binary columns are hex; of one schema alone where it is named."""
    found: list[bytes] = []
    with psycopg.connect(url) as sql:
        for (table,) in sql.execute(TABLES).fetchall():
            if not table.startswith(schema):
                continue
            with sql.cursor().copy(f"COPY {table} TO STDOUT") as rows:
                found += [bytes(row) for row in rows]
    return b"".join(found)


def _raw(value: object) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False).encode()
    return str(value).encode()


def tuples(world: World) -> bytes:
    """Returns every tuple that OpenFGA was ever given."""
    endpoints, openfga = world.endpoints, world.stack.backends.openfga
    engine = Engine(endpoints.openfga_grpc_address, endpoints.openfga_http_url, openfga.token_path)
    request = urllib.request.Request(
        f"{engine.http_url}/stores/{endpoints.openfga_store_id}/changes?page_size=100",
        headers={"Authorization": f"Bearer {engine.token}"},
    )
    with urllib.request.urlopen(request) as answer:
        changes: bytes = answer.read()
    assert b"user:" in changes
    return changes


def _read(file: Path) -> bytes:
    """What is in a file of a database that runs, and may put it away meanwhile."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def places(world: World, page: bytes, journals: Path) -> dict[str, bytes]:
    """Everything that is kept or shown anywhere, by where it is."""
    folder = world.stack.backends.folder
    files = {path.name: path.read_bytes() for path in folder.logs.iterdir()}
    files |= {path.name: path.read_bytes() for path in journals.iterdir()}
    postgres = world.stack.backends.postgres
    engine = postgres.url("openfga", "openfga")
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as sql:
        sql.execute("CHECKPOINT")
        row = sql.execute("SELECT current_setting('data_directory')").fetchone()
    assert row is not None
    data = [path for path in Path(row[0]).rglob("*") if path.is_file()]
    files["write-ahead log"] = b"".join(_read(path) for path in data if path.parent.name == "pg_wal")
    files["data files"] = b"".join(_read(path) for path in data if path.parent.name != "pg_wal")
    return {
        **files,
        "rows": dump(world.endpoints.database_url),
        "rows as text": copied(world.endpoints.database_url),
        "jobs": copied(world.endpoints.database_url, "jobs"),
        "rows of openfga": dump(engine),
        "changes of openfga": tuples(world),
        "metrics": page,
    }
