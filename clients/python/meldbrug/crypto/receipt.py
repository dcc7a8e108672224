"""The receipt: twelve words from which a reporter's keys follow, and nothing else does."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import ChecksumMismatch, ReceiptError, UnknownWord, WordCount
from .keys import SEED_BYTES, RandomBytes, SecretKeys

ReceiptLanguage: TypeAlias = Literal["nl", "en"]

LANGUAGES: tuple[ReceiptLanguage, ...] = ("nl", "en")
ENTROPY_BYTES = 16
WORDS = 12
WORD_BITS = 11
CHECKSUM_BITS = 4

_MAX_TEXT_CHARS = 1_000
# White space as every client splits at it, a byte order mark included, and commas.
_BETWEEN = re.compile(r"[\s\ufeff,]+")
_SIGNING_LABEL = b"meldbrug/receipt/signing/v1"
_SEALING_LABEL = b"meldbrug/receipt/sealing/v1"


def new_entropy(random: RandomBytes = secrets.token_bytes) -> bytes:
    """Returns the 128 random bits of a new receipt."""
    return random(ENTROPY_BYTES)


@cache
def words_of(language: ReceiptLanguage) -> tuple[str, ...]:
    """Returns the 2,048 words of a language, in alphabetical order."""
    text = (files(__package__) / "wordlists" / f"{language}.txt").read_text(encoding="ascii")
    return tuple(text.split())


def to_words(entropy: bytes, language: ReceiptLanguage) -> tuple[str, ...]:
    """Returns the twelve words that stand for 16 bytes.

    Raises:
        ReceiptError: `entropy` is not 16 bytes.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ReceiptError("entropy-length")
    bits = int.from_bytes(entropy, "big") << CHECKSUM_BITS | _checksum(entropy)
    shifts = range((WORDS - 1) * WORD_BITS, -1, -WORD_BITS)
    return tuple(words_of(language)[bits >> shift & 0x7FF] for shift in shifts)


def from_words(text: str) -> bytes:
    """Returns the 16 bytes that twelve words stand for; capitals, spaces, line ends and commas do not matter.

    Raises:
        WordCount: not twelve words.
        UnknownWord: a word is not in the list of the language that most of the words are of.
        ChecksumMismatch: every word is in the list, but one of them is not right.
    """
    words = _split(text)
    if len(words) != WORDS:
        raise WordCount(len(words))
    places = _places(_language_of(words))
    for position, word in enumerate(words, start=1):
        if word not in places:
            raise UnknownWord(word, position, _nearest(word, tuple(places)))
    bits = 0
    for word in words:
        bits = bits << WORD_BITS | places[word]
    entropy = (bits >> CHECKSUM_BITS).to_bytes(ENTROPY_BYTES, "big")
    if bits & 0xF != _checksum(entropy):
        raise ChecksumMismatch
    return entropy


def keys_from(entropy: bytes) -> SecretKeys:
    """Returns the reporter's keys; always the same for the same receipt.

    Raises:
        ReceiptError: `entropy` is not 16 bytes.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ReceiptError("entropy-length")
    return SecretKeys(_derive(entropy, _SIGNING_LABEL), _derive(entropy, _SEALING_LABEL))


def _derive(entropy: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=SEED_BYTES, salt=None, info=label).derive(entropy)


def _checksum(entropy: bytes) -> int:
    return hashlib.sha256(entropy).digest()[0] >> 8 - CHECKSUM_BITS


def _split(text: str) -> list[str]:
    if len(text) > _MAX_TEXT_CHARS:
        raise ReceiptError("too-long")
    return [word for word in _BETWEEN.split(text.lower()) if word]


@cache
def _places(language: ReceiptLanguage) -> Mapping[str, int]:
    return {word: place for place, word in enumerate(words_of(language))}


def _language_of(words: Sequence[str]) -> ReceiptLanguage:
    return max(LANGUAGES, key=lambda language: sum(word in _places(language) for word in words))


def _nearest(word: str, candidates: Sequence[str]) -> str:
    return min(candidates, key=lambda candidate: (_distance(word[:32], candidate), candidate))


def _distance(first: str, second: str) -> int:
    """Returns how many letters to add, drop or change to come from one word to the other."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]
