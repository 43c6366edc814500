"""Pictures of the lessons, drawn by code, each with words that say the same.

Those of networks are in :mod:`nestkit.course.diagrams_network`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nestkit.course.drawing import FILLS, PLAIN, arrow, box, canvas, frame
from nestkit.errors import CourseError
from nestkit.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LAYERS: Final = (
    ("L0", "the machine itself", "ESXi or Hyper-V on the hardware"),
    ("L1", "a VM on L0", "ESXi or Hyper-V, nested"),
    ("L2", "a VM on L1", "the guest you work with"),
    ("L3", "a VM on L2", "possible, and slow"),
)
_LANES: Final = {"L2": 2.9, "L1": 1.8, "L0": 0.7}  # name → height
Layer = tuple[str, str, str]  # "L1", "a VM on L0", "Hyper-V"


def layers_diagram(depth: int = 2) -> Picture:
    """Machines one in the other: L0, L1, L2 and, with ``depth=3``, L3.

    Raises
    ------
    CourseError
        If ``depth`` is none of 1, 2 and 3.
    """
    if depth not in range(1, len(_LAYERS)):
        raise CourseError(
            f"{depth!r} layers cannot be drawn", remedy=f"use depth=1 to depth={len(_LAYERS) - 1}"
        )
    return boxes_in_boxes(_LAYERS[: depth + 1])


def boxes_in_boxes(shown: tuple[Layer, ...]) -> Picture:
    """Up to four layers, each in the one before."""
    width, step = 9.0, 0.62
    height = step * len(shown) + 0.5
    figure, axes = canvas(7.2, 0.75 + 0.62 * len(shown))
    for i, (name, what, role) in enumerate(shown):
        inset = 0.28 * i
        box(axes, inset, inset * 0.6, width - 2 * inset, height - inset * 0.6 - step * i,
            FILLS[i])  # fmt: skip
        axes.text(inset + 0.2, height - step * i - 0.36, name, weight="bold", size=12)
        axes.text(inset + 0.85, height - step * i - 0.36, f"{what}: {role}", size=11)
    frame(axes, width, height)
    alt = "Boxes one inside the other. " + "; ".join(
        f"{name} is {what}: {role}" for name, what, role in shown
    )
    return Picture(figure, alt + ".")


def types_diagram() -> Picture:
    """Type 1 on the hardware, type 2 as a program of an operating system."""
    figure, axes = canvas(8.6, 3.1)
    stacks = (
        (0.0, "Type 1: ESXi", ("hardware", "VMware ESXi"), ("VM", "VM", "VM")),
        (3.2, "Type 1: Hyper-V", ("hardware", "Hyper-V"), ("Windows\n(root)", "VM", "VM")),
        (6.4, "Type 2: Workstation, VirtualBox",
         ("hardware", "Windows, Linux or macOS"), ("hypervisor", "program")),
    )  # fmt: skip
    for left, title, floors, tops in stacks:
        axes.text(left, 2.95, title, weight="bold", size=9.5)
        for i, floor in enumerate(floors):
            box(axes, left, 0.6 * i, 2.8, 0.5, (PLAIN, FILLS[0] if left < 6 else PLAIN)[i])
            axes.text(left + 1.4, 0.6 * i + 0.25, floor, size=9.5, ha="center", va="center")
        share = 2.8 / len(tops)
        for i, top in enumerate(tops):
            fill = PLAIN if top in ("program", "Windows\n(root)") else FILLS[1]
            fill = FILLS[0] if top == "hypervisor" else fill
            box(axes, left + share * i + 0.04, 1.2, share - 0.08, 0.75, fill)
            axes.text(left + share * (i + 0.5), 1.575, top, size=9, ha="center", va="center")
    for i in range(2):
        box(axes, 6.44 + 0.68 * i, 2.05, 0.64, 0.6, FILLS[1])
        axes.text(6.76 + 0.68 * i, 2.35, "VM", size=9, ha="center", va="center")
    axes.text(3.2, 2.08, "The Windows that you see\nruns beside the VMs,\non the hypervisor.",
              size=9, va="bottom")  # fmt: skip
    frame(axes, 9.2, 3.1)
    return Picture(
        figure,
        "Three stacks, from the hardware up. ESXi lies on the hardware, and virtual machines on "
        "ESXi. Hyper-V lies on the hardware as well; on it, side by side, the Windows that you "
        "see, called the root partition, and virtual machines. Workstation and VirtualBox are "
        "type 2: Windows, Linux or macOS lies on the hardware, on it the hypervisor beside other "
        "programs, and on the hypervisor virtual machines.",
    )


def exits_diagram() -> Picture:
    """One exit of L1 against one of L2: who runs when.

    The order of events is that of the Turtles paper (Ben-Yehuda et al., OSDI 2010).
    """
    figure, axes = canvas(8.6, 3.9)
    for name, y in _LANES.items():
        axes.plot((0.5, 9.1), (y, y), color="#afb8c1", linewidth=1, zorder=0)
        axes.text(0, y, name, weight="bold", size=12, va="center")
    _walk(axes, ("L1", "L0", "L1"), 0.6, ("L0\nhandles it",))
    _walk(axes, ("L2", "L0", "L1", "L0", "L1", "L0", "L2"), 3.5,
          ("L0 hands\nit to L1", "L1 needs L0\nto handle it", "L0 re-\nsumes L2"))  # fmt: skip
    for left, head, words in (
        (0.6, "A guest of L0", "1 exit"),
        (3.5, "A guest of L1, for the same piece of work", "3 exits or more, each lands in L0"),
    ):
        axes.text(left, 3.6, head, weight="bold", size=10)
        axes.text(left, 3.33, words, size=9.5)
    axes.text(0.6, -0.08, "time →", size=9)
    frame(axes, 9.1, 3.8)
    return Picture(
        figure,
        "Who runs when, in three lanes L0, L1 and L2. Left, an exit of a guest of L0: L1, then L0, "
        "then L1 again; one exit. Right, an exit of a guest of L1: L2 leaves to L0, which hands it "
        "to L1; L1 needs L0 to handle it, goes there and comes back; then it leaves to L0 once "
        "more, and L0 resumes L2: three exits or more in place of one. Every exit lands in L0, "
        "whichever layer it comes from.",
    )


def _walk(axes: Axes, path: tuple[str, ...], left: float, notes: tuple[str, ...]) -> None:
    """Boxes along a path through the lanes; the exits are numbered and have a note each."""
    exits = 0
    for i, name in enumerate(path):
        x, y = left + 0.83 * i, _LANES[name]
        box(axes, x, y - 0.17, 0.55, 0.34, FILLS[int(name[1])])
        if i:
            arrow(axes, (x - 0.28, _LANES[path[i - 1]]), (x, y))
        if name == "L0":
            axes.text(x + 0.275, y, str(exits + 1), size=9, ha="center", va="center")
            axes.text(x + 0.275, y - 0.27, notes[exits], size=8.5, ha="center", va="top")
            exits += 1
