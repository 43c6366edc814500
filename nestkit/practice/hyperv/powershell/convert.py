"""Casts and the conversions that operators and parameters make."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from nestkit.practice.hyperv.powershell.convert_numbers import to_bool, to_integer, to_number
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.text import (
    Statics,
    is_object,
    to_text,
    type_name,
    units,
    whole,
)
from nestkit.practice.hyperv.powershell.typenames import INTEGERS, canonical, cast_error, display
from nestkit.practice.hyperv.values import (
    Char,
    EnumValue,
    Hashtable,
    PropertyObject,
    PsError,
    ScriptBlock,
    SecureString,
    Value,
    Version,
)


def _version(value: Value) -> Version:
    if isinstance(value, Version):
        return value
    parts = to_text(value).strip().split(".")
    if 2 <= len(parts) <= 4 and all(p.isascii() and p.isdigit() and len(p) <= 9 for p in parts):
        return Version(*(int(p) for p in parts))
    raise cast_error(
        value,
        "version",
        "Version string portion was too short or too long.",
        "InvalidCastParseTargetInvocation",
    )


def _guid(value: Value) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return value
    text = to_text(value).strip()
    if re.fullmatch(r"\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?", text):
        return uuid.UUID(text.strip("{}"))
    raise cast_error(
        value,
        "guid",
        "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).",
        "InvalidCastParseTargetInvocation",
    )


_DATE_FORMS = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y")


def to_date(value: Value) -> datetime:
    """A DateTime out of ISO or invariant-culture text."""
    if isinstance(value, datetime):
        return value
    text = to_text(value).strip()[:64]
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        for form in _DATE_FORMS:
            try:
                found = datetime.strptime(text, form).replace(tzinfo=UTC)
                break
            except ValueError:
                continue
        else:
            raise cast_error(
                value,
                "datetime",
                "String was not recognized as a valid DateTime.",
                "InvalidCastParseTargetInvocation",
            ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_SPAN = re.compile(
    r"(-)?(?:(\d{1,7})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?\Z", re.ASCII
)


def to_span(value: Value) -> timedelta:
    """A TimeSpan."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(microseconds=max(-(2**62), min(2**62, value)) / 10)
    match = _SPAN.match(to_text(value).strip())
    if match is None:
        raise cast_error(
            value,
            "timespan",
            "String was not recognized as a valid TimeSpan.",
            "InvalidCastParseTargetInvocation",
        )
    part = int((match[6] or "0").ljust(6, "0")[:6])
    made = timedelta(
        days=int(match[2] or 0),
        hours=int(match[3]),
        minutes=int(match[4]),
        seconds=int(match[5] or 0),
        microseconds=part,
    )
    return -made if match[1] else made


def _char(value: Value) -> Char:
    if isinstance(value, str) and len(units(value)) == 1:
        return Char(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF:
        return Char(whole(chr(value)))
    raise cast_error(value, "char", "String must be exactly one character long.", "InvalidCast")


def _hashtable(value: Value) -> Hashtable:
    if isinstance(value, Hashtable):
        return value
    raise _no_cast(value, "hashtable")


def _custom(value: Value) -> Value:
    if isinstance(value, Hashtable):
        return PropertyObject({to_text(k): v for k, v in value.items()})
    return value


def _credential(value: Value) -> Value:
    if is_object(value) and value.type_name.endswith("PSCredential"):
        return value
    raise _no_cast(value, "pscredential")


def _same(kind: type, name: str) -> Callable[[Value], Value]:
    def check(value: Value) -> Value:
        if isinstance(value, kind):
            return value
        raise _no_cast(value, name)

    return check


def _no_cast(value: Value, name: str) -> PsError:
    return PsError(
        f'Cannot convert the "{to_text(value)[:200]}" value of type "{type_name(value)}" to type '
        f'"{display(name)}".',
        error_id="ConvertToFinalInvalidCastException",
        category="InvalidArgument",
    )


def _double(value: Value) -> float:
    try:
        return float(to_number(value))
    except PsError as error:
        raise cast_error(
            value, "double", "Input string was not in a correct format.", error.error_id
        ) from None
    except OverflowError:
        return math.inf


def _bool(value: Value) -> bool:
    return to_bool(value)


_CASTS: dict[str, Callable[[Value], Value]] = {
    "string": to_text,
    "char": _char,
    "bool": _bool,
    "switchparameter": _bool,
    "double": _double,
    "single": _double,
    "version": _version,
    "guid": _guid,
    "datetime": to_date,
    "timespan": to_span,
    "hashtable": _hashtable,
    "pscustomobject": _custom,
    "object": lambda value: value,
    "void": lambda value: None,
    "pscredential": _credential,
    "scriptblock": _same(ScriptBlock, "scriptblock"),
    "securestring": _same(SecureString, "securestring"),
}


def known_type(name: str) -> bool:
    """Whether a type name means something here."""
    kind = canonical(name)
    return kind.removesuffix("[]") in _CASTS or kind.removesuffix("[]") in INTEGERS


def cast(name: str, value: Value) -> Value:
    """``[name] value``. Raises PsError as PowerShell does."""
    kind = canonical(name)
    if kind.endswith("[]"):
        inner = kind[:-2]
        if inner == "char" and isinstance(value, str):
            return [Char(one) for one in map(whole, units(value))]
        items = value if isinstance(value, list) else ([] if value is None else [value])
        return [cast(inner, item) for item in items]
    if kind in INTEGERS:
        return to_integer(value, kind)
    if kind in _CASTS:
        if value is None and kind in {"guid", "version", "datetime", "timespan"}:
            raise _no_cast(value, kind)
        return _CASTS[kind](value)
    raise unknown_type(name)


def unknown_type(name: str) -> PsError:
    """Either nobody knows the type or this host does not."""
    if "." in name or name.lower() in {"decimal", "regex", "xml", "ipaddress", "array", "type"}:
        return unspoken(f"the type [{name}]")
    return PsError(
        f"Unable to find type [{name}].",
        error_id="TypeNotFound",
        category="InvalidOperation",
        target=name,
    )


def is_type(value: Value, name: str) -> bool:
    """``value -is [name]``."""
    kind = canonical(name)
    if value is None:
        return False
    if kind in {"object", "pscustomobject"}:
        return kind == "object" or is_object(value)
    if kind == "object[]":
        return isinstance(value, list)
    actual = canonical(type_name(value))
    if kind in {"valuetype"}:
        return isinstance(value, (bool, int, float, datetime, timedelta, uuid.UUID, EnumValue))
    if kind == "enum":
        return isinstance(value, EnumValue)
    if not known_type(name) and "." not in name:
        raise unknown_type(name)
    return actual == kind or (kind == "single" and isinstance(value, float))


__all__ = [
    "INTEGERS",
    "Statics",
    "canonical",
    "cast",
    "cast_error",
    "display",
    "is_type",
    "known_type",
    "to_bool",
    "to_date",
    "to_integer",
    "to_number",
    "to_span",
    "unknown_type",
]
