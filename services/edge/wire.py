"""The Connect protocol as bytes: errors, envelopes, codes. Decides, and does no I/O."""

from __future__ import annotations

import base64
import json
import struct

from google.rpc import code_pb2, status_pb2

from services.kernel.errors import InvalidField

UNARY, STREAM = b"application/proto", b"application/connect+proto"
JSON = b"application/json"
ENVELOPE = struct.Struct(">BI")
LAST = 0b10
# Of the specification's table; a client reads the code in the body and needs the number for proxies only.
HTTP = {
    "canceled": 499,
    "unknown": 500,
    "invalid_argument": 400,
    "deadline_exceeded": 504,
    "not_found": 404,
    "already_exists": 409,
    "permission_denied": 403,
    "resource_exhausted": 429,
    "failed_precondition": 400,
    "aborted": 409,
    "out_of_range": 400,
    "unimplemented": 501,
    "internal": 500,
    "unavailable": 503,
    "data_loss": 500,
    "unauthenticated": 401,
}
NO_SUCH_METHOD = b'{"code":"unimplemented","message":"there is no such method"}'


def code_of(status: status_pb2.Status) -> str:
    """The name that Connect has for a status code."""
    name = code_pb2.Code.Name(status.code).lower()
    return "canceled" if name == "cancelled" else name


def error_of(status: status_pb2.Status) -> dict[str, object]:
    """Connect's error of a status: the same code, text and details, the details' bytes unchanged."""
    error: dict[str, object] = {"code": code_of(status), "message": status.message}
    if status.details:
        error["details"] = [
            {
                "type": detail.type_url.rpartition("/")[2],
                "value": base64.b64encode(detail.value).decode().rstrip("="),
            }
            for detail in status.details
        ]
    return error


def as_json(value: object) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def envelope(message: bytes, flags: int = 0) -> bytes:
    """One message of a stream: flags, length, bytes."""
    return ENVELOPE.pack(flags, len(message)) + message


def end_of_stream(status: status_pb2.Status | None = None) -> bytes:
    """The last message of a stream, with the error that ended it if one did."""
    return envelope(as_json({"error": error_of(status)} if status else {}), LAST)


def only_message(body: bytes) -> bytes:
    """The one message in the body of a call that is answered by a stream. Raises InvalidField."""
    if len(body) < ENVELOPE.size:
        raise InvalidField("request", "is not one envelope")
    flags, length = ENVELOPE.unpack_from(body)
    if flags or length != len(body) - ENVELOPE.size:
        raise InvalidField("request", "is not one envelope, uncompressed")
    return body[ENVELOPE.size :]
