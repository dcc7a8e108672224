"""Whether two doors can be told apart by how long they take: how large the difference may be, with certainty.

Both are measured side by side in pairs, in random order, so that whatever else the machine does befalls both.
A test fails only when a difference is certainly larger than what is allowed; `surely_below_s` says how much a
run can rule out.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from math import log, sqrt
from statistics import NormalDist

MEDIAN_S = 0.0002
DISTANCE = 0.05
ERROR = 0.01
"""How often a whole run may be wrong when nothing differs, shared by all that it compares."""


@dataclass
class Times:
    """Seconds that two doors took, pair by pair."""

    pairs: list[tuple[float, float]] = field(default_factory=list)

    def between_s(self, compared: int) -> tuple[float, float]:
        """Between what seconds the median of the differences lies, by the ranks of a binomial distribution.

        Args:
            compared: With how many others it shares the error (Bonferroni).
        """
        differences = sorted(one - other for one, other in self.pairs)
        number = len(differences)
        reach = NormalDist().inv_cdf(1 - ERROR / (4 * compared)) * sqrt(number) / 2
        low, high = int(number / 2 - reach), int(number / 2 + reach)
        if low < 0 or high >= number:
            return float("-inf"), float("inf")
        return differences[low], differences[high]

    def distance(self, compared: int) -> float:
        """How far the two distributions are apart for certain: Kolmogorov and Smirnov's, less its margin."""
        one, other = (sorted(side) for side in zip(*self.pairs, strict=True))
        number = len(one)
        apart = max(
            abs(bisect_right(one, moment) - bisect_right(other, moment)) / number for moment in (*one, *other)
        )
        return apart - sqrt(log(4 * compared / ERROR) / 2) * sqrt(2 / number)

    def told_apart(self, compared: int) -> bool:
        """Whether they differ by more than is allowed."""
        low, high = self.between_s(compared)
        return low > MEDIAN_S or high < -MEDIAN_S or self.distance(compared) > DISTANCE

    def surely_below_s(self, compared: int) -> float:
        """The largest difference of medians that these pairs do not rule out."""
        return max(map(abs, self.between_s(compared)))
