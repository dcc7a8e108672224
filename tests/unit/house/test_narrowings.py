"""Whatever closes something is written into the journal of narrowings: no command can forget it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from meldbrug.annotations.v1 import annotations_pb2
from tests.support.personas import methods
from tests.support.stack import ROOT

# Functions that change or delete rows and close nothing, each with the reason why not.
CLOSES_NOTHING = {
    "directory/usecases/enrolment.py:_invited": "uses an invitation up, which lets somebody in",
    "disclosure/store/acceptances.py:mark_accepted": "opens",
    "disclosure/store/closings.py:leave_out_excluded": "follows from exclusions, at a restore too",
    "disclosure/store/closings.py:rise": "a version",
    "disclosure/store/proposals.py:_add_readers": "opens",
    "disclosure/store/proposals.py:decide": "a decision that falls closes the notice, which notes",
    "disclosure/store/proposals.py:offer": "opens",
    "disclosure/store/proposals.py:refuse": "an answer to a request under which nothing is open",
    "disclosure/store/reports.py:replace_intake": "seats that go are closed one by one, which notes",
}
# What only grows, and closes by it.
CLOSING_ROWS = {"exclusions", "ended", "affiliations"}
BUILT = """
def one():
    return update(t.seats)

@Prepared
def other(which):
    return one()

async def f(conn):
    await conn.execute(*other(which=1))
"""
# What each method of the lane for narrowing notes; the restore of each is played in tests/fault.
NOTED = {
    "WithdrawConsent": {"consent", "notice", "seats", "sections"},
    "WithdrawReport": {"consent", "notice", "seats", "report"},
    "Exclude": {"exclusion", "seats"},
    "EndSeats": {"ended"},
    # Nothing is open under a request that was not answered yet.
    "RefuseConsent": set(),
}


def silent(source: str) -> Iterator[str]:
    """Yields the functions that change rows, or add those that close, and note nothing.

    A function that does not await only writes a statement down: whoever uses it is looked at, and so is
    whoever uses one that the module keeps.
    """
    tree = ast.parse(source)
    written = {
        name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.Assign | ast.AnnAssign)
        for name in _written(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and _changes(node, written) and "note" not in _names(node):
            yield node.name


def _written(node: ast.FunctionDef | ast.Assign | ast.AnnAssign) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [each.id for each in targets if isinstance(each, ast.Name)]


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _changes(node: ast.AST, written: Mapping[str, ast.AST]) -> bool:
    if _names(node) & {"update", "delete"} or any(map(_adds, ast.walk(node))):
        return True
    rest = {name: other for name, other in written.items() if other is not node}
    return any(_changes(written[name], rest) for name in _names(node) & rest.keys())


def _adds(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "insert"
        and any(isinstance(each, ast.Attribute) and each.attr in CLOSING_ROWS for each in node.args)
    )


def sources() -> Iterator[Path]:
    for layer in ("store", "usecases"):
        for service in ("directory", "disclosure"):
            yield from sorted((ROOT / "services" / service / layer).glob("*.py"))


def test_every_statement_that_closes_something_is_noted():
    """I19."""
    found = {
        f"{path.relative_to(ROOT / 'services')}:{name}"
        for path in sources()
        # What brings the journal back need not write it again.
        if path.name != "narrowings.py"
        for name in silent(path.read_text())
    }

    assert found == CLOSES_NOTHING.keys()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("async def f(conn):\n    await conn.execute(delete(t.wraps))\n", ["f"]),
        ("async def f(conn):\n    await conn.execute(insert(t.ended))\n", ["f"]),
        ("async def f(conn):\n    await conn.execute(insert(t.sections))\n", []),
        ("async def f(conn):\n    note('ended')\n    await conn.execute(insert(t.ended))\n", []),
        ("GONE = delete(t.wraps)\nasync def f(conn):\n    await conn.execute(GONE)\n", ["f"]),
        (BUILT, ["f"]),
    ],
)
def test_a_silent_closing_is_found(source: str, found: list[str]):
    assert list(silent(source)) == found


def test_every_method_that_narrows_says_what_it_notes():
    """I19: a new method in the lane of narrowing comes with what it writes, and is played at a restore."""
    narrowing = {
        method.name
        for method in methods().values()
        if method.GetOptions().Extensions[annotations_pb2.lane] == annotations_pb2.LANE_NARROWING
    }
    noted = {kind for path in sources() for kind in re.findall(r'\bnote\(\s*"(\w+)"', path.read_text())}

    assert narrowing == NOTED.keys()
    assert noted >= set[str]().union(*NOTED.values())
