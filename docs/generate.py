"""Writes what documents say of contract and settings, `docs/assurance.md` and `docs/pictures.md`.

`--check` writes nothing and exits 1 when a committed page differs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto
from grpc_tools import protoc

from docs import assurance
from docs.picturing import places
from meldbrug.annotations.v1 import annotations_pb2

ROOT = Path(__file__).resolve().parent.parent
API = ROOT / "docs" / "api.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
PICTURES = ROOT / "docs" / "pictures.md"
ASSURANCE = ROOT / "docs" / "assurance.md"
SCHEMA = ROOT / "docs" / "config.schema.json"
SERVICE_FIELD, METHOD_FIELD = 6, 2
"""Numbers of `FileDescriptorProto.service` and `ServiceDescriptorProto.method` in a comment's path."""
LANES = {0: "general", 1: "intake", 2: "narrowing", 3: "opening", 4: "stream"}
UNITS = (
    ("per_s", "per second"),
    ("_ms", "milliseconds"),
    ("_working_days", "working days"),
    ("_days", "days"),
    ("_months", "months"),
    ("_bytes", "bytes"),
    ("_s", "seconds"),
)
INTRODUCTION = """# API

Written from `proto/` by `docs/generate.py`; do not edit. Every method wants a deadline of at most 60 seconds
(a stream: `MELDBRUG_MAX_STREAM_S`), a token over its exact request bytes unless its principals are *public*,
and a `request_id` where its request has one. *Permission* is an OpenFGA relation or a role in the directory;
`self` means that possession of the key decides, `peer` another service of the installation. *Lane* is the
admission limit that a call counts against. Fields, types and bounds stand in the `.proto` files, reasons of
refusals in [errors](errors.md).
"""


def main() -> int:
    """Writes the pages, or compares with `--check`. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = [page for page, text in pages().items() if not page.exists() or page.read_text() != text]
    for page in stale:
        if check:
            print(f"out of date: {page.relative_to(ROOT)}; run `python -m docs.generate`", file=sys.stderr)
        else:
            page.write_text(pages()[page])
    return 1 if check and stale else 0


def pages() -> Mapping[Path, str]:
    """Returns each page as it should be."""
    schema = json.loads(SCHEMA.read_text())
    return {
        API: api(),
        CONFIGURATION: configuration(CONFIGURATION.read_text(), schema),
        ASSURANCE: assurance.page(),
        PICTURES: places.page(),
    }


def api() -> str:
    """Returns the reference of every RPC service and method."""
    files = [file for file in contract().file if file.package.startswith("meldbrug.") and file.service]
    return "\n".join([INTRODUCTION, *(part for file in files for part in described(file))])


def contract() -> FileDescriptorSet:
    """Returns the descriptors of `proto/`, with their comments."""
    include = Path(str(protoc._get_resource_file_name("grpc_tools", "_proto")))  # noqa: SLF001 the package has no public name for it
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract.binpb"
        sources = [str(path) for path in sorted((ROOT / "proto").rglob("*.proto"))]
        paths = [f"-I{ROOT / 'proto'}", f"-I{ROOT / 'third_party'}", f"-I{include}"]
        if protoc.main(["protoc", *paths, "--include_source_info", f"--descriptor_set_out={out}", *sources]):
            raise SystemExit("protoc failed")
        return FileDescriptorSet.FromString(out.read_bytes())


def described(file: FileDescriptorProto) -> Iterator[str]:
    """Yields the parts that describe one file's services."""
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    yield f"## {file.package}\n"
    for number, service in enumerate(file.service):
        yield f"### {file.package}.{service.name}\n"
        yield f"{flowing(comments[SERVICE_FIELD, number])}\n\n{who(service)}\n"
        yield "| method | permission | lane | what it does |\n|---|---|---|---|"
        for place, method in enumerate(service.method):
            said = flowing(comments[SERVICE_FIELD, number, METHOD_FIELD, place]).replace("|", "\\|")
            options = method.options.Extensions
            lane = LANES[options[annotations_pb2.lane]]
            name = f"`{method.name}`" + (" (stream)" if method.server_streaming else "")
            yield f"| {name} | `{options[annotations_pb2.permission]}` | {lane} | {said} |"
        yield ""


def who(service: ServiceDescriptorProto) -> str:
    """Returns who may call a service."""
    options = service.options.Extensions
    classes = [
        annotations_pb2.PrincipalClass.Name(number).removeprefix("PRINCIPAL_CLASS_").lower()
        for number in options[annotations_pb2.principals]
    ]
    callers = [f"`{caller}`" for caller in options[annotations_pb2.callers]]
    return f"Principals: {', '.join(classes)}." + (f" Callers: {', '.join(callers)}." if callers else "")


def flowing(comment: str) -> str:
    """Returns a comment as one paragraph."""
    return " ".join(comment.split())


def configuration(page: str, schema: Mapping[str, Any]) -> str:
    """Returns the page with its tables of settings written anew."""
    for part, settings in schema.items():
        begin, end = f"<!-- settings: {part} -->", f"<!-- /settings: {part} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(page):
            raise SystemExit(f"docs/configuration.md has no place for the settings of {part}")
        prefix = "MELDBRUG_" if part == "kernel" else f"MELDBRUG_{part.upper()}_"
        rows = [row(name, field) for name, field in fields(settings, settings, prefix)]
        table = "\n".join(["| setting | unit | default | what it is |", "|---|---|---|---|", *rows])
        page = pattern.sub(lambda _: f"{begin}\n{table}\n{end}", page)  # noqa: B023 used at once
    return page


def fields(
    schema: Mapping[str, Any], model: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the environment variable and the schema of every setting, nested ones with two underscores."""
    for name, field in model["properties"].items():
        if "$ref" in field:
            nested = dict(schema["$defs"][field["$ref"].rpartition("/")[2]])
            yield from fields(schema, nested, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", {**field, "required": name in model.get("required", ())}


def row(name: str, field: Mapping[str, Any]) -> str:
    """Returns a setting's row."""
    return f"| `{name}` | {unit(name)} | {default(field)} | {field['description']} |".replace("  ", " ")


def unit(name: str) -> str:
    """Returns the unit that a setting's name ends in."""
    return next((text for suffix, text in UNITS if name.lower().endswith(suffix)), "")


def default(field: Mapping[str, Any]) -> str:
    """Returns the default as one would write it into the environment."""
    if field["required"]:
        return "**required**"
    value = field.get("default")
    if value in (None, "", {}):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.exit(main())
