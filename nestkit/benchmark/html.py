"""A run for a notebook: the table of every workload and layer, and what must be known of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from nestkit.benchmark import texts
from nestkit.benchmark.effects import compare
from nestkit.benchmark.runfile import Run

_CELL: Final = "text-align:left;vertical-align:top;padding:3px 12px 3px 0"
_LINE: Final = "border-top:1px solid rgba(128,128,128,.4)"
_WARNING: Final = (
    "border-left:4px solid #9a6700;padding:.3em .8em;margin:.3em 0;line-height:1.4"
)  # fmt: skip


def as_html(run: Run, baseline: str | None = None) -> str:
    """The summary as an accessible table, and above it the warnings, which none may overlook."""
    effects = compare(run, baseline)
    heads = "".join(
        f'<th scope="col" style="{_CELL}">{escape(head or "verdict")}</th>' for head in texts.HEAD
    )
    rows = "".join(_row(texts.row_of(effect)) for effect in effects)
    below = "<br>".join(_safe(line) for line in texts.lines_below(run, effects))
    return (
        _warnings(texts.warnings_of(run, effects))
        + '<table style="border-collapse:collapse">'
        + f'<caption style="text-align:left;color:inherit">{_safe(texts.headline(run, effects))}'
        + f"</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table><p>{below}</p>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = (_safe(cell) for cell in cells)
    return (
        f'<tr style="{_LINE}"><th scope="row" style="{_CELL}">{first}</th>'
        + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in others)
        + "</tr>"
    )


def _warnings(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{_safe(line)}</li>" for line in lines)
    return f'<div style="{_WARNING}"><strong>! Know this</strong><ul>{items}</ul></div>' * any(
        lines
    )


def _safe(text: str) -> str:
    # what a layer says of itself may hold bytes that are no text, and signs that are HTML
    return escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))
