"""The documents, and what they point to."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.stack import ROOT

REFERENCE = re.compile(r"`([\w./-]+\.py)::([\w.]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def tracked(*patterns: str) -> list[Path]:
    """Returns our files, those not committed yet included, that match a pattern of git's."""
    found = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted({ROOT / name for name in found.split("\0") if name and (ROOT / name).is_file()})


def pages() -> list[Path]:
    """Returns every document."""
    return tracked("*.md", ":!third_party")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Returns what a link can point to within a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@cache
def names_in(source: Path) -> frozenset[str]:
    """Returns the names that a module defines, members of classes as `Class.member`."""
    return frozenset(_names(ast.parse(source.read_text("utf-8")).body, ""))


def _names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.ClassDef():
                yield prefix + node.name
                yield from _names(node.body, f"{prefix}{node.name}.")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name
            case ast.Assign():
                yield from (prefix + target.id for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name()):
                yield prefix + node.target.id
            case _:
                pass


def between(text: str, mark: str) -> str:
    """Returns what stands between `<!-- mark -->` and `<!-- /mark -->`."""
    found = re.search(f"<!-- {mark} -->(.*?)<!-- /{mark} -->", text, re.DOTALL)
    assert found, mark
    return found[1]
