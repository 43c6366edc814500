"""Which lessons there are: read from the notebooks' own metadata, so that no list goes stale."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nestkit.errors import DataFileError
from nestkit.resources import notebooks_path

_FIELDS = {"number": str, "title": str, "minutes": int, "items": list}


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson: its number ("03"), title, minutes, and the items whose progress is kept."""

    number: str
    title: str
    minutes: int
    items: tuple[str, ...]
    file: str


def lesson_of(metadata: object, path: Path) -> Lesson:
    """Read the ``nestkit`` block of a notebook's metadata.

    Raises
    ------
    DataFileError
        If the block is missing or not whole.
    """
    found = metadata.get("nestkit") if isinstance(metadata, dict) else None
    block = found if isinstance(found, dict) else {}
    for field, kind in _FIELDS.items():
        if not isinstance(block.get(field), kind):
            raise DataFileError(
                f"{path}:1: metadata.nestkit.{field}: is missing or not {kind.__name__}",
                remedy="run `make notebooks` to generate the lessons anew",
            )
    return Lesson(
        block["number"],
        block["title"],
        block["minutes"],
        tuple(str(item) for item in block["items"]),
        path.name,
    )


def lessons() -> tuple[Lesson, ...]:
    """All lessons in order.

    Raises
    ------
    DataFileError
        If a notebook in the course's folder cannot be read.
    """
    found = []
    for path in sorted(notebooks_path().glob("[0-9][0-9]-*.ipynb")):
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataFileError(
                f"{path}:1: file: is not a notebook: {error}",
                remedy="run `make notebooks` to generate the lessons anew",
            ) from error
        found.append(lesson_of(metadata, path))
    return tuple(found)
