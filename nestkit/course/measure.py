"""Boot the lab and measure it, or play a recorded lab back: what the form of lesson 06 runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from nestkit.course.runs import keep_run
from nestkit.errors import CourseError, NestkitError
from nestkit.resources import data_path

if TYPE_CHECKING:
    from pathlib import Path

    from nestkit.benchmark import Run

# depth and nested paging → the recorded run that comes with nestkit
_RECORDED: Final = {
    (2, True): "lab-depth2-tcg",
    (3, True): "lab-depth3-tcg",
    (2, False): "lab-depth2-tcg-npt-off",
}


def _recorded(depth: int, nested_paging: bool, suffix: str) -> Path:
    name = _RECORDED.get((depth, nested_paging))
    if name is None:
        there = ", ".join(
            f"depth {d} with nested paging {'on' if on else 'off'}" for d, on in _RECORDED
        )
        raise CourseError(
            f"no lab of depth {depth} with nested paging {'on' if nested_paging else 'off'} "
            "was recorded",
            remedy=f"choose this machine instead of replay, or one of: {there}",
        )
    return data_path("runs", f"{name}{suffix}")


def recorded_run(depth: int = 2, *, nested_paging: bool = True) -> Run:
    """A recorded run that comes with nestkit.

    Raises
    ------
    CourseError
        If there is none of that depth, with nested paging so.
    """
    from nestkit.benchmark import Run

    return Run.load(_recorded(depth, nested_paging, ".json"))


def measure_lab(
    *,
    source: Literal["replay", "this machine"],
    depth: Literal[1, 2, 3],
    nested_paging: bool = True,
    suite: Literal["quick", "full"] = "quick",
    progress: Callable[..., None] | None = None,
    cancel: threading.Event | None = None,
) -> Run:
    """Measure what each layer of a lab costs.

    "replay" plays a recorded lab back: every word its tools said goes through the same parsers
    and rules again, in seconds. "this machine" boots ``depth`` virtual machines one inside the
    other, measures each and powers them off, in minutes, and keeps the run for the explore page;
    for the rest it is short for
    ``with nk.lab.up(depth=depth, npt=nested_paging) as lab: nk.benchmark.run(lab.layers, suite)``.

    Raises
    ------
    CourseError
        If no such lab was recorded.
    LabError
        If the lab cannot be built or booted here.
    RunError
        If a workload fails.
    """
    from nestkit import benchmark, lab

    stop = cancel.is_set if cancel else None
    if source == "replay":
        if suite != "quick":
            raise CourseError(
                f"the recorded labs ran the suite quick, not {suite}",
                remedy="choose the suite quick, or this machine instead of replay",
            )
        path = _recorded(depth, nested_paging, ".replay.json.gz")
        return benchmark.replay(path, progress=progress, cancel=stop)
    with lab.up(depth=depth, npt=nested_paging, progress=progress, cancel=cancel) as running:
        try:
            run = benchmark.run(running.layers, suite=suite, progress=progress, cancel=stop)
        except benchmark.RunCutShort as error:
            _kept(error.partial)
            raise
        return _kept(benchmark.with_memory(run, running) if run.status == "complete" else run)


def _kept(run: Run) -> Run:
    """The run, kept where the explore page finds it, or with a note that it is not."""
    try:
        keep_run(run)
    except NestkitError as error:
        return replace(run, notes=(*run.notes, f"not kept for the explore page: {error.message}"))
    return run
