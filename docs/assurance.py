"""Says which test keeps which promise, from the tests' own docstrings and the records of deep runs.

A test names the numbers of `docs/threat-model.md` that it keeps in its docstring, a file those that all its
tests keep together; a suite says in its marker what it counts, its floor and its target.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.mutants import GROUPS, RECORD

ROOT = Path(__file__).resolve().parent.parent
THREATS = ROOT / "docs" / "threat-model.md"
PROMISES = ROOT / "docs" / "promises.md"
RECORDS = ROOT / "tests" / "record"
NUMBER = re.compile(r"\b[TI]\d{1,2}\b")
PARAMETERS = ("name", "unit", "floor", "target", "short_s")
INTRODUCTION = """# Assurance

Written from docstrings and markers of the tests, from [the threat model](threat-model.md) and from the
records in `tests/record` by `docs/assurance.py`; do not edit. [Promises](promises.md) names, in a reporter's
words, the tests that keep each promise.
"""
OF_SUITES = """
## Suites
Each plays numbered cases that try to break something. `make test` plays the floor of fresh cases, and every
case that failed once; `make test-deep SUITE=machine MINUTES=10` goes on where the last deep run ended. *So
far* is what deep runs really did. `MELDBRUG_CASE=<number>` plays one case again.

| suite | what a case is | each run | target | so far | cases | hours | last run |
|---|---|---|---|---|---|---|---|
"""
OF_MUTANTS = """
## Mutants
`make mutants GROUP=crypto` changes the code in one small place after another; a change that fails no test has
a reason in `tests/mutants/survivors.json`, or the run fails. To reach: 95 % killed.

| code | changes | killed | share | last run |
|---|---|---|---|---|"""
OF_WHAT_IS_OPEN = """## Open
No test keeps these; they are not passed.

| # | what is missing |
|---|---|"""


@dataclass(frozen=True)
class Test:
    """A test or a whole file of them, what it says of itself, and the arguments of its suite's marker."""

    path: str
    name: str
    said: str
    suite: Mapping[str, Any] | None

    @property
    def place(self) -> str:
        """As pages name it."""
        return f"`{self.path}::{self.name}`" if self.name else f"`{self.path}`, as a whole"


def page() -> str:
    """Returns the page."""
    found = list(tests())
    kept = keeping(found)
    text = THREATS.read_text("utf-8")
    parts = [INTRODUCTION.rstrip("\n"), OF_SUITES.rstrip("\n"), *suites(found), OF_MUTANTS, *mutants(), ""]
    parts += ["## Invariants", *listed(rows(text, "What must always hold"), kept)]
    parts += ["## Threats", *listed(rows(text, "Threats and answers"), kept)]
    parts += [OF_WHAT_IS_OPEN]
    parts += [f"| {numbers} | {missing} |" for numbers, missing in rows(text, "What is open")]
    return "\n".join(parts) + "\n"


def tests() -> Iterator[Test]:
    """Yields every file of tests, and every function and method of it that is one."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name, tree = str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))
        yield Test(name, "", ast.get_docstring(tree) or "", None)
        for node, prefix in _functions(tree.body, ""):
            if node.name.startswith("test_"):
                yield Test(name, prefix + node.name, ast.get_docstring(node) or "", _suite(node))


def _functions(
    body: list[ast.stmt], prefix: str
) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, prefix


def _suite(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Mapping[str, Any] | None:
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.campaign":
            given = zip(PARAMETERS, map(ast.literal_eval, mark.args), strict=False)
            named = {word.arg: ast.literal_eval(word.value) for word in mark.keywords if word.arg}
            return {**dict(given), **named}
    return None


def keeping(found: list[Test]) -> Mapping[str, list[Test]]:
    """Returns the tests that name each number."""
    kept = defaultdict(list)
    for test in found:
        for number in dict.fromkeys(NUMBER.findall(test.said)):
            kept[number].append(test)
    return kept


def rows(text: str, heading: str) -> list[tuple[str, ...]]:
    """Returns the rows of the table under a heading of the threat model, without its head."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines[1:]]


def listed(table: list[tuple[str, ...]], kept: Mapping[str, list[Test]]) -> Iterator[str]:
    """Yields each number with what it says and the tests that keep it; what nobody keeps is left out."""
    for numbers, said, *_ in table:
        for number in numbers.split(", "):
            if kept.get(number):
                yield f"\n**{number}** {said}\n"
                whole = {test.path for test in kept[number] if not test.name}
                yield from (
                    f"- {test.place}" for test in kept[number] if not test.name or test.path not in whole
                )
    yield ""


def suites(found: list[Test]) -> Iterator[str]:
    """Yields a row for each suite."""
    for test in found:
        if test.suite:
            plan, record = test.suite, RECORDS / f"{test.suite['name']}.json"
            done = json.loads(record.read_text("utf-8")) if record.exists() else {}
            yield f"| {plan['name']} | {test.said.splitlines()[0]} | {_progress(plan, done)} |"


def _progress(plan: Mapping[str, Any], done: Mapping[str, Any]) -> str:
    runs, unit = done.get("runs", []), plan["unit"]
    last = f"{runs[-1]['date']}, {runs[-1]['commit']}" if runs else "none"
    failed = f", {len(done['failed'])} failed once" if done.get("failed") else ""
    return " | ".join(
        [
            f"{plan['floor']:,} {unit}",
            f"{plan['target']:,}",
            f"**{done.get('counts', {}).get(unit, 0):,}**{failed}",
            f"{done.get('next', 0):,}",
            f"{done.get('seconds', 0) / 3600:.2f}",
            last,
        ]
    )


def mutants() -> Iterator[str]:
    """Yields a row for each group of code; one that was not yet changed as a whole counts for nothing."""
    record = json.loads(RECORD.read_text("utf-8"))
    for name in GROUPS:
        if name not in record:
            yield f"| {name} | | | **not yet** | none |"
            continue
        done = record[name]
        share = done["killed"] / done["mutants"]
        last = f"{done['date']}, {done['commit']}"
        yield f"| {name} | {done['mutants']:,} | {done['killed']:,} | {share:.1%} | {last} |"
