"""Generates the Python stubs from `proto/` into `clients/python/meldbrug/`, reproducibly and without network.

`--check` generates into a temporary folder and exits 1 when the committed stubs differ.
"""

from __future__ import annotations

import argparse
import filecmp
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "clients" / "python"
# protovalidate ships no `validate_pb2`; ours lives inside the package, so that `buf` stays free (ADR 0003).
VENDORED = "meldbrug/thirdparty/"
PACKAGE_MARKER = '"""Generated from `proto/` by `make generate`."""\n'


def main() -> int:
    """Generates, or compares with `--check`. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        generate(TARGET)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = sorted(differing(Path(folder)))
    for name in stale:
        print(f"out of date: {name}; run `make generate`", file=sys.stderr)
    return 1 if stale else 0


def generate(target: Path) -> None:
    """Writes every stub below `target`, replacing those that have no source any more."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_protoc(out)
        for stale in generated(target):
            stale.unlink()
        for source in sorted(out.rglob("*.py*")):
            place(source, out, target)


def run_protoc(out: Path) -> None:
    """Runs the compiler with the Python, gRPC and type stub plugins into `out`."""
    sources = [*sorted((ROOT / "proto").rglob("*.proto")), ROOT / "third_party/buf/validate/validate.proto"]
    include = Path(str(protoc._get_resource_file_name("grpc_tools", "_proto")))
    arguments = ["protoc", f"-I{ROOT / 'proto'}", f"-I{ROOT / 'third_party'}", f"-I{include}"]
    arguments += [
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
    ]
    plugins = (
        f"--plugin={name}={Path(sys.executable).parent / name}"
        for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    )
    arguments += plugins
    if protoc.main([*arguments, *(str(source) for source in sources)]):
        raise SystemExit("protoc failed")


def place(source: Path, out: Path, target: Path) -> None:
    """Copies one stub to its package, with imports of the vendored file pointed there."""
    relative = source.relative_to(out)
    text = source.read_text()
    if source.name.endswith(("_pb2_grpc.py", "_pb2_grpc.pyi")) and "Stub" not in text:
        return  # A file without services; the plugin writes an empty module.
    text = text.replace("from buf.validate import", "from meldbrug.thirdparty.buf.validate import")
    text = text.replace(
        "import buf.validate.validate_pb2", "import meldbrug.thirdparty.buf.validate.validate_pb2"
    )
    if relative.parts[0] == "buf":
        relative = Path(VENDORED) / relative
    destination = target / relative
    destination.parent.mkdir(parents=True, exist_ok=True)
    for package in [destination.parent, *destination.parent.parents]:
        if package == target or (package / "__init__.py").exists():
            break
        (package / "__init__.py").write_text(PACKAGE_MARKER)
    destination.write_text(text)


def generated(target: Path) -> Iterator[Path]:
    """Yields the generated files below `target`."""
    for pattern in ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi"):
        yield from (target / "meldbrug").rglob(pattern)


def differing(fresh: Path) -> Iterator[str]:
    """Yields names of stubs that are missing, left over or different in the committed tree."""
    ours = {path.relative_to(TARGET) for path in generated(TARGET)}
    theirs = {path.relative_to(fresh) for path in generated(fresh)}
    for name in ours ^ theirs:
        yield str(name)
    for name in ours & theirs:
        if not filecmp.cmp(TARGET / name, fresh / name, shallow=False):
            yield str(name)


if __name__ == "__main__":
    sys.exit(main())
