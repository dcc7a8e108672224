"""Statements are verified as received, then parsed, and refused when anything is unknown (T9, T27, I24)."""

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import StatementForeign, StatementMalformed, StatementSignature
from meldbrug.crypto import statements as module
from meldbrug.crypto.statements import StatementKind, parse, sign, signing_input, statement_digest, verify
from meldbrug.statements.v1 import statements_pb2 as wire
from tests.unit.crypto.builders import (
    ADMIN,
    MEMBER,
    READER,
    REPORTER,
    STRANGER,
    consent,
    endorsement,
    refusal,
)

REFUSAL = sign(StatementKind.REFUSAL, refusal(), REPORTER)
CONSENT = sign(StatementKind.CONSENT, consent(), REPORTER)


def signed_bytes(kind: StatementKind, statement: bytes) -> Signed:
    """What a hostile reporter can sign."""
    return Signed(statement=statement, signature=REPORTER.sign(signing_input(kind, statement)))


def test_what_was_signed_is_what_is_returned() -> None:
    assert verify(StatementKind.REFUSAL, REFUSAL, REPORTER.public, wire.Refusal) == refusal()
    assert verify(StatementKind.CONSENT, CONSENT, REPORTER.public, wire.Consent) == consent()


def test_signing_twice_gives_the_same_bytes() -> None:
    assert sign(StatementKind.CONSENT, consent(), REPORTER) == CONSENT


def test_the_signature_is_over_label_and_bytes() -> None:
    assert REPORTER.public.verify(REFUSAL.signature, b"meldbrug/refusal/v1\0" + REFUSAL.statement)


def test_every_statement_message_has_one_kind_and_a_signer() -> None:
    carried = {cls.DESCRIPTOR.name for cls, _ in module._FORMS.values()}
    parts = {"SectionRef", "WrapHash"}

    assert carried | parts == set(wire.DESCRIPTOR.message_types_by_name)
    assert set(module._FORMS) == set(StatementKind)
    assert all(signer in cls.DESCRIPTOR.fields_by_name for cls, signer in module._FORMS.values())


def test_every_byte_of_a_small_statement_counts() -> None:
    for position in range(len(REFUSAL.statement)):
        changed = bytearray(REFUSAL.statement)
        changed[position] ^= 1
        with pytest.raises(StatementSignature):
            verify(
                StatementKind.REFUSAL,
                Signed(statement=bytes(changed), signature=REFUSAL.signature),
                REPORTER.public,
                wire.Refusal,
            )


def test_every_byte_of_a_signature_counts() -> None:
    for position in range(64):
        changed = bytearray(REFUSAL.signature)
        changed[position] ^= 1
        with pytest.raises(StatementSignature):
            verify(
                StatementKind.REFUSAL,
                Signed(statement=REFUSAL.statement, signature=bytes(changed)),
                REPORTER.public,
                wire.Refusal,
            )


def test_the_signature_is_checked_before_anything_is_parsed() -> None:
    with pytest.raises(StatementSignature):
        verify(
            StatementKind.REFUSAL,
            Signed(statement=b"\xff" * 40, signature=REFUSAL.signature),
            REPORTER.public,
            wire.Refusal,
        )


def test_a_statement_of_one_kind_is_none_of_another() -> None:
    # Exclusion and refusal parse alike; only the label in front keeps them apart.
    for kind in StatementKind:
        if kind is not StatementKind.REFUSAL:
            cls = module._FORMS[kind][0]
            with pytest.raises(StatementSignature):
                verify(kind, REFUSAL, REPORTER.public, cls)


def test_a_kind_is_never_read_as_the_type_of_another() -> None:
    with pytest.raises(TypeError, match="refusal"):
        verify(StatementKind.REFUSAL, REFUSAL, REPORTER.public, wire.Consent)
    with pytest.raises(TypeError, match="refusal"):
        parse(StatementKind.REFUSAL, REFUSAL, wire.Consent)
    with pytest.raises(TypeError, match="consent"):
        sign(StatementKind.CONSENT, refusal(), REPORTER)


def test_another_key_did_not_sign_it() -> None:
    with pytest.raises(StatementSignature):
        verify(StatementKind.REFUSAL, REFUSAL, STRANGER.public, wire.Refusal)


def test_nobody_signs_in_the_name_of_another_key() -> None:
    with pytest.raises(StatementForeign, match="signer"):
        sign(StatementKind.REFUSAL, refusal(), STRANGER)

    forged = signed_bytes(StatementKind.REFUSAL, refusal(reporter_kid=READER.kid).SerializeToString())
    with pytest.raises(StatementForeign, match="signer"):
        verify(StatementKind.REFUSAL, forged, REPORTER.public, wire.Refusal)


UNKNOWN_FIELD = b"\xfa\x3f\x01x"  # Field 1023, one byte.
NESTED_UNKNOWN = consent()
NESTED_UNKNOWN.sections[1].MergeFromString(UNKNOWN_FIELD)
IN_TIMESTAMP = consent()
IN_TIMESTAMP.valid_until.MergeFromString(UNKNOWN_FIELD)


@pytest.mark.parametrize(
    ("kind", "cls", "statement"),
    [
        (StatementKind.REFUSAL, wire.Refusal, REFUSAL.statement + UNKNOWN_FIELD),
        (StatementKind.CONSENT, wire.Consent, NESTED_UNKNOWN.SerializeToString()),
        (StatementKind.CONSENT, wire.Consent, IN_TIMESTAMP.SerializeToString()),
        (StatementKind.REFUSAL, wire.Refusal, REFUSAL.statement + b"\xfb\x3f\xfc\x3f"),
    ],
    ids=["at the top", "in a repeated message", "in a single message", "an empty group"],
)
def test_unknown_fields_are_refused_at_any_depth(
    kind: StatementKind, cls: type[Message], statement: bytes
) -> None:
    with pytest.raises(StatementMalformed, match="unknown-field"):
        verify(kind, signed_bytes(kind, statement), REPORTER.public, cls)


@pytest.mark.parametrize("statement", [b"\xff", REFUSAL.statement[:-1], b"\x0a\x7f", b"\x0b" * 200])
def test_bytes_that_are_no_message_are_refused(statement: bytes) -> None:
    with pytest.raises(StatementMalformed):
        verify(
            StatementKind.REFUSAL,
            signed_bytes(StatementKind.REFUSAL, statement),
            REPORTER.public,
            wire.Refusal,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"installation": ""},
        {"installation": REPORTER.kid.upper()},
        {"notice": "incidents/x"},
        {"notice": refusal().notice + "\n"},
        {"sequence": 0},
        {"sequence": 2**53},
    ],
)
def test_the_rules_of_the_fields_hold(changes: dict[str, object]) -> None:
    with pytest.raises(StatementMalformed, match="rules"):
        sign(StatementKind.REFUSAL, refusal(**changes), REPORTER)

    received = signed_bytes(StatementKind.REFUSAL, refusal(**changes).SerializeToString())
    with pytest.raises(StatementMalformed, match="rules"):
        verify(StatementKind.REFUSAL, received, REPORTER.public, wire.Refusal)


@pytest.mark.parametrize(
    "stamp",
    [
        Timestamp(seconds=module.LAST_SECOND + 1),
        Timestamp(seconds=module.FIRST_SECOND - 1),
        Timestamp(seconds=2**63 - 1),
        Timestamp(seconds=1, nanos=-1),
        Timestamp(seconds=1, nanos=10**9),
    ],
)
def test_a_time_that_no_calendar_holds_is_none(stamp: Timestamp) -> None:
    """T9, T27: what every reader turns into a date is one, or nobody could read the chain that it is in."""
    statement = endorsement(MEMBER, ADMIN)
    statement.valid_from.CopyFrom(stamp)
    with pytest.raises(StatementMalformed, match="rules"):
        sign(StatementKind.ENDORSEMENT, statement, ADMIN)

    signature = ADMIN.sign(signing_input(StatementKind.ENDORSEMENT, statement.SerializeToString()))
    received = Signed(statement=statement.SerializeToString(), signature=signature)
    with pytest.raises(StatementMalformed, match="rules"):
        verify(StatementKind.ENDORSEMENT, received, ADMIN.public, wire.Endorsement)


@pytest.mark.parametrize("seconds", [module.FIRST_SECOND, module.LAST_SECOND])
def test_the_first_and_the_last_second_of_the_calendar_are_times(seconds: int) -> None:
    statement = endorsement(MEMBER, ADMIN)
    statement.valid_from.CopyFrom(Timestamp(seconds=seconds, nanos=10**9 - 1))

    signed = sign(StatementKind.ENDORSEMENT, statement, ADMIN)

    assert verify(StatementKind.ENDORSEMENT, signed, ADMIN.public, wire.Endorsement) == statement


def test_a_statement_larger_than_any_is_not_even_parsed() -> None:
    with pytest.raises(StatementMalformed, match="too-large"):
        parse(StatementKind.REFUSAL, Signed(statement=bytes(32_769)), wire.Refusal)


def test_parsing_alone_proves_nothing_but_reads_the_same() -> None:
    unsigned = Signed(statement=REFUSAL.statement)

    assert parse(StatementKind.REFUSAL, unsigned, wire.Refusal) == refusal()


def test_a_statement_is_named_by_the_hash_of_its_bytes() -> None:
    assert statement_digest(Signed(statement=b"x")) == module.hashlib.sha256(b"x").digest()


@given(st.binary(max_size=300))
def test_no_received_bytes_do_more_than_refuse(statement: bytes) -> None:
    received = signed_bytes(StatementKind.REFUSAL, statement)

    with pytest.raises((StatementMalformed, StatementForeign)):
        verify(StatementKind.REFUSAL, received, REPORTER.public, wire.Refusal)


def test_the_refusal_of_a_statement_quotes_nothing_of_it() -> None:
    said = endorsement(MEMBER, ADMIN, subject_name="Een naam die niemand mag zien", organisation="x")

    with pytest.raises(StatementMalformed) as caught:
        sign(StatementKind.ENDORSEMENT, said, ADMIN)

    assert "naam" not in str(caught.value)
    assert caught.value.__suppress_context__
