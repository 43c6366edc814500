"""Small pieces of accessible HTML. Every text that comes in is escaped here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from nestkit.htmltable import lines, table, text

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["MARKS", "Table", "block", "cell", "code", "lines", "notice", "status", "table", "text"]

# state → mark, word, colour of the left border; colour is never the only sign
MARKS: Final = {
    "pass": ("✓", "#1a7f37"),
    "note": ("i", "#0969da"),
    "warn": ("!", "#9a6700"),
    "fail": ("✗", "#cf222e"),
    "idle": ("…", "#6e7781"),
}


def notice(kind: str, head: str, body: str = "", items: Iterable[str] = ()) -> str:
    """A box with a mark, a heading, a text and a list; ``kind`` is a key of :data:`MARKS`."""
    mark, colour = MARKS[kind]
    listed = "".join(f"<li>{lines(item)}</li>" for item in items)
    return (
        f'<div role="status" style="border-left:4px solid {colour};'
        'padding:.3em .8em;margin:.3em 0;line-height:1.4">'
        f'<strong><span aria-hidden="true">{mark} </span>{text(head)}</strong>'
        + (f"<br>{lines(body)}" if body else "")
        + (f"<ul style='margin:.2em 0 0 1.2em'>{listed}</ul>" if listed else "")
        + "</div>"
    )


def block(html: str) -> str:
    """HTML with the page's own line spacing: a widget would set its lines far apart."""
    return f'<div style="line-height:1.4">{html}</div>'


def status(words: str) -> str:
    """A line that screen readers announce when it changes."""
    return f'<p role="status" style="margin:.2em 0;line-height:1.4">{lines(words)}</p>'


def code(source: str) -> str:
    """A block of code."""
    return (
        '<pre style="margin:.2em 0;'
        "line-height:1.4;padding:.4em .6em;white-space:pre-wrap;"
        'border:1px solid #8c959f;border-radius:4px">'
        f"<code>{text(source)}</code></pre>"
    )


def cell(value: object) -> str:
    """A value of a frame in few digits; what is missing is left empty."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "" if math.isnan(value) else str(value)
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "" if str(value) in ("<NA>", "None") else str(value)


class Table:
    """A frame as a table that reads well: text to the left, a caption, no row numbers."""

    def __init__(self, frame: DataFrame, caption: str) -> None:
        self.frame = frame
        self.caption = caption

    def __repr__(self) -> str:
        return f"{self.caption}\n{self.frame.to_string(index=False)}"

    def _repr_html_(self) -> str:
        rows = [map(cell, row) for row in self.frame.itertuples(index=False, name=None)]
        return table(self.caption, [str(name) for name in self.frame.columns], rows)
