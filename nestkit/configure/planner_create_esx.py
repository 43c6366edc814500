"""Plan a new VM that is to host ESXi: a description, its installer, its networks, the start.

Sources: the guide's step 1 and "Install ESXi within the VM"; VirtualMachineConfigSpec in the
vSphere Web Services API reference; ESXi 8's own minima, which bind a nested ESXi as well.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any, Final, Protocol, cast

from nestkit.configure import planner_esx_network
from nestkit.configure.drafting import drafted, set_to
from nestkit.configure.goals import check_name, refuse_new
from nestkit.configure.planner_esx import (
    MAX_MEMORY_GIB,
    MIN_CPUS,
    MIN_MEMORY_MIB,
    newest_hardware,
    refuse_host,
    start,
)
from nestkit.errors import PlanError
from nestkit.facts import HostFacts, Unknown, VmFacts
from nestkit.hosts.base import Host
from nestkit.plans import CreateGoal, Json, Plan, Step, Target

CPUS: Final = 4  # two are the least; the VMs inside need some
MEMORY_GIB: Final = 16  # the guide's recommendation
DISK_GIB: Final = 64
MIN_DISK_GIB: Final = 32  # the guide's minimum
MAX_DISK_GIB: Final = 62 * 1024  # of one virtual disk, vSphere 8 configuration maximums
NICS: Final = 2
MAX_NICS: Final = 10  # of one VM
MAX_NAME: Final = 80  # characters
_GUESTS: Final = {
    "8.0": "vmkernel8Guest",
    "7.0": "vmkernel7Guest",
}
_CREATE_S: Final = 300.0


class _Creating(Protocol):
    def prospects(self, *, on_host: str, iso: str) -> Any: ...


def plan_new(host: Host, goal: CreateGoal) -> Plan:
    """The plan. See :func:`nestkit.configure.plan_new` for what it raises."""
    goal = _complete(goal)
    found = cast(_Creating, host).prospects(on_host=goal.on_host, iso=goal.iso)
    target = Target(kind="vm", id=str(uuid.uuid4()), name=goal.name)
    networks = _networks(goal, found)
    vm = VmFacts(
        identity=target.id, name=goal.name, ref="", nics=tuple(each.nic for each in networks)
    )
    places = [] if goal.network == "leave" else planner_esx_network.places(vm)
    now = {place: host.current(*place) for place in places}
    return draft(goal, target, vm, found, networks, now)


def draft(
    goal: CreateGoal, target: Target, vm: VmFacts, found: Any, networks: list[Any], now: Any
) -> Plan:
    """The plan, from what was read. Pure."""
    facts: HostFacts = found.host
    refuse_host(facts, start=goal.start)
    _refuse_host(facts, goal)
    if goal.name in found.names:
        raise PlanError(
            f"there is a VM {goal.name!r} already",
            remedy="choose another name; or plan for the VM that is there: "
            "nestkit plan URL --vm NAME",
        )
    if goal.iso and found.iso is False:
        for each in found.datastores:
            if goal.iso.startswith(f"[{each.name}]"):
                _refuse_bracket(each.name, found)
        raise PlanError(
            f"there is no installer {goal.iso} on a datastore of {facts.name}",
            remedy="upload the ISO to a datastore of this host and give its path as "
            '"[datastore] folder/name.iso"; capitals count',
        )
    steps = [_create(goal, target, found, networks)]
    if goal.iso:
        steps.append(_insert(goal, target))
    steps += planner_esx_network.steps(vm, goal.network, now)
    if goal.start:
        steps.append(
            replace(start(target), why="the installer runs, and nesting shows, in a VM that runs")
        )
    return drafted(facts, target, goal, steps, _notes(goal, found, vm))


def _complete(goal: CreateGoal) -> CreateGoal:
    """The goal with this platform's numbers where it leaves them open, or a PlanError."""
    check_name(
        goal.name,
        longest=MAX_NAME,
        forbidden="/\\%",
        what=f"vSphere would store the name {goal.name!r} otherwise",
        remedy="leave out / \\ %, control characters, and spaces at the ends",
    )
    planner_esx_network.check_way(goal.network)
    if isinstance(goal.networks, str) or not all(isinstance(n, str) for n in goal.networks):
        raise refuse_new(f"networks is {goal.networks!r}", 'give names in a tuple: ("VM Network",)')
    for field in ("cpu_count", "memory_gib", "disk_gib", "nic_count"):
        if type(getattr(goal, field)) is not int or getattr(goal, field) < 0:
            raise refuse_new(f"{field} is {getattr(goal, field)!r}", "use a whole number, or 0")
    full = replace(
        goal,
        cpu_count=goal.cpu_count or CPUS,
        memory_gib=goal.memory_gib or MEMORY_GIB,
        disk_gib=goal.disk_gib or DISK_GIB,
        nic_count=goal.nic_count or max(NICS, len(goal.networks)),
    )
    least = {
        "cpu_count": (MIN_CPUS, 768, "vCPU"),
        "memory_gib": (MIN_MEMORY_MIB // 1024, MAX_MEMORY_GIB, "GiB of memory"),
        "disk_gib": (MIN_DISK_GIB, MAX_DISK_GIB, "GiB of disk"),
        "nic_count": (1, MAX_NICS, "network adapters"),
    }
    for field, (low, high, unit) in least.items():
        if not low <= getattr(full, field) <= high:
            raise refuse_new(
                f"{getattr(full, field)} {unit} is not what ESXi 8 can have",
                f"ask for {low} to {high}, or 0 for the usual number",
            )
    if len(full.networks) > full.nic_count:
        raise refuse_new(
            f"{len(full.networks)} networks are more than {full.nic_count} adapters",
            "ask for more adapters, or name fewer networks",
        )
    return full


def _refuse_host(facts: HostFacts, goal: CreateGoal) -> None:
    if facts.cpu.hw_virtualization is False:
        raise PlanError(
            f"the CPU of host {facts.name} has no VT-x or AMD-V, or its firmware switched it off",
            remedy="turn it on in the host's firmware, or use another host",
        )
    if isinstance(facts.cpu.threads, int) and goal.cpu_count > facts.cpu.threads:
        raise PlanError(
            f"{goal.cpu_count} vCPU are more than the {facts.cpu.threads} logical CPUs of "
            f"{facts.name}",
            remedy="ask for fewer vCPU: a VM with more than the host has does not start",
        )
    if not isinstance(facts.memory_gib, Unknown) and goal.memory_gib > facts.memory_gib:
        raise PlanError(
            f"{goal.memory_gib} GiB are more than the {facts.memory_gib:.1f} GiB of {facts.name}",
            remedy="ask for less memory, or use a larger host",
        )
    if not newest_hardware(facts):
        raise PlanError(
            f"host {facts.name} has version {facts.version}: no hardware version is known for it",
            remedy="use a host with ESXi 6.5 or newer",
        )


def _networks(goal: CreateGoal, found: Any) -> list[Any]:
    """The network of each adapter, in turn."""
    listed = ", ".join(sorted(found.networks)[:12]) or "none"
    if not goal.networks:
        raise PlanError(
            f"VM {goal.name!r} is to be plugged into no network",
            remedy=f"name one or two port groups (networks=…, --on); there are {listed}",
        )
    for name in goal.networks:
        if name in found.uplinks:
            raise PlanError(
                f"network {name!r} is for the uplinks of a distributed switch: it takes no VM",
                remedy=f"choose one of {listed}",
            )
        if name in found.elsewhere:
            raise PlanError(
                f"network {name!r} is not on host {found.host.name}: it belongs to "
                f"{found.elsewhere[name]}",
                remedy="add the host to that switch, use a host that has it, or choose one of "
                f"{listed}",
            )
        if name not in found.networks:
            raise PlanError(
                f"host {found.host.name} has no network {name!r}",
                remedy=f"capitals count; there are {listed}",
            )
    return [found.networks[goal.networks[n % len(goal.networks)]] for n in range(goal.nic_count)]


def _writable(found: Any) -> list[Any]:
    """The datastores that a VM can be put on by their names."""
    return [each for each in found.datastores if each.accessible and "]" not in each.name]


def _refuse_bracket(datastore: str, found: Any) -> None:
    if "]" in datastore:
        listed = ", ".join(sorted(each.name for each in _writable(found))) or "none"
        raise PlanError(
            f"no path can name datastore {datastore!r}: in '[datastore] file' the name ends at "
            "the first ]",
            remedy=f"rename the datastore without ], or use another one; there are {listed}",
        )


def _datastore(goal: CreateGoal, found: Any) -> str:
    _refuse_bracket(goal.location, found)
    usable = _writable(found)
    listed = ", ".join(sorted(each.name for each in usable)) or "none"
    chosen = [each for each in usable if each.name == goal.location] if goal.location else usable
    if not chosen:
        what = f"no datastore {goal.location!r}" if goal.location else "no datastore"
        raise PlanError(
            f"host {found.host.name} can use {what}",
            remedy="name one that the host sees, that is accessible, and that has no ] in its "
            f"name; there are {listed}",
        )
    # the roomiest, where none is named
    best = max(chosen, key=lambda each: -1 if isinstance(each.free_gib, Unknown) else each.free_gib)
    if not isinstance(best.free_gib, Unknown) and best.free_gib < goal.disk_gib:
        raise PlanError(
            f"datastore {best.name} has {best.free_gib:.1f} GiB free, the disk may grow to "
            f"{goal.disk_gib} GiB",
            remedy="free some space, name another datastore (location=…, --datastore), or ask for "
            "a smaller disk",
        )
    return str(best.name)


def _create(goal: CreateGoal, target: Target, found: Any, networks: list[Any]) -> Step:
    memory = goal.memory_gib * 1024
    version = str(found.host.version)
    description: dict[str, Json] = {
        "name": goal.name,
        "guest_id": next(
            (g for v, g in _GUESTS.items() if version.startswith(v)), "vmkernel65Guest"
        ),
        "firmware": "efi",
        "hardware_version": newest_hardware(found.host),
        "cpu_count": goal.cpu_count,
        "memory_mib": memory,
        "reservation_mib": memory if goal.reserve_memory else 0,
        "reservation_locked": goal.reserve_memory,
        "nested_hv": True,
        "disks_mib": [goal.disk_gib * 1024],
        "networks": [
            {
                "name": "" if each.key else str(each.nic.network),
                "key": each.key,
                "switch": each.switch_uuid,
            }
            for each in networks
        ],
        "datastore": _datastore(goal, found),
        "created_on": found.ref,
        "snapshots": 0,
    }
    why = (
        "an ESXi guest with hardware-assisted virtualization exposed, two CPUs or more, its memory "
        "reserved (static), a disk and its adapters: what the nested hypervisor needs"
    )
    return Step(
        id="", op="create_vm", target=target, property="vm", before=None, after=description,
        why=why, timeout_s=_CREATE_S,
    )  # fmt: skip


def _insert(goal: CreateGoal, target: Target) -> Step:
    return set_to(
        target,
        "cdrom",
        {"iso": "", "at_power_on": False},
        {"iso": goal.iso, "at_power_on": True},
        "the empty disk cannot boot, so the VM starts from the installer",
        off=False,
    )


def _notes(goal: CreateGoal, found: Any, vm: VmFacts) -> tuple[str, ...]:
    notes = planner_esx_network.notes(vm, goal.network)
    if goal.iso and isinstance(found.iso, Unknown):
        notes.append(f"whether {goal.iso} is there could not be read: {found.iso.reason}")
    if not goal.iso:
        notes.append("no installer is attached: the VM will start to an empty disk")
    if isinstance(found.host.nested_hv_supported, Unknown):
        notes.append(f"whether the host can nest is {found.host.nested_hv_supported}")
    free = found.host.free_memory_gib
    if goal.start and not isinstance(free, Unknown) and free < goal.memory_gib:
        notes.append(f"the host has {free:.1f} GiB free now: the start may be refused")
    notes.append("rolling back removes the VM and its disk, while it is still as it was created")
    return tuple(notes)
