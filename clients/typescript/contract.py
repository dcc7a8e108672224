"""The part of the contract that a client needs, as descriptors: no internal services, no options.

What a field may hold is told by options, which would bring the whole of protovalidate into a browser. The
rules of statements, which a client checks by itself, come as a table of their own (`rules.py`); the rest is
the server's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from google.rpc import error_details_pb2
from grpc_tools import protoc

from meldbrug.annotations.v1 import annotations_pb2 as annotations

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("common", "coordination", "directory", "disclosure", "error", "statements")
DETAILS = "google/rpc/error_details.proto"
WELL_KNOWN = frozenset({"google/protobuf/duration.proto", "google/protobuf/timestamp.proto"})
WANTED_DETAILS = frozenset({"ErrorInfo", "BadRequest", "RetryInfo"})
MESSAGES, SERVICES = 4, 6
"""Numbers of these lists in a FileDescriptorProto; comments name their element by them."""


def files() -> list[FileDescriptorProto]:
    """Returns the descriptors, each after those that it imports."""
    compiled = _compiled()
    kept = _reachable(compiled)
    return [
        file if file.name in WELL_KNOWN else _stripped(file, kept) for file in compiled if _is_ours(file.name)
    ]


def _is_ours(name: str) -> bool:
    return name in {DETAILS, *WELL_KNOWN} or name.split("/")[1] in PACKAGES


def _compiled() -> list[FileDescriptorProto]:
    sources = [ROOT / "proto" / "meldbrug" / package for package in PACKAGES]
    names = [str(path) for folder in sources for path in sorted(folder.rglob("*.proto"))]
    include = Path(str(protoc._get_resource_file_name("grpc_tools", "_proto")))
    # The wheel has the sources beside the modules, but for those that the compiler brings along itself.
    details = Path(error_details_pb2.__file__).parents[2]
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        arguments = [
            "protoc",
            f"-I{ROOT / 'proto'}",
            f"-I{ROOT / 'third_party'}",
            f"-I{include}",
            f"-I{details}",
        ]
        arguments += ["--include_imports", "--include_source_info", f"--descriptor_set_out={out.name}"]
        if protoc.main([*arguments, *names, DETAILS]):
            raise SystemExit("protoc failed")
        return list(FileDescriptorSet.FromString(Path(out.name).read_bytes()).file)


def _stripped(file: FileDescriptorProto, kept: frozenset[str]) -> FileDescriptorProto:
    stripped = FileDescriptorProto()
    stripped.CopyFrom(file)
    messages = [f".{file.package}.{each.name}" in kept for each in file.message_type]
    services = [not _is_internal(each) for each in file.service]
    _keep_places(stripped, MESSAGES, messages)
    _keep_places(stripped, SERVICES, services)
    del stripped.message_type[:], stripped.service[:], stripped.dependency[:]
    stripped.message_type.extend(_chosen(file.message_type, messages))
    stripped.service.extend(_chosen(file.service, services))
    _clear_options(stripped)
    stripped.dependency.extend(filter(_is_ours, file.dependency))
    return stripped


def _keep_places(file: FileDescriptorProto, list_number: int, keeps: list[bool]) -> None:
    """Points comments at where the elements of a list will be, and drops those of elements that go."""
    moved = {old: sum(keeps[:old]) for old, keep in enumerate(keeps) if keep}
    places = list(file.source_code_info.location)
    del file.source_code_info.location[:]
    for place in places:
        if len(place.path) > 1 and place.path[0] == list_number:
            if place.path[1] not in moved:
                continue
            place.path[1] = moved[place.path[1]]
        file.source_code_info.location.append(place)


def _chosen(items: Iterable[T], keeps: list[bool]) -> Iterator[T]:
    return (item for item, keep in zip(items, keeps, strict=True) if keep)


def _clear_options(file: FileDescriptorProto) -> None:
    file.ClearField("options")
    for message in _nested(file.message_type):
        is_map_entry = message.options.map_entry  # Says what the message is, not what it may hold.
        for part in (message, *message.field, *message.oneof_decl, *message.enum_type):
            part.ClearField("options")
        if is_map_entry:
            message.options.map_entry = True
    for service in file.service:
        for part in (service, *service.method):
            part.ClearField("options")
    for enum in file.enum_type:
        for part in (enum, *enum.value):
            part.ClearField("options")


def _nested(messages: Iterable[DescriptorProto]) -> Iterator[DescriptorProto]:
    for message in messages:
        yield message
        yield from _nested(message.nested_type)


def _reachable(compiled: Iterable[FileDescriptorProto]) -> frozenset[str]:
    """Returns the messages that methods for clients and statements lead to."""
    by_name = {f".{file.package}.{each.name}": each for file in compiled for each in file.message_type}
    waiting = [f".google.rpc.{name}" for name in sorted(WANTED_DETAILS)]
    for file in compiled:
        if file.package == "meldbrug.statements.v1":
            waiting += [f".{file.package}.{message.name}" for message in file.message_type]
        for service in file.service:
            if not _is_internal(service):
                waiting += [name for each in service.method for name in (each.input_type, each.output_type)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and name in by_name:
            found.add(name)
            parts = _nested([by_name[name]])
            waiting += [field.type_name for part in parts for field in part.field if field.type_name]
            waiting += [field.rpartition(".")[0] for field in waiting]
    return frozenset(found)


def _is_internal(service: ServiceDescriptorProto) -> bool:
    principals = service.options.Extensions[annotations.principals]
    return list(principals) == [annotations.PRINCIPAL_CLASS_SERVICE]
