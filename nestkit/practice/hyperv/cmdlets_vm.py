"""Cmdlets that find, make, start, stop and remove VMs.

Behaviour: Microsoft Learn, module Hyper-V (Windows Server 2022).
"""

from __future__ import annotations

import time
import uuid
from typing import Final

from nestkit.practice.hyperv.arguments import (
    cmdlet,
    each,
    find_vms,
    flag,
    word,
)
from nestkit.practice.hyperv.copies import windows_inside
from nestkit.practice.hyperv.model import (
    GIB,
    MIB,
    WS2022,
    Guest,
    Nic,
    Vm,
    identity,
    version_key,
)
from nestkit.practice.hyperv.values import Invocation, Value
from nestkit.practice.hyperv.views import VM
from nestkit.practice.hyperv.world import Session, is_answering

_MAX_VMS: Final = 60_000
_MAX_NAME: Final = 100


def _shown(session: Session, inv: Invocation, vms: list[Vm]) -> list[Value]:
    return _views(session, vms) if flag(inv, "Passthru") else []


def _views(session: Session, vms: list[Vm]) -> list[Value]:
    return [VM(vm, computer=session.computer) for vm in vms]


@cmdlet("Get-VM", takes="Name Id")
def get_vm(session: Session, inv: Invocation) -> list[Value]:
    """All VMs, or those of a name or id."""
    found = _views(session, find_vms(session, inv, default_all=True))
    return sorted(found, key=lambda view: view.source.name.lower())


@cmdlet("Start-VM", takes="VM Name Passthru")
def start_vm(session: Session, inv: Invocation) -> list[Value]:
    """Start, resume or restore VMs."""

    def act(vm: Vm) -> None:
        if vm.state == "Running":
            inv.streams.warning("The virtual machine is already in the specified state.")
        elif not inv.what_if:
            session.start(vm, inv.name)

    return _shown(session, inv, each(inv, find_vms(session, inv), act))


@cmdlet("Stop-VM", takes="VM Name Force Save TurnOff Passthru")
def stop_vm(session: Session, inv: Invocation) -> list[Value]:
    """Shut the guest down, or with -TurnOff pull the plug, or with -Save save."""

    def act(vm: Vm) -> None:
        if vm.state == "Off" or (vm.state == "Saved" and flag(inv, "Save")):
            inv.streams.warning("The virtual machine is already in the specified state.")
        elif inv.what_if:
            return
        elif flag(inv, "TurnOff"):
            session.turn_off(vm, inv.name)
        elif flag(inv, "Save"):
            session.save(vm, inv.name)
        else:
            session.shut_down(vm, inv.name)

    return _shown(session, inv, each(inv, find_vms(session, inv), act))


@cmdlet("Save-VM", takes="VM Name Passthru")
def save_vm(session: Session, inv: Invocation) -> list[Value]:
    """Save the state of VMs to disk."""

    def act(vm: Vm) -> None:
        if not inv.what_if:
            session.save(vm, inv.name)

    return _shown(session, inv, each(inv, find_vms(session, inv), act))


@cmdlet("Suspend-VM", "Resume-VM", takes="VM Name Passthru")
def pause_vm(session: Session, inv: Invocation) -> list[Value]:
    """Pause running VMs, or let paused ones go on."""
    before, after = ("Running", "Paused") if inv.name == "Suspend-VM" else ("Paused", "Running")

    def act(vm: Vm) -> None:
        if vm.state != before:
            raise session.state_error(vm, inv.name, inv.name)
        if not inv.what_if:
            with session.operation(vm, inv.name, inv.name):
                vm.state = "Paused" if after == "Paused" else "Running"

    return _shown(session, inv, each(inv, find_vms(session, inv), act))


@cmdlet("Restart-VM", takes="VM Name Force Wait Timeout Passthru", asks=True)
def restart_vm(session: Session, inv: Invocation) -> list[Value]:
    """Reset running VMs, as the reset button does."""

    def act(vm: Vm) -> None:
        if vm.state != "Running":
            raise session.state_error(vm, inv.name, "Restart")
        if inv.what_if:
            return
        with session.operation(vm, inv.name, "Restart"):
            session.boot(vm)
            vm.guest.is_lost = bool(session.world.faults.now.guest_lost)
        if flag(inv, "Wait"):
            limit = time.monotonic() + max(0, int(inv.bound.get("Timeout", 60)))
            while not is_answering(vm) and time.monotonic() < limit:
                session.wait(0.05)

    return _shown(session, inv, each(inv, find_vms(session, inv), act))


@cmdlet("Remove-VMSavedState", takes="VM VMName")
def remove_saved_state(session: Session, inv: Invocation) -> list[Value]:
    """Throw away the saved state: the VM is off then."""

    def act(vm: Vm) -> None:
        if vm.state != "Saved":
            raise session.state_error(vm, inv.name, "Remove-VMSavedState")
        if not inv.what_if:
            with session.operation(vm, inv.name, "Remove-VMSavedState"):
                vm.state = "Off"

    each(inv, find_vms(session, inv), act)
    return []


@cmdlet("Update-VMVersion", takes="VM Name Force Passthru", asks=True)
def update_version(session: Session, inv: Invocation) -> list[Value]:
    """Raise the configuration version to the host's newest; there is no way back."""
    newest = session.computer.versions[-1]

    def act(vm: Vm) -> None:
        if vm.state != "Off":
            raise session.state_error(vm, inv.name, "Update-VMVersion")
        if version_key(vm.version) >= version_key(newest):
            inv.streams.warning(f"The virtual machine '{vm.name}' has the newest version already.")
        elif not inv.what_if:
            with session.operation(vm, inv.name, "Update-VMVersion"):
                vm.version = newest

    return _shown(session, inv, each(inv, find_vms(session, inv), act))


@cmdlet(
    "New-VM",
    takes="Name MemoryStartupBytes Generation Version Path SwitchName VHDPath NewVHDPath "
    "NewVHDSizeBytes NoVHD BootDevice Force",
)
def new_vm(session: Session, inv: Invocation) -> list[Value]:
    """Make a VM, off and with what New-VM gives by default: generation 1, 1 GiB, no switch."""
    host = session.computer
    name = str(inv.bound.get("Name") or "New Virtual Machine")
    checked_name(session, inv, name)
    if len(host.vms) >= _MAX_VMS:
        raise session.error("not-modelled", inv.name, what=f"more than {_MAX_VMS} VMs")
    version = str(inv.bound.get("Version") or host.versions[-1])
    if version not in host.versions:
        why = f"The version {version} is not supported on this host."
        raise session.error("value", inv.name, why=why)
    startup = int(inv.bound.get("MemoryStartupBytes", GIB))
    if startup < 32 * MIB or startup % (2 * MIB):
        why = "MemoryStartupBytes must be at least 32 MB and a multiple of 2 MB."
        raise session.error("value", inv.name, why=why)
    switch = str(inv.bound.get("SwitchName") or "")
    if switch and switch.lower() not in {one.name.lower() for one in host.switches}:
        raise session.error("no-switch", inv.name, name=switch)
    image = str(inv.bound.get("VHDPath") or "")
    if image and image.lower() not in {one.lower() for one in host.images}:
        raise session.error("no-file", inv.name, path=image)
    if word(inv.bound.get("BootDevice", "VHD")) != "VHD":
        raise session.error("not-modelled", inv.name, what="booting from anything but a disk")
    if inv.what_if:
        return []
    vm_id = uuid.uuid4()
    vm = Vm(
        id=vm_id,
        name=name,
        state="Off",
        version=version,
        generation=int(inv.bound.get("Generation", 1)),
        cpu_count=1,
        exposes=False,
        startup=startup,
        minimum=512 * MIB,
        maximum=1024 * GIB,
        dynamic=False,
        nics=[new_nic(vm_id, 0, "Network Adapter", _real_name(session, switch))],
        guest=Guest("windows", WS2022) if image else Guest("none"),
        disk_path=image or str(inv.bound.get("NewVHDPath") or ""),
        disk_size=int(inv.bound.get("NewVHDSizeBytes", 80 * GIB)),
        folder=f"{inv.bound['Path']}\\{name}" if "Path" in inv.bound else "",
    )
    if image:
        vm.guest.computer = windows_inside(vm, host)
    with session.world.lock:
        host.vms[vm_id] = vm
    return _views(session, [vm])


def checked_name(session: Session, inv: Invocation, name: str) -> str:
    """A name that a VM can have. Raises PsError for any other."""
    if not name.strip() or len(name) > _MAX_NAME:
        why = f"The name of a virtual machine has 1 to {_MAX_NAME} characters."
        raise session.error("value", inv.name, why=why)
    return name


def _real_name(session: Session, switch: str) -> str:
    known = {one.name.lower(): one.name for one in session.computer.switches}
    return known.get(switch.lower(), "")


def new_nic(vm_id: uuid.UUID, number: int, name: str, switch: str) -> Nic:
    """A NIC as Add-VMNetworkAdapter makes it: spoofing off."""
    nic_id = identity(vm_id, "nic", number, uuid.uuid4())
    return Nic(nic_id, name, switch, "00155D" + nic_id.hex[:6].upper())


@cmdlet("Remove-VM", takes="VM Name Force Passthru", asks=True)
def remove_vm(session: Session, inv: Invocation) -> list[Value]:
    """Delete VMs; their disks stay."""

    def act(vm: Vm) -> None:
        if vm.state not in ("Off", "Saved"):
            raise session.state_error(vm, inv.name, "Remove-VM")
        if not inv.what_if:
            with session.operation(vm, inv.name, "Remove-VM"), session.world.lock:
                session.computer.vms.pop(vm.id, None)

    return _shown(session, inv, each(inv, find_vms(session, inv), act))


@cmdlet("Rename-VM", takes="VM Name NewName Passthru")
def rename_vm(session: Session, inv: Invocation) -> list[Value]:
    """Give a VM another name; names need not be unique."""
    new = checked_name(session, inv, str(inv.bound["NewName"]))

    def act(vm: Vm) -> None:
        if not inv.what_if:
            vm.name = new

    return _shown(session, inv, each(inv, find_vms(session, inv), act))
