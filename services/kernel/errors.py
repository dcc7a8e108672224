"""Refusals: what a caller may be told. Standard library only, so that a domain may raise them.

Refusal
├── NotPermitted         PERMISSION_DENIED, one text for every closed door
├── Unauthenticated      UNAUTHENTICATED, own reason
├── InvalidArgument      INVALID_ARGUMENT, own reason
│   └── InvalidField     the same, naming the field
├── FailedPrecondition   FAILED_PRECONDITION, with the state where the caller may see it
├── StaleEtag            ABORTED
├── RequestIdReused      ALREADY_EXISTS
├── Exhausted            RESOURCE_EXHAUSTED, with the wait
└── Unavailable          UNAVAILABLE, with the wait

A service subclasses these. Whatever is not a Refusal reaches the caller as an opaque INTERNAL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

# AIP-211: denied and absent are told with the same words, everywhere.
NOT_PERMITTED = "not permitted, or it does not exist"


class Code(StrEnum):
    """The gRPC status codes that we answer with."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


class Refusal(Exception):
    """A call that is answered with a reason.

    Args:
        code: The status.
        reason: Name of an `ErrorReason` without its prefix.
        message: Text for a developer; holds only what the caller sent or may see.
        metadata: Variables of the message, lowerCamel keys.
        fields: Pairs of field path and description, for a `BadRequest`.
        retry_after_s: When to come back, for a `RetryInfo`.
    """

    def __init__(
        self,
        code: Code,
        reason: str,
        message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
        fields: Sequence[tuple[str, str]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message or reason)
        self.code = code
        self.reason = reason
        self.message = message or reason.lower().replace("_", " ")
        self.metadata = dict(metadata or {})
        self.fields = tuple(fields)
        self.retry_after_s = retry_after_s


class NotPermitted(Refusal):
    """The one closed door: refused, absent, withdrawn, expired and excluded look the same."""

    def __init__(self) -> None:
        super().__init__(Code.PERMISSION_DENIED, "NOT_PERMITTED", NOT_PERMITTED)


class Unauthenticated(Refusal):
    """The caller did not show who it is."""

    def __init__(self, reason: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(Code.UNAUTHENTICATED, reason, metadata=metadata)


class InvalidArgument(Refusal):
    """The request cannot be right, whatever the state."""

    def __init__(self, reason: str, message: str = "", *, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(Code.INVALID_ARGUMENT, reason, message, fields=fields)


class InvalidField(InvalidArgument):
    """One field is malformed or out of bounds."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__("FIELD_INVALID", f"{field}: {description}", fields=[(field, description)])


class FailedPrecondition(Refusal):
    """The state does not allow it; `state` only where the caller may see it."""

    def __init__(self, reason: str = "WRONG_STATE", *, state: str | None = None) -> None:
        super().__init__(Code.FAILED_PRECONDITION, reason, metadata={"state": state} if state else None)


class StaleEtag(Refusal):
    """Somebody changed the resource since the caller read it."""

    def __init__(self) -> None:
        super().__init__(Code.ABORTED, "ETAG_STALE")


class RequestIdReused(Refusal):
    """The request id came before with another body."""

    def __init__(self) -> None:
        super().__init__(Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")


class Exhausted(Refusal):
    """Too much at once."""

    def __init__(self, reason: str = "OVERLOADED", retry_after_s: float | None = 1.0) -> None:
        super().__init__(Code.RESOURCE_EXHAUSTED, reason, retry_after_s=retry_after_s)


class Unavailable(Refusal):
    """Something we depend on did not answer; nothing was disclosed, nothing was decided."""

    def __init__(self, reason: str, retry_after_s: float = 1.0) -> None:
        super().__init__(Code.UNAVAILABLE, reason, retry_after_s=retry_after_s)
