"""Two machines side by side: runs that share no rounds, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestkit.benchmark.runfile import Run
from nestkit.benchmark.statistics import CONFIDENCE, Interval, median_interval
from nestkit.benchmark.workloads import WORKLOADS

if TYPE_CHECKING:
    import pandas as pd


def compare_machines(first: Run, second: Run) -> pd.DataFrame:
    """Two runs, workload by workload and layer by layer.

    ``ratio`` is the second's median time per operation over the first's. The runs share no
    rounds: a difference is claimed only where the two intervals of the medians have no value in
    common. Rows of different binaries, or of an emulated layer against another, get no ratio.
    """
    import pandas as pd

    rows = []
    for workload in first.workloads:
        for facts in first.layers:
            mine, mine_times = _times(first, workload, facts.layer)
            other, other_times = _times(second, workload, facts.layer)
            if mine is None or other is None or mine_times is None or other_times is None:
                continue
            verdict = _obstacle(first, second, workload, facts.layer)
            ratio = None if verdict else other_times.median / mine_times.median
            rows.append(
                {
                    "workload": workload,
                    "layer": facts.layer,
                    "first": mine.median,
                    "second": other.median,
                    "unit": _unit(first, workload, facts.layer),
                    "ratio": ratio,
                    "verdict": verdict or _verdict(mine_times, other_times),
                }
            )
    columns = ["workload", "layer", "first", "second", "unit", "ratio", "verdict"]
    return pd.DataFrame(rows, columns=columns).astype({"ratio": "Float64"})


def _times(run: Run, workload: str, layer: str) -> tuple[Interval | None, Interval | None]:
    rows = [s for s in run.counted if (s.workload, s.layer) == (workload, layer) and s.valid]
    if not rows:
        return None, None
    times = median_interval([s.time_per_operation for s in rows])
    return median_interval([s.value for s in rows]), times


def _unit(run: Run, workload: str, layer: str) -> str:
    return next(s.unit for s in run.counted if (s.workload, s.layer) == (workload, layer))


def _obstacle(first: Run, second: Run, workload: str, layer: str) -> str:
    """Why the two may not be compared; empty where they may."""
    mine, other = first.facts(layer), second.facts(layer)
    if mine.emulated != other.emulated:
        return "not comparable: one is emulated (TCG)"
    if _unit(first, workload, layer) != _unit(second, workload, layer):
        return "not comparable: other units"
    known = WORKLOADS.get(workload)
    hashes = {_hash(run, layer, known.program if known else "") for run in (first, second)}
    if "" in hashes:
        return "not comparable: the hash of a binary is unknown"
    return "not comparable: other binaries" if len(hashes) > 1 else ""


def _hash(run: Run, layer: str, program: str) -> str:
    tools = run.provenance.get("tools")
    own = tools.get(layer) if isinstance(tools, dict) else None
    return str(own.get(program, "")) if isinstance(own, dict) else ""


def _verdict(first: Interval, second: Interval) -> str:
    if min(first.coverage, second.coverage) < CONFIDENCE:
        return "too few rounds"
    if not first.disjoint(second):
        return "no measurable difference"
    return "second is slower" if second.median > first.median else "second is faster"
