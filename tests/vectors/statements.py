"""Vectors of signed statements."""

from google.protobuf import json_format
from google.protobuf.message import Message

from meldbrug.common.v1 import common_pb2
from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import (
    commitment_of,
)
from meldbrug.crypto.statements import LAST_SECOND, StatementKind, signing_input
from meldbrug.statements.v1 import statements_pb2 as wire
from tests.unit.crypto import builders as b
from tests.unit.crypto.replay import Values, signed_values
from tests.vectors.notation import CEK, KEYS, flipped, gives, refuses


def messages() -> dict[StatementKind, tuple[Message, str]]:
    """One message of each kind, and who signs it."""
    section = f"{b.INCIDENT}/sections/{b.ident('section')}"
    reported = {"installation": b.INSTALLATION, "reporter_kid": b.REPORTER.kid, "sequence": b.SEQUENCE}
    handler = wire.Intake.Handler(kid=b.MEMBER.kid, participation=b.PARTICIPATION, appointment=b.APPOINTMENT)
    item = wire.Rewrap.Item(
        section=section, version=1, commitment=commitment_of(CEK), wrap_digest=b.hashed("new wrap")
    )
    return {
        StatementKind.INTAKE: (wire.Intake(incident=b.INCIDENT, handlers=[handler], **reported), "reporter"),
        StatementKind.CONSENT: (b.consent(), "reporter"),
        StatementKind.REFUSAL: (b.refusal(), "reporter"),
        StatementKind.WITHDRAWAL: (
            wire.Withdrawal(incident=b.INCIDENT, notice=b.NOTICE, reader_kids=[b.READER.kid], **reported),
            "reporter",
        ),
        StatementKind.EXCLUSION: (
            wire.Exclusion(
                incident=b.INCIDENT, subjects=[b.ADMIN_SUBJECT], organisations=[b.PRODUCER], **reported
            ),
            "reporter",
        ),
        StatementKind.DECISION: (
            wire.Decision(
                notice=b.NOTICE,
                recipient=b.PARTICIPATION,
                ground=common_pb2.GROUND_REPORTER_CONSENT,
                necessity_digest=b.hashed("necessity"),
                handler_kid=b.MEMBER.kid,
                stands=True,
                **reported,
            ),
            "member",
        ),
        StatementKind.TERMS: (
            wire.TermsAnswer(
                installation=b.INSTALLATION,
                notice=b.NOTICE,
                participation=b.PARTICIPATION,
                terms_version="2026-1",
                terms_digest=b.hashed("terms"),
                accepted=True,
                reader_kid=b.READER.kid,
                sequence=b.SEQUENCE,
            ),
            "reader",
        ),
        StatementKind.ENDORSEMENT: (b.endorsement(b.MEMBER, b.ADMIN), "admin"),
        StatementKind.APPOINTMENT: (
            wire.Appointment.FromString(b.appointed().signed.statement),
            "admin",
        ),
        StatementKind.ROTATION: (
            wire.KeyRotation.FromString(b.rotated(b.MEMBER, KEYS["second"]).signed.statement),
            "member",
        ),
        StatementKind.REWRAP: (
            wire.Rewrap(
                installation=b.INSTALLATION,
                incident=b.INCIDENT,
                grant=b.CONSENT,
                old_kid=b.READER.kid,
                new_kid=KEYS["second"].kid,
                items=[item],
                sequence=b.SEQUENCE,
            ),
            "reader",
        ),
    }


def statement_vectors() -> list[Values]:
    vectors = []
    for kind, (message, signer) in messages().items():
        written = json_format.MessageToDict(message, preserving_proto_field_name=True)
        made = gives(kind.value, "sign_statement", {"kind": kind.value, "message": written, "signer": signer})
        received = made["result"] | {"kind": kind.value, "signer": signer}
        vectors += [made, gives(f"{kind.value}, received", "verify_statement", received)]
    return vectors + statement_refusals()


def statement_refusals() -> list[Values]:
    refusal = b.refusal().SerializeToString()
    signature = b.REPORTER.sign(signing_input(StatementKind.REFUSAL, refusal))
    nested = b.consent()
    nested.sections[0].MergeFromString(b"\xfa\x3f\x01x")

    def received(statement: bytes, kind: StatementKind = StatementKind.REFUSAL) -> Values:
        signed = Signed(statement=statement, signature=b.REPORTER.sign(signing_input(kind, statement)))
        return signed_values(signed) | {"kind": kind.value, "signer": "reporter"}

    def refused(name: str, given: Values, reason: str, detail: str) -> Values:
        return refuses(name, "verify_statement", given, reason, detail)

    good = received(refusal)
    return [
        refused(
            "flipped bit in the statement",
            good | {"statement": flipped(refusal, 5).hex()},
            "STATEMENT_SIGNATURE",
            "signature",
        ),
        refused(
            "flipped bit in the signature",
            good | {"signature": flipped(signature, 63).hex()},
            "STATEMENT_SIGNATURE",
            "signature",
        ),
        refused("another signer", good | {"signer": "stranger"}, "STATEMENT_SIGNATURE", "signature"),
        refused(
            "wrong context: another kind", good | {"kind": "exclusion"}, "STATEMENT_SIGNATURE", "signature"
        ),
        refused(
            "truncated, old signature",
            good | {"statement": refusal[:-1].hex()},
            "STATEMENT_SIGNATURE",
            "signature",
        ),
        refused(
            "truncated signature",
            good | {"signature": signature[:-1].hex()},
            "STATEMENT_SIGNATURE",
            "signature",
        ),
        refused(
            "a length with more than its 32 bits",
            # The first field holds the installation, 52 characters: 52 + 2^32.
            received(refusal.replace(b"\x0a\x34", b"\x0a\xb4\x80\x80\x80\x10", 1)),
            "STATEMENT_MALFORMED",
            "does-not-parse",
        ),
        refused(
            "a length in more bytes than it takes",
            received(refusal.replace(b"\x0a\x34", b"\x0a\xb4\x80\x80\x80\x80\x00", 1)),
            "STATEMENT_MALFORMED",
            "does-not-parse",
        ),
        refused("truncated, signed anew", received(refusal[:-1]), "STATEMENT_MALFORMED", "does-not-parse"),
        refused(
            "unknown field", received(refusal + b"\xfa\x3f\x01x"), "STATEMENT_MALFORMED", "unknown-field"
        ),
        refused(
            "unknown field inside a section",
            received(nested.SerializeToString(), StatementKind.CONSENT),
            "STATEMENT_MALFORMED",
            "unknown-field",
        ),
        refused(
            "unknown number of an enum",
            received(refused_kind().SerializeToString(), StatementKind.CONSENT),
            "STATEMENT_MALFORMED",
            "rules",
        ),
        refused(
            "a required field missing",
            received(b.refusal(notice="").SerializeToString()),
            "STATEMENT_MALFORMED",
            "rules",
        ),
        refused(
            "a control character",
            received(of_two_lines().SerializeToString(), StatementKind.CONSENT),
            "STATEMENT_MALFORMED",
            "rules",
        ),
        refused(
            "a time of no calendar",
            received(endless().SerializeToString(), StatementKind.CONSENT),
            "STATEMENT_MALFORMED",
            "rules",
        ),
        refused(
            "names another signer",
            received(b.refusal(reporter_kid=b.READER.kid).SerializeToString()),
            "STATEMENT_FOREIGN",
            "signer",
        ),
        refused("larger than any", received(bytes(32_769)), "STATEMENT_MALFORMED", "too-large"),
    ]


def refused_kind() -> wire.Consent:
    """A consent with a kind that nobody defined."""
    message = b.consent()
    message.sections[0].ClearField("kind")
    message.sections[0].MergeFromString(b"\x18\x63")
    return message


def of_two_lines() -> wire.Consent:
    """A consent to terms whose version has a line of its own."""
    message = b.consent()
    message.terms_version += "\n"
    return message


def endless() -> wire.Consent:
    """A consent until a second that no calendar holds."""
    message = b.consent()
    message.valid_until.seconds = LAST_SECOND + 1
    return message
