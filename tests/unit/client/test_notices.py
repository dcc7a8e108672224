"""Which hand-overs a reader's device believes: those of this consent, step by step from its readers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from meldbrug.client import Book, Unverified
from meldbrug.client.notices import _handed_over, _require_in_force
from meldbrug.client.reading import Eyes
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1.directory_pb2 import KeyBook
from meldbrug.statements.v1 import statements_pb2 as said

ROOT, FIRST, SECOND, THIRD = (SecretKeys(bytes([n]) * 32, bytes([n]) * 32) for n in range(1, 5))
INCIDENT, OTHER = "incidents/" + "a" * 26, "incidents/" + "b" * 26
CONSENT = said.Consent(incident=INCIDENT, consent="consents/" + "c" * 26, reader_kids=[FIRST.kid])
BOOK = Book(
    ROOT.kid,
    KeyBook(
        keys=[
            common.PublicKeys(signing=keys.public.signing, sealing=keys.public.sealing)
            for keys in (FIRST, SECOND, THIRD)
        ]
    ),
)


def step(old: SecretKeys, new: SecretKeys, **changes: Any) -> common.Signed:
    """One key hands one section over to another."""
    item = said.Rewrap.Item(
        section=f"{INCIDENT}/sections/" + "d" * 26, version=1, commitment=b"c" * 32, wrap_digest=b"w" * 32
    )
    given = {"installation": ROOT.kid, "incident": INCIDENT, "grant": CONSENT.consent, **changes}
    rewrap = said.Rewrap(old_kid=old.kid, new_kid=new.kid, items=[item], sequence=1, **given)
    return statements.sign(StatementKind.REWRAP, rewrap, old)


def handed(*steps: common.Signed) -> int:
    return len(_handed_over(steps, CONSENT, Eyes(ROOT.kid, THIRD), BOOK))


def test_steps_that_follow_each_other_lead_to_the_reader() -> None:
    assert handed(step(FIRST, SECOND), step(SECOND, THIRD)) == 1


@pytest.mark.parametrize(
    "changes", [{"incident": OTHER}, {"installation": SECOND.kid}, {"grant": "consents/" + "e" * 26}]
)
def test_a_step_of_something_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unverified, match="another grant"):
        handed(step(FIRST, SECOND), step(SECOND, THIRD, **changes))


def test_a_step_by_somebody_who_was_never_reached_is_refused() -> None:
    with pytest.raises(Unverified, match="another"):
        handed(step(SECOND, THIRD))


def test_a_consent_for_as_long_as_there_is_a_calendar_is_in_force() -> None:
    always = said.Consent()
    always.valid_from.seconds, always.valid_until.seconds = statements.FIRST_SECOND, statements.LAST_SECOND

    _require_in_force(always, datetime(2026, 12, 1, tzinfo=UTC))
