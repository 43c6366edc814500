"""Cmdlets that read and change a VM's processor, memory and other settings.

Which change needs the VM to be off: Microsoft Learn, "Run Hyper-V in a Virtual Machine with Nested
Virtualization" (2025-06), "Hyper-V Dynamic Memory Overview", module Hyper-V.
"""

from __future__ import annotations

from typing import Final

from nestkit.practice.hyperv.arguments import (
    cmdlet,
    each,
    find_vms,
    flag,
    given,
    source,
    texts,
    word,
)
from nestkit.practice.hyperv.cmdlets_vm import checked_name
from nestkit.practice.hyperv.model import GIB, MIB, Vm, version_key
from nestkit.practice.hyperv.objects import ViewType
from nestkit.practice.hyperv.values import Invocation, Value
from nestkit.practice.hyperv.views import (
    FIRMWARE,
    HARD_DISK,
    INTEGRATION,
    MEMORY,
    PROCESSOR,
    SECURITY,
    VM,
)
from nestkit.practice.hyperv.world import INTEL_VERSION, Session

_MIN_MEMORY: Final = 32 * MIB
_MAX_MEMORY: Final = 24 * 1024 * GIB  # generation 2, Windows Server 2022
_SERVICES: Final = (
    "Guest Service Interface",
    "Heartbeat",
    "Key-Value Pair Exchange",
    "Shutdown",
    "Time Synchronization",
    "VSS",
)


def _read(session: Session, inv: Invocation, kind: ViewType) -> list[Value]:
    return [kind(vm, vm=vm, computer=session.computer) for vm in find_vms(session, inv)]


def _readable(session: Session, inv: Invocation, kind: ViewType) -> list[Value]:
    """As :func:`_read`, with an error for each VM that the fault makes unreadable."""
    count = session.world.faults.now.vms_unreadable
    named = sorted(session.computer.vms.values(), key=lambda vm: vm.name.lower()) if count else []
    broken = {vm.id for vm in named[:count]}
    views = _read(session, inv, kind)
    for vm in (view.source for view in views if view.source.id in broken):
        inv.streams.error(session.error("unreadable", inv.name, name=vm.name, id=vm.id))
    return [view for view in views if view.source.id not in broken]


@cmdlet("Get-VMProcessor", takes="VM VMName")
def get_processor(session: Session, inv: Invocation) -> list[Value]:
    """A VM's processor settings."""
    return _readable(session, inv, PROCESSOR)


@cmdlet("Get-VMMemory", takes="VM VMName")
def get_memory(session: Session, inv: Invocation) -> list[Value]:
    """A VM's memory settings."""
    return _readable(session, inv, MEMORY)


@cmdlet("Get-VMSecurity", takes="VM VMName")
def get_security(session: Session, inv: Invocation) -> list[Value]:
    """A VM's security settings."""
    return _read(session, inv, SECURITY)


@cmdlet("Get-VMHardDiskDrive", takes="VM VMName")
def get_hard_disk(session: Session, inv: Invocation) -> list[Value]:
    """A VM's virtual hard disks."""
    return [view for view in _read(session, inv, HARD_DISK) if view.source.disk_path]


@cmdlet("Get-VMFirmware", takes="VM VMName")
def get_firmware(session: Session, inv: Invocation) -> list[Value]:
    """A generation 2 VM's firmware settings."""
    views = []
    for view in _read(session, inv, FIRMWARE):
        if view.source.generation == 2:
            views.append(view)
        else:
            why = f"The virtual machine '{view.source.name}' is of generation 1: it has a BIOS."
            inv.streams.error(session.error("value", inv.name, why=why))
    return views


@cmdlet("Get-VMIntegrationService", takes="VM VMName Name")
def get_integration(session: Session, inv: Invocation) -> list[Value]:
    """A VM's integration services and whether the guest answers."""
    names = {name.lower() for name in texts(inv, "Name")}
    return [
        INTEGRATION(service, vm=vm, computer=session.computer)
        for vm in find_vms(session, inv)
        for service in _SERVICES
        if not names or service.lower() in names
    ]


def _owners(session: Session, inv: Invocation, part: str) -> list[Vm]:
    """The VMs of -VMName or -VM, or those whose part came as an object."""
    found = [source(value, Vm) for value in given(inv, part)]
    direct = [vm for vm in found if vm is not None and vm.id in session.computer.vms]
    return direct or find_vms(session, inv)


# Microsoft Learn, Set-VMProcessor and Set-VMMemory: the values allowed
_SHARES: Final = {
    "Reserve": (0, 100), "Maximum": (0, 100), "RelativeWeight": (1, 10_000),
    "Buffer": (5, 2_000), "Priority": (0, 100),
}  # fmt: skip


def _check_shares(session: Session, inv: Invocation) -> None:
    for name, (low, high) in _SHARES.items():
        if not low <= int(inv.bound.get(name, low)) <= high:
            raise session.error("value", inv.name, why=f"{name} must be from {low} to {high}.")


@cmdlet(
    "Set-VMProcessor",
    takes="VM VMName VMProcessor Count ExposeVirtualizationExtensions Reserve Maximum "
    "RelativeWeight Passthru",
)
def set_processor(session: Session, inv: Invocation) -> list[Value]:
    """Change processor settings."""

    def act(vm: Vm) -> None:
        change_processor(session, inv, vm, count=inv.bound.get("Count"))

    done = each(inv, _owners(session, inv, "VMProcessor"), act)
    return [PROCESSOR(v, vm=v, computer=session.computer) for v in done if flag(inv, "Passthru")]


def change_processor(session: Session, inv: Invocation, vm: Vm, *, count: Value = None) -> None:
    """Check all, then change: a refused call changes nothing.

    Raises
    ------
    PsError
        The VM is not off, or a value does not fit.
    """
    exposes = inv.bound.get("ExposeVirtualizationExtensions")
    needs_off = count is not None or exposes is not None
    if needs_off and vm.state != "Off":
        raise session.state_error(vm, inv.name, "Modifying device 'Processor'")
    if count is not None and not 1 <= int(count) <= min(2048, session.computer.threads):
        why = f"The processor count must be from 1 to {session.computer.threads} on this host."
        raise session.error("value", inv.name, why=why)
    _check_shares(session, inv)
    if exposes and version_key(vm.version) < version_key(INTEL_VERSION):
        why = f"Configuration version {vm.version} does not support the property."
        raise session.error(
            "unsupported", inv.name, device="Processor", name=vm.name, id=vm.id, why=why
        )
    if inv.what_if:
        return
    with session.operation(vm, inv.name, "Modifying device 'Processor'"):
        vm.cpu_count = int(count) if count is not None else vm.cpu_count
        vm.exposes = bool(exposes) if exposes is not None else vm.exposes
        vm.cpu_reserve = int(inv.bound.get("Reserve", vm.cpu_reserve))
        vm.cpu_maximum = int(inv.bound.get("Maximum", vm.cpu_maximum))
        vm.cpu_weight = int(inv.bound.get("RelativeWeight", vm.cpu_weight))


@cmdlet(
    "Set-VMMemory",
    takes="VM VMName VMMemory DynamicMemoryEnabled StartupBytes MinimumBytes MaximumBytes "
    "Buffer Priority Passthru",
)
def set_memory(session: Session, inv: Invocation) -> list[Value]:
    """Change memory settings."""

    def act(vm: Vm) -> None:
        change_memory(
            session,
            inv,
            vm,
            dynamic=inv.bound.get("DynamicMemoryEnabled"),
            startup=inv.bound.get("StartupBytes"),
            minimum=inv.bound.get("MinimumBytes"),
            maximum=inv.bound.get("MaximumBytes"),
        )

    done = each(inv, _owners(session, inv, "VMMemory"), act)
    return [MEMORY(v, vm=v, computer=session.computer) for v in done if flag(inv, "Passthru")]


def change_memory(
    session: Session,
    inv: Invocation,
    vm: Vm,
    *,
    dynamic: bool | None,
    startup: int | None,
    minimum: int | None,
    maximum: int | None,
) -> None:
    """Check all, then change: a refused call changes nothing. Sizes in bytes.

    Raises
    ------
    PsError
        The VM's state does not allow it, or the values do not fit together.
    """
    what = "Modifying device 'Memory'"
    _check_shares(session, inv)
    now_dynamic = vm.dynamic if dynamic is None else bool(dynamic)
    start = vm.startup if startup is None else int(startup)
    low = vm.minimum if minimum is None else int(minimum)
    high = vm.maximum if maximum is None else int(maximum)
    if vm.state != "Off":
        if vm.state == "Saved" or now_dynamic != vm.dynamic:
            raise session.state_error(vm, inv.name, what)
        inside = vm.guest.computer
        runs_hyperv = inside is not None and inside.has_role and inside.hypervisor_runs
        if start != vm.startup and (vm.dynamic or runs_hyperv or vm.state != "Running"):
            raise session.state_error(vm, inv.name, what)
        if vm.dynamic and (low > vm.minimum or high < vm.maximum):
            raise session.state_error(vm, inv.name, what)
        if start - vm.startup > session.computer.free_memory:
            raise session.error("value", inv.name, why="The host has not enough free memory.")
    if start % (2 * MIB) or not _MIN_MEMORY <= start <= _MAX_MEMORY:
        why = "StartupBytes must be from 32 MB to 24 TB and a multiple of 2 MB."
        raise session.error("value", inv.name, why=why)
    if now_dynamic and not (_MIN_MEMORY <= low <= start <= high <= _MAX_MEMORY):
        why = "With dynamic memory, minimum <= startup <= maximum must hold."
        raise session.error("value", inv.name, why=why)
    if inv.what_if:
        return
    with session.operation(vm, inv.name, what):
        vm.dynamic, vm.startup, vm.minimum, vm.maximum = now_dynamic, start, low, high
        vm.memory_buffer = int(inv.bound.get("Buffer", vm.memory_buffer))
        vm.memory_priority = int(inv.bound.get("Priority", vm.memory_priority))


@cmdlet(
    "Set-VM",
    takes="VM Name StaticMemory DynamicMemory MemoryStartupBytes MemoryMinimumBytes "
    "MemoryMaximumBytes ProcessorCount NewVMName Notes AutomaticStartAction "
    "AutomaticStopAction CheckpointType AutomaticCheckpointsEnabled Passthru",
)
def set_vm(session: Session, inv: Invocation) -> list[Value]:
    """Change what Set-VM changes: processors, memory, names, actions."""

    def act(vm: Vm) -> None:
        if flag(inv, "StaticMemory") and flag(inv, "DynamicMemory"):
            why = "Give only one of StaticMemory and DynamicMemory."
            raise session.error("value", inv.name, why=why)
        dynamic = True if flag(inv, "DynamicMemory") else None
        dynamic = False if flag(inv, "StaticMemory") else dynamic
        sizes = [inv.bound.get(f"Memory{name}Bytes") for name in ("Startup", "Minimum", "Maximum")]
        if dynamic is not None or any(size is not None for size in sizes):
            change_memory(
                session, inv, vm, dynamic=dynamic, startup=sizes[0], minimum=sizes[1],
                maximum=sizes[2],
            )  # fmt: skip
        if "ProcessorCount" in inv.bound:
            change_processor(session, inv, vm, count=inv.bound["ProcessorCount"])
        name = checked_name(session, inv, str(inv.bound.get("NewVMName", vm.name)))
        if inv.what_if:
            return
        vm.name = name
        vm.notes = str(inv.bound.get("Notes", vm.notes))
        vm.stop_action = word(inv.bound.get("AutomaticStopAction", vm.stop_action))
        vm.start_action = word(inv.bound.get("AutomaticStartAction", vm.start_action))
        vm.checkpoint_type = word(inv.bound.get("CheckpointType", vm.checkpoint_type))
        automatic = inv.bound.get("AutomaticCheckpointsEnabled", vm.automatic_checkpoints)
        vm.automatic_checkpoints = bool(automatic)

    done = each(inv, find_vms(session, inv), act)
    return [VM(vm, computer=session.computer) for vm in done if flag(inv, "Passthru")]
