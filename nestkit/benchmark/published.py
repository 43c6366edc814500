"""Figures that others published on nested virtualization: ``data/published_overheads.csv``.

Only what somebody measured, and what was read in its primary source, can stand beside a run; each
figure carries its year, its CPU as far as the source names one, and its citation.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final, NoReturn

from nestkit.errors import DataFileError
from nestkit.facts import Fact, Unknown
from nestkit.resources import data_path

COLUMNS: Final = (
    "source", "year", "platform_L0", "platform_L1", "workload", "metric", "unit", "layer",
    "value", "relative_to_L0", "citation", "verified", "kind",
)  # fmt: skip
_MAY_BE_EMPTY: Final = {"year", "relative_to_L0"}
_WORDS: Final = {"verified": ("yes", "no"), "kind": ("measured", "stated")}
_LAYER: Final = re.compile(r"L\d(-.+)?")
_CPU: Final = re.compile(
    r"(?:Intel )?Xeon(?: Platinum)? [\w.]+|Skylake|arm64(?: \([\w.]+\))?|\bAMD\b|\bIntel\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published figure."""

    source: str
    year: int
    platform_l0: str
    platform_l1: str
    cpu: Fact[str]  # as the source names it
    workload: str
    metric: str
    unit: str
    layer: str  # "L0", "L1", "L2", or a variant: "L2-DRW"
    value: float  # in ``unit``
    relative_to_l0: float | None  # by the source or from its own L0 row; None where there is none
    citation: str

    @property
    def label(self) -> str:
        """What must stand beside the figure wherever it is drawn."""
        cpu = "CPU not named" if isinstance(self.cpu, Unknown) else self.cpu
        return f"published: {self.source}, {self.year}, {cpu}"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def published_figures(path: Path | None = None) -> tuple[Published, ...]:
    """The figures that were measured and verified, in the file's order.

    Left out: what a source only states, what was not seen in its primary source, ranges and
    words instead of a number, and rows whose source gives no year.

    Raises
    ------
    DataFileError
        If a row is short, empty where it may not be, or holds an unknown word; with file and
        line. Rows that are left out are checked too.
    """
    path = path or data_path("published_overheads.csv")
    found = []
    cited: dict[str, str] = {}  # by source: a row may say "same page" of the one before
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        if tuple(next(reader, ())) != COLUMNS:
            _fail(path, 1, "header", f"must be {','.join(COLUMNS)}")
        for values in reader:
            if len(values) != len(COLUMNS):
                _fail(path, reader.line_num, "row", f"has {len(values)} fields, not {len(COLUMNS)}")
            row = dict(zip(COLUMNS, values, strict=True))
            _check(path, reader.line_num, row)
            if row["citation"].startswith("same "):
                if row["source"] not in cited:
                    _fail(path, reader.line_num, "citation", "refers to no row before it")
                row["citation"] = cited[row["source"]]
            cited[row["source"]] = row["citation"]
            if figure := _figure(row):
                found.append(figure)
    return tuple(found)


def _check(path: Path, line: int, row: dict[str, str]) -> None:
    for name, text in row.items():
        if not text.strip() and name not in _MAY_BE_EMPTY:
            _fail(path, line, name, "is empty")
        if name in _WORDS and text not in _WORDS[name]:
            _fail(path, line, name, f"is {text!r}, not one of {', '.join(_WORDS[name])}")
    if row["year"] and not re.fullmatch(r"(19|20)\d\d", row["year"]):
        _fail(path, line, "year", f"is {row['year']!r}")
    if row["relative_to_L0"] and _number(row["relative_to_L0"]) is None:
        _fail(path, line, "relative_to_L0", f"is {row['relative_to_L0']!r}, no number")
    if not _LAYER.fullmatch(row["layer"]):
        _fail(path, line, "layer", f"is {row['layer']!r}")


def _figure(row: dict[str, str]) -> Published | None:
    value = _number(row["value"])
    if (row["verified"], row["kind"]) != ("yes", "measured") or not row["year"] or value is None:
        return None
    cpu = _CPU.search(row["platform_L0"])
    return Published(
        source=row["source"],
        year=int(row["year"]),
        platform_l0=row["platform_L0"],
        platform_l1=row["platform_L1"],
        cpu=cpu[0] if cpu else Unknown("the source's platform names no CPU"),
        workload=row["workload"],
        metric=row["metric"],
        unit=row["unit"],
        layer=row["layer"],
        value=value,
        relative_to_l0=_number(row["relative_to_L0"]),
        citation=row["citation"],
    )


def _fail(path: Path, line: int, field: str, what: str) -> NoReturn:
    raise DataFileError(
        f"{path}:{line}: {field}: {what}", remedy="correct the file, or reinstall nestkit"
    )
