"""Pictures of the lessons, drawn by code, each with words that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nestkit.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LAYERS: Final = (
    ("L0", "the machine itself", "ESXi or Hyper-V on the hardware"),
    ("L1", "a VM on L0", "ESXi or Hyper-V, nested"),
    ("L2", "a VM on L1", "the guest you work with"),
    ("L3", "a VM on L2", "possible, and slow"),
)
_FILLS: Final = ("#d5e8f7", "#fdebc8", "#d6efe2", "#f3dcea")  # light tints: black text on each
_EDGE: Final = "#24292f"


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    return figure, axes


def _box(axes: Axes, left: float, bottom: float, width: float, height: float, fill: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=fill, edgecolor=_EDGE, linewidth=1.2,
        )
    )  # fmt: skip


def layers_diagram(depth: int = 2) -> Picture:
    """Machines one in the other: L0, L1, L2 and, with ``depth=3``, L3."""
    if not 1 <= depth < len(_LAYERS):
        raise ValueError(f"depth is 1 to {len(_LAYERS) - 1}, not {depth}")
    shown = _LAYERS[: depth + 1]
    width, step = 9.0, 0.62
    height = step * len(shown) + 0.5
    figure, axes = _canvas(7.2, 0.75 + 0.62 * len(shown))
    for i, (name, what, role) in enumerate(shown):
        inset = 0.28 * i
        _box(axes, inset, inset * 0.6, width - 2 * inset, height - inset * 0.6 - step * i,
             _FILLS[i])  # fmt: skip
        axes.text(inset + 0.2, height - step * i - 0.36, f"{name}", weight="bold", size=12)
        axes.text(inset + 0.85, height - step * i - 0.36, f"{what}: {role}", size=11)
    axes.set_xlim(-0.1, width + 0.1)
    axes.set_ylim(-0.1, height + 0.1)
    alt = "Boxes one inside the other. " + "; ".join(
        f"{name} is {what}: {role}" for name, what, role in shown
    )
    return Picture(figure, alt + ".")


def network_diagram() -> Picture:
    """Why a frame of an L2 VM gets lost at a standard switch, and what lets it through."""
    figure, axes = _canvas(8.6, 3.1)
    boxes = (
        (0.0, 0.75, 4.7, 2.0, _FILLS[1]),
        (0.35, 1.0, 1.9, 0.85, _FILLS[2]),
        (5.6, 0.75, 3.4, 2.0, _FILLS[0]),
    )
    for left, bottom, width, height, fill in boxes:
        _box(axes, left, bottom, width, height, fill)
    axes.text(0.2, 2.45, "L1: nested ESXi", weight="bold", size=10.5)
    axes.text(0.2, 2.15, "its NIC has the MAC …:01", size=9.5)
    axes.text(0.5, 1.53, "L2 VM", weight="bold", size=10.5)
    axes.text(0.5, 1.2, "MAC …:aa", size=9.5)
    axes.text(5.8, 2.45, "port group on L0", weight="bold", size=10.5)
    axes.text(5.8, 2.12, "knows one MAC on this port: …:01", size=9.5)
    arrow = {"arrowstyle": "-|>", "color": _EDGE, "linewidth": 1.5}
    axes.annotate("", (5.6, 1.62), (2.25, 1.62), arrowprops=arrow)
    axes.annotate("", (2.25, 1.12), (5.6, 1.12), arrowprops=arrow)
    axes.text(2.45, 1.7, "out: source …:aa", size=9)
    axes.text(2.45, 0.86, "in: destination …:aa", size=9)
    axes.text(5.8, 1.55, "needs Forged transmits: Accept", size=9.5)
    axes.text(5.8, 1.05, "needs Promiscuous mode: Accept", size=9.5)
    axes.text(0, 0.2, "Without them L1 itself has a network, and every L2 VM has none.", size=10)
    axes.set_xlim(-0.1, 9.1)
    axes.set_ylim(0, 2.85)
    return Picture(
        figure,
        "An L2 VM with MAC address ending in aa sits inside a nested ESXi host whose NIC has the "
        "MAC ending in 01. Frames going out carry source aa: the port group of L0 lets them pass "
        "only if forged transmits are accepted. Frames coming back are for aa, which the port "
        "does not know: they arrive only in promiscuous mode.",
    )
