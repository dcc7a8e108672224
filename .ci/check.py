"""Runs every static check, two at a time, and prints the output of those that failed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
CONTRACT = ("proto", "third_party", "buf.yaml")


@dataclass(frozen=True)
class Check:
    """One command and what it promises."""

    promise: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a check went."""

    check: Check
    passed: bool
    output: str
    took_s: float


def main() -> int:
    """Runs all checks. Returns 1 when one failed."""
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(run, checks(landed(Path(folder)))))
    for outcome in outcomes:
        print(f"{'ok    ' if outcome.passed else 'FAILED'} {outcome.took_s:5.1f} s  {outcome.check.promise}")
        if not outcome.passed:
            print(outcome.output)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def checks(before: Path | None) -> list[Check]:
    """Returns the checks, the slowest first. `before` holds the contract as it last landed."""
    buf = str(BIN / "buf")
    found = [
        Check("types hold (mypy --strict)", [PYTHON, "-m", "mypy"]),
        Check("code keeps the house rules (ruff)", [PYTHON, "-m", "ruff", "check", "--quiet", "."]),
        Check("code is formatted (ruff)", [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."]),
        Check(
            "imports keep to the layers (import-linter)",
            [PYTHON, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
            {"PYTHONPATH": "."},
        ),
        Check("the contract keeps buf's rules", [buf, "lint"]),
        Check("the contract is formatted", [buf, "format", "--diff", "--exit-code", "proto"]),
        Check("the stubs are up to date", [PYTHON, "proto/generate.py", "--check"]),
        Check(
            "the TypeScript client's files are up to date",
            [PYTHON, "-m", "clients.typescript.generate", "--check"],
        ),
        Check("TypeScript keeps the house rules and is formatted (biome)", npm("run", "lint")),
        Check("types hold (tsc, strict)", npm("run", "check", "--workspaces")),
        Check(
            "the engine's stubs are up to date", [PYTHON, "-m", "services.kernel.openfga.generate", "--check"]
        ),
        Check("the reference is up to date", [PYTHON, "-m", "docs.generate", "--check"]),
        Check("words are spelled right (codespell)", [PYTHON, "-m", "codespell_lib", *tracked()]),
    ]
    if before:
        found.append(Check("the contract breaks nobody", [buf, "breaking", "--against", str(before)]))
    return found


def npm(*arguments: str) -> list[str]:
    """Returns the command that runs npm for the clients."""
    return [PYTHON, "-m", "clients.environment", *arguments]


def run(check: Check) -> Outcome:
    """Runs one check to its end."""
    started = time.monotonic()
    done = subprocess.run(
        check.command,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **check.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(check, done.returncode == 0, done.stdout, time.monotonic() - started)


def landed(folder: Path) -> Path | None:
    """Lays out the contract as it last landed and returns its folder; None when there was none.

    That is where this branch left `origin/main`. On `origin/main` itself, or without one, this commit is what
    lands, and it is compared with the last one before it that changed the contract.
    """
    head = git("rev-parse", "HEAD")
    base = git("merge-base", "origin/main", "HEAD")
    if base in (b"", head):
        base = git("rev-list", "-1", "HEAD~1", "--", *CONTRACT)
    archive = git("archive", "--format=zip", base.decode().strip(), *CONTRACT) if base else b""
    if not archive:
        return None
    with zipfile.ZipFile(BytesIO(archive)) as contents:
        contents.extractall(folder)
    return folder


def tracked() -> list[str]:
    """Returns the files git knows, or this folder where there is no git."""
    return git("ls-files", "-z").decode().split("\0")[:-1] or ["."]


def git(*arguments: str) -> bytes:
    """Returns what git answers, nothing when it refuses."""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
