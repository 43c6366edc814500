"""The methods and static members a script may use: a list, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nestkit.practice.hyperv.powershell.comparison import order
from nestkit.practice.hyperv.powershell.convert_numbers import to_integer, to_number
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.formats import formatted
from nestkit.practice.hyperv.powershell.limits import LimitExceededError
from nestkit.practice.hyperv.powershell.text import (
    is_object,
    to_text,
    type_name,
    units,
    whole,
)
from nestkit.practice.hyperv.values import (
    Char,
    Hashtable,
    PropertyObject,
    PsError,
    Value,
    Version,
)

_MOST_PIECES = 200_000
Method = Callable[[Any, Sequence[Value]], Value]


def _int(value: Value) -> int:
    return to_integer(value, "int32")


def _chars(args: Sequence[Value]) -> str | None:
    texts = [to_text(a) for arg in args for a in (arg if isinstance(arg, list) else [arg])]
    return "".join(texts) or None


def _bounds(text: str, start: int, length: int) -> None:
    if not 0 <= start <= start + length <= len(text):
        raise PsError(
            'Exception calling "Substring": "Index and length must refer to a location within the '
            'string."',
            error_id="ArgumentOutOfRangeException",
            category="NotSpecified",
        )


def _substring(text: str, args: Sequence[Value]) -> str:
    start = _int(args[0])
    length = _int(args[1]) if len(args) > 1 else len(text) - start
    _bounds(text, start, length)
    return text[start : start + length]


def _split(text: str, args: Sequence[Value]) -> list[Value]:
    marks = _chars(args)
    if sum(text.count(mark) for mark in set(marks or " ")) > _MOST_PIECES:
        raise LimitExceededError(f"a string would fall into more than {_MOST_PIECES} pieces")
    if marks is None:
        return [*text.split(" ")]
    for mark in marks[1:]:
        text = text.replace(mark, marks[0])
    return [*text.split(marks[0])]


def _pad(text: str, args: Sequence[Value], *, left: bool) -> str:
    width, fill = _int(args[0]), to_text(args[1])[:1] if len(args) > 1 else " "
    if not 0 <= width <= 100_000:
        raise unspoken("padding of that width")
    return text.rjust(width, fill) if left else text.ljust(width, fill)


def _replaced(text: str, args: Sequence[Value]) -> str:
    old, new = to_text(args[0]), to_text(args[1])
    if not old:
        raise PsError("String cannot be of zero length.", error_id="ArgumentException")
    if len(new) > 1 and text.count(old) * len(new) > 4_000_000:
        raise unspoken("a replacement that long")
    return text.replace(old, new)


def _mark(args: Sequence[Value]) -> str:
    return to_text(args[0])


_TEXT: dict[str, Method] = {
    "toupper": lambda s, a: s.upper(),
    "toupperinvariant": lambda s, a: s.upper(),
    "tolower": lambda s, a: s.lower(),
    "tolowerinvariant": lambda s, a: s.lower(),
    "trim": lambda s, a: s.strip(_chars(a)),
    "trimstart": lambda s, a: s.lstrip(_chars(a)),
    "trimend": lambda s, a: s.rstrip(_chars(a)),
    "startswith": lambda s, a: s.startswith(_mark(a)),
    "endswith": lambda s, a: s.endswith(_mark(a)),
    "contains": lambda s, a: _mark(a) in s,
    "indexof": lambda s, a: s.find(_mark(a)),
    "lastindexof": lambda s, a: s.rfind(_mark(a)),
    "replace": _replaced,
    "substring": _substring,
    "split": _split,
    "padleft": lambda s, a: _pad(s, a, left=True),
    "padright": lambda s, a: _pad(s, a, left=False),
    "tochararray": lambda s, a: [*map(Char, s[: _MOST_PIECES + 1])],
    "compareto": lambda s, a: order(s, a[0]),
}


def _in_units(method: Method) -> Method:
    """The method over what .NET counts as characters, and its answer back as text."""

    def work(value: Any, args: Sequence[Value]) -> Value:
        texts = [units(each) if isinstance(each, str) else each for each in args]
        made = method(units(value), texts)
        if isinstance(made, list):
            return [type(each)(whole(each)) for each in made]
        return whole(made) if isinstance(made, str) else made

    return work


_STRING = {name: _in_units(method) for name, method in _TEXT.items()}


def _same(left: Value, right: Value) -> bool:
    """.NET's Equals: values by value, everything else by identity."""
    if isinstance(left, (list, Hashtable)) or is_object(left):
        return left is right
    return type(left) is type(right) and bool(left == right)


def _index_of(items: list[Value], args: Sequence[Value]) -> int:
    return next((at for at, item in enumerate(items) if _same(item, args[0])), -1)


_LIST: dict[str, Method] = {
    "contains": lambda v, a: _index_of(v, a) >= 0,
    "indexof": _index_of,
}


def _add(table: Hashtable, args: Sequence[Value]) -> None:
    if args[0] in table:
        raise PsError(
            f"Item has already been added. Key in dictionary: '{to_text(args[0])}'",
            error_id="ArgumentException",
            category="NotSpecified",
        )
    table[args[0]] = args[1]


def _entries(table: Hashtable, args: Sequence[Value]) -> list[Value]:
    return [
        PropertyObject(
            {"Key": k, "Value": v, "Name": k}, type_name="System.Collections.DictionaryEntry"
        )
        for k, v in table.items()
    ]


_TABLE: dict[str, Method] = {
    "containskey": lambda h, a: a[0] in h,
    "contains": lambda h, a: a[0] in h,
    "containsvalue": lambda h, a: any(_same(v, a[0]) for _, v in h.items()),
    "add": _add,
    "remove": lambda h, a: h.remove(a[0]),
    "getenumerator": _entries,
    "clone": lambda h, a: Hashtable(dict(h.items())),
}


def _shifted(unit: str) -> Method:
    def shift(date: datetime, args: Sequence[Value]) -> datetime:
        try:
            return date + timedelta(**{unit: float(to_number(args[0]))})
        except (OverflowError, ValueError):
            raise PsError(
                "The added or subtracted value results in an un-representable DateTime.",
                error_id="ArgumentOutOfRangeException",
            ) from None

    return shift


_DATE: dict[str, Method] = {
    "touniversaltime": lambda d, a: d.astimezone(UTC),
    "tolocaltime": lambda d, a: d,  # the practice host lives in UTC
    "adddays": _shifted("days"),
    "addhours": _shifted("hours"),
    "addminutes": _shifted("minutes"),
    "addseconds": _shifted("seconds"),
    "addmilliseconds": _shifted("milliseconds"),
    "compareto": lambda d, a: order(d, a[0]),
}


def _text_of(value: Value, args: Sequence[Value]) -> str:
    form = args[0] if args and isinstance(args[0], str) else ""
    return formatted(value, form)


def _type_of(value: Value, args: Sequence[Value]) -> Value:
    full = type_name(value)
    return PropertyObject(
        {"Name": full.rpartition(".")[2], "FullName": full, "IsArray": isinstance(value, list)},
        type_name="System.RuntimeType",
        methods={"tostring": lambda: full},
    )


_ANY: dict[str, Method] = {
    "tostring": _text_of,
    "gettype": _type_of,
    "equals": lambda v, a: _same(v, a[0]),
}


def call(value: Value, name: str, args: Sequence[Value]) -> Value:
    """``value.name(args)``. Raises PsError for a method that is not on the list."""
    low = name.lower()
    if value is None:
        raise PsError(
            "You cannot call a method on a null-valued expression.",
            error_id="InvokeMethodOnNull",
            category="InvalidOperation",
        )
    own = getattr(value, "methods", None)
    if own and low in own:
        return _guarded(lambda v, a: own[low](*a), value, name, args)
    table: dict[str, Method] = {}
    match value:
        case Char():
            table = {"compareto": _STRING["compareto"]}
        case str():
            table = _STRING
        case list():
            table = _LIST
        case Hashtable():
            table = _TABLE
        case datetime():
            table = _DATE
        case Version():
            table = {"compareto": lambda v, a: order(v, a[0])}
    method = table.get(low) or _ANY.get(low)
    if method is None and isinstance(value, list):
        if any(isinstance(item, list) for item in value):
            raise unspoken("methods of arrays inside arrays")
        return [call(item, name, args) for item in value]
    if method is None:
        known = isinstance(value, PropertyObject) or is_object(value)
        if known:
            raise PsError(
                f"Method invocation failed because [{type_name(value)}] does not contain a method "
                f"named '{name}'.",
                error_id="MethodNotFound",
                category="InvalidOperation",
                target=name[:60],
            )
        raise unspoken(f"the method {name[:60]} of {type_name(value)}")
    return _guarded(method, value, name, args)


def _guarded(method: Method, value: Value, name: str, args: Sequence[Value]) -> Value:
    try:
        return method(value, args)
    except (IndexError, TypeError, ValueError, AttributeError):
        raise PsError(
            f'Cannot find an overload for "{name}" and the argument count: "{len(args)}".',
            error_id="MethodCountCouldNotFindBest",
            category="NotSpecified",
        ) from None
