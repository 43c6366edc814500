"""Intervals: ranks, coverage by counting every case, and false alarms by simulation."""

from __future__ import annotations

import itertools
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestkit.benchmark.statistics import Interval, coverage, interval_rank, median_interval
from nestkit.errors import RunError


@pytest.mark.parametrize(("n", "rank", "percent"), [(10, 2, 97.9), (30, 10, 95.7), (6, 1, 96.9)])
def test_the_ranks_of_the_suites(n: int, rank: int, percent: float) -> None:
    assert interval_rank(n) == rank
    assert round(100 * coverage(n, rank), 1) == percent


@pytest.mark.parametrize("n", range(1, 13))
def test_coverage_is_what_counting_every_case_gives(n: int) -> None:
    """Each value lies below or above the true median with even chances."""
    for rank in range(1, n // 2 + 1):
        inside = 0
        for sides in itertools.product((-1, 1), repeat=n):
            ordered = sorted(sides)
            inside += ordered[rank - 1] < 0 < ordered[n - rank]
        assert coverage(n, rank) == pytest.approx(inside / 2**n)


@given(st.integers(6, 200))
def test_the_rank_is_the_largest_that_keeps_its_word(n: int) -> None:
    rank = interval_rank(n)
    assert coverage(n, rank) >= 0.95
    assert 2 * (rank + 1) > n or coverage(n, rank + 1) < 0.95


@pytest.mark.parametrize("n", range(1, 6))
def test_too_few_values_say_that_they_are(n: int) -> None:
    interval = median_interval([float(i) for i in range(n)])
    assert (interval.low, interval.high) == (0.0, n - 1.0)
    assert interval.coverage < 0.95


def test_ten_values_reach_from_the_second_to_the_ninth() -> None:
    values = [3.0, 1.0, 10.0, 7.0, 2.0, 9.0, 4.0, 8.0, 5.0, 6.0]
    interval = median_interval(values)
    assert (interval.median, interval.low, interval.high, interval.n) == (5.5, 2.0, 9.0, 10)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40), st.randoms())
def test_the_order_of_the_values_does_not_matter(values: list[float], rnd: random.Random) -> None:
    shuffled = rnd.sample(values, len(values))
    interval = median_interval(values)
    assert median_interval(shuffled) == interval
    assert interval.low <= interval.median <= interval.high
    assert interval.median == statistics.median(values)


@pytest.mark.parametrize("n", [10, 30])
def test_false_alarms_are_as_rare_as_stated(n: int) -> None:
    """A skewed distribution of ratios with median 1: the interval leaves 1 out when it may."""
    rnd = random.Random(20)
    trials = 4000
    alarms = 0
    for _ in range(trials):
        ratios = [rnd.expovariate(1.0) / 0.6931471805599453 for _ in range(n)]
        alarms += not median_interval(ratios).contains(1.0)
    stated = 1 - coverage(n, interval_rank(n))
    assert abs(alarms / trials - stated) < 4 * (stated * (1 - stated) / trials) ** 0.5


def test_no_values_are_an_error() -> None:
    with pytest.raises(RunError, match="no samples"):
        median_interval([])


def test_intervals_are_disjoint_only_where_they_share_nothing() -> None:
    one = Interval(1.0, 0.9, 1.1, 10, 0.98)
    assert one.disjoint(Interval(2.0, 1.2, 3.0, 10, 0.98))
    assert not one.disjoint(Interval(2.0, 1.1, 3.0, 10, 0.98))
