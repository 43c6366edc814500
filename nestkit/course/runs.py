"""Runs to choose from, parts of them, and two machines side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nestkit.benchmark import WORKLOADS, Interval, Run, median_interval
from nestkit.benchmark.statistics import CONFIDENCE
from nestkit.errors import NestkitError
from nestkit.resources import data_path
from nestkit.state import state_dir

if TYPE_CHECKING:
    import pandas as pd


def safe_name(text: str) -> str:
    """A text as a part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "run"


def keep_run(run: Run) -> Path:
    """Save a run in your own state folder, where the explore page finds it; the answer is where."""
    return run.save(state_dir("runs") / f"{safe_name(run.run_id)}.json")


@dataclass(frozen=True, slots=True)
class Found:
    """Runs by label, and what was not readable: file name and error."""

    runs: Mapping[str, Run]
    broken: tuple[tuple[str, NestkitError], ...]


def find_runs() -> Found:
    """Yours, from the state folder, newest first; then the recorded ones that nestkit brings."""
    runs: dict[str, Run] = {}
    broken = []
    own = sorted(state_dir("runs").glob("*.json"), reverse=True)
    for whose, paths in (("yours", own), ("recorded", sorted(data_path("runs").glob("*.json")))):
        for path in paths:
            try:
                run = Run.load(path)
            except NestkitError as error:
                broken.append((path.name, error))
                continue
            runs[_label(whose, path, run)] = run
    return Found(runs, tuple(broken))


def _label(whose: str, path: Path, run: Run) -> str:
    date = str(run.provenance.get("date_utc", ""))[:10]
    cpu = str(run.provenance.get("host_cpu", ""))
    origin = "" if run.origin in ("measured", whose) else run.origin
    kind = "emulated" if run.emulated else ""
    return " · ".join(filter(None, [whose, path.stem, date, cpu, origin, kind]))


def as_data(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, as text."""
    return (
        f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
    )


def part_of(run: Run, layers: Sequence[str], workloads: Sequence[str]) -> Run:
    """The run with these layers and workloads only; what was flagged stays flagged."""
    return replace(
        run,
        workloads=tuple(name for name in run.workloads if name in workloads),
        layers=tuple(facts for facts in run.layers if facts.layer in layers),
        samples=tuple(s for s in run.samples if s.layer in layers and s.workload in workloads),
    )


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
