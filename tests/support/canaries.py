"""Ten thousand strings that nobody must find again, and every place and form in which they could lie.

Each canary holds a marker several times, so that whoever keeps a piece of twenty-one characters keeps a
marker too: looking for the marker in each form is looking for every one of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

from meldbrug.crypto import to_words
from meldbrug.crypto.receipt import ENTROPY_BYTES, LANGUAGES, ReceiptLanguage

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
MARKER, SALT = 8, 6
WIDE = ("utf-16-le", "utf-16-be")
WINDOW, INFLATED_AT_MOST = 1 << 18, 1 << 22
HASH = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
# Beginnings of gzip and of zlib at each of its levels.
COMPRESSED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")


@dataclass(frozen=True)
class Flock:
    """Canaries of one kind."""

    marker: str
    canaries: tuple[str, ...]

    @classmethod
    def bred(cls, random: Random, count: int) -> Flock:
        """So many of them, with a marker that no other flock has."""
        marker = _letters(random, MARKER)
        parts = ((_letters(random, SALT), _letters(random, SALT)) for _ in range(count))
        return cls(marker, tuple(f"{marker}{one}{marker}{two}{marker}" for one, two in parts))

    def lines(self, start: int, count: int) -> str:
        """Some of them as a text."""
        return "\n".join(self.canaries[start : start + count])

    def found_in(self, haystack: bytes) -> set[str]:
        """The forms in which any of them lies there: as it is, disguised, compressed, or hashed."""
        forms = {name for name, pattern in _forms(self.marker.encode()) if pattern in haystack}
        forms |= {f"compressed {name}" for inner in inflated(haystack) for name in self.found_in(inner)}
        return forms | ({"hashed"} if self._digests & hashes(haystack) else set())

    @cached_property
    def _digests(self) -> set[bytes]:
        return {hashlib.sha256(canary.encode()).digest() for canary in self.canaries}


@dataclass(frozen=True)
class Receipts:
    """Receipts that begin alike: whoever keeps the first half of one, in bytes or words, keeps the mark."""

    mark: bytes
    entropies: tuple[bytes, ...]

    @classmethod
    def made(cls, random: Random, count: int) -> Receipts:
        """So many of them, with a mark that no others have."""
        mark = random.randbytes(ENTROPY_BYTES // 2)
        return cls(mark, tuple(mark + random.randbytes(ENTROPY_BYTES - len(mark)) for _ in range(count)))

    def found_in(self, haystack: bytes) -> set[str]:
        """The forms in which any of them lies there: bytes, words, compressed or hashed."""
        forms = {name for name, form in self._forms if form in haystack}
        forms |= {f"compressed {name}" for inner in inflated(haystack) for name in self.found_in(inner)}
        return forms | ({"hashed"} if self._digests & hashes(haystack) else set())

    @cached_property
    def _forms(self) -> tuple[tuple[str, bytes], ...]:
        raw, words = self.mark, [" ".join(self._words(language)) for language in LANGUAGES]
        written = [
            (f"words {sign!r}", text.replace(" ", sign).encode()) for text in words for sign in " -,\n"
        ]
        wide = [(f"words in {coding}", text.encode(coding)) for text in words for coding in WIDE]
        bits = [(f"base64 +{shift}", in_base64(raw, shift)) for shift in range(3)]
        hexed = [("hex", raw.hex().encode()), ("hex in upper case", raw.hex().upper().encode())]
        return (("bytes", raw), ("reversed", raw[::-1]), *hexed, *bits, *written, *wide)

    def _words(self, language: ReceiptLanguage) -> tuple[str, ...]:
        """The words that the mark alone decides."""
        return to_words(self.mark + bytes(ENTROPY_BYTES - len(self.mark)), language)[
            : 8 * len(self.mark) // 11
        ]

    @cached_property
    def _digests(self) -> set[bytes]:
        return {
            hashlib.sha256(form).digest()
            for entropy in self.entropies
            for form in (entropy, *(" ".join(to_words(entropy, language)).encode() for language in LANGUAGES))
        }


def _letters(random: Random, count: int) -> str:
    return "".join(random.choices(ALPHABET, k=count))


def _forms(marker: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", marker
    yield "upper case", marker.upper()
    yield "hex", marker.hex().encode()
    yield "hex in upper case", marker.hex().upper().encode()
    yield "UTF-16 LE", marker.decode().encode("utf-16-le")
    yield "UTF-16 BE", marker.decode().encode("utf-16-be")
    yield "reversed", marker[::-1]
    for shift in range(3):
        yield f"base64 +{shift}", in_base64(marker, shift)


def in_base64(marker: bytes, shift: int) -> bytes:
    """What base64 makes of the marker after so many other bytes: the characters that they do not touch."""
    encoded = base64.b64encode(bytes(shift) + marker).rstrip(b"=")
    return encoded[-(-shift * 8 // 6) : (shift + len(marker)) * 8 // 6]


def inflated(haystack: bytes) -> Iterator[bytes]:
    """Yields what every compressed stream holds that begins somewhere."""
    view = memoryview(haystack)
    for match in COMPRESSED.finditer(haystack):
        try:
            start = match.start()
            inner = zlib.decompressobj(wbits=47).decompress(view[start : start + WINDOW], INFLATED_AT_MOST)
        except zlib.error:
            continue
        if inner:
            yield inner


def hashes(haystack: bytes) -> set[bytes]:
    """Returns everything that is written like a SHA-256: 64 digits of hex."""
    return {binascii.unhexlify(found) for found in HASH.findall(haystack)}


def disguised(canary: str) -> Iterable[tuple[str, bytes]]:
    """One canary in each form that must be found, for showing that it is."""
    plain = canary.encode()
    yield "plain", plain
    yield "hex", plain.hex().encode()
    yield "UTF-16 LE", canary.encode("utf-16-le")
    yield "UTF-16 BE", canary.encode("utf-16-be")
    yield "hashed", hashlib.sha256(plain).hexdigest().encode()
    yield "gzip", zlib.compress(plain, wbits=31)
    yield "zlib", zlib.compress(plain)
    for shift in range(3):
        yield f"base64 +{shift}", base64.b64encode(bytes(shift) + plain)
        yield f"base64 of the web +{shift}", base64.urlsafe_b64encode(bytes(shift) + plain)
    yield "a piece of twenty-one", plain[5:26]
