"""Asks a process of ours whether it serves; for the stack that starts it and for a container's own probe."""

from __future__ import annotations

import http.client
import ssl

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


def answers(port: int, *, tls: bool) -> bool:
    """Whether the edge of this machine answers; what it shows as its name is for others to judge."""
    if tls:
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=DEADLINE_S, context=unverified
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
