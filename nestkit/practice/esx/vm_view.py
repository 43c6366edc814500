"""A VM as the vSphere API shows it.

Field meanings: vSphere Web Services API reference 8.0, data objects ``VirtualMachineConfigInfo``,
``VirtualMachineRuntimeInfo``, ``GuestInfo`` and ``VirtualMachineSummary``.
"""

from __future__ import annotations

from typing import Any, Final

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.device_view import devices, folder_of
from nestkit.practice.esx.model import Vm

POWER: Final = {"on": "poweredOn", "off": "poweredOff", "suspended": "suspended"}
GUESTS: Final = {
    "vmkernel5Guest": "VMware ESXi 5.x",
    "vmkernel6Guest": "VMware ESXi 6.x",
    "vmkernel65Guest": "VMware ESXi 6.5 or later",
    "vmkernel7Guest": "VMware ESXi 7",
    "vmkernel8Guest": "VMware ESXi 8 or later",
}


def _share(value: int) -> Any:
    return vim.SharesInfo(shares=value, level="normal")


def _allocation(reservation: int, shares: int) -> Any:
    return vim.ResourceAllocationInfo(
        reservation=reservation, expandableReservation=False, limit=-1, shares=_share(shares)
    )


def _tools_status(vm: Vm) -> str:
    if vm.tools == "not installed":
        return "toolsNotInstalled"
    return "toolsOk" if vm.tools_running else "toolsNotRunning"


def tools_running(vm: Vm) -> str:
    """``guest.toolsRunningStatus``."""
    return "guestToolsRunning" if vm.tools_running else "guestToolsNotRunning"


def tools_version(vm: Vm) -> str:
    """``guest.toolsVersionStatus2``."""
    # ESXi as a guest brings its own Tools, which the host reports as unmanaged
    return "guestToolsNotInstalled" if vm.tools == "not installed" else "guestToolsUnmanaged"


def guest_name(vm: Vm) -> str:
    """The configured guest type in words."""
    return GUESTS.get(vm.guest_id, vm.guest_id)


def connection(vm: Vm) -> str:
    """``runtime.connectionState``."""
    # what vCenter says of the VMs of a host it has lost; ESXi itself is always connected
    return "connected" if vm.host.connection == "connected" else "disconnected"


def config(vm: Vm) -> Any:
    """``VirtualMachine.config``."""
    path = folder_of(vm)
    return vim.vm.ConfigInfo(
        changeVersion=vm.change_version,
        modified=vm.modified,
        name=vm.name,
        guestFullName=guest_name(vm),
        version=f"vmx-{vm.hardware_version:02d}",
        uuid=vm.uuid,
        instanceUuid=vm.instance_uuid,
        template=vm.template,
        guestId=vm.guest_id,
        alternateGuestName="",
        annotation=vm.annotation,
        files=vim.vm.FileInfo(vmPathName=f"{path}/vm.vmx", logDirectory=path),
        flags=vim.vm.FlagInfo(vbsEnabled=vm.vbs, vvtdEnabled=vm.vvtd, enableLogging=True),
        defaultPowerOps=vim.vm.DefaultPowerOpInfo(
            powerOffType="soft", suspendType="hard", resetType="soft"
        ),
        hardware=vim.vm.VirtualHardware(
            numCPU=vm.cpu_count,
            numCoresPerSocket=vm.cores_per_socket,
            memoryMB=vm.memory_mb,
            device=devices(vm),
        ),
        cpuAllocation=_allocation(vm.cpu_reservation_mhz, 1000 * vm.cpu_count),
        memoryAllocation=_allocation(vm.reservation_mb, 10 * vm.memory_mb),
        memoryHotAddEnabled=vm.memory_hot_add,
        cpuHotAddEnabled=vm.cpu_hot_add,
        cpuHotRemoveEnabled=False,
        extraConfig=[vim.option.OptionValue(key=k, value=v) for k, v in vm.extra.items()],
        bootOptions=vim.vm.BootOptions(efiSecureBootEnabled=vm.secure_boot),
        firmware=vm.firmware,
        memoryReservationLockedToMax=vm.reservation_locked,
        nestedHVEnabled=vm.nested,
        vPMCEnabled=False,
    )


def runtime(vm: Vm) -> Any:
    """``VirtualMachine.runtime``."""
    return vim.vm.RuntimeInfo(
        host=vim.HostSystem(vm.host.moid),
        connectionState=connection(vm),
        powerState=POWER[vm.power],
        faultToleranceState="notConfigured",
        toolsInstallerMounted=False,
        bootTime=vm.boot_time,
        maxCpuUsage=2000 * vm.cpu_count,
        maxMemoryUsage=vm.memory_mb,
        numMksConnections=0,
        recordReplayState="inactive",
        onlineStandby=False,
        consolidationNeeded=False,
    )


def guest(vm: Vm) -> Any:
    """``VirtualMachine.guest``."""
    info = vim.vm.GuestInfo(
        toolsStatus=_tools_status(vm),
        toolsVersionStatus=tools_version(vm),
        toolsVersionStatus2=tools_version(vm),
        toolsRunningStatus=tools_running(vm),
        guestState="running" if vm.tools_running else "notRunning",
        guestOperationsReady=vm.tools_running,
        guestStateChangeSupported=vm.tools_running,
    )
    if vm.tools_running:
        info.guestId, info.guestFullName = vm.guest, GUESTS.get(vm.guest, vm.guest)
        info.guestFamily = "otherGuestFamily"
        info.hostName = f"vm-{vm.moid}"
    return info


def snapshot(vm: Vm) -> Any:
    """``VirtualMachine.snapshot``: each snapshot is the child of the one before it."""
    if not vm.snapshots:
        return None
    tree: list[Any] = []
    for number in range(len(vm.snapshots), 0, -1):
        one = vm.snapshots[number - 1]
        tree = [
            vim.vm.SnapshotTree(
                snapshot=vim.vm.Snapshot(one.moid),
                vm=vim.VirtualMachine(vm.moid),
                name=one.name,
                description="",
                id=number,
                createTime=one.created,
                state="poweredOff",
                quiesced=False,
                replaySupported=False,
                childSnapshotList=tree,
            )
        ]
    return vim.vm.SnapshotInfo(
        currentSnapshot=vim.vm.Snapshot(vm.snapshots[-1].moid), rootSnapshotList=tree
    )


def layout(vm: Vm) -> Any:
    """``VirtualMachine.layoutEx``: its files, those of snapshots included."""
    path = folder_of(vm)
    files = [("vm.vmx", "config", 4096)]
    for number, disk in enumerate(vm.disks):
        children = range(len(vm.snapshots) + 1)
        names = [f"disk-{number}" + (f"-{child:06d}" if child else "") for child in children]
        for name in names:
            files.append((f"{name}.vmdk", "diskDescriptor", 512))
            size = 0 if disk.thin else round(disk.size_gib * 2**30)
            files.append((f"{name}-flat.vmdk", "diskExtent", size))
    return vim.vm.FileLayoutEx(
        file=[
            vim.vm.FileLayoutEx.FileInfo(key=n, name=f"{path}/{name}", type=kind, size=size)
            for n, (name, kind, size) in enumerate(files)
        ],
        timestamp=vm.modified,
    )


def summary(vm: Vm) -> Any:
    """``VirtualMachine.summary``."""
    return vim.vm.Summary(
        vm=vim.VirtualMachine(vm.moid),
        runtime=runtime(vm),
        guest=vim.vm.Summary.GuestSummary(
            toolsStatus=_tools_status(vm),
            toolsVersionStatus=tools_version(vm),
            toolsVersionStatus2=tools_version(vm),
            toolsRunningStatus=tools_running(vm),
        ),
        config=vim.vm.Summary.ConfigSummary(
            name=vm.name,
            template=vm.template,
            vmPathName=f"{folder_of(vm)}/vm.vmx",
            memorySizeMB=vm.memory_mb,
            cpuReservation=vm.cpu_reservation_mhz,
            memoryReservation=vm.reservation_mb,
            numCpu=vm.cpu_count,
            numEthernetCards=len(vm.nics),
            numVirtualDisks=len(vm.disks),
            uuid=vm.uuid,
            instanceUuid=vm.instance_uuid,
            guestId=vm.guest_id,
            guestFullName=guest_name(vm),
            annotation=vm.annotation,
            hwVersion=f"vmx-{vm.hardware_version:02d}",
        ),
        quickStats=vim.vm.Summary.QuickStats(guestHeartbeatStatus=_heartbeat(vm)),
        overallStatus="green",
    )


def _heartbeat(vm: Vm) -> str:
    return "green" if vm.tools_running else "gray"


def capability(vm: Vm, nesting: bool) -> Any:
    """``VirtualMachine.capability``: what this VM can be set to on this host."""
    info = vim.vm.Capability()
    info.memoryReservationLockSupported = True
    info.bootOptionsSupported = True
    info.nestedHVSupported = nesting
    info.multipleCoresPerSocketSupported = True
    return info
