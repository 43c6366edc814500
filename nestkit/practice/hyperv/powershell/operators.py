"""What the operators do to values."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from nestkit.practice.hyperv.powershell import regex
from nestkit.practice.hyperv.powershell.convert import cast, is_type, to_date, unknown_type
from nestkit.practice.hyperv.powershell.convert_numbers import to_integer, to_number
from nestkit.practice.hyperv.powershell.formats import composite
from nestkit.practice.hyperv.powershell.limits import Budget
from nestkit.practice.hyperv.powershell.text import Statics, to_text, type_name, units, whole
from nestkit.practice.hyperv.values import Char, EnumValue, Hashtable, PsError, Value


def _no_method(value: Value, name: str) -> PsError:
    return PsError(
        f"Method invocation failed because [{type_name(value)}] does not contain a method named "
        f"'{name}'.",
        error_id="MethodNotFound",
        category="InvalidOperation",
        target=name,
    )


def fit(number: int | float) -> int | float:
    """An integer beyond 64 bits becomes a double, as in .NET arithmetic of PowerShell."""
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        try:
            return float(number)
        except OverflowError:
            return math.inf if number > 0 else -math.inf
    return number


def add(left: Value, right: Value, budget: Budget) -> Value:
    """``+``."""
    if isinstance(left, str) and not isinstance(left, Char):
        text = to_text(right)
        budget.chars(len(left) + len(text))
        return left + text
    if isinstance(left, list):
        more = right if isinstance(right, list) else [right]
        budget.items(len(left) + len(more))
        return left + more
    if isinstance(left, Hashtable):
        if not isinstance(right, Hashtable):
            raise PsError(
                "A hash table can only be added to another hash table.",
                error_id="AddHashTableToNonHashTable",
                category="InvalidOperation",
            )
        made = Hashtable(dict(left.items()))
        for key, value in right.items():
            if key in made:
                raise PsError(
                    "Item has already been added. Key in dictionary: "
                    f"'{to_text(key)}'  Key being added: '{to_text(key)}'",
                    error_id="System.ArgumentException",
                    category="OperationStopped",
                )
            made[key] = value
        budget.items(len(made))
        return made
    if left is None:
        return right
    if isinstance(left, datetime) and isinstance(right, timedelta):
        return _moved(left, right)
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return _span(left, right, 1)
    return _numeric(left, right, "op_Addition", lambda a, b: a + b)


def _moved(date: datetime, span: timedelta) -> datetime:
    try:
        return date + span
    except OverflowError:
        raise PsError(
            "The added or subtracted value results in an un-representable DateTime.",
            error_id="System.ArgumentOutOfRangeException",
        ) from None


def _span(left: timedelta, right: timedelta, sign: int) -> timedelta:
    try:
        return left + right if sign > 0 else left - right
    except OverflowError:
        raise PsError("TimeSpan overflowed.", error_id="System.OverflowException") from None


def _numeric(
    left: Value, right: Value, method: str, what: Callable[[Any, Any], Any]
) -> int | float:
    if left is not None and not isinstance(left, (bool, int, float, str, EnumValue)):
        raise _no_method(left, method)
    first, second = to_number(left), to_number(right)
    try:
        return fit(what(first, second))
    except OverflowError:
        return math.inf


def subtract(left: Value, right: Value, budget: Budget) -> Value:
    """``-``."""
    if isinstance(left, datetime):
        if isinstance(right, timedelta):
            return _moved(left, -right)
        other = to_date(right)
        return left - (other if left.tzinfo else other.replace(tzinfo=None))
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return _span(left, right, -1)
    return _numeric(left, right, "op_Subtraction", lambda a, b: a - b)


def multiply(left: Value, right: Value, budget: Budget) -> Value:
    """``*``."""
    if isinstance(left, (str, list)) and not isinstance(left, Char):
        count = to_integer(right, "int32")
        if count < 0:
            raise PsError("Value must not be negative.", error_id="ArgumentOutOfRangeException")
        size = len(left) * count
        budget.chars(size) if isinstance(left, str) else budget.items(size)
        return left * count
    return _numeric(left, right, "op_Multiply", lambda a, b: a * b)


def divide(left: Value, right: Value, budget: Budget) -> Value:
    """``/``: an integer where it comes out even."""

    def divided(a: int | float, b: int | float) -> int | float:
        if b == 0:
            if isinstance(a, int) and isinstance(b, int):
                raise _zero()
            return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)
        if isinstance(a, int) and isinstance(b, int) and a % b == 0:
            return a // b
        return a / b

    return _numeric(left, right, "op_Division", divided)


def remainder(left: Value, right: Value, budget: Budget) -> Value:
    """``%``: the sign of the left operand."""

    def left_over(a: int | float, b: int | float) -> int | float:
        if isinstance(a, int) and isinstance(b, int):
            if b == 0:
                raise _zero()
            return a - b * (abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))
        return math.nan if b == 0 or math.isinf(a) else math.fmod(a, b)

    return _numeric(left, right, "op_Modulus", left_over)


def _zero() -> PsError:
    return PsError(
        "Attempted to divide by zero.", error_id="RuntimeException", category="NotSpecified"
    )


def number_range(left: Value, right: Value, budget: Budget) -> Value:
    """``1..5``, downwards too."""
    first, last = to_integer(left, "int32"), to_integer(right, "int32")
    budget.items(abs(last - first) + 1)
    return list(range(first, last + 1)) if last >= first else list(range(first, last - 1, -1))


def find(pattern: Value, text: str, budget: Budget, *, ignore_case: bool) -> regex.Match | None:
    """The first match of a pattern."""
    return _compiled(to_text(pattern), ignore_case).search(units(text), 0, budget.step)


def _compiled(pattern: str, ignore_case: bool) -> regex.Pattern:
    return regex.compiled(units(pattern), ignore_case)


def replace(left: Value, right: Value, budget: Budget, *, ignore_case: bool) -> Value:
    """``-replace``."""
    if isinstance(left, list):
        return [replace(to_text(item), right, budget, ignore_case=ignore_case) for item in left]
    parts = right if isinstance(right, list) else [right]
    if len(parts) > 2:
        raise PsError(
            "The -replace operator allows only two elements to follow it.",
            error_id="BadReplaceArgument",
            category="InvalidOperation",
        )
    pattern = to_text(parts[0]) if parts else ""
    template = to_text(parts[1]) if len(parts) == 2 else ""
    text = units(to_text(left))
    out: list[str] = []
    position = size = 0
    for match in _compiled(pattern, ignore_case).finditer(text, budget.step):
        piece = regex.substitute(match, template)
        size += len(piece)
        budget.chars(size + len(text))
        out += [text[position : match.start], piece]
        position = match.end
    out.append(text[position:])
    return whole("".join(out))


def split(left: Value, right: Value, budget: Budget, *, ignore_case: bool) -> Value:
    """``-split`` with a pattern and perhaps a maximum."""
    parts = right if isinstance(right, list) else [right]
    limit = to_integer(parts[1], "int32") if len(parts) > 1 else 0
    pattern = _compiled(to_text(parts[0]) if parts else "", ignore_case)
    out: list[str] = []
    for item in left if isinstance(left, list) else [left]:
        text = units(to_text(item))
        pieces: list[str] = []
        position = 0
        for match in pattern.finditer(text, budget.step):
            if limit and len(pieces) >= limit - 1:
                break
            if match.end == match.start and match.start in {0, len(text)}:
                continue
            pieces.append(text[position : match.start])
            pieces += [g for i in range(1, len(match.spans)) if (g := match.group(i)) is not None]
            position = match.end
        out += map(whole, [*pieces, text[position:]])
        budget.items(len(out))
    return out


def join(left: Value, right: Value, budget: Budget) -> str:
    """``-join``."""
    items = left if isinstance(left, list) else [left]
    texts = [to_text(item) for item in items]
    glue = to_text(right)
    budget.chars(sum(map(len, texts)) + len(glue) * len(texts))
    return glue.join(texts)


def form(left: Value, right: Value, budget: Budget) -> str:
    """``-f``."""
    text = to_text(left)
    budget.chars(len(text))
    made = composite(text, right if isinstance(right, list) else [right])
    budget.chars(len(made))
    return made


def type_test(left: Value, right: Value) -> bool:
    """``-is``."""
    return is_type(left, _type(right))


def type_as(left: Value, right: Value) -> Value:
    """``-as``: None where the cast fails."""
    name = _type(right)
    try:
        return cast(name, left)
    except PsError as error:
        if error.error_id in {"TypeNotFound", "PracticeHostNotSpoken"}:
            raise
        return None


def _type(value: Value) -> str:
    if isinstance(value, Statics):
        return value.name
    if isinstance(value, str):
        return value
    raise unknown_type(to_text(value)[:60] or "null")


def bitwise(operator: str, left: Value, right: Value) -> Value:
    """``-band``, ``-bor``, ``-bxor``, ``-shl``, ``-shr`` on 64 bits."""
    first, second = to_integer(left, "int64"), to_integer(right, "int64")
    match operator:
        case "band":
            return first & second
        case "bor":
            return first | second
        case "bxor":
            return first ^ second
        case "shl":
            wide = not -(2**31) <= first < 2**31
            bits = 64 if wide else 32
            made = (first << (second & (bits - 1))) & ((1 << bits) - 1)
            return made - (1 << bits) if made >> (bits - 1) else made
    return first >> (second & (31 if -(2**31) <= first < 2**31 else 63))


ARITHMETIC: dict[str, Callable[[Value, Value, Budget], Value]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "..": number_range,
}
