"""Changes of virtual devices in a ConfigSpec: NICs in full, disks may be added or grown."""

from __future__ import annotations

from copy import copy
from typing import Any

from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.inventory import Inventory
from nestkit.practice.esx.model import Bus, Disk, Nic, Vm
from nestkit.practice.esx.vm_view import NIC_TYPES, network_moid

Device = vim.vm.device


def _bad_device(index: int, why: str) -> Any:
    return vim.fault.InvalidDeviceSpec(
        deviceIndex=index, property=f"deviceChange[{index}]", msg=why
    )


def change_devices(vm: Vm, changes: Any, inventory: Inventory) -> tuple[list[Disk], list[Nic]]:
    """The VM's disks and NICs as they would be; the VM itself is left alone.

    Raises
    ------
    vmodl.MethodFault
        A change names a device, network or operation that does not fit.
    """
    disks, nics = [copy(disk) for disk in vm.disks], [copy(nic) for nic in vm.nics]
    for index, change in enumerate(changes):
        device = change.device
        if isinstance(device, Device.VirtualEthernetCard):
            _change_nic(vm, nics, index, change, inventory)
        elif isinstance(device, Device.VirtualDisk):
            _change_disk(disks, index, change)
        else:
            raise vmodl.fault.NotSupported(
                msg=f"The practice host does not model changes of {type(device).__name__}."
            )
    return disks, nics


def _network(index: int, device: Any, inventory: Inventory) -> str | None:
    backing = device.backing
    if backing is None:
        return None
    if not isinstance(backing, Device.VirtualEthernetCard.NetworkBackingInfo):
        raise _bad_device(index, "Only standard port groups are there on this host.")
    name = backing.deviceName
    if backing.network is not None:
        moid = backing.network._GetMoId()
        name = next((n for n in inventory.port_groups if network_moid(n) == moid), name)
    if name not in inventory.port_groups:
        raise vim.fault.NotFound(msg=f"There is no network '{name}'.")
    return str(name)


def _change_nic(vm: Vm, nics: list[Nic], index: int, change: Any, inventory: Inventory) -> None:
    device, operation = change.device, change.operation
    network = _network(index, device, inventory)
    if operation == "add":
        model = next((m for m, kind in NIC_TYPES.items() if type(device) is kind), None)
        if model is None or network is None:
            raise _bad_device(index, "This NIC type or its backing is not known here.")
        if len(nics) >= 10:  # vSphere 8 configuration maximums: NICs per VM
            raise vim.fault.TooManyDevices(deviceIndex=index, property="deviceChange")
        key = max([3999, *(nic.key for nic in nics)]) + 1
        mac = device.macAddress or f"00:0c:29:{int(vm.moid) % 256:02x}:ff:{key % 256:02x}"
        nics.append(Nic(key, model, network, mac))
        return
    nic = next((nic for nic in nics if nic.key == device.key), None)
    if nic is None:
        raise _bad_device(index, f"The VM has no NIC with key {device.key}.")
    if operation == "remove":
        nics.remove(nic)
        return
    if type(device) is not NIC_TYPES[nic.model]:
        raise _bad_device(index, "The type of a NIC cannot be changed; remove it and add another.")
    nic.network = network or nic.network
    if device.connectable is not None:
        nic.connected = bool(device.connectable.startConnected)


def _change_disk(disks: list[Disk], index: int, change: Any) -> None:
    device, operation = change.device, change.operation
    size_gib = (device.capacityInBytes or device.capacityInKB * 1024) / 2**30
    if operation == "add":
        bus: dict[int, Bus] = {200: "ide", 1000: "scsi", 15000: "sata", 31000: "nvme"}
        if device.controllerKey not in bus or size_gib <= 0:
            raise _bad_device(index, "The disk names no controller of this VM, or has no size.")
        key = max([1999, *(disk.key for disk in disks)]) + 1
        disks.append(Disk(key, size_gib, bus[device.controllerKey]))
        return
    disk = next((disk for disk in disks if disk.key == device.key), None)
    if disk is None:
        raise _bad_device(index, f"The VM has no disk with key {device.key}.")
    if operation == "remove":
        disks.remove(disk)
    elif size_gib < disk.size_gib:
        raise _bad_device(index, "A virtual disk can grow, not shrink.")
    else:
        disk.size_gib = size_gib
