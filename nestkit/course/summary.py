"""What is done and what is still open, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nestkit.course import markup
from nestkit.course.lessons import Lesson

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 1


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
            [
                # figures stay with their words, however narrow the page
                (title, *(word.replace(" ", "\N{NO-BREAK SPACE}") for word in (time, done)), left)
                for title, time, done, left in self._lines()
            ],
        )
        return body + (markup.notice("warn", "About this record", self.note) if self.note else "")
