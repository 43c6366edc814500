"""What a learner has done, kept in one private JSON file.

The file is replaced at once under a lock, so two notebooks never lose each other's answers.
A damaged file, or one of a newer nestkit, is put aside under another name and never
overwritten. Where nothing can be written the course goes on, and says that it keeps no record.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from filelock import FileLock, Timeout

from nestkit.course.lessons import lessons
from nestkit.course.summary import Summary
from nestkit.errors import CourseError, NestkitError
from nestkit.state import state_dir, write_private

SCHEMA: Final = 1
Status = Literal["passed", "not done yet", "not right"]
_LOCK_S: Final = 5.0


@dataclass
class Record:
    """The file's content, and what had to be said about it."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    note: str = ""
    # a random number and no name: a class can tell copies of one record from two learners
    id: str = ""


def path() -> Path:
    """Where progress is kept."""
    return state_dir("course") / "progress.json"


def parse(text: str) -> Record:
    """Read a file's text.

    Raises
    ------
    ValueError
        It cannot be used; the message says why.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is damaged at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply for a record") from error
    if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
        raise ValueError("it does not hold a progress record")
    if data["schema"] > SCHEMA:
        raise ValueError(f"it was written by a newer nestkit (schema {data['schema']})")
    items, settings = data.get("items"), data.get("settings", {})
    if not isinstance(items, dict) or not all(
        isinstance(entry, dict)
        and entry.get("status") in get_args(Status)
        and isinstance(entry.get("tries", 0), int)
        and _is_time(entry.get("at", ""))
        for entry in items.values()
    ):
        raise ValueError("its items are not whole")
    if not isinstance(settings, dict) or not all(isinstance(v, str) for v in settings.values()):
        raise ValueError("its settings are not whole")
    if not isinstance(data.get("id", ""), str):
        raise ValueError("its id is not text")
    return Record(items, settings, id=data.get("id", ""))


def _is_time(text: Any) -> bool:
    """Whether a record's time is one, or empty."""
    try:
        return text == "" or bool(datetime.fromisoformat(text))
    except (TypeError, ValueError):
        return False


def _load(file: Path) -> Record:
    """Read the record. One that cannot be used is empty, and its note says why."""
    try:
        return parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Record()
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    except ValueError as error:
        problem = str(error)
    return Record(note=f"The progress file could not be used: {problem}.")


def _put_aside(file: Path) -> str:
    """Keep a file that cannot be used under another name; its new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    aside = file.with_name(f"{file.stem}-kept-{stamp}{file.suffix}")
    file.replace(aside)
    return aside.name


def _text(record: Record) -> str:
    data = {"schema": SCHEMA, "id": record.id, "items": record.items, "settings": record.settings}
    return json.dumps(data, indent=1, ensure_ascii=True) + "\n"


def _why(error: OSError | NestkitError) -> str:
    if isinstance(error, NestkitError):
        return error.message
    return error.strerror or str(error)


def _update(change: Callable[[Record], None]) -> str:
    """Change the record under its lock; the answer says what went wrong, "" if nothing."""
    try:
        file = path()
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_S):
            record = _load(file)
            if record.note:  # only a change puts it aside, so that someone is told
                record.note += f" It is kept as {_put_aside(file)}, and a new one was begun."
            change(record)
            record.id = record.id or uuid.uuid4().hex
            write_private(file, _text(record))
    except Timeout:
        return "Progress was not recorded: another notebook holds its file. Run the cell again."
    except (OSError, NestkitError) as error:
        return (
            f"Progress is not recorded here: {_why(error)}. The lesson goes on without it; "
            "set NESTKIT_STATE to a folder you can write to and it will be kept."
        )
    return record.note


def _read() -> Record:
    """The record as it is now; a note where it cannot be read."""
    try:
        file = path()
        if not file.exists():
            return Record()
        # so that a writer need not wait for readers (Windows); files are replaced whole, so where
        # the lock cannot be had, as in a home that is read only, they can be read without
        with suppress(OSError), FileLock(file.with_suffix(".lock"), timeout=_LOCK_S):
            return _load(file)
        return _load(file)
    except (OSError, NestkitError) as error:
        return Record(note=f"Progress cannot be shown: {_why(error)}.")


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

    def change(record: Record) -> None:
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

    def change(record: Record) -> None:
        record.settings[name] = value

    return _update(change)


def save(copy: Path) -> None:
    """Write a copy of the record, such as to hand it in.

    Raises
    ------
    CourseError
        If there is no record that can be used.
    """
    kept = _read()
    if kept.note or not kept.items:
        raise CourseError(
            kept.note or "there is no progress to save yet",
            remedy="do a lesson first" if not kept.note else "see that the record can be read",
        )
    # the settings stay: they hold the address of a host, which nobody else needs
    write_private(copy, _text(replace(kept, settings={})))


def begin_anew() -> str:
    """Keep the record under another name and begin a new one; what to tell the learner.

    Settings, such as the host to practise on, are begun anew as well.
    """
    try:
        file = path()
        if not file.exists():
            return "There was no record of progress yet."
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_S):
            return f"The record of progress is kept as {_put_aside(file)}; a new one begins."
    except Timeout:
        return "Progress was not begun anew: another notebook holds its file. Try once more."
    except (OSError, NestkitError) as error:
        return f"Progress was not begun anew: {_why(error)}."


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
