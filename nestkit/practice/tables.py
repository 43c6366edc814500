"""Checked reading of TOML: every complaint names file, line and field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from nestkit.errors import DataFileError

T = TypeVar("T")
_REMEDY = "correct that line, or leave out inventory= to use the one that comes with nestkit"
_MISSING: Any = object()


class Source:
    """A TOML file and its text, to find lines in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
            self.data: dict[str, Any] = tomllib.loads(self.text)
        except OSError as error:
            raise DataFileError(
                f"{path.name}:0: file: {path} cannot be read: {error.strerror}",
                remedy="check the path given as inventory=",
            ) from error
        except UnicodeDecodeError as error:
            raise DataFileError(
                f"{path.name}:0: file: not UTF-8 text", remedy="save it as UTF-8"
            ) from error
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            number = line[1] if line else self.text.count("\n") + 1
            raise DataFileError(f"{path.name}:{number}: syntax: {error}", remedy=_REMEDY) from error

    def line(self, header: str, index: int, field: str) -> int:
        """The line of a field in the ``index``-th table with this header (1-based)."""
        lines = self.text.splitlines()
        title = re.compile(rf"^\s*\[\[?\s*{re.escape(header)}\s*\]\]?")
        starts = [n for n, text in enumerate(lines) if title.match(text)] if header else [-1]
        if not starts:
            return 1
        start = starts[min(index, len(starts) - 1)]
        name = re.compile(
            rf"^\s*\[+\s*{re.escape(field)}\s*\]|(?:^|[\s{{,])\"?{re.escape(field)}\"?\s*="
        )
        for number in range(start + 1, len(lines)):
            if re.match(r"^\s*\[", lines[number]) and header:
                break
            if name.search(lines[number]):
                return number + 1
        return start + 1 if start >= 0 else 1


class Table:
    """One table of a :class:`Source`; ``take`` its fields, then ``done``."""

    def __init__(
        self, source: Source, data: object, header: str, index: int = 0, prefix: str = ""
    ) -> None:
        self.source, self.header, self.index, self.prefix = source, header, index, prefix
        if not isinstance(data, Mapping):
            self.complain(prefix or header, "must be a table")
        self.left: dict[str, Any] = dict(data)

    def complain(self, field: str, what: str) -> NoReturn:
        """Raise the :class:`DataFileError` for a field."""
        line = self.source.line(self.header, self.index, field.split(".")[0].split("[")[0])
        shown = f"{self.header}.{field}" if self.header else field
        raise DataFileError(f"{self.source.path.name}:{line}: {shown}: {what}", remedy=_REMEDY)

    def take(self, field: str, kind: type[T], default: T = _MISSING) -> T:
        """A field of this type; integers do for floats."""
        value = self.left.pop(field, default)
        if value is _MISSING:
            self.complain(field, "is missing")
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.complain(field, f"must be {_KINDS[kind]}, is {value!r}")
        return value

    def number(self, field: str, low: int, high: int, default: int = _MISSING) -> int:
        """An integer within bounds."""
        value = self.take(field, int, default)
        if not low <= value <= high:
            self.complain(field, f"must be from {low} to {high}, is {value}")
        return value

    def text(self, field: str, default: str = _MISSING) -> str:
        """Text that XML can carry."""
        value = self.take(field, str, default)
        if not value or not printable(value):
            self.complain(field, f"must be text without control characters, is {value!r}")
        return value

    def choice(self, field: str, literal: Any, default: Any = _MISSING) -> Any:
        """One of a ``Literal``'s values."""
        value = self.left.pop(field, default)
        if value is _MISSING:
            self.complain(field, "is missing")
        if value not in get_args(literal):
            allowed = ", ".join(map(repr, get_args(literal)))
            self.complain(field, f"must be one of {allowed}, is {value!r}")
        return value

    def texts(self, field: str, default: list[str]) -> list[str]:
        """A list of texts."""
        values = self.take(field, list, default)
        if not all(isinstance(v, str) and v and printable(v) for v in values):
            self.complain(field, f"must be a list of texts, is {values!r}")
        return values

    def tables(self, field: str, default: list[dict[str, Any]] | None = None) -> list[Table]:
        """A list of inline tables."""
        values = self.take(field, list, _MISSING if default is None else default)
        return [
            Table(self.source, value, self.header, self.index, f"{field}[{n}]")
            for n, value in enumerate(values)
        ]

    def done(self) -> None:
        """Complain of fields nobody asked for."""
        for field in self.left:
            self.complain(field, "is not a field nestkit knows")


_KINDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def printable(text: str) -> bool:
    """Whether XML 1.0 can carry this text (no control characters but tab and line ends)."""
    return all(
        char in "\t\n\r"
        or ("\x20" <= char < "\ud800" or "\ue000" <= char <= "\ufffd")
        or char > "\uffff"
        for char in text
    )


def repeated(source: Source, name: str) -> list[Table]:
    """The ``[[name]]`` tables of a file."""
    values = source.data.get(name, [])
    if not isinstance(values, list):
        Table(source, source.data, "").complain(name, f"must be written as [[{name}]]")
    return [Table(source, value, name, n) for n, value in enumerate(values)]
