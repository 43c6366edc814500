"""Chart 4: nested paging (EPT, RVI) on against off, from two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log2
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from nestkit.benchmark.effects import Effect, compare
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.statistics import CONFIDENCE, Interval
from nestkit.benchmark.texts import format_ratio, format_value
from nestkit.charts.look import (
    BASELINE,
    colours,
    in_one_line,
    log2_axis,
    new_figure,
    origin_label,
    panel_title,
    plain,
    was_noisy,
    with_text,
    workload_title,
)
from nestkit.errors import RunError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACT: Final = "nested_paging"  # the layers' extra fact that says "on" or "off"
_TITLE_WIDTH: Final = 60  # the labels beside the axes are long
_TAKE: Final = "take one run in `nk.lab.up(depth=2)` and one in `nk.lab.up(depth=2, npt=False)`"


@dataclass(frozen=True, slots=True)
class _Pair:
    """One workload in one layer, in both runs."""

    on: Effect
    off: Effect
    on_interval: Interval
    off_interval: Interval

    @property
    def times(self) -> float:
        """The slowdown without nested paging over that with it."""
        return self.off_interval.median / self.on_interval.median

    @property
    def sure(self) -> bool:
        """True when the two intervals have no value in common: the runs share no rounds."""
        return self.enough and self.on_interval.disjoint(self.off_interval)

    @property
    def enough(self) -> bool:
        """True when both have the rounds that the confidence needs."""
        return min(self.on_interval.coverage, self.off_interval.coverage) >= CONFIDENCE

    @property
    def words(self) -> str:
        """What switching it off does."""
        if not self.enough:
            return "too few rounds"
        if not self.sure:
            return "no measurable difference"
        return f"{format_ratio(self.times)} the slowdown when off"


def nested_paging(on: Run, off: Run, baseline: str | None = None) -> Figure:
    """The slowdown of inner layers with nested paging on (filled) and off (hollow).

    Each run is compared with its own baseline, round by round; the two runs share no rounds, so
    a difference between them is claimed only where the intervals have no value in common.

    Raises
    ------
    RunError
        If the runs do not say that nested paging was on and off, if one is emulated and the
        other is not, or if they have no workload and layer in common.
    """
    _check(on, off)
    first = {(e.workload, e.layer): e for e in compare(on, baseline)}
    pairs = [
        _Pair(mine, e, mine.interval, e.interval)
        for e in compare(off, baseline)
        if (mine := first.get((e.workload, e.layer))) is not None
        and mine.interval is not None
        and e.interval is not None
        and off.facts(e.layer).extra.get(FACT) == "off"
    ]
    if not pairs:
        raise RunError(
            "the two runs have no workload in common in a layer without nested paging",
            remedy=f"{_TAKE}, with the same suite",
        )
    title = _title(on, off, pairs[0].on.emulated)
    height = 0.75 * len(pairs) + 1.7 + 0.16 * title.count("\n")
    figure = new_figure(height, "Nested paging on and off")
    axes = figure.subplots()
    _draw(axes, pairs, title)
    base = f"slowdown against {pairs[0].on.baseline} of the same run (log₂ axis)"
    axes.set_xlabel(base, fontsize=9.5)
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    return with_text(figure, _describe(title, pairs))


def _check(on: Run, off: Run) -> None:
    said_on, said_off = _said(on), _said(off)
    if "off" in said_on or "off" not in said_off:
        swapped = "off" in said_on and "off" not in said_off
        raise RunError(
            "the runs are the wrong way round: the first has nested paging off"
            if swapped
            else "these runs are not one with nested paging on and one with it off",
            remedy="call nested_paging(on, off)" if swapped else _TAKE,
        )
    if on.emulated != off.emulated:
        raise RunError(
            "one run is emulated (TCG) and the other is not: they share no axis",
            remedy=_TAKE + ", both on the same machine",
        )


def _said(run: Run) -> set[str]:
    return {f.extra[FACT] for f in run.layers if FACT in f.extra}


def _title(on: Run, off: Run, emulated: bool) -> str:
    """As of one run; where the two differ, both."""
    lines = [panel_title(on, emulated, width=_TITLE_WIDTH)]
    if "on" not in _said(on):
        lines.append("on: the run itself does not say so")
    cpus = [str(run.provenance.get("host_cpu", "")) for run in (on, off)]
    if cpus[0] != cpus[1]:
        names = [cpu or "unknown" for cpu in cpus]
        lines.append(f"two machines: on {names[0]}, off {names[1]}")
    if origin_label(off) != origin_label(on):
        lines.append(f"off: {origin_label(off) or 'measured here'}")
    if was_noisy(off) and not was_noisy(on):
        lines.append("off: the machine was too noisy")
    if off.status != "complete":
        lines.append(f"off, incomplete: {off.status}")
    return " ·\n".join([lines[0], *("\n".join(wrap(x, _TITLE_WIDTH)) for x in lines[1:])])


def _draw(axes: Axes, pairs: Sequence[_Pair], title: str) -> None:
    blue, red = colours()[1], colours()[4]
    styles = (("on", blue, "o", blue), ("off", red, "s", "white"))
    ends = [1.0]
    for y, pair in enumerate(pairs):
        for (name, colour, marker, face), effect, interval, shift in zip(
            styles,
            (pair.on, pair.off),
            (pair.on_interval, pair.off_interval),
            (-0.17, 0.17),
            strict=True,
        ):
            ends += [interval.low, interval.high]
            axes.errorbar(
                [interval.median], [y + shift],
                xerr=[[interval.median - interval.low], [interval.high - interval.median]],
                capsize=4, elinewidth=1.8, color=colour, marker=marker, markerfacecolor=face,
                linestyle="none", label=f"nested paging {name}" if y == 0 else None,
            )  # fmt: skip
            axes.annotate(
                f"{format_ratio(interval.median)} ({format_value(effect)})",
                (interval.high, y + shift), xytext=(8, 0), textcoords="offset points",
                va="center", fontsize=8.5,
            )  # fmt: skip
    axes.axvline(1.0, color=BASELINE, linewidth=1.2, zorder=0, label="baseline")
    low, high = 2.0 ** floor(log2(min(ends)) - 0.3), 2.0 ** ceil(log2(max(ends)) + 0.5)
    # room for the numbers, which stand to the right of the last interval
    log2_axis(axes, low, high * (high / low) ** 0.25)
    labels = [f"{workload_title(p.on.workload)}, {p.on.layer}\n{p.words}" for p in pairs]
    axes.set_yticks(range(len(pairs)), labels, fontsize=8.5)
    axes.set_ylim(len(pairs) - 0.45, -0.55)
    plain(axes, title, grid="x")


def _describe(title: str, pairs: Sequence[_Pair]) -> str:
    parts = [
        "Slowdown with nested paging on and off, each against the baseline of its own run.",
        f"{in_one_line(title)}.",
    ]
    for pair in pairs:
        shown = [
            f"{name} {format_ratio(i.median)} ({format_ratio(i.low)} to {format_ratio(i.high)})"
            for name, i in (("on", pair.on_interval), ("off", pair.off_interval))
        ]
        what = f"{workload_title(pair.on.workload)}, {pair.on.layer}"
        parts.append(f"{what}: {', '.join(shown)}; {pair.words}.")
    return " ".join(parts)
