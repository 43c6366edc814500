"""What a layer takes of the memory outside it, and what of that its programs can use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Protocol

from nestkit.benchmark.parsers import shorten
from nestkit.benchmark.runfile import Run
from nestkit.errors import RunError
from nestkit.facts import Unknown
from nestkit.runners.base import Runner

# each guest of a lab runs one QEMU, by that name; its pages are those of x86-64
_FIND_QEMU: Final = (
    'for p in /proc/[0-9]*; do case "$(readlink "$p/exe")" in */qemu) cat "$p/statm"; esac; done'
)
_PAGE_MIB: Final = 4096 / 2**20
_TIMEOUT_S: Final = 60.0


class HasLayers(Protocol):
    """What is asked of a lab."""

    @property
    def layers(self) -> Sequence[Runner]:
        """Runners from L0 to the innermost."""

    def host_memory_mib(self) -> float:
        """Resident memory of the outermost QEMU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMemory:
    """Memory of one layer, in MiB.

    ``resident_mib`` is what its hypervisor process holds in the layer outside; it grows as the
    layer touches its memory. ``usable_mib`` is what the layer's kernel has for itself and its
    programs (MemTotal).
    """

    layer: str
    resident_mib: float
    usable_mib: int


def memory_per_layer(lab: HasLayers) -> tuple[LayerMemory, ...]:
    """What each guest of a running lab takes and has, outermost first.

    Raises
    ------
    RunError
        If a layer does not say.
    """
    found = []
    for outside, inside in zip(lab.layers, lab.layers[1:], strict=False):
        resident = lab.host_memory_mib() if outside is lab.layers[0] else _resident_mib(outside)
        usable = inside.facts().memory_mib
        if isinstance(usable, Unknown):
            raise RunError(
                f"{inside.layer} does not say how much memory it has: {usable.reason}",
                remedy="look at /proc/meminfo in that layer by hand",
            )
        found.append(
            LayerMemory(layer=inside.layer, resident_mib=round(resident, 1), usable_mib=int(usable))
        )
    return tuple(found)


def _resident_mib(outside: Runner) -> float:
    result = outside.run(["sh", "-c", _FIND_QEMU], timeout=_TIMEOUT_S)
    pages = re.findall(r"^\d+ (\d+) ", result.stdout, flags=re.MULTILINE)
    if len(pages) != 1:
        raise RunError(
            f"{outside.layer} runs {len(pages)} QEMU, not one: {shorten(result.stdout)!r}",
            remedy="ask while the lab is up; start it anew if its inner guest ended",
        )
    return int(pages[0]) * _PAGE_MIB


def with_memory(run: Run, lab: HasLayers) -> Run:
    """The run, with the memory that each guest of its lab takes now in its provenance.

    Best asked at the end of the run, when the workloads have touched what they touch.
    """
    memory = [asdict(item) for item in memory_per_layer(lab)]
    return replace(run, provenance={**run.provenance, "memory": memory})
