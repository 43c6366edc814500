"""How a form shows that it works, what came of it, and what went wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import ipywidgets as w

from nestkit.course import markup
from nestkit.errors import NestkitError

_ENDINGS: Final = {
    "done": "Done.",
    "failed": "It did not work; the message below says what to do.",
    "cancelled": "Cancelled.",
}
_HIDDEN: Final = "••••"


class Cancel(threading.Event):
    """Whether Cancel was pressed: an event to look at, or to call as a question."""

    def __call__(self) -> bool:
        return self.is_set()


class Progress:
    """A bar, and beside it the same in words for screen readers; safe from any thread.

    It is the callable handed to a function's ``progress``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.words = ""
        self.bar = w.IntProgress(value=0, min=0, max=1, layout={"width": "16em"})
        self.line = w.HTML()
        self.widget = w.HBox([self.bar, self.line])

    def say(self, words: str) -> None:
        """Change the words only."""
        with self._lock:
            self.words = words
            self.line.value = markup.status(words)

    def begin(self) -> None:
        """A run begins."""
        self.bar.bar_style = ""
        self.bar.value, self.bar.max = 0, 1
        self.say("Running …")

    def end(self, state: str) -> None:
        """A run has ended in this state."""
        self.bar.bar_style = {"done": "success", "failed": "danger"}.get(state, "warning")
        if state == "done":
            self.bar.value = self.bar.max
        self.say(_ENDINGS[state])

    def __call__(
        self, words: str, done: float = 0, total: float = 0, left_s: float | None = None
    ) -> None:
        """Words for what is being done, how much is done, of how much, and seconds left."""
        if total > 0:
            self.bar.max = max(int(total), 1)
            self.bar.value = min(int(done), int(total))
            words = f"{words} ({done:g} of {total:g})"
        if left_s is not None:
            words = f"{words}, about {left_s:.0f} s left"
        self.say(words)


def redacted(html: str, secrets: tuple[str, ...]) -> str:
    """The same without what was typed as a secret."""
    for secret in secrets:
        html = html.replace(markup.text(secret), _HIDDEN)
    return html


def problem_html(error: BaseException, kind: str = "fail") -> str:
    """What happened and what to do: never a traceback."""
    if isinstance(error, NestkitError):
        head, body = error.message, f"What to do: {error.remedy}"
    else:
        head = f"Something unexpected happened: {type(error).__name__}: {error}"
        body = (
            "What to do: run the cell again; if it stays, look at form.error and report it "
            "as a fault of nestkit."
        )
    return markup.notice(kind, head, body)


def result_html(result: Any, render: Callable[[Any], str] | None) -> str:
    """A result as HTML: by ``render``, by itself, or as escaped text."""
    try:
        if render is not None:
            return markup.block(render(result))
        own = getattr(result, "_repr_html_", None)
        if own is not None:
            return markup.block(str(own()))
    except Exception as error:  # noqa: BLE001  (the call itself worked: say so, with the fault)
        return markup.notice("warn", "It worked, but the result cannot be shown", str(error))
    return "" if result is None else markup.block(f"<pre>{markup.text(result)}</pre>")
