"""What lies on the server after a whole story: nothing anyone wrote, and no key to it (T4, T22, I16, I25)."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from demo import texts
from demo.sector import ROLES
from meldbrug.crypto import SecretKeys
from services.bootstrap.policy import Engine
from services.stack.processes import free_port
from services.stack.stack import Stack
from tests.support.actors import NOTICE, TEXTS, Actors
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack

LEAST = 12  # Shorter pieces of a text are ordinary words.


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def told_stack(metrics_port: int) -> Iterator[Stack]:
    env = {**SWITCHES, "MELDBRUG_METRICS_LISTEN": f"127.0.0.1:{metrics_port}"}
    with running_stack(one_process=True, env=env) as stack:
        yield stack


@pytest.fixture(scope="module")
async def world(told_stack: Stack) -> AsyncIterator[World]:
    """After the demo's story, and a case of our own that went all the way."""
    async with settled(told_stack) as world:
        actors = Actors(world)
        case = await actors.report()
        await case.propose("lichtbrug", [actors.member("lichtbrug-contact")])
        await case.accepted()
        await case.reader.reader.open(case.notice, 1)
        await case.handler.handler.note(case.incident, NOTE)
        await case.reporter.send(MESSAGE)
        yield world


NOTE = "Een aantekening die alleen behandelaars lezen, over wie er verder bij was."
MESSAGE = "Een bericht dat niemand anders leest, over wat er daarna gebeurde."


def contents() -> list[str]:
    """Everything that anyone wrote."""
    told = [value for name, value in vars(texts).items() if name.isupper() and isinstance(value, str)]
    return [*told, *TEXTS.values(), *NOTICE.values(), NOTE, MESSAGE]


def secrets(world: World) -> list[bytes]:
    """The seeds of everyone who acted; a public key is none of them."""
    keys = [world.sector.keys(role.key) for role in ROLES] + [world.root]
    return [seed for key in keys for seed in (key.signing_seed, key.sealing_seed)]


def receipts(world: World) -> list[str]:
    """Runs of three words of each receipt that the story showed."""
    from meldbrug.crypto import from_words

    shown = re.findall(r"(?:[a-z]+ ){11}[a-z]+", " ".join(world.narration.text.replace("│", " ").split()))
    words = []
    for run in shown:
        try:
            from_words(run)
        except Exception:  # noqa: BLE001 - most runs of twelve words are no receipt
            continue
        words += [" ".join(run.split()[i : i + 3]) for i in range(10)]
    return words


def disguises(text: str | bytes) -> Iterator[bytes]:
    """Yields the forms in which something may lie around."""
    plain = text.encode() if isinstance(text, str) else text
    yield plain
    yield plain.hex().encode()
    yield base64.b64encode(plain)[: 4 * (len(plain) // 3)]
    yield base64.urlsafe_b64encode(plain)[: 4 * (len(plain) // 3)]
    yield hashlib.sha256(plain).digest()
    yield hashlib.sha256(plain).hexdigest().encode()
    yield gzip.compress(plain, mtime=0)[10:-8]
    if isinstance(text, str):
        yield text.encode("utf-16-le")
        yield json.dumps(text)[1:-1].encode()


def pieces(text: str) -> Iterator[str]:
    """Yields a text and its sentences."""
    yield text
    yield from (part for part in re.split(r"(?<=[.!?])\s+", text) if len(part) >= LEAST)


def dump(url: str) -> bytes:
    """Returns every row of every table of ours, binary columns raw and in hex."""
    found: list[bytes] = []
    with psycopg.connect(url) as sql:
        tables = sql.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            for row in sql.execute(f"SELECT * FROM {table}"):
                found += [_raw(value) for value in row]
    return b"\n".join(found)


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


def logs(world: World) -> bytes:
    """Returns what the services wrote to their logs."""
    return Path(world.stack.log("disclosure")).read_bytes()


def hits(haystack: bytes, needles: Iterator[bytes]) -> list[bytes]:
    return [needle for needle in needles if needle in haystack]


def canaries(world: World) -> Iterator[bytes]:
    for text in contents():
        for piece in pieces(text):
            yield from disguises(piece)
    for secret in secrets(world):
        yield from disguises(secret)
    for words in receipts(world):
        yield from (words.encode(), words.replace(" ", "-").encode(), words.encode("utf-16-le"))


def test_the_database_holds_no_key_and_no_text(world: World) -> None:
    """T4, I16: jobs and OpenFGA's own tables lie in the same server, and are dumped with the rest."""
    held = dump(world.endpoints.database_url) + tuples(world)

    assert world.told.incident.encode() in held
    assert receipts(world)
    assert hits(held, canaries(world)) == []


def test_a_text_or_key_that_were_there_would_be_found(world: World) -> None:
    """The test above looks in the right way: put one in, in every disguise, and it is found."""
    held = dump(world.endpoints.database_url)
    for needle in (*disguises(texts.ACCOUNT_NL), *disguises(world.root.signing_seed)):
        assert hits(held + needle, canaries(world)), needle[:20]


def test_the_database_holds_no_address_of_anyone(world: World) -> None:
    """T22: no row says from where somebody called."""
    held = dump(world.endpoints.database_url)

    assert not re.search(rb"(?<![\d.])(?:127\.0\.0\.1|::1|ipv[46]:)", held)
    assert b"grpc-python" not in held


def test_logs_tell_of_no_case_and_of_nobody(world: World) -> None:
    """T22, I25: methods, codes and durations; no id of a case, no name, no key, no address of a caller."""
    written = logs(world)

    assert b"SubmitReport" in written or b"call.answered" in written
    assert hits(written, canaries(world)) == []
    for collection in (b"incidents/", b"notices/", b"sections/", b"consents/", b"persons/", b"members/"):
        assert collection not in written
    for role in ROLES:
        assert role.title.encode() not in written
        assert world.sector.keys(role.key).kid.encode() not in written
    assert b"user-agent" not in written.lower()
    assert not re.search(rb"ipv[46]:", written)


def test_metrics_tell_of_no_case_and_of_nobody(world: World, metrics_port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
        page: bytes = answer.read()

    assert b"OpenSections" in page
    assert hits(page, canaries(world)) == []
    assert not re.search(rb"[a-z2-7]{26}", page)
    for role in ROLES:
        assert role.title.encode() not in page


def test_what_is_sealed_opens_with_no_other_key(world: World) -> None:
    """T2: somebody who is not a reader tries every wrap that there is."""
    from meldbrug.crypto import CryptoError, SectionContext, unwrap_key

    stranger = SecretKeys.generate()
    with psycopg.connect(world.endpoints.database_url) as sql:
        rows = sql.execute(
            "SELECT w.incident, w.section, w.version, w.grant_name, w.wrap, s.kind"
            " FROM disclosure.wraps w"
            " JOIN disclosure.sections s ON (s.name, s.version) = (w.section, w.version)"
        ).fetchall()
    opened = 0
    for incident, section, version, grant, wrap, kind in rows:
        context = SectionContext(world.endpoints.installation, incident, section, version, kind)
        for keys in (stranger, world.root, world.sector.keys("kade9-producent")):
            try:
                unwrap_key(bytes(wrap), keys, context, grant, ())
            except CryptoError:
                continue
            opened += 1
    assert rows
    assert opened == 0
