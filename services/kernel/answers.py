"""Failures become answers: what a caller is told, as a status, and what a status of a peer means.

The one place where a refusal meets gRPC; whatever is not a refusal is told as little as possible.
"""

from __future__ import annotations

import procrastinate.exceptions
import psycopg
import sqlalchemy.exc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from meldbrug.crypto.errors import CryptoError
from services.kernel.errors import Code, InvalidArgument, NotPermitted, Refusal, Unavailable
from services.kernel.log import Event, emit_failure, request_id

DOMAIN = "meldbrug"
# SQLSTATEs that psycopg does not class as operational and that pass by themselves: idle and transaction
# time limits, and a server that became a read-only standby.
PASSING_SQLSTATES = frozenset({"25P03", "25P04", "25006"})


def refusal_of(failure: Exception) -> Refusal:
    """What the caller is told about a failure; whatever we did not choose to tell is an opaque INTERNAL."""
    if isinstance(failure, Refusal):
        return failure
    if isinstance(failure, CryptoError):
        return InvalidArgument(failure.reason)
    if _is_database_down(failure):
        emit_failure(Event.CALL_FAILED, failure, dependency="database")
        return Unavailable("DATABASE_UNAVAILABLE")
    emit_failure(Event.CALL_FAILED, failure)
    return Refusal(Code.INTERNAL, "INTERNAL", "internal error", metadata={"requestId": request_id.get()})


def _is_database_down(failure: BaseException | None) -> bool:
    if isinstance(failure, sqlalchemy.exc.DBAPIError):
        return failure.connection_invalidated or _is_database_down(failure.orig)
    if isinstance(failure, psycopg.Error):
        return isinstance(failure, psycopg.OperationalError) or failure.sqlstate in PASSING_SQLSTATES
    return isinstance(failure, sqlalchemy.exc.TimeoutError | procrastinate.exceptions.ConnectorException)


def status_of(refusal: Refusal) -> status_pb2.Status:
    """The status of a refusal: one ErrorInfo, a BadRequest for named fields, a RetryInfo for a wait."""
    status = status_pb2.Status(code=code_pb2.Code.Value(refusal.code.value), message=refusal.message)
    info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=refusal.metadata)
    details: list[Message] = [info]
    if refusal.fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=path, description=text)
            for path, text in refusal.fields
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if refusal.retry_after_s is not None:
        wait = duration_pb2.Duration()
        wait.FromMilliseconds(int(refusal.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=wait))
    status.details.extend(_packed(detail) for detail in details)
    return status


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def refusal_from(status: status_pb2.Status) -> Refusal:
    """The refusal that a status was made of; an unknown one is INTERNAL."""
    info, wait = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    bad = error_details_pb2.BadRequest()
    retry_after_s = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        if detail.Unpack(wait):
            retry_after_s = wait.retry_delay.ToMilliseconds() / 1000
    if info.reason == "NOT_PERMITTED":
        return NotPermitted()
    fields = [(violation.field, violation.description) for violation in bad.field_violations]
    return Refusal(
        Code.__members__.get(code_pb2.Code.Name(status.code), Code.INTERNAL),
        info.reason or "INTERNAL",
        status.message,
        metadata=info.metadata,
        fields=fields,
        retry_after_s=retry_after_s,
    )
