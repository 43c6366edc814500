"""What a mix of work costs in an inner layer, by a run; and the planner's picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nestkit.benchmark import Run
from nestkit.benchmark.effects import compare
from nestkit.course import markup
from nestkit.course.drawing import EDGE, FILLS, STOP
from nestkit.course.measure import recorded_run
from nestkit.pictures import Picture

_WORDS: Final = {"arithmetic": "computing", "exit": "exits", "disk-read": "disk requests"}


@dataclass(frozen=True, slots=True, repr=False)
class Cost:
    """Time that a mix of work takes in a layer, as a multiple of the baseline's.

    ``ratio``, ``low`` and ``high`` are None where the run does not tell; ``note`` says why.
    """

    layer: str
    baseline: str
    ratio: float | None
    low: float | None
    high: float | None
    emulated: bool
    origin: str
    parts: tuple[tuple[str, float, float], ...]  # workload, share in %, slowdown
    note: str

    def __str__(self) -> str:
        if self.ratio is None or self.low is None or self.high is None:
            return f"The cost in {self.layer} is not known: {self.note}."
        parts = ", ".join(
            f"{share:g} % {_WORDS[name]} at {_times(times)}" for name, share, times in self.parts
        )
        label = f"{self.origin} run, emulated" if self.emulated else f"{self.origin} run"
        return (
            f"This mix takes {_times(self.ratio)} as long in {self.layer} as in {self.baseline} "
            f"({_times(self.low)} to {_times(self.high)}; {label}): {parts}. {self.note}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return markup.notice("note", "What it costs inside", str(self))


def _times(value: float) -> str:
    return f"{value:,.0f}×" if value >= 100 else f"{value:.3g}×"


def cost_of(shares: Mapping[str, float], layers: int, run: Run | None = None) -> Cost:
    """What a mix costs in layer ``L<layers>`` of a run.

    Each slowdown counts by the share of the time that its kind of work takes in the baseline.
    The interval adds up the parts' bounds, so it is wider rather than narrower than the truth.

    Parameters
    ----------
    shares
        Workload → share of the time in the baseline, in %.
    layers
        The depth of the layer.
    run
        The run; by default the recorded lab of that depth.
    """
    chosen = recorded_run(layers) if run is None else run
    layer = f"L{layers}"
    facts = {each.layer: each for each in chosen.layers}
    baseline = chosen.default_baseline

    def unknown(why: str) -> Cost:
        return Cost(layer, baseline, None, None, None, chosen.emulated, chosen.origin, (), why)

    if layer not in facts:
        return unknown(f"the run has {', '.join(facts)} only")
    effects = {e.workload: e for e in compare(chosen) if e.layer == layer}
    parts, low, high = [], 0.0, 0.0
    for name, share in shares.items():
        if not share:
            continue
        effect = effects.get(name)
        if effect is None or effect.interval is None:
            return unknown(f"the run has no slowdown of {_WORDS[name]} there")
        if effect.verdict == "a cache answers":
            return unknown(f"a cache answered the {_WORDS[name]} of the run")
        parts.append((name, share, effect.interval.median))
        low += share / 100 * effect.interval.low
        high += share / 100 * effect.interval.high
    note = (
        "Emulated layers show which work suffers, and not how much it would on hardware."
        if facts[layer].emulated
        else "It holds for the machine of that run."
    )
    ratio = sum(share / 100 * times for _, share, times in parts)
    return Cost(
        layer, baseline, ratio, low, high, facts[layer].emulated, chosen.origin, tuple(parts), note
    )


def drawn(bars: Sequence[tuple[str, float, str]], verdict: str) -> Picture:
    """Bars of name, percentage and words; what is over 100 % is hatched, and says so."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 0.6 + 0.5 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    right = max(115.0, *(min(pct, 300.0) * 1.05 for _, pct, _ in bars))
    for place, (_, pct, words) in enumerate(reversed(bars)):
        over = pct > 100
        axes.barh(place, min(pct, right), height=0.6, color=FILLS[1] if over else FILLS[0],
                  edgecolor=STOP if over else EDGE, hatch="//" if over else "")  # fmt: skip
        axes.text(1.5, place, f"{pct:.0f} %: {words}", va="center", size=10,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip
    axes.axvline(100, color=EDGE, linestyle="--")
    axes.set_yticks(range(len(bars)), [name for name, _, _ in reversed(bars)])
    axes.set_xlim(0, right)
    axes.set_xlabel("% of what is there")
    axes.spines[["top", "right"]].set_visible(False)
    told = "; ".join(f"{name} {pct:.0f} % ({words})" for name, pct, words in bars)
    return Picture(figure, f"Bars of how much is taken of what is there: {told}. {verdict}")
