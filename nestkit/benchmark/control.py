"""Who is told how far a run is, and who may end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nestkit.benchmark.runfile import Status
from nestkit.errors import RunError

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

    @classmethod
    def of(
        cls, progress: Progress | None, cancel: Cancel | None, time_budget_s: float | None
    ) -> Control:
        """A hold from what the caller gave; the time runs from now.

        Raises
        ------
        RunError
            If the budget is no time, or what is to be called cannot be.
        """
        for name, given in (("progress", progress), ("cancel", cancel)):
            if given is not None and not callable(given):
                raise RunError(f"{name} is a {type(given).__name__}", remedy="pass a function")
        if time_budget_s is None:
            return cls(progress=progress, cancel=cancel, deadline=None)
        if type(time_budget_s) not in (int, float) or not time_budget_s > 0:
            raise RunError(
                f"a time budget of {time_budget_s!r} s is none", remedy="use seconds > 0"
            )
        return cls(progress=progress, cancel=cancel, deadline=time.monotonic() + time_budget_s)

    def check(self) -> None:
        """Raise :class:`Stop` if the run was cancelled or its time is over."""
        if self.cancel is not None and self.cancel():
            raise Stop("cancelled")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise Stop("out of time")
