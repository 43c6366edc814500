"""The charts of the explore page: each drawn from the chosen runs, figures and baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from nestkit import charts
from nestkit.benchmark import Published, Run
from nestkit.errors import CourseError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PUBLISHED: Final = "Yours and published"
Draw = Callable[[Sequence[Run], Sequence[Published], str | None], "Figure"]


def _one(runs: Sequence[Run]) -> Run:
    if len(runs) != 1:
        raise CourseError(
            f"this chart shows one run, and {len(runs)} are chosen",
            remedy="choose one run, or the chart of slowdowns or the heat map for several",
        )
    return runs[0]


def _two(runs: Sequence[Run]) -> tuple[Run, Run]:
    if len(runs) != 2:
        raise CourseError(
            f"this chart needs two runs, and {len(runs)} are chosen",
            remedy="choose two: one with nested paging on, one with it off",
        )
    off = [any(f.extra.get("nested_paging") == "off" for f in run.layers) for run in runs]
    return (runs[1], runs[0]) if off == [True, False] else (runs[0], runs[1])


def _published(runs: Sequence[Run], figures: Sequence[Published], baseline: str | None) -> Figure:
    if not figures:
        raise CourseError(
            "no published source is chosen", remedy="choose one in the list of published sources"
        )
    return charts.against_published(_one(runs), figures, outer=baseline or "L1")


# title → how it is drawn
CHARTS: Final[dict[str, Draw]] = {
    "Slowdowns": lambda runs, _figures, base: charts.slowdown(runs, base),
    "Heat map": lambda runs, _figures, base: charts.heat_map(runs, base),
    "What each layer adds": lambda runs, _figures, base: charts.waterfall(_one(runs), base),
    "Nested paging on and off": lambda runs, _figures, base: charts.nested_paging(
        *_two(runs), base
    ),
    "Samples in time order": lambda runs, _figures, _base: charts.time_order(_one(runs)),
    "Throughput and its CPU": lambda runs, _figures, _base: charts.throughput(_one(runs)),
    PUBLISHED: _published,
}


def by_source(figures: Sequence[Published]) -> dict[str, tuple[Published, ...]]:
    """Published figures by what stands in the list of sources: who, when, on what."""
    found: dict[str, list[Published]] = {}
    for figure in figures:
        found.setdefault(figure.label.removeprefix("published: "), []).append(figure)
    return {name: tuple(own) for name, own in found.items()}


def published_frame(figures: Sequence[Published]) -> pd.DataFrame:
    """Published figures as rows that fit below a run's: the citation stands in ``note``."""
    import pandas as pd

    rows = [
        {
            "origin": "published",
            "run_id": f"{figure.source}, {figure.year}",
            "host_cpu": figure.platform_l0,
            "workload": figure.workload,
            "layer": figure.layer,
            "median": figure.value,
            "unit": figure.unit,
            "note": figure.citation,
        }
        for figure in figures
    ]
    names = ["origin", "run_id", "host_cpu", "workload", "layer", "median", "unit", "note"]
    return pd.DataFrame(rows, columns=names).astype({"median": "Float64"})
