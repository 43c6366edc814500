"""Format specifiers, in the invariant culture: ``-f``, ``ToString``, dates and numbers."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from nestkit.practice.hyperv.powershell.text import float_text, to_text, units
from nestkit.practice.hyperv.values import (
    EnumValue,
    PsError,
    Value,
)

_MAX_WIDTH = 10_000


def _offset(value: datetime) -> str:
    shift = value.utcoffset()
    if shift is None:
        return ""
    if not shift:
        return "Z"
    minutes = int(shift.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


_STANDARD_DATES = {
    "d": "MM/dd/yyyy",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
}


def date_text(value: datetime, form: str) -> str:
    """A DateTime in a standard or custom format. Raises PsError for one not spoken."""
    if form in {"o", "O"}:
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond:06d}0" + _offset(value)
    form = _STANDARD_DATES.get(form, form)
    if len(form) < 2 or len(form) > 100:
        raise _bad_format(form)
    out: list[str] = []
    at = 0
    while at < len(form):
        char = form[at]
        width = 1
        while at + width < len(form) and form[at + width] == char:
            width += 1
        if char == "\\" and at + 1 < len(form):
            out.append(form[at + 1])
            at += 2
            continue
        if char in "'\"":
            end = form.find(char, at + 1)
            out.append(form[at + 1 : end if end > 0 else len(form)])
            at = end + 1 if end > 0 else len(form)
            continue
        out.append(_date_part(value, char, width))
        at += width
    return "".join(out)


def _date_part(value: datetime, char: str, width: int) -> str:
    match char:
        case "y":
            return f"{value.year % 100:02d}" if width <= 2 else f"{value.year:04d}"
        case "M":
            names = {3: "%b", 4: "%B"}
            if width in names:
                return value.strftime(names[width])
            return str(value.month).zfill(min(width, 2))
        case "d":
            names = {3: "%a", 4: "%A"}
            if width in names:
                return value.strftime(names[width])
            return str(value.day).zfill(min(width, 2))
        case "H":
            return str(value.hour).zfill(min(width, 2))
        case "h":
            return str(value.hour % 12 or 12).zfill(min(width, 2))
        case "m":
            return str(value.minute).zfill(min(width, 2))
        case "s":
            return str(value.second).zfill(min(width, 2))
        case "f":
            return f"{value.microsecond:06d}0"[: min(width, 7)]
        case "t":
            return "AM" if value.hour < 12 else "PM"
        case "K" | "z":
            return _offset(value)
    if char.isalpha() and char not in "TZ":
        raise _bad_format(char * width)
    return char * width


def _bad_format(form: str) -> PsError:
    return PsError(
        f"Error formatting a string: the format '{form[:40]}' is not spoken here (practice host).",
        error_id="FormatError",
        category="InvalidOperation",
        target=form[:40],
    )


_GUIDS: dict[str, Callable[[uuid.UUID], str]] = {
    "d": str,
    "n": lambda u: u.hex,
    "b": lambda u: f"{{{u}}}",
    "p": lambda u: f"({u})",
}


def _span_text(value: timedelta, form: str) -> str:
    """A TimeSpan in the constant format or a custom one."""
    if form in {"c", "t", "T"}:
        return to_text(value)
    size = abs(value)
    parts = {
        "d": size.days,
        "h": size.seconds // 3600,
        "m": size.seconds // 60 % 60,
        "s": size.seconds % 60,
    }
    out: list[str] = []
    for found in _SPAN_PART.finditer(form):
        sign, text = found[0][0], found[0]
        if found["run"] and sign == "f":
            out.append(f"{size.microseconds:06d}0"[: len(text)])
        elif found["run"]:
            out.append(str(parts[sign]).zfill(len(text)))
        elif found["text"] is not None or found["sign"]:
            out.append(found["text"] or found["sign"] or "")
        else:
            raise _bad_format(form)
    return "".join(out)


_SPAN_PART = re.compile(r"(?P<run>([dhmsf])\2*)|'(?P<text>[^']*)'|\\(?P<sign>.)|.", re.DOTALL)


def formatted(value: Value, form: str) -> str:
    """A value under a format specifier: ``N2``, ``D3``, ``X``, ``yyyy-MM-dd``."""
    if not form:
        return to_text(value)
    if isinstance(value, datetime):
        return date_text(value, form)
    if isinstance(value, timedelta):
        return _span_text(value, form)
    if isinstance(value, EnumValue) and form.lower() == "d":
        return str(value.number)
    if isinstance(value, (EnumValue, uuid.UUID)) and form.lower() not in {"g", "f"}:
        if isinstance(value, uuid.UUID) and form.lower() in _GUIDS:
            return _GUIDS[form.lower()](value)
        raise _bad_format(form)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return to_text(value)
    kind, digits = form[0], form[1:]
    if kind.upper() in "NFDXPGE" and len(digits) <= 2 and (not digits or digits.isascii()):
        if digits and not digits.isdigit():
            raise _bad_format(form)
        return _standard_number(value, kind, digits)
    return _custom_number(value, form)


def _standard_number(value: int | float, kind: str, digits: str) -> str:
    places = int(digits) if digits else 2
    match kind.upper():
        case "N":
            return f"{_rounded(value, places):,.{places}f}"
        case "F":
            return f"{_rounded(value, places):.{places}f}"
        case "P":
            return f"{_rounded(value * 100, places):,.{places}f} %"
        case "D" | "X":
            if isinstance(value, float):
                raise _bad_format(kind + digits)
            if kind.upper() == "D":
                return ("-" if value < 0 else "") + str(abs(value)).zfill(int(digits or 0))
            bits = 32 if -(2**31) <= value < 2**31 else 64
            text = format(value % (1 << bits) if value < 0 else value, kind)
            return text.zfill(int(digits or 0))
        case "E":
            mantissa, _, power = f"{value:.{int(digits or 6)}e}".partition("e")
            return f"{mantissa}{kind}{power[0]}{power[1:].zfill(3)}"
    return float_text(float(value), int(digits or 15) or 15)


def _rounded(value: int | float, places: int) -> float | int:
    """Half away from zero, as .NET Framework formats."""
    if isinstance(value, int) or not math.isfinite(value) or abs(value) > 1e15:
        return value
    scaled = abs(value) * 10**places
    return math.copysign(math.floor(scaled + 0.5) / 10**places, value)


def _custom_number(value: int | float, form: str) -> str:
    whole, _, part = form.partition(".")
    if not whole.strip("#0,") == "" or not part.strip("#0") == "" or len(form) > 40:
        raise _bad_format(form)
    text = f"{_rounded(value, len(part)):{',' if ',' in whole else ''}.{len(part)}f}"
    head, _, tail = text.partition(".")
    while tail and part[len(tail) - 1] == "#" and tail.endswith("0"):
        tail = tail[:-1]
    sign = "-" if head.startswith("-") else ""
    head = head.lstrip("-").zfill(whole.count("0"))
    return f"{sign}{head}{'.' + tail if tail else ''}"


def composite(form: str, arguments: list[Any]) -> str:
    """The ``-f`` operator. Raises PsError as PowerShell does for a bad format."""
    out: list[str] = []
    at = 0
    while at < len(form):
        char = form[at]
        if char in "{}" and form[at + 1 : at + 2] == char:
            out.append(char)
            at += 2
        elif char == "{":
            end = form.find("}", at)
            if end < 0:
                raise _format_error()
            out.append(_item(form[at + 1 : end], arguments))
            at = end + 1
        elif char == "}":
            raise _format_error()
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _item(inner: str, arguments: list[Any]) -> str:
    head, _, form = inner.partition(":")
    number, _, width = head.partition(",")
    try:
        index, pad = int(number), int(width or 0)
    except ValueError:
        raise _format_error() from None
    if not 0 <= index < len(arguments) or abs(pad) > _MAX_WIDTH:
        raise PsError(
            "Error formatting a string: Index (zero based) must be greater than or equal to zero "
            "and less than the size of the argument list..",
            error_id="FormatError",
            category="InvalidOperation",
            target="format",
        )
    text = formatted(arguments[index], form)
    pad -= (len(units(text)) - len(text)) * (1 if pad > 0 else -1)
    return text.ljust(-pad) if pad < 0 else text.rjust(pad)


def _format_error() -> PsError:
    return PsError(
        "Error formatting a string: Input string was not in a correct format..",
        error_id="FormatError",
        category="InvalidOperation",
        target="format",
    )
