"""What the commands share: exit status and a line of progress."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click

from nestkit.wording import harmless, plain

FINDINGS_BLOCK: Final = 1
NOT_DONE: Final = 2
INTERRUPTED: Final = 130
_PICTURES: Final = (".png", ".svg", ".pdf")


class _Output(click.Path):
    """A file to write: its folder must be there before minutes of work, not after."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            self.fail(f"{str(path)!r} cannot be written", param, ctx)
        return path


class _Picture(_Output):
    """A picture to write, of a kind that can be drawn."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if path.suffix.lower() not in _PICTURES:
            self.fail(f"{str(path)!r} does not end in {', '.join(_PICTURES)}", param, ctx)
        return path


URL: Final = click.argument("url", metavar="URL")
OUTPUT: Final = _Output(dir_okay=False, path_type=Path)
PICTURE: Final = _Picture(dir_okay=False, path_type=Path)


def say(what: Any, *, err: bool = False, raw: bool = False) -> None:
    """Print for a person; ``raw`` is for programs, which need every character as it is.

    A reader who has had enough, as ``| head``, changes nothing: what was done was done, and the
    exit status tells it.
    """
    try:
        click.echo(str(what) if raw else harmless(str(what)), err=err)
    except BrokenPipeError:
        drop_what_cannot_be_written()


def pass_on(text: str, *, err: bool = False) -> None:
    """What a program said, as the bytes they were; those that are no text come as surrogates."""
    try:
        click.echo(text.encode("utf-8", "surrogateescape"), nl=False, err=err)
    except BrokenPipeError:
        drop_what_cannot_be_written()


def drop_what_cannot_be_written() -> None:
    """What is left in a buffer must not fail once more, with a status of its own, at the end."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        except (AttributeError, ValueError):
            pass  # there is no such stream, or it is closed


@contextmanager
def stop_between_steps() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second interrupts at once."""
    asked = threading.Event()

    def ask(_number: int, _frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        # past the buffer: the interrupted code may be in the middle of writing to it
        with suppress(OSError):
            os.write(2, b"stopping after this step; Ctrl-C again interrupts it\n")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


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
            self._show(f"\r\x1b[K{plain(text)[:width]}", newline=False)
        elif (not done and message != self.last) or now - self.shown_at > 10:
            self._show(plain(text))
            self.shown_at = now
        self.last = message

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.live and self.last:
            self._show("\r\x1b[K", newline=False)

    def _show(self, text: str, *, newline: bool = True) -> None:
        with suppress(OSError):  # nobody looks any more; the work goes on
            click.echo(text, err=True, nl=newline)
