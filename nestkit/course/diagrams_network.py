"""Which way a frame of an L2 VM takes: four ways, and what goes wrong without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nestkit.course.drawing import FILLS, PLAIN, arrow, box, canvas, frame
from nestkit.errors import CourseError
from nestkit.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class _Way:
    """One way: the labels of its boxes, what becomes of each frame, and the same in words."""

    l1: str
    inner: str
    switch: str
    facts: tuple[str, ...]
    source: str  # the address that L0 sees on frames of the L2 VM
    out_passes: bool
    in_passes: bool
    other: str  # what another VM on the same port group gets of them
    caption: str


WAYS: Final = {
    "none": _Way(
        "L1: nested ESXi", "vSwitch", "port group on L0",
        ("Forged transmits: Reject", "Promiscuous mode: Reject"),
        "…:aa", False, False, "",
        "Nothing set: L1 itself has a network, and its L2 VMs have none.",
    ),
    "promiscuous": _Way(
        "L1: nested ESXi", "vSwitch", "port group on L0",
        ("Forged transmits: Accept", "Promiscuous mode: Accept"),
        "…:aa", True, True, "gets a copy only if it listens promiscuously too",
        "Standard switch: all frames go to each port that listens.",
    ),
    "learning": _Way(
        "L1: nested ESXi", "vSwitch", "distributed port group",
        ("Forged transmits: Accept", "MAC learning: on", "Promiscuous mode: Reject"),
        "…:aa", True, True, "gets no copy",
        "MAC learning: the switch notes behind which port …:aa is.",
    ),
    "spoofing": _Way(
        "L1: nested Hyper-V", "external\nvSwitch", "virtual switch on L0",
        ("MAC address spoofing: On", "(a setting of L1's NIC)"),
        "…:aa", True, True, "gets no copy",
        "Hyper-V: spoofing lets L1's NIC send as …:aa, and receive for it.",
    ),
    "nat": _Way(
        "L1: nested Hyper-V", "internal\nvSwitch\n+ NAT", "virtual switch on L0",
        ("nothing to set:", "only …:01 is ever seen"),
        "…:01", True, True, "gets no copy",
        "NAT: L1 sends as itself. Nobody outside can call L2 unless a port is mapped.",
    ),
}  # fmt: skip


def network_diagram(way: str = "promiscuous") -> Picture:
    """The path of the frames of an L2 VM.

    Parameters
    ----------
    way
        "none", "promiscuous", "learning" (ESXi), "spoofing" or "nat" (Hyper-V).

    Raises
    ------
    CourseError
        If there is no such way.
    """
    if way not in WAYS:
        raise CourseError(
            f"there is no picture of the way {way!r}", remedy=f"use one of {', '.join(WAYS)}"
        )
    shown = WAYS[way]
    figure, axes = canvas(8.6, 3.5)
    box(axes, 0.0, 0.55, 4.3, 2.55, FILLS[1])
    axes.text(0.2, 2.8, shown.l1, weight="bold", size=10)
    _boxed(axes, 0.25, 1.05, 1.1, "L2 VM", "MAC …:aa", FILLS[2])
    _boxed(axes, 1.75, 1.05, 1.15, shown.inner, "", PLAIN)
    _boxed(axes, 3.2, 1.05, 0.95, "NIC", "MAC …:01", PLAIN)
    box(axes, 5.9, 0.55, 3.3, 2.55, FILLS[0])
    axes.text(6.05, 2.8, shown.switch, weight="bold", size=10)
    for i, fact in enumerate(shown.facts):
        axes.text(6.05, 2.5 - 0.27 * i, fact, size=9)
    _frames(axes, shown)
    axes.text(0, 0.2, shown.caption, size=9.5)
    if shown.other:
        axes.text(6.05, 0.75, f"another VM there: {_wrapped(shown.other)}", size=8.5, va="bottom")
    frame(axes, 9.2, 3.2)
    return Picture(figure, _words(shown))


def _boxed(
    axes: Axes, left: float, bottom: float, width: float, name: str, mac: str, fill: str
) -> None:
    box(axes, left, bottom, width, 1.1, fill)
    middle = left + width / 2
    axes.text(middle, bottom + (0.72 if mac else 0.55), name, size=9.5, ha="center", va="center",
              weight="bold")  # fmt: skip
    axes.text(middle, bottom + 0.36, mac, size=8.5, ha="center", va="center")


def _frames(axes: Axes, way: _Way) -> None:
    """The frame that leaves above, the one that comes back below."""
    for left, right in ((1.35, 1.75), (2.9, 3.2)):
        arrow(axes, (left, 1.8), (right, 1.8))
        if way.in_passes:
            arrow(axes, (right, 1.4), (left, 1.4))
    if way.out_passes:
        arrow(axes, (4.15, 1.8), (5.9, 1.8))
    else:
        arrow(axes, (4.15, 1.8), (5.9, 1.8), stopped=True)
    if way.in_passes:
        arrow(axes, (5.9, 1.4), (4.15, 1.4))
    else:
        arrow(axes, (6.6, 1.4), (5.9, 1.4), stopped=True)
    axes.text(5.1, 1.88, f"from {way.source}", size=8.5, ha="center", va="bottom")
    axes.text(5.1, 1.3, f"to {way.source}", size=8.5, ha="center", va="top")


def _wrapped(words: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(words, 34))


def _words(way: _Way) -> str:
    facts = ", ".join(way.facts).replace(":,", ":").replace(", (", " (")
    out = "passes" if way.out_passes else "is dropped there"
    back = "is delivered to L1 and to the L2 VM" if way.in_passes else "never reaches L1"
    other = f" Another VM there {way.other}." if way.other else ""
    inner = way.inner.replace("\n", " ")
    address = way.source.strip("…:")
    return (
        f"Inside {way.l1}, from left to right: an L2 VM with the MAC address ending in aa; the "
        f"switch inside, {inner}; a NIC with the address ending in 01. That NIC is on the "
        f"{way.switch}: {facts}. A frame of the L2 VM comes there from {address} and {out}; the "
        f"answer to {address} {back}.{other} {way.caption}"
    )
