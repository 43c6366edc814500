"""What each layer costs: workloads × rounds × layers → a :class:`Run`.

The rules it keeps are those of benchmarking with paired samples: rounds instead of blocks, a
number of rounds fixed beforehand, exact intervals, and flags where the machine was not quiet.
"""

from nestkit.benchmark.effects import Effect, find_effect
from nestkit.benchmark.published import Published, published_figures
from nestkit.benchmark.recordings import record, replay
from nestkit.benchmark.rounds import RunCutShort, run
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.samples import Sample
from nestkit.benchmark.statistics import Interval, median_interval
from nestkit.benchmark.workloads import SUITES, WORKLOADS, Suite, Workload

__all__ = [
    "SUITES",
    "WORKLOADS",
    "Effect",
    "Interval",
    "Published",
    "Run",
    "RunCutShort",
    "Sample",
    "Suite",
    "Workload",
    "find_effect",
    "median_interval",
    "published_figures",
    "record",
    "replay",
    "run",
]
