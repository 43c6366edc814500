"""Readings of /proc and the flags they raise."""

from __future__ import annotations

import pytest

from nestkit.benchmark.hygiene import (
    ClockReading,
    ClockWatch,
    Span,
    canary_flags,
    parse_reading,
    sample_flags,
)
from nestkit.errors import RunError
from nestkit.runners.base import ExecResult

# /proc/stat and /proc/uptime of Linux 6.1, shortened
REAL = """cpu  13290 0 4100 210034 822 0 106 333 7 0
cpu0 1962 0 1225 110902 88 0 16 153 0 0
intr 216538 0 0
ctxt 341291
1146.62 2203.10
"""


def result(stdout: str, rc: int = 0) -> ExecResult:
    return ExecResult(rc=rc, stdout=stdout, stderr="", host_t0=1.0, host_t1=1.5, rtt_s=0.1)


def reading(at: float, uptime: float, steal: int = 0, total: int = 0) -> ClockReading:
    return ClockReading(
        t0=at - 0.001, t1=at + 0.001, uptime_s=uptime, steal_ticks=steal, total_ticks=total
    )


def test_what_linux_prints_is_read() -> None:
    got = parse_reading(result(REAL))
    assert got.uptime_s == 1146.62
    assert got.steal_ticks == 333
    assert got.total_ticks == 13290 + 4100 + 210034 + 822 + 106 + 333  # guest time only once
    assert (got.t0, got.t1) == (1.0, 1.5)


@pytest.mark.parametrize(
    "text", ["", "cpu  1 2 3\n5.00 1.00\n", REAL[:60], REAL.rpartition("2203")[0], "5.00 1.00\n"]
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        parse_reading(result(text))


def test_a_failed_read_is_an_error_whatever_it_printed() -> None:
    with pytest.raises(RunError):
        parse_reading(result(REAL, rc=1))


@pytest.mark.parametrize(("steal", "flagged"), [(0, False), (1, False), (2, True), (30, True)])
def test_steal_is_flagged_above_one_per_cent_and_one_tick(steal: int, flagged: bool) -> None:
    span = Span(reading(0, 0), reading(0.5, 0.5, steal=steal, total=50))
    assert bool(sample_flags([span], 0.0, 0.3)) is flagged


def test_steal_below_one_per_cent_is_no_flag_however_many_ticks() -> None:
    span = Span(reading(0, 0), reading(10, 10, steal=9, total=1000))
    assert not sample_flags([span], 0.0, 0.3)


def test_clocks_may_differ_by_what_reading_them_allows() -> None:
    assert Span(reading(0, 0), reading(0.5, 0.51)).clock_error == 0
    assert Span(reading(0, 0), reading(0.5, 0.40)).clock_error > 0.15


def test_the_watch_sees_a_slow_clock_that_single_samples_hide() -> None:
    watch = ClockWatch()
    errors = []
    for i in range(20):
        span = Span(
            reading(i * 0.5, i * 0.5 * 0.98), reading(i * 0.5 + 0.4, (i * 0.5 + 0.4) * 0.98)
        )
        assert span.clock_error < 0.01
        errors.append(watch.error(span))
    assert errors[0] < 0.01
    assert all(error > 0.01 for error in errors[8:])


def test_a_canary_is_judged_against_the_median_of_all_rounds() -> None:
    assert canary_flags({}) == {}
    assert canary_flags({1: 100.0, 2: 105.0, 3: 95.0}) == {}
    assert canary_flags({1: 100.0, 2: 111.0, 3: 100.0, 4: 88.0, 5: 100.0}) == {
        2: "canary +11%",
        4: "canary -12%",
    }
