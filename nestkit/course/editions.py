"""The editions of the lessons, from one source by tag.

``notebooks/source/NN-name.py`` (jupytext percent) is what one edits. A cell tagged with an
edition's name is left out of the editions that :data:`EDITIONS` says; all other cells are in
all of them. Learner notebooks carry no outputs; solutions are committed executed. A source
without a number is a page beside the lessons: it has nothing to solve, so only the learner's
edition.

``python -m nestkit.course.editions --write learner|solution|instructor [--lesson NN]``, or
``--check``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from nestkit.course.lessons import lesson_of
from nestkit.errors import CourseError, DataFileError, NestkitError
from nestkit.resources import notebooks_path

Notebook = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edition:
    """Which tagged cells are left out, where the notebooks go, and whether they are run."""

    leaves_out: frozenset[str]
    folder: str
    executed: bool


EDITIONS: Final = {
    "learner": Edition(frozenset({"solution", "instructor"}), "", executed=False),
    "solution": Edition(frozenset({"learner", "instructor"}), "solutions", executed=True),
    "instructor": Edition(frozenset({"learner"}), "instructor", executed=False),
}
COMMITTED: Final = ("learner", "solution")
TAGS: Final = frozenset(EDITIONS) | {"slide"}
_KERNEL: Final = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def _jupytext() -> ModuleType:
    try:
        import jupytext
    except ImportError as error:
        raise CourseError(
            "lessons are generated with jupytext, which is not installed",
            remedy="run `make notebooks`, which installs what it needs",
        ) from error
    module: ModuleType = jupytext
    return module


def sources(folder: Path | None = None) -> tuple[Path, ...]:
    """The sources of all lessons, in order."""
    return tuple(sorted((folder or notebooks_path("source")).glob("[0-9][0-9]-*.py")))


def pages(folder: Path | None = None) -> tuple[Path, ...]:
    """The sources of the pages beside the lessons."""
    folder = folder or notebooks_path("source")
    return tuple(sorted(set(folder.glob("*.py")) - set(sources(folder))))


def _of_edition(edition: str, folder: Path | None) -> tuple[Path, ...]:
    return sources(folder) + (pages(folder) if edition == "learner" else ())


def generate(source: Path, edition: str) -> Notebook:
    """One edition of one lesson, without outputs; the same source gives the same notebook.

    Raises
    ------
    DataFileError
        If the lesson's header is not whole, or a cell has an unknown tag.
    CourseError
        If there is no such edition, or jupytext is missing.
    """
    if edition not in EDITIONS:
        raise CourseError(
            f"there is no edition {edition!r}", remedy=f"use one of {', '.join(EDITIONS)}"
        )
    read = _jupytext().reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    if source.name[:2].isdigit():
        lesson_of(dict(read.metadata), source)
    seen: Counter[str] = Counter()
    cells = []
    for number, cell in enumerate(read.cells, start=1):
        tags = frozenset(cell.metadata.get("tags", ()))
        if unknown := tags - TAGS:
            raise DataFileError(
                f"{source}:1: tags: cell {number} has {', '.join(sorted(unknown))}",
                remedy=f"use {', '.join(sorted(TAGS))}",
            )
        if tags & EDITIONS[edition].leaves_out:
            continue
        text = str(cell.source)
        if edition == "instructor":
            text = _for_instructors(text, tags)
        seen[text] += 1
        # an id of the text, not of the place: an edit elsewhere leaves it alone
        name = hashlib.sha256(f"{cell.cell_type}\0{text}\0{seen[text]}".encode()).hexdigest()[:12]
        made: Notebook = {"cell_type": cell.cell_type, "id": name, "metadata": {}, "source": text}
        if kept := sorted(tags):
            made["metadata"]["tags"] = kept
        if cell.cell_type == "code":
            made |= {"execution_count": None, "outputs": []}
        cells.append(made)
    metadata = {
        "kernelspec": _KERNEL,
        "language_info": {"name": "python"},
        "nestkit": {**read.metadata.get("nestkit", {}), "edition": edition},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _for_instructors(text: str, tags: frozenset[str]) -> str:
    """Notes set off from the lesson, and a word on what this edition is in place of another's."""
    if text.startswith("> This is the **solution** edition"):
        return (
            "> This is the **instructor's** edition: the lesson with its solutions, their outputs, "
            "and notes.\n> It is not meant for learners."
        )
    if "instructor" not in tags:
        return text
    return "\n".join(
        f"> {line}".rstrip() for line in ["**For the instructor**", "", *text.split("\n")]
    )


def target(source: Path, edition: str) -> Path:
    """Where an edition of a source is kept."""
    return source.parent.parent / EDITIONS[edition].folder / f"{source.stem}.ipynb"


def text_of(notebook: Notebook) -> str:
    """A notebook as the text of its file, sources as lists of lines as Jupyter writes them."""
    cells = [
        {**cell, "source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]
    ]
    whole = {**notebook, "cells": cells}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def without_outputs(text: str) -> Notebook:
    """What ``generate`` would give for a notebook's text: outputs and counts taken off."""
    notebook: Notebook = json.loads(text)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
    return notebook


def write(edition: str, folder: Path | None = None, *, lesson: str = "") -> list[Path]:
    """Generate one edition of all lessons, or of one, and run it where the edition is executed."""
    written = []
    for source in _of_edition(edition, folder):
        if not source.stem.startswith(lesson):
            continue
        notebook = generate(source, edition)
        if EDITIONS[edition].executed:
            from nestkit.course.execution import executed

            notebook = executed(notebook, source.stem)
        path = target(source, edition)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(notebook), encoding="utf-8")
        written.append(path)
    return written


def stale(folder: Path | None = None) -> list[str]:
    """What is committed and not what the sources give: one line each; outputs are not compared."""
    found = []
    for edition in COMMITTED:
        paths = {target(source, edition): source for source in _of_edition(edition, folder)}
        for path, source in paths.items():
            if not path.is_file():
                found.append(f"{path.name} ({edition}) is missing")
            elif text_of(without_outputs(path.read_text(encoding="utf-8"))) != text_of(
                generate(source, edition)
            ):
                found.append(f"{path.name} ({edition}) is not what its source gives")
            elif not EDITIONS[edition].executed and _has_outputs(path):
                found.append(f"{path.name} ({edition}) has outputs")
        for parent in {path.parent for path in paths}:
            found += [
                f"{path.name} ({edition}) has no source"
                for path in sorted(parent.glob("*.ipynb"))
                if path not in paths
            ]
    return found


def _has_outputs(path: Path) -> bool:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def main(argv: list[str] | None = None) -> int:
    """Write or check the editions; exit status 1 where a check finds something."""
    parser = argparse.ArgumentParser(prog="python -m nestkit.course.editions", description=__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", choices=sorted(EDITIONS), metavar="EDITION")
    group.add_argument("--check", action="store_true")
    parser.add_argument("--lesson", default="", metavar="NN", help="write only this one")
    options = parser.parse_args(argv)
    try:
        if options.write:
            for path in write(options.write, lesson=options.lesson):
                print(path.name)  # noqa: T201
            return 0
        found = stale()
    except NestkitError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    for line in found:
        print(line, file=sys.stderr)  # noqa: T201
    if found:
        print("  → run `make notebooks solutions`", file=sys.stderr)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
