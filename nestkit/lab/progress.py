"""Telling how far a long piece of work is, and stopping it."""

from __future__ import annotations

from collections.abc import Callable
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
