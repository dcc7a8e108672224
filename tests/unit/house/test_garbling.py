"""What garbles requests changes everything in them, and what judges the answers minds."""

from __future__ import annotations

import uuid
from random import Random

import pytest
from google.protobuf.message import DecodeError

from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said
from tests.support.garbling import NEVER, NONSENSE, Garbler, judge, places
from tests.support.personas import Answer
from tests.vectors.statements import messages

TIMES = 1500
KEYS = SecretKeys(b"s" * 32, b"e" * 32)
METHOD = "/meldbrug.disclosure.v1.ReporterService/GiveConsent"


def good() -> service.GiveConsentRequest:
    """A consent as a reporter gives it."""
    consent = said.Consent()
    consent.CopyFrom(messages()[StatementKind.CONSENT][0])
    consent.reporter_kid = KEYS.kid
    return service.GiveConsentRequest(
        notice=f"incidents/{'a' * 26}/notices/{'b' * 26}",
        consent=statements.sign(StatementKind.CONSENT, consent, KEYS),
        request_id=str(uuid.uuid4()),
    )


def garbled() -> list[service.GiveConsentRequest]:
    """What can still be read of it, garbled again and again."""
    garbler, found = Garbler(Random(1), [good()]), []
    for _ in range(TIMES):
        body = garbler.garbled(good(), KEYS)
        try:
            found.append(service.GiveConsentRequest.FromString(body))
        except DecodeError:
            continue
    return found


def test_what_is_garbled_in_a_statement_is_signed_again() -> None:
    given = good().consent.statement
    changed = [one.consent for one in garbled() if one.consent.statement not in {given, b""}]

    assert len(changed) > TIMES / 4
    assert sum(map(_holds, changed)) > len(changed) / 2


def _holds(signed: Signed) -> bool:
    return KEYS.public.verify(
        signed.signature, statements.signing_input(StatementKind.CONSENT, signed.statement)
    )


def test_every_field_is_garbled_some_time() -> None:
    changed = set()
    for one in garbled():
        consent = said.Consent()
        try:
            consent.ParseFromString(one.consent.statement)
        except DecodeError:
            continue
        changed |= _differ(consent, messages()[StatementKind.CONSENT][0]) | _differ(one, good())
    names = {
        field.name for kind in (said.Consent, service.GiveConsentRequest) for field in kind.DESCRIPTOR.fields
    }

    assert changed == names


def _differ(one: object, other: object) -> set[str]:
    fields = {place.field.name for place in places(one) if place.message is one}  # type: ignore[arg-type]
    return {name for name in fields if getattr(one, name) != getattr(other, name)}


@pytest.mark.parametrize("code", sorted(NEVER))
def test_an_answer_that_nobody_thought_of_is_minded(code: str) -> None:
    with pytest.raises(AssertionError, match=code):
        judge(METHOD, b"", Answer(code, "no", (), b"", 0.0))


def test_an_answer_that_repeats_what_was_sent_is_minded() -> None:
    with pytest.raises(AssertionError, match="repeats"):
        judge(METHOD, b"", Answer("INVALID_ARGUMENT", f"no {NONSENSE}", (), b"", 0.0))


def test_an_answer_without_a_reason_is_minded() -> None:
    with pytest.raises(AssertionError, match="INVALID_ARGUMENT"):
        judge(METHOD, b"", Answer("INVALID_ARGUMENT", "no", (), b"", 0.0))
    judge(METHOD, b"", Answer("OK", "", (), b"", 0.0))
