"""The house's own rules, as functions from source text to what is wrong with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

FUNCTION_CEILING = 60
FILE_CEILING = 300
LEFTOVERS = re.compile(
    r"\bTODO\b(?!\(#\d+\))|\bFIXME\b|\bXXX\b|NotImplementedError|pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b"
)
SUPPRESSION = re.compile(
    r"# (?:noqa|type: ignore)(?P<code>: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|\[[a-z, -]+\])?(?P<reason>.*)"
)


def too_long(source: str) -> Iterator[str]:
    """Yields what is longer than it may be: functions by name, and `file`."""
    lines = source.count("\n")
    if lines > FILE_CEILING:
        yield "file"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_CEILING:
                yield node.name


def comparisons(source: str, names: Collection[str]) -> Iterator[int]:
    """Yields the lines that compare something with the name of a service."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare():
                parts = [node.left, *node.comparators]
            case ast.MatchValue():
                parts = [node.value]
            case _:
                continue
        constants = {
            leaf.value for part in parts for leaf in ast.walk(part) if isinstance(leaf, ast.Constant)
        }
        if constants & set(names):
            yield node.lineno


def leftovers(source: str) -> Iterator[int]:
    """Yields the lines with work that was put off or a test that does not run."""
    for number, line in enumerate(source.splitlines(), 1):
        if LEFTOVERS.search(line):
            yield number


def unexplained(source: str) -> Iterator[int]:
    """Yields the lines that silence a check without naming it, or without saying why."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := SUPPRESSION.search(line):
            reason = found["reason"].replace("# noqa", "").replace("# type: ignore", "")
            if not found["code"] or not re.search(r"[a-z]{2,}.*\s[a-z]{2,}", reason):
                yield number
