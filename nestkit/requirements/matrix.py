"""What nests in what, and what is lost: ``data/support.csv`` and ``data/limits.toml``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn, cast, get_args

from nestkit.errors import DataFileError
from nestkit.resources import data_path
from nestkit.tomlfile import read_rows

Works = Literal["yes", "no", "unreliable", "slow"]
_COLUMNS: Final = ["l0", "l1", "works", "supported", "condition", "source"]
_LIMIT_FIELDS: Final = frozenset({"id", "platform", "binds", "what", "note", "rule", "source"})


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a hypervisor runs inside another, and whether its vendor stands by it."""

    l0: str
    l1: str
    works: Works
    supported: str
    condition: str
    source: str


@dataclass(frozen=True, slots=True)
class Limit:
    """Something a nested setup cannot do. ``binds`` is the layer that loses it."""

    id: str
    platform: str
    binds: str
    what: str
    note: str
    rule: str
    source: str


def support(path: Path | None = None) -> tuple[Support, ...]:
    """The support matrix, in the file's order.

    Raises
    ------
    DataFileError
        If a row is short, empty somewhere, or "works" is no known word; with file and line.
    """
    path = path or data_path("support.csv")

    def fail(line: int, field: str, what: str) -> NoReturn:
        raise DataFileError(
            f"{path}:{line}: {field}: {what}", remedy="correct the file, or reinstall nestkit"
        )

    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        if next(reader, None) != _COLUMNS:
            fail(1, "header", f"must be {','.join(_COLUMNS)}")
        for values in reader:
            if len(values) != len(_COLUMNS):
                fail(reader.line_num, "row", f"has {len(values)} fields, not {len(_COLUMNS)}")
            for name, value in zip(_COLUMNS, values, strict=True):
                if not value.strip():
                    fail(reader.line_num, name, "is empty")
            if values[2] not in get_args(Works):
                fail(reader.line_num, "works", f"is {values[2]!r}")
            l0, l1, works, supported, condition, source = values
            rows.append(Support(l0, l1, cast(Works, works), supported, condition, source))
    return tuple(rows)


def limits(path: Path | None = None) -> tuple[Limit, ...]:
    """What is lost by nesting, in the file's order.

    Raises
    ------
    DataFileError
        If a field is missing or wrong; with file, line and field.
    """
    found = []
    for row in read_rows(path or data_path("limits.toml"), "limit"):
        row.only(_LIMIT_FIELDS)
        source = row.values.get("source")
        if not isinstance(source, list) or not source:
            row.fail("source", "must be a list of at least one citation")
        found.append(
            Limit(
                id=row.text("id"),
                platform=row.word("platform", ("esx", "hyperv", "any")),
                binds=row.word("binds", ("l1", "l2")),
                what=row.text("what"),
                note=row.text("note"),
                rule=row.text("rule", ""),
                source="; ".join(map(str, source)),
            )
        )
    return tuple(found)
