"""Changes of virtual devices in a ConfigSpec: NICs, disks, CD-ROM drives and controllers."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Any

from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.device_view import BUS_OF_KEY, KEY_OF_BUS, NIC_TYPES
from nestkit.practice.esx.inventory import Inventory
from nestkit.practice.esx.model import Bus, Cdrom, Datastore, Disk, DvGroup, Host, Nic, Vm

Device = vim.vm.device
GIB = 2**30
MAX_DISK_GIB = 62 * 1024  # vSphere 8 configuration maximums: size of a virtual disk
_BUS_OF_CONTROLLER: tuple[tuple[Any, Bus], ...] = (
    (Device.VirtualSCSIController, "scsi"),
    (Device.VirtualIDEController, "ide"),
    (Device.VirtualAHCIController, "sata"),
    (Device.VirtualNVMEController, "nvme"),
)


def _bad_device(index: int, why: str) -> Any:
    return vim.fault.InvalidDeviceSpec(
        deviceIndex=index, property=f"deviceChange[{index}]", msg=why
    )


@dataclass(slots=True)
class Devices:
    """The devices of a VM as they would be; the VM itself is left alone."""

    inventory: Inventory
    host: Host
    datastore: Datastore
    has_snapshots: bool
    mac_seed: int
    disks: list[Disk]
    nics: list[Nic]
    cdroms: list[Cdrom]
    buses: dict[int, Bus] = field(default_factory=lambda: dict(BUS_OF_KEY))
    grown_gib: float = 0.0  # what the datastore must give at once

    @classmethod
    def of(cls, vm: Vm, inventory: Inventory) -> Devices:
        """The devices a VM has now."""
        return cls(
            inventory,
            vm.host,
            vm.datastore,
            bool(vm.snapshots),
            int(vm.moid.rpartition("-")[2] or 0),
            [copy(disk) for disk in vm.disks],
            [copy(nic) for nic in vm.nics],
            [copy(drive) for drive in vm.cdroms],
        )

    def change(self, changes: Any) -> None:
        """Carry out a ConfigSpec's deviceChange.

        Raises
        ------
        vmodl.MethodFault
            A change names a device, network, file or operation that does not fit.
        """
        for index, change in enumerate(changes):
            device = change.device
            if isinstance(device, Device.VirtualController):
                self._controller(index, change)
            elif isinstance(device, Device.VirtualEthernetCard):
                self._nic(index, change)
            elif isinstance(device, Device.VirtualDisk):
                self._disk(index, change)
            elif isinstance(device, Device.VirtualCdrom):
                self._cdrom(index, change)
            else:
                raise vmodl.fault.NotSupported(
                    msg=f"The practice host does not model changes of {type(device).__name__}."
                )
        if self.grown_gib > self.datastore.free_gib:
            raise vim.fault.NoDiskSpace(
                file=f"[{self.datastore.name}]",
                datastore=self.datastore.name,
                msg=f"Insufficient disk space on datastore '{self.datastore.name}'.",
            )

    def _controller(self, index: int, change: Any) -> None:
        """One controller of each bus is modelled; adding it names a key for disks to refer to."""
        device = change.device
        bus = next((bus for kind, bus in _BUS_OF_CONTROLLER if isinstance(device, kind)), None)
        if bus is None or change.operation != "add":
            raise _bad_device(index, "This controller cannot be added or changed here.")
        self.buses[device.key] = bus

    def _network(self, index: int, device: Any) -> str | None:
        backing = device.backing
        if backing is None:
            return None
        if isinstance(backing, Device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
            return self._distributed(index, backing.port)
        if not isinstance(backing, Device.VirtualEthernetCard.NetworkBackingInfo):
            raise _bad_device(index, "A NIC is backed by a standard or a distributed port group.")
        name, groups = backing.deviceName, self.host.port_groups
        if backing.network is not None:
            moid = backing.network._GetMoId()
            name = next((n for n, group in groups.items() if group.moid == moid), name)
        if name not in groups:
            raise vim.fault.NotFound(msg=f"There is no network '{name}' on {self.host.name}.")
        return str(name)

    def _distributed(self, index: int, port: Any) -> str:
        group: DvGroup | None = self.inventory.dv_groups.get(port.portgroupKey or "")
        if group is None or group.switch.uuid != port.switchUuid:
            raise vim.fault.InvalidDeviceBacking(
                deviceIndex=index,
                property=f"deviceChange[{index}].device.backing.port",
                msg="The distributed switch has no such port group.",
            )
        if group.name not in self.host.dv_groups:
            raise vim.fault.InvalidDeviceBacking(
                deviceIndex=index,
                property=f"deviceChange[{index}].device.backing.port.switchUuid",
                msg=f"{self.host.name} is not a member of the switch '{group.switch.name}'.",
            )
        if group.uplink:
            raise _bad_device(index, "An uplink port group takes no virtual machines.")
        return group.name

    def _nic(self, index: int, change: Any) -> None:
        device, operation, nics = change.device, change.operation, self.nics
        network = self._network(index, device)
        connected = device.connectable is None or bool(device.connectable.startConnected)
        if operation == "add":
            model = next((m for m, kind in NIC_TYPES.items() if type(device) is kind), None)
            if model is None or network is None:
                raise _bad_device(index, "This NIC type or its backing is not known here.")
            if len(nics) >= 10:  # vSphere 8 configuration maximums: NICs per VM
                raise vim.fault.TooManyDevices(deviceIndex=index, property="deviceChange")
            key = max([3999, *(nic.key for nic in nics)]) + 1
            mac = device.macAddress or f"00:0c:29:{self.mac_seed % 256:02x}:ff:{key % 256:02x}"
            nics.append(Nic(key, model, network, mac, connected))
            return
        nic = next((nic for nic in nics if nic.key == device.key), None)
        if nic is None:
            raise _bad_device(index, f"The VM has no NIC with key {device.key}.")
        if operation == "remove":
            nics.remove(nic)
            return
        if type(device) is not NIC_TYPES[nic.model]:
            raise _bad_device(index, "A NIC's type cannot be changed; remove it and add another.")
        nic.network = network or nic.network
        if device.connectable is not None:
            nic.connected = connected

    def _disk(self, index: int, change: Any) -> None:
        device, operation = change.device, change.operation
        size_gib = (device.capacityInBytes or (device.capacityInKB or 0) * 1024) / GIB
        if size_gib > MAX_DISK_GIB:
            raise _bad_device(index, "A virtual disk is of 62 TB at most.")
        if operation == "add":
            if device.controllerKey not in self.buses or size_gib <= 0:
                raise _bad_device(index, "The disk names no controller of this VM, or no size.")
            if change.fileOperation != "create":
                raise vim.fault.FileNotFound(
                    file=getattr(device.backing, "fileName", "") or "",
                    msg="The disk's file is not there, and the change does not create it.",
                )
            key = max([1999, *(disk.key for disk in self.disks)]) + 1
            thin = bool(getattr(device.backing, "thinProvisioned", False))
            self.disks.append(Disk(key, size_gib, self.buses[device.controllerKey], thin))
            # a thin disk takes its space when the guest writes, one block at first
            self.grown_gib += 1 / 1024 if thin else size_gib
            return
        disk = next((disk for disk in self.disks if disk.key == device.key), None)
        if disk is None:
            raise _bad_device(index, f"The VM has no disk with key {device.key}.")
        if operation == "remove":
            self.disks.remove(disk)
        elif size_gib < disk.size_gib:
            raise _bad_device(index, "A virtual disk can grow, not shrink.")
        elif size_gib > disk.size_gib and self.has_snapshots:
            raise vim.fault.InvalidDeviceOperation(
                deviceIndex=index,
                badOp="edit",
                property=f"deviceChange[{index}]",
                msg="The disk of a virtual machine with snapshots cannot grow.",
            )
        else:
            self.grown_gib += 0.0 if disk.thin else size_gib - disk.size_gib
            disk.size_gib = size_gib

    def _iso(self, index: int, device: Any) -> str:
        backing = device.backing
        if not isinstance(backing, Device.VirtualCdrom.IsoBackingInfo):
            return ""
        path = backing.fileName or ""
        stores = self.inventory.datastores.values()
        if not any(store.iso(path) for store in stores):
            raise vim.fault.FileNotFound(file=path, msg=f"File {path} was not found.")
        return str(path)

    def _cdrom(self, index: int, change: Any) -> None:
        device, operation, drives = change.device, change.operation, self.cdroms
        drive = next((drive for drive in drives if drive.key == device.key), None)
        if operation == "remove" and drive:
            drives.remove(drive)
            return
        iso = self._iso(index, device)
        connected = device.connectable is None or bool(device.connectable.startConnected)
        if operation == "add":
            bus = self.buses.get(device.controllerKey)
            if bus not in ("ide", "sata"):
                raise _bad_device(index, "A CD-ROM drive is on an IDE or a SATA controller.")
            key = max([2999, *(drive.key for drive in drives)]) + 1
            drives.append(Cdrom(key, iso, connected, KEY_OF_BUS[bus]))
        elif drive is None:
            raise _bad_device(index, f"The VM has no CD-ROM drive with key {device.key}.")
        else:
            drive.iso, drive.start_connected = iso, connected
