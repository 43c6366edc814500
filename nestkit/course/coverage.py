"""Where the course covers each statement of the guide: ``data/guide_coverage.toml``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from nestkit import htmltable
from nestkit.course.lessons import Lesson, lessons
from nestkit.requirements import shipped
from nestkit.resources import data_path, notebooks_path
from nestkit.tomlfile import Row, read_rows

if TYPE_CHECKING:
    import pandas as pd

_FIELDS: Final = frozenset({"id", "section", "says", "lesson", "heading", "words", "rules"})
_HEADING: Final = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of the guide in our words, and where the course covers it.

    ``words`` stand under that heading, in its cells or their outputs; ``rules`` are the ids of
    the rules that hold it.
    """

    id: str
    section: str
    says: str
    lesson: str
    heading: str
    words: tuple[str, ...]
    rules: tuple[str, ...]


def statements(path: Path | None = None) -> tuple[Statement, ...]:
    """All statements, in the guide's order.

    Raises
    ------
    DataFileError
        If a field is missing, misspelt or wrong, an id is used twice, or there is no such rule;
        with file, line and field.
    """
    known = {rule.id for rule in shipped()}
    found: dict[str, Statement] = {}
    for row in read_rows(path or data_path("guide_coverage.toml"), "statement"):
        row.only(_FIELDS)
        words, rules = _texts(row, "words"), _texts(row, "rules")
        if not words:
            row.fail("words", "is missing: nothing would hold the statement")
        for rule in rules:
            if rule not in known:
                row.fail("rules", f"there is no rule {rule!r}")
        name = row.text("id")
        if name in found:
            row.fail("id", f"{name!r} is used twice")
        found[name] = Statement(
            name, row.text("section"), row.text("says"), row.text("lesson"), row.text("heading"),
            words, rules,
        )  # fmt: skip
    return tuple(found.values())


def _texts(row: Row, field: str) -> tuple[str, ...]:
    values = row.values.get(field, [])
    if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
        row.fail(field, "must be a list of texts")
    return tuple(values)


def under_headings(path: Path) -> dict[str, str]:
    """What stands under each heading of a notebook: its text, its code and its outputs."""
    found: dict[str, str] = {}
    heading = ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "markdown":
            shown = "\n".join(_shown(output) for output in cell.get("outputs", []))
            found[heading] = f"{found.get(heading, '')}\n{source}\n{shown}"
            continue
        parts = _HEADING.split(source)
        found[heading] = f"{found.get(heading, '')}\n{parts[0]}"
        for title, text in zip(parts[1::2], parts[2::2], strict=True):
            heading = title
            found[heading] = f"{found.get(heading, '')}\n{text}"
    return found


def _shown(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    pieces = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join("".join(piece) for piece in pieces)


def link(statement: Statement, known: dict[str, Lesson]) -> str:
    """The address of the place, from another lesson: ``03-esxi.ipynb#Plan``."""
    # JupyterLab names a heading by its text with hyphens for blanks
    return f"{known[statement.lesson].file}#{quote(statement.heading.replace(' ', '-'))}"


class GuideMap:
    """The statements as a table whose last column leads to the place."""

    def __init__(self, found: tuple[Statement, ...]) -> None:
        self.statements = found
        self._lessons = {lesson.number: lesson for lesson in lessons()}

    def to_frame(self) -> pd.DataFrame:
        """One row a statement: id, section, says, lesson, heading, link, rules."""
        import pandas as pd

        rows = [
            (s.id, s.section, s.says, s.lesson, s.heading, link(s, self._lessons),
             ", ".join(s.rules))
            for s in self.statements
        ]  # fmt: skip
        columns = ["id", "section", "says", "lesson", "heading", "link", "rules"]
        return pd.DataFrame(rows, columns=columns)

    def __str__(self) -> str:
        return "\n".join(f"{s.section}: {s.says} → {s.lesson} {s.heading}" for s in self.statements)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        left = 'style="text-align:left;vertical-align:top"'
        names = ("Guide", "Says", "Where")
        head = "".join(f'<th scope="col" {left}>{name}</th>' for name in names)
        body = "".join(
            f"<tr><td {left}>{htmltable.text(s.section)}</td>"
            f"<td {left}>{htmltable.text(s.says)}</td>"
            f'<td {left}><a href="{htmltable.text(link(s, self._lessons))}">{s.lesson} '
            f"{htmltable.text(s.heading)}</a></td></tr>"
            for s in self.statements
        )
        caption = f"{len(self.statements)} statements of the guide, and where they are covered"
        return (
            f"<details><summary>{caption}</summary><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table></details>"
        )


def guide_map() -> GuideMap:
    """Each statement of the guide, with a link to the place where the course covers it.

    Raises
    ------
    DataFileError
        If the map, or a lesson, cannot be read.
    """
    return GuideMap(statements())


def lesson_path(lesson: Lesson, edition: str = "") -> Path:
    """A lesson's notebook; ``edition`` is the folder of another edition than the learner's."""
    return notebooks_path(*filter(None, [edition, lesson.file]))
