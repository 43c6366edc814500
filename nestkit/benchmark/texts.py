"""A run as plain text: the table of every workload and layer, and what must be known of it."""

from __future__ import annotations

from nestkit.benchmark.effects import Effect, compare
from nestkit.benchmark.runfile import Run
from nestkit.runners.base import LayerFacts

_HEAD = ("workload", "layer", "median", "slowdown", "interval", "", "flags")


def format_ratio(value: float) -> str:
    """A ratio in three digits: ``1.06×``, ``32×``, ``1,329×``."""
    return f"{value:,.0f}×" if value >= 100 else f"{value:.3g}×"


def format_value(effect: Effect) -> str:
    """The median of the absolute values with its unit, times in a unit that fits."""
    value = effect.median
    if value is None:
        return "–"
    if effect.unit == "1/s":
        return f"{value:,.0f}/s" if value >= 100 else f"{value:.3g}/s"
    if effect.unit == "ns":
        for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
            if value >= factor:
                return f"{value / factor:.3g} {unit}"
    return f"{value:,.0f} {effect.unit}" if value >= 1000 else f"{value:.3g} {effect.unit}"


def as_text(run: Run, baseline: str | None = None) -> str:
    """The summary as a table, the layers, and the run's notes."""
    effects = compare(run, baseline)
    rows = [_HEAD, *(_row(effect) for effect in effects)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    table = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    reached = next((e.coverage for e in effects if e.coverage is not None), None)
    base = effects[0].baseline if effects else run.default_baseline
    head = f"{run.suite} · {run.rounds} rounds · {run.status} · {run.origin} · baseline {base}"
    lines = [head, *(line.rstrip() for line in table)]
    if reached is not None:
        lines.append(
            f"slowdown: median of paired ratios of time per operation; {reached:.1%} interval"
        )
    lines += [_layer(facts) for facts in run.layers]
    lines += [
        f"{memory['layer']}: takes {memory['resident_mib']:.0f} MiB outside, "
        f"{memory['usable_mib']} MiB usable inside"
        for memory in run.provenance.get("memory", ())
    ]
    notes = dict.fromkeys(
        [*run.notes, *(f"{e.workload} in {e.layer}: {n}" for e in effects for n in _notes(e))]
    )
    lines += [f"! {note}" for note in notes]
    return "\n".join(lines)


def _row(effect: Effect) -> tuple[str, ...]:
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
