"""The checks of lesson 06: the rows that count, overheads within 1 %, what nested paging saves."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

from nestkit.course.checks import Unreadable, Verdict, exercise, not_right, passed

if TYPE_CHECKING:
    from nestkit.benchmark import Run

_TOLERANCE: Final = 0.01 + 1e-9  # 1 %, and what a division may round


@exercise("06.rows")
def _rows(run: Run, rows: Any, *, workload: str, layers: Collection[str]) -> Verdict:
    wanted = run.to_frame()
    wanted = wanted[
        (wanted["workload"] == workload)
        & wanted["layer"].isin(list(layers))
        & ~wanted["warmup"]
        & wanted["valid"]
    ]
    for column in ("workload", "layer", "warmup", "order"):
        if column not in getattr(rows, "columns", ()):
            return not_right(
                "This is not a part of run.to_frame().",
                f"keep its columns; {column} is missing: filter rows, not columns",
            )
    hints = []
    if bool(rows["warmup"].any()):
        hints.append("warm-up rows are kept in the file but do not count: leave them out")
    if strange := sorted(set(rows["workload"]) - {workload}):
        hints.append(f"only the workload {workload!r} is asked for, not {', '.join(strange)}")
    if strange := sorted(set(rows["layer"]) - set(layers)):
        hints.append(f"the layers {', '.join(layers)} are compared, not {', '.join(strange)}")
    if lost := len(set(wanted["order"]) - set(rows["order"])):
        hints.append(f"{lost} rows that count are missing")
    if hints or len(rows) != len(wanted):
        return not_right(
            f"You have {len(rows)} rows, {len(wanted)} count.",
            *(hints or ["some rows stand in it twice, or are not valid"]),
        )
    return passed(f"{len(rows)} rows: those that count, and no others.")


def _one_number(answer: Any) -> float:
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise Unreadable(
            f"The answer is of type {type(answer).__name__}, and not one number.",
            remedy="a ratio a round is the way there: the answer is their median, .median()",
        ) from None


@exercise("06.third-layer")
@exercise("06.overhead")
def _overhead(run: Run, answer: float, *, workload: str, layer: str, baseline: str) -> Verdict:
    from nestkit.benchmark.effects import find_effect

    effect = find_effect(run, workload, layer, baseline)
    true = effect.ratio
    if true is None:
        return not_right(f"The run has no ratio of {workload} in {layer}: {effect.verdict}.")
    value = _one_number(answer)
    if not math.isfinite(value) or value <= 0:
        return not_right(f"{value} is no ratio of two times.", "both times are above 0")
    if abs(value / true - 1) <= _TOLERANCE:
        return passed(f"{value:.2f}: within 1 % of the paired median of {effect.n} rounds.")
    for other in (each.layer for each in run.layers):
        against = find_effect(run, workload, layer, other).ratio if other != layer else None
        if against is not None and abs(value / against - 1) <= _TOLERANCE:
            return not_right(
                f"{value:.4g} is {layer} against {other}.", f"divide by {baseline}, round by round"
            )
    for guess, hint in (
        (1 / true, "that is the outer layer over the inner one: turn the fraction round"),
        (true - 1, "that is what is added; the ratio asked for is 1 more"),
        ((true - 1) * 100, "that is per cent added; the ratio is 1 + per cent / 100"),
        (true * 100, "that is per cent; divide by 100"),
    ):
        if abs(value / guess - 1) <= _TOLERANCE:
            return not_right(f"{value:.4g} is not the ratio.", hint)
    return not_right(
        f"{value:.4g} is more than 1 % off.",
        "pair the rounds: divide the two values of each round, then take the median of these",
        "leave the warm-up rows out, and take the time per operation of one workload only",
    )


def _names(answer: Any) -> set[str]:
    """Names in a list, a set, a series, or a text with commas."""
    given = answer.split(",") if isinstance(answer, str) else answer
    flat = isinstance(given, Iterable) and getattr(given, "ndim", 1) == 1
    names: list[Any] = list(given) if flat else [None]
    if not all(isinstance(name, str) for name in names):
        raise Unreadable(
            f"The answer is of type {type(answer).__name__}, and not a list of workloads.",
            remedy='write their names, as the column workload has them: ["arithmetic", …]',
        )
    return {name.strip() for name in names if name.strip()}


@exercise("06.paging")
def _paging(on: Run, off: Run, answer: Collection[str], *, layer: str) -> Verdict:
    from nestkit.benchmark import WORKLOADS, find_effect
    from nestkit.benchmark.statistics import CONFIDENCE

    given = _names(answer)
    shared = [name for name in on.workloads if name in off.workloads]
    known = {name: name for name in shared}
    known |= {WORKLOADS[name].title.lower(): name for name in shared if name in WORKLOADS}
    chosen = {known.get(name.lower(), name) for name in given}
    if strange := sorted(name for name in chosen if name not in shared):
        return not_right(
            f"{', '.join(strange)}: no workload of both runs.", f"choose from {', '.join(shared)}"
        )
    sure = set()
    for name in shared:
        first, second = (find_effect(run, name, layer).interval for run in (on, off))
        if first is None or second is None:
            continue
        enough = min(first.coverage, second.coverage) >= CONFIDENCE
        if enough and first.disjoint(second):
            sure.add(name)
    hints = [
        f"{name}: the two intervals overlap, so nothing may be claimed"
        for name in sorted(chosen - sure)
    ]
    if missing := sorted(sure - chosen):
        hints.append(f"{len(missing)} more: look for intervals without a common value")
    if hints:
        return not_right(f"{len(chosen & sure)} of {len(sure)} found.", *hints)
    if not sure:
        return passed("None, and that is what these two runs allow to say.")
    return passed(f"{', '.join(sorted(sure))}: here the intervals have no value in common.")
