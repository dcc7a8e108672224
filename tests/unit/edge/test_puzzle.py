"""The puzzle is asked in floods only, hardens with them, and no solution is good twice (I26, T11)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from services.edge.puzzle import (
    BITS_BEHIND,
    CHALLENGE_BYTES,
    GOOD_FOR_S,
    LEAST_BITS,
    MOST_BITS,
    NONCE_BYTES,
    Puzzle,
    PuzzleRequired,
    Rate,
    Used,
    leading_zeros,
)
from tests.support.browsing import read, solved, written

CALM_PER_S = 10.0
BODY = b"a request"


class Moved:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=self.s)

    def monotonic(self) -> float:
        return self.s


def puzzle(clock: Moved, key: bytes = bytes(32)) -> Puzzle:
    numbers = iter(range(10**6))
    return Puzzle(key, CALM_PER_S, clock, lambda count: next(numbers).to_bytes(count, "big"))


def asked(one: Puzzle, bits: int = LEAST_BITS) -> tuple[str, int]:
    question = one.question(bits)
    return question.metadata["challenge"], int(question.metadata["bits"])


def enters(one: Puzzle, header: str, body: bytes = BODY, bits: int = LEAST_BITS) -> bool:
    try:
        one.check(one.read(header.encode(), bits), body)
    except PuzzleRequired:
        return False
    return True


def flood(one: Puzzle, clock: Moved, per_s: float, seconds: float = 6.0) -> int:
    """Calls evenly for a while. Returns what the last is asked."""
    bits = 0
    for _ in range(int(per_s * seconds)):
        clock.s += 1 / per_s
        bits = one.required()
    return bits


def test_nothing_is_asked_while_it_is_calm():
    clock = Moved()

    assert flood(puzzle(clock), clock, CALM_PER_S * 0.9) == 0


@pytest.mark.parametrize(("times", "bits"), [(1.5, 14), (3, 15), (6, 16), (12, 17), (1000, 20), (5000, 20)])
def test_the_puzzle_hardens_by_a_bit_with_each_doubling_up_to_a_bound(times: float, bits: int):
    clock = Moved()

    assert flood(puzzle(clock), clock, CALM_PER_S * times) == bits
    assert LEAST_BITS <= bits <= MOST_BITS


def test_nothing_is_asked_any_more_soon_after_the_flood():
    clock = Moved()
    one = puzzle(clock)
    flood(one, clock, CALM_PER_S * 100)

    clock.s += 4.1

    assert one.required() == 0


def test_a_burst_of_one_office_is_no_flood():
    clock = Moved()
    one = puzzle(clock)

    assert [one.required() for _ in range(20)] == [0] * 20


def test_a_rate_is_three_numbers_whatever_comes():
    clock = Moved()
    rate = Rate(clock.monotonic)
    for _ in range(1000):
        rate.count()

    assert {type(value) for name, value in vars(rate).items() if name != "_now"} <= {int, float}


def test_whoever_solves_is_let_in():
    one = puzzle(Moved())
    challenge, bits = asked(one)

    assert len(read(challenge)) == CHALLENGE_BYTES
    assert enters(one, solved(challenge, bits, BODY))


def test_a_solution_is_good_once():
    one = puzzle(Moved())
    header = solved(*asked(one), BODY)

    assert [enters(one, header), enters(one, header)] == [True, False]


def test_a_solution_is_of_its_own_body():
    one = puzzle(Moved())
    header = solved(*asked(one), BODY)

    assert not enters(one, header, b"another")


@pytest.mark.parametrize(("later_s", "in_time"), [(GOOD_FOR_S - 0.5, True), (GOOD_FOR_S + 0.5, False)])
def test_a_solution_comes_in_time_or_not_at_all(later_s: float, in_time: bool):
    clock = Moved()
    one = puzzle(clock)
    header = solved(*asked(one), BODY)

    clock.s += later_s

    assert enters(one, header) is in_time


def test_a_challenge_of_somebody_else_is_none():
    header = solved(*asked(puzzle(Moved(), b"\1" * 32)), BODY)

    assert not enters(puzzle(Moved()), header)


def test_edges_that_share_a_key_take_each_others_challenges():
    clock = Moved()
    header = solved(*asked(puzzle(clock)), BODY)

    assert enters(puzzle(clock), header)


def test_every_bit_of_a_challenge_is_of_it():
    one = puzzle(Moved())
    challenge, bits = asked(one)
    raw = read(challenge)
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(PuzzleRequired):
            one.read(f"{written(changed)}.{written(bytes(NONCE_BYTES))}".encode(), bits)


def test_a_solution_of_fewer_bits_than_it_says_is_none():
    one = puzzle(Moved())
    challenge, bits = asked(one)
    lazy = next(
        nonce
        for nonce in (number.to_bytes(NONCE_BYTES, "big") for number in range(10**6))
        if leading_zeros(
            hashlib.sha256(
                b"meldbrug/puzzle/v1\0" + read(challenge) + hashlib.sha256(BODY).digest() + nonce
            ).digest()
        )
        == bits - 1
    )

    assert not enters(one, f"{challenge}.{written(lazy)}")


def test_an_easy_challenge_of_before_the_flood_is_worth_nothing_in_it():
    one = puzzle(Moved())
    header, other = (solved(*asked(one), BODY) for _ in range(2))

    assert enters(one, header, bits=LEAST_BITS + BITS_BEHIND)
    assert not enters(one, other, bits=LEAST_BITS + BITS_BEHIND + 1)


@pytest.mark.parametrize("header", [b"", b".", b"a", b"a.b", b"\xff.\xff", b"A" * 10_000, b"=.=", b"a.b.c"])
def test_what_is_no_solution_is_asked_again(header: bytes):
    with pytest.raises(PuzzleRequired) as question:
        puzzle(Moved()).read(header, LEAST_BITS)

    assert set(question.value.metadata) == {"challenge", "bits"}


def test_what_was_used_is_forgotten_when_it_has_expired():
    used = Used()
    for second in range(1000):
        assert used.take(second + 1, second.to_bytes(16, "big"), second)

    assert len(used._by_expiry) <= 2
    assert used._count <= 2


def test_a_full_memory_refuses_what_it_forgot():
    """The first two are forgotten to make room; neither they nor what expires with them enters again."""
    used = Used(bound=4)
    taken = [(10 + number // 2, bytes([number])) for number in range(6)]

    assert all(used.take(*each, 0.0) for each in taken)
    assert used._count <= 4
    assert not any(used.take(*each, 0.0) for each in taken)
    assert not used.take(10, b"another", 0.0)
    assert used.take(13, b"another", 0.0)


def test_leading_zeros_are_counted_from_the_highest_bit():
    assert leading_zeros(bytes(32)) == 256
    assert leading_zeros(b"\x80" + bytes(31)) == 0
    assert leading_zeros(b"\x00\x01" + bytes(30)) == 15


def test_what_is_written_is_url_safe_and_without_padding():
    assert "=" not in (text := written(b"\xff" * 41))
    assert read(text) == b"\xff" * 41
    assert base64.urlsafe_b64decode(text + "=") == b"\xff" * 41
