"""`docs/sealing.md` says what the code does: its examples, tables and constants."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from math import floor, log2
from pathlib import Path

import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.client.consenting import TEMPLATE
from meldbrug.client.notices import CLOCK_TOLERANCE
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2 as coordination
from meldbrug.crypto import (
    MAX_CIPHERTEXT_BYTES,
    MAX_CONTENT_BYTES,
    MIN_CIPHERTEXT_BYTES,
    WRAP_BYTES,
    canonical,
)
from meldbrug.crypto import keys as keys_module
from meldbrug.crypto import receipt as receipt_module
from meldbrug.crypto.chains import MAX_ENDORSEMENTS, MAX_ROTATIONS
from meldbrug.crypto.sealing import _aad, _signed_by_author, _wrap_info, padded_length
from meldbrug.crypto.statements import _FORMS, MAX_STATEMENT_BYTES, StatementKind
from meldbrug.crypto.tokens import CLOCK_SKEW_S, MAX_TOKEN_CHARS, TOKEN_LIFETIME_S
from meldbrug.directory.v1 import directory_pb2 as directory
from meldbrug.directory.v1 import directory_service_pb2 as directory_service
from meldbrug.disclosure.v1 import disclosure_pb2 as disclosure
from meldbrug.disclosure.v1 import disclosure_service_pb2 as disclosure_service
from meldbrug.statements.v1 import statements_pb2 as wire
from meldbrug.thirdparty.buf.validate import validate_pb2
from tests.unit.crypto.builders import CONSENT, READER, REPORTER, context
from tests.unit.crypto.replay import Replay
from tests.vectors import generate

FOLDER = Path(generate.__file__).parent
ROOT = FOLDER.parents[1]
PAGE = (ROOT / "docs" / "sealing.md").read_text("utf-8")
PROSE = " ".join(PAGE.split())
EXAMPLE = re.compile(r"<!-- vector (\w+) \| ([^|]+) \| ([\w.]+) -->\n```text\n(.*?)\n```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(PAGE)
SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
}


def vectors(file: str) -> dict[str, dict[str, object]]:
    return {
        vector["name"]: vector
        for vector in json.loads((FOLDER / f"{file}.json").read_text("utf-8"))["vectors"]
    }


def name_of(message: Descriptor) -> str:
    return message.full_name.removeprefix(f"{message.file.package}.")


def type_of(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        name = name_of(field.message_type)
    elif field.enum_type is not None:
        name = field.enum_type.name
    else:
        name = SCALARS[field.type]
    return f"repeated {name}" if field.is_repeated else name


def listed(message: Descriptor) -> str:
    return " · ".join(f"{field.number} `{field.name}` {type_of(field)}" for field in message.fields)


def table(*heads: str) -> list[list[str]]:
    """The rows of the one table on the page with these heads."""
    line = f"| {' | '.join(heads)} |\n"
    assert PAGE.count(line) == 1
    _, *rows = PAGE.partition(line)[2].partition("\n\n")[0].splitlines()
    return [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in rows]


def messages(of: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for message in of:
        yield message
        yield from messages(message.nested_types)


def flat(rules: Message, prefix: str = "") -> Iterator[tuple[str, object]]:
    for field, value in rules.ListFields():
        if field.message_type is not None:
            yield from flat(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, list(value) if field.is_repeated else value


def form(pattern: str, max_len: object) -> str:
    """A pattern as the page writes it. That the text may not be longer than some length adds nothing."""
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    text = pattern[1:-1].replace("[a-z2-7]{26}", "{id}")
    assert isinstance(max_len, int)
    assert len(text.replace("{id}", "x" * 26).replace("[a-z2-7]{52}", "x" * 52)) <= max_len
    if choice := re.fullmatch(r"\((\w+)\|(\w+)\)(/\{id\})", text):
        return f"`{choice[1]}{choice[3]}` or `{choice[2]}{choice[3]}`"
    return f"`{text}`"


ONE_LINE = r"^[^\x00-\x1F\x7F]*$"


def bounds(low: object, high: object) -> str:
    return f"{low:,} to {high:,}" if low else f"at most {high:,}"


def rule_of_value(rules: validate_pb2.FieldRules) -> str:
    """What the rules say of one value, as the page writes it; fails on a rule that it has no words for."""
    left = dict(flat(rules))
    ignore = left.pop("ignore", validate_pb2.IGNORE_UNSPECIFIED)
    assert ignore in {validate_pb2.IGNORE_UNSPECIFIED, validate_pb2.IGNORE_IF_ZERO_VALUE}
    match rules.WhichOneof("type"):
        case "string" if rules.string.pattern not in {"", ONE_LINE}:
            said = form(rules.string.pattern, left.pop("string.max_len"))
            del left["string.pattern"]
        case "string":
            said = f"{bounds(left.pop('string.min_len', 0), left['string.max_len'])} characters"
            said += ", no control characters" if left.pop("string.pattern", "") else ""
            # No character takes more than four bytes: this bound adds nothing either.
            assert left.pop("string.max_bytes") == 4 * rules.string.max_len
            del left["string.max_len"]
        case "bytes":
            said = f"{left.pop('bytes.len')} bytes"
        case "enum":
            assert left.pop("enum.defined_only")
            excluded = left.pop("enum.not_in", [])
            assert excluded in ([], [0])
            said = "a defined number, not 0" if excluded else "a defined number"
        case "uint32" | "uint64" as kind:
            said = bounds(left.pop(f"{kind}.gte"), left.pop(f"{kind}.lte"))
        case None:
            said = "present" if left.pop("required", None) else "any"
        case other:
            raise AssertionError(other)
    assert left == {}
    takes_empty_too = ignore == validate_pb2.IGNORE_IF_ZERO_VALUE and not said.startswith("at most ")
    return f"empty or {said}" if takes_empty_too else said


def rule_of(field: FieldDescriptor) -> str:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    if not field.is_repeated:
        return rule_of_value(rules)
    left = dict(flat(rules.repeated))
    said = bounds(left.pop("min_items", 0), left.pop("max_items"))
    said += ", no two equal" if left.pop("unique", None) else ""
    if rules.repeated.HasField("items"):
        said += f", each {rule_of_value(rules.repeated.items)}"
    assert all(name.startswith("items.") for name in left)
    assert [name for name, _ in flat(rules) if not name.startswith("repeated.")] == []
    return said


FIELDS = [
    field for message in messages(wire.DESCRIPTOR.message_types_by_name.values()) for field in message.fields
]


def printed_for(field: FieldDescriptor) -> str:
    """Under which name the table of rules has this field: with its message's where that differs."""
    own = f"{name_of(field.containing_type)}.{field.name}"
    return own if own in printed_rules() else field.name


def printed_rules() -> dict[str, str]:
    pairs = [(name, rule) for rule, names in table("rule", "fields") for name in names.split(" · ")]
    assert len(dict(pairs)) == len(pairs)
    return {name.strip("`"): rule for name, rule in pairs}


def numbers(enum: EnumDescriptor) -> str:
    """The numbers of an enum as the page writes them: without 0 and without the enum's name in front."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    zero, *values = enum.values
    assert (zero.number, zero.name) == (0, f"{prefix}UNSPECIFIED")
    assert all(value.name.startswith(prefix) for value in values)
    return " · ".join(f"{value.number} `{value.name.removeprefix(prefix)}`" for value in values)


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


@pytest.mark.parametrize(
    "part",
    [
        wire.SectionRef,
        wire.WrapHash,
        wire.Intake.Handler,
        wire.Rewrap.Item,
        Timestamp,
        common.Signed,
        common.PublicKeys,
        directory.KeyBook,
        directory.Contact,
        disclosure.SectionHeader,
        disclosure.Wrap,
        disclosure.NewSection,
        disclosure.OpenedSection,
        disclosure_service.OpenSectionsResponse,
        disclosure_service.HandlerServiceOpenSectionsResponse,
        disclosure_service.ReporterServiceOpenSectionsResponse,
    ],
    ids=lambda part: part.DESCRIPTOR.name,
)
def test_every_message_in_or_around_a_statement_is_listed(part: type[Message]) -> None:
    assert f"| `{name_of(part.DESCRIPTOR)}` | {listed(part.DESCRIPTOR)} |" in PAGE


def test_every_number_of_an_enum_is_listed_and_no_other() -> None:
    enums = {field.enum_type.name: field.enum_type for field in FIELDS if field.enum_type is not None}

    assert len(enums) == 7
    assert dict(table("enum", "numbers")) == {f"`{name}`": numbers(enum) for name, enum in enums.items()}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.full_name.split(".v1.")[1])
def test_every_rule_of_a_field_is_listed(field: FieldDescriptor) -> None:
    assert printed_rules()[printed_for(field)] == rule_of(field)


def test_no_rule_is_listed_for_a_field_that_is_not_there() -> None:
    assert printed_rules().keys() == {printed_for(field) for field in FIELDS}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.full_name.split(".v1.")[1])
def test_a_field_is_required_unless_its_rule_takes_it_empty(field: FieldDescriptor) -> None:
    behaviour = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    takes_empty = re.match(r"empty or |at most |any$|a defined number$", rule_of(field)) is not None

    assert list(behaviour) == [field_behavior_pb2.OPTIONAL if takes_empty else field_behavior_pb2.REQUIRED]


def test_no_message_has_a_rule_beside_those_of_its_fields() -> None:
    for message in {field.containing_type for field in FIELDS}:
        assert not message.GetOptions().HasExtension(validate_pb2.message)
        assert not message.oneofs


def test_every_form_of_a_name_is_among_the_names() -> None:
    names = next(row for row in table("name", "form") if row[0] == "resource names")[1]
    forms = {found for field in FIELDS for found in re.findall(r"`\w+/\{id\}[^`]*`", rule_of(field))}

    assert forms == set(names.split(", "))
    assert "`{id}` is `[a-z2-7]{26}`" in PROSE


def test_the_bounds_of_a_book_and_a_chain_are_on_the_page() -> None:
    asked = directory_service.LookUpKeysRequest.DESCRIPTOR.fields_by_name["kids"]

    assert {rule_of(field) for field in directory.KeyBook.DESCRIPTOR.fields} == {"at most 512"}
    assert "at most 512 of each" in PROSE
    assert rule_of(asked) == "1 to 64, no two equal, each `[a-z2-7]{52}`"
    assert "at most 64 kids at a time" in PROSE
    assert f"at most {MAX_ENDORSEMENTS} endorsements" in PROSE
    assert f"at most {MAX_ROTATIONS} rotations" in PROSE


def test_every_answer_with_a_book_is_named() -> None:
    files = [directory.DESCRIPTOR, directory_service.DESCRIPTOR]
    files += [disclosure.DESCRIPTOR, disclosure_service.DESCRIPTOR, coordination.DESCRIPTOR]
    internal = {method.output_type.name for method in files[1].services_by_name["InternalService"].methods}
    found = [
        f"`{name_of(message)}.{field.name}` ({field.number})"
        for file in files
        for message in messages(file.message_types_by_name.values())
        for field in message.fields
        if field.message_type is directory.KeyBook.DESCRIPTOR and message.name not in internal
    ]

    assert f"A book comes in {', '.join(sorted(found))}." in PROSE


def test_the_sender_of_a_notice_is_where_the_page_says() -> None:
    number = coordination.Stub.DESCRIPTOR.fields_by_name["sender"].number

    assert f"that the stub names as `sender` (field {number} of `Stub`)" in PROSE


def test_the_tolerance_of_a_consent_s_period_is_on_the_page() -> None:
    assert f"now lies in its period, give or take {CLOCK_TOLERANCE.seconds} seconds" in PROSE


def test_the_template_of_the_preview_is_on_the_page() -> None:
    assert f"The template is `{TEMPLATE}`" in PROSE


def test_the_word_lists_are_those_of_the_page() -> None:
    folder = Path(receipt_module.__file__).parent / "wordlists"
    lists = [folder / f"{language}.txt" for language in receipt_module.LANGUAGES]

    assert table("word list", "SHA-256") == [
        [f"`{path.relative_to(ROOT)}`", f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`"]
        for path in lists
    ]
    assert {len(path.read_text("ascii").split("\n")) for path in lists} == {2049}
    assert "2,048 words, each with a line feed" in PROSE


def test_what_a_receipt_may_be_is_on_the_page() -> None:
    said = (
        f"More than {receipt_module._MAX_TEXT_CHARS:,} characters, or other than {receipt_module.WORDS} words"
    )
    assert said in PROSE


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
