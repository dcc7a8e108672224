"""The judge of timings finds what it must, and nothing in noise."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.timing import Times

COMPARED = 20


def measured(number: int, *, later_s: float = 0.0, wider: float = 1.0) -> Times:
    """Made-up pairs: the floor of a refusal, and what a busy machine adds."""
    chance = Random(number)

    def took() -> float:
        return 0.25 + chance.expovariate(1 / 0.002)

    return Times([(took() * wider + later_s, took()) for _ in range(2000)])


def test_noise_is_not_told_apart() -> None:
    assert not any(measured(number).told_apart(COMPARED) for number in range(30))


@pytest.mark.parametrize("later_s", [0.0006, -0.0006])
def test_a_door_that_answers_later_or_sooner_is_found(later_s: float) -> None:
    """T12: 0.2 ms are allowed; three times as much is found among noise of 2 ms."""
    assert all(measured(number, later_s=later_s).told_apart(COMPARED) for number in range(10))


def test_a_door_that_answers_later_now_and_then_is_found() -> None:
    """T12: the median of the differences says nothing of it; the distributions do."""
    times = measured(1)
    times.pairs = [(one + 0.05 * (place % 5 == 0), other) for place, (one, other) in enumerate(times.pairs)]
    assert times.distance(COMPARED) > 0.05


def test_few_pairs_rule_nothing_out() -> None:
    times = measured(1)
    assert times.surely_below_s(COMPARED) < 0.001
    times.pairs = times.pairs[:10]
    assert times.surely_below_s(COMPARED) == float("inf")
    assert not times.told_apart(COMPARED)
