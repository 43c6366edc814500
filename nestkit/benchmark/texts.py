"""A run as plain text: the table of every workload and layer, and what must be known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nestkit.benchmark.effects import Effect, compare
from nestkit.benchmark.provenance import contradictions
from nestkit.benchmark.runfile import Run
from nestkit.runners.base import LayerFacts

_LARGER: Final = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs")),
    "bit/s": ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")),
}
HEAD = ("workload", "layer", "median", "slowdown", "interval", "", "flags")


def format_ratio(value: float) -> str:
    """A ratio in three digits: ``1.06×``, ``32×``, ``1,329×``."""
    return f"{value:,.0f}×" if value >= 100 else f"{value:.3g}×"


def format_value(effect: Effect) -> str:
    """The median of the absolute values with its unit; – where there is none."""
    return "–" if effect.median is None else format_amount(effect.median, effect.unit)


def format_amount(value: float, unit: str) -> str:
    """A value with its unit, times and bit rates in a unit that fits: ``1.5 µs``, ``9,158/s``."""
    if unit == "1/s":
        return f"{value:,.0f}/s" if value >= 100 else f"{value:.3g}/s"
    for factor, larger in _LARGER.get(unit, ()):
        if value >= factor:
            return f"{value / factor:.3g} {larger}"
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def as_text(run: Run, baseline: str | None = None) -> str:
    """The summary as a table, the layers, and the run's notes."""
    effects = compare(run, baseline)
    rows = [HEAD, *(row_of(effect) for effect in effects)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    table = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(
        [
            headline(run, effects),
            *(line.rstrip() for line in table),
            *lines_below(run, effects),
            *(f"! {note}" for note in warnings_of(run, effects)),
        ]
    )


def headline(run: Run, effects: Sequence[Effect]) -> str:
    """Suite, rounds, how it ended, where it comes from, and what is compared with what."""
    base = effects[0].baseline if effects else run.default_baseline
    return f"{run.suite} · {run.rounds} rounds · {run.status} · {run.origin} · baseline {base}"


def lines_below(run: Run, effects: Sequence[Effect]) -> list[str]:
    """What the columns mean, what the layers are, and the memory they take."""
    reached = next((e.coverage for e in effects if e.coverage is not None), None)
    lines = [_layer(facts) for facts in run.layers]
    if reached is not None:
        lines.insert(
            0, f"slowdown: median of paired ratios of time per operation; {reached:.1%} interval"
        )
    return lines + [
        f"{memory['layer']}: takes {memory['resident_mib']:.0f} MiB outside, "
        f"{memory['usable_mib']} MiB usable inside"
        for memory in run.provenance.get("memory", ())
    ]


def warnings_of(run: Run, effects: Sequence[Effect]) -> list[str]:
    """What speaks against the figures: of the whole run, of its layers, of single rows."""
    layers: dict[tuple[str, str], list[str]] = {}  # that a note of a workload is of
    for effect in effects:
        for note in _notes(effect):
            layers.setdefault((effect.workload, note), []).append(effect.layer)
    rows = [f"{work} in {', '.join(names)}: {note}" for (work, note), names in layers.items()]
    return list(dict.fromkeys([*contradictions(run.layers), *run.notes, *rows]))


def row_of(effect: Effect) -> tuple[str, ...]:
    """The cells of one workload and layer."""
    interval = effect.interval
    return (
        effect.workload,
        effect.layer,
        format_value(effect),
        format_ratio(interval.median) if interval else "",
        f"{format_ratio(interval.low)} – {format_ratio(interval.high)}" if interval else "",
        effect.verdict,
        f"{effect.flagged} flagged" if effect.flagged else "",
    )


def _notes(effect: Effect) -> list[str]:
    return [note for note in effect.note.split("; ") if note and note != "emulated (TCG)"]


def _layer(facts: LayerFacts) -> str:
    emulated = ", emulated" if facts.emulated else ""
    return f"{facts.layer}: {facts.stack} (acceleration {facts.acceleration}{emulated})"
