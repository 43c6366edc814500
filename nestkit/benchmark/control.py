"""Who is told how far a run is, and who may end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nestkit.benchmark.runfile import Status

Progress = Callable[[str, int, int, float], None]  # message, done, total, seconds left
Cancel = Callable[[], bool]


class Stop(Exception):
    """The run is to end now, and why."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status: Status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The caller's hold on a run."""

    progress: Progress | None
    cancel: Cancel | None
    deadline: float | None  # on the monotonic clock

    def check(self) -> None:
        """Raise :class:`Stop` if the run was cancelled or its time is over."""
        if self.cancel is not None and self.cancel():
            raise Stop("cancelled")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise Stop("out of time")
