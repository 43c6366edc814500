"""What all charts share: colours, labels, the words a reader must not overlook.

Colours are ``okabe_ito`` (colour-blind-safe), the marker's shape says the layer a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from nestkit.benchmark.effects import CACHED, compare
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.workloads import WORKLOADS
from nestkit.errors import RunError
from nestkit.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN: Final = 7.0  # a notebook's column
DPI: Final = 110
BASELINE: Final = "#555555"
INK: Final = "#333333"
SURE: Final = ("slower", "faster")  # verdicts that claim a difference
EMULATED: Final = "emulated (TCG): not evidence for hardware"
_MARKERS: Final = ("o", "s", "D", "^", "v", "P")
_ORIGINS: Final = {
    "measured": "",
    "recorded": "recorded, not measured here",
    "practice": "practice data, not a real host",
    "published": "published by others",
}
_ALT: Final = "nestkit-alt-text"
_LEFT_OUT: Final = {"#000000", "#f0e442"}
_TITLE_WIDTH: Final = 72  # letters that fit above a panel
_PAGE_WIDTH: Final = 92  # letters that fit below a chart


def runs_of(run_or_runs: Run | Sequence[Run]) -> list[Run]:
    """One run or several, as a list."""
    return [run_or_runs] if isinstance(run_or_runs, Run) else list(run_or_runs)


def origin_label(run: Run) -> str:
    """Where the run's figures come from; empty where they were measured here."""
    label = _ORIGINS[run.origin]
    if run.origin == "recorded":
        date = str(run.provenance.get("date_utc", ""))[:10]
        cpu = run.provenance.get("host_cpu", "")
        label = " ".join(filter(None, ["recorded", date, f"on {cpu}" if cpu else ""]))
        label += ", not measured here"
    return label


def was_noisy(run: Run) -> bool:
    """True where the run says so of itself: also where only its quiet part is shown."""
    return run.too_noisy or any("too noisy" in note for note in run.notes)


def panel_title(
    run: Run, emulated: bool, head: str = "", width: int = _TITLE_WIDTH, number: int = 0
) -> str:
    """First what runs on what, or ``head``; then all a reader must not overlook.

    ``width`` is the number of letters that fit above the panel; ``number`` counts the runs of a
    chart from 1 on, and is 0 where there is only one.
    """
    own = [f for f in run.layers if f.emulated == emulated]
    stack = max(own, key=lambda f: f.depth).stack
    labels = [origin_label(run)]
    if emulated:
        labels.append(EMULATED)
    elif run.emulated:
        stack = "This machine, not emulated"
    if was_noisy(run):
        labels.append("the machine was too noisy")
    if any(CACHED in effect.note for effect in compare(run)):
        labels.append(f"disk: {CACHED}")
    if run.status != "complete":
        labels.append(f"incomplete: {run.status}")
    head = f"Run {number}: {head or stack}" if number else head or stack
    return "\n".join([head, *_lines([label for label in labels if label], width)])


def _lines(labels: Sequence[str], width: int) -> list[str]:
    """Labels side by side as far as they fit; a label is parted only where it alone is too long."""
    lines: list[str] = []
    for label in labels:
        if lines and len(lines[-1]) + 3 + len(label) <= width:
            lines[-1] += f" · {label}"
        else:
            if lines:
                lines[-1] += " ·"
            lines += wrap(label, width)
    return lines


def below(*sentences: str) -> str:
    """Sentences below a chart, each from a line of its own on, as wide as the page."""
    return "\n".join(line for sentence in sentences for line in wrap(sentence, _PAGE_WIDTH))


def in_alt_text(sentences: Sequence[str]) -> list[str]:
    """What stands :func:`below` a chart, as sentences of its alternative text."""
    return [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in sentences]


def in_one_line(title: str) -> str:
    """A panel's title as a part of a sentence."""
    head, _, rest = title.partition("\n")
    return "; ".join(filter(None, [head, " ".join(rest.split()).replace(" · ", ", ")]))


def workload_title(name: str) -> str:
    """A workload's title, also of one that this nestkit does not know."""
    known = WORKLOADS.get(name)
    return known.title if known else name


def colours() -> list[str]:
    """The colours of the layers, from the outermost on."""
    from matplotlib import color_sequences
    from matplotlib.colors import to_hex

    # black and yellow are left out: the one is the text's, the other vanishes on white
    return [to_hex(c) for c in color_sequences["okabe_ito"] if to_hex(c) not in _LEFT_OUT]


def layer_style(depth: int, *, sure: bool = True) -> dict[str, Any]:
    """Colour and shape of a layer, the same in every chart; hollow where nothing is shown."""
    colour = colours()[depth % len(colours())]
    return {
        "color": colour,
        "marker": _MARKERS[depth % len(_MARKERS)],
        "markerfacecolor": colour if sure else "white",
        "markersize": 6,
    }


def ratio_tick(value: float, _position: int) -> str:
    """A ratio on an axis; below 1 as a fraction."""
    return f"{value:,g}×" if value >= 1 else f"1/{1 / value:,g}×"


def log2_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic x axis of ratios, with few ticks at powers of two: their labels are long."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(base=2.0 ** max(1, ceil(log2(high / low) / 6))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(ratio_tick))


def new_figure(height_in: float, title: str) -> Figure:
    """A figure of a notebook's width."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained", dpi=DPI)
    figure.suptitle(title, fontsize=12, fontweight="bold")
    return figure


def plain(axes: Axes, title: str, grid: str = "") -> None:
    """No frame, a light grid along ``grid`` ("x" or "y"), the title to the left."""
    if grid == "x":
        axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    elif grid == "y":
        axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, fontsize=9, loc="left", color=INK)


def with_text(figure: Figure, text: str) -> Figure:
    """The figure with its alternative text; what a run says in it is text, and no formula."""
    from matplotlib.text import Text

    for word in figure.findobj(Text):
        word.set_parse_math(False)
    figure.set_gid(_ALT)
    figure.set_label(text)
    return figure


def alt_text(figure: Figure) -> str:
    """The alternative text of a figure made here.

    Raises
    ------
    RunError
        If the figure was made elsewhere.
    """
    if figure.get_gid() != _ALT:
        raise RunError(
            "this figure has no alternative text",
            remedy="pass a figure made by nestkit.charts, such as charts.slowdown(run)",
        )
    return str(figure.get_label())


def show(figure: Figure) -> None:
    """Display a figure in a notebook, with its alternative text."""
    from IPython.display import display

    display(Picture(figure, alt_text(figure)))  # type: ignore[no-untyped-call]
