"""From samples to what each layer costs: paired ratios of time per operation."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final, Literal

from nestkit.benchmark.runfile import Run
from nestkit.benchmark.samples import Sample
from nestkit.benchmark.statistics import CONFIDENCE, Interval, median_interval
from nestkit.benchmark.workloads import WORKLOADS
from nestkit.errors import RunError
from nestkit.runners.base import LayerFacts

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal[
    "baseline",
    "slower",
    "faster",
    "no measurable difference",
    "too few rounds",
    "a cache answers",
    "not comparable",
    "not measured",
    "this machine, not emulated",
]
CACHED: Final = "a cache answers, not the disk"
CACHE_WARNING: Final = f"faster than the layer outside it: {CACHED}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One workload in one layer against the baseline: a row of the summary."""

    workload: str
    layer: str
    depth: int
    acceleration: str
    emulated: bool
    median: float | None  # of the absolute values, in ``unit``
    unit: str
    metric: str
    baseline: str
    ratio: float | None  # time per operation, this layer over the baseline; above 1 is slower
    ratio_low: float | None
    ratio_high: float | None
    coverage: float | None
    n: int  # rounds that count
    verdict: Verdict
    flagged: int
    note: str

    @property
    def interval(self) -> Interval | None:
        """The ratio as an interval, where there is one."""
        if self.ratio is None or self.ratio_low is None or self.ratio_high is None:
            return None
        return Interval(self.ratio, self.ratio_low, self.ratio_high, self.n, self.coverage or 0.0)


def judge(interval: Interval) -> Verdict:
    """What an interval of a ratio allows to say."""
    if interval.coverage < CONFIDENCE:
        return "too few rounds"
    if interval.contains(1.0):
        return "no measurable difference"
    return "slower" if interval.low > 1 else "faster"


def compare(run: Run, baseline: str | None = None) -> list[Effect]:
    """Every planned workload in every layer, against the baseline.

    Parameters
    ----------
    run
        What was measured.
    baseline
        A layer. The default is the outermost; where layers are emulated it is the outermost
        emulated one, and the machine below stands beside it without a ratio.

    Raises
    ------
    RunError
        If the run has no such layer.
    """
    chosen = run.facts(baseline or run.default_baseline)
    return [
        _effect(run, workload, layer, chosen)
        for workload in run.workloads
        for layer in sorted(run.layers, key=lambda f: f.depth)
    ]


def _effect(run: Run, workload: str, layer: LayerFacts, baseline: LayerFacts) -> Effect:
    rows = [s for s in run.counted if s.workload == workload and s.layer == layer.layer]
    valid = [s for s in rows if s.valid]
    paired = _paired(run, workload, layer.layer, baseline.layer)
    interval = None
    notes = []
    if not rows:
        verdict: Verdict = "not measured"
    elif layer.layer == baseline.layer:
        verdict = "baseline"
    elif baseline.emulated and not layer.emulated:
        verdict = "this machine, not emulated"
    elif paired is None:
        verdict = "not comparable"
    else:
        interval = paired
        verdict = judge(interval)
    if layer.emulated:
        notes.append("emulated (TCG)")
    notes += sorted({s.reason for s in rows if not s.valid})
    left_out = any(note.startswith(f"{workload} was not measured: ") for note in run.notes)
    if layer in run.measured_in(workload) and len(rows) < run.rounds and not left_out:
        notes.append(f"incomplete: {len(rows)} of {run.rounds} rounds")
    if _is_disk(workload):
        if interval and _too_fast(interval, layer, baseline):
            verdict = "a cache answers"  # there is a difference, and it is not the layer's
            notes.append(CACHE_WARNING)
        notes += [
            f"faster than {outer.layer}: {CACHED}"
            for outer in run.layers
            if outer.depth < layer.depth and outer.layer != baseline.layer
            if (against := _paired(run, workload, layer.layer, outer.layer))
            if _too_fast(against, layer, outer)
        ]
    known = WORKLOADS.get(workload)
    shown: Sample | None = rows[0] if rows else None
    return Effect(
        workload=workload,
        layer=layer.layer,
        depth=layer.depth,
        acceleration=layer.acceleration,
        emulated=layer.emulated,
        median=statistics.median([s.value for s in rows]) if rows else None,
        unit=shown.unit if shown else known.unit if known else "",
        metric=shown.metric if shown else known.metric if known else "",
        baseline=baseline.layer,
        ratio=interval.median if interval else None,
        ratio_low=interval.low if interval else None,
        ratio_high=interval.high if interval else None,
        coverage=interval.coverage if interval else None,
        n=interval.n if interval else len(valid),
        verdict=verdict,
        flagged=sum(1 for s in rows if s.reason),
        note="; ".join(notes),
    )


def _paired(run: Run, workload: str, layer: str, baseline: str) -> Interval | None:
    """Time per operation in one layer over the other's, in the rounds that count in both."""
    times: dict[str, dict[int, float]] = {layer: {}, baseline: {}}
    for s in run.counted:
        if s.workload == workload and s.layer in times and s.valid:
            times[s.layer][s.round] = s.time_per_operation
    mine, base = times[layer], times[baseline]
    rounds = sorted(mine.keys() & base.keys())
    return median_interval([mine[r] / base[r] for r in rounds]) if rounds else None


def _is_disk(workload: str) -> bool:
    known = WORKLOADS.get(workload)
    return known is not None and known.is_disk


def _too_fast(interval: Interval, layer: LayerFacts, baseline: LayerFacts) -> bool:
    """A disk cannot be faster further in: the interval says it is."""
    if layer.depth == baseline.depth or interval.coverage < CONFIDENCE:
        return False
    return interval.high < 1 if layer.depth > baseline.depth else interval.low > 1


def summarize(run: Run, baseline: str | None = None) -> pd.DataFrame:
    """The effects as a frame, one row a workload and layer.

    Columns are the fields of :class:`Effect`; ratios are ``<NA>`` where there is none.
    """
    import pandas as pd

    columns = [field.name for field in fields(Effect)]
    frame = pd.DataFrame([asdict(e) for e in compare(run, baseline)], columns=columns)
    floats = ["median", "ratio", "ratio_low", "ratio_high", "coverage"]
    return frame.astype(dict.fromkeys(floats, "Float64"))


def find_effect(run: Run, workload: str, layer: str, baseline: str | None = None) -> Effect:
    """The effect of one workload in one layer.

    Raises
    ------
    RunError
        If the run has no such workload or layer.
    """
    for effect in compare(run, baseline):
        if (effect.workload, effect.layer) == (workload, layer):
            return effect
    raise RunError(
        f"the run has no {workload!r} in {layer!r}",
        remedy=f"use one of {', '.join(run.workloads)} and a layer of the run",
    )
