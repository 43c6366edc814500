"""JSON as Windows PowerShell 5.1 writes and reads it.

Its habits: depth 2 unless told, deeper values as text; enumerations as numbers; dates as
``/Date(milliseconds)/``; markup characters and the apostrophe escaped; its own indentation.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from nestkit.practice.hyperv.powershell.limits import Budget
from nestkit.practice.hyperv.powershell.records import ErrorRecord
from nestkit.practice.hyperv.powershell.text import is_object, to_text, type_name
from nestkit.practice.hyperv.values import (
    EnumValue,
    Hashtable,
    PropertyObject,
    PsError,
    SecureString,
    Value,
    Version,
)

_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
# What .NET Framework's JavaScriptSerializer escapes besides control characters.
_ESCAPED = re.compile("[\\x00-\\x1f\"\\\\'<>&\\x85\\u2028\\u2029]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"/Date\((-?\d{1,18})\)/\Z", re.ASCII)


def quoted(text: str) -> str:
    """A JSON string."""
    return '"' + _ESCAPED.sub(lambda m: _SHORT.get(m[0], f"\\u{ord(m[0]):04x}"), text) + '"'


class _Writer:
    def __init__(self, depth: int, compress: bool, budget: Budget) -> None:
        self.depth = depth
        self.compress = compress
        self.budget = budget
        self.out: list[str] = []
        self.size = 0
        self.column = 0

    def write(self, text: str) -> None:
        self.out.append(text)
        self.size += len(text)
        self.column += len(text)
        if self.size >> 16 != (self.size - len(text)) >> 16:
            self.budget.chars(len(text))
            if self.size > self.budget.limits.string_chars:
                self.budget.chars(self.size)

    def line(self, indent: int) -> None:
        if not self.compress:
            self.write("\r\n" + " " * indent)
            self.column = indent

    def value(self, value: Value, level: int) -> None:
        self.budget.step()
        simple = _simple(value)
        if simple is not None:
            self.write(simple)
        elif level > self.depth:
            self.write(quoted(to_text(value)))
        elif isinstance(value, list):
            self.array(value, level)
        else:
            self.mapping(_pairs(value), level)

    def array(self, items: list[Value], level: int) -> None:
        start = self.column
        self.write("[")
        for at, item in enumerate(items):
            if at:
                self.write(",")
            self.line(start + 4)
            self.value(item, level + 1)
        if not items and not self.compress:
            self.write("\r\n")
        self.line(start)
        self.write("]")

    def mapping(self, pairs: Iterable[tuple[str, Value]], level: int) -> None:
        start = self.column
        self.write("{")
        first = True
        for name, value in pairs:
            if not first:
                self.write(",")
            first = False
            self.line(start + 4)
            self.write(quoted(name) + (":" if self.compress else ":  "))
            self.value(value, level + 1)
        if first and not self.compress:
            self.write("\r\n")
        self.line(start)
        self.write("}")


def _simple(value: Value) -> str | None:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _double(value)
        case str():
            return quoted(value)
        case EnumValue():
            return str(value.number)
        case uuid.UUID():
            return quoted(str(value))
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return f'"\\/Date({(moment - _EPOCH) // timedelta(milliseconds=1)})\\/"'
    return None


def _double(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    text = repr(value)
    if text.endswith(".0"):
        text = text[:-2]
    mantissa, e, power = text.partition("e")
    return f"{mantissa.removesuffix('.0')}E{power[0]}{power[1:].zfill(2)}" if e else text


def _pairs(value: Value) -> list[tuple[str, Value]]:
    if isinstance(value, Hashtable):
        return [(to_text(k), v) for k, v in value.items()]
    if isinstance(value, Version):
        return [
            ("Major", value.major),
            ("Minor", value.minor),
            ("Build", value.build),
            ("Revision", value.revision),
        ]
    if isinstance(value, timedelta):
        return _span(value)
    if isinstance(value, ErrorRecord) or is_object(value):
        return [(name, value.get(name)) for name in value.names()]
    if isinstance(value, SecureString):
        return [("Length", len(value.text))]
    return [("Type", type_name(value))]


def _span(value: timedelta) -> list[tuple[str, Value]]:
    total = value.total_seconds()
    return [
        ("Ticks", value // timedelta(microseconds=1) * 10),
        ("Days", int(total / 86400)),
        ("Hours", int(math.fmod(total / 3600, 24))),
        ("Milliseconds", int(math.fmod(total * 1000, 1000))),
        ("Minutes", int(math.fmod(total / 60, 60))),
        ("Seconds", int(math.fmod(total, 60))),
        ("TotalDays", total / 86400),
        ("TotalHours", total / 3600),
        ("TotalMilliseconds", total * 1000),
        ("TotalMinutes", total / 60),
        ("TotalSeconds", total),
    ]


def dump(value: Value, *, depth: int, compress: bool, budget: Budget) -> str:
    """A value as 5.1's ConvertTo-Json writes it."""
    writer = _Writer(depth, compress, budget)
    writer.value(value, 0)
    budget.chars(writer.size)
    return "".join(writer.out)


def load(text: str, budget: Budget) -> Value:
    """A value as ConvertFrom-Json reads it. Raises PsError for what is not JSON."""

    def made(pairs: list[tuple[str, Any]]) -> Value:
        budget.items(len(pairs) + 1)
        found = PropertyObject()
        for name, value in pairs:
            if name == "":
                raise _bad(
                    "Cannot process argument because the value of argument name is not valid."
                )
            if name in set(found.names()):
                raise _bad(
                    "Cannot convert the JSON string because a dictionary that was converted from "
                    f"the string contains the duplicated keys '{name}' and '{name}'."
                )
            found.add(name, _dated(value))
        return found

    def constant(word: str) -> Value:
        raise _bad(f"Invalid JSON primitive: {word}.")

    budget.chars(len(text))
    try:
        found = json.loads(
            text, object_pairs_hook=made, parse_constant=constant, parse_int=_integer
        )
        value = _dated(found)
    except RecursionError:
        raise _bad("RecursionLimit exceeded.") from None
    except ValueError:
        word = (text.split() or [""])[0][:40]
        raise _bad(f"Invalid JSON primitive: {word}.") from None
    _count(value, budget)
    return value


def _integer(digits: str) -> int | float:
    if len(digits) > 20:
        return float(digits)
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(number)


def _count(value: Value, budget: Budget) -> None:
    queue = [value]
    while queue:
        one = queue.pop()
        if isinstance(one, list):
            budget.items(len(one) + 1)
            queue += one


def _dated(value: Value) -> Value:
    """5.1 turns ``/Date(…)/`` strings into dates."""
    if isinstance(value, list):
        return [_dated(item) for item in value]
    if isinstance(value, str) and (match := _DATE.match(value)):
        try:
            return _EPOCH + timedelta(milliseconds=int(match[1]))
        except OverflowError:
            return value
    return value


def _bad(message: str) -> PsError:
    return PsError(
        message,
        error_id="System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand",
        category="NotSpecified",
    )
