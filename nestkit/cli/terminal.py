"""What the commands share: exit status and a line of progress."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

import click

FINDINGS_BLOCK: Final = 1
NOT_DONE: Final = 2
INTERRUPTED: Final = 130


class _Output(click.Path):
    """A file to write: its folder must be there before minutes of work, not after."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            self.fail(f"{str(path)!r} cannot be written", param, ctx)
        return path


OUTPUT: Final = _Output(dir_okay=False, path_type=Path)


class Progress:
    """One line a person can follow on standard error; a few plain lines where it is a file."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.last = ""
        self.shown_at = 0.0

    def __call__(
        self, message: str, done: float = 0, total: float = 0, eta_s: float | None = None
    ) -> None:
        text = message + (f"  {done:g}/{total:g}" if total else "")
        text += f"  about {eta_s:.0f} s left" if eta_s is not None else ""
        now = time.monotonic()
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[K{text[:width]}", err=True, nl=False)
        elif (not total and message != self.last) or now - self.shown_at > 10:
            click.echo(text, err=True)
            self.shown_at = now
        self.last = message

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.live and self.last:
            click.echo("\r\x1b[K", err=True, nl=False)
