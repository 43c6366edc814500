"""Chart 5: every sample in the order it was taken, which shows drift and flags."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from math import log2
from typing import TYPE_CHECKING, Final

from nestkit.benchmark.runfile import Run
from nestkit.benchmark.samples import Sample
from nestkit.charts.look import (
    BASELINE,
    in_one_line,
    layer_style,
    new_figure,
    panel_title,
    plain,
    ratio_tick,
    with_text,
    workload_title,
)
from nestkit.errors import RunError
from nestkit.runners.base import LayerFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_FLAG: Final = "#000000"
_TITLE_WIDTH: Final = 84  # letters that fit above all columns
_LEAST_SPAN: Final = 0.2  # in log₂, each way: noise of a per cent is not to fill the panel


def time_order(run: Run, *, workloads: Sequence[str] | None = None) -> Figure:
    """Each sample's time per operation over its layer's own median, in the order taken.

    Emulated layers stand in a column of their own. Warm-ups are small, flagged samples hollow; the
    line is the canary, a fixed piece of work that the machine below does each round.

    Parameters
    ----------
    run
        What was measured.
    workloads
        Those to draw; all where none are given.

    Raises
    ------
    RunError
        If there are no samples that count.
    """
    wanted = run.workloads if workloads is None else workloads
    counted = {(s.workload, s.layer) for s in run.counted}
    columns = {
        emulated: [f for f in run.layers if f.emulated == emulated] for emulated in (False, True)
    }
    columns = {
        emulated: layers
        for emulated, layers in columns.items()
        if any((name, f.layer) in counted for name in wanted for f in layers)
    }
    names = [
        name
        for name in wanted
        if any((name, f.layer) in counted for layers in columns.values() for f in layers)
    ]
    if not names:
        raise RunError(
            "there are no samples that count to put in order",
            remedy="take the run again to its end, or choose workloads that it has",
        )
    heads = {e: panel_title(run, e, width=_TITLE_WIDTH // len(columns)) for e in columns}
    top = 0.2 * max(head.count("\n") + 2 for head in heads.values())
    figure = new_figure(1.15 * len(names) + top + 1.1, "Samples in time order")
    grid = figure.subplots(len(names), len(columns), squeeze=False, sharex=True)
    texts = []
    for place, (emulated, layers) in enumerate(columns.items()):
        texts.append(f"{in_one_line(heads[emulated])}.")
        for row, name in enumerate(names):
            axes, title = grid[row, place], workload_title(name)
            own = [f for f in layers if (name, f.layer) in counted]
            if own:
                texts.append(_draw(axes, run, name, own))
            else:
                title += ": not measured"
                axes.set_yticks([])
            plain(axes, title if row else f"{heads[emulated]}\n\n{title}", grid="y")
        grid[-1, place].set_xlabel("order in the run", fontsize=9)
    figure.supylabel("time per operation over the layer's median (log₂)", fontsize=9)
    figure.legend(
        handles=_legend(run), fontsize=8, frameon=False, loc="outside lower center", ncols=4
    )
    total = f"{len(run.flagged)} of {len(run.counted)} samples that count are flagged."
    head = "Samples in the order taken, each over its layer's own median."
    return with_text(figure, " ".join([head, total, *texts]))


def _draw(axes: Axes, run: Run, workload: str, layers: Sequence[LayerFacts]) -> str:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    words = []
    canary = _canary(run)
    shown = [2**-_LEAST_SPAN, 2**_LEAST_SPAN, *(ratio for _, ratio in canary)]
    axes.plot([x for x, _ in canary], [y for _, y in canary], color="#b0b0b0", linewidth=1.2)
    axes.axhline(1.0, color=BASELINE, linewidth=0.9, zorder=0)
    for layer in layers:
        rows = [s for s in run.samples if s.workload == workload and s.layer == layer.layer]
        middle = statistics.median(s.time_per_operation for s in rows if not s.warmup)
        counted = [s for s in rows if not s.warmup]
        for sample in rows:
            ratio = sample.time_per_operation / middle
            shown.append(ratio)
            style = layer_style(layer.depth, sure=not sample.reason)
            style["markersize"] = 2.5 if sample.warmup else 5
            axes.plot([sample.order], [ratio], linestyle="none", **style)
        words.append(_sentence(layer.layer, counted, middle))
    axes.set_yscale("log", base=2)
    span = max(abs(log2(ratio)) for ratio in shown)
    axes.set_ylim(2 ** (-span * 1.25), 2 ** (span * 1.25))
    ticks = _ticks(span)
    axes.set_yticks(ticks)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(labelsize=8)
    return f"{workload_title(workload)}: {'; '.join(words)}."


def _ticks(span: float) -> list[float]:
    """The baseline and a step each way."""
    if span < 1:
        step = 1.5 if span > 0.65 else 1.2 if span > 0.3 else 1.1
        return [1 / step, 1.0, step]
    reach = 2.0 ** int(span)
    return [1 / reach, 1.0, reach]


def _tick(value: float, position: int) -> str:
    whole = value if value >= 1 else 1 / value
    return ratio_tick(value, position) if whole >= 2 or value == 1 else f"{value:.2f}×"


def _canary(run: Run) -> list[tuple[int, float]]:
    rows = [s for s in run.samples if s.canary_ns > 0]
    if not rows:
        return []
    middle = statistics.median(s.canary_ns for s in rows)
    return sorted((s.order, s.canary_ns / middle) for s in rows)


def _sentence(layer: str, counted: Sequence[Sample], middle: float) -> str:
    ordered = sorted(counted, key=lambda s: s.order)
    times = [s.time_per_operation / middle for s in ordered]
    half = len(times) // 2
    flagged = sum(1 for s in ordered if s.reason)
    text = f"{layer} from {min(times):.2f} to {max(times):.2f} of its median, {flagged} flagged"
    if half:
        drift = statistics.median(times[half:]) / statistics.median(times[:half]) - 1
        text += f", second half against first {drift:+.1%}"
    return text


def _legend(run: Run) -> list[Line2D]:
    from matplotlib.lines import Line2D

    names = {s.layer for s in run.counted}
    handles = [
        Line2D([], [], linestyle="none", label=f.layer, **layer_style(f.depth))
        for f in sorted(run.layers, key=lambda f: f.depth)
        if f.layer in names
    ]
    handles.append(Line2D([], [], color="#b0b0b0", label="canary of the machine below"))
    if any(s.reason for s in run.counted):
        handles.append(
            Line2D([], [], linestyle="none", marker="o", color=_FLAG, markerfacecolor="white",
                   markersize=5, label="hollow: flagged")
        )  # fmt: skip
    if any(s.warmup for s in run.samples):
        handles.append(
            Line2D([], [], linestyle="none", marker="o", color=_FLAG, markersize=2.5,
                   label="small: warm-up, not counted")
        )  # fmt: skip
    return handles
