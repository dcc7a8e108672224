"""Which methods can be reached from outside, as the contract declares them; there is no second list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from meldbrug.annotations.v1 import annotations_pb2
from meldbrug.coordination.v1 import coordination_service_pb2
from meldbrug.directory.v1 import directory_service_pb2
from meldbrug.disclosure.v1 import disclosure_service_pb2

CONTRACTS = (directory_service_pb2, disclosure_service_pb2, coordination_service_pb2)
WITHOUT_ACCOUNT = {
    annotations_pb2.PRINCIPAL_CLASS_PUBLIC,
    annotations_pb2.PRINCIPAL_CLASS_REPORTER,
    annotations_pb2.PRINCIPAL_CLASS_NEWCOMER,
}


class Traffic(StrEnum):
    """What goes together on connections of its own: none of it ever waits behind the others."""

    ANONYMOUS = "ANONYMOUS"
    MEMBERS = "MEMBERS"
    NARROWING = "NARROWING"
    STREAMS = "STREAMS"


@dataclass(frozen=True, slots=True)
class Method:
    """One method that can be reached.

    Args:
        path: As gRPC and Connect both have it, `/package.Service/Method`.
        peer: Name of the service that serves it.
        streams: Whether it answers by a stream.
        traffic: What it goes together with.
    """

    path: str
    peer: str
    streams: bool
    traffic: Traffic


def reachable() -> Mapping[str, Method]:
    """Every method by its path, but those that only services may call."""
    return {method.path: method for method in _methods()}


def _methods() -> Iterator[Method]:
    for contract in CONTRACTS:
        peer = contract.DESCRIPTOR.package.split(".")[1]
        for service in contract.DESCRIPTOR.services_by_name.values():
            if _principals(service) == {annotations_pb2.PRINCIPAL_CLASS_SERVICE}:
                continue
            for method in service.methods:
                path = f"/{service.full_name}/{method.name}"
                yield Method(path, peer, bool(method.server_streaming), _traffic(service, method))


def _principals(service: ServiceDescriptor) -> set[int]:
    return set(service.GetOptions().Extensions[annotations_pb2.principals])


def _traffic(service: ServiceDescriptor, method: MethodDescriptor) -> Traffic:
    if method.server_streaming:
        return Traffic.STREAMS
    if method.GetOptions().Extensions[annotations_pb2.lane] == annotations_pb2.LANE_NARROWING:
        return Traffic.NARROWING
    return Traffic.ANONYMOUS if _principals(service) & WITHOUT_ACCOUNT else Traffic.MEMBERS
