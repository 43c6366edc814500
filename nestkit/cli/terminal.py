"""What the commands share: exit status and a line of progress."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Final

import click

FINDINGS_BLOCK: Final = 1
NOT_DONE: Final = 2
INTERRUPTED: Final = 130


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
        elif message != self.last or now - self.shown_at > 10:
            click.echo(text, err=True)
            self.shown_at = now
        self.last = message

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.live and self.last:
            click.echo("\r\x1b[K", err=True, nl=False)
