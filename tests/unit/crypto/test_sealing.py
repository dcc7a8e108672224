"""A sealed blob opens only in its own place, for its own reader, grant and purposes (I15, T7)."""

import hashlib
from dataclasses import fields, replace
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from meldbrug.crypto import (
    MAX_CIPHERTEXT_BYTES,
    MAX_CONTENT_BYTES,
    MIN_CIPHERTEXT_BYTES,
    WRAP_BYTES,
    AuthorSignature,
    CommitmentMismatch,
    DigestMismatch,
    SealedSection,
    SectionBroken,
    SectionContext,
    SectionInvalid,
    WrapBroken,
    commitment_of,
    digest_of,
    new_cek,
    open_section,
    seal_section,
    unwrap_key,
    verify_sealed,
    wrap_key,
)
from meldbrug.crypto.sealing import decrypt_content, padded_length
from tests.unit.crypto.builders import (
    CONSENT,
    INCIDENT,
    MEMBER,
    READER,
    REPORTER,
    STRANGER,
    context,
    hashed,
    ident,
)

CTX = context()
CEK = hashed("cek")
TEXT = "Op de set werd ik de hele dag genegeerd."
SEALED = seal_section(CTX, TEXT, CEK, REPORTER, REPORTER.kid)
WRAP = wrap_key(CEK, READER.public, CTX, CONSENT, [1, 2])

PLACES = [
    CTX,
    context(installation=STRANGER.kid),
    context(incident=f"incidents/{ident('other')}"),
    context(section=f"{INCIDENT}/sections/{ident('other')}"),
    context(version=2),
    context(kind=5),
]
# A wrap does not repeat the kind: the section's own signature and seal bind it.
WRAP_PLACES = PLACES[:-1]
GRANTS = [CONSENT, f"consents/{ident('other')}", INCIDENT]
PURPOSES: list[list[int]] = [[1, 2], [1], [2], [1, 2, 3], []]
READERS = [READER, MEMBER, REPORTER]


def damaged(data: bytes, position: int, flip: int = 1) -> bytes:
    changed = bytearray(data)
    changed[position] ^= flip
    return bytes(changed)


def test_what_was_sealed_is_opened() -> None:
    cek = unwrap_key(WRAP, READER, CTX, CONSENT, [2, 1])

    assert open_section(CTX, SEALED, cek, REPORTER.public) == TEXT.encode()
    assert len(WRAP) == WRAP_BYTES


@given(st.binary(max_size=3000))
def test_any_bytes_come_back_as_they_were(content: bytes) -> None:
    sealed = seal_section(CTX, content, CEK, REPORTER, REPORTER.kid)

    assert open_section(CTX, sealed, CEK, REPORTER.public) == content


@given(st.text(max_size=500))
def test_any_text_comes_back_as_utf_8(text: str) -> None:
    sealed = seal_section(CTX, text, CEK, REPORTER, REPORTER.kid)

    assert open_section(CTX, sealed, CEK, REPORTER.public).decode() == text


def test_half_a_character_is_not_sealed() -> None:
    with pytest.raises(SectionInvalid, match="not-unicode"):
        seal_section(CTX, "\ud800", CEK, REPORTER, REPORTER.kid)


def test_a_ciphertext_tells_only_a_bucket_of_the_length() -> None:
    lengths = [
        len(seal_section(CTX, b"x" * n, CEK, REPORTER, REPORTER.kid).ciphertext) for n in (0, 1, 500, 1020)
    ]

    assert set(lengths) == {MIN_CIPHERTEXT_BYTES}


def test_the_largest_content_fits_and_one_more_byte_does_not() -> None:
    sealed = seal_section(CTX, b"x" * MAX_CONTENT_BYTES, CEK, REPORTER, REPORTER.kid)

    assert len(sealed.ciphertext) == MAX_CIPHERTEXT_BYTES
    assert len(open_section(CTX, sealed, CEK, REPORTER.public)) == MAX_CONTENT_BYTES
    with pytest.raises(SectionInvalid, match="too-large"):
        seal_section(CTX, b"x" * (MAX_CONTENT_BYTES + 1), CEK, REPORTER, REPORTER.kid)


@given(st.integers(0, MAX_CONTENT_BYTES))
def test_padding_costs_at_most_twelve_percent_above_its_floor(length: int) -> None:
    padded = padded_length(length)

    assert padded >= max(1024, length + 4)
    assert padded <= max(1024, 1.12 * (length + 4))
    assert padded_length(padded - 4) == padded


def test_padding_never_shrinks_and_has_few_sizes() -> None:
    sizes = [padded_length(n) for n in range(MAX_CONTENT_BYTES + 1)]

    assert all(a <= b for a, b in pairwise(sizes))
    assert len(set(sizes)) < 120


@pytest.mark.parametrize("other", PLACES[1:])
def test_a_section_opens_in_no_other_place(other: SectionContext) -> None:
    with pytest.raises(AuthorSignature):
        open_section(other, SEALED, CEK, REPORTER.public)
    with pytest.raises(SectionBroken, match="tag"):
        decrypt_content(other, SEALED.ciphertext, CEK)


@given(st.sampled_from(PLACES), st.sampled_from(PLACES), st.binary(max_size=40))
def test_swapping_any_two_places_refuses(
    sealed_in: SectionContext, opened_in: SectionContext, content: bytes
) -> None:
    sealed = seal_section(sealed_in, content, CEK, REPORTER, REPORTER.kid)

    if sealed_in == opened_in:
        assert open_section(opened_in, sealed, CEK, REPORTER.public) == content
    else:
        with pytest.raises(AuthorSignature):
            open_section(opened_in, sealed, CEK, REPORTER.public)


def test_a_wrap_opens_under_its_own_binding_and_no_other() -> None:
    opened = []
    for place in WRAP_PLACES:
        for grant in GRANTS:
            for purposes in PURPOSES:
                for reader in READERS:
                    try:
                        opened.append(
                            (unwrap_key(WRAP, reader, place, grant, purposes), place, grant, purposes, reader)
                        )
                    except WrapBroken:
                        continue

    assert opened == [(CEK, CTX, CONSENT, [1, 2], READER)]


bindings = st.tuples(
    st.sampled_from(WRAP_PLACES), st.sampled_from(GRANTS), st.sampled_from(PURPOSES), st.sampled_from(READERS)
)


@given(bindings, bindings)
def test_swapping_any_two_wraps_refuses(
    made: tuple[SectionContext, str, list[int], object], used: tuple[SectionContext, str, list[int], object]
) -> None:
    place, grant, purposes, reader = made
    wrap = wrap_key(CEK, reader.public, place, grant, purposes)

    place, grant, purposes, reader = used
    if made == used:
        assert unwrap_key(wrap, reader, place, grant, purposes) == CEK
    else:
        with pytest.raises(WrapBroken):
            unwrap_key(wrap, reader, place, grant, purposes)


def test_a_wrap_with_any_byte_changed_does_not_open() -> None:
    for position in range(WRAP_BYTES):
        with pytest.raises(WrapBroken):
            unwrap_key(damaged(WRAP, position), READER, CTX, CONSENT, [1, 2])


@pytest.mark.parametrize("wrap", [b"", WRAP[:-1], WRAP + b"\0", WRAP[:1120]])
def test_a_wrap_of_another_length_does_not_open(wrap: bytes) -> None:
    with pytest.raises(WrapBroken, match="length"):
        unwrap_key(wrap, READER, CTX, CONSENT, [1, 2])


@pytest.mark.parametrize("point", [0, 1, 2**255 - 20])
def test_a_wrap_whose_encapsulation_is_a_low_order_point_does_not_open(point: int) -> None:
    forged = WRAP[:1088] + point.to_bytes(32, "little") + WRAP[1120:]

    with pytest.raises(WrapBroken, match="does-not-open"):
        unwrap_key(forged, READER, CTX, CONSENT, [1, 2])


def test_a_ciphertext_with_any_byte_changed_is_noticed_twice() -> None:
    for position in range(len(SEALED.ciphertext)):
        forged = damaged(SEALED.ciphertext, position)
        with pytest.raises(DigestMismatch):
            verify_sealed(CTX, replace(SEALED, ciphertext=forged), REPORTER.public)
        with pytest.raises(SectionBroken, match="tag"):
            decrypt_content(CTX, forged, CEK)


@pytest.mark.parametrize("position", range(64))
def test_an_author_signature_with_any_byte_changed_is_refused(position: int) -> None:
    forged = replace(SEALED, author_signature=damaged(SEALED.author_signature, position))

    with pytest.raises(AuthorSignature, match="signature"):
        verify_sealed(CTX, forged, REPORTER.public)


def test_every_field_of_a_sealed_section_is_bound() -> None:
    other = seal_section(CTX, "other", hashed("other cek"), STRANGER, STRANGER.kid)

    for field in fields(SealedSection):
        forged = replace(SEALED, **{field.name: getattr(other, field.name)})
        with pytest.raises((AuthorSignature, DigestMismatch)):
            verify_sealed(CTX, forged, REPORTER.public)


def test_an_author_cannot_be_swapped_for_another() -> None:
    with pytest.raises(AuthorSignature, match="other-author"):
        open_section(CTX, SEALED, CEK, STRANGER.public)
    with pytest.raises(AuthorSignature, match="signature"):
        open_section(CTX, replace(SEALED, author_kid=STRANGER.kid), CEK, STRANGER.public)


def test_two_texts_never_share_one_commitment() -> None:
    twin = seal_section(CTX, "another text", hashed("another cek"), REPORTER, REPORTER.kid)

    with pytest.raises(CommitmentMismatch):
        open_section(CTX, twin, CEK, REPORTER.public)
    with pytest.raises(AuthorSignature):
        open_section(CTX, replace(twin, commitment=commitment_of(CEK)), CEK, REPORTER.public)


@pytest.mark.parametrize("ciphertext", [b"", SEALED.ciphertext[:-1], b"\0" * (MAX_CIPHERTEXT_BYTES + 1)])
def test_a_ciphertext_out_of_bounds_does_not_open(ciphertext: bytes) -> None:
    with pytest.raises(SectionBroken, match="length"):
        decrypt_content(CTX, ciphertext, CEK)


@pytest.mark.parametrize("cek", [b"", CEK[:-1], CEK + b"\0"])
def test_a_content_key_of_another_length_is_refused(cek: bytes) -> None:
    with pytest.raises(SectionInvalid, match="cek-length"):
        seal_section(CTX, b"", cek, REPORTER, REPORTER.kid)
    with pytest.raises(SectionInvalid, match="cek-length"):
        wrap_key(cek, READER.public, CTX, CONSENT, [])
    with pytest.raises(SectionBroken, match="length"):
        decrypt_content(CTX, SEALED.ciphertext, cek)


@pytest.mark.parametrize(
    "padded",
    [
        (1021).to_bytes(4, "big") + b"x" * 1020,  # The length says more than there is.
        (2**32 - 1).to_bytes(4, "big") + bytes(1020),
        (0).to_bytes(4, "big") + bytes(1019) + b"\x01",  # Something after the content.
        (0).to_bytes(4, "big") + bytes(1052),  # A bucket too many.
    ],
)
def test_padding_has_one_form(padded: bytes) -> None:
    aad = (
        bytes.fromhex(
            "6d656c64627275672f73656374696f6e2f763100"  # meldbrug/section/v1
        )
        + b"".join(
            b"\x02" + len(text).to_bytes(4, "big") + text.encode()
            for text in (CTX.installation, CTX.incident, CTX.section)
        )
        + b"".join(
            b"\x03" + (8).to_bytes(4, "big") + number.to_bytes(8, "big") for number in (CTX.version, CTX.kind)
        )
    )
    ciphertext = AESGCM(CEK).encrypt(bytes(12), padded, aad)

    with pytest.raises(SectionBroken, match="padding"):
        decrypt_content(CTX, ciphertext, CEK)


def test_content_keys_come_from_the_randomness_that_is_passed_in() -> None:
    assert new_cek(bytes) == bytes(32)
    assert new_cek() != new_cek()


def test_digest_and_commitment_are_plain_sha_256() -> None:
    assert digest_of(b"x") == hashlib.sha256(b"x").digest()
    assert commitment_of(CEK) == hashlib.sha256(b"meldbrug/cek/v1" + CEK).digest()
