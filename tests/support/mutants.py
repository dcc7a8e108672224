"""Changes the code in one small place after another, and lists the changes that no test minds (I30).

`make mutants GROUP=crypto` goes on where the last call ended: the copy that is changed lies in `.mutants/`.
What survives needs a test, or a reason in `tests/mutants/survivors.json`; the totals go into
`tests/mutants/record.json` and from there to `docs/assurance.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.support.lending import lending

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".mutants"
RECORD = ROOT / "tests" / "mutants" / "record.json"
SURVIVORS = ROOT / "tests" / "mutants" / "survivors.json"
# The client package lies where mutmut finds the name under which it is imported.
MOVED = ("clients/python/meldbrug/", "src/meldbrug/")
# Of mutmut's exit codes those that say that a test failed or never ended.
KILLED_CODES = (1, 3, 24, 36, 152, 255)
NOT_YET = "not checked"
KILLED = ("killed", "timeout", "caught by type check")


@dataclass(frozen=True)
class Group:
    """Code that is changed together, and the tests that mind it."""

    code: tuple[str, ...]
    tests: tuple[str, ...]


def _usecases(*modules: str) -> Group:
    code = tuple(f"services/disclosure/usecases/{module}.py" for module in modules)
    return Group(code, ("tests/unit/disclosure", "tests/integration/disclosure"))


GROUPS = {
    "crypto": Group(
        ("src/meldbrug/crypto/*.py",),
        ("tests/unit/crypto", "--deselect=tests/unit/crypto/test_documentation.py"),
    ),
    "domain": Group(("services/disclosure/domain/*.py",), ("tests/unit/disclosure",)),
    "kernel": Group(
        ("services/kernel/authz.py", "services/kernel/tokens.py"),
        ("tests/unit/kernel", "tests/integration/kernel"),
    ),
    "opening": _usecases("open", "accept", "sections", "snapshot"),
    "consent": _usecases("consent", "narrow", "close", "intake"),
    "proposing": _usecases("propose", "vouching", "seats"),
    "reporting": _usecases("report", "commands", "deps", "wire", "views"),
}


def main() -> int:
    """Runs one group for a while. Returns 1 when something survived without a reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to go on")
    parser.add_argument("--at-once", type=int, default=2, help="how many changes are tried side by side")
    asked = parser.parse_args()
    folder = prepared(asked.group)
    run(folder, asked.minutes * 60, asked.at_once)
    found = dict(results(folder))
    counted = Counter(found.values())
    decided = {name: status for name, status in found.items() if status != NOT_YET}
    survivors = [described(folder, name) for name, status in decided.items() if status not in KILLED]
    reasons = {each for listed in json.loads(SURVIVORS.read_text("utf-8")).values() for each in listed}
    print(f"{asked.group}: {dict(counted)}")
    if not counted[NOT_YET]:
        keep(asked.group, counted)
    missing = [each for each in survivors if each not in reasons]
    for each in missing:
        print("survived:", each)
    return 1 if missing else 0


def prepared(group: str) -> Path:
    """Returns the copy that is changed, brought up to date; what did not change keeps its results."""
    folder, minded = WORK / group, False
    for name in _ours():
        target = folder / name.replace(*MOVED)
        content = (ROOT / name).read_bytes()
        if name == "pyproject.toml":
            content += _configuration(GROUPS[group]).encode()
        if not target.exists() or target.read_bytes() != content:
            minded |= name.startswith("tests/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    if minded:
        _forget_survivors(folder / "mutants")
    tools = folder / ".stack" / "tools"
    tools.parent.mkdir(exist_ok=True)
    if not tools.is_symlink():
        tools.symlink_to(ROOT / ".stack" / "tools")
    return folder


def _forget_survivors(mutants: Path) -> None:
    """What survived is tried again when the tests changed; what was killed stays so."""
    (mutants / "mutmut-stats.json").unlink(missing_ok=True)
    for path in mutants.rglob("*.py.meta"):
        known = json.loads(path.read_text("utf-8"))
        codes = known["exit_code_by_key"]
        known["exit_code_by_key"] = {
            name: code if code in KILLED_CODES else None for name, code in codes.items()
        }
        path.write_text(json.dumps(known), "utf-8")


def _ours() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _configuration(group: Group) -> str:
    arguments = ["-o", "addopts=--import-mode=importlib", "-o", "pythonpath=src ."]
    settings = {
        "source_paths": ["src/meldbrug", "services"],
        "only_mutate": list(group.code),
        # What a program says to its programmer, and types that only a checker reads, decide on nothing.
        "do_not_mutate_patterns": [r"raise (ValueError|TypeError)\(", r"= cast\("],
        # Tests with the real backends open channels, which no fork survives.
        "process_isolation": "forkserver",
        "also_copy": ["demo", "docs", "policy", "proto", "third_party", ".stack", "Makefile", "README.md"],
        "pytest_add_cli_args": arguments,
        "pytest_add_cli_args_test_selection": list(group.tests),
    }
    return "\n[tool.mutmut]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in settings.items()
    )


def run(folder: Path, seconds: float, at_once: int) -> None:
    """Lets mutmut go on for a while; what it did stays."""
    with (folder / "mutmut.log").open("wb") as log, lending() as lent:
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(at_once)]
        running = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **lent}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = running.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, 15)
            running.wait()
        else:
            if code:
                raise SystemExit(f"mutmut failed; see {log.name}")


def results(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields every change that was made, with what became of it."""
    command = [sys.executable, "-m", "mutmut", "results", "--all", "true"]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        name, _, status = line.strip().partition(": ")
        if "__mutmut_" in name:
            yield name, status


def described(folder: Path, name: str) -> str:
    """Returns a change by place and text: mutmut's own numbers shift with every edit."""
    command = [sys.executable, "-m", "mutmut", "show", name]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    changed = " ".join(f"{line[0]} {line[1:].strip()}" for line in lines)
    return f"{name.partition('__mutmut_')[0].replace('x_', '', 1)}: {changed}"


def keep(group: str, counted: Counter[str]) -> None:
    """Writes the totals of a group that was played whole."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    record[group] = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "mutants": counted.total(),
        "killed": sum(counted[status] for status in KILLED),
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
