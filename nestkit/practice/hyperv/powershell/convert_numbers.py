"""Conversions to bool and to numbers, as operators and parameters make them."""

from __future__ import annotations

import math
import re

from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.text import to_text, type_name
from nestkit.practice.hyperv.powershell.typenames import INTEGERS, cast_error, display
from nestkit.practice.hyperv.values import (
    Char,
    EnumValue,
    PsError,
    Value,
)

_NUMBER = re.compile(
    r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})(e[+-]?\d{1,4})?\Z", re.IGNORECASE | re.ASCII
)
_SIZED = re.compile(r"([+-]?\d{1,15}(?:\.\d{1,15})?)([kmgtp]b)\Z", re.IGNORECASE | re.ASCII)
_UNITS = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_HEX = re.compile(r"0x[0-9a-f]{1,16}\Z", re.IGNORECASE | re.ASCII)


def to_bool(value: Value) -> bool:
    """Truth, as PowerShell sees it."""
    match value:
        case None:
            return False
        case bool():
            return value
        case int() | float():
            return value != 0
        case Char():
            return value != "\0"
        case str():
            return value != ""
        case list():
            if len(value) == 1:
                only = value[0]
                return len(only) > 0 if isinstance(only, list) else to_bool(only)
            return len(value) > 0
    return True


def to_number(value: Value) -> int | float:
    """The number an arithmetic operator sees. Raises PsError where there is none."""
    match value:
        case None:
            return 0
        case bool():
            return int(value)
        case int() | float():
            return value
        case EnumValue():
            return value.number
        case Char():
            raise unspoken("a [char] as a number: cast it, [int] or [string]")
        case str():
            text = value.strip()
            if text == "":
                return 0
            if _HEX.match(text):
                return int(text, 16)
            if _NUMBER.match(text):
                return _parsed(text)
            if sized := _SIZED.match(text):  # a string is read as a number in a script is
                return _parsed(sized[1]) * _UNITS[sized[2].lower()]
            raise cast_error(
                value,
                "int32",
                "Input string was not in a correct format.",
                "InvalidCastFromStringToInteger",
            )
    raise PsError(
        f'Cannot convert the "{to_text(value)[:200]}" value of type "{type_name(value)}" to type '
        '"System.Int32".',
        error_id="ConvertToFinalInvalidCastException",
        category="InvalidArgument",
    )


def _parsed(text: str) -> int | float:
    if text.lstrip("+-").isdigit() and len(text) <= 20:
        return int(text)
    return float(text)


def to_integer(value: Value, kind: str) -> int:
    """An integer of a kind, rounded half to even, in range."""
    try:
        number = ord(value) if isinstance(value, Char) else to_number(value)
    except PsError as error:
        if error.error_id == "InvalidCastFromStringToInteger":
            raise cast_error(
                value, kind, "Input string was not in a correct format.", error.error_id
            ) from None
        raise PsError(
            error.message.replace("System.Int32", display(kind)),
            error_id=error.error_id,
            category=error.category,
        ) from None
    low, high = INTEGERS[kind]
    if isinstance(number, float):
        if not math.isfinite(number):
            raise _too_large(value, kind)
        number = round(number)
    if not low <= number <= high:
        raise _too_large(value, kind)
    return number


def _too_large(value: Value, kind: str) -> PsError:
    short = display(kind).rpartition(".")[2]
    article = "an" if short[0] in "IU" else "a"
    return cast_error(
        value,
        kind,
        f"Value was either too large or too small for {article} {short}.",
        "InvalidCastIConvertible",
    )
