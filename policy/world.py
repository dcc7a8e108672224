"""The example world and the sentences of the tests: who is who in it, and the states a notice can be in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

from policy.engine import HERE, Json, Question, Tuple

WORLD: Final = HERE / "tests" / "world.yaml"

# In the words of the matrix. The reporter is not here: the key of the incident decides, not this policy.
PERSONAS: Final = {
    "handler": "counsellor, chosen by the reporter",
    "deputy": "deputy counsellor, named by the reporter",
    "other-counsellor": "counsellor of the producer, not chosen",
    "former-counsellor": "chosen, but no longer a counsellor",
    "accused-handler": "chosen counsellor, now excluded",
    "independent-counsellor": "counsellor of the independent point, not asked",
    "producer-contact": "safety contact of the producer",
    "reader": "safety contact of the co-producer, named reader",
    "system-reader": "system of the co-producer, named for evidence",
    "unnamed-contact": "safety contact of the co-producer, not named",
    "departed-reader": "named reader, no longer a safety contact",
    "accused-reader": "named reader, now excluded",
    "elsewhere-contact": "named, but safety contact elsewhere only",
    "coproducer-counsellor": "named, but counsellor of the co-producer only",
    "tidewater-member": "member of the producer, without a role",
    "tidewater-admin": "admin of the producer",
    "northlight-admin": "admin of the co-producer",
    "secretary": "secretariat",
    "stranger": "anyone else",
}
NOTICES: Final = {
    "shared": "consented",
    "asked": "unanswered or refused",
    "withdrawn": "withdrawn, or without its decision",
    "ended": "addressed to a participation that has ended",
}


def tuples() -> list[Tuple]:
    """Returns the world of the tests, and the consented notice in states in which it opens to nobody."""
    world = read(WORLD)
    return world + withdrawn(world) + ended(world)


def read(path: Path) -> list[Tuple]:
    """Returns the tuples of a file in the form of OpenFGA's tests."""
    return [parsed(entry) for entry in yaml.safe_load(path.read_text())]


def parsed(entry: Json) -> Tuple:
    """Returns one tuple in the form of OpenFGA's tests."""
    condition = entry.get("condition", {})
    return Tuple(
        entry["user"], entry["relation"], entry["object"], condition.get("name"), condition.get("context", {})
    )


@dataclass(frozen=True, slots=True)
class Sentence:
    """One assertion of OpenFGA's tests: the name it stands under, what is asked, what the answer must be."""

    name: str
    question: Question
    expected: bool


def sentences() -> list[Sentence]:
    """Returns every assertion of every test file."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(WORLD.parent.glob("*.fga.yaml"))]
    return [sentence for file in files for test in file["tests"] for sentence in asserted(test)]


def asserted(test: Json) -> Iterator[Sentence]:
    """Yields the assertions of one test; its own tuples count for them only."""
    given = tuple(map(parsed, test.get("tuples", ())))
    for check in test["check"]:
        for relation, expected in check["assertions"].items():
            question = Question(check["user"], relation, check["object"], check.get("context"), given)
            yield Sentence(test["name"], question, expected)


def withdrawn(world: list[Tuple]) -> list[Tuple]:
    """Returns the consented notice as it is once closed: `live` goes first, the rest may still be there."""
    return [one for one in renamed(world, "notice:withdrawn") if one.relation != "live"]


def ended(world: list[Tuple]) -> list[Tuple]:
    """Returns the consented notice to a participation that has no safety contacts any more."""
    addressee = Tuple("participation:ended", "addressee", "notice:ended")
    return [addressee, *(one for one in renamed(world, "notice:ended") if one.relation != "addressee")]


def renamed(world: list[Tuple], name: str) -> list[Tuple]:
    """Returns everything written about the consented notice, written about another one."""
    return [replace(one, object=name) for one in world if one.object == "notice:shared"]
