"""A VM's virtual devices as the vSphere API shows them."""

from __future__ import annotations

from typing import Any, Final

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.model import Bus, Cdrom, Disk, DvGroup, Nic, NicModel, Vm

Device = vim.vm.device
_CONTROLLERS: Final[dict[Bus, tuple[int, Any, str]]] = {
    "ide": (200, Device.VirtualIDEController, "IDE 0"),
    "scsi": (1000, Device.ParaVirtualSCSIController, "SCSI controller 0"),
    "sata": (15000, Device.VirtualAHCIController, "SATA controller 0"),
    "nvme": (31000, Device.VirtualNVMEController, "NVME controller 0"),
}
BUS_OF_KEY: Final[dict[int, Bus]] = {key: bus for bus, (key, _, _) in _CONTROLLERS.items()}
KEY_OF_BUS: Final[dict[Bus, int]] = {bus: key for key, bus in BUS_OF_KEY.items()}
NIC_TYPES: Final[dict[NicModel, Any]] = {
    "vmxnet3": Device.VirtualVmxnet3,
    "e1000e": Device.VirtualE1000e,
    "e1000": Device.VirtualE1000,
    "pcnet32": Device.VirtualPCNet32,
}


def folder_of(vm: Vm) -> str:
    """The VM's folder as a datastore path."""
    return f"[{vm.datastore.name}] {vm.folder}"


def _controllers(vm: Vm) -> list[Any]:
    made = [
        Device.VirtualPCIController(
            key=100, busNumber=0, deviceInfo=vim.Description(label="PCI controller 0", summary="")
        )
    ]
    drives = [BUS_OF_KEY[drive.controller] for drive in vm.cdroms]
    buses: list[Bus] = ["ide", *(disk.bus for disk in vm.disks), *drives]
    for bus in dict.fromkeys(buses):
        key, kind, label = _CONTROLLERS[bus]
        controller = kind(key=key, busNumber=0)
        controller.deviceInfo = vim.Description(label=label, summary=label)
        controller.device = [disk.key for disk in vm.disks if disk.bus == bus]
        controller.device += [drive.key for drive in vm.cdroms if drive.controller == key]
        if bus == "scsi":
            controller.sharedBus = "noSharing"
            controller.hotAddRemove = True
            controller.scsiCtlrUnitNumber = 7
        made.append(controller)
    return made


def _disk(vm: Vm, disk: Disk, number: int) -> Any:
    size = round(disk.size_gib * 2**30)
    # with a snapshot the VM writes to a child disk
    child = f"-{len(vm.snapshots):06d}" if vm.snapshots else ""
    return Device.VirtualDisk(
        key=disk.key,
        deviceInfo=vim.Description(label=f"Hard disk {number + 1}", summary=f"{size // 1024:,} KB"),
        backing=Device.VirtualDisk.FlatVer2BackingInfo(
            fileName=f"{folder_of(vm)}/disk-{number}{child}.vmdk",
            datastore=vim.Datastore(vm.datastore.moid),
            diskMode="persistent",
            thinProvisioned=disk.thin,
        ),
        controllerKey=KEY_OF_BUS[disk.bus],
        unitNumber=number,
        capacityInKB=size // 1024,
        capacityInBytes=size,
    )


def _cdrom(vm: Vm, drive: Cdrom, number: int) -> Any:
    backing = (
        Device.VirtualCdrom.IsoBackingInfo(
            fileName=drive.iso, datastore=vim.Datastore(vm.datastore.moid)
        )
        if drive.iso
        else Device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
    )
    return Device.VirtualCdrom(
        key=drive.key,
        deviceInfo=vim.Description(
            label=f"CD/DVD drive {number + 1}",
            summary=f"ISO {drive.iso}" if drive.iso else "Remote device",
        ),
        backing=backing,
        connectable=Device.VirtualDevice.ConnectInfo(
            startConnected=drive.start_connected,
            allowGuestControl=True,
            connected=drive.start_connected and vm.power == "on",
            status="ok" if vm.power == "on" else "untried",
        ),
        controllerKey=drive.controller,
        unitNumber=number,
    )


def _network_backing(vm: Vm, nic: Nic) -> Any:
    group = vm.host.network(nic.network)
    if isinstance(group, DvGroup):
        return Device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
            port=vim.dvs.PortConnection(
                switchUuid=group.switch.uuid,
                portgroupKey=group.moid,
                portKey=str(nic.key - 4000),
                connectionCookie=group.config_version,
            )
        )
    return Device.VirtualEthernetCard.NetworkBackingInfo(
        deviceName=nic.network,
        useAutoDetect=False,
        network=vim.Network(group.moid) if group else None,
    )


def _nic(vm: Vm, nic: Nic, number: int) -> Any:
    return NIC_TYPES[nic.model](
        key=nic.key,
        deviceInfo=vim.Description(label=f"Network adapter {number + 1}", summary=nic.network),
        backing=_network_backing(vm, nic),
        connectable=Device.VirtualDevice.ConnectInfo(
            startConnected=nic.connected,
            allowGuestControl=True,
            connected=nic.connected and vm.power == "on",
            status="ok" if vm.power == "on" else "untried",
        ),
        controllerKey=100,
        unitNumber=7 + number,
        addressType="generated",
        macAddress=nic.mac,
        wakeOnLanEnabled=True,
    )


def devices(vm: Vm) -> list[Any]:
    """The VM's virtual devices."""
    return [
        *_controllers(vm),
        *(_disk(vm, disk, n) for n, disk in enumerate(vm.disks)),
        *(_cdrom(vm, drive, n) for n, drive in enumerate(vm.cdroms)),
        *(_nic(vm, nic, n) for n, nic in enumerate(vm.nics)),
    ]
