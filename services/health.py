"""Asks a process of ours whether it serves; for the stack that starts it and for a container's own probe."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2

DEADLINE_S = 2.0


def serves(channel: grpc.Channel) -> bool:
    """Whether the process behind `channel` says that all it hosts is serving."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    try:
        answer = check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
