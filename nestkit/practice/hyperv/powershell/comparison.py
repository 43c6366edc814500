"""The comparison operators, and the order of values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from nestkit.practice.hyperv.powershell import wildcard
from nestkit.practice.hyperv.powershell.convert import cast
from nestkit.practice.hyperv.powershell.convert_numbers import to_bool, to_number
from nestkit.practice.hyperv.powershell.limits import Budget
from nestkit.practice.hyperv.powershell.text import to_text, type_name
from nestkit.practice.hyperv.values import EnumValue, PsError, Value, Version


def equal(left: Value, right: Value, *, case_sensitive: bool = False) -> bool:
    """``-eq`` of two single values: the left one's type decides."""
    if left is None or right is None:
        return left is None and right is None
    if isinstance(left, EnumValue):
        if isinstance(right, EnumValue):
            return left.name == right.name if left.type_name == right.type_name else False
        if isinstance(right, (int, float)):
            return left.number == right
        return left.name.lower() == to_text(right).strip().lower()
    if isinstance(left, bool):
        return left == to_bool(right)
    if isinstance(left, str):
        other = to_text(right)
        return left == other if case_sensitive else left.lower() == other.lower()
    try:
        return _order(left, right, case_sensitive) == 0
    except PsError:
        return False


def _order(left: Value, right: Value, case_sensitive: bool) -> int:
    """Negative, zero or positive. Raises PsError where there is no order."""
    first: Any
    second: Any
    if left is None:
        return 0 if right is None else -1
    if right is None:
        return 1
    if isinstance(left, str):
        first, second = left, to_text(right)
        if not case_sensitive:
            first, second = first.lower(), second.lower()
    elif isinstance(left, (bool, int, float, EnumValue)):
        first, second = to_number(left), to_number(right)
    elif isinstance(left, (Version, datetime, timedelta)):
        name = type_name(left)
        first, second = left, cast(name, right)
    elif type_name(left) == "System.Guid":
        first, second = str(left), str(cast("guid", right))
    else:
        same = left is right
        if same:
            return 0
        raise PsError(
            f'Cannot compare "{to_text(left)[:100]}" because it is not IComparable.',
            error_id="NotIcomparable",
            category="InvalidOperation",
        )
    try:
        return int(first > second) - int(first < second)
    except TypeError:
        raise PsError(
            f'Cannot compare "{to_text(left)[:100]}" to "{to_text(right)[:100]}".',
            error_id="NotIcomparable",
            category="InvalidOperation",
        ) from None


def order(left: Value, right: Value, *, case_sensitive: bool = False) -> int:
    """The order of two values. Raises PsError where they cannot be compared."""
    try:
        return _order(left, right, case_sensitive)
    except PsError as error:
        if error.error_id == "NotIcomparable":
            raise
        raise PsError(
            f'Could not compare "{to_text(left)[:100]}" to "{to_text(right)[:100]}". '
            f'Error: "{error.message}"',
            error_id="ComparisonFailure",
            category="InvalidOperation",
        ) from None


def compare(operator: str, left: Value, right: Value, budget: Budget) -> Value:
    """A comparison operator, ``i`` or ``c`` prefixed or not; a list on the left is filtered."""
    name, sensitive = _plain(operator)
    if name in _COLLECTIONS:
        return _COLLECTIONS[name](left, right, sensitive, budget)
    test = _SINGLE[name]
    if isinstance(left, list):
        budget.step(len(left))
        return [item for item in left if test(item, right, sensitive, budget)]
    return test(left, right, sensitive, budget)


_NAMES = frozenset(
    {
        "eq",
        "ne",
        "gt",
        "ge",
        "lt",
        "le",
        "like",
        "notlike",
        "contains",
        "notcontains",
        "in",
        "notin",
    }
)


def _plain(operator: str) -> tuple[str, bool]:
    if operator in _NAMES:
        return operator, False
    return operator[1:], operator[0] == "c"


def is_comparison(operator: str) -> bool:
    """Whether an operator is one of these."""
    return operator in _NAMES or (operator[:1] in {"i", "c"} and operator[1:] in _NAMES)


def like(left: Value, right: Value, sensitive: bool, budget: Budget) -> bool:
    """``-like``."""
    return wildcard.matches(
        to_text(right)[:4000], to_text(left), case_sensitive=sensitive, spend=budget.step
    )


def _contains(left: Value, right: Value, sensitive: bool, budget: Budget) -> bool:
    items = left if isinstance(left, list) else [left]
    budget.step(len(items))
    return any(equal(item, right, case_sensitive=sensitive) for item in items)


_COLLECTIONS: dict[str, Callable[[Value, Value, bool, Budget], bool]] = {
    "contains": _contains,
    "notcontains": lambda a, b, s, g: not _contains(a, b, s, g),
    "in": lambda a, b, s, g: _contains(b, a, s, g),
    "notin": lambda a, b, s, g: not _contains(b, a, s, g),
}
_SINGLE: dict[str, Callable[[Value, Value, bool, Budget], bool]] = {
    "eq": lambda a, b, s, g: equal(a, b, case_sensitive=s),
    "ne": lambda a, b, s, g: not equal(a, b, case_sensitive=s),
    "gt": lambda a, b, s, g: order(a, b, case_sensitive=s) > 0,
    "ge": lambda a, b, s, g: order(a, b, case_sensitive=s) >= 0,
    "lt": lambda a, b, s, g: order(a, b, case_sensitive=s) < 0,
    "le": lambda a, b, s, g: order(a, b, case_sensitive=s) <= 0,
    "like": like,
    "notlike": lambda a, b, s, g: not like(a, b, s, g),
}
