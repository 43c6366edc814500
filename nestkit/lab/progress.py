"""Telling how far a long piece of work is, and stopping it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from nestkit.errors import LabError

Progress = Callable[[str], None]


class Cancel(Protocol):
    """Anything with ``is_set()``: a :class:`threading.Event`."""

    def is_set(self) -> bool:
        """True when the work is to stop."""


def quiet(message: str) -> None:
    """A progress callback that says nothing."""


def check(cancel: Cancel | None) -> None:
    """Raise LabError when the work was cancelled."""
    if cancel is not None and cancel.is_set():
        raise LabError("the lab was cancelled", remedy="start it again when you like")


class Timings(dict[str, float]):
    """Seconds by phase, in the order the phases came; printed, a table."""

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what stands in the block."""
        started = time.monotonic()
        try:
            yield
        finally:
            self[name] = time.monotonic() - started

    def line(self) -> str:
        """The phases that took a tenth of a second or more, in one line."""
        return ", ".join(f"{name} {value:.1f} s" for name, value in self.items() if value >= 0.1)

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}} {value:7.1f} s" for name, value in self.items())
