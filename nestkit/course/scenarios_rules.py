"""What the planner takes from the rules and the support matrix, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from nestkit.errors import CourseError
from nestkit.requirements import Rule, rules
from nestkit.requirements.matrix import Support, support

System = Literal["esx", "hyperv"]
NAMES: Final = {"esx": "ESXi 8", "hyperv": "Hyper-V (WS2022)"}
# no rule has a size for it: Windows installs on any storage, from 32 GB on
# (Microsoft Learn: Hardware requirements for Windows Server, storage)
WINDOWS_DISK_GIB: Final = 32
PRACTICAL_LAYERS: Final = 2  # guide: Cross-Platform and Multi-Layer Support
MAX_LAYERS: Final = 3
# name → least, most
_WHOLE: Final = {
    "cores": (1, 4096), "memory_gib": (1, 65_536), "disk_gib": (1, 10_000_000),
    "hosts": (1, 1000), "vms": (0, 200), "vm_cpus": (1, 256), "layers": (2, MAX_LAYERS),
    "spare_hosts": (0, 16),
}  # fmt: skip
_REAL: Final = {
    "vm_memory_gib": (0.0625, 4096.0), "vm_disk_gib": (0.0, 100_000.0),
    "vcpus_per_core": (0.25, 32.0), "exit_pct": (0.0, 100.0), "disk_pct": (0.0, 100.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Need:
    """One resource: what the scenario takes, what is there, and how many hosts it would bear."""

    resource: str  # "vCPU", "memory", "disk"
    needed: float
    there: float
    unit: str
    hosts: int  # nested hosts of this size that this resource alone would bear
    why: str

    @property
    def fits(self) -> bool:
        """True when there is enough of it."""
        return self.needed <= self.there


def amount(value: float) -> str:
    """A number as one reads it: "2,000", "29.8"."""
    return f"{value:,.1f}".removesuffix(".0")


def rule(system: System, name: str) -> Rule:
    """The shipped rule ``<system>.<name>``."""
    return next(each for each in rules(system) if each.id == f"{system}.{name}")


def floor_of(nested: System) -> tuple[int, float, float]:
    """What a nested host is given before any VM is in it: vCPU, memory and disk in GiB."""
    disk = rule(nested, "vm.disk").value if nested == "esx" else WINDOWS_DISK_GIB
    return (
        int(rule(nested, "vm.cpu-count").value),
        float(rule(nested, "vm.memory").value),
        float(disk),
    )


def kept_by(outer: System) -> tuple[float, float]:
    """What the hypervisor of the machine keeps for itself: memory and disk, GiB."""
    disk = rule(outer, "host.disk").value if outer == "esx" else WINDOWS_DISK_GIB
    return float(rule(outer, "host.memory").value), float(disk)


def pair_of(outer: System, nested: System) -> Support:
    """The cell of the support matrix for a pair."""
    wanted = {
        ("esx", "esx"): ("VMware ESXi 8.0", "VMware ESXi 8.0"),
        ("esx", "hyperv"): ("VMware ESXi 8.0", "Hyper-V on Windows Server"),
        ("hyperv", "hyperv"): ("Hyper-V on Windows Server 2022 or later, AMD", "Hyper-V"),
        ("hyperv", "esx"): ("Hyper-V", "VMware ESXi"),
    }[outer, nested]
    return next(cell for cell in support() if (cell.l0, cell.l1) == wanted)


def refuse_wrong(given: Mapping[str, Any]) -> None:
    """Refuse what is no number, or none that makes sense.

    Raises
    ------
    CourseError
        With the field's name and the range it takes.
    """
    for name in ("outer", "nested"):
        if given[name] not in tuple(NAMES):
            raise CourseError(f"{name} is {given[name]!r}", remedy="use “esx” or “hyperv”")
    for name, (least, most) in (_WHOLE | _REAL).items():
        value = given[name]
        kinds = (int,) if name in _WHOLE else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            kind = "whole number" if name in _WHOLE else "number"
            raise CourseError(f"{name} is {value!r}, and no {kind}", remedy="write digits")
        if not least <= value <= most:  # NaN is not in it either
            raise CourseError(f"{name} is {value}", remedy=f"use {least:g} to {most:g}")
