"""What each layer costs: workloads × rounds × layers → a :class:`Run`.

The rules it keeps are those of benchmarking with paired samples: rounds instead of blocks, a
number of rounds fixed beforehand, exact intervals, and flags where the machine was not quiet.
"""

from nestkit.benchmark.effects import Effect, find_effect
from nestkit.benchmark.machines import compare_machines
from nestkit.benchmark.memory import LayerMemory, memory_per_layer, with_memory
from nestkit.benchmark.published import Published, published_figures
from nestkit.benchmark.recordings import record, replay
from nestkit.benchmark.rounds import RunCutShort, run
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.samples import Sample
from nestkit.benchmark.statistics import Interval, median_interval
from nestkit.benchmark.twins import as_twins
from nestkit.benchmark.workloads import SUITES, WORKLOADS, Suite, Workload

__all__ = [
    "SUITES",
    "WORKLOADS",
    "Effect",
    "Interval",
    "LayerMemory",
    "Published",
    "Run",
    "RunCutShort",
    "Sample",
    "Suite",
    "Workload",
    "as_twins",
    "compare_machines",
    "find_effect",
    "median_interval",
    "memory_per_layer",
    "published_figures",
    "record",
    "replay",
    "run",
    "with_memory",
]
