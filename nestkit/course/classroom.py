"""One table of a class's progress, from the files that its learners hand in.

Nothing is written to those files. What cannot be used is left out and said: so is each file that
holds a record that is there already.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nestkit.course import markup
from nestkit.course.lessons import Lesson, lessons
from nestkit.course.progress import Record, parse
from nestkit.errors import CourseError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 1
_LARGEST_MIB: Final = 4
# folders on the way to a record that are nobody's name
_NO_NAMES: Final = frozenset(
    {"progress", "course", "nestkit", "state", ".local", "Local", "AppData"}
)
# hidden folders on the way to a record; others of a home need not be looked into
_HIDDEN_WAY: Final = (".local", "state", "nestkit", "course")


@dataclass(frozen=True, slots=True)
class Learner:
    """One learner: the name their file gives, how many items of each lesson they passed."""

    name: str
    passed: dict[str, int]  # lesson → items
    tries: int
    last: str  # when something was recorded last, ISO 8601, UTC
    file: Path

    @property
    def total(self) -> int:
        """Items passed in all lessons."""
        return sum(self.passed.values())


@dataclass(frozen=True, slots=True)
class ClassProgress:
    """The class's table, and what had to be said about its files."""

    lessons: tuple[Lesson, ...]
    learners: tuple[Learner, ...]
    notes: tuple[str, ...] = field(default=())

    def _cells(self, learner: Learner) -> list[str]:
        return [f"{learner.passed.get(each.number, 0)}/{len(each.items)}" for each in self.lessons]

    def _rows(self) -> list[list[str]]:
        total = sum(len(each.items) for each in self.lessons)
        return [
            [one.name, *self._cells(one), f"{one.total}/{total}", str(one.tries), one.last[:16]]
            for one in self.learners
        ]

    def _head(self) -> list[str]:
        return ["learner", *(each.number for each in self.lessons), "all", "tries", "last (UTC)"]

    def to_frame(self) -> pd.DataFrame:
        """One row a learner: name, items passed by lesson, in all, tries, last, file."""
        import pandas as pd

        numbers = [each.number for each in self.lessons]
        rows = [
            [one.name, *(one.passed.get(number, 0) for number in numbers), one.total, one.tries,
             one.last, str(one.file)]
            for one in self.learners
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["learner", *numbers, "all", "tries", "last", "file"])

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "schema": SCHEMA,
            "items": {each.number: len(each.items) for each in self.lessons},
            "learners": [
                {
                    "name": one.name,
                    "passed": one.passed,
                    "tries": one.tries,
                    "last": one.last,
                    "file": str(one.file),
                }
                for one in self.learners
            ],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        rows = [self._head(), *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = markup.table("Progress of the class", self._head(), self._rows())
        said = markup.notice("warn", "About the files", "", self.notes) if self.notes else ""
        return table + said


def gather(paths: Iterable[Path]) -> ClassProgress:
    """Read the records of a class.

    Parameters
    ----------
    paths
        Progress files, and folders in which all files ``*.json`` are looked at; of hidden folders
        only ``nestkit/course``, so that learners' home folders can be named. A learner's name
        is the file's own, or that of the nearest folder that says something where the file is
        called ``progress.json``.

    Raises
    ------
    CourseError
        If there is no file, or none that can be used.
    """
    notes: list[str] = []
    found: list[tuple[Path, Record]] = []
    looked_at = _files(paths, notes)
    for path in looked_at:
        try:
            found.append((path, _read(path)))
        except UnicodeDecodeError:
            notes.append(f"{path} is left out: it is not UTF-8 text.")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            notes.append(f"{path} is left out: {why}.")
    if not found:
        raise CourseError(
            "\n".join(["there is no progress to show", *notes]),
            remedy="name the files that learners made with `nestkit progress --save FILE`",
        )
    every = lessons()
    learners = [_learner(path, record, every) for path, record in _newest(found, notes)]
    return ClassProgress(every, tuple(_told_apart(learners, notes)), tuple(notes))


def _read(path: Path) -> Record:
    """A learner's file: it may be anything, so nothing is opened that could block or never end."""
    told = path.stat()
    if not stat.S_ISREG(told.st_mode):
        raise ValueError("it is no ordinary file")
    if told.st_size > _LARGEST_MIB * 2**20:
        raise ValueError(f"it is larger than {_LARGEST_MIB} MiB")
    return parse(path.read_text(encoding="utf-8"))


def _files(paths: Iterable[Path], notes: list[str]) -> list[Path]:
    """All files once; a folder stands for those in it, without what was kept aside."""
    found: dict[str, Path] = {}
    for path in paths:
        inside = sorted(_inside(path, notes)) if path.is_dir() else [path]
        for each in inside:
            real = os.path.realpath(each)  # of a link that leads to itself, too
            if path.is_dir() and "-kept-" in each.stem:
                notes.append(f"{each} is left out: nestkit had put it aside as damaged or newer.")
            elif real in found:
                notes.append(f"{each} is {found[real]} once more, and counted once.")
            else:
                found[real] = each
        if path.is_dir() and not inside:
            notes.append(f"{path} holds no .json file.")
    return list(found.values())


def _inside(folder: Path, notes: list[str]) -> Iterator[Path]:
    """The files of a folder that may be records; what may not be looked into is said."""

    def closed(error: OSError) -> None:
        where = Path(error.filename)
        hidden = _hidden(where.relative_to(folder))
        if hidden == _HIDDEN_WAY[: len(hidden)]:
            notes.append(f"{where} is left out: {error.strerror}.")

    for base, _, names in os.walk(folder, onerror=closed):
        hidden = _hidden(Path(base).relative_to(folder))
        for name in names:
            ours = not hidden or hidden[-2:] == ("nestkit", "course")
            if ours and name.endswith(".json") and not name.startswith("."):
                yield Path(base, name)


def _hidden(path: Path) -> tuple[str, ...]:
    """The parts of a path from its first hidden folder on."""
    for number, part in enumerate(path.parts):
        if part.startswith("."):
            return path.parts[number:]
    return ()


def _last(record: Record) -> str:
    return max((entry.get("at", "") for entry in record.items.values()), default="")


def _newest(found: list[tuple[Path, Record]], notes: list[str]) -> list[tuple[Path, Record]]:
    """Copies of one record, known by its id or by all of its content, count once: the newest."""
    by_record: dict[object, list[tuple[Path, Record]]] = {}
    for path, record in found:
        content = repr(sorted(record.items.items(), key=repr))
        by_record.setdefault(record.id or content, []).append((path, record))
    kept = []
    for copies in by_record.values():
        newest = max(copies, key=lambda pair: (_last(pair[1]), len(pair[1].items)))
        kept.append(newest)
        if len(copies) > 1:
            same = ", ".join(str(path) for path, _ in copies if path != newest[0])
            notes.append(f"{newest[0]} holds the same record as {same}: the newest is counted.")
    return kept


def _name(path: Path) -> str:
    # where the file lies, not where a link leads
    for word in (path.stem, *path.parent.resolve().parts[::-1]):
        if word and word not in _NO_NAMES:
            return word
    return path.stem


def _learner(path: Path, record: Record, every: tuple[Lesson, ...]) -> Learner:
    passed = {
        each.number: sum(
            record.items.get(f"{each.number}.{item}", {}).get("status") == "passed"
            for item in each.items
        )
        for each in every
    }
    tries = sum(entry.get("tries", 0) for entry in record.items.values())
    return Learner(_name(path), passed, tries, _last(record), path)


def _told_apart(learners: list[Learner], notes: list[str]) -> list[Learner]:
    """In order of their names; of several with one name, each with its folder."""
    names = [one.name for one in learners]
    made = []
    for one in learners:
        name = one.name
        if names.count(name) > 1:
            name = f"{name} ({one.file})"
        made.append(Learner(name, one.passed, one.tries, one.last, one.file))
    for name in sorted({name for name in names if names.count(name) > 1}):
        notes.append(f"{names.count(name)} different records have the name {name}.")
    return sorted(made, key=lambda one: one.name.casefold())
