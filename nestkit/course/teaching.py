"""What an instructor takes to a class: the lessons with notes and outputs, and slides."""

from __future__ import annotations

from pathlib import Path

from nestkit.course import editions, slides
from nestkit.errors import CourseError


def prepare(folder: Path, *, lesson: str = "") -> list[Path]:
    """Write the instructor's edition and the slides of all lessons, or of one, into a folder.

    Files of the same names are replaced.

    Raises
    ------
    CourseError
        If there is no such lesson, or jupytext is missing.
    DataFileError
        If a source, or a solution, is not whole.
    """
    chosen = [source for source in editions.sources() if lesson in ("", source.stem[:2])]
    if not chosen:
        known = ", ".join(source.stem[:2] for source in editions.sources())
        raise CourseError(f"there is no lesson {lesson!r}", remedy=f"choose one of {known}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in chosen:
        notebook = editions.generate(source, "instructor")
        outputs = slides.outputs_of(editions.target(source, "solution"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = outputs.get(cell["id"], [])
        path = folder / f"{source.stem}.ipynb"
        path.write_text(editions.text_of(notebook), encoding="utf-8")
        written.append(path)
        path = folder / f"{source.stem}-slides.html"
        path.write_text(slides.page(source), encoding="utf-8")
        written.append(path)
    return written
