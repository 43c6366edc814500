"""A table as accessible HTML. Every text that comes in is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_CELL: Final = "text-align:left;vertical-align:top;padding:3px 12px 3px 0;overflow-wrap:break-word"

# a widget's links would look like other text
_LINK: Final = "color:var(--jp-content-link-color,LinkText);text-decoration:underline"


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads to a page of the web: ``address`` begins with https."""

    label: str
    address: str

    def __str__(self) -> str:
        return self.label


def text(value: object) -> str:
    """Any value as escaped text, with lone surrogates made visible instead of breaking JSON."""
    return escape(str(value).encode("utf-8", "backslashreplace").decode("utf-8"))


def lines(value: object) -> str:
    """Escaped text that keeps its line breaks."""
    return text(value).replace("\n", "<br>")


def _cell(value: object) -> str:
    if isinstance(value, Link) and value.address.startswith("https://"):
        address = text(value.address)
        return (
            f'<a href="{address}" target="_blank" rel="noopener" style="{_LINK}">'
            f"{text(value.label)}</a>"
        )
    return lines(value)


def table(caption: str, head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A table with a caption and column headings, its text set to the left."""
    heads = "".join(f'<th scope="col" style="{_CELL}">{text(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{_cell(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<table><caption style="text-align:left;white-space:nowrap">{text(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )
