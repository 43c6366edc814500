"""The call behind a form: its fields, its values, and how it is written."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import ipywidgets as w

from nestkit.course.fields import (
    LOOK_UP,
    LOOK_UP_GUEST,
    SECRETS,
    Field,
    Kind,
    build,
    default_of,
    source_of,
)
from nestkit.errors import CourseError

Bind = Mapping[str, tuple[str, Any]]  # parameter → (how the code writes it, its value)
CONTROLS: Final = frozenset({"cancel", "progress"})
_WIDE: Final = 88  # a call longer than this is written with one argument a line


@dataclass(frozen=True, slots=True)
class Part:
    """One field: the parameter (or ``goal.cpu_count``) it fills, its widget, how to read it."""

    name: str
    default: Any
    widget: w.Widget
    kind: Kind

    @property
    def is_secret(self) -> bool:
        """True if what is typed must never be shown or kept."""
        return self.name in SECRETS

    def value(self) -> Any:
        """What the field holds now, as the function takes it."""
        return self.kind.read(self.widget.value)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: how it is written, and the values it is made with."""

    source: str
    args: tuple[Any, ...] = field(repr=False)
    kwargs: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def call_of(function: Callable[..., Any], name: str, parts: tuple[Part, ...], bind: Bind) -> Call:
    """The call that the fields make now.

    An argument that equals the parameter's default is left out, as one writes it by hand.

    Raises
    ------
    CourseError
        If a field holds what its type cannot be.
    """
    parameters = inspect.signature(function).parameters
    values = {key: value for key, (_, value) in bind.items()}
    sources = {key: source for key, (source, _) in bind.items()}
    secrets: list[str] = []
    groups: dict[str, dict[str, Any]] = {}
    for part in parts:
        group, _, item = part.name.rpartition(".")
        value = part.value()
        if group:
            groups.setdefault(group, {})[item] = value
        elif part.is_secret:
            if value is not None:
                look_up = LOOK_UP_GUEST if part.name == "guest_password" else LOOK_UP
                values[part.name], sources[part.name] = value, look_up
                secrets.append(value)
        elif value != part.default or type(value) is not type(part.default):
            values[part.name], sources[part.name] = value, source_of(value)
    for group, items in groups.items():
        kind = _dataclass_in(_annotation(function, parameters[group]))
        value = kind(**items) if kind else None
        values[group], sources[group] = value, source_of(value)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    written: list[str] = []
    for key, parameter in parameters.items():
        if key not in values:
            continue
        required = parameter.default is inspect.Parameter.empty
        if required and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            args.append(values[key])
            written.append(sources[key])
        else:
            kwargs[key] = values[key]
            written.append(f"{key}={sources[key]}")
    source = f"{name}({', '.join(written)})"
    if len(source) > _WIDE:
        source = f"{name}(\n" + "".join(f"    {item},\n" for item in written) + ")"
    return Call(source, tuple(args), kwargs, tuple(secrets))


def parts_for(
    function: Callable[..., Any], fields: Mapping[str, Field | str] | None, bind: Bind
) -> tuple[Part, ...]:
    """The fields for the parameters of a function; see :func:`nestkit.course.forms.form_for`."""
    parameters = inspect.signature(function).parameters
    given = {
        key: Field(label=value) if isinstance(value, str) else value
        for key, value in (fields or {}).items()
    }
    for key in [*bind, *(key.partition(".")[0] for key in given)]:
        if key not in parameters:
            raise CourseError(
                f"{getattr(function, '__name__', function)} has no parameter {key!r}",
                remedy=f"it has {', '.join(parameters)}",
            )
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    shown = [
        p
        for p in parameters.values()
        if p.name not in bind and p.name not in CONTROLS and p.kind not in variadic
    ]
    if fields is not None:
        order = list(dict.fromkeys(key.partition(".")[0] for key in given))
        shown = sorted((p for p in shown if p.name in order), key=lambda p: order.index(p.name))
    parts: list[Part] = []
    for parameter in shown:
        own = given.get(parameter.name, Field())
        annotation = Any if own.choices else _annotation(function, parameter)
        kind = _dataclass_in(annotation)
        if kind is None:
            widget, how = build(parameter.name, annotation, parameter.default, own)
            parts.append(Part(parameter.name, parameter.default, widget, how))
        else:
            parts.extend(_expand(parameter, kind, given))
    return tuple(parts)


def _expand(parameter: inspect.Parameter, kind: type, given: Mapping[str, Field]) -> list[Part]:
    """One part for each field of a dataclass, or for those that are named."""
    hints = typing.get_type_hints(kind)
    start = parameter.default if isinstance(parameter.default, kind) else None
    picked = [key for key in given if key.startswith(f"{parameter.name}.")]
    parts = []
    for item in dataclasses.fields(kind):
        key = f"{parameter.name}.{item.name}"
        if not item.init or (picked and key not in picked):
            continue
        default = getattr(start, item.name) if start is not None else default_of(item)
        widget, how = build(key, hints[item.name], default, given.get(key, Field()))
        parts.append(Part(key, default, widget, how))
    return parts


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """One parameter's type; the other parameters' may be names only a type checker sees."""
    annotation = parameter.annotation
    if not isinstance(annotation, str):
        return annotation

    def stub() -> None: ...

    stub.__annotations__ = {parameter.name: annotation}
    space = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return typing.get_type_hints(stub, globalns=space)[parameter.name]
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise CourseError(
            f"the type of {parameter.name} cannot be read: {error}",
            remedy=f"pass a value for it in bind=, or choices in fields={{'{parameter.name}': …}}",
        ) from error


def _dataclass_in(annotation: Any) -> type | None:
    """The dataclass that a parameter's fields come from, or None."""
    options = [a for a in typing.get_args(annotation) if a is not type(None)] or [annotation]
    one = options[0] if len(options) == 1 else None
    return one if isinstance(one, type) and dataclasses.is_dataclass(one) else None
