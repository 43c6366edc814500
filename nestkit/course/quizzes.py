"""Quizzes: ``data/quizzes/NN.toml`` as a small form. Answers persist in the learner's progress.

A file holds ``[[question]]`` rows: ``id``, ``text``, ``kind`` ("one" or "many") and
``options``, an array of ``{ text, right, why }``. ``why`` is shown once the option was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import ipywidgets as w

from nestkit.course import markup, progress
from nestkit.errors import CourseError
from nestkit.resources import data_path
from nestkit.tomlfile import Row, read_rows

_KINDS: Final = ("one", "many")
_FIELDS: Final = frozenset({"id", "text", "kind", "options"})
_LAYOUT: Final = {"width": "auto", "max_width": "60em"}


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to choose, whether it is right, and why."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question; ``kind`` says whether one or several options are right."""

    id: str
    text: str
    kind: str
    options: tuple[Option, ...]

    @property
    def item(self) -> str:
        """Its name in the learner's progress."""
        return f"quiz-{self.id}"

    def right(self, chosen: Sequence[int]) -> bool:
        """Whether exactly the right options are chosen."""
        return set(chosen) == {i for i, option in enumerate(self.options) if option.right}


def load(lesson: str) -> tuple[Question, ...]:
    """The questions of a lesson.

    Raises
    ------
    CourseError
        If the lesson has no quiz.
    DataFileError
        If the file is malformed: file, line, field.
    """
    path = data_path("quizzes", f"{lesson}.toml")
    if not path.is_file():
        known = sorted(p.stem for p in data_path("quizzes").glob("*.toml"))
        raise CourseError(
            f"lesson {lesson!r} has no quiz", remedy=f"there are quizzes for {', '.join(known)}"
        )
    rows = read_rows(path, "question")
    questions = tuple(_question(row) for row in rows)
    seen: set[str] = set()
    for row, question in zip(rows, questions, strict=True):
        if question.id in seen:
            row.fail("id", f"{question.id!r} is there twice")
        seen.add(question.id)
    return questions


def _question(row: Row) -> Question:
    row.only(_FIELDS)
    kind = row.word("kind", _KINDS)
    raw = row.values.get("options")
    if not isinstance(raw, list) or len(raw) < 2:
        row.fail("options", "must be an array of at least two options")
    options = tuple(_option(row, number, item) for number, item in enumerate(raw, start=1))
    right = sum(option.right for option in options)
    if right == 0 or (kind == "one" and right > 1):
        row.fail("options", f"{right} are right, which does not fit kind {kind!r}")
    return Question(row.text("id"), row.text("text"), kind, options)


def _option(row: Row, number: int, item: Any) -> Option:
    where = f"option {number}"
    if not isinstance(item, dict) or set(item) != {"text", "right", "why"}:
        row.fail("options", f"{where} must have text, right and why, and nothing else")
    if not isinstance(item["right"], bool):
        row.fail("options", f"{where}: right must be true or false")
    for field in ("text", "why"):
        if not isinstance(item[field], str) or not item[field].strip():
            row.fail("options", f"{where}: {field} must be text")
    return Option(item["text"].strip(), item["right"], item["why"].strip())


class Asked:
    """One question on the page: its options, a button, and what came of the answer."""

    def __init__(self, lesson: str, number: int, question: Question) -> None:
        self.lesson = lesson
        self.question = question
        self.feedback = w.HTML()
        self.button = w.Button(description=f"Check answer {number}")
        self.button.on_click(lambda _button: self.submit())
        hint = "one answer" if question.kind == "one" else "one or more answers"
        self.head = f"{number}. {question.text} ({hint})"
        # boxes for one answer too: JupyterLab takes the arrow keys that radio buttons need
        self.boxes = tuple(
            w.Checkbox(description=option.text, indent=False, layout=_LAYOUT)
            for option in question.options
        )
        if question.kind == "one":
            for box in self.boxes:
                box.observe(self._only, names="value")
        self.widget = w.VBox(
            [w.HTML(markup.block(markup.lines(self.head))), *self.boxes, self.button, self.feedback]
        )
        self._restore(progress.answer_to(lesson, question.item))

    def _only(self, change: dict[str, Any]) -> None:
        """One answer takes the place of another."""
        if change["new"]:
            for box in self.boxes:
                box.value = box is change["owner"]

    @property
    def chosen(self) -> tuple[int, ...]:
        """Positions of the chosen options."""
        return tuple(i for i, box in enumerate(self.boxes) if box.value)

    def choose(self, *positions: int) -> None:
        """Choose these options, and no others."""
        for i, box in enumerate(self.boxes):
            box.value = i in positions

    def submit(self) -> bool:
        """Judge what is chosen, show it, and keep it; True if it is right."""
        right = bool(self.chosen) and self.question.right(self.chosen)
        if not self.chosen:
            self.feedback.value = markup.notice("idle", "Nothing is chosen yet.")
            return False
        note = progress.record(
            self.lesson,
            self.question.item,
            "passed" if right else "not right",
            answer=list(self.chosen),
        )
        self._show(right, note)
        return right

    def static_html(self) -> str:
        """The question, what is chosen, and what came of it, without widgets."""
        chosen = {True: " <strong>(chosen)</strong>", False: ""}
        options = (
            f"<li>{markup.lines(option.text)}{chosen[bool(box.value)]}</li>"
            for option, box in zip(self.question.options, self.boxes, strict=True)
        )
        return f"<p>{markup.lines(self.head)}</p><ul>{''.join(options)}</ul>{self.feedback.value}"

    def _restore(self, answer: Any) -> None:
        known = range(len(self.question.options))
        if isinstance(answer, list) and answer and all(item in known for item in answer):
            self.choose(*answer)
            self._show(self.question.right(self.chosen), "")

    def _show(self, right: bool, note: str) -> None:
        reasons = [
            f"{self.question.options[i].text.rstrip('.')}: {self.question.options[i].why}"
            for i in self.chosen
        ]
        missing = not right and all(self.question.options[i].right for i in self.chosen)
        if missing:
            reasons.append("What you chose is right, but it is not all.")
        self.feedback.value = markup.notice(
            "pass" if right else "fail", "Right." if right else "Not right yet.", "", reasons
        ) + (markup.notice("warn", "About your progress", note) if note else "")


class Quiz:
    """The questions of a lesson."""

    def __init__(self, lesson: str, questions: tuple[Question, ...]) -> None:
        self.lesson = lesson
        self.asked = tuple(
            Asked(lesson, number, question) for number, question in enumerate(questions, start=1)
        )
        self.widget = w.VBox([asked.widget for asked in self.asked])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live quiz, and beside it its questions for pages that run no widgets."""
        bundle: dict[str, Any] = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = "".join(asked.static_html() for asked in self.asked)
        return bundle

    def __repr__(self) -> str:
        return f"<Quiz of lesson {self.lesson}: {len(self.asked)} questions>"


def quiz(lesson: str) -> Quiz:
    """The quiz of a lesson ("03"), with the answers given before."""
    return Quiz(lesson, load(lesson))
