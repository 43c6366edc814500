"""Plan a new Hyper-V VM that is to host Hyper-V: its description, its settings, the start.

Sources: the guide's Hyper-V procedure; Microsoft Learn, module Hyper-V, New-VM: one CPU, static
memory, extensions hidden and spoofing off unless they are set afterwards.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import Any, Final, Protocol, cast

from nestkit.configure.drafting import drafted, set_to
from nestkit.configure.goals import check_name, refuse_new
from nestkit.configure.planner_hyperv import start_step
from nestkit.configure.planner_hyperv_settings import (
    HOST_SPARE_MIB,
    MAX_MEMORY_GIB,
    MIN_CPUS,
    MIN_MEMORY_MIB,
)
from nestkit.errors import PlanError
from nestkit.facts import HostFacts, Unknown
from nestkit.hosts.base import Host
from nestkit.plans import CreateGoal, Json, Plan, Step, Target

# Microsoft Learn, "Naming Files, Paths, and Namespaces"
_FULL_PATH: Final = re.compile(
    r'(?:[A-Za-z]:|\\\\[^<>:"/\\|?*\x00-\x1f]+)(?:\\[^<>:"/\\|?*\x00-\x1f]+)*\\?'
)
CPUS: Final = 2
MEMORY_GIB: Final = 4
DISK_GIB: Final = 64
MIN_DISK_GIB: Final = 32  # Windows Server with the role
MAX_DISK_GIB: Final = 64 * 1024  # of one VHDX
MAX_NAME: Final = 100  # characters


class _Creating(Protocol):
    def prospects(self) -> dict[str, Any]: ...


def plan_new(host: Host, goal: CreateGoal) -> Plan:
    """The plan. See :func:`nestkit.configure.plan_new` for what it raises."""
    goal = _complete(goal)
    target = Target(kind="vm", id=str(uuid.uuid4()), name=goal.name)
    return draft(goal, target, host.read(), cast(_Creating, host).prospects())


def draft(goal: CreateGoal, target: Target, facts: HostFacts, found: dict[str, Any]) -> Plan:
    """The plan, from what was read. Pure."""
    _refuse(goal, facts, found)
    spoofs = goal.network in ("auto", "spoofing")
    why = "frames of the VMs inside carry their own MAC addresses: the switch must let them pass"
    steps = [
        _create(goal, target, found),
        set_to(
            target, "cpu", {"count": 1}, {"count": goal.cpu_count},
            "a hypervisor and its VMs need 2 CPUs or more", off=True,
        ),
        set_to(
            target, "nested_hv", False, True,
            "the guest sees VT-x or AMD-V only when the virtualization extensions are exposed",
            off=True,
        ),
        *([set_to(target, "mac_spoofing", False, True, why, off=False)] if spoofs else []),
        *([start_step(target, "off")] if goal.start else []),
    ]  # fmt: skip
    notes = ["rolling back removes the VM while it is still as it was created; its disk stays"]
    if not goal.iso:
        notes.append("its disk is empty: install Windows Server, then plan for its Hyper-V role")
    return drafted(facts, target, goal, steps, notes)


def _complete(goal: CreateGoal) -> CreateGoal:
    """The goal with this platform's numbers where it leaves them open, or a PlanError."""
    check_name(
        goal.name,
        longest=MAX_NAME,
        forbidden='\\/:*?"<>|',
        what=f"Windows makes no folder for the name {goal.name!r}",
        remedy='leave out \\ / : * ? " < > |, control characters, and spaces at the ends',
    )
    full = replace(
        goal,
        cpu_count=goal.cpu_count or CPUS,
        memory_gib=goal.memory_gib or MEMORY_GIB,
        disk_gib=goal.disk_gib or DISK_GIB,
        nic_count=goal.nic_count or 1,
    )
    least = {
        "cpu_count": (MIN_CPUS, 2048, "vCPU"),
        "memory_gib": (MIN_MEMORY_MIB // 1024, MAX_MEMORY_GIB, "GiB of memory"),
        "disk_gib": (MIN_DISK_GIB, MAX_DISK_GIB, "GiB of disk"),
        "nic_count": (1, 1, "network adapters"),
    }
    for field, (low, high, unit) in least.items():
        value = getattr(full, field)
        if type(value) is not int or not low <= value <= high:
            raise refuse_new(
                f"{value!r} {unit} is not what this plan can give",
                f"ask for {low} to {high}, or 0 for the usual number",
            )
    if goal.on_host:
        raise refuse_new(
            f"on_host is {goal.on_host!r}, which is for a vCenter alone",
            "leave it out: the VM is created on the Hyper-V host of the address",
        )
    for path in filter(None, (goal.location, goal.iso)):
        if not _FULL_PATH.fullmatch(path):
            raise refuse_new(
                f"{path!r} is no full path of Windows",
                "give one such as D:\\VMs or \\\\server\\share\\VMs, on the host, without "
                '/ : * ? " < > | in its names',
            )
    if goal.iso and not goal.iso.lower().endswith(".vhdx"):
        raise refuse_new(
            f"{goal.iso!r} is no VHDX",
            "give the path, on the host, of a VHDX with Windows Server; or none for an empty disk",
        )
    if goal.network not in ("auto", "spoofing", "leave"):
        raise refuse_new(
            f"network={goal.network!r} is not for a VM without a guest",
            'use "auto", "spoofing" or "leave"; a NAT inside is planned once Windows runs',
        )
    return full


def _refuse(goal: CreateGoal, facts: HostFacts, found: dict[str, Any]) -> None:
    if goal.name.lower() in {name.lower() for name in found["names"]}:
        raise PlanError(
            f"there is a VM {goal.name!r} already",
            remedy="choose another name; or plan for the VM that is there: "
            "nestkit plan URL --vm NAME",
        )
    listed = ", ".join(sorted(found["switches"])[:12]) or "none"
    if len(goal.networks) != 1 or goal.networks[0] not in found["switches"]:
        named = ", ".join(map(repr, goal.networks)) or "none"
        raise PlanError(
            f"VM {goal.name!r} needs one virtual switch of {facts.name}; named: {named}",
            remedy=f"capitals count; there are {listed} (networks=…, --on)",
        )
    if isinstance(facts.cpu.threads, int) and goal.cpu_count > facts.cpu.threads:
        raise PlanError(
            f"{goal.cpu_count} vCPU are more than the {facts.cpu.threads} logical CPUs of "
            f"{facts.name}",
            remedy="ask for fewer vCPU",
        )
    free = facts.free_memory_gib
    if not isinstance(free, Unknown) and goal.memory_gib > free - HOST_SPARE_MIB / 1024:
        raise PlanError(
            f"{goal.memory_gib} GiB are more than {facts.name} has to spare ({free:.1f} GiB)",
            remedy="ask for less memory, or stop other VMs",
        )


def _create(goal: CreateGoal, target: Target, found: dict[str, Any]) -> Step:
    parent = (goal.location or found["folder"]).rstrip("\\")
    folder = f"{parent}\\nestkit-{target.id}"
    description: dict[str, Json] = {
        "name": goal.name,
        "generation": 2,
        "memory_mib": goal.memory_gib * 1024,
        "folder": folder,
        "disk": goal.iso or f"{folder}\\disk-{goal.disk_gib}GiB.vhdx",
        "switch": goal.networks[0],
        "adapters": 1,
        "checkpoints": 0,
    }
    return Step(
        id="", op="create_vm", target=target, property="vm", before=None, after=description,
        why="a generation 2 VM with static memory, found again by the mark in its folder",
        timeout_s=300.0,
    )  # fmt: skip
