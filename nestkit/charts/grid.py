"""Chart 2: workload × layer as a heat map, the slowdown written in."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import TYPE_CHECKING, Final

from nestkit.benchmark.effects import Effect
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.texts import format_ratio, format_value
from nestkit.charts.look import (
    INK,
    SURE,
    below,
    in_alt_text,
    in_one_line,
    new_figure,
    plain,
    runs_of,
    with_text,
    workload_title,
)
from nestkit.charts.panels import Panel, not_drawn, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS: Final = "PuOr_r"  # orange slower, purple faster: told apart by all common colour visions
_LEAST_SPAN: Final = 2.0  # in log₂: a difference of a few per cent is not to look like a factor


def heat_map(run_or_runs: Run | Sequence[Run], baseline: str | None = None) -> Figure:
    """Workload × layer, each field with its slowdown; hatched where the interval contains 1.

    Colours are scaled panel by panel: an emulated layer's never compare with another machine's.

    Parameters
    ----------
    run_or_runs
        One run, or several that get a panel each.
    baseline
        A layer; each run's own default where none is given.

    Raises
    ------
    RunError
        If there is no run, no such layer, or nothing to compare.
    """
    runs = runs_of(run_or_runs)
    panels = panels_of(runs, baseline)
    heights = [0.9 + 0.5 * len(_workloads(panel)) for panel in panels]
    figure = new_figure(sum(heights) + 0.5, "Slowdown by workload and layer")
    grid = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        _draw(axes, panel)
    bases = " and ".join(dict.fromkeys(panel.baseline for panel in panels))
    gaps = not_drawn(panels, len(runs))
    figure.supxlabel(
        below(
            f"× {bases}, time per operation, and the median itself",
            f"orange slower, purple faster; hatched: {_hatched(panels)}",
            *gaps,
        ),
        fontsize=9,
        color=INK,
    )
    return with_text(figure, _describe(panels, gaps))


def _hatched(panels: Sequence[Panel]) -> str:
    """What hatching stands for here; at its least, what it would stand for."""
    effects = [e for panel in panels for e in panel.effects if e.interval]
    unsure = sorted({e.verdict for e in effects if e.verdict not in SURE})
    return ", ".join(unsure) or "no measurable difference"


def _workloads(panel: Panel) -> list[str]:
    return list(dict.fromkeys(e.workload for e in panel.effects))


def _layers(panel: Panel) -> list[str]:
    by_depth = sorted(panel.effects, key=lambda e: e.depth)
    return list(dict.fromkeys(e.layer for e in by_depth))


def _draw(axes: Axes, panel: Panel) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    workloads, layers = _workloads(panel), _layers(panel)
    span = max([_LEAST_SPAN, *(abs(log2(e.ratio)) for e in panel.effects if e.ratio)])
    scale, colours = Normalize(-span, span), colormaps[_COLOURS]
    for effect in panel.effects:
        x, y = layers.index(effect.layer), workloads.index(effect.workload)
        ratio = effect.ratio if effect.interval and effect.ratio else 1.0
        fill = colours(scale(log2(ratio)))
        dark = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2] < 0.5
        hatch = "" if effect.interval is None or effect.verdict in SURE else "///"
        axes.add_patch(
            Rectangle(
                (x - 0.5, y - 0.5), 1, 1, facecolor=fill, edgecolor="#9a9a9a", hatch=hatch,
                linewidth=0, gid=f"{effect.workload} {effect.layer}",
            )
        )  # fmt: skip
        box = {"facecolor": fill, "edgecolor": "none", "pad": 1.5} if hatch else None
        axes.text(
            x, y, _words(effect), ha="center", va="center", fontsize=9, linespacing=1.3,
            color="white" if dark else "black", bbox=box,
        )  # fmt: skip
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_ylim(len(workloads) - 0.5, -0.5)
    axes.set_xticks(range(len(layers)), layers, fontsize=9.5)
    axes.set_yticks(range(len(workloads)), [workload_title(w) for w in workloads], fontsize=9)
    # white lines part the fields; the hatch's colour is its own
    axes.set_xticks([x + 0.5 for x in range(len(layers) - 1)], minor=True)
    axes.set_yticks([y + 0.5 for y in range(len(workloads) - 1)], minor=True)
    axes.grid(which="minor", color="white", linewidth=2.5)
    plain(axes, panel.title)
    axes.set_axisbelow(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(which="both", length=0)


def _words(effect: Effect) -> str:
    if effect.interval is None:
        return f"baseline\n{format_value(effect)}"
    return f"{format_ratio(effect.interval.median)}\n{format_value(effect)}"


def _describe(panels: Sequence[Panel], gaps: Sequence[str]) -> str:
    parts = ["A table of workloads and layers, each field with its slowdown; 1 is the baseline."]
    for panel in panels:
        parts.append(f"{in_one_line(panel.title)}.")
        for effect in panel.effects:
            what = f"{workload_title(effect.workload)}, {effect.layer}"
            if effect.interval is None:
                parts.append(f"{what}: baseline, {format_value(effect)}.")
                continue
            unsure = "" if effect.verdict in SURE else f", hatched: {effect.verdict}"
            ratio = format_ratio(effect.interval.median)
            parts.append(f"{what}: {ratio}, {format_value(effect)}{unsure}.")
    parts += in_alt_text(gaps)
    return " ".join(parts)
