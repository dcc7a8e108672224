"""The TypeScript package: its own tests, what it weighs, what it ships, and what it reads as Python does."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from clients.environment import node, run_npm
from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import CryptoError, statements
from meldbrug.crypto.statements import _FORMS, StatementKind
from tests.support.stack import ROOT

CLIENTS = ROOT / "clients"
PACKAGE = CLIENTS / "typescript"
LOCK = json.loads((CLIENTS / "package-lock.json").read_text("utf-8"))
SOURCES = [path for path in (PACKAGE / "src").rglob("*.ts") if "gen" not in path.parts]
# With members' parts, which an app loads later; it may weigh 150 KiB until a reporter sees it.
FIRST_LOAD_BYTES = 80 * 1024
LONGEST_FILE, MUTATIONS = 300, 40


@pytest.fixture(scope="module")
def built() -> None:
    """The package and its tests, from today's sources."""
    for script in ("build", "build:test"):
        done = run_npm("run", "--silent", script, folder=PACKAGE)
        assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("built")
def test_its_own_tests_pass():
    done = run_npm("run", "test:built", folder=PACKAGE)

    assert done.returncode == 0, done.stdout[-8000:]
    assert re.search(r"tests \d{3}", done.stdout)


def packed(folder: Path) -> dict[str, Any]:
    done = run_npm("pack", "--json", f"--pack-destination={folder}", folder=PACKAGE)
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    return dict(found[0] if isinstance(found, list) else next(iter(found.values())))


@pytest.mark.usefixtures("built")
def test_packing_it_twice_gives_the_same_bytes_and_nothing_but_what_is_built(tmp_path: Path):
    digests = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        found = packed(tmp_path / name)
        digests.append(hashlib.sha256((tmp_path / name / found["filename"]).read_bytes()).hexdigest())

    assert digests[0] == digests[1]
    files = {file["path"] for file in found["files"]}
    assert {name for name in files if not name.startswith("dist/")} == {"README.md", "package.json"}
    assert {"dist/index.js", "dist/index.d.ts", "dist/client/keyfile.js"} <= files


@pytest.mark.usefixtures("built")
def test_what_is_loaded_first_is_light_and_has_no_words_no_argon2_and_no_validation_of_others(tmp_path: Path):
    esbuild = CLIENTS / "node_modules" / "esbuild" / "bin" / "esbuild"
    options = ["--bundle", "--minify", "--splitting", "--format=esm", "--metafile=meta.json", "--outdir=out"]
    subprocess.run(
        [node(), esbuild, PACKAGE / "dist" / "index.js", *options],
        cwd=tmp_path,
        check=True,
        stderr=subprocess.DEVNULL,
    )
    outputs = json.loads((tmp_path / "meta.json").read_text())["outputs"]

    first, waiting = set[str](), ["out/index.js"]
    while waiting:
        first.add(name := waiting.pop())
        static = {each["path"] for each in outputs[name]["imports"] if each["kind"] == "import-statement"}
        waiting += static - first
    weight = sum(len(gzip.compress((tmp_path / name).read_bytes())) for name in first)
    inputs = " ".join(source for name in first for source in outputs[name]["inputs"])

    assert weight < FIRST_LOAD_BYTES
    assert "@bufbuild/protobuf" in inputs
    assert not re.search(r"gen/words|argon2|@noble|puzzle\.js|buf/validate", inputs)


def locked() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, package in LOCK["packages"].items():
        if name.startswith("node_modules/") and not package.get("link"):
            yield name, package


def test_every_package_is_pinned_by_its_hash_and_no_place_is_named():
    assert all(package["integrity"].startswith("sha512-") for _, package in locked())
    told = [{name: said for name, said in package.items() if name != "funding"} for _, package in locked()]
    assert "://" not in json.dumps(told)


def test_what_is_asked_for_is_one_version_exactly():
    for path in (CLIENTS / "package.json", *CLIENTS.glob("*/package.json")):
        wanted = json.loads(path.read_text("utf-8"))
        for kind in ("dependencies", "devDependencies"):
            assert all(
                re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.get(kind, {}).values()
            ), path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_source_is_short_and_puts_nothing_off(path: Path):
    source = path.read_text("utf-8")

    assert source.count("\n") <= LONGEST_FILE
    assert not re.search(r"\b(T[O]DO|FIX[M]E|XX[X])\b|@ts-(ignore|nocheck|expect-error)", source)


def mutated(original: bytes, chance: random.Random) -> bytes:
    """A statement with a few bytes changed, left out, doubled or exchanged."""
    changed = bytearray(original)
    for _ in range(chance.randint(1, 3)):
        at, end = sorted(chance.choices(range(len(changed) + 1), k=2))
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at:end]
            case 2:
                changed[at:at] = changed[at:end][:40]
            case 3:
                changed += bytes([chance.randrange(256) for _ in range(chance.randint(1, 12))])
            case _:
                changed += original[at:end]
    return bytes(changed)


def read_by_python(kind: str, statement: bytes) -> object:
    message = _FORMS[StatementKind(kind)][0]
    try:
        said = statements.parse(StatementKind(kind), Signed(statement=statement), message)
    except CryptoError as error:
        return error.detail
    return json_format.MessageToDict(said, preserving_proto_field_name=True)


@pytest.mark.usefixtures("built")
def test_a_statement_that_was_garbled_is_read_as_python_reads_it():
    chance = random.Random(7)
    vectors = json.loads((ROOT / "tests" / "vectors" / "statements.json").read_text("utf-8"))["vectors"]
    signed = [
        (v["given"]["kind"], bytes.fromhex(v["result"]["statement"]))
        for v in vectors
        if "statement" in v.get("result", {})
    ]
    cases = [(kind, mutated(statement, chance)) for kind, statement in signed for _ in range(MUTATIONS)]

    judge = PACKAGE / ".build" / "test" / "judge.js"
    asked = json.dumps([[kind, statement.hex()] for kind, statement in cases])
    done = subprocess.run([node(), judge], input=asked, capture_output=True, text=True, check=True)

    wrong = [
        (kind, statement.hex(), found, wanted)
        for (kind, statement), found in zip(cases, json.loads(done.stdout), strict=True)
        if found != (wanted := read_by_python(kind, statement))
    ]
    assert len(cases) >= 400
    assert wrong == []
