"""course, progress."""

from __future__ import annotations

import json

import click

from nestkit.cli.terminal import say


@click.command()
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.argument("lesson", default="00")
def course(lesson: str, no_browser: bool) -> int:
    """Open JupyterLab at a lesson (00, 02, …)."""
    from nestkit.course.launch import open_lesson

    return open_lesson(lesson, browser=False if no_browser else None)


@click.command()
@click.option("--json", "as_json", is_flag=True)
def progress(as_json: bool) -> None:
    """Show what has been done of the course."""
    from nestkit.course import progress as record

    summary = record.summary()
    say(json.dumps(summary.to_json(), indent=2) if as_json else summary)
