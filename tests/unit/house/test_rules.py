"""The house's own rules hold everywhere, and each of them finds what it is there to find."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.stack import ROOT
from tests.unit.house import rules

CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
NAMES = sorted(folder.parent.name for folder in (ROOT / "services").glob("*/app.py"))
# Those that hold something; the edge passes on.
HOLDING = sorted(folder.parent.name for folder in (ROOT / "services").glob("*/migrations"))
SIX = {"domain", "usecases", "store", "rpc", "config", "app"}
MAY_ALSO = {"__init__", "migrations", "jobs", "peers"}


def sources(*folders: str) -> Iterator[Path]:
    """Yields our Python files; generated ones and migrations are not ours to shape."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = set(path.relative_to(ROOT).parts)
            if "_pb2" not in path.name and not parts & {"migrations", "thirdparty", "__pycache__"}:
                yield path


def broken(rule: Callable[[str], Iterator[object]], *folders: str) -> list[str]:
    """Returns where a rule is broken, as `file:place`."""
    return [
        f"{path.relative_to(ROOT)}:{place}" for path in sources(*folders) for place in rule(path.read_text())
    ]


def test_functions_and_files_are_short():
    assert (
        broken(rules.too_long, "services", "clients/python/meldbrug", "demo", "policy", "proto", "bench")
        == []
    )


def test_only_main_compares_the_name_of_a_service():
    found = broken(lambda source: rules.comparisons(source, [*NAMES, "all"]), "services")

    assert [place for place in found if not place.startswith("services/__main__.py:")] == []


def test_nothing_is_put_off_and_every_test_runs():
    found = broken(
        rules.leftovers, "services", "clients/python/meldbrug", "demo", "policy", "proto", "bench", "tests"
    )

    assert [place for place in found if not place.startswith("tests/unit/house/")] == []


def test_who_silences_a_check_says_which_and_why():
    assert (
        broken(rules.unexplained, "services", "clients/python/meldbrug", "demo", "policy", "proto", "bench")
        == []
    )


@pytest.mark.parametrize("name", HOLDING)
def test_every_service_has_the_six_names(name: str):
    folder = ROOT / "services" / name
    present = {
        path.stem
        for path in folder.iterdir()
        if path.name != "__pycache__" and (path.suffix == ".py" or path.is_dir())
    }

    assert present >= SIX
    assert "migrations" in present


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_in_the_import_contracts(name: str):
    contracts = CONFIGURATION["tool"]["importlinter"]["contracts"]
    listed = [contract for contract in contracts if f"services.{name}" in str(contract)]

    # All but the one that names domains by a pattern, and the one of the layers or of the edge.
    assert len(listed) == len(contracts) - 2


@pytest.mark.parametrize(
    ("place", "line", "code"),
    [
        (
            "services/directory/usecases.py",
            "import datetime\nx = datetime.datetime.now(datetime.UTC)\n",
            "TID251",
        ),
        ("services/disclosure/store.py", "import time\nx = time.monotonic()\n", "TID251"),
        ("services/coordination/rpc.py", "import os\nx = os.environ\n", "TID251"),
        ("services/kernel/jobs.py", "import uuid\nx = uuid.uuid4()\n", "TID251"),
        ("services/kernel/clock.py", "import datetime\nx = datetime.datetime.now(datetime.UTC)\n", None),
    ],
)
def test_time_settings_and_chance_come_from_one_place_each(place: str, line: str, code: str | None):
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--select=TID251",
        "--output-format=concise",
        f"--stdin-filename={place}",
        "-",
    ]

    done = subprocess.run(command, input=line, capture_output=True, text=True, cwd=ROOT, check=False)

    assert (code in done.stdout) if code else done.returncode == 0


def test_make_alone_prints_every_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]

    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said = subprocess.run(["make"], capture_output=True, text=True, cwd=ROOT, env=outside, check=True).stdout

    assert [line.split()[1] for line in said.splitlines()] == targets


@pytest.mark.parametrize(
    ("rule", "source", "found"),
    [
        (rules.too_long, "def f():\n" + "    x = 1\n" * 60, ["f"]),
        (rules.too_long, "def f():\n" + "    x = 1\n" * 59, []),
        (rules.too_long, "x = 1\n" * 301, ["file"]),
        (lambda source: rules.comparisons(source, ["all"]), "if name == 'all':\n    pass\n", [1]),
        (lambda source: rules.comparisons(source, ["all"]), "if name in {'all', 'other'}:\n    pass\n", [1]),
        (lambda source: rules.comparisons(source, ["all"]), "match x:\n    case 'all':\n        pass\n", [2]),
        (lambda source: rules.comparisons(source, ["all"]), "name = 'all'\n", []),
        (rules.leftovers, "x = 1  # TODO later\n", [1]),
        (rules.leftovers, "x = 1  # TODO(#12): when the second version comes\n", []),
        (rules.leftovers, "pytest.skip('flaky')\n", [1]),
        (rules.unexplained, "x = 1  # noqa\n", [1]),
        (rules.unexplained, "x = 1  # noqa: S603\n", [1]),
        (rules.unexplained, "x = 1  # noqa: S603 the command is our own\n", []),
        (rules.unexplained, "x = 1  # type: ignore[arg-type]\n", [1]),
        (rules.unexplained, "x = 1  # type: ignore[arg-type]  # the stubs say less than the library\n", []),
    ],
)
def test_a_rule_finds_what_it_is_for(
    rule: Callable[[str], Iterator[object]], source: str, found: list[object]
):
    assert list(rule(source)) == found
