"""What a client raises: a refusal of the server, or something it served that does not verify.

MeldbrugError
├── Refused            the server said no; `reason` says why
│   ├── NotPermitted   not permitted, or it does not exist
│   ├── Unavailable    nothing happened, or nobody knows; come back later
│   └── Stale          the resource changed since it was read
├── Unverified         what was served does not verify: nothing of it may be shown or sealed to
│   └── DoesNotOpen    its author signed it, but it does not open for these keys
└── NotReached         no answer within the deadline
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from .names import name_of

DOMAIN = "meldbrug"
UNANSWERED: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
"""What gRPC says without details when nobody answered; CANCELLED where a server stopped in that moment."""


class MeldbrugError(Exception):
    """The root of everything that this package raises on purpose."""


class Unverified(MeldbrugError):
    """Something the server gave out does not verify. `what` names the check, never content."""

    def __init__(self, what: str) -> None:
        """Keeps the name of the check that failed."""
        super().__init__(f"does not verify: {what}")
        self.what = what


class DoesNotOpen(Unverified):
    """A section is as its author signed it, but the wrap or the content does not open for these keys."""

    def __init__(self) -> None:
        """Says nothing of the content."""
        super().__init__("content")


class NotReached(MeldbrugError):
    """No server answered within the deadline; a command may or may not have had its effect: repeat it."""


@dataclass
class Refused(MeldbrugError):
    """The server refused.

    Attributes:
        code: Name of the gRPC code.
        reason: Name of the `ErrorReason`; empty when the server gave none.
        message: One sentence, in English.
        metadata: What belongs to the reason.
        fields: Names of malformed fields with their descriptions.
        retry_after_s: When to come back; absent when coming back does not help.
    """

    code: str
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None

    def __str__(self) -> str:
        """Returns the sentence with the fields it concerns."""
        named = "; ".join(f"{name}: {description}" for name, description in self.fields)
        return f"{self.message} ({named})" if named else self.message


class NotPermitted(Refused):
    """Not permitted, or it does not exist: nothing tells which."""


class Unavailable(Refused):
    """The service, its database or its policy engine did not answer in time."""


class Stale(Refused):
    """The etag is not the latest: read again, look, repeat."""


_CLASSES: Mapping[str, type[Refused]] = {
    "PERMISSION_DENIED": NotPermitted,
    "UNAVAILABLE": Unavailable,
    "ABORTED": Stale,
}


def refusal_of(error: grpc.aio.AioRpcError) -> MeldbrugError:
    """Returns the exception that a failed call stands for."""
    status = _status(error)
    if status is None:
        return _without_details(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        with suppress(DecodeError):
            has_retry |= detail.Unpack(retry)
            detail.Unpack(bad)
            detail.Unpack(info)
    code = name_of(code_pb2.Code, status.code)
    return _CLASSES.get(code, Refused)(
        code=code,
        reason=info.reason if info.domain == DOMAIN else "",
        message=status.message,
        metadata=dict(info.metadata),
        fields=tuple((item.field, item.description) for item in bad.field_violations),
        retry_after_s=retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if has_retry else None,
    )


def _without_details(error: grpc.aio.AioRpcError) -> MeldbrugError:
    code = error.code()
    if code in UNANSWERED:
        return NotReached(f"no answer: {code.name}")
    return Refused(code=code.name, reason="", message=error.details() or code.name)


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            return _parsed(value)
    return None


def _parsed(value: bytes) -> status_pb2.Status | None:
    try:
        return status_pb2.Status.FromString(value)
    except DecodeError:
        return None
