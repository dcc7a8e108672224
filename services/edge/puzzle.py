"""Proof of work: asked of anonymous calls, only while more of them come than calm allows.

Nobody's address is looked at: whoever solves is let in, twenty colleagues behind one address alike.
`docs/edge.md` says how to solve one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from services.kernel.clock import Clock
from services.kernel.errors import Code, Refusal

LABEL = b"meldbrug/puzzle/v1\0"
GOOD_FOR_S = 120
LEAST_BITS, MOST_BITS = 14, 20
# A flood may harden between the question and the answer; that alone is nobody's fault.
BITS_BEHIND = 1
# Solutions that can come within the life of a challenge, from a few thousand phones at once.
REMEMBERED = 65_536
WINDOW_S = 2.0
HEAD = struct.Struct(">QB")
RANDOM_BYTES, MAC_BYTES, NONCE_BYTES = 16, 16, 8
CHALLENGE_BYTES = HEAD.size + RANDOM_BYTES + MAC_BYTES
MAX_CHARS = 256


class PuzzleRequired(Refusal):
    """Too many anonymous calls come at once; whoever solves this is let in."""

    def __init__(self, challenge: bytes, bits: int) -> None:
        metadata = {"challenge": _written(challenge), "bits": str(bits)}
        super().__init__(Code.RESOURCE_EXHAUSTED, "PUZZLE_REQUIRED", metadata=metadata)


class Rate:
    """Calls per second, smoothed over two windows; three numbers, whoever calls.

    Args:
        now: Monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._window, self._count, self._before = 0, 0, 0

    def count(self) -> float:
        """Counts one call. Returns the rate, this call included."""
        window, part = divmod(self._now() / WINDOW_S, 1)
        if window != self._window:
            self._before = self._count if window == self._window + 1 else 0
            self._window, self._count = int(window), 0
        self._count += 1
        return (self._count + self._before * (1 - part)) / WINDOW_S


class Used:
    """The solutions that were used, by the second in which their challenge expires.

    When there are too many, those that expire first are forgotten, and whatever expires no later is refused
    from then on: a solution is never good twice.
    """

    def __init__(self, bound: int = REMEMBERED) -> None:
        self._bound, self._count, self._forgotten = bound, 0, 0
        self._by_expiry: dict[int, set[bytes]] = {}

    def take(self, expiry: int, random: bytes, now_s: float) -> bool:
        """Uses a solution up. Returns False when it was used, or may have been."""
        for second in [each for each in self._by_expiry if each < now_s]:
            self._forget(second)
        if expiry <= self._forgotten or random in self._by_expiry.get(expiry, ()):
            return False
        self._by_expiry.setdefault(expiry, set()).add(random)
        self._count += 1
        while self._count > self._bound:
            self._forget(min(self._by_expiry))
        return True

    def _forget(self, expiry: int) -> None:
        self._count -= len(self._by_expiry.pop(expiry))
        self._forgotten = max(self._forgotten, expiry)


@dataclass(frozen=True, slots=True)
class Solution:
    """A solution as it came, to a challenge that we made; whether it solves it is not known yet."""

    challenge: bytes
    expiry: int
    bits: int
    random: bytes
    nonce: bytes


class Puzzle:
    """Asks, and checks answers; what it asked is in the question, so that nothing is kept of who was asked.

    Args:
        key: Under which challenges are made; the same for all edges of an installation.
        calm_per_s: Anonymous calls per second up to which nothing is asked.
        clock: Time of day for what expires, and monotonic for the rate.
        token_bytes: Makes random bytes.
    """

    def __init__(
        self, key: bytes, calm_per_s: float, clock: Clock, token_bytes: Callable[[int], bytes]
    ) -> None:
        self._key, self._calm_per_s, self._clock, self._token_bytes = key, calm_per_s, clock, token_bytes
        self._rate, self._used = Rate(clock.monotonic), Used()

    def required(self) -> int:
        """Counts an anonymous call. Returns the bits that it must bring; 0 when nothing is asked."""
        rate = self._rate.count()
        if rate <= self._calm_per_s:
            return 0
        return min(LEAST_BITS + int(math.log2(rate / self._calm_per_s)), MOST_BITS)

    def read(self, header: bytes | None, bits: int) -> Solution:
        """Returns the solution in a header. Raises PuzzleRequired when it cannot be one, body or no body."""
        solution = self._parsed(header or b"")
        if solution is None or solution.bits < bits - BITS_BEHIND:
            raise self.question(bits)
        return solution

    def check(self, solution: Solution, body: bytes) -> None:
        """Uses a solution up. Raises PuzzleRequired when it does not solve the puzzle, or did before."""
        text = LABEL + solution.challenge + hashlib.sha256(body).digest() + solution.nonce
        solves = leading_zeros(hashlib.sha256(text).digest()) >= solution.bits
        if not solves or not self._used.take(solution.expiry, solution.random, self._now_s()):
            raise self.question(solution.bits)

    def question(self, bits: int) -> PuzzleRequired:
        """A new challenge of so many bits."""
        head = HEAD.pack(int(self._now_s()) + GOOD_FOR_S, bits) + self._token_bytes(RANDOM_BYTES)
        return PuzzleRequired(head + self._mac(head), bits)

    def _parsed(self, header: bytes) -> Solution | None:
        challenge, _, nonce = (_read(part) for part in header[:MAX_CHARS].partition(b"."))
        if len(challenge) != CHALLENGE_BYTES or len(nonce) != NONCE_BYTES:
            return None
        head, mac = challenge[:-MAC_BYTES], challenge[-MAC_BYTES:]
        expiry, bits = HEAD.unpack_from(head)
        if not hmac.compare_digest(mac, self._mac(head)) or expiry < self._now_s():
            return None
        return Solution(challenge, expiry, bits, head[HEAD.size :], nonce)

    def _mac(self, head: bytes) -> bytes:
        return hmac.digest(self._key, head, "sha256")[:MAC_BYTES]

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def leading_zeros(digest: bytes) -> int:
    """How many zero bits a digest begins with."""
    return len(digest) * 8 - int.from_bytes(digest, "big").bit_length()


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
