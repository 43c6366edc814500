"""Is the machine quiet, and do the clocks agree? Readings around each sample, and flags.

A flag never drops a sample: it is written beside it, counted, and shown.
"""

from __future__ import annotations

import re
import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nestkit.benchmark.parsers import shorten
from nestkit.benchmark.samples import Sample
from nestkit.errors import RunError
from nestkit.runners.base import ExecResult

READ_ARGV: Final = ("cat", "/proc/stat", "/proc/uptime")
UPTIME_STEP_S: Final = 0.01  # /proc/uptime has two decimals
CLOCK_WINDOW_S: Final = 4.0  # long enough for 1 % to stand out from that step
CLOCK_LIMIT: Final = 0.01
STEAL_LIMIT: Final = 0.01
CANARY_LIMIT: Final = 0.10
MIN_SAMPLE_S: Final = 0.1

_CPU = re.compile(r"^cpu +([\d ]+)$", re.MULTILINE)
_UPTIME = re.compile(r"^(\d+\.\d\d) \d+\.\d\d\s*\Z", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A layer's own clock and its stolen time, read between two instants of the controller."""

    t0: float
    t1: float
    uptime_s: float
    steal_ticks: int
    total_ticks: int


def parse_reading(result: ExecResult) -> ClockReading:
    """Read the output of :data:`READ_ARGV`.

    Raises
    ------
    RunError
        If it is not what Linux prints (proc(5)): the steal column has been there since 2.6.11.
    """
    cpu = _CPU.search(result.stdout)
    uptime = _UPTIME.search(result.stdout)
    ticks = [int(word) for word in cpu.group(1).split()] if cpu else []
    if result.rc != 0 or uptime is None or len(ticks) < 8:
        raise RunError(
            f"/proc/stat and /proc/uptime cannot be read: {shorten(result.stdout)!r}",
            remedy="layers must be Linux with /proc mounted; look at that layer by hand",
        )
    return ClockReading(
        t0=result.host_t0,
        t1=result.host_t1,
        uptime_s=float(uptime.group(1)),
        steal_ticks=ticks[7],
        total_ticks=sum(ticks[:8]),  # guest time is already part of user time
    )


@dataclass(frozen=True, slots=True)
class Span:
    """What lies between two readings."""

    before: ClockReading
    after: ClockReading

    @property
    def guest_s(self) -> float:
        """By the layer's clock."""
        return self.after.uptime_s - self.before.uptime_s

    @property
    def host_s(self) -> float:
        """By the controller's clock; half a round trip at each end cancels out."""
        first, last = self.before, self.after
        return (last.t0 + last.t1 - first.t0 - first.t1) / 2

    @property
    def steal_frac(self) -> float:
        """Stolen part of the machine's time, 0 to 1."""
        total = self.after.total_ticks - self.before.total_ticks
        return max(0.0, self.stolen_ticks / total) if total > 0 else 0.0

    @property
    def stolen_ticks(self) -> int:
        """Stolen time as the kernel counts it, in steps of usually 10 ms."""
        return self.after.steal_ticks - self.before.steal_ticks

    @property
    def is_stolen_from(self) -> bool:
        """True above the limit; one tick alone is only the counter's step."""
        return self.steal_frac > STEAL_LIMIT and self.stolen_ticks > 1

    @property
    def clock_error(self) -> float:
        """How far the clocks certainly disagree, as a part of the span; 0 where they may agree.

        Each reading was taken somewhere between its two instants, and the layer's clock is
        only known to its step: what those allow is no disagreement.
        """
        shortest = self.after.t0 - self.before.t1 - UPTIME_STEP_S
        longest = self.after.t1 - self.before.t0 + UPTIME_STEP_S
        off = max(shortest - self.guest_s, self.guest_s - longest, 0.0)
        return off / max(self.host_s, UPTIME_STEP_S)


class ClockWatch:
    """Compares the two clocks of one layer over the last seconds."""

    def __init__(self) -> None:
        self._readings: deque[ClockReading] = deque()

    def error(self, span: Span) -> float:
        """The larger disagreement: over this span, or over the last :data:`CLOCK_WINDOW_S`."""
        self._readings.append(span.before)
        # keep one reading that is older than the window
        while len(self._readings) > 1 and span.after.t1 - self._readings[1].t1 > CLOCK_WINDOW_S:
            self._readings.popleft()
        return max(span.clock_error, Span(self._readings[0], span.after).clock_error)


def sample_flags(spans: Sequence[Span], clock_error: float, elapsed_s: float) -> list[str]:
    """What is wrong with one sample, in words.

    ``spans`` are the sample in its own layer and in the outermost one: an inner layer may know
    nothing of what is stolen from the machine below it.
    """
    flags = []
    if any(span.is_stolen_from for span in spans):
        flags.append(f"steal {max(span.steal_frac for span in spans):.1%}")
    if clock_error > CLOCK_LIMIT:
        flags.append(f"clocks differ by {clock_error:.1%}")
    if elapsed_s < MIN_SAMPLE_S:
        flags.append(f"sample of {elapsed_s * 1e3:.0f} ms is shorter than 100 ms")
    return flags


def canary_flags(canaries: Mapping[int, float]) -> dict[int, str]:
    """For each round whose canary drifted from the median of all rounds: its flag."""
    if not canaries:
        return {}
    middle = statistics.median(canaries.values())
    drifts = {number: value / middle - 1 for number, value in canaries.items()}
    return {n: f"canary {d:+.0%}" for n, d in drifts.items() if abs(d) > CANARY_LIMIT}


def flag_samples(
    samples: Sequence[Sample], not_comparable: Mapping[tuple[str, str], str]
) -> tuple[Sample, ...]:
    """The samples with what is only known at the end: drifting rounds, and rows that do not count.

    ``not_comparable`` gives the reason for a workload and layer.
    """
    drifts = canary_flags({s.round: s.canary_ns for s in samples if not s.warmup})
    done = []
    for sample in samples:
        odd = not_comparable.get((sample.workload, sample.layer), "")
        parts = (odd, sample.reason, drifts.get(sample.round, ""))
        reason = "; ".join(part for part in parts if part)
        done.append(replace(sample, valid=not odd, reason=reason))
    return tuple(done)
