"""The scenario planner of lesson 07: what fits on a machine, what gives out first, what it costs.

A :class:`Scenario` holds what a person decides; everything else is worked out from it when asked,
so that two equal scenarios always say the same. The thresholds are those of the rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Final

from nestkit import htmltable
from nestkit.benchmark import Run
from nestkit.course import markup
from nestkit.course.scenarios_cost import Cost, cost_of, drawn
from nestkit.course.scenarios_rules import (
    NAMES,
    PRACTICAL_LAYERS,
    Need,
    System,
    amount,
    floor_of,
    kept_by,
    pair_of,
    refuse_wrong,
    rule,
)
from nestkit.errors import CourseError
from nestkit.pictures import Picture
from nestkit.requirements.matrix import Support

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS: Final = ("resource", "needed", "there", "unit", "fits", "hosts", "why")


@dataclass(frozen=True, kw_only=True, repr=False)
class Scenario:
    """Nested hosts, each with VMs inside, on one machine.

    Memory is never overcommitted: nested hosts have static (ESXi: fully reserved) memory. Disks
    count at their full size. A nested host is given as many vCPUs as its VMs have together, so
    that CPU is overcommitted in one place only, on the machine, and by the ratio that is stated.

    Parameters
    ----------
    outer
        What runs on the machine: "esx" (ESXi 8) or "hyperv" (Hyper-V, WS2022).
    nested
        What runs in the nested hosts.
    cores
        Physical cores of the machine.
    memory_gib, disk_gib
        What the machine has, GiB.
    hosts
        Nested hosts (L1).
    vms
        VMs inside each of them (L2).
    vm_cpus, vm_memory_gib, vm_disk_gib
        Size of each of these VMs.
    vcpus_per_core
        How many vCPUs of nested hosts a core may bear: 1 is no overcommitment.
    spare_hosts
        Nested hosts that may fail while the others take over their VMs.
    layers
        2: VMs in the nested hosts. 3: these are nested hosts again, each with one VM.
    exit_pct, disk_pct
        Shares of a VM's time that go into exits and into disk requests, in %; the rest computes.
    run
        A run of your own to take the cost from; otherwise the recorded lab that has the layers.

    Raises
    ------
    CourseError
        If a number is none, or beyond reason, or more hosts may fail than there are.
    """

    outer: System = "esx"
    nested: System = "esx"
    cores: int = 16
    memory_gib: int = 128
    disk_gib: int = 2000
    hosts: int = 3
    vms: int = 2
    vm_cpus: int = 1
    vm_memory_gib: float = 4.0
    vm_disk_gib: float = 20.0
    vcpus_per_core: float = 2.0
    spare_hosts: int = 0
    layers: int = 2
    exit_pct: float = 1.0
    disk_pct: float = 9.0
    run: Run | None = None

    def __post_init__(self) -> None:
        refuse_wrong({each.name: getattr(self, each.name) for each in fields(self)})
        if self.spare_hosts >= self.hosts:
            raise CourseError(
                f"{self.spare_hosts} of {self.hosts} nested hosts may fail: none would be left",
                remedy="plan more hosts than may fail",
            )
        if self.exit_pct + self.disk_pct > 100:
            raise CourseError(
                f"exits and disk take {self.exit_pct + self.disk_pct:g} % of the time",
                remedy="give shares that come to 100 % at most; the rest computes",
            )
        if self.run is not None and not isinstance(self.run, Run):
            raise CourseError(
                f"run is {type(self.run).__name__}, and no run",
                remedy="take what a benchmark gave, or nk.course.recorded_run()",
            )

    # -- one nested host ----------------------------------------------------------------------

    def vms_when_failed(self, hosts: int) -> int:
        """VMs that the fullest host holds while the spare ones are down."""
        return math.ceil(hosts * self.vms / (hosts - self.spare_hosts))

    @property
    def inner_vm(self) -> tuple[int, float, float]:
        """vCPUs, memory and disk of each inner VM; in three layers it must bear a hypervisor."""
        if self.layers == PRACTICAL_LAYERS:
            return self.vm_cpus, self.vm_memory_gib, self.vm_disk_gib
        cpus, memory, disk = floor_of(self.nested)
        return (
            max(cpus, self.vm_cpus), memory + self.vm_memory_gib, disk + self.vm_disk_gib,
        )  # fmt: skip

    def host_size(self, hosts: int | None = None) -> tuple[int, float, float]:
        """One nested host: vCPU, memory in GiB, disk in GiB, its VMs counted in."""
        n = self.vms_when_failed(self.hosts if hosts is None else hosts)
        (cpus, memory, disk), (vm_cpus, vm_memory, vm_disk) = floor_of(self.nested), self.inner_vm
        return max(cpus, n * vm_cpus), memory + n * vm_memory, disk + n * vm_disk

    # -- all of them --------------------------------------------------------------------------

    def _takes(self, hosts: int) -> tuple[float, float, float]:
        cpus, memory, disk = self.host_size(hosts)
        keeps_memory, keeps_disk = kept_by(self.outer)
        return hosts * cpus, keeps_memory + hosts * memory, keeps_disk + hosts * disk

    def _most(self, which: int, there: float) -> int:
        """The most nested hosts that one resource bears."""
        # from here on each host holds the same number of VMs, and the sum is a straight line
        even = max(self.spare_hosts + 1, self.spare_hosts * (self.vms + 1))
        kept = (0.0, *kept_by(self.outer))[which]
        most = math.floor((there - kept) / self.host_size(even)[which] + 1e-9)
        if most >= even:
            return most
        fewer = range(even - 1, self.spare_hosts, -1)
        return next((n for n in fewer if self._takes(n)[which] <= there), 0)

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What it takes of each resource, and what is there."""
        cpus, memory, disk = self.host_size()
        keeps_memory, keeps_disk = kept_by(self.outer)
        there = (self.cores * self.vcpus_per_core, float(self.memory_gib), float(self.disk_gib))
        takes = self._takes(self.hosts)
        why = (
            f"{self.hosts} × {cpus} vCPU; {self.cores} cores × {self.vcpus_per_core:g} vCPU each",
            f"{self.hosts} × {amount(memory)} GiB, static, and {amount(keeps_memory)} GiB for "
            f"{NAMES[self.outer]} itself; memory is never overcommitted",
            f"{self.hosts} × {amount(disk)} GiB, and {amount(keeps_disk)} GiB for "
            f"{NAMES[self.outer]} itself; disks count at their full size",
        )
        named = zip(("vCPU", "memory", "disk"), ("vCPU", "GiB", "GiB"), strict=True)
        return tuple(
            Need(name, takes[i], there[i], unit, self._most(i, there[i]), why[i])
            for i, (name, unit) in enumerate(named)
        )

    @property
    def pair(self) -> Support:
        """The cell of the support matrix for this pair."""
        return pair_of(self.outer, self.nested)

    @property
    def fits(self) -> bool:
        """True when the machine has enough of everything, and the pair is known to work."""
        return all(need.fits for need in self.needs) and self.pair.works == "yes"

    @property
    def binds(self) -> str:
        """The resource that gives out first: "vCPU", "memory" or "disk"."""
        return min(self.needs, key=lambda need: (need.hosts, -need.needed / need.there)).resource

    @property
    def hosts_that_fit(self) -> int:
        """How many nested hosts of this size the machine bears."""
        return min(need.hosts for need in self.needs)

    @property
    def cost(self) -> Cost:
        """What the mix of work costs in the innermost VMs."""
        shares = {
            "arithmetic": 100 - self.exit_pct - self.disk_pct,
            "exit": self.exit_pct,
            "disk-read": self.disk_pct,
        }
        return cost_of(shares, self.layers, self.run)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the sums do not show."""
        cpus, memory, _ = self.host_size()
        said = []
        if self.pair.works != "yes":
            said.append(
                f"{NAMES[self.nested]} in {NAMES[self.outer]}: works: {self.pair.works}, "
                f"supported: {self.pair.supported}; {self.pair.condition}. "
                "So it counts as not fitting."
            )
        if self.layers > PRACTICAL_LAYERS:
            said.append(
                "Two layers are practical. A third one works, and speed falls off a cliff there."
            )
        wanted = rule(self.nested, "vm.memory-recommended")
        if memory < wanted.value:
            said.append(
                f"{wanted.title}: {amount(memory)} GiB is below the {wanted.value} recommended."
            )
        if cpus > self.cores:
            said.append(
                f"A nested host has {cpus} vCPUs and the machine {self.cores} cores: its vCPUs "
                "would wait for each other, if it starts at all."
            )
        if self.spare_hosts:
            said.append(
                f"With {self.spare_hosts} of {self.hosts} hosts down, another one may hold "
                f"{self.vms_when_failed(self.hosts)} VMs: each is sized for that."
            )
        said.append("Memory that the outer hypervisor needs beside each VM is not counted: leave "
                    "some headroom. For study and tests, not for production.")  # fmt: skip
        return tuple(said)

    # -- how it shows itself ------------------------------------------------------------------

    @property
    def verdict(self) -> str:
        """Whether it fits, what gives out first, and how many hosts would have room."""
        what = f"{self.hosts} nested hosts ({NAMES[self.nested]} in {NAMES[self.outer]})"
        word = "fits" if self.fits else "does not fit"
        return (
            f"{what}, {self.vms} VMs in each: {word}. First to give out: {self.binds}; "
            f"{self.hosts_that_fit} hosts of this size would have room."
        )

    def _rows(self) -> list[tuple[object, ...]]:
        return [
            (n.resource, amount(n.needed), amount(n.there), n.unit, "yes" if n.fits else "no",
             n.hosts, n.why)
            for n in self.needs
        ]  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """One row a resource: resource, needed, there, unit, fits, hosts, why."""
        import pandas as pd

        rows = [(n.resource, n.needed, n.there, n.unit, n.fits, n.hosts, n.why) for n in self.needs]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def chart(self) -> Picture:
        """A bar a resource: how much of what is there it takes."""
        return drawn(
            [(n.resource, 100 * n.needed / n.there,
              f"{amount(n.needed)} of {amount(n.there)} {n.unit}") for n in self.needs],
            self.verdict,
        )  # fmt: skip

    def __str__(self) -> str:
        lines = [f"  {n.resource}: {amount(n.needed)} of {amount(n.there)} {n.unit} ({n.why})"
                 for n in self.needs]  # fmt: skip
        return "\n".join([self.verdict, *lines, *self.notes, str(self.cost)])

    def __repr__(self) -> str:
        given = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self)
                 if f.name != "run" and getattr(self, f.name) != f.default)  # fmt: skip
        said = f"Scenario {', '.join(given)}".strip()
        return f"<{said}: {'fits' if self.fits else 'does not fit'}>"

    def _repr_html_(self) -> str:
        head = ("Resource", "Needed", "There", "Unit", "Fits", "Hosts it would bear", "Why")
        state = "pass" if self.fits else "fail"
        picture = str(self.chart()._repr_mimebundle_()[0]["text/html"])
        return (
            markup.notice(state, self.verdict, "", self.notes)
            + htmltable.table("What it takes", head, self._rows())
            + picture
            + self.cost._repr_html_()
        )
