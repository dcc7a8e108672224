"""Every way to take one safety rule out of the model or to slip one hole in: what a suite must notice.

Worked on the JSON that the services load, rule by rule, so that a new relation brings its own mutants.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policy.engine import Json

# Forms that a relation could be opened to by one careless word.
WIDENINGS: Final = (
    "user",
    "user:*",
    "user with consent",
    "organisation",
    "participation",
    "incident",
    "notice",
    "organisation#member",
    "organisation#admin",
    "participation#counsellor",
    "participation#safety_contact",
    "incident#handler",
    "notice#reader",
)
JOINT: Final = " && "


@dataclass(frozen=True, slots=True)
class Mutant:
    """The model with one rule changed."""

    kind: str
    relation: str
    change: str
    model: Json

    @property
    def name(self) -> str:
        """Where the change is and what it is."""
        return (
            f"{self.kind}.{self.relation}: {self.change}" if self.relation else f"{self.kind}: {self.change}"
        )


def mutants(model: Json) -> Iterator[Mutant]:
    """Yields every mutant of `model`: of its rules, of who may be written, of its conditions."""
    schema = Schema(model)
    for definition in model["type_definitions"]:
        kind = definition["type"]
        for relation, rule in definition.get("relations", {}).items():
            changes = schema.restrictions(kind, relation) if "this" in rule else schema.rules(kind, rule)
            for change, mutated in changes:
                yield Mutant(kind, relation, change, schema.with_relation(kind, relation, mutated))
    for name, condition in model["conditions"].items():
        for change, expression in expressions(condition["expression"]):
            mutated_model = copy.deepcopy(model)
            mutated_model["conditions"][name]["expression"] = expression
            yield Mutant(name, "", change, mutated_model)


class Schema:
    """The model, asked who can stand where."""

    def __init__(self, model: Json) -> None:
        """Indexes `model` by type."""
        self._model = model
        self._types: dict[str, Json] = {one["type"]: one for one in model["type_definitions"]}

    def rules(self, kind: str, rule: Json) -> Iterator[tuple[str, Json]]:
        """Yields every rule that differs from `rule` in one operator, or lets one more relation in."""
        yield from self._weakened(kind, rule)
        for other in self._standings(kind):
            if other != rule:
                yield f"add `or {spell(other)}`", {"union": {"child": [rule, other]}}

    def restrictions(self, kind: str, relation: str) -> Iterator[tuple[str, list[Json]]]:
        """Yields every list of who may be written that differs from the relation's by one entry."""
        own: list[Json] = self._direct(kind, relation)
        for entry in own:
            for bare in ("condition", "wildcard"):
                if bare in entry:
                    yield f"drop the {bare}", [{key: value for key, value in entry.items() if key != bare}]
        for form in WIDENINGS:
            entry = restriction(form)
            if entry not in own:
                yield f"also let `{form}` be written", [*own, entry]

    def with_relation(self, kind: str, relation: str, changed: Json | list[Json]) -> Json:
        """Returns the model with another rule (a mapping) or other restrictions (a list) for one relation."""
        model = copy.deepcopy(self._model)
        definition = next(one for one in model["type_definitions"] if one["type"] == kind)
        if isinstance(changed, list):
            definition["metadata"]["relations"][relation]["directly_related_user_types"] = changed
        else:
            definition["relations"][relation] = changed
        return model

    def _weakened(self, kind: str, rule: Json) -> Iterator[tuple[str, Json]]:
        """Yields `rule` with one operator dropped or turned, or one relation taken for another."""
        match rule:
            case {"difference": {"base": base, "subtract": subtract}}:
                yield f"drop `but not {spell(subtract)}`", base
                for change, inner in self._weakened(kind, base):
                    yield change, {"difference": {"base": inner, "subtract": subtract}}
                for change, inner in self._weakened(kind, subtract):
                    yield f"exclusion: {change}", {"difference": {"base": base, "subtract": inner}}
            case {"intersection": {"child": children}}:
                yield from self._weakened_and(kind, children)
            case _:
                for other in self._standings(kind):
                    if other != rule:
                        yield f"take `{spell(other)}` for `{spell(rule)}`", other

    def _weakened_and(self, kind: str, children: list[Json]) -> Iterator[tuple[str, Json]]:
        yield "turn `and` into `or`", {"union": {"child": children}}
        for place, child in enumerate(children):
            rest = children[:place] + children[place + 1 :]
            yield (
                f"drop `and {spell(child)}`",
                rest[0] if len(rest) == 1 else {"intersection": {"child": rest}},
            )
            for change, inner in self._weakened(kind, child):
                yield change, {"intersection": {"child": [*children[:place], inner, *children[place + 1 :]]}}

    def _standings(self, kind: str) -> Iterator[Json]:
        """Yields all that a person can be to an object of this type, by its relations and its links."""
        for relation, rule in self._types[kind]["relations"].items():
            if self._holds_people(kind, relation):
                yield {"computedUserset": {"relation": relation}}
            if "this" in rule:
                for entry in self._direct(kind, relation):
                    yield from self._through(relation, entry["type"])

    def _through(self, link: str, parent: str) -> Iterator[Json]:
        for relation, rule in self._types[parent].get("relations", {}).items():
            if "this" not in rule or self._holds_people(parent, relation):
                yield {
                    "tupleToUserset": {
                        "computedUserset": {"relation": relation},
                        "tupleset": {"relation": link},
                    }
                }

    def _holds_people(self, kind: str, relation: str) -> bool:
        return any(entry["type"] == "user" for entry in self._direct(kind, relation))

    def _direct(self, kind: str, relation: str) -> list[Json]:
        found: list[Json] = self._types[kind]["metadata"]["relations"][relation].get(
            "directly_related_user_types", []
        )
        return found


def expressions(expression: str) -> Iterator[tuple[str, str]]:
    """Yields the condition with each clause dropped, turned or loosened by the least step."""
    clauses = expression.split(JOINT)
    for place, clause in enumerate(clauses):
        before, after = clauses[:place], clauses[place + 1 :]
        yield f"drop `{clause}`", JOINT.join(before + after)
        for change, loosened in looser(clause):
            yield f"{change} in `{clause}`", JOINT.join([*before, loosened, *after])
        if after:
            yield (
                f"turn `&&` after `{clause}` into `||`",
                f"{JOINT.join([*before, clause])} || {JOINT.join(after)}",
            )


def looser(clause: str) -> Iterator[tuple[str, str]]:
    """Yields the clause with one bound, quantifier or list changed."""
    swaps = (
        (" <= ", " < "),
        (" < ", " <= "),
        (".all(", ".exists("),
        (" in purposes", " in kinds"),
        (" in kinds", " in purposes"),
    )
    for old, new in swaps:
        if old in clause:
            yield f"`{old.strip()}` becomes `{new.strip()}`", clause.replace(old, new)
    yield "the opposite", f"!({clause})"


def restriction(form: str) -> Json:
    """Returns `form` ("user with consent", "user:*", "type#relation") as the JSON of a model."""
    found = re.fullmatch(
        r"(?P<type>\w+)(?P<wildcard>:\*)?(#(?P<relation>\w+))?( with (?P<condition>\w+))?", form
    )
    if found is None:
        raise ValueError(form)
    entry: Json = {key: value for key, value in found.groupdict().items() if value and key != "wildcard"}
    return {**entry, "wildcard": {}} if found["wildcard"] else entry


def spell(rule: Json) -> str:
    """Returns the rule in the words of the DSL."""
    match rule:
        case {"tupleToUserset": {"computedUserset": {"relation": relation}, "tupleset": {"relation": link}}}:
            return f"{relation} from {link}"
        case {"computedUserset": {"relation": relation}}:
            return str(relation)
        case _:
            return next(iter(rule))
