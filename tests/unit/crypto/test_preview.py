"""A consent names what was shown, in the order and language it was shown in (T27)."""

import hashlib

import pytest

from meldbrug.crypto import canonical, preview_digest, terms_digest
from tests.unit.crypto.builders import NOTICE, hashed, ident

SHOWN = (NOTICE, [hashed("a"), hashed("b")], "1", 1)


def test_the_digest_is_over_notice_ciphertexts_template_and_language() -> None:
    written = canonical("preview", NOTICE, [hashed("a"), hashed("b")], "1", 1)

    assert preview_digest(*SHOWN) == hashlib.sha256(written).digest()
    assert preview_digest(NOTICE, (hashed("a"), hashed("b")), "1", 1) == preview_digest(*SHOWN)


@pytest.mark.parametrize(
    "other",
    [
        (f"incidents/{ident('x')}/notices/{ident('y')}", *SHOWN[1:]),
        (NOTICE, [hashed("b"), hashed("a")], "1", 1),
        (NOTICE, [hashed("a")], "1", 1),
        (NOTICE, [hashed("a"), hashed("b")], "2", 1),
        (NOTICE, [hashed("a"), hashed("b")], "1", 2),
    ],
)
def test_anything_shown_differently_has_another_digest(other: tuple[str, list[bytes], str, int]) -> None:
    assert preview_digest(*other) != preview_digest(*SHOWN)


def test_terms_are_hashed_exactly_as_shown() -> None:
    assert terms_digest("Één dag.") == hashlib.sha256("Één dag.".encode()).digest()
    assert terms_digest("Één dag. ") != terms_digest("Één dag.")
