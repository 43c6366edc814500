"""Objects as scripts see them: live views of the model's records.

A view type is a table of names and getters, so that ten thousand VMs cost ten thousand small
objects and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nestkit.practice.hyperv.looks import Columns
from nestkit.practice.hyperv.values import EnumValue, PropertyObject, Value

Getter = Callable[[Any], Value]


class ViewType:
    """A .NET type: its name, its properties in order, and its columns where it has some."""

    def __init__(
        self, type_name: str, fields: Mapping[str, Getter], columns: Columns | None = None
    ) -> None:
        self.type_name = type_name
        self.columns = columns
        self.fields = {name.lower(): (name, getter) for name, getter in fields.items()}

    def __call__(self, source: Any, **context: Any) -> View:
        """A view of a record. ``context`` is what getters find beside it."""
        return View(self, source, context)


class View:
    """One object; ``source`` is the record behind it."""

    __slots__ = ("context", "kind", "source")

    def __init__(self, kind: ViewType, source: Any, context: dict[str, Any]) -> None:
        self.kind = kind
        self.source = source
        self.context = context

    @property
    def type_name(self) -> str:
        """As ``Get-Member`` would show it."""
        return self.kind.type_name

    def names(self) -> Iterator[str]:
        """The properties' names, in order."""
        return (name for name, _ in self.kind.fields.values())

    def columns(self) -> dict[str, Value] | None:
        """What a table of such objects shows, by heading; None: its properties."""
        if self.kind.columns is None:
            return None
        return {
            heading: self.get(name) if unit == 1 else self.get(name) // unit
            for heading, (name, unit) in self.kind.columns.items()
        }

    def get(self, name: str) -> Value:
        """A property's value. Raises KeyError where there is none."""
        return self.kind.fields[name.lower()][1](self)

    def set(self, name: str, value: Value) -> None:
        """Views cannot be changed; Hyper-V's own objects want their Set- cmdlets too."""
        del value
        real, _ = self.kind.fields[name.lower()]
        raise AttributeError(real)

    def __repr__(self) -> str:
        return f"<{self.type_name}>"


def record(type_name: str, values: Mapping[str, Value]) -> PropertyObject:
    """A plain object with values of its own."""
    return PropertyObject(values, type_name=type_name)


def enum(type_name: str, members: Mapping[str, int]) -> Callable[[str], EnumValue]:
    """Values of a .NET enumeration by name."""
    values = {name: EnumValue(type_name, name, number) for name, number in members.items()}
    return values.__getitem__
