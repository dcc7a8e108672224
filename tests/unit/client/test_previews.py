"""A yes is to what was asked, or to a part of it, and to nothing else (T26)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from meldbrug.client import MeldbrugError
from meldbrug.client.previews import WHOLE, Preview, Yes, chosen_purposes
from meldbrug.client.reading import Author
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.statements.v1 import statements_pb2 as said
from tests.unit.crypto import builders as b

PROTECT, PRESERVE, INFORM = (
    common.PURPOSE_PROTECT_PEOPLE,
    common.PURPOSE_PRESERVE_EVIDENCE,
    common.PURPOSE_INFORM,
)


def asking(purposes: Sequence[common.Purpose.ValueType]) -> Preview:
    return Preview(
        request=wire.ConsentRequest(purposes=purposes),
        texts=(),
        readers=(),
        organisation_title="Noorderlicht",
        handler=Author(b.MEMBER.kid, is_reporter=False),
        decision=said.Decision(),
        language=common.LANGUAGE_NL,
        contents=(),
    )


def test_a_yes_keeps_the_purposes_that_were_asked_for_or_some_of_them() -> None:
    asked = asking([PROTECT, INFORM])

    assert chosen_purposes(asked, WHOLE) == [PROTECT, INFORM]
    assert chosen_purposes(asked, Yes(purposes=[INFORM])) == [INFORM]


def test_a_yes_for_a_purpose_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(MeldbrugError, match="a purpose was not asked for"):
        chosen_purposes(asking([PROTECT]), Yes(purposes=[PROTECT, PRESERVE]))
