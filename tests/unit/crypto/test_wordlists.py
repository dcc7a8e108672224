"""The word lists keep the promises of their README (I29)."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from meldbrug.crypto import ReceiptLanguage
from meldbrug.crypto.receipt import words_of

# A changed list makes receipts unreadable; that takes a new version of the format.
FROZEN = {
    "nl": "b9ca44b3ca0d734c8b2b1714e2a23af126119d6daf66cabe22a507e1cd1a3d37",
    "en": "9042e97b9ef1848f85370ad46b9c91502a503b7f791b2bc2af1193955ad78c23",
}


def neighbourhoods(word: str) -> Iterator[str]:
    """Two words of one edit apart share at least one of these."""
    yield word
    for i in range(len(word)):
        yield word[:i] + "*" + word[i + 1 :]
        yield word[:i] + word[i + 1 :]


def within_one_edit(first: str, second: str) -> bool:
    if len(first) == len(second):
        return sum(a != b for a, b in zip(first, second, strict=True)) <= 1
    short, long = sorted((first, second), key=len)
    return len(long) - len(short) == 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_list_never_changes(language: ReceiptLanguage) -> None:
    written = "".join(f"{word}\n" for word in words_of(language)).encode()

    assert hashlib.sha256(written).hexdigest() == FROZEN[language]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_list_has_2048_plain_words_in_order(language: ReceiptLanguage) -> None:
    words = words_of(language)

    assert len(words) == 2048
    assert list(words) == sorted(set(words))
    assert all(re.fullmatch(r"[a-z]{4,8}", word) for word in words)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_five_letters_tell_the_words_of_a_list_apart(language: ReceiptLanguage) -> None:
    assert len({word[:5] for word in words_of(language)}) == 2048


def test_any_two_words_of_either_list_differ_by_two_letters() -> None:
    near: dict[str, list[str]] = defaultdict(list)
    for word in words_of("nl") + words_of("en"):
        for key in set(neighbourhoods(word)):
            near[key].append(word)

    too_close = {
        (a, b)
        for words in near.values()
        for i, a in enumerate(words)
        for b in words[i + 1 :]
        if within_one_edit(a, b)
    }

    assert too_close == set()


def test_no_word_is_in_both_lists() -> None:
    assert set(words_of("nl")).isdisjoint(words_of("en"))


def test_words_that_could_hurt_stay_out() -> None:
    # A sample of each kind that the README names; the lists were read word by word.
    dutch = """
        dood moord slaan bloed seks naakt borst verkracht schuld angst haat oorlog wapen hoer neger jood ziek
        vader moeder dochter gevangen politie rechter dronken bier god kerk slachtoffer mes pistool
    """
    english = """
        death murder beat blood sexual naked breast rape guilt fear hate war weapon whore slave cancer sick
        father mother daughter prison police judge drunk beer church victim abuse knife gun kill suicide
    """

    assert set((dutch + english).split()).isdisjoint(words_of("nl") + words_of("en"))
