"""Properties and indexes of values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from nestkit.practice.hyperv.powershell.convert_numbers import to_integer
from nestkit.practice.hyperv.powershell.text import (
    is_object,
    to_text,
    type_name,
    units,
    whole,
)
from nestkit.practice.hyperv.values import (
    Char,
    EnumValue,
    Hashtable,
    PropertyObject,
    PsError,
    Value,
    Version,
)

_MISSING = object()

_DATE: dict[str, Callable[[datetime], Value]] = {
    "year": lambda d: d.year,
    "month": lambda d: d.month,
    "day": lambda d: d.day,
    "hour": lambda d: d.hour,
    "minute": lambda d: d.minute,
    "second": lambda d: d.second,
    "millisecond": lambda d: d.microsecond // 1000,
    "dayofyear": lambda d: d.timetuple().tm_yday,
    "date": lambda d: d.replace(hour=0, minute=0, second=0, microsecond=0),
    "kind": lambda d: "Utc" if d.utcoffset() is not None else "Unspecified",
}
_SPAN: dict[str, Callable[[timedelta], Value]] = {
    "days": lambda s: int(s / timedelta(days=1)),
    "hours": lambda s: int(abs(s).seconds // 3600) * (1 if s >= timedelta() else -1),
    "minutes": lambda s: int(abs(s).seconds // 60 % 60) * (1 if s >= timedelta() else -1),
    "seconds": lambda s: int(abs(s).seconds % 60) * (1 if s >= timedelta() else -1),
    "milliseconds": lambda s: abs(s).microseconds // 1000,
    "ticks": lambda s: s // timedelta(microseconds=1) * 10,
    "totaldays": lambda s: s / timedelta(days=1),
    "totalhours": lambda s: s / timedelta(hours=1),
    "totalminutes": lambda s: s / timedelta(minutes=1),
    "totalseconds": lambda s: s.total_seconds(),
    "totalmilliseconds": lambda s: s / timedelta(milliseconds=1),
}
_VERSION = ("major", "minor", "build", "revision")


class Properties:
    """``$x.PSObject.Properties``: an array of name and value that is indexed by name."""

    type_name = "System.Management.Automation.PSMemberInfoIntegratingCollection"

    def __init__(self, value: Value) -> None:
        keys = value if isinstance(value, Hashtable) else value.names()
        read = value.__getitem__ if isinstance(value, Hashtable) else value.get
        self.items = [
            PropertyObject(
                {"Name": to_text(key), "Value": read(key), "MemberType": "NoteProperty"},
                type_name="System.Management.Automation.PSNoteProperty",
            )
            for key in keys
        ]

    def names(self) -> Iterator[str]:
        """It has none of its own."""
        return iter(())

    def get(self, name: str) -> Value:
        """Members of the properties, as an array has them."""
        if name.lower() in {"name", "value", "membertype"}:
            return [item.get(name) for item in self.items]
        if name.lower() in {"count", "length"}:
            return len(self.items)
        raise KeyError(name)

    def set(self, name: str, value: Value) -> None:
        """Nothing can be set."""
        raise KeyError(name)

    def named(self, name: str) -> Value:
        """One property by its name; None where there is none."""
        low = name.lower()
        return next((i for i in self.items if i.get("Name").lower() == low), None)


def _own(value: Value, low: str) -> Any:
    """A property of a value itself, or _MISSING."""
    match value:
        case Hashtable():
            if low in value:
                return value[low]
            if low == "count":
                return len(value)
            if low == "keys":
                return list(value)
            if low == "values":
                return [v for _, v in value.items()]
        case list():
            if low in {"count", "length"}:
                return len(value)
        case str():
            if low == "length":
                return len(units(value))
        case datetime():
            return _DATE[low](value) if low in _DATE else _MISSING
        case timedelta():
            return _SPAN[low](value) if low in _SPAN else _MISSING
        case Version():
            return getattr(value, low) if low in _VERSION else _MISSING
        case EnumValue():
            return value.number if low == "value__" else _MISSING
    if is_object(value):
        try:
            return value.get(low)
        except KeyError:
            return _MISSING
    return _MISSING


def get_member(value: Value, name: str, *, strict: bool = False) -> Value:
    """``value.name``; null where there is no such property.

    Raises PsError for that in strict mode.
    """
    low = name.lower()
    found = _own(value, low)
    if found is _MISSING and low == "psobject":
        if isinstance(value, Hashtable) or is_object(value):
            return PropertyObject(
                {"Properties": Properties(value), "TypeNames": [type_name(value), "System.Object"]},
                type_name="System.Management.Automation.PSMemberSet",
            )
        return None
    if found is _MISSING and isinstance(value, list):
        return _enumerated(value, low, name, strict)
    if found is _MISSING and low in {"count", "length"}:
        return 0 if value is None else 1
    if found is not _MISSING:
        return found
    if strict:
        raise PsError(
            f"The property '{name}' cannot be found on this object. Verify that the property "
            "exists.",
            error_id="PropertyNotFoundStrict",
            category="NotSpecified",
        )
    return None


def _enumerated(items: list[Value], low: str, name: str, strict: bool) -> Value:
    """A property of every member of an array."""
    out: list[Value] = []
    hits = 0
    for item in items:
        found = _own(item, low)
        if found is _MISSING and low == "psobject" and item is not None:
            found = get_member(item, name)
        if found is _MISSING:
            continue
        hits += 1
        out += found if isinstance(found, list) else [found]
    if not hits:
        if strict:
            return get_member(0, name, strict=True)
        return None
    return out[0] if len(out) == 1 else out


def set_member(value: Value, name: str, new: Value) -> None:
    """``value.name = new``. Raises PsError where that cannot be."""
    if isinstance(value, Hashtable):
        value[name] = new
        return
    if is_object(value):
        try:
            value.set(name, new)
        except KeyError:
            pass
        except AttributeError:
            raise PsError(
                f"'{name}' is a ReadOnly property.",
                error_id="PropertyAssignmentException",
                category="InvalidOperation",
            ) from None
        else:
            return
    raise PsError(
        f"The property '{name}' cannot be found on this object. Verify that the property exists "
        "and can be set.",
        error_id="PropertyNotFound" if value is None else "PropertyAssignmentException",
        category="InvalidOperation",
    )


def get_index(value: Value, index: Value) -> Value:
    """``value[index]``; null beyond the end."""
    if value is None:
        raise PsError(
            "Cannot index into a null array.",
            error_id="NullArray",
            category="InvalidOperation",
        )
    if isinstance(index, list):
        if any(isinstance(one, list) for one in index):
            raise PsError(
                "Array assignment to an index is not possible.",
                error_id="InvalidIndex",
                category="InvalidOperation",
            )
        return [get_index(value, one) for one in index]
    if isinstance(value, Hashtable):
        return value.get(_key(index))
    if isinstance(value, Properties):
        if isinstance(index, str):
            return value.named(index)
        value = value.items
    if isinstance(value, (list, str)) and not isinstance(value, Char):
        at = to_integer(index, "int32")
        held = units(value) if isinstance(value, str) else value
        found = held[at] if -len(held) <= at < len(held) else None
        return Char(whole(found)) if isinstance(value, str) and found else found
    if isinstance(index, int) and index in {0, -1}:
        return value
    raise PsError(
        f"Unable to index into an object of type {type_name(value)}.",
        error_id="CannotIndex",
        category="InvalidOperation",
        target=to_text(index)[:60],
    )


def _key(index: Value) -> Value:
    if isinstance(index, (list, Hashtable)) or index is None:
        raise PsError(
            "A null or a collection cannot be a key of a hash table.",
            error_id="InvalidKey",
            category="InvalidOperation",
        )
    try:
        hash(index)
    except TypeError:
        return id(index)
    return index


def set_index(value: Value, index: Value, new: Value) -> None:
    """``value[index] = new``."""
    if isinstance(value, Hashtable):
        value[_key(index)] = new
        return
    if isinstance(value, list):
        at = to_integer(index, "int32")
        if -len(value) <= at < len(value):
            value[at] = new
            return
        raise PsError(
            "Index was outside the bounds of the array.",
            error_id="System.IndexOutOfRangeException",
            category="OperationStopped",
        )
    raise PsError(
        "Cannot index into a null array."
        if value is None
        else f"Unable to index into an object of type {type_name(value)}.",
        error_id="NullArray" if value is None else "CannotIndex",
        category="InvalidOperation",
    )
