"""Read a TOML data file so that what is wrong in it can be named: file, line, field."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from nestkit.errors import DataFileError

_REMEDY = "correct the file, or reinstall nestkit to get the shipped one back"


@dataclass(frozen=True)
class Row:
    """One table of an array of tables, and where it stands in its file.

    ``get`` reads one field and refuses a missing one or one of the wrong type.
    """

    path: Path
    line: int
    values: dict[str, Any]
    lines: dict[str, int]

    def fail(self, field: str, what: str) -> NoReturn:
        """Raise :class:`DataFileError` for this field."""
        line = self.lines.get(field, self.line)
        raise DataFileError(f"{self.path}:{line}: {field}: {what}", remedy=_REMEDY)

    def text(self, field: str, default: str | None = None) -> str:
        """A string that says something."""
        value = self.values.get(field, default)
        if value is None:
            self.fail(field, "is missing")
        if not isinstance(value, str):
            self.fail(field, f"must be text, not {type(value).__name__}")
        if not value.strip() and default is None:
            self.fail(field, "is empty")
        return value.strip()

    def word(self, field: str, allowed: tuple[str, ...]) -> str:
        """One word of a closed set."""
        value = self.text(field)
        if value not in allowed:
            self.fail(field, f"is {value!r}, not one of {', '.join(allowed)}")
        return value

    def only(self, allowed: frozenset[str]) -> None:
        """Refuse fields that nobody reads: they are misspelt."""
        for field in self.values:
            if field not in allowed:
                self.fail(field, "is not a field of this file")


def read_rows(path: Path, table: str) -> list[Row]:
    """The rows of ``[[table]]``.

    Raises
    ------
    DataFileError
        If the file cannot be read, is not TOML, or has no such table; with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path}:1: file: cannot be read: {error}", remedy=_REMEDY) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = found.group(1) if found else len(text.splitlines())
        raise DataFileError(f"{path}:{line}: syntax: {error}", remedy=_REMEDY) from error
    rows = data.get(table)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataFileError(f"{path}:1: {table}: has no [[{table}]] rows", remedy=_REMEDY)
    for field in data:
        if field not in (table, "schema"):
            raise DataFileError(f"{path}:1: {field}: is not a table of this file", remedy=_REMEDY)
    places = _places(text, table)
    if len(places) != len(rows):  # an inline array: rows are right, their lines unknown
        places = [(1, {})] * len(rows)
    return [
        Row(path, line, values, lines) for (line, lines), values in zip(places, rows, strict=True)
    ]


def _places(text: str, table: str) -> list[tuple[int, dict[str, int]]]:
    """Where each row starts, and on which line each of its fields stands."""
    places: list[tuple[int, dict[str, int]]] = []
    inside = False  # a multi-line string
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside:
            if line.strip() == f"[[{table}]]":
                places.append((number, {}))
            elif places and (match := re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line)):
                places[-1][1].setdefault(match.group(1), number)
        if (line.count('"""') + line.count("'''")) % 2:
            inside = not inside
    return places
