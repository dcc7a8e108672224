"""Twelve words give the same keys forever, and a mistyped word is named (I29)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meldbrug.crypto import (
    ChecksumMismatch,
    ReceiptError,
    ReceiptLanguage,
    UnknownWord,
    WordCount,
    from_words,
    keys_from,
    new_entropy,
    to_words,
)
from meldbrug.crypto.receipt import words_of

ENTROPY = bytes(range(16))
languages: st.SearchStrategy[ReceiptLanguage] = st.sampled_from(("nl", "en"))


@given(st.binary(min_size=16, max_size=16), languages)
def test_words_and_bits_are_each_other(entropy: bytes, language: ReceiptLanguage) -> None:
    words = to_words(entropy, language)

    assert len(words) == 12
    assert from_words(" ".join(words)) == entropy


@given(st.binary(min_size=16, max_size=16))
def test_both_languages_give_the_same_keys(entropy: bytes) -> None:
    dutch, english = (from_words(" ".join(to_words(entropy, language))) for language in ("nl", "en"))

    assert keys_from(dutch) == keys_from(english)


def test_capitals_spaces_line_ends_and_commas_do_not_matter() -> None:
    words = to_words(ENTROPY, "nl")

    assert from_words("  " + ",\n\t".join(words).upper() + " ,") == ENTROPY
    assert from_words(",".join(words)) == ENTROPY


def test_a_word_that_is_not_in_the_list_is_named_with_its_nearest() -> None:
    words = list(to_words(ENTROPY, "nl"))
    right, words[4] = words[4], words[4][:-1] + "q"

    with pytest.raises(UnknownWord) as caught:
        from_words(" ".join(words))

    assert (caught.value.word, caught.value.position, caught.value.nearest) == (right[:-1] + "q", 5, right)
    assert right not in str(caught.value)


def test_a_word_of_the_other_language_is_not_in_the_list() -> None:
    words = [*to_words(ENTROPY, "nl")[:11], to_words(ENTROPY, "en")[11]]

    with pytest.raises(UnknownWord) as caught:
        from_words(" ".join(words))

    assert caught.value.position == 12
    assert caught.value.nearest in words_of("nl")


def test_words_that_are_all_known_but_wrong_are_refused_fifteen_times_in_sixteen() -> None:
    chance = random.Random(1)
    words, refused = to_words(ENTROPY, "en"), 0
    for _ in range(400):
        changed = list(words)
        changed[chance.randrange(12)] = chance.choice(words_of("en"))
        try:
            from_words(" ".join(changed))
        except ChecksumMismatch:
            refused += 1

    assert 355 <= refused <= 394


def test_two_words_in_each_other_s_place_are_refused() -> None:
    words = list(to_words(ENTROPY, "nl"))
    words[0], words[1] = words[1], words[0]

    with pytest.raises(ChecksumMismatch):
        from_words(" ".join(words))


@pytest.mark.parametrize("count", [0, 1, 11, 13])
def test_twelve_words_are_needed(count: int) -> None:
    with pytest.raises(WordCount) as caught:
        from_words(" ".join((to_words(ENTROPY, "nl") * 2)[:count]))

    assert caught.value.count == count


def test_more_text_than_any_receipt_is_not_read() -> None:
    with pytest.raises(ReceiptError, match="too-long"):
        from_words("a" * 1001)


@given(st.text(max_size=200))
def test_no_text_does_more_than_refuse(text: str) -> None:
    with pytest.raises(ReceiptError):
        from_words(text)


def test_twelve_endless_words_are_answered_at_once() -> None:
    with pytest.raises(UnknownWord) as caught:
        from_words(" ".join(["x" * 82] * 12))

    assert caught.value.position == 1


@pytest.mark.parametrize("entropy", [b"", ENTROPY[:-1], ENTROPY + b"\0"])
def test_a_receipt_has_128_bits(entropy: bytes) -> None:
    with pytest.raises(ReceiptError, match="entropy-length"):
        to_words(entropy, "nl")
    with pytest.raises(ReceiptError, match="entropy-length"):
        keys_from(entropy)


def test_each_key_follows_from_its_own_label() -> None:
    keys = keys_from(ENTROPY)

    assert keys.signing_seed != keys.sealing_seed
    assert keys_from(ENTROPY).kid == keys.kid
    assert keys_from(bytes(16)).kid != keys.kid


def test_new_receipts_come_from_the_randomness_that_is_passed_in() -> None:
    assert new_entropy(lambda n: b"\x07" * n) == b"\x07" * 16
    assert new_entropy() != new_entropy()
