"""What a learner has done, kept in one private JSON file.

The file is replaced at once under a lock, so two notebooks never lose each other's answers.
A damaged file, or one of a newer nestkit, is put aside under another name and never
overwritten. Where nothing can be written the course goes on, and says that it keeps no record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from filelock import FileLock, Timeout

from nestkit.course import markup
from nestkit.course.lessons import Lesson, lessons
from nestkit.errors import CourseError, NestkitError
from nestkit.state import state_dir, write_private

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 1
Status = Literal["passed", "not done yet", "not right"]
_LOCK_S: Final = 5.0


@dataclass
class _Record:
    """The file's content, and what had to be said about it."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    note: str = ""


def path() -> Path:
    """Where progress is kept."""
    return state_dir("course") / "progress.json"


def _parse(text: str) -> _Record:
    """Read the file's text; ValueError says what is wrong with it."""
    data = json.loads(text)
    if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
        raise ValueError("it does not hold a progress record")
    if data["schema"] > SCHEMA:
        raise ValueError(f"it was written by a newer nestkit (schema {data['schema']})")
    items, settings = data.get("items"), data.get("settings", {})
    if not isinstance(items, dict) or not all(
        isinstance(entry, dict) and entry.get("status") in get_args(Status)
        for entry in items.values()
    ):
        raise ValueError("its items are not whole")
    if not isinstance(settings, dict) or not all(isinstance(v, str) for v in settings.values()):
        raise ValueError("its settings are not whole")
    return _Record(items, settings)


def _load(file: Path) -> _Record:
    """Read the record. One that cannot be used is empty, and its note says why."""
    try:
        return _parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _Record()
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    except (ValueError, RecursionError) as error:
        problem = str(error)
    return _Record(note=f"The progress file could not be used: {problem}.")


def _put_aside(file: Path) -> str:
    """Keep a file that cannot be used under another name; its new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    aside = file.with_name(f"{file.stem}-kept-{stamp}{file.suffix}")
    file.replace(aside)
    return aside.name


def _update(change: Callable[[_Record], None]) -> str:
    """Change the record under its lock; the answer says what went wrong, "" if nothing."""
    try:
        file = path()
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_S):
            record = _load(file)
            if record.note:  # only a change puts it aside, so that someone is told
                record.note += f" It is kept as {_put_aside(file)}, and a new one was begun."
            change(record)
            data = {"schema": SCHEMA, "items": record.items, "settings": record.settings}
            write_private(file, json.dumps(data, indent=1, ensure_ascii=True) + "\n")
    except Timeout:
        return "Progress was not recorded: another notebook holds its file. Run the cell again."
    except (OSError, NestkitError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        return (
            f"Progress is not recorded here: {reason}. The course works without it; "
            "set NESTKIT_STATE to a folder you can write to and it will be kept."
        )
    return record.note


def _read() -> _Record:
    """The record as it is now; a note where it cannot be read."""
    try:
        file = path()
        if not file.exists():
            return _Record()
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_S):
            return _load(file)
    except Timeout:
        return _Record(note="Progress cannot be shown: another notebook holds its file.")
    except (OSError, NestkitError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        return _Record(note=f"Progress cannot be shown: {reason}.")


def record(lesson: str, item: str, status: Status, *, answer: object = None) -> str:
    """Keep what became of one exercise or question.

    Parameters
    ----------
    lesson, item
        "03" and "apply": together the name of the item.
    status
        "passed" stays passed; later tries only count.
    answer
        What was chosen, as JSON values, so that it can be shown again.

    Returns
    -------
    str
        What to tell the learner about the record; "" when there is nothing to tell.
    """
    if status not in get_args(Status):
        raise CourseError(
            f"{status!r} is not a status", remedy=f"use one of {', '.join(get_args(Status))}"
        )

    def change(record: _Record) -> None:
        old = record.items.get(f"{lesson}.{item}", {})
        kept = "passed" if old.get("status") == "passed" else status
        entry: dict[str, Any] = {
            "status": kept,
            "tries": int(old.get("tries", 0)) + (status != "not done yet"),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if answer is not None:
            entry["answer"] = answer
        elif "answer" in old:
            entry["answer"] = old["answer"]
        record.items[f"{lesson}.{item}"] = entry

    return _update(change)


def answer_to(lesson: str, item: str) -> Any:
    """The answer recorded last, or None."""
    return _read().items.get(f"{lesson}.{item}", {}).get("answer")


def setting(name: str, default: str = "") -> str:
    """A choice the learner made, such as the host to practise on."""
    return _read().settings.get(name, default)


def set_setting(name: str, value: str) -> str:
    """Keep a choice; the answer is a note as in :func:`record`."""

    def change(record: _Record) -> None:
        record.settings[name] = value

    return _update(change)


@dataclass(frozen=True)
class Summary:
    """All lessons, their items and what became of them; shows itself as a table."""

    rows: tuple[tuple[Lesson, dict[str, str]], ...]  # item → status, in the lesson's order
    note: str = ""

    @property
    def done(self) -> int:
        """How many items are passed."""
        return sum(state == "passed" for _, items in self.rows for state in items.values())

    @property
    def total(self) -> int:
        """How many items there are."""
        return sum(len(items) for _, items in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """One row an item: lesson, title, item, status."""
        import pandas as pd

        rows = [
            (lesson.number, lesson.title, item, state)
            for lesson, items in self.rows
            for item, state in items.items()
        ]
        return pd.DataFrame(rows, columns=["lesson", "title", "item", "status"])

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "schema": SCHEMA,
            "done": self.done,
            "total": self.total,
            "note": self.note,
            "lessons": [
                {"number": lesson.number, "title": lesson.title, "items": items}
                for lesson, items in self.rows
            ],
        }

    def _lines(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                f"{lesson.number} {lesson.title}",
                f"{lesson.minutes} min",
                f"{sum(s == 'passed' for s in items.values())} of {len(items)}",
                ", ".join(item for item, state in items.items() if state != "passed") or "—",
            )
            for lesson, items in self.rows
        ]

    def __str__(self) -> str:
        rows = [("lesson", "time", "done", "still open"), *self._lines()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        body = "\n".join(
            "  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]).rstrip()
            for row in rows
        )
        note = f"\n{self.note}" if self.note else ""
        return f"{body}\n{self.done} of {self.total} done{note}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = markup.table(
            f"Your progress: {self.done} of {self.total} done",
            ("Lesson", "Time", "Done", "Still open"),
            self._lines(),
        )
        return body + (markup.notice("warn", "About this record", self.note) if self.note else "")


def summary() -> Summary:
    """What is done and what is still open, lesson by lesson."""
    kept = _read()
    rows = tuple(
        (
            lesson,
            {
                item: kept.items.get(f"{lesson.number}.{item}", {}).get("status", "not done yet")
                for item in lesson.items
            },
        )
        for lesson in lessons()
    )
    return Summary(rows, kept.note)
