"""One layer while it is measured: its runner, its tools, its clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from nestkit.benchmark import hygiene
from nestkit.benchmark.parsers import Reading, shorten
from nestkit.benchmark.workloads import Effort, Workload
from nestkit.errors import RunError
from nestkit.runners.base import LayerFacts, Runner
from nestkit.runners.replay import facts_from_json, facts_to_json

TIMEOUT_S: Final = 60.0  # for one command in the outermost layer; deeper ones get more


@dataclass(slots=True)
class MeasuredLayer:
    """A layer and what was found out about it on the way."""

    runner: Runner
    facts: LayerFacts
    clock: hygiene.ClockWatch = field(default_factory=hygiene.ClockWatch)
    hashes: dict[str, str] = field(default_factory=dict)  # of the programs it has
    operations: dict[str, int] = field(default_factory=dict)  # that fill a sample, by workload
    env_id: str = ""
    outside: MeasuredLayer | None = None  # the layer just outside, where it is measured too

    def __post_init__(self) -> None:
        """Refuse facts that no run file could hold, before an hour of samples hangs on them.

        Raises
        ------
        RunError
            If one of them is of another type than the runners' protocol says.
        """
        try:
            facts_from_json(facts_to_json(self.facts))
        except (AttributeError, TypeError, ValueError) as error:
            raise RunError(
                f"what a runner says of its layer cannot be kept: {error}",
                remedy="return a nestkit.runners.LayerFacts with fields of its types",
            ) from error

    @property
    def name(self) -> str:
        """L0, L1, …"""
        return self.facts.layer

    @property
    def timeout(self) -> float:
        """Seconds that one command may take beside its sample."""
        return TIMEOUT_S * (1 + self.facts.depth)

    @property
    def cpus(self) -> int:
        """CPUs that programs may use here; 1 where that is not known."""
        used = self.facts.extra.get("cpus_used", "")
        count = self.facts.cpu_count
        return int(used) if used.isdigit() else count if isinstance(count, int) else 1

    def lacks(self, workload: Workload) -> list[str]:
        """What the workload needs and this layer does not have, in words."""
        lacking = [
            need.removeprefix("path:") for need in workload.needs if not self.facts.extra.get(need)
        ]
        if workload.program not in self.hashes:
            lacking.append(workload.program)
        texts = [f"{self.name} has no {thing}" for thing in lacking]
        if workload.serve and self.outside and workload.program not in self.outside.hashes:
            texts.append(f"{self.outside.name} has no {workload.program}")
        if self.cpus < workload.needs_cpus:
            texts.append(f"{self.name} has {self.cpus} CPU, not {workload.needs_cpus}")
        return texts

    def execute(self, workload: Workload, operations: int, seconds: float) -> Reading:
        """Run the workload's program once and read what it says.

        Raises
        ------
        RunError
            If it fails, or says something else than expected.
        """
        argv = workload.argv(Effort(facts=self.facts, sample_s=seconds, operations=operations))
        tool = f"{workload.program} in {self.name}"
        measuring = self
        if workload.serve:
            self._run(workload.serve, f"the server of {tool}", seconds)
            measuring = self.outside or self
        said = measuring._run(argv, tool, seconds)
        try:
            return workload.parse(said)
        except RunError as error:
            raise RunError(f"{tool}: {error.message}", remedy=error.remedy) from error

    def _run(self, argv: Sequence[str], what: str, seconds: float) -> str:
        result = self.runner.run(argv, timeout=self.timeout + seconds)
        if result.rc != 0:
            raise RunError(
                f"{what} ended with status {result.rc}: "
                f"{shorten(result.stderr or result.stdout)!r}",
                remedy=f"run it by hand in {self.name}: {' '.join(argv)}",
            )
        return result.stdout

    def calibrate(self, workload: Workload, seconds: float) -> int:
        """How many operations take that long, from a run long enough to scale from."""
        operations = workload.first_operations
        while True:
            reading = self.execute(workload, operations, seconds)
            if reading.elapsed_s >= seconds / 4:
                return ceil(reading.operations * seconds / reading.elapsed_s)
            scale = seconds / 2 / max(reading.elapsed_s, 1e-3)
            operations = max(2 * operations, ceil(operations * scale))

    def look(self) -> hygiene.ClockReading:
        """The layer's clock and stolen time, now."""
        return hygiene.parse_reading(self.runner.run(hygiene.READ_ARGV, timeout=self.timeout))
