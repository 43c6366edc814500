"""Runs as figures, each with an alternative text made from its data.

Colours are ``okabe_ito`` (colour-blind-safe), the marker's shape says the layer a second time.
What is emulated, recorded, practice or published says so in the figure itself, and emulated
layers never share an axis with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log2
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from nestkit.benchmark.effects import Effect, compare
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.texts import format_ratio, format_value
from nestkit.benchmark.workloads import WORKLOADS
from nestkit.errors import RunError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WIDTH_IN: Final = 7.0  # a notebook's column
_MARKERS: Final = ("o", "s", "D", "^", "v", "P")
_EMULATED: Final = "emulated (TCG): not evidence for hardware"
_ORIGINS: Final = {
    "measured": "",
    "recorded": "recorded, not measured here",
    "practice": "practice data, not a real host",
    "published": "published by others",
}
_ALT: Final = "nestkit-alt-text"
_LEFT_OUT: Final = {"#000000", "#f0e442"}
_TITLE_WIDTH: Final = 72  # letters that fit above a panel
_BASELINE: Final = "#555555"
_SURE: Final = ("slower", "faster")


@dataclass(frozen=True, slots=True)
class _Panel:
    """Rows that may share an axis."""

    run: Run
    emulated: bool
    effects: tuple[Effect, ...]
    base: tuple[Effect, ...]  # the baseline's own rows, perhaps shown in another panel

    @property
    def only_baseline(self) -> bool:
        """True for the panel that shows what the other one refers to."""
        return not any(e.interval for e in self.effects)

    @property
    def baseline(self) -> str:
        return self.effects[0].baseline

    @property
    def title(self) -> str:
        """First what runs on what, then all a reader must not overlook."""
        own = [f for f in self.run.layers if f.emulated == self.emulated]
        stack = max(own, key=lambda f: f.depth).stack
        labels = [_origin(self.run)]
        if self.emulated:
            labels.append(_EMULATED)
        elif self.run.emulated:
            stack = "This machine, not emulated"
        if self.run.too_noisy:
            labels.append("the machine was too noisy")
        if self.run.status != "complete":
            labels.append(f"incomplete: {self.run.status}")
        lines = wrap(" · ".join(filter(None, labels)), _TITLE_WIDTH)
        return "\n".join(filter(None, [stack, *lines]))


def _origin(run: Run) -> str:
    label = _ORIGINS[run.origin]
    if run.origin == "recorded":
        date = str(run.provenance.get("date_utc", ""))[:10]
        cpu = run.provenance.get("host_cpu", "")
        label = " ".join(filter(None, ["recorded", date, f"on {cpu}" if cpu else ""]))
        label += ", not measured here"
    return label


def _panels(run: Run, baseline: str | None) -> list[_Panel]:
    effects = compare(run, baseline)
    base = tuple(e for e in effects if e.verdict == "baseline")
    panels = []
    for emulated in (False, True):
        rows = tuple(
            e
            for e in effects
            if e.emulated == emulated and (e.interval is not None or e.verdict == "baseline")
        )
        # a panel needs something to compare, or the baseline the other panel refers to
        if any(e.interval for e in rows) or (baseline is not None and rows):
            panels.append(_Panel(run, emulated, rows, base))
    return panels


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
    from matplotlib.figure import Figure

    runs = [run_or_runs] if isinstance(run_or_runs, Run) else list(run_or_runs)
    panels = [panel for run in runs for panel in _panels(run, baseline)]
    if not panels:
        raise RunError(
            "there is nothing to compare: no workload was measured in two layers",
            remedy="take a run with at least two layers, `nk.lab.up(depth=2)`, to its end",
        )
    heights = [0.8 + 0.62 * len({e.workload for e in panel.effects}) for panel in panels]
    figure = Figure(figsize=(WIDTH_IN, sum(heights) + 1.0), layout="constrained", dpi=110)
    grid = figure.subplots(
        len(panels), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    limits = _limits(panels)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        _draw(axes, panel, limits)
    bases = " and ".join(dict.fromkeys(panel.baseline for panel in panels))
    grid[-1, 0].set_xlabel(f"slowdown against {bases} (time per operation, log₂ axis)")
    figure.suptitle("What each layer costs", fontsize=12, fontweight="bold")
    figure.legend(
        handles=_legend(panels), fontsize=8, frameon=False, loc="outside lower center", ncols=5
    )
    figure.set_gid(_ALT)
    figure.set_label(_describe(panels))
    return figure


def _limits(panels: Sequence[_Panel]) -> tuple[float, float]:
    ends = [1.0]
    for panel in panels:
        for effect in panel.effects:
            if effect.interval:
                ends += [effect.interval.low, effect.interval.high]
    return 2.0 ** (floor(log2(min(ends)) - 0.3)), 2.0 ** (ceil(log2(max(ends)) + 0.5))


def _colours() -> list[str]:
    from matplotlib import color_sequences
    from matplotlib.colors import to_hex

    # black and yellow are left out: the one is the text's, the other vanishes on white
    return [to_hex(c) for c in color_sequences["okabe_ito"] if to_hex(c) not in _LEFT_OUT]


def _style(effect: Effect) -> dict[str, Any]:
    """Colour and shape of a layer, the same in every panel; hollow where nothing is shown."""
    colours = _colours()
    colour = colours[effect.depth % len(colours)]
    sure = effect.interval is None or effect.verdict in _SURE
    return {
        "color": colour,
        "marker": _MARKERS[effect.depth % len(_MARKERS)],
        "markerfacecolor": colour if sure else "white",
        "markersize": 6,
    }


def _draw(axes: Axes, panel: _Panel, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

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
    axes.axvline(1.0, color=_BASELINE, linewidth=1.2, zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_xlim(*limits)
    span = log2(limits[1] / limits[0])
    axes.xaxis.set_major_locator(LogLocator(base=2.0 ** max(1, ceil(span / 8))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    base = {e.workload: e for e in panel.base}
    labels = [
        f"{_title(w)}\n{panel.baseline}: {format_value(base[w])}" if w in base else _title(w)
        for w in workloads
    ]
    axes.set_yticks(range(len(workloads)), labels, fontsize=9)
    axes.set_ylim(len(workloads) - 0.45, -0.55)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(panel.title, fontsize=9, loc="left", color="#333333")


def _tick(value: float, _position: int) -> str:
    return f"{value:,g}×" if value >= 1 else f"1/{1 / value:,g}×"


def _legend(panels: Sequence[_Panel]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=_BASELINE, linewidth=1.2, label="baseline")]
    drawn = [e for p in panels for e in p.effects if e.interval or p.only_baseline]
    by_layer = {e.layer: e for e in sorted(drawn, key=lambda e: e.depth)}
    for name, effect in by_layer.items():
        style = _style(effect) | {"markerfacecolor": _style(effect)["color"]}
        handles.append(Line2D([], [], linewidth=1.8, label=name, **style))
    if any(e.interval and e.verdict not in _SURE for e in drawn):
        hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "linestyle": "none"}
        handles.append(
            Line2D([], [], color=_BASELINE, label="hollow: no measurable difference", **hollow)
        )
    return handles


def _title(workload: str) -> str:
    known = WORKLOADS.get(workload)
    return known.title if known else workload


def _describe(panels: Sequence[_Panel]) -> str:
    parts = [
        "Dots and intervals of the slowdown per workload on a logarithmic axis; 1 is the baseline."
    ]
    for panel in panels:
        parts.append(f"{'; '.join(panel.title.splitlines())}.")
        for effect in panel.effects:
            what = f"{_title(effect.workload)}, {effect.layer}"
            i = effect.interval
            if i is None:
                parts.append(f"{what} is the baseline: {format_value(effect)}.")
                continue
            span = f"{format_ratio(i.low)} to {format_ratio(i.high)}, {i.n} rounds"
            text = (
                f"{what} against {effect.baseline}: {format_ratio(i.median)} ({span}), "
                f"{format_value(effect)}"
            )
            parts.append(f"{text}." if effect.verdict in _SURE else f"{text}, {effect.verdict}.")
    return " ".join(part for part in parts if part)


def alt_text(figure: Figure) -> str:
    """The alternative text of a figure made here.

    Raises
    ------
    RunError
        If the figure was made elsewhere.
    """
    if figure.get_gid() != _ALT:
        raise RunError(
            "this figure has no alternative text",
            remedy="pass a figure made by nestkit.charts, such as charts.slowdown(run)",
        )
    return str(figure.get_label())


def show(figure: Figure) -> None:
    """Display a figure in a notebook, with its alternative text."""
    from IPython.display import display

    display(figure, metadata={"image/png": {"alt": alt_text(figure)}})  # type: ignore[no-untyped-call]
