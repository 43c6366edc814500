"""What one script may use, and the count of what it used."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run; exceeding one ends the script with a PowerShell-style error.

    ``depth`` counts nested evaluations, not function calls: Python's own stack is the reason.
    """

    source_chars: int = 256_000
    syntax_depth: int = 220
    depth: int = 260
    steps: int = 1_000_000
    seconds: float = 30.0
    string_chars: int = 4_000_000
    all_string_chars: int = 64_000_000  # made in the whole run
    items: int = 200_000  # of one array, hashtable or range
    all_items: int = 3_000_000  # put into collections in the whole run
    output_chars: int = 16_000_000
    sleep_seconds: float = 3_600.0  # virtual, summed over the script
    errors: int = 256  # kept in $Error, as 5.1's $MaximumErrorCount


class LimitExceededError(Exception):
    """A bound was hit. No script can catch it."""

    def __init__(self, what: str, *, error_id: str = "PracticeHostLimit") -> None:
        super().__init__(what)
        self.error_id = error_id


class Budget:
    """What is left of the limits; shared by an interpreter and those nested in it."""

    __slots__ = (
        "_chars",
        "_clock",
        "_deadline",
        "_items",
        "_output",
        "_slept",
        "_steps",
        "depth",
        "limits",
    )

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._steps = 0
        self._output = 0
        self._chars = 0
        self._items = 0
        self._slept = 0.0
        self._deadline = clock() + limits.seconds
        self.depth = 0

    def step(self, count: int = 1) -> None:
        """Spend steps. The clock is looked at now and then."""
        before = self._steps
        self._steps = before + count
        if self._steps > self.limits.steps:
            raise LimitExceededError(f"the script took more than {self.limits.steps} steps")
        if before >> 8 != self._steps >> 8 and self._clock() > self._deadline:
            raise LimitExceededError(f"the script ran longer than {self.limits.seconds:g} seconds")

    def enter(self) -> None:
        """Go one evaluation deeper; every call needs its :meth:`leave`."""
        self.depth += 1
        if self.depth > self.limits.depth:
            raise LimitExceededError(
                "the script failed because calls nest too deeply", error_id="CallDepthOverflow"
            )

    def leave(self) -> None:
        """Come back from :meth:`enter`."""
        self.depth -= 1

    def chars(self, count: int) -> None:
        """A string of this length is about to be made."""
        if count > self.limits.string_chars:
            raise LimitExceededError(
                f"a string would be longer than {self.limits.string_chars} characters"
            )
        self._chars += count
        if self._chars > self.limits.all_string_chars:
            raise LimitExceededError(
                f"the script made more than {self.limits.all_string_chars} characters of text"
            )
        if count > 1024:
            self.step(count >> 10)

    def items(self, count: int) -> None:
        """A collection of this length is about to be made."""
        if count > self.limits.items:
            raise LimitExceededError(f"a collection would hold more than {self.limits.items} items")
        self._items += count
        if self._items > self.limits.all_items:
            raise LimitExceededError(
                f"the script put more than {self.limits.all_items} items into collections"
            )
        if count > 64:
            self.step(count >> 4)

    def output(self, count: int) -> None:
        """Characters are about to be written."""
        self._output += count
        if self._output > self.limits.output_chars:
            raise LimitExceededError(
                f"the script wrote more than {self.limits.output_chars} characters"
            )

    def sleep(self, seconds: float) -> None:
        """Virtual sleep."""
        self._slept += max(0.0, seconds)
        if self._slept > self.limits.sleep_seconds:
            raise LimitExceededError(
                f"the script slept longer than {self.limits.sleep_seconds:g} seconds in all"
            )
