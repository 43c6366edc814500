"""Chart 1: the slowdown per workload, a dot and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log2
from typing import TYPE_CHECKING, Any

from nestkit.benchmark.effects import Effect
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.texts import format_ratio, format_value
from nestkit.charts.look import (
    BASELINE,
    SURE,
    below,
    in_alt_text,
    in_one_line,
    layer_style,
    log2_axis,
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
    from matplotlib.lines import Line2D


def slowdown(run_or_runs: Run | Sequence[Run], baseline: str | None = None) -> Figure:
    """Slowdown per workload: a dot and its interval on a log₂ axis, the baseline at 1.

    Parameters
    ----------
    run_or_runs
        One run, or several that get a panel each.
    baseline
        A layer; each run's own default where none is given. The machine itself as the baseline
        of emulated layers gives two panels.

    Returns
    -------
    matplotlib.figure.Figure
        :func:`alt_text` has its text, :func:`show` displays both.

    Raises
    ------
    RunError
        If there is no run, no such layer, or nothing to compare.
    """
    runs = runs_of(run_or_runs)
    panels = panels_of(runs, baseline)
    heights = [_height(panel) for panel in panels]
    figure = new_figure(sum(heights) + 1.0, "What each layer costs")
    grid = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        # one scale for what may be compared, and another for the other kind of processor
        _draw(axes, panel, _limits([p for p in panels if p.emulated == panel.emulated]))
    bases = " and ".join(dict.fromkeys(panel.baseline for panel in panels))
    grid[-1, 0].set_xlabel(f"slowdown against {bases} (time per operation, log₂ axis)")
    gaps = not_drawn(panels, len(runs))
    figure.legend(
        handles=_legend(panels), fontsize=8, frameon=False, loc="outside lower center", ncols=5,
        title=below(*gaps) or None, title_fontsize=8.5,
    )  # fmt: skip
    return with_text(figure, _describe(panels, gaps))


def _height(panel: Panel) -> float:
    """In inches, by rows; a panel that only says what the baseline is takes less room."""
    rows = len({e.workload for e in panel.effects})
    layers = len({e.layer for e in panel.effects if e.interval})
    return 0.8 + rows * (0.4 if panel.only_baseline else max(0.62, 0.3 * layers))


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    ends = [1.0]
    for panel in panels:
        for effect in panel.effects:
            if effect.interval:
                ends += [effect.interval.low, effect.interval.high]
    return 2.0 ** (floor(log2(min(ends)) - 0.3)), 2.0 ** (ceil(log2(max(ends)) + 0.5))


def _style(effect: Effect) -> dict[str, Any]:
    """Hollow where nothing is shown."""
    return layer_style(effect.depth, sure=effect.interval is None or effect.verdict in SURE)


def _draw(axes: Axes, panel: Panel, limits: tuple[float, float]) -> None:
    workloads = list(dict.fromkeys(e.workload for e in panel.effects))
    shown = [e for e in panel.effects if e.interval or panel.only_baseline]
    rows = sorted({e.depth for e in shown})
    for effect in shown:
        place = rows.index(effect.depth) - (len(rows) - 1) / 2
        y = workloads.index(effect.workload) + place * 0.6 / len(rows)
        middle, low, high = 1.0, 1.0, 1.0
        if effect.interval:
            middle, low, high = effect.interval.median, effect.interval.low, effect.interval.high
        axes.errorbar(
            [middle],
            [y],
            xerr=[[middle - low], [high - middle]],
            capsize=5,
            elinewidth=1.8,
            **_style(effect),
        )
        axes.annotate(
            f"{format_ratio(middle)} ({format_value(effect)})",
            (high, y),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.axvline(1.0, color=BASELINE, linewidth=1.2, zorder=0)
    log2_axis(axes, *limits)
    base = {e.workload: e for e in panel.base}
    labels = [
        f"{workload_title(w)}\n{panel.baseline}: {format_value(base[w])}"
        if w in base
        else workload_title(w)
        for w in workloads
    ]
    axes.set_yticks(range(len(workloads)), labels, fontsize=9)
    axes.set_ylim(len(workloads) - 0.45, -0.55)
    plain(axes, panel.title, grid="x")


def _legend(panels: Sequence[Panel]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=BASELINE, linewidth=1.2, label="baseline")]
    drawn = [e for p in panels for e in p.effects if e.interval or p.only_baseline]
    by_layer = {e.layer: e for e in sorted(drawn, key=lambda e: e.depth)}
    for name, effect in by_layer.items():
        style = _style(effect) | {"markerfacecolor": _style(effect)["color"]}
        handles.append(Line2D([], [], linewidth=1.8, label=name, **style))
    if unsure := sorted({e.verdict for e in drawn if e.interval and e.verdict not in SURE}):
        hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "linestyle": "none"}
        handles.append(
            Line2D([], [], color=BASELINE, label=f"hollow: {', '.join(unsure)}", **hollow)
        )
    return handles


def _describe(panels: Sequence[Panel], gaps: Sequence[str]) -> str:
    parts = [
        "Dots and intervals of the slowdown per workload on a logarithmic axis; 1 is the baseline."
    ]
    for panel in panels:
        parts.append(f"{in_one_line(panel.title)}.")
        for effect in panel.effects:
            what = f"{workload_title(effect.workload)}, {effect.layer}"
            i = effect.interval
            if i is None:
                parts.append(f"{what} is the baseline: {format_value(effect)}.")
                continue
            span = f"{format_ratio(i.low)} to {format_ratio(i.high)}, {i.n} rounds"
            text = (
                f"{what} against {effect.baseline}: {format_ratio(i.median)} ({span}), "
                f"{format_value(effect)}"
            )
            parts.append(f"{text}." if effect.verdict in SURE else f"{text}, {effect.verdict}.")
    parts += in_alt_text(gaps)
    return " ".join(part for part in parts if part)
