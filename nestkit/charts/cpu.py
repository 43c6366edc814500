"""Chart 6: throughput with the CPU that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nestkit.benchmark.runfile import Run
from nestkit.benchmark.statistics import Interval, median_interval
from nestkit.benchmark.texts import format_amount
from nestkit.charts.look import (
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


@dataclass(frozen=True, slots=True)
class _Row:
    """One layer: how much was done, and the CPU it took."""

    layer: LayerFacts
    done: Interval
    unit: str
    cpu: Interval


def throughput(run: Run, *, workloads: Sequence[str] | None = None) -> Figure:
    """Throughput per layer, and beside it the CPU taken: half the speed at full CPU is worse.

    Emulated layers have panels of their own.

    Parameters
    ----------
    run
        What was measured.
    workloads
        Those to draw; all that have both where none are given.

    Raises
    ------
    RunError
        If no workload has both a throughput and a figure for its CPU.
    """
    wanted = run.workloads if workloads is None else workloads
    panels = [
        (emulated, name, rows)
        for emulated in (False, True)
        for name in wanted
        if (rows := _rows(run, name, emulated))
    ]
    if not panels:
        raise RunError(
            "no workload here has a throughput with a figure for the CPU it took",
            remedy="take a run with a disk or network workload: their tools say how much CPU "
            "they used",
        )
    heights = [0.75 + 0.3 * len(rows) for _, _, rows in panels]
    kinds = len({emulated for emulated, _, _ in panels})
    figure = new_figure(sum(heights) + 0.6 + 0.55 * kinds, "Throughput and its CPU")
    grid = figure.subplots(
        len(panels),
        2,
        squeeze=False,
        gridspec_kw={"height_ratios": heights, "width_ratios": (3, 2)},
    )
    texts = ["Throughput per layer, and beside it the CPU taken."]
    titled: set[bool] = set()
    for (left, right), (emulated, name, rows) in zip(grid, panels, strict=True):
        title = workload_title(name)
        if emulated not in titled:
            titled.add(emulated)
            head = panel_title(run, emulated)
            texts.append(f"{in_one_line(head)}.")
            title = f"{head}\n\n{title}"
        _draw(left, right, rows)
        plain(left, title, grid="x")
        plain(right, "", grid="x")
        texts.append(_sentence(name, rows))
    return with_text(figure, " ".join(texts))


def _rows(run: Run, workload: str, emulated: bool) -> list[_Row]:
    rows = []
    for layer in sorted(run.layers, key=lambda f: f.depth):
        if layer.emulated != emulated:
            continue
        samples = [
            s
            for s in run.counted
            if (s.workload, s.layer, s.direction) == (workload, layer.layer, "higher") and s.valid
        ]
        cpu = [s.cpu_percent for s in samples if s.cpu_percent is not None]
        if cpu:
            done = median_interval([s.value for s in samples])
            rows.append(_Row(layer, done, samples[0].unit, median_interval(cpu)))
    return rows


def _draw(left: Axes, right: Axes, rows: Sequence[_Row]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for y, row in enumerate(rows):
        for axes, interval, words in (
            (left, row.done, format_amount(row.done.median, row.unit)),
            (right, row.cpu, f"{row.cpu.median:.0f} %"),
        ):
            style: dict[str, Any] = layer_style(row.layer.depth)
            axes.errorbar(
                [interval.median], [y],
                xerr=[[interval.median - interval.low], [interval.high - interval.median]],
                capsize=4, elinewidth=1.8, **style,
            )  # fmt: skip
            axes.annotate(
                words, (interval.high, y), xytext=(8, 0), textcoords="offset points",
                va="center", fontsize=8.5,
            )  # fmt: skip
    left.set_xlim(0, 1.4 * max(row.done.high for row in rows))
    right.set_xlim(0, max(130.0, 1.35 * max(row.cpu.high for row in rows)))
    for axes in (left, right):
        axes.set_ylim(len(rows) - 0.45, -0.55)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="x", labelsize=8)
    left.set_yticks(range(len(rows)), [row.layer.layer for row in rows], fontsize=9)
    right.set_yticks(range(len(rows)), [""] * len(rows))
    scale, unit = (1e6, "Mbit/s") if rows[0].unit == "bit/s" else (1.0, rows[0].unit)
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / scale:,.10g}"))
    left.set_xlabel("operations per second" if unit == "1/s" else unit, fontsize=8.5)
    right.set_xlabel("% of one CPU, in that layer", fontsize=8.5)


def _sentence(workload: str, rows: Sequence[_Row]) -> str:
    shown = [
        f"{r.layer.layer} {format_amount(r.done.median, r.unit)} "
        f"with {r.cpu.median:.0f} % of one CPU"
        for r in rows
    ]
    return f"{workload_title(workload)}: {', '.join(shown)}."
