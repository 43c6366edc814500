"""Create, describe and remove a VM; its CD/DVD drive.

A VM's description is what it was created by, in the shape that a plan's "create_vm" step holds;
reading it again shows whether the VM is still the one that was created. Field meanings: vSphere
Web Services API reference (VirtualMachineConfigSpec, VirtualDevice and below).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from nestkit.errors import HostRefused, NotFound, PlanError
from nestkit.facts import Unknown
from nestkit.hosts.esx_facts import hardware_version, snapshots_of
from nestkit.hosts.esx_hardware import short
from nestkit.plans import Json, Step
from nestkit.transport.vim import Row, VimSession, load

CREATED_ON: Final = "nestkit.created_on"  # extraConfig: the host it was created on
DESCRIBED: Final = (
    "name",
    "config.guestId",
    "config.firmware",
    "config.version",
    "config.nestedHVEnabled",
    "config.extraConfig",
    "config.files.vmPathName",
    "config.hardware.numCPU",
    "config.hardware.memoryMB",
    "config.hardware.device",
    "config.memoryAllocation.reservation",
    "config.memoryReservationLockedToMax",
    "snapshot",
)
_SCSI_KEY: Final = 1000
_SATA_KEY: Final = 15000
_IN_FLIGHT_S: Final = 300.0
_POLL_S: Final = 0.2


_EMPTY: Final[dict[str, Json]] = {
    "name": "", "guest_id": "", "firmware": "", "hardware_version": 0, "cpu_count": 0,
    "memory_mib": 0, "reservation_mib": 0, "reservation_locked": False, "nested_hv": False,
    "disks_mib": [], "networks": [], "datastore": "", "created_on": "", "snapshots": 0,
}  # fmt: skip


def describe(row: Row) -> dict[str, Json]:
    """The VM's description, from the properties :data:`DESCRIBED`."""
    devices = row.get("config.hardware.device", ())
    extra = row.get("config.extraConfig", ())
    path = str(row.get("config.files.vmPathName", ""))
    keys = {} if isinstance(extra, Unknown) else {o.key: str(o.value) for o in extra}
    listed = () if isinstance(devices, Unknown) else devices
    return {
        "name": str(row.fact("name")),
        "guest_id": str(row.get("config.guestId", "")),
        "firmware": str(row.get("config.firmware", "")),
        "hardware_version": _plain(hardware_version(str(row.get("config.version", "")))),
        "cpu_count": _plain(row.fact("config.hardware.numCPU")),
        "memory_mib": _plain(row.fact("config.hardware.memoryMB")),
        "reservation_mib": _plain(row.fact("config.memoryAllocation.reservation")),
        "reservation_locked": bool(row.values.get("config.memoryReservationLockedToMax", False)),
        "nested_hv": bool(row.values.get("config.nestedHVEnabled", False)),
        "disks_mib": [disk.capacityInKB // 1024 for disk in listed if short(disk) == "VirtualDisk"],
        "networks": [_network(d.backing) for d in listed if hasattr(d, "macAddress")],
        "datastore": path.partition("]")[0].removeprefix("["),
        "created_on": keys.get(CREATED_ON, ""),
        "snapshots": _plain(snapshots_of(row)),
    }


def _plain(value: Any) -> Json:
    """A number; what cannot be read is told as text and so equals no number."""
    return str(value) if isinstance(value, Unknown) else int(value)


def _network(backing: Any) -> dict[str, str]:
    port = getattr(backing, "port", None)
    if port is not None:
        return {"name": "", "key": str(port.portgroupKey), "switch": str(port.switchUuid)}
    return {"name": str(getattr(backing, "deviceName", "")), "key": "", "switch": ""}


def create(
    session: VimSession, step: Step, deadline_s: float, on_task: Callable[[str], None]
) -> None:
    """Create the VM of the step's description, with the target's instance UUID.

    Raises
    ------
    NotFound
        The host it is to be created on is gone.
    HostRefused
        The name was taken meanwhile, the datastore is full, …: the host's reason.
    """
    vim = load().vim
    doing = f"creating VM {step.target.name!r}"
    _check(step)
    host = vim.HostSystem(step.after["created_on"], session.stub)
    rows = session.retrieve(vim.HostSystem, ("parent",), [host])
    if not rows:
        raise NotFound(
            f"{doing}: its host is gone", remedy="make a new plan for a host that is there"
        )
    compute = rows[0].values["parent"]
    (owner,) = session.retrieve(vim.ComputeResource, ("parent", "resourcePool"), [compute])
    folder = _vm_folder(session, owner.values["parent"])
    spec = config(step)
    task = session.call(
        lambda: folder.CreateVM_Task(spec, owner.values["resourcePool"], host), doing, write=True
    )
    on_task(task._moId)
    session.wait(task, deadline_s, doing)


def _check(step: Step) -> None:
    """Raise PlanError unless the description has every part, each of the type it must have."""
    wanted = step.after
    kinds = {name: type(value) for name, value in _EMPTY.items()}
    parts = {"name", "key", "switch"}
    whole = isinstance(wanted, dict) and {n: type(v) for n, v in wanted.items()} == kinds
    if not (
        whole
        and all(type(size) is int and size > 0 for size in wanted["disks_mib"])
        and all(isinstance(n, dict) and n.keys() == parts for n in wanted["networks"])
        and wanted["name"] == step.target.name
        and "]" not in wanted["datastore"]  # no path could name it
    ):
        raise PlanError(
            f"the description of VM {step.target.name!r} is not one that this version writes",
            remedy="make a new plan with `nestkit plan-new`",
        )


def _vm_folder(session: VimSession, ref: Any) -> Any:
    vim = load().vim
    while not isinstance(ref, vim.Datacenter):
        (row,) = session.retrieve(vim.ManagedEntity, ("parent",), [ref])
        ref = row.get("parent", None)
        if ref is None or isinstance(ref, Unknown):
            raise HostRefused(
                "the datacenter of the host cannot be seen",
                remedy="connect as a user who may see the host's datacenter",
            )
    (row,) = session.retrieve(vim.Datacenter, ("vmFolder",), [ref])
    return row.values["vmFolder"]


def config(step: Step) -> Any:
    """The VirtualMachineConfigSpec of a description."""
    vim, wanted = load().vim, step.after
    added = vim.vm.device.VirtualDeviceSpec.Operation.add
    devices = [
        vim.vm.device.ParaVirtualSCSIController(
            key=_SCSI_KEY, busNumber=0, sharedBus="noSharing", scsiCtlrUnitNumber=7
        ),
        vim.vm.device.VirtualAHCIController(key=_SATA_KEY, busNumber=0),
    ]
    changes = [vim.vm.device.VirtualDeviceSpec(operation=added, device=d) for d in devices]
    for number, size in enumerate(wanted["disks_mib"]):
        disk = vim.vm.device.VirtualDisk(
            key=-100 - number, controllerKey=_SCSI_KEY, unitNumber=number,
            capacityInKB=size * 1024,
            backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
                fileName="", diskMode="persistent", thinProvisioned=True
            ),
        )  # fmt: skip
        changes.append(
            vim.vm.device.VirtualDeviceSpec(
                operation=added,
                fileOperation=vim.vm.device.VirtualDeviceSpec.FileOperation.create,
                device=disk,
            )
        )
    for number, network in enumerate(wanted["networks"]):
        nic = vim.vm.device.VirtualVmxnet3(
            key=-200 - number, backing=_backing(network), addressType="generated",
            connectable=_connectable(True),
        )  # fmt: skip
        changes.append(vim.vm.device.VirtualDeviceSpec(operation=added, device=nic))
    drive = vim.vm.device.VirtualDeviceSpec(operation=added, device=_drive(_SATA_KEY, 0))
    reservation = vim.ResourceAllocationInfo(reservation=wanted["reservation_mib"])
    return vim.vm.ConfigSpec(
        name=wanted["name"],
        instanceUuid=step.target.id,
        version=f"vmx-{wanted['hardware_version']:02d}",
        guestId=wanted["guest_id"],
        firmware=wanted["firmware"],
        files=vim.vm.FileInfo(vmPathName=f"[{wanted['datastore']}]"),
        numCPUs=wanted["cpu_count"],
        memoryMB=wanted["memory_mib"],
        memoryAllocation=reservation,
        memoryReservationLockedToMax=wanted["reservation_locked"],
        nestedHVEnabled=wanted["nested_hv"],
        extraConfig=[vim.option.OptionValue(key=CREATED_ON, value=wanted["created_on"])],
        deviceChange=[*changes, drive],
    )


def _connectable(at_start: bool) -> Any:
    return load().vim.vm.device.VirtualDevice.ConnectInfo(
        startConnected=at_start, allowGuestControl=True, connected=False
    )


def _backing(network: dict[str, str]) -> Any:
    vim = load().vim
    if network["key"]:
        port = vim.dvs.PortConnection(portgroupKey=network["key"], switchUuid=network["switch"])
        return vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    return vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network["name"])


def await_creation(session: VimSession) -> None:
    """Wait for VMs that are being created: a plan's own may be among them."""
    vim = load().vim
    until = time.monotonic() + _IN_FLIGHT_S
    manager = session.content.taskManager
    while time.monotonic() < until:
        (row,) = session.retrieve(vim.TaskManager, ("recentTask",), [manager])
        tasks = row.get("recentTask", ())
        if isinstance(tasks, Unknown) or not tasks:
            return
        try:
            found = session.retrieve(vim.Task, ("info.state", "info.descriptionId"), list(tasks))
        except NotFound:  # one ended so long ago that the host forgot it
            continue
        if not any(
            "create" in str(task.get("info.descriptionId", "")).lower()
            and task.get("info.state", "") in ("queued", "running")
            for task in found
        ):
            return
        time.sleep(_POLL_S)


# --- the CD/DVD drive -------------------------------------------------------------------


def cdrom(row: Row) -> dict[str, Json]:
    """What is in the VM's first drive, and whether it is connected at power on."""
    drive = _first_drive(row)
    if drive is None:
        return {"iso": "", "at_power_on": False}
    return {
        "iso": str(getattr(drive.backing, "fileName", None) or ""),
        "at_power_on": bool(drive.connectable and drive.connectable.startConnected),
    }


def cdrom_change(row: Row, after: dict[str, Json]) -> Any:
    """The VirtualMachineConfigSpec that puts an ISO into the drive, or takes it out."""
    vim = load().vim
    kind = vim.vm.device.VirtualDeviceSpec
    drive = _first_drive(row)
    operation = kind.Operation.edit
    if drive is None:
        operation, drive = kind.Operation.add, _drive(*_free_place(row))
    drive.backing = (
        vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=after["iso"])
        if after["iso"]
        else vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo(
            deviceName="", useAutoDetect=False
        )
    )
    drive.connectable = _connectable(bool(after["at_power_on"]))
    return vim.vm.ConfigSpec(deviceChange=[kind(operation=operation, device=drive)])


def _drive(controller: int, unit: int) -> Any:
    kind = load().vim.vm.device.VirtualCdrom
    return kind(
        key=-300, controllerKey=controller, unitNumber=unit, connectable=_connectable(False),
        backing=kind.RemotePassthroughBackingInfo(deviceName="", useAutoDetect=False),
    )  # fmt: skip


def _devices(row: Row) -> list[Any]:
    devices = row.get("config.hardware.device", ())
    return [] if isinstance(devices, Unknown) else list(devices)


def _first_drive(row: Row) -> Any:
    return next((d for d in _devices(row) if short(d) == "VirtualCdrom"), None)


def _free_place(row: Row) -> tuple[int, int]:
    """A controller that a drive can be on, and a free place there."""
    devices = _devices(row)
    for device in devices:
        places = {"VirtualAHCIController": 30, "VirtualIDEController": 2}.get(short(device), 0)
        taken = {d.unitNumber for d in devices if d.controllerKey == device.key}
        free = next((n for n in range(places) if n not in taken), None)
        if free is not None:
            return device.key, free
    raise HostRefused(
        "the VM has no SATA or IDE controller with a free place for a CD/DVD drive",
        remedy="add a CD/DVD drive to the VM, then go on",
    )
