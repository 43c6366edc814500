"""From a parameter's type to a labelled widget, and from its value to Python source.

One table, :func:`kind_of`, decides for every form.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, Literal, Union

import ipywidgets as w

from nestkit.errors import CourseError

SECRETS: Final = frozenset({"password", "guest_password", "passphrase", "secret", "token"})
LOOK_UP: Final = 'os.environ["NESTKIT_PASSWORD"]'  # how code names a secret without it
LOOK_UP_GUEST: Final = 'os.environ["NESTKIT_GUEST_PASSWORD"]'
UNITS: Final = {
    "gib": "GiB", "mib": "MiB", "kib": "KiB", "mbps": "Mbit/s", "hz": "Hz", "pct": "%",
    "s": "s", "ms": "ms", "us": "µs", "ns": "ns",
}  # fmt: skip
_STYLE: Final = {"description_width": "13em"}
_LAYOUT: Final = {"width": "36em", "max_width": "100%"}
# a value per keystroke can reach the kernel after the click on Run, which then acts on half a word
_WHOLE: Final = {"continuous_update": False}


@dataclass(frozen=True, slots=True)
class Field:
    """How one parameter is shown; what is left empty follows from the signature.

    ``choices`` turns the field into a list to choose from, whatever its type; ``lines`` gives
    text so many lines to be written in.
    """

    label: str = ""
    unit: str = ""
    choices: Sequence[Any] = ()
    default: Any = inspect.Parameter.empty
    help: str = ""
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: how to make the widget, and how to read its value."""

    make: Callable[[Any, dict[str, Any]], w.Widget]
    read: Callable[[Any], Any]


def label_of(name: str, field: Field) -> str:
    """A parameter's name as a label with its unit: ``memory_gib`` → "Memory (GiB)"."""
    head, _, tail = name.rpartition("_")
    unit = field.unit or (UNITS.get(tail, "") if head else "")
    words = head if head and tail in UNITS and not field.unit else name
    shown = field.label or words.replace("_", " ").strip().capitalize()
    return f"{shown} ({unit})" if unit else shown


def _text(default: Any, common: dict[str, Any]) -> w.Widget:
    return w.Text(value="" if default is None else str(default), **_WHOLE, **common)


def _long_text(lines: int) -> Kind:
    def make(default: Any, common: dict[str, Any]) -> w.Widget:
        # Enter stays in the field, Tab leaves it: that is the browser's own doing
        layout = _LAYOUT | {"width": "52em"}
        return w.Textarea(
            value=str(default or ""), rows=lines, **_WHOLE, **common | {"layout": layout}
        )

    return Kind(make, _same)


def _number(convert: Callable[[str], float]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                value = convert(value.strip())
            except ValueError:
                raise CourseError(
                    f"{value!r} is not a number", remedy="write digits, or leave the field empty"
                ) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise CourseError(f"{value} is not a number that can be used", remedy="write digits")
        return value

    return read


def _same(value: Any) -> Any:
    return value


def _choice(options: Sequence[Any]) -> Kind:
    values = tuple(options)

    def make(default: Any, common: dict[str, Any]) -> w.Widget:
        # labels go to the browser, positions come back: any value can be chosen, even None
        labels = [("(none)" if v is None else str(v) or "(empty)", i) for i, v in enumerate(values)]
        index = next((i for i, v in enumerate(values) if v == default), 0)
        return w.Dropdown(options=labels, value=index, **common)

    return Kind(make, lambda index: values[index])


KINDS: Final[dict[Any, Kind]] = {
    bool: Kind(lambda d, c: w.Checkbox(value=bool(d), indent=True, **c), _same),
    int: Kind(lambda d, c: w.IntText(value=int(d or 0), **c), _same),
    float: Kind(lambda d, c: w.FloatText(value=float(d or 0), **c), _number(float)),
    str: Kind(_text, _same),
    tuple[str, ...]: Kind(
        lambda d, c: _text("; ".join(d or ()), c | {"placeholder": "several: separated by ;"}),
        lambda v: tuple(part.strip() for part in v.split(";") if part.strip()),
    ),
    Path: Kind(_text, Path),
    "int or nothing": Kind(_text, _number(int)),
    "float or nothing": Kind(_text, _number(float)),
    "str or nothing": Kind(_text, lambda v: v or None),
    "Path or nothing": Kind(_text, lambda v: Path(v) if v else None),
    "secret": Kind(
        lambda d, c: w.Password(value="", placeholder="empty: it is looked up", **_WHOLE, **c),
        lambda v: v or None,
    ),
}


def kind_of(name: str, annotation: Any, field: Field) -> Kind:
    """The row of the table for a parameter.

    Raises
    ------
    CourseError
        If no widget stands for the type.
    """
    if name in SECRETS:
        return KINDS["secret"]
    if field.choices:
        return _choice(field.choices)
    if annotation is str and field.lines > 1:
        return _long_text(field.lines)
    if typing.get_origin(annotation) is Literal:
        return _choice(typing.get_args(annotation))
    if typing.get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        optional = len(parts) < len(typing.get_args(annotation))
        if set(parts) == {str, Path}:
            parts = [str]
        if len(parts) == 1:
            if typing.get_origin(parts[0]) is Literal and optional:
                return _choice((None, *typing.get_args(parts[0])))
            if not optional or parts[0] is bool:
                return kind_of(name, parts[0], field)
            key = f"{getattr(parts[0], '__name__', '')} or nothing"
            if key in KINDS:
                return KINDS[key]
    elif annotation in KINDS:
        return KINDS[annotation]
    raise CourseError(
        f"a form has no field for {name}: {inspect.formatannotation(annotation)}",
        remedy=f"pass a value for it in bind=, or choices for it in fields={{'{name}': …}}",
    )


def build(name: str, annotation: Any, default: Any, field: Field) -> tuple[w.Widget, Kind]:
    """The labelled widget for a parameter, and how to read it."""
    kind = kind_of(name.rpartition(".")[2], annotation, field)
    value = field.default if field.default is not inspect.Parameter.empty else default
    if value is inspect.Parameter.empty:
        value = None
    common = {
        "description": label_of(name.rpartition(".")[2], field),
        "style": dict(_STYLE),
        "layout": dict(_LAYOUT),
    }
    if field.help:
        common["tooltip"] = field.help
    return kind.make(value, common), kind


def source_of(value: Any) -> str:
    """A value as Python source that evaluates to it, given ``nk`` and ``pathlib``.

    Raises
    ------
    CourseError
        If the value has no such source.
    """
    if isinstance(value, str):
        written = repr(value)
        # double quotes where nothing must be escaped for them, as the lessons write text
        return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written else written
    if value is None or isinstance(value, int | float):
        return repr(value)
    if isinstance(value, PurePath):
        return f"pathlib.Path({str(value)!r})"
    if isinstance(value, tuple):
        return "(" + "".join(f"{source_of(item)}, " for item in value).rstrip() + ")"
    if isinstance(value, list):
        return "[" + ", ".join(source_of(item) for item in value) + "]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        arguments = (
            f"{item.name}={source_of(getattr(value, item.name))}"
            for item in dataclasses.fields(value)
            if item.init and getattr(value, item.name) != default_of(item)
        )
        return f"{public_name(type(value))}({', '.join(arguments)})"
    raise CourseError(
        f"a {type(value).__name__} cannot be written as source",
        remedy="give it a name: bind={'parameter': ('name', value)}",
    )


def default_of(item: dataclasses.Field[Any]) -> Any:
    """A dataclass field's default, or ``inspect.Parameter.empty``."""
    if item.default is not dataclasses.MISSING:
        return item.default
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return inspect.Parameter.empty


def public_name(thing: Any) -> str:
    """How a lesson writes it: ``nk.preflight.check`` for nestkit's own, else its bare name."""
    import nestkit

    name: str = thing.__name__
    parts = thing.__module__.split(".")
    if parts[0] == "nestkit":
        for end in range(1, len(parts) + 1):
            holder: Any = nestkit
            for part in parts[1:end]:
                holder = getattr(holder, part, None)
            if getattr(holder, name, None) is thing:
                return re.sub(r"^nestkit", "nk", ".".join([*parts[:end], name]))
    return name
