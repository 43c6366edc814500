"""What will be changed: steps, plans and their digest.

A plan is data. It is made from facts by :mod:`nestkit.configure`, shown,
saved, turned into text by :mod:`nestkit.scripts`, and carried out step by step
by a host's ``perform``. Its JSON shape is pinned by :data:`PLAN_SCHEMA`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from nestkit.errors import PlanError

PLAN_SCHEMA: Final = 1

Json = Any  # str, int, float, bool, None, list or dict: what json.dumps takes

Op = Literal[
    "shutdown_guest", "power_off", "discard_saved_state", "set_property", "power_on",
    "install_role", "create_vm", "destroy_vm",
]  # fmt: skip
Consent = Literal[
    "", "hard_power_off", "upgrade_hardware_version", "upgrade_configuration_version",
    "discard_saved_state",
]  # fmt: skip
POWER_OPS: Final = frozenset({"shutdown_guest", "power_off", "discard_saved_state", "power_on"})
# what is set inside the guest, where it can be asked only while it runs
GUEST_PROPERTIES: Final = frozenset({"hyperv_role", "guest_nat"})
Network = Literal["auto", "mac_learning", "promiscuous", "spoofing", "nat", "leave"]
# a goal's field that came later is left out at its default: digests of older plans still hold
_LATER: Final = {"later": True}


@dataclass(frozen=True, slots=True)
class Target:
    """What a step acts on: ``kind`` is "vm", "port_group" or "nic"."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one property of one target.

    ``before`` and ``after`` are JSON values in the shape that the host's
    ``current(target, property)`` returns, so that they can be compared. "create_vm" acts on the
    property "vm": before it there is none (None), after it the description it was created by;
    "destroy_vm" is its inverse and stands in no plan.
    """

    id: str
    op: Op
    target: Target
    property: str
    before: Json
    after: Json
    needs_off: bool = False
    reversible: bool = True
    consent: Consent = ""
    why: str = ""
    timeout_s: float = 120.0

    def inverse(self, *, hard_power_off: bool = False) -> Step:
        """The step that takes this one back."""
        op: Op = self.op
        if op == "create_vm":
            op = "destroy_vm"
        elif op in ("shutdown_guest", "power_off"):
            op = "power_on"
        elif op == "power_on":
            op = "power_off" if hard_power_off else "shutdown_guest"
        return replace(
            self, id=f"undo-{self.id}", op=op, before=self.after, after=self.before, consent=""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedGoal:
    """What a VM must be to host a hypervisor.

    Parameters
    ----------
    cpu_count
        Virtual CPUs to give; 0 keeps what is there and raises it to 2, the minimum of ESXi 8.
    memory_gib
        Memory to give, GiB; 0 keeps what is there and raises it to the required minimum.
    reserve_memory
        Reserve all of the VM's memory (static memory).
    network
        How frames of the VMs inside get through the VM's own networks. "auto": the platform's
        preferred way (vSphere: MAC learning on a distributed switch that has it, promiscuous
        mode elsewhere; Hyper-V: MAC address spoofing); "mac_learning": only so; "promiscuous":
        promiscuous mode and forged transmits; "spoofing": MAC address spoofing; "nat": a NAT
        inside the guest; "leave": do not touch the network.
    start
        Start the VM at the end, so that the change can be verified.
    hard_power_off
        Allow pulling the plug where the guest cannot be asked to shut down.
    upgrade_version
        Allow upgrading the VM's hardware version (vSphere) or configuration version (Hyper-V)
        to the host's; it cannot be taken back.
    nics
        Hyper-V: names or ids of the NICs that may spoof; all of them where none is named.
    nat_prefix
        Hyper-V: the network behind the NAT inside; "" for 192.168.222.0/24.
    install_role
        Hyper-V: install the Hyper-V role inside the guest, through PowerShell Direct.
    guest_user
        Hyper-V: an administrator of the guest. The password is given when the plan is applied.
    discard_saved_state
        Hyper-V: allow throwing away what a saved VM had in memory.
    """

    cpu_count: int = 0
    memory_gib: int = 0
    reserve_memory: bool = True
    network: Network = "auto"
    start: bool = True
    hard_power_off: bool = False
    upgrade_version: bool = field(default=False, metadata=_LATER)
    nics: tuple[str, ...] = field(default=(), metadata=_LATER)
    nat_prefix: str = field(default="", metadata=_LATER)
    install_role: bool = field(default=False, metadata=_LATER)
    guest_user: str = field(default="Administrator", metadata=_LATER)
    discard_saved_state: bool = field(default=False, metadata=_LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateGoal:
    """A new VM that is to host a hypervisor. Where a number is 0, the platform's planner decides.

    Parameters
    ----------
    name
        The VM's name.
    cpu_count, memory_gib, disk_gib, nic_count
        Virtual CPUs; memory and disk in GiB; network adapters.
    networks
        Port groups or virtual switches, by name; the adapters are plugged into them in turn.
    location
        Where its files go: a datastore (vSphere) or a folder (Hyper-V); "" where there is one.
    iso
        Installer that the host can already read: ``[datastore] folder/name.iso`` (vSphere) or a
        path (Hyper-V); "" for none.
    on_host
        The ESXi host to create it on, where a vCenter has several.
    reserve_memory, network, start
        As in :class:`NestedGoal`.
    """

    name: str
    cpu_count: int = 0
    memory_gib: int = 0
    disk_gib: int = 0
    nic_count: int = 0
    networks: tuple[str, ...] = ()
    location: str = ""
    iso: str = ""
    on_host: str = ""
    reserve_memory: bool = True
    network: Network = "auto"
    start: bool = True


Goal = NestedGoal | CreateGoal


def new_disk_gib(description: dict[str, Json]) -> int:
    """Size of the disk that a new Hyper-V VM is given, GiB; 0 where it gets one that exists.

    Hyper-V does not tell the size with the VM, so it stands in the name of the file.
    """
    folder, disk = str(description["folder"]), str(description["disk"])
    name = disk.removeprefix(f"{folder}\\disk-") if disk.startswith(folder) else ""
    size = name.removesuffix("GiB.vhdx")
    return int(size) if size != name and size.isdecimal() and len(size) < 6 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be changed on which host, and what must be true for it to be applied."""

    host: str  # the host's identity
    host_name: str
    platform: str
    is_practice: bool
    vm: Target
    goal: Goal
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()  # what the plan leaves alone, and why
    schema: int = field(default=PLAN_SCHEMA)

    def __str__(self) -> str:
        from nestkit.planview import as_text

        return as_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # IPython would show the dataclass

    def _repr_html_(self) -> str:
        from nestkit.planview import as_html

        return as_html(self)

    @property
    def is_empty(self) -> bool:
        """True when nothing is left to change."""
        return not self.steps

    @property
    def creates_vm(self) -> bool:
        """True when the plan's VM does not exist before the plan is applied."""
        return any(step.op == "create_vm" for step in self.steps)

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's canonical JSON: what the person who applies it agrees to."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def to_json(self) -> dict[str, Json]:
        """The plan as JSON values."""
        # through JSON once, so that tuples become lists as they will be in a file
        data: dict[str, Json] = json.loads(json.dumps(asdict(self)))
        for each in fields(self.goal):
            if "later" in each.metadata and getattr(self.goal, each.name) == each.default:
                del data["goal"][each.name]
        return data

    def save(self, path: str | Path) -> Path:
        """Write the plan to a JSON file.

        Raises
        ------
        PlanError
            The file cannot be written.
        """
        path = Path(path)
        try:
            # ASCII: whatever a name holds, the file can be written and looked at
            path.write_text(
                json.dumps(self.to_json() | {"digest": self.digest}, indent=2) + "\n",
                encoding="ascii",
            )
        except OSError as error:
            raise PlanError(
                f"the plan cannot be written to {path}: {error.strerror}",
                remedy="free some space, or give another file",
            ) from error
        return path

    @classmethod
    def from_json(cls, data: Json, *, source: str = "the plan") -> Plan:
        """Read a plan back.

        Raises
        ------
        PlanError
            The data is of a newer schema, was edited, or is not a plan in every part.
        """
        from nestkit.planfile import read

        return read(data, source)

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read a plan from a file written by :meth:`save`; raises as :meth:`from_json`."""
        from nestkit.planfile import load

        return load(Path(path))

    def script(self, kind: str) -> str:
        """The plan as text to run or follow elsewhere; see :func:`nestkit.scripts.render`."""
        from nestkit.scripts import render

        return render(self, kind)
