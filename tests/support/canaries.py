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

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
MARKER, SALT = 8, 6
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
