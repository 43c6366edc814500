"""Which rows may stand side by side: a panel for each run and kind of processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nestkit.benchmark.effects import Effect, compare
from nestkit.benchmark.runfile import Run
from nestkit.charts.look import panel_title, workload_title
from nestkit.errors import RunError


@dataclass(frozen=True, slots=True)
class Panel:
    """Rows that may share an axis."""

    run: Run
    emulated: bool
    effects: tuple[Effect, ...]
    base: tuple[Effect, ...]  # the baseline's own rows, perhaps shown in another panel
    number: int = 0  # of the run, from 1 on, where there are several

    @property
    def only_baseline(self) -> bool:
        """True for the panel that shows what the other one refers to."""
        return not any(e.interval for e in self.effects)

    @property
    def baseline(self) -> str:
        """The layer that ratios refer to."""
        return self.effects[0].baseline

    @property
    def title(self) -> str:
        """What runs on what, and all a reader must not overlook."""
        return panel_title(self.run, self.emulated, number=self.number)


def panels_of(runs: Sequence[Run], baseline: str | None) -> list[Panel]:
    """The panels of all runs: emulated layers never stand in one with others.

    Raises
    ------
    RunError
        If there is no run, no such layer, or nothing to compare.
    """
    several = len(runs) > 1
    panels = [
        panel
        for number, run in enumerate(runs, start=1)
        for panel in _of_one(run, baseline, number if several else 0)
    ]
    if not panels:
        raise RunError(
            "there is nothing to compare: no workload was measured in two layers",
            remedy="take a run with at least two layers, `nk.lab.up(depth=2)`, to its end",
        )
    return panels


def not_drawn(panels: Sequence[Panel], runs: int) -> list[str]:
    """What of so many runs has nothing to compare: no run or workload is left out silently."""
    sentences = []
    for number in range(1, runs + 1) if runs > 1 else [0]:
        own = [panel for panel in panels if panel.number == number]
        if not own:
            sentences.append(f"run {number} has nothing to compare")
            continue
        drawn = {e.workload for panel in own for e in panel.effects if e.interval}
        names = [workload_title(name) for name in own[0].run.workloads if name not in drawn]
        of = f"run {number}, " if number else ""
        if names:
            sentences.append(f"{of}nothing to compare with {own[0].baseline}: {'; '.join(names)}")
    return sentences


def _of_one(run: Run, baseline: str | None, number: int) -> list[Panel]:
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
            panels.append(Panel(run, emulated, rows, base, number))
    return panels
