"""What principals sign: protobuf bytes, verified as received before anything in them is believed."""

import hashlib
from enum import StrEnum
from typing import TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from meldbrug.common.v1 import common_pb2
from meldbrug.statements.v1 import statements_pb2 as wire

from .errors import StatementForeign, StatementMalformed, StatementSignature
from .keys import PublicKeys, SecretKeys

M = TypeVar("M", bound=Message)

MAX_STATEMENT_BYTES = 32_768
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799


class StatementKind(StrEnum):
    """What a statement says; the value is the label in front of the bytes that are signed."""

    INTAKE = "intake"
    CONSENT = "consent"
    REFUSAL = "refusal"
    WITHDRAWAL = "withdrawal"
    EXCLUSION = "exclusion"
    DECISION = "decision"
    TERMS = "terms"
    ENDORSEMENT = "endorsement"
    APPOINTMENT = "appointment"
    ROTATION = "rotation"
    REWRAP = "rewrap"


# The message of each kind, and the field in which it names the key that signs.
_FORMS: dict[StatementKind, tuple[type[Message], str]] = {
    StatementKind.INTAKE: (wire.Intake, "reporter_kid"),
    StatementKind.CONSENT: (wire.Consent, "reporter_kid"),
    StatementKind.REFUSAL: (wire.Refusal, "reporter_kid"),
    StatementKind.WITHDRAWAL: (wire.Withdrawal, "reporter_kid"),
    StatementKind.EXCLUSION: (wire.Exclusion, "reporter_kid"),
    StatementKind.DECISION: (wire.Decision, "handler_kid"),
    StatementKind.TERMS: (wire.TermsAnswer, "reader_kid"),
    StatementKind.ENDORSEMENT: (wire.Endorsement, "signer_kid"),
    StatementKind.APPOINTMENT: (wire.Appointment, "signer_kid"),
    StatementKind.ROTATION: (wire.KeyRotation, "old_kid"),
    StatementKind.REWRAP: (wire.Rewrap, "old_kid"),
}


def signing_input(kind: StatementKind, statement: bytes) -> bytes:
    """Returns what is signed: the kind's label, a zero byte, and the statement's bytes."""
    return b"meldbrug/" + kind.value.encode("ascii") + b"/v1\0" + statement


def statement_digest(signed: common_pb2.Signed) -> bytes:
    """Returns the SHA-256 of the statement's bytes, by which others may name it."""
    return hashlib.sha256(signed.statement).digest()


def sign(kind: StatementKind, message: Message, keys: SecretKeys) -> common_pb2.Signed:
    """Returns `message` as bytes with the signature of `keys`.

    Raises:
        StatementMalformed: the message breaks a rule of its fields.
        StatementForeign: the message names another key as its signer.
        TypeError: the message is not of the kind's type.
    """
    _require_form(kind, type(message))
    _require_rules(message)
    _require_signer(kind, message, keys.kid)
    statement = message.SerializeToString(deterministic=True)
    return common_pb2.Signed(statement=statement, signature=keys.sign(signing_input(kind, statement)))


def verify(kind: StatementKind, signed: common_pb2.Signed, signer: PublicKeys, cls: type[M]) -> M:
    """Returns the statement that `signer` signed; nothing is parsed before the signature holds.

    Raises:
        StatementSignature: the signature is not the signer's over these bytes as this kind.
        StatementMalformed: see `parse`.
        StatementForeign: the statement names another key as its signer.
        TypeError: `cls` is not the kind's type.
    """
    _require_form(kind, cls)
    if not signer.verify(signed.signature, signing_input(kind, signed.statement)):
        raise StatementSignature("signature")
    message = parse(kind, signed, cls)
    _require_signer(kind, message, signer.kid)
    return message


def parse(kind: StatementKind, signed: common_pb2.Signed, cls: type[M]) -> M:
    """Returns the statement UNVERIFIED, only to learn from it whose key to verify it with.

    Raises:
        StatementMalformed: not such a message, an unknown field at any depth, or a field's rule broken.
        TypeError: `cls` is not the kind's type.
    """
    _require_form(kind, cls)
    if len(signed.statement) > MAX_STATEMENT_BYTES:
        raise StatementMalformed("too-large")
    message = cls()
    try:
        message.ParseFromString(signed.statement)
    except DecodeError:
        raise StatementMalformed("does-not-parse") from None
    if _has_unknown_fields(message):
        raise StatementMalformed("unknown-field")
    _require_rules(message)
    return message


def holds_times(message: Message) -> bool:
    """Whether each Timestamp in it is a moment of the years 1 to 9999; the rules of fields let more pass."""
    if isinstance(message, Timestamp):
        return FIRST_SECOND <= message.seconds <= LAST_SECOND and 0 <= message.nanos < 10**9
    return all(map(holds_times, _submessages(message)))


def _require_form(kind: StatementKind, cls: type[Message]) -> None:
    if _FORMS[kind][0] is not cls:
        raise TypeError(f"{kind.value} is not written as {cls.__name__}")


def _require_rules(message: Message) -> None:
    try:
        protovalidate.validate(message)
    except protovalidate.ValidationError:
        # The violations quote fields, and a statement is confidential.
        raise StatementMalformed("rules") from None
    if not holds_times(message):
        raise StatementMalformed("rules")


def _require_signer(kind: StatementKind, message: Message, kid: str) -> None:
    if getattr(message, _FORMS[kind][1]) != kid:
        raise StatementForeign("signer")


def _has_unknown_fields(message: Message) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    return any(map(_has_unknown_fields, _submessages(message)))


def _submessages(message: Message) -> list[Message]:
    found: list[Message] = []
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            found.extend(value if field.is_repeated else [value])
    return found
