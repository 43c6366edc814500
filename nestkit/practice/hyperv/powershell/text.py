"""Values as text: string conversion, ``-f``, ``ToString`` formats, in the invariant culture."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.limits import LimitExceededError
from nestkit.practice.hyperv.values import (
    Char,
    EnumValue,
    Hashtable,
    PropertyObject,
    ScriptBlock,
    SecureString,
    Value,
    Version,
)

_MAX_TEXT = 4_000_000
_CUSTOM = "System.Management.Automation.PSCustomObject"


def units(text: str) -> str:
    """The text as .NET counts it: what lies beyond U+FFFF is two characters, its surrogates.

    Source: Microsoft Learn, String.Length ("the number of Char objects").
    """
    if text.isascii() or max(text) <= "\uffff":
        return text
    data = text.encode("utf-16-le", "surrogatepass")
    return "".join(
        chr(int.from_bytes(data[at : at + 2], "little")) for at in range(0, len(data), 2)
    )


def whole(text: str) -> str:
    """Back from :func:`units`; half of a pair is refused, for no output could show it."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise unspoken("half of a surrogate pair") from None


class Statics:
    """``[type]`` as a value."""

    __slots__ = ("name",)
    type_name = "System.RuntimeType"

    def __init__(self, name: str) -> None:
        self.name = name


def is_object(value: Value) -> bool:
    """Whether a value has properties of its own (a PsObject)."""
    return hasattr(value, "type_name") and hasattr(value, "names")


def type_name(value: Value) -> str:
    """The .NET type's full name."""
    match value:
        case None:
            return "System.Object"
        case bool():
            return "System.Boolean"
        case int():
            if -(2**31) <= value < 2**31:
                return "System.Int32"
            return "System.Int64" if value < 2**63 else "System.UInt64"
        case float():
            return "System.Double"
        case Char():
            return "System.Char"
        case str():
            return "System.String"
        case list():
            return "System.Object[]"
        case Hashtable():
            return "System.Collections.Hashtable"
        case ScriptBlock():
            return "System.Management.Automation.ScriptBlock"
        case EnumValue():
            return value.type_name
        case datetime():
            return "System.DateTime"
        case timedelta():
            return "System.TimeSpan"
        case uuid.UUID():
            return "System.Guid"
        case Version():
            return "System.Version"
        case SecureString():
            return "System.Security.SecureString"
    return str(getattr(value, "type_name", "System.Object"))


def to_text(value: Value) -> str:
    """What ``"$value"`` and ``[string]`` give.

    Raises LimitExceededError where the text of a collection would be longer than any string may be.
    """
    match value:
        case None:
            return ""
        case Char():
            return str(value)
        case str():
            return value
        case bool():
            return "True" if value else "False"
        case int():
            return str(value)
        case float():
            return float_text(value)
        case EnumValue():
            return value.name
        case list():
            return _gathered(map(_inner_text, value), " ")
        case datetime():
            day = f"{value.month:02d}/{value.day:02d}/{value.year:04d}"
            return f"{day} {value:%H:%M:%S}"
        case timedelta():
            return span_text(value)
        case ScriptBlock():
            return value.source
        case Statics():
            return value.name
    if isinstance(value, PropertyObject) and value.type_name == _CUSTOM:
        pairs = (f"{n}={_inner_text(value.get(n))}" for n in value.names())
        return "@{" + _gathered(pairs, "; ") + "}"
    if is_object(value):
        own = getattr(value, "methods", {}).get("tostring")
        return str(own()) if own is not None else str(value.type_name)
    if isinstance(value, (uuid.UUID, Version)):
        return str(value)
    return type_name(value)


def _inner_text(value: Value) -> str:
    """5.1 names an array inside an array, and leaves an object inside an object empty."""
    if isinstance(value, list):
        return "System.Object[]"
    if isinstance(value, PropertyObject) and value.type_name == _CUSTOM:
        return ""
    return to_text(value)


def _gathered(texts: Iterable[str], glue: str) -> str:
    size, out = 0, []
    for text in texts:
        size += len(text) + len(glue)
        if size > _MAX_TEXT:
            raise LimitExceededError(f"a string would be longer than {_MAX_TEXT} characters")
        out.append(text)
    return glue.join(out)


def float_text(value: float, digits: int = 15) -> str:
    """A double as .NET Framework prints it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = format(value, f".{digits}g")
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}E{exponent[0]}{exponent[1:].zfill(2)}"
    return "0" if text == "-0" else text


def span_text(value: timedelta) -> str:
    """A TimeSpan in its constant format."""
    sign = "-" if value < timedelta() else ""
    value = abs(value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{value.days}." if value.days else ""
    part = f".{value.microseconds:06d}0" if value.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{part}"
