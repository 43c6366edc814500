"""What the charts' tests share: a run in an emulated lab, one on hardware, a figure's words."""

from __future__ import annotations

from fake_layers import FakeLayer, World, emulated_lab
from matplotlib.figure import Figure

from nestkit import benchmark
from nestkit.benchmark import Run

CHOSEN = ("arithmetic", "exit", "disk-read")
# what the layers cost, with hardware virtualization: L1, then L2
COSTS = (
    {"arithmetic": 1.0, "exit": 8.0, "disk-read": 2.0},
    {"arithmetic": 1.0, "exit": 100.0, "disk-read": 5.0},
)


def emulated_run() -> Run:
    """L0, and L1 and L2 under an emulator."""
    return benchmark.run(emulated_lab(), seed=1, workloads=CHOSEN)


def hardware_run(depth: int) -> Run:
    """L0 and so many layers with hardware virtualization."""
    world = World()
    inner = [FakeLayer(world, f"L{n}", n, slowdown=COSTS[n - 1]) for n in range(1, depth + 1)]
    return benchmark.run([FakeLayer(world), *inner], seed=1, workloads=CHOSEN)


def words(figure: Figure) -> str:
    """All that is written in a figure."""
    parts = [figure.get_suptitle(), figure.get_supxlabel()]
    for axes in figure.axes:
        parts += [axes.get_title(loc="left"), axes.get_xlabel()]
        parts += [label.get_text() for label in axes.get_yticklabels()]
        parts += [text.get_text() for text in axes.texts]
    for legend in figure.legends:
        parts += [text.get_text() for text in [legend.get_title(), *legend.get_texts()]]
    return "\n".join(parts)
