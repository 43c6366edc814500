"""How values left over at the end of a pipeline look on the console.

A plain stand-in for 5.1's formatting: text as it is, objects of up to four properties as a table,
others as a list. Hyper-V's own objects bring their columns, as its format file gives them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from nestkit.practice.hyperv.powershell.limits import Budget
from nestkit.practice.hyperv.powershell.records import ErrorRecord, error_lines
from nestkit.practice.hyperv.powershell.text import is_object, to_text, type_name
from nestkit.practice.hyperv.values import Char, EnumValue, Hashtable, PsError, SecureString, Value

_TABLE_COLUMNS = 4
_CELL = 60
_WIDEST = 200
_DOTS = "..."


class Field(NamedTuple):
    """A property as the formatter shows it."""

    name: str
    text: str
    at_right: bool = False  # of its column; the first row decides
    width: int = 0  # of its column, where it was said; 0: as its texts need

    @classmethod
    def of(cls, name: str, value: Value) -> Field:
        """A property with the look of its value."""
        return cls(name, cell(value), stands_right(value))


def stands_right(value: Value) -> bool:
    """Whether a column of such values stands at the right: all scalars but text.

    Source: PowerShell, FormatViewGenerator_Table.cs (ComputeDefaultAlignment) and its list of
    scalar types, which 5.1 has too.
    """
    return isinstance(value, (bool, int, float, EnumValue, Char, SecureString))


class Formatted:
    """Lines that Format-List or Format-Table made; type as PowerShell names it."""

    type_name = "Microsoft.PowerShell.Commands.Internal.Format.FormatEntryData"

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = list(lines)

    def names(self) -> Iterator[str]:
        """No properties."""
        return iter(())

    def get(self, name: str) -> Value:
        """No properties."""
        raise KeyError(name)

    def set(self, name: str, value: Value) -> None:
        """No properties."""
        raise KeyError(name)


def looks(value: Value) -> list[Field] | None:
    """The columns that a type has of its own, at the left; None where it has none."""
    own = getattr(value, "columns", None)
    found = own() if own is not None else None
    return None if found is None else [Field(name, cell(one)) for name, one in found.items()]


def pairs(value: Value) -> list[Field]:
    """An object's properties as text."""
    found = []
    for name in value.names():
        try:
            found.append(Field.of(name, value.get(name)))
        except (KeyError, PsError):
            found.append(Field(name, ""))
    return found


def cell(value: Value) -> str:
    """A property's value as the formatter shows it."""
    if isinstance(value, list):
        return "{" + ", ".join(to_text(item)[:_CELL] for item in value[:4]) + "}"
    return to_text(value)


def as_list(rows: Iterable[list[Field]]) -> Iterator[str]:
    """``name : value`` lines."""
    yield ""
    for row in rows:
        width = min(_WIDEST, max((len(field.name) for field in row), default=0))
        for field in row:
            yield f"{field.name.ljust(width)} : {field.text}"
        yield ""
    yield ""


def as_table(rows: Sequence[list[Field]], *, header: bool = True) -> list[str]:
    """Columns under their names."""
    if not rows:
        return []
    names = [field.name for field in rows[0]]
    pads = [str.rjust if field.at_right else str.ljust for field in rows[0]]
    cells = [[field.text[:_WIDEST].replace("\n", " ") for field in row] for row in rows]
    widths = [
        field.width or max(len(field.name), *(len(row[i]) for row in cells if i < len(row)), 1)
        for i, field in enumerate(rows[0])
    ]

    def line(texts: Sequence[str]) -> str:
        cut = (_cut(t, f, w) for t, f, w in zip(texts, rows[0], widths, strict=False))
        padded = (pad(t, w) for pad, t, w in zip(pads, cut, widths, strict=False))
        return " ".join(padded).rstrip()

    head = [line(names), line(["-" * len(n) for n in names])] if header else []
    return ["", *head, *(line(row) for row in cells), "", ""]


def _cut(text: str, field: Field, width: int) -> str:
    """A text too long for its column: dots at the side that is cut (PowerShell, TableWriter.cs)."""
    if len(text) <= width:
        return text
    keep = width - len(_DOTS)
    if keep <= 0:
        return text[-width:] if field.at_right else text[:width]
    return _DOTS + text[-keep:] if field.at_right else text[:keep] + _DOTS


def shown(values: Sequence[Value], budget: Budget) -> Iterator[str]:
    """Lines for the console, one by one: together they may be more than memory holds."""
    for kind, group in groupby(values, key=_kind):
        members = list(group)
        budget.step(len(members))
        if kind == "text":
            for value in members:
                if value is not None:
                    yield from to_text(value).splitlines() or [""]
        elif kind == "formatted":
            for value in members:
                yield from value.lines
        elif kind == "error":
            for value in members:
                yield from error_lines(value.error)
        elif kind == "hashtable":
            rows = [
                [Field("Name", to_text(k)), Field("Value", cell(v))]
                for h in members
                for k, v in h.items()
            ]
            yield from as_table(rows)
        else:
            own = [row for value in members if (row := looks(value)) is not None]
            rows = own or [pairs(value) for value in members]
            is_table = bool(own) or len(rows[0]) <= _TABLE_COLUMNS
            yield from as_table(rows) if is_table else as_list(rows)


def _kind(value: Value) -> str:
    if isinstance(value, ErrorRecord):
        return "error"
    if isinstance(value, Formatted):
        return "formatted"
    if isinstance(value, Hashtable):
        return "hashtable"
    if is_object(value) and any(True for _ in value.names()):
        own = getattr(value, "methods", {})
        return "text" if "tostring" in own else "object " + type_name(value)
    return "text"
