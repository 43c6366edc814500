"""Ratios of time on a machine that has other things to do as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def is_reached(measure: Callable[[], T], good: Callable[[T], bool]) -> bool:
    """Whether one of three measurements is good: what has become slow is slow in all of them."""
    return any(good(measure()) for _ in range(3))
