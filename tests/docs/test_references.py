"""What the documents point to is there: code, tests, files, commands."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import meldbrug.client
from meldbrug.cli.app import app
from meldbrug.client.receiving import Receiving
from services.__main__ import NAMES
from services.__main__ import parser as services_parser
from tests.docs.pages import LINK, REFERENCE, anchors, name_of, names_in, pages
from tests.support.stack import ROOT

PAGES = pages()
PROMISES = (ROOT / "docs" / "promises.md").read_text("utf-8")
LIFE = (ROOT / "docs" / "life-of-an-incident.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
TOP = typer.main.get_command(app)


def broken_references(text: str) -> list[str]:
    return [
        f"{path}::{name}"
        for path, name in REFERENCE.findall(text)
        if not (ROOT / path).is_file() or name not in names_in(ROOT / path)
    ]


def broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            yield target


def unknown_commands(text: str) -> Iterator[str]:
    """Yields uses of the `meldbrug` command, in code, that name a command which is not there."""
    for used in re.findall(r"[`\n] *meldbrug((?: [a-z][a-z-]*)+)", text):
        at: Any = TOP
        for word in used.split():
            if not hasattr(at, "commands"):
                break
            if word not in at.commands:
                yield f"meldbrug{used}"
                break
            at = at.commands[word]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_in_the_code_that_a_page_mentions_is_there(page: Path):
    assert broken_references(page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path):
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_target_of_make_that_a_page_names_is_there(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))

    named = re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)

    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_meldbrug_command_that_a_page_names_is_there(page: Path):
    assert list(unknown_commands(page.read_text("utf-8"))) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_the_services_that_a_page_names_is_there(page: Path):
    groups = services_parser()._subparsers
    assert groups
    commands = set(groups._group_actions[0].choices or ())

    named = re.findall(r"python -m services(?: --env-file \S+)? ([a-z-]+)", page.read_text("utf-8"))

    assert set(named) <= commands


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_of_ours_that_a_page_names_is_there(page: Path):
    """Paths in backquotes that begin with a folder of the project; `…` and patterns are not paths."""
    folders = "services|clients|proto|policy|docs|tests|docker|demo|bench|third_party"
    named = re.findall(rf"`((?:{folders})/[\w./-]+\.[a-z]+)(?:::[\w.]+)?`", page.read_text("utf-8"))

    assert [path for path in named if not (ROOT / path).exists() and not (page.parent / path).exists()] == []


def test_the_life_of_an_incident_passes_through_every_layer():
    files = {path for path, _ in REFERENCE.findall(LIFE)}

    assert {path.split("/")[1] for path in files if path.startswith("services/")} >= {"kernel", *NAMES} - {
        "directory"
    }
    for part in ("usecases", "store", "domain", "jobs.py", "policy_sync.py", "client", "crypto"):
        assert any(f"/{part}" in path for path in files), part


def test_every_promise_names_a_test_that_is_there():
    promises = PROMISES.partition("# What we cannot promise")[0].split("\n## ")[1:]

    for promise in promises:
        kept_by = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", promise)
        assert kept_by, promise.splitlines()[0]
        for path, name in kept_by:
            assert (ROOT / path).is_file(), path
            assert not name or name in names_in(ROOT / path), f"{path}::{name}"


def test_the_readme_fits_two_screens_and_its_two_commands_are_demo_and_test():
    first = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[0]

    assert [line.split()[:2] for line in first.splitlines()] == [["make", "demo"], ["make", "test"]]
    assert len(README.splitlines()) <= 80


def test_the_readme_asks_for_the_python_that_the_project_asks_for():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]

    assert f"Python {wanted.removeprefix('>=')} or newer" in README


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`services/kernel/db.py::Database.run_unit`", []),
        ("`services/kernel/db.py::Database.run`", ["services/kernel/db.py::Database.run"]),
        ("`services/kernel/gone.py::anything`", ["services/kernel/gone.py::anything"]),
    ],
)
def test_a_wrong_reference_is_found(text: str, found: list[str]):
    assert broken_references(text) == found


def test_a_wrong_command_is_found():
    assert list(unknown_commands("use `meldbrug consent give` or `meldbrug consent grant`")) == [
        "meldbrug consent grant"
    ]


def test_a_wrong_link_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# A head\n[here](#a-head) [not](#b-head) [gone](gone.md) [out](https://example.org)\n")

    assert list(broken_links(page)) == ["#b-head", "gone.md"]


def test_the_example_of_the_readme_uses_what_the_client_has():
    example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    body = "\n".join(f"    {line}" for line in example.splitlines())
    tree = ast.parse(f"async def example():\n{body}")
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}

    plain = {func.id for func in called if isinstance(func, ast.Name)} - {"Path", "print"}
    members = {func.attr for func in called if isinstance(func, ast.Attribute)}

    assert plain <= set(meldbrug.client.__all__)
    assert members <= {name for name in dir(Receiving) if not name.startswith("_")}
    assert "open" in members
