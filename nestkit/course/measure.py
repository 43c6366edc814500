"""Boot the lab and measure it: what the form of lesson 06 runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nestkit.benchmark import Run


def measure_lab(
    *,
    depth: Literal[1, 2],
    suite: Literal["quick", "full"],
    progress: Callable[..., None] | None = None,
    cancel: threading.Event | None = None,
) -> Run:
    """Boot ``depth`` virtual machines one inside the other, measure each, power them off.

    Short for ``with nk.lab.up(depth=depth) as lab: nk.benchmark.run(lab.layers, suite=suite)``.

    Raises
    ------
    LabError
        If the lab cannot be built or booted here.
    RunError
        If a workload fails.
    """
    from nestkit import benchmark, lab

    stop = cancel.is_set if cancel else None
    with lab.up(depth=depth, progress=progress, cancel=cancel) as running:
        return benchmark.run(running.layers, suite=suite, progress=progress, cancel=stop)
