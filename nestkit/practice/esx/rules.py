"""What ESXi refuses, and what it changes when it agrees.

Sources: vSphere Web Services API reference 8.0 (``VirtualMachine.ReconfigVM_Task``,
``VirtualMachineConfigSpec``, ``UpgradeVM_Task``, ``ShutdownGuest``); VMware vSphere 8 "Virtual
Machine Administration" (memory in multiples of 4 MB; CPU and memory of a running VM only with hot
add; "Expose hardware assisted virtualization" needs the VM off and hardware version 9).
"""

from __future__ import annotations

from typing import Any, Final

from nestkit.practice.esx import host_view
from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.devices import Devices
from nestkit.practice.esx.inventory import Inventory
from nestkit.practice.esx.model import (
    HARDWARE_VERSIONS,
    MAX_VCPUS,
    NESTING_HARDWARE_VERSION,
    Host,
    Vm,
)
from nestkit.practice.esx.vm_view import POWER
from nestkit.practice.tables import printable

# Fields of a ConfigSpec that the practice host carries out; others are refused, not dropped.
MODELLED: Final = frozenset(
    {
        "changeVersion", "name", "numCPUs", "numCoresPerSocket", "memoryMB", "nestedHVEnabled",
        "memoryAllocation", "cpuAllocation", "memoryReservationLockedToMax", "extraConfig",
        "deviceChange", "guestId", "firmware", "annotation", "flags", "bootOptions",
        "cpuHotAddEnabled", "memoryHotAddEnabled",
    }
)  # fmt: skip


_HARDWARE: Final = ("numCPUs", "memoryMB", "nestedHVEnabled", "memoryAllocation", "firmware")


def wrong_power(vm: Vm, wanted: str) -> Any:
    """``InvalidPowerState``: the VM is in this state, that one is needed."""
    state = {"on": "Powered on", "off": "Powered off", "suspended": "Suspended"}[vm.power]
    return vim.fault.InvalidPowerState(
        requestedState=wanted,
        existingState=POWER[vm.power],
        msg=f"The operation is not possible in the current state ({state}).",
    )


def bad_argument(name: str) -> Any:
    """``InvalidArgument`` naming the property."""
    return vmodl.fault.InvalidArgument(
        invalidProperty=name, msg=f"A specified parameter was not correct: {name}"
    )


def bad_config(name: str, why: str) -> Any:
    """``InvalidVmConfig`` naming the property."""
    return vim.fault.InvalidVmConfig(property=name, msg=why)


def reconfigure(vm: Vm, spec: Any, inventory: Inventory, devices: Devices | None = None) -> None:
    """Check a ConfigSpec as a whole, then carry it out; nothing changes when it is refused.

    Raises
    ------
    vmodl.MethodFault
        As ESXi would.
    """
    check_host(vm.host, change=True)
    if vm.template and (spec.deviceChange or any(_given(spec, name) for name in _HARDWARE)):
        # the hardware of a template is edited after it was converted to a VM
        raise template_refusal()
    if spec.changeVersion and spec.changeVersion != vm.change_version:
        raise vim.fault.ConcurrentAccess(
            msg="The operation failed because of a concurrent change of the configuration."
        )
    if devices is None:  # a VM that exists
        check_modelled(spec, MODELLED)
    if spec.name is not None and spec.name != vm.name:
        check_name(spec.name, inventory)
    _check_cpu(vm, spec)
    _check_nesting(vm, spec)
    memory_mb, reservation_mb, locked = _memory(vm, spec, inventory)
    _check_off_only(vm, spec)
    devices = devices or Devices.of(vm, inventory)
    devices.change(spec.deviceChange)
    vm.memory_mb, vm.reservation_mb, vm.reservation_locked = memory_mb, reservation_mb, locked
    vm.disks, vm.nics, vm.cdroms = devices.disks, devices.nics, devices.cdroms
    vm.datastore.used_gib += devices.grown_gib
    _apply(vm, spec)
    vm.touch()


def _given(spec: Any, name: str) -> bool:
    return getattr(spec, name) is not None


def check_modelled(spec: Any, modelled: frozenset[str]) -> None:
    """Refuse fields that would have no effect, rather than drop them."""
    for info in spec._GetPropertyList():
        value = getattr(spec, info.name)
        if value not in (None, []) and info.name not in modelled:
            raise vmodl.fault.NotSupported(
                msg=f"The practice host does not model configSpec.{info.name}."
            )


def template_refusal() -> Any:
    """``NotSupported``: a template is neither started nor changed."""
    return vmodl.fault.NotSupported(
        msg="The operation is not supported on the object: it is a template."
    )


def check_host(host: Host, *, change: bool = False) -> None:
    """A host that is not connected does nothing; one in maintenance mode starts nothing."""
    if host.connection != "connected":
        raise vmodl.fault.HostNotConnected(
            msg=f"Unable to communicate with the remote host {host.name}, since it is disconnected."
        )
    if host.maintenance_mode and not change:
        raise vim.fault.InvalidState(
            msg=f"The operation is not allowed in the current state: {host.name} is in "
            "maintenance mode."
        )


def check_name(name: str, inventory: Inventory) -> None:
    """A VM's name must be free; DuplicateName, InvalidName."""
    if not name.strip() or len(name) > 80 or not printable(name):
        raise vim.fault.InvalidName(name=name[:80], msg="The name is empty or too long.")
    holder = inventory.vms.holder(name)
    if holder is not None:
        raise vim.fault.DuplicateName(
            name=name,
            object=vim.VirtualMachine(holder),
            msg=f"The name '{name}' already exists.",
        )


def _check_cpu(vm: Vm, spec: Any) -> None:
    cpus = vm.cpu_count if spec.numCPUs is None else spec.numCPUs
    per_socket = spec.numCoresPerSocket or vm.cores_per_socket
    if not 1 <= cpus <= MAX_VCPUS:
        raise bad_argument("configSpec.numCPUs")
    if per_socket < 1 or (cpus % per_socket and spec.numCoresPerSocket is not None):
        raise bad_argument("configSpec.numCoresPerSocket")
    if vm.power == "off" or cpus == vm.cpu_count:
        return
    if vm.power != "on" or not vm.cpu_hot_add or cpus < vm.cpu_count:
        raise wrong_power(vm, "poweredOff")
    if cpus > vm.host.threads:
        raise vim.fault.NotEnoughLogicalCpus(numCpuDest=vm.host.threads, numCpuVm=cpus)


def _check_nesting(vm: Vm, spec: Any) -> None:
    if spec.nestedHVEnabled is None or spec.nestedHVEnabled == vm.nested:
        return
    if vm.power != "off":
        raise wrong_power(vm, "poweredOff")
    if not spec.nestedHVEnabled:
        return
    if vm.hardware_version < NESTING_HARDWARE_VERSION:
        raise bad_config(
            "configSpec.nestedHVEnabled",
            "Hardware-assisted virtualization cannot be exposed to a VM of hardware version "
            f"{vm.hardware_version}; version {NESTING_HARDWARE_VERSION} or later is needed.",
        )
    if not host_view.nesting_supported(vm.host):
        raise bad_config(
            "configSpec.nestedHVEnabled",
            "This host's processor does not support exposing hardware-assisted virtualization.",
        )


def _memory(vm: Vm, spec: Any, inventory: Inventory) -> tuple[int, int, bool]:
    memory = vm.memory_mb if spec.memoryMB is None else int(spec.memoryMB)
    if memory % 4 or not 4 <= memory <= 24 * 2**20:
        raise bad_argument("configSpec.memoryMB")
    hot = vm.power == "on" and vm.memory_hot_add and memory > vm.memory_mb
    if memory != vm.memory_mb and vm.power != "off" and not hot:
        raise wrong_power(vm, "poweredOff")
    locked = vm.reservation_locked
    if spec.memoryReservationLockedToMax is not None:
        locked = bool(spec.memoryReservationLockedToMax)
    given = spec.memoryAllocation.reservation if spec.memoryAllocation else None
    reservation = vm.reservation_mb if given is None else int(given)
    if locked:
        reservation = memory
    if not 0 <= reservation <= memory:
        raise bad_argument("configSpec.memoryAllocation.reservation")
    capacity = vm.host.memory_mb
    if vm.power == "on":
        others = [v for v in inventory.running_on(vm.host) if v is not vm]
        capacity -= sum(v.reservation_mb for v in others)
    if reservation > capacity and reservation > vm.reservation_mb:
        raise short_of_memory(reservation, capacity)
    return memory, reservation, locked


def short_of_memory(requested_mb: int, unreserved_mb: int) -> Any:
    """``InsufficientMemoryResourcesFault``; the API counts bytes."""
    return vim.fault.InsufficientMemoryResourcesFault(
        requested=requested_mb * 2**20,
        unreserved=max(0, unreserved_mb) * 2**20,
        msg="The host does not have sufficient memory resources to satisfy the reservation.",
    )


def _check_off_only(vm: Vm, spec: Any) -> None:
    off_only = ("guestId", "firmware", "flags", "bootOptions", "cpuHotAddEnabled",
                "memoryHotAddEnabled", "numCoresPerSocket")  # fmt: skip
    if vm.power != "off" and any(getattr(spec, name) is not None for name in off_only):
        raise wrong_power(vm, "poweredOff")
    if spec.firmware not in (None, "bios", "efi"):
        raise bad_argument("configSpec.firmware")
    for option in spec.extraConfig:
        if not isinstance(option.value, str) or not printable(option.key + option.value):
            raise bad_argument("configSpec.extraConfig")


def _apply(vm: Vm, spec: Any) -> None:
    simple = {
        "name": "name",
        "numCPUs": "cpu_count",
        "numCoresPerSocket": "cores_per_socket",
        "nestedHVEnabled": "nested",
        "guestId": "guest_id",
        "firmware": "firmware",
        "annotation": "annotation",
        "cpuHotAddEnabled": "cpu_hot_add",
        "memoryHotAddEnabled": "memory_hot_add",
    }
    for theirs, ours in simple.items():
        if getattr(spec, theirs) is not None:
            setattr(vm, ours, getattr(spec, theirs))
    vm.cores_per_socket = vm.cores_per_socket or 1  # 0 lets the host choose
    if spec.cpuAllocation and spec.cpuAllocation.reservation is not None:
        vm.cpu_reservation_mhz = int(spec.cpuAllocation.reservation)
    if spec.flags and spec.flags.vbsEnabled is not None:
        vm.vbs = spec.flags.vbsEnabled
    if spec.flags and spec.flags.vvtdEnabled is not None:
        vm.vvtd = spec.flags.vvtdEnabled
    if spec.bootOptions and spec.bootOptions.efiSecureBootEnabled is not None:
        vm.secure_boot = spec.bootOptions.efiSecureBootEnabled
    for option in spec.extraConfig:
        if option.value == "":  # the API's way to remove a key
            vm.extra.pop(option.key, None)
        else:
            vm.extra[option.key] = option.value


def check_power_on(vm: Vm, inventory: Inventory) -> None:
    """Admission control at power-on."""
    host = vm.host
    if vm.template:
        raise template_refusal()
    check_host(host)
    if vm.power == "on":
        raise wrong_power(vm, "poweredOn")
    if vm.cpu_count > host.threads:
        raise vim.fault.NotEnoughLogicalCpus(numCpuDest=host.threads, numCpuVm=vm.cpu_count)
    if vm.nested and not host_view.nesting_supported(host):
        raise bad_config(
            "config.nestedHVEnabled",
            "The VM asks for hardware-assisted virtualization, which this host cannot expose.",
        )
    free = host.memory_mb - sum(v.reservation_mb for v in inventory.running_on(host))
    if vm.reservation_mb > free:
        raise short_of_memory(vm.reservation_mb, free)


def upgrade(vm: Vm, version: str | None) -> None:
    """Raise the virtual hardware version; it cannot be lowered again."""
    if vm.template:
        raise template_refusal()
    check_host(vm.host, change=True)
    if vm.power != "off":
        raise wrong_power(vm, "poweredOff")
    newest = HARDWARE_VERSIONS[-1]
    text = version or f"vmx-{newest}"
    number = int(text[4:]) if text.startswith("vmx-") and text[4:].isdecimal() else -1
    if number not in HARDWARE_VERSIONS:
        raise bad_argument("version")
    if number <= vm.hardware_version:
        raise vim.fault.AlreadyUpgraded(
            msg="The virtual machine's hardware is already of this version or later."
        )
    vm.hardware_version = number
    vm.touch()
