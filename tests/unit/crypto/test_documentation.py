"""`docs/sealing.md` says what the code does: its examples, tables and constants."""

import json
import re
from math import floor, log2
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from meldbrug.crypto import (
    MAX_CIPHERTEXT_BYTES,
    MAX_CONTENT_BYTES,
    MIN_CIPHERTEXT_BYTES,
    WRAP_BYTES,
    canonical,
)
from meldbrug.crypto import keys as keys_module
from meldbrug.crypto.sealing import _aad, _signed_by_author, _wrap_info, padded_length
from meldbrug.crypto.statements import _FORMS, MAX_STATEMENT_BYTES, StatementKind
from meldbrug.crypto.tokens import CLOCK_SKEW_S, MAX_TOKEN_CHARS, TOKEN_LIFETIME_S
from meldbrug.statements.v1 import statements_pb2 as wire
from tests.unit.crypto.builders import CONSENT, READER, REPORTER, context
from tests.unit.crypto.replay import Replay
from tests.vectors import generate

FOLDER = Path(generate.__file__).parent
PAGE = (FOLDER.parents[1] / "docs" / "sealing.md").read_text("utf-8")
EXAMPLE = re.compile(r"<!-- vector (\w+) \| ([^|]+) \| ([\w.]+) -->\n```text\n(.*?)\n```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(PAGE)
SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
}


def vectors(file: str) -> dict[str, dict[str, object]]:
    return {
        vector["name"]: vector
        for vector in json.loads((FOLDER / f"{file}.json").read_text("utf-8"))["vectors"]
    }


def type_of(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        name = field.message_type.full_name.removeprefix("meldbrug.statements.v1.").removeprefix(
            "google.protobuf."
        )
    elif field.enum_type is not None:
        name = field.enum_type.name
    else:
        name = SCALARS[field.type]
    return f"repeated {name}" if field.is_repeated else name


def listed(message: Descriptor) -> str:
    return " · ".join(f"{field.number} `{field.name}` {type_of(field)}" for field in message.fields)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == PAGE.count("<!-- vector") >= 13


@pytest.mark.parametrize(("file", "name", "path", "shown"), EXAMPLES)
def test_an_example_is_a_vector(file: str, name: str, path: str, shown: str) -> None:
    value: object = vectors(file)[name]
    for part in path.split("."):
        assert isinstance(value, dict)
        value = value[part]

    text = shown if " " in shown else shown.replace("\n", "")
    begin, _, end = text.partition("…")
    assert isinstance(value, str)
    assert value == text or (value.startswith(begin) and value.endswith(end) and len(begin) == len(end) == 64)


@pytest.mark.parametrize("kind", StatementKind)
def test_every_statement_is_listed_with_its_numbers(kind: StatementKind) -> None:
    message, signer = _FORMS[kind]

    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.value}` |"))
    assert f"(`{signer}`) | `{message.DESCRIPTOR.name}`: {listed(message.DESCRIPTOR)} |" in row


@pytest.mark.parametrize("part", [wire.SectionRef, wire.WrapHash, wire.Intake.Handler, wire.Rewrap.Item])
def test_every_part_of_a_statement_is_listed(part: type[wire.SectionRef]) -> None:
    name = part.DESCRIPTOR.full_name.removeprefix("meldbrug.statements.v1.")

    assert f"| `{name}` | {listed(part.DESCRIPTOR)} |" in PAGE


@pytest.mark.parametrize("name", ["bytes beside a section", "bytes an author signs", "info of a wrap"])
def test_the_bound_bytes_of_the_example_are_those_of_the_code(name: str) -> None:
    ctx, section = context(), vectors("sections")["a text"]["result"]
    assert isinstance(section, dict)
    digest, commitment = bytes.fromhex(section["digest"]), bytes.fromhex(section["commitment"])
    made = {
        "bytes beside a section": _aad(ctx),
        "bytes an author signs": _signed_by_author(ctx, REPORTER.kid, REPORTER.kid, digest, commitment),
        "info of a wrap": _wrap_info(ctx, CONSENT, [2, 1], READER.kid),
    }

    given = vectors("canonical")[name]["given"]
    assert isinstance(given, dict)
    assert Replay({}).play("canonical", given) == {"bytes": made[name].hex()}


def test_the_page_s_padding_formula_is_the_code_s() -> None:
    for n in (0, 1, 1020, 1021, 2000, 4091, 4092, 4093, 30_000, 65_531, 65_532):
        length = max(1024, n + 4)
        exponent = floor(log2(length))
        mask = 2 ** (exponent - floor(log2(exponent)) - 1) - 1
        assert padded_length(n) == (length + mask) & ~mask


@pytest.mark.parametrize(
    "number",
    [
        MAX_CONTENT_BYTES,
        MIN_CIPHERTEXT_BYTES,
        MAX_CIPHERTEXT_BYTES,
        WRAP_BYTES,
        MAX_STATEMENT_BYTES,
        MAX_TOKEN_CHARS,
        keys_module.SEALING_BYTES,
    ],
)
def test_every_bound_is_on_the_page(number: int) -> None:
    assert f"{number:,}" in PAGE


def test_the_token_s_times_are_on_the_page() -> None:
    assert f"at most {TOKEN_LIFETIME_S} more than `iat`" in PAGE
    assert f"more than {CLOCK_SKEW_S} seconds before" in PAGE


def test_every_refused_point_is_on_the_page() -> None:
    points = keys_module._SMALL_ORDER_U | keys_module._SMALL_ORDER_Y

    shown = {point for point in points if point.to_bytes(32, "little").hex() in PAGE}
    assert points - shown == {0, 1, 2**255 - 20}


def test_every_label_in_use_is_on_the_page_and_no_kind_of_statement() -> None:
    labels = {"section", "author", "wrap", "preview"}
    code = "".join(path.read_text("utf-8") for path in Path(keys_module.__file__).parent.glob("*.py"))

    assert set(re.findall(r'canonical\("([a-z-]+)"', code)) == labels
    assert labels.isdisjoint(StatementKind)
    assert (
        "Labels in use: " + ", ".join(f"`{label}`" for label in ("section", "author", "wrap", "preview"))
        in PAGE
    )
    assert canonical("wrap").startswith(b"meldbrug/wrap/v1\0")
