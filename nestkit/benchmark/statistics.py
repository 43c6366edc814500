"""Medians with exact intervals, from order statistics alone.

The interval of a median by the sign test: for n values the k-th smallest and the k-th largest
enclose the true median with probability ``1 - 2 P(Bin(n, 1/2) < k)``, whatever the values'
distribution (W. J. Conover, *Practical Nonparametric Statistics*, 3rd ed., 1999, section 3.2).
Nothing is resampled, so the same samples always give the same table.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

from nestkit.errors import RunError

CONFIDENCE: Final = 0.95  # wanted; what is reached is stated as ``coverage``


@dataclass(frozen=True, slots=True)
class Interval:
    """A median and the interval around it.

    ``coverage`` is the probability, before the samples are taken, that such an interval
    encloses the true median; it is below 0.95 where there are fewer than six values.
    """

    median: float
    low: float
    high: float
    n: int
    coverage: float

    def contains(self, value: float) -> bool:
        """True when the value lies in the closed interval."""
        return self.low <= value <= self.high

    def disjoint(self, other: Interval) -> bool:
        """True when the two intervals have no value in common."""
        return self.high < other.low or other.high < self.low


def coverage(n: int, rank: int) -> float:
    """Probability that the rank-th smallest and largest of n values enclose the median."""
    outside = sum(comb(n, i) for i in range(rank))
    return float(1 - 2 * outside / 2**n)


def interval_rank(n: int, confidence: float = CONFIDENCE) -> int:
    """The largest rank whose interval still has the confidence wanted; 1 where none has.

    10 values: rank 2, from the 2nd to the 9th (97.9 %). 30 values: rank 10 (95.7 %).
    """
    rank = 1
    while 2 * (rank + 1) <= n and coverage(n, rank + 1) >= confidence:
        rank += 1
    return rank


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The median of the values and its exact order-statistic interval.

    Raises
    ------
    RunError
        If there are no values.
    """
    if not values:
        raise RunError(
            "there are no samples to take a median of", remedy="take the run again, to its end"
        )
    ordered = sorted(values)
    n = len(ordered)
    rank = interval_rank(n, confidence)
    return Interval(
        median=statistics.median(ordered),
        low=ordered[rank - 1],
        high=ordered[n - rank],
        n=n,
        coverage=max(0.0, coverage(n, rank)),
    )
