"""Chart 7: yours against what others published, with year and CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log2
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from nestkit.benchmark.effects import Effect, compare
from nestkit.benchmark.published import Published, published_figures
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.texts import format_ratio
from nestkit.charts.look import (
    BASELINE,
    SURE,
    colours,
    in_one_line,
    layer_style,
    log2_axis,
    new_figure,
    panel_title,
    plain,
    with_text,
    workload_title,
)
from nestkit.errors import RunError
from nestkit.facts import Unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# ours → theirs: what does the same kind of work; their own name stands in the chart
ALIKE: Final = {
    "system-call": ("getpid syscall", "LMbench null I/O"),
    "exit": ("VM exit round trip: CPUID", "cpuid loop"),
    "first-touch": ("LMbench page fault",),
    # hundreds of thousands a second: not one request at a time
    "disk-read-32": ("fio randread",),
    "disk-write-32": ("fio randwrite",),
}
_HIGHER: Final = frozenset({"IOPS", "MiB/s", "Mb/s", "Gb/s", "score"})
_LABEL_WIDTH: Final = 46
_TITLE_WIDTH: Final = 58  # the labels beside the axes are long
_TITLE: Final = "Published by others, on hardware virtualization"


@dataclass(frozen=True, slots=True)
class _Ratio:
    """One ratio from a source: time per operation, inner layer over outer."""

    workload: str  # ours
    figure: Published
    ratio: float

    @property
    def label(self) -> str:
        figure = self.figure
        source = figure.source
        if str(figure.year) not in source:
            source += f", {figure.year}"
        cpu = ", CPU not named" if isinstance(figure.cpu, Unknown) else ""
        return "\n".join(
            [
                *wrap(f"{source}: {figure.workload}", _LABEL_WIDTH),
                *wrap(f"{figure.platform_l0}{cpu}", _LABEL_WIDTH),
            ]
        )


def against_published(
    run: Run, published: Sequence[Published] | None = None, *, outer: str = "L1", inner: str = "L2"
) -> Figure:
    """Your slowdown of one layer against another, beside what others measured on hardware.

    Only rows that were measured, and seen in their primary source, are drawn. Emulated layers
    have a panel and a scale of their own.

    Parameters
    ----------
    run
        What was measured.
    published
        What to draw beside it; the figures that come with nestkit where none are given.
    outer, inner
        The two layers that are compared.

    Raises
    ------
    RunError
        If the run lacks a layer, or none of its workloads has a published counterpart.
    """
    run.facts(inner)
    effects = [e for e in compare(run, outer) if e.layer == inner and e.interval is not None]
    found = _ratios(published_figures() if published is None else published, outer, inner)
    mine = [e for e in effects if any(p.workload == e.workload for p in found)]
    theirs = [p for e in mine for p in found if p.workload == e.workload]
    if not mine:
        raise RunError(
            f"no workload here was also published for {inner} against {outer}",
            remedy=f"take a run with one of {', '.join(ALIKE)} in {outer} and {inner}",
        )
    title = panel_title(run, mine[0].emulated, f"Yours: {run.facts(inner).stack}", _TITLE_WIDTH)
    limits = [_limits(mine, []), _limits([], theirs)]
    if not mine[0].emulated:
        limits = [_limits(mine, theirs)] * 2
    heights = [0.45 + 0.35 * len(mine), 0.3 + sum(0.18 + 0.16 * _lines(p) for p in theirs)]
    figure = new_figure(sum(heights) + 1.6 + 0.16 * title.count("\n"), "Yours and published")
    upper, lower = figure.subplots(2, 1, gridspec_kw={"height_ratios": heights})
    _draw_mine(upper, mine, title, limits[0])
    _draw_theirs(lower, theirs, limits[1])
    lower.set_xlabel(
        f"slowdown of {inner} against {outer} (time per operation, log₂ axis)", fontsize=9.5
    )
    return with_text(figure, _describe(title, mine, theirs, inner, outer))


def _ratios(figures: Sequence[Published], outer: str, inner: str) -> list[_Ratio]:
    """Pairs of figures that differ only in the layer."""
    ours = {theirs: name for name, all_theirs in ALIKE.items() for theirs in all_theirs}
    by_layer: dict[tuple[str, ...], dict[str, Published]] = {}
    for figure in figures:
        if figure.workload in ours:
            key = (figure.source, figure.platform_l0, figure.workload, figure.unit, figure.citation)
            by_layer.setdefault(key, {})[figure.layer] = figure
    found = []
    for layers in by_layer.values():
        base, top = layers.get(outer), layers.get(inner)
        if base is None or top is None or min(base.value, top.value) <= 0:
            continue
        ratio = top.value / base.value
        if base.unit in _HIGHER:
            ratio = 1 / ratio
        found.append(_Ratio(ours[base.workload], base, ratio))
    return found


def _lines(published: _Ratio) -> int:
    return published.label.count("\n") + 1


def _limits(mine: Sequence[Effect], theirs: Sequence[_Ratio]) -> tuple[float, float]:
    ends = [1.0, *(p.ratio for p in theirs)]
    for effect in mine:
        if effect.interval:
            ends += [effect.interval.low, effect.interval.high]
    low, high = 2.0 ** floor(log2(min(ends)) - 0.3), 2.0 ** ceil(log2(max(ends)) + 0.5)
    return low, high * (high / low) ** 0.12


def _draw_mine(axes: Axes, mine: Sequence[Effect], title: str, limits: tuple[float, float]) -> None:
    for y, effect in enumerate(mine):
        interval = effect.interval
        if interval is None:
            continue
        axes.errorbar(
            [interval.median], [y],
            xerr=[[interval.median - interval.low], [interval.high - interval.median]],
            capsize=4, elinewidth=1.8,
            **layer_style(effect.depth, sure=effect.verdict in SURE),
        )  # fmt: skip
        axes.annotate(
            format_ratio(interval.median), (interval.high, y), xytext=(8, 0),
            textcoords="offset points", va="center", fontsize=8.5,
        )  # fmt: skip
    axes.set_yticks(range(len(mine)), [workload_title(e.workload) for e in mine], fontsize=8.5)
    axes.set_ylim(len(mine) - 0.45, -0.55)
    _finish(axes, title, limits)


def _draw_theirs(axes: Axes, theirs: Sequence[_Ratio], limits: tuple[float, float]) -> None:
    # rows are as high as their labels
    tops = [0.0]
    for published in theirs:
        tops.append(tops[-1] + 0.18 + 0.16 * _lines(published))
    middles = [(a + b) / 2 for a, b in pairwise(tops)]
    for y, published in zip(middles, theirs, strict=True):
        axes.plot([published.ratio], [y], marker="*", markersize=10, color=colours()[5])
        axes.annotate(
            format_ratio(published.ratio), (published.ratio, y), xytext=(9, 0),
            textcoords="offset points", va="center", fontsize=8.5,
        )  # fmt: skip
    axes.set_yticks(middles, [p.label for p in theirs], fontsize=8)
    axes.set_ylim(tops[-1], 0)
    _finish(axes, f"{_TITLE}\nno intervals: the sources give none that compare", limits)


def _finish(axes: Axes, title: str, limits: tuple[float, float]) -> None:
    axes.axvline(1.0, color=BASELINE, linewidth=1.2, zorder=0)
    log2_axis(axes, *limits)
    plain(axes, title, grid="x")


def _describe(
    title: str,
    mine: Sequence[Effect],
    theirs: Sequence[_Ratio],
    inner: str,
    outer: str,
) -> str:
    parts = [f"Slowdown of {inner} against {outer}, yours and published.", f"{in_one_line(title)}."]
    for effect in mine:
        if effect.interval:
            i = effect.interval
            span = f"{format_ratio(i.low)} to {format_ratio(i.high)}"
            parts.append(f"{workload_title(effect.workload)}: {format_ratio(i.median)} ({span}).")
    parts.append(f"{_TITLE}.")
    for p in theirs:
        parts.append(
            f"{workload_title(p.workload)} as {p.figure.workload}: {format_ratio(p.ratio)}, "
            f"{p.figure.year}, {p.figure.platform_l0} ({p.figure.citation})."
        )
    return " ".join(parts)
