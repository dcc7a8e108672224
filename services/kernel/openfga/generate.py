"""Generates the stubs of `openfga.proto` beside it; part of `make generate`.

`--check` compares instead and exits 1 when the committed stubs differ.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
STUBS = ("openfga_pb2.py", "openfga_pb2.pyi")


def run_protoc(out: Path) -> None:
    """Compiles the messages with their types into `out`."""
    include = Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{HERE}", f"-I{include}", f"--python_out={out}", f"--mypy_out=quiet:{out}"]
    if protoc.main([*arguments, str(HERE / "openfga.proto")]):
        raise SystemExit("protoc failed")


def stale() -> list[str]:
    """Names of the committed stubs that differ from what the proto yields."""
    with tempfile.TemporaryDirectory() as folder:
        run_protoc(Path(folder))
        return [name for name in STUBS if (Path(folder) / name).read_bytes() != (HERE / name).read_bytes()]


def main() -> int:
    """Generates, or compares with `--check`. Returns the exit code."""
    if "--check" not in sys.argv[1:]:
        run_protoc(HERE)
        return 0
    for name in (names := stale()):
        sys.stderr.write(f"out of date: services/kernel/openfga/{name}; run `make generate`\n")
    return 1 if names else 0


if __name__ == "__main__":
    raise SystemExit(main())
