"""What the diagrams share: a canvas without axes, boxes, arrows, and their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# light tints with black text on them, told apart by lightness and label too, not by hue alone
FILLS: Final = ("#d5e8f7", "#fdebc8", "#d6efe2", "#f3dcea")
PLAIN: Final = "#f6f8fa"
EDGE: Final = "#24292f"
STOP: Final = "#b34700"  # vermilion, and always with a cross or dashes beside it


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches, its axes hidden; the units are set by :func:`frame`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    return figure, axes


def frame(axes: Axes, width: float, height: float) -> None:
    """Show everything from 0 to ``width`` and 0 to ``height``."""
    axes.set_xlim(-0.1, width + 0.1)
    axes.set_ylim(-0.1, height + 0.1)


def box(axes: Axes, left: float, bottom: float, width: float, height: float, fill: str) -> None:
    """A box with round corners."""
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=fill, edgecolor=EDGE, linewidth=1.2,
        )
    )  # fmt: skip


def arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    stopped: bool = False,
    width: float = 1.6,
) -> None:
    """An arrow; one that is ``stopped`` is dashed, and a cross stands at its end."""
    colour = STOP if stopped else EDGE
    style = {"arrowstyle": "-" if stopped else "-|>", "color": colour, "linewidth": width,
             "linestyle": (0, (4, 2)) if stopped else "-", "shrinkA": 0, "shrinkB": 0}  # fmt: skip
    axes.annotate("", end, start, arrowprops=style)
    if stopped:
        axes.text(*end, "✗", color=STOP, size=14, ha="center", va="center", weight="bold")
