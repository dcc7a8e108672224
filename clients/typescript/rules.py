"""The rules of the statements' fields as a table, from the options that the services hold statements against.

Only what statements use is known here; a rule of another kind stops the generation, so that none is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from meldbrug.statements.v1 import statements_pb2 as statements
from meldbrug.thirdparty.buf.validate import validate_pb2 as validate

Rule = dict[str, Any]

TABLE = """import type {{ Rule }} from "../crypto/rules.js";

/** The rule of each field, by message and by the field's name in the contract. */
export const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {{
{rows}}};
"""
# What a rule of the contract is called in the table; a name without a value is one that must be true.
NAMES = {
    "string.pattern": "pattern",
    "string.min_len": "minChars",
    "string.max_len": "maxChars",
    "string.max_bytes": "maxBytes",
    "bytes.len": "bytes",
    "uint32.gte": "min",
    "uint32.lte": "max",
    "uint64.gte": "min",
    "uint64.lte": "max",
    "enum.defined_only": "defined",
    "repeated.min_items": "minItems",
    "repeated.max_items": "maxItems",
    "repeated.unique": "unique",
    "required": "required",
}


def table() -> str:
    """Returns the table as a module."""
    rows = [
        f'  "{message.full_name}": {{\n{"".join(_lines(message))}  }},\n'
        for message in _messages(statements.DESCRIPTOR.message_types_by_name.values())
    ]
    return TABLE.format(rows="".join(rows))


def _messages(found: Any) -> Iterator[Descriptor]:
    for message in found:
        yield message
        yield from _messages(message.nested_types)


def _lines(message: Descriptor) -> Iterator[str]:
    for field in message.fields:
        if rule := _rule(field):
            yield f"    {field.name}: {_literal(rule)},\n"


def _rule(field: FieldDescriptor) -> Rule:
    return _translated(field.GetOptions().Extensions[validate.field], field.full_name)


def _translated(rules: validate.FieldRules, where: str) -> Rule:
    rule: Rule = {}
    for name, value in _set(rules):
        if name == "ignore" and value == validate.IGNORE_IF_ZERO_VALUE:
            rule["mayBeEmpty"] = True
        elif name == "repeated.items":
            rule["each"] = _translated(value, where)
        elif name == "enum.not_in" and list(value) == [0]:
            rule["notZero"] = True
        elif name in NAMES:
            rule[NAMES[name]] = value
        else:
            raise SystemExit(f"{where}: the client knows no rule {name}")
    return rule


def _set(rules: validate.FieldRules) -> Iterator[tuple[str, Any]]:
    for field, value in rules.ListFields():
        if field.containing_oneof is None:
            yield field.name, value
        else:
            yield from ((f"{field.name}.{part.name}", held) for part, held in value.ListFields())


def _literal(rule: Rule) -> str:
    parts = (f"{name}: {_value(name, value)}" for name, value in rule.items())
    return f"{{ {', '.join(parts)} }}"


def _value(name: str, value: Any) -> str:
    if name == "each":
        return _literal(value)
    if name == "pattern":
        escaped = value.replace("/", r"\/")
        return f"/{escaped}/u"
    return json.dumps(value)
