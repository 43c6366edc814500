"""Slides of a lesson, made from its own source: one page that needs no network.

A section becomes a slide: its lists, tables and pictures are shown; its running text and the
instructor's notes are what one says, and stand in the notes. A code cell tagged ``slide`` is
shown with its output. Outputs are those of the committed solution, so no kernel is needed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from nestkit.course import editions, quizzes
from nestkit.course.lessons import Lesson, lesson_of
from nestkit.errors import CourseError, DataFileError

_FULL: Final = 11  # lines of text that fit on a slide; a picture counts as six
_PICTURE: Final = 6
_LABEL: Final = re.compile(r"<p><strong>[^<]*</strong></p>\s*")  # of what comes after it


@dataclass
class Slide:
    """A heading, what is shown, and what is said."""

    title: str
    shown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    weight: int = 0
    lead: str = ""  # the first paragraph of its running text


def slides(source: Path) -> tuple[Lesson, list[Slide]]:
    """The slides of a lesson's source, in order.

    Raises
    ------
    DataFileError
        If the source, or its solution beside it, is not whole.
    CourseError
        If a package that makes them is missing.
    """
    notebook = editions.generate(source, "instructor")
    lesson = lesson_of(notebook["metadata"], source)
    outputs = outputs_of(editions.target(source, "solution"))
    deck: list[Slide] = []
    for cell in notebook["cells"]:
        tags = set(cell["metadata"].get("tags", ()))
        if cell["cell_type"] == "code":
            _add_code(deck, cell, outputs.get(cell["id"], []), tags)
        elif "instructor" in tags:
            deck[-1].notes.append(_html(re.sub(r"^> ?", "", cell["source"], flags=re.M)))
        else:
            _add_text(deck, cell["source"])
    for slide in deck:
        if slide.title == "Quiz":
            _add_quiz(slide, lesson.number)
        if not slide.shown and slide.lead:
            slide.shown.append(_html(slide.lead))
            slide.notes.remove(_html(slide.lead))  # it is read from the slide
    return lesson, deck


def page(source: Path) -> str:
    """The slides of a lesson as one HTML page: styles, script and pictures are in it."""
    lesson, deck = slides(source)
    name = f"{lesson.number} {lesson.title}"
    sections = []
    for number, slide in enumerate(deck, start=1):
        notes = "".join(slide.notes) or "<p>Nothing to add.</p>"
        sections.append(
            f'<section aria-label="Slide {number} of {len(deck)}"><div class="shown">'
            f"<h1>{slide.title}</h1>{''.join(slide.shown)}</div>"
            f'<aside aria-label="Notes" tabindex="0">{notes}</aside></section>'
        )
    template = files("nestkit.course").joinpath("slides.html").read_text(encoding="utf-8")
    return template.replace("{{title}}", escape(name)).replace("{{slides}}", "\n".join(sections))


def outputs_of(solution: Path) -> dict[str, list[dict[str, Any]]]:
    """The outputs of a solution by cell id."""
    try:
        cells = json.loads(solution.read_text(encoding="utf-8"))["cells"]
        return {cell["id"]: cell.get("outputs", []) for cell in cells}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataFileError(
            f"{solution}:1: file: is not an executed notebook: {error}",
            remedy="run `make solutions`, whose outputs the slides show",
        ) from error


def _html(markdown: str) -> str:
    try:
        import mistune
    except ImportError as error:
        raise CourseError(
            "slides are made with mistune, which is not installed",
            remedy="run `make course`, which installs it with JupyterLab",
        ) from error
    # a link to another notebook leads nowhere from a page of slides
    said = re.sub(r"\[([^\]]*)\]\([^)]*\.ipynb\)", r"\1", markdown)
    return str(mistune.html(said))


def blocks(markdown: str) -> list[str]:
    """A text in pieces at its empty lines; a fenced block stays one piece."""
    found: list[str] = []
    fenced = False
    for line in [*markdown.splitlines(), ""]:
        if not line.strip() and not fenced:
            found.append("")
            continue
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if not found:
            found.append("")
        found[-1] += line + "\n"
    return [block for block in found if block.strip()]


def _add_text(deck: list[Slide], markdown: str) -> None:
    for block in blocks(markdown):
        first = block.lstrip()
        if match := re.match(r"#{1,2} .*", first):
            heading = _html(match.group())
            deck.append(Slide(re.sub(r"</?h\d>", "", heading).strip()))
            block = "\n".join(block.splitlines()[1:])
            if not block.strip():
                continue
            first = block.lstrip()
        if not deck:
            raise CourseError(
                "a lesson's text must begin with its title", remedy="begin it with `# NN Title`"
            )
        if re.match(r"([-*|]|\d+\.|```) ?", first) or first.startswith(("**", "### ")):
            _show(deck, _html(block), len(re.findall(r"^\s*([-*|]|\d+\.|\S)", block, re.M)))
        else:
            deck[-1].lead = deck[-1].lead or block
            deck[-1].notes.append(_html(block))


def _add_code(
    deck: list[Slide], cell: dict[str, Any], outputs: list[dict[str, Any]], tags: set[str]
) -> None:
    if "slide" in tags:
        _show(deck, f"<pre>{escape(cell['source'])}</pre>", cell["source"].count("\n") + 1)
    for output in outputs:
        data = output.get("data", {})
        if "image/png" in data:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            source = "".join(data["image/png"]).replace("\n", "")
            picture = f'<img alt="{escape(alt)}" src="data:image/png;base64,{source}">'
            _show(deck, picture, _PICTURE)
        elif "slide" in tags:
            text = "".join(data.get("text/plain", output.get("text", "")))
            html = "".join(data.get("text/html", "")) or f"<pre>{escape(text)}</pre>"
            _show(deck, html, text.count("\n") + 1)


def _show(deck: list[Slide], html: str, weight: int) -> None:
    """Put a piece on the slide in hand, or on a further one where it would be too full."""
    slide = deck[-1]
    if slide.weight and slide.weight + weight > _FULL:
        label = [slide.shown.pop()] if _LABEL.fullmatch(slide.shown[-1]) else []
        slide = Slide(slide.title, shown=label, weight=len(label))
        deck.append(slide)
    slide.shown.append(html)
    slide.weight += weight


def _add_quiz(slide: Slide, number: str) -> None:
    for question in quizzes.load(number):
        slide.shown.append(f"<p>{escape(question.text)}</p>")
        rows = "".join(
            f"<li>{'✓' if option.right else '✗'} {escape(option.text)}: {escape(option.why)}</li>"
            for option in question.options
        )
        slide.notes.append(f"<p>{escape(question.text)}</p><ul>{rows}</ul>")
