"""course, progress, reset; class: what an instructor needs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nestkit.cli.terminal import OUTPUT, say
from nestkit.wording import counted


@click.command()
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.argument("lesson", default="00")
def course(lesson: str, no_browser: bool) -> int:
    """Open JupyterLab at a lesson (00, 01, …)."""
    from nestkit.course.launch import open_lesson

    return open_lesson(lesson, browser=False if no_browser else None)


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--save", type=OUTPUT, metavar="FILE",
              help="Write a copy of the record here, to hand it in.")  # fmt: skip
def progress(as_json: bool, save: Path | None) -> None:
    """Show what has been done of the course."""
    from nestkit.course import progress as record

    if save:
        record.save(save)
        say(f"saved as {save}", err=True)
    summary = record.summary()
    say(json.dumps(summary.to_json(), indent=2) if as_json else summary)


@click.command()
@click.option("--progress", "also_progress", is_flag=True,
              help="Begin a new record of progress too; the old one is kept aside.")  # fmt: skip
def reset(also_progress: bool) -> None:
    """Put your practice hosts back to their first state.

    For when one was broken, or a lesson is to be done once more.
    """
    from nestkit import practice
    from nestkit.course import progress as record

    say(f"{counted(practice.reset(), 'practice host')} reset")
    if also_progress:
        say(record.begin_anew())


@click.group("class")
def class_() -> None:
    """Teach: lessons with notes, slides, all progress."""


@class_.command("prepare")
@click.option("--lesson", default="", metavar="NN", help="Only this one.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def prepare(folder: Path, lesson: str) -> None:
    """Write lessons with notes, and slides, into FOLDER.

    The slides need no network.
    """
    from nestkit.course.teaching import prepare as write

    for path in write(folder, lesson=lesson):
        say(path)


@class_.command("progress")
@click.option("--json", "as_json", is_flag=True)
@click.option("--save", type=OUTPUT, metavar="CSV", help="Write the table here.")
@click.argument("files", nargs=-1, required=True, metavar="FILE|FOLDER...",
                type=click.Path(path_type=Path))  # fmt: skip
def class_progress(files: tuple[Path, ...], as_json: bool, save: Path | None) -> None:
    """Show one table of all learners.

    The files are those that learners made with `nestkit progress --save`.
    """
    from nestkit.course.classroom import gather
    from nestkit.course.runs import as_data

    table = gather(files)
    if save:
        frame = table.to_frame()
        frame = frame.map(as_data)  # a name is data, also in a spreadsheet
        frame.to_csv(save, index=False)
        say(f"saved as {save}", err=True)
    say(json.dumps(table.to_json(), indent=2) if as_json else table, raw=as_json)
