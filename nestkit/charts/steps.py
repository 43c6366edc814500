"""Chart 3: what each layer adds to one operation, as a waterfall."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nestkit.benchmark.runfile import Run
from nestkit.benchmark.samples import Sample
from nestkit.benchmark.statistics import CONFIDENCE, Interval, median_interval
from nestkit.charts.look import (
    BASELINE,
    below,
    in_alt_text,
    in_one_line,
    layer_style,
    new_figure,
    panel_title,
    plain,
    with_text,
    workload_title,
)
from nestkit.errors import RunError
from nestkit.runners.base import LayerFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNSURE: Final = "#666666"
_UNITS: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_NS: Final = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
_RATES: Final = {f"1/{unit}": factor for unit, factor in _NS.items()}


@dataclass(frozen=True, slots=True)
class _Step:
    """One layer's time per operation, and what it adds to the layer outside it."""

    layer: LayerFacts
    total_ns: float
    before_ns: float  # the layer outside it; 0 for the first
    added: Interval | None  # of the differences within each round; None for the first

    @property
    def added_ns(self) -> float:
        return self.total_ns - self.before_ns

    @property
    def sure(self) -> bool:
        """True when the paired differences claim that something was added or saved."""
        return not self.doubt

    @property
    def doubt(self) -> str:
        """Why nothing is claimed; empty where something is."""
        if self.added is None:
            return ""
        if self.added.coverage < CONFIDENCE:
            return "too few rounds"
        return "no measurable difference" if self.added.contains(0.0) else ""


def nanoseconds(sample: Sample) -> float | None:
    """A sample's time per operation in ns; None where its unit has no time of an operation."""
    if sample.direction == "higher":
        rate = _RATES.get(sample.unit)
        return None if rate is None else rate / sample.value
    factor = _NS.get(sample.unit)
    return None if factor is None else factor * sample.value


def waterfall(
    run: Run, baseline: str | None = None, *, workloads: Sequence[str] | None = None
) -> Figure:
    """What each layer adds to the time of one operation; a panel a workload.

    A step is the difference of the two layers' medians, so that the steps add up; it is hatched
    where the interval of the differences within each round contains 0. Workloads whose unit has
    no time of one operation (MiB/s, …) are left out, and named.

    Parameters
    ----------
    run
        What was measured.
    baseline
        The layer to start from; the run's own default where none is given.
    workloads
        Those to draw; all where none are given.

    Raises
    ------
    RunError
        If there is no such layer, no deeper layer of the same kind of processor, or no workload
        with a time of one operation.
    """
    first = run.facts(baseline or run.default_baseline)
    layers = [
        f
        for f in sorted(run.layers, key=lambda f: f.depth)
        if f.depth >= first.depth and f.emulated == first.emulated
    ]
    if len(layers) < 2:
        deeper = any(f.depth > first.depth for f in run.layers)
        why = ": emulated layers are never added to others" if deeper else ""
        raise RunError(
            f"there is no layer to add to {first.layer}{why}",
            remedy=f"start from {run.default_baseline}, or take a run with one layer more"
            if first.layer != run.default_baseline
            else "take a run with one layer more",
        )
    wanted = run.workloads if workloads is None else workloads
    steps = {name: _steps(run, name, layers) for name in wanted}
    drawn = {name: found for name, found in steps.items() if found}
    if not drawn:
        raise RunError(
            "no workload here has a time per operation in at least two layers",
            remedy="add a workload such as exit or arithmetic, and take the run to its end",
        )
    title = panel_title(run, first.emulated)
    heights = [0.55 + 0.3 * (len(found) + 1) for found in drawn.values()]
    figure = new_figure(sum(heights) + 0.75 + 0.17 * title.count("\n"), "What each layer adds")
    grid = figure.subplots(len(drawn), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, (name, found) in zip(grid[:, 0], drawn.items(), strict=True):
        _draw(axes, workload_title(name), found)
    head = grid[0, 0]
    head.set_title(f"{title}\n\n{head.get_title(loc='left')}", fontsize=9, loc="left")
    left_out = _left_out(run, [name for name in wanted if name not in drawn], layers)
    doubts = sorted({step.doubt for found in drawn.values() for step in found if step.doubt})
    hatched = ", ".join(doubts) or "no measurable difference"
    note = f"time per operation; hatched, in italics: {hatched}"
    figure.supxlabel(below(note, *left_out), fontsize=9)
    return with_text(figure, _describe(title, drawn, left_out))


def _steps(run: Run, workload: str, layers: Sequence[LayerFacts]) -> list[_Step]:
    times: list[tuple[LayerFacts, dict[int, float]]] = []
    for layer in layers:
        rows = {
            s.round: nanoseconds(s)
            for s in run.counted
            if s.workload == workload and s.layer == layer.layer and s.valid
        }
        found = {number: ns for number, ns in rows.items() if ns is not None}
        if found:
            times.append((layer, found))
    if len(times) < 2:
        return []
    steps: list[_Step] = []
    before: dict[int, float] = {}
    for layer, rounds in times:
        paired = sorted(rounds.keys() & before.keys())
        added = median_interval([rounds[r] - before[r] for r in paired]) if paired else None
        last = steps[-1].total_ns if steps else 0.0
        steps.append(_Step(layer, statistics.median(rounds.values()), last, added))
        before = rounds
    return steps


def _left_out(run: Run, names: Sequence[str], layers: Sequence[LayerFacts]) -> list[str]:
    """Which workloads are not drawn, and why."""
    own = {layer.layer for layer in layers}
    reasons: dict[str, list[str]] = {}
    for name in names:
        rows = [s for s in run.counted if s.workload == name and s.layer in own and s.valid]
        measured = len({s.layer for s in rows}) > 1
        why = "have no time per operation" if measured else "were not measured in two layers"
        reasons.setdefault(why, []).append(workload_title(name))
    return [f"left out, as they {why}: {'; '.join(titles)}" for why, titles in reasons.items()]


def _unit(value: float) -> tuple[float, str]:
    """The largest unit that is not above a time in ns, and its length in ns."""
    return next(((f, u) for f, u in _UNITS if abs(value) >= f), _UNITS[-1])


def _draw(axes: Axes, title: str, steps: Sequence[_Step]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    widest = max(step.total_ns for step in steps)
    for y, step in enumerate(steps):
        colour = layer_style(step.layer.depth)["color"]
        axes.barh(
            y, step.added_ns, left=step.before_ns, height=0.62, edgecolor=colour, linewidth=1.2,
            facecolor=colour if step.sure else "white", hatch="" if step.sure else "////",
        )  # fmt: skip
        end = max(step.total_ns, step.before_ns)
        sign = "" if y == 0 else "+" if step.added_ns >= 0 else "−"
        axes.annotate(
            f"{sign}{_ns(abs(step.added_ns))}", (end, y), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=8.5,
            style="normal" if step.sure else "italic", color="black" if step.sure else _UNSURE,
        )  # fmt: skip
        axes.plot([step.total_ns] * 2, [y, y + 1], color=BASELINE, linewidth=0.8, linestyle=":")
    last = steps[-1]
    axes.barh(len(steps), last.total_ns, height=0.62, color=BASELINE)
    axes.annotate(
        _ns(last.total_ns), (last.total_ns, len(steps)), xytext=(6, 0),
        textcoords="offset points", va="center", fontsize=8.5, fontweight="bold",
    )  # fmt: skip
    labels = [
        step.layer.layer if i == 0 else f"{step.layer.layer} adds" for i, step in enumerate(steps)
    ]
    axes.set_yticks(range(len(steps) + 1), [*labels, f"total in {last.layer.layer}"], fontsize=9)
    axes.set_ylim(len(steps) + 0.5, -0.5)
    axes.set_xlim(0, widest * 1.28)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    factor, unit = _unit(widest)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value / factor:,.10g} {unit}" if value else "0")
    )
    axes.tick_params(axis="x", labelsize=8)
    plain(axes, title, grid="x")


def _ns(value: float) -> str:
    """A time in a unit that fits, in three digits: more would claim more than was measured."""
    factor, unit = _unit(value)
    return f"{value / factor:.3g} {unit}"


def _describe(title: str, drawn: dict[str, list[_Step]], left_out: Sequence[str]) -> str:
    parts = [
        "Bars of what each layer adds to the time of one operation.",
        f"{in_one_line(title)}.",
    ]
    for name, steps in drawn.items():
        words = [f"{steps[0].layer.layer} takes {_ns(steps[0].total_ns)}"]
        for step in steps[1:]:
            verb = "adds" if step.added_ns >= 0 else "saves"
            unsure = "" if step.sure else f" ({step.doubt})"
            words.append(f"{step.layer.layer} {verb} {_ns(abs(step.added_ns))}{unsure}")
        parts.append(
            f"{workload_title(name)}: {', '.join(words)}; in all {_ns(steps[-1].total_ns)}."
        )
    parts += in_alt_text(left_out)
    return " ".join(parts)
