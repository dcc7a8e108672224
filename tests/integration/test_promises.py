"""What lies on the server after a whole story: nothing anyone wrote, and no key to it (T4, T22, I16, I25)."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import re
import secrets
import urllib.request
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import psycopg
import pytest

from demo import texts
from demo.sector import ROLES
from meldbrug.client import Draft, Refused, ReporterClient
from meldbrug.common.v1.common_pb2 import (
    CAPACITY_SAFETY_CONTACT,
    KIND_ACCOUNT,
    KIND_CONTEXT,
    KIND_MEASURES,
    KIND_SUMMARY,
    PURPOSE_PROTECT_PEOPLE,
)
from meldbrug.crypto import SecretKeys, keys_from, new_entropy, to_words
from meldbrug.crypto.receipt import LANGUAGES
from services.stack.processes import free_port
from services.stack.stack import Stack
from tests.support.actors import NOTICE, TEXTS, Actors, Case, seen, until
from tests.support.canaries import Flock, Receipts, disguised
from tests.support.places import copied, dump, places, tuples
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack

LEAST = 12  # Shorter pieces of a text are ordinary words.


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


@pytest.fixture(scope="module")
def told_stack(metrics_port: int, journals: Path) -> Iterator[Stack]:
    env = {
        **SWITCHES,
        "MELDBRUG_METRICS_LISTEN": f"127.0.0.1:{metrics_port}",
        "MELDBRUG_NARROWINGS_DIR": str(journals),
    }
    with running_stack(one_process=True, env=env) as stack:
        yield stack


CONTENT = Flock.bred(Random(secrets.randbits(64)), 10_000)
NAMES = Flock.bred(Random(secrets.randbits(64)), 50)
RECEIPTS = Receipts.made(Random(secrets.randbits(64)), 100)
A_TEXT = 1250


def eight() -> Iterator[str]:
    """All canaries of the content, in eight texts."""
    return (CONTENT.lines(start, A_TEXT) for start in range(0, len(CONTENT.canaries), A_TEXT))


async def sung(actors: Actors) -> SecretKeys:
    """A case that is full of canaries, by people who are called so, and what was closed of it."""
    texts, names = eight(), iter(NAMES.canaries)
    handler, reader = await actors.counsellor("duinroos"), await actors.hire("noorderlicht", next(names))
    await actors.admin("noorderlicht").admin.appoint(
        actors.on.participations["noorderlicht"], reader.kid, CAPACITY_SAFETY_CONTACT, next(names)
    )
    circle, keys = await actors.circle(), keys_from(new_entropy())
    reporter = ReporterClient(actors.world.connection, keys)
    intake = [await actors.person(handler.client)]
    told = {KIND_CONTEXT: next(texts), KIND_ACCOUNT: next(texts)}
    report = await reporter.report(Draft(texts=told, intake=intake, production=circle.production))
    case = Case(actors, actors.on, report.name, reporter, handler.client)
    await until(lambda: seen(case.handler, case.incident))
    await reporter.send(next(texts))
    await case.handler.handler.send(case.incident, next(texts))
    await case.handler.handler.note(case.incident, next(texts))
    written = {KIND_SUMMARY: next(texts), KIND_MEASURES: next(texts)}
    await case.propose("noorderlicht", [reader.client], texts=written, necessity=next(texts))
    await case.accepted()
    await case.reader.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)
    await case.consents.withdraw(case.notice)
    with pytest.raises(Refused):
        await case.reader.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)
    return keys


async def kept(actors: Actors) -> None:
    """A report under each receipt of which a piece would be known again; all come back, one withdraws."""
    circle = await actors.circle()
    draft = Draft(
        texts=TEXTS, intake=[await actors.person(actors.member("duinroos-vp"))], production=circle.production
    )

    async def told(entropy: bytes) -> ReporterClient:
        reporter = ReporterClient(actors.world.connection, keys_from(entropy))
        await reporter.report(draft)
        await ReporterClient(actors.world.connection, keys_from(entropy)).find()
        return reporter

    for start in range(0, len(RECEIPTS.entropies), 10):
        reporters = await asyncio.gather(*map(told, RECEIPTS.entropies[start : start + 10]))
    await reporters[0].withdraw_report()


@pytest.fixture(scope="module")
async def world(told_stack: Stack) -> AsyncIterator[World]:
    """After the demo's story, a case of our own that went all the way, and one that is full of canaries."""
    async with settled(told_stack) as world:
        actors = Actors(world)
        case = await actors.report()
        await case.propose("lichtbrug", [actors.member("lichtbrug-contact")])
        await case.accepted()
        await case.reader.reader.open(case.notice, 1)
        await case.handler.handler.note(case.incident, NOTE)
        await case.reporter.send(MESSAGE)
        SUNG.append(await sung(actors))
        await kept(actors)
        yield world


SUNG: list[SecretKeys] = []


@pytest.fixture
def page(world: World, metrics_port: int) -> bytes:
    """The metrics after everything."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
        shown: bytes = answer.read()
    return shown


NOTE = "Een aantekening die alleen behandelaars lezen, over wie er verder bij was."
MESSAGE = "Een bericht dat niemand anders leest, over wat er daarna gebeurde."


def contents() -> list[str]:
    """Everything that anyone wrote."""
    return [*asdict(texts.NL).values(), *TEXTS.values(), *NOTICE.values(), NOTE, MESSAGE]


def seeds(world: World) -> list[bytes]:
    """The seeds of everyone who acted; a public key is none of them."""
    keys = [world.sector.keys(role.key) for role in ROLES] + [world.root, *SUNG]
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


def logs(world: World) -> bytes:
    """Returns what the services wrote to their logs."""
    return Path(world.stack.log("disclosure")).read_bytes()


def hits(haystack: bytes, needles: Iterator[bytes]) -> list[bytes]:
    return [needle for needle in needles if needle in haystack]


def canaries(world: World) -> Iterator[bytes]:
    for text in contents():
        for piece in pieces(text):
            yield from disguises(piece)
    for secret in seeds(world):
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
    for needle in (*disguises(texts.NL.account), *disguises(world.root.signing_seed)):
        assert hits(held + needle, canaries(world)), needle[:20]


# A title of a role is known to the directory, and to whoever may see it; to nothing else.
UNNAMED = re.compile("openfga|metrics|narrowings|[.]log|jobs")


def test_ten_thousand_canaries_are_nowhere(world: World, page: bytes, journals: Path) -> None:
    """T4, I16, I25: in no row, file, log, line or number, plain, disguised, packed or hashed."""
    found = places(world, page, journals)

    assert {"rows of openfga", "metrics", "write-ahead log"} <= {
        place for place, held in found.items() if held
    }
    assert {place: forms for place, held in found.items() if (forms := CONTENT.found_in(held))} == {}
    assert {place: forms for place, held in found.items() if (forms := RECEIPTS.found_in(held))} == {}
    for place, held in found.items():
        assert hits(held, (form for seed in seeds(world) for form in disguises(seed))) == [], place
    assert NAMES.found_in(found["rows"])
    for place, held in found.items():
        assert not UNNAMED.search(place) or not NAMES.found_in(held), place


def receipt_forms(entropy: bytes) -> Iterator[bytes]:
    """Yields the ways in which a receipt, or its first half, may lie around."""
    yield from (entropy, entropy[:8], entropy[::-1], entropy.hex().encode(), zlib.compress(entropy))
    yield from (base64.b64encode(bytes(shift) + entropy) for shift in range(3))
    yield hashlib.sha256(entropy).hexdigest().encode()
    for language in LANGUAGES:
        words = to_words(entropy, language)
        yield from (sign.join(words).encode() for sign in (" ", "-", ",", "\n"))
        yield from (" ".join(words).encode("utf-16-le"), " ".join(words[:6]).encode())
        yield from (
            gzip.compress(" ".join(words).encode()),
            hashlib.sha256(" ".join(words).encode()).hexdigest().encode(),
        )


def test_a_canary_in_any_form_and_place_would_be_found(world: World, page: bytes, journals: Path) -> None:
    """Teeth of the test above: planted in each form, and in a row of the database itself."""
    for form, disguise in disguised(CONTENT.canaries[-1]):
        assert CONTENT.found_in(b"\x00..." + disguise + b"...\x00"), form
    for form in receipt_forms(RECEIPTS.entropies[-1]):
        assert RECEIPTS.found_in(b"\x00..." + form + b"...\x00"), form
    with psycopg.connect(world.endpoints.database_url, autocommit=True) as sql:
        sql.execute("CREATE TABLE public.leak AS SELECT %s::text AS what", (CONTENT.canaries[7],))
        found = places(world, page, journals)
        sql.execute("DROP TABLE public.leak")
    for place in ("rows", "rows as text", "write-ahead log", "data files"):
        assert CONTENT.found_in(found[place]) == {"plain"}, place


def test_the_database_holds_no_address_of_anyone(world: World) -> None:
    """T22: no row says from where somebody called; three bytes alone may turn up in what is sealed."""
    held, text = dump(world.endpoints.database_url), copied(world.endpoints.database_url)

    assert not re.search(rb"(?<![\d.])(?:127\.0\.0\.1|ipv[46]:)", held)
    assert b"::1" not in text
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


def test_metrics_tell_of_no_case_and_of_nobody(world: World, page: bytes) -> None:
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
