"""The types of Hyper-V's objects: properties as the module documents them.

Property names: Microsoft Learn, module Hyper-V (Windows Server 2022) and the .NET type pages under
Microsoft.HyperV.PowerShell. Numbers of enumerations: the same type pages; those of OnOffState were
not confirmed on a real host.
"""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any, Final

from nestkit.practice.hyperv import looks
from nestkit.practice.hyperv.model import MIB, PRODUCTS, Computer, Nic, Vm
from nestkit.practice.hyperv.objects import View, ViewType, enum
from nestkit.practice.hyperv.values import Value
from nestkit.practice.hyperv.world import is_answering

_NS: Final = "Microsoft.HyperV.PowerShell."
on_off = enum(_NS + "OnOffState", {"On": 0, "Off": 1})
vm_state = enum(
    _NS + "VMState",
    {"Running": 2, "Off": 3, "Stopping": 4, "Saved": 6, "Paused": 9, "Starting": 10},
)
switch_type = enum(_NS + "VMSwitchType", {"Private": 0, "Internal": 1, "External": 2})
heartbeat = enum(
    _NS + "VMHeartbeatStatus",
    {"NoContact": 3, "OkApplicationsUnknown": 6, "OkApplicationsHealthy": 5},
)
checkpoint_type = enum(
    _NS + "CheckpointType", {"Disabled": 2, "Production": 3, "ProductionOnly": 4, "Standard": 5}
)
snapshot_type = enum(_NS + "SnapshotType", {"Standard": 0})
stop_action = enum(_NS + "StopAction", {"TurnOff": 2, "Save": 3, "ShutDown": 4})
start_action = enum(_NS + "StartAction", {"Nothing": 2, "StartIfRunning": 3, "Start": 4})
operational = enum(_NS + "VMOperationalStatus", {"Ok": 2, "InService": 11})
isolation = enum(_NS + "GuestIsolationType", {"Disabled": 0, "TrustedLaunch": 1})


def dashed(mac: str) -> str:
    """A MAC address as Windows' own network cmdlets write it."""
    return "-".join(re.findall("..", mac))


def _uptime(view: View) -> timedelta:
    vm: Vm = view.source
    if vm.state not in ("Running", "Paused"):
        return timedelta()
    return timedelta(seconds=int(time.monotonic() - vm.started_at))


def _heartbeat(view: View) -> Value:
    vm: Vm = view.source
    if vm.state not in ("Running", "Paused"):
        return None
    return heartbeat("OkApplicationsUnknown" if is_answering(vm) else "NoContact")


def _computer(view: View) -> Computer:
    computer: Computer = view.context["computer"]
    return computer


def _of_vm(view: View) -> Vm:
    vm: Vm = view.context["vm"]
    return vm


_OWNER: Final[dict[str, Any]] = {
    "VMId": lambda v: _of_vm(v).id,
    "VMName": lambda v: _of_vm(v).name,
    "ComputerName": lambda v: _computer(v).name,
    "IsDeleted": lambda v: False,
}

HARD_DISK = ViewType(
    _NS + "HardDiskDrive",
    {
        "Name": lambda v: "Hard Drive",
        "Path": lambda v: v.source.disk_path,
        "ControllerType": lambda v: "SCSI" if v.source.generation == 2 else "IDE",
        "ControllerNumber": lambda v: 0,
        "ControllerLocation": lambda v: 0,
        **_OWNER,
    },
    looks.HARD_DISK,
)

NIC = ViewType(
    _NS + "VMNetworkAdapter",
    {
        "Id": lambda v: nic_id(_of_vm(v), v.source),
        "Name": lambda v: v.source.name,
        "SwitchName": lambda v: v.source.switch or None,
        "SwitchId": lambda v: _switch_id(v),
        "Connected": lambda v: bool(v.source.switch),
        "MacAddress": lambda v: v.source.mac,
        "DynamicMacAddressEnabled": lambda v: v.source.dynamic_mac,
        "MacAddressSpoofing": lambda v: on_off("On" if v.source.spoofing else "Off"),
        "AllowTeaming": lambda v: on_off("Off"),
        "DhcpGuard": lambda v: on_off("Off"),
        "RouterGuard": lambda v: on_off("Off"),
        "IsLegacy": lambda v: False,
        "IsManagementOs": lambda v: False,
        "IsExternalAdapter": lambda v: False,
        "IPAddresses": lambda v: [],
        "Status": lambda v: ["Ok"] if _of_vm(v).state == "Running" else None,
        **_OWNER,
    },
    looks.NIC,
)


def nic_id(vm: Vm, nic: Nic) -> str:
    """A NIC's id as Hyper-V writes it: the VM's id, then the adapter's."""
    return f"Microsoft:{str(vm.id).upper()}\\{str(nic.id).upper()}"


def _switch_id(view: View) -> Value:
    wanted = view.source.switch
    return next((s.id for s in _computer(view).switches if s.name == wanted), None)


def _last_checkpoint(view: View) -> Any:
    points = view.source.checkpoints
    return points[-1] if points else None


def _folder(view: View) -> str:
    vm: Vm = view.source
    return vm.folder or vm.disk_path.rpartition("\\")[0]


VM = ViewType(
    _NS + "VirtualMachine",
    {
        "Name": lambda v: v.source.name,
        "State": lambda v: vm_state(v.source.state),
        "CPUUsage": lambda v: 0,
        "MemoryAssigned": lambda v: v.source.assigned,
        "MemoryDemand": lambda v: v.source.assigned // 4,
        "MemoryStatus": lambda v: "OK" if v.source.dynamic and v.source.assigned else "",
        "Uptime": _uptime,
        "Status": lambda v: "Operating normally",
        "PrimaryOperationalStatus": lambda v: operational("InService" if v.source.busy else "Ok"),
        "Version": lambda v: v.source.version,
        "Generation": lambda v: v.source.generation,
        "Id": lambda v: v.source.id,
        "VMId": lambda v: v.source.id,
        "VMName": lambda v: v.source.name,
        "ProcessorCount": lambda v: v.source.cpu_count,
        "MemoryStartup": lambda v: v.source.startup,
        "MemoryMinimum": lambda v: v.source.minimum,
        "MemoryMaximum": lambda v: v.source.maximum,
        "DynamicMemoryEnabled": lambda v: v.source.dynamic,
        "Heartbeat": _heartbeat,
        "IntegrationServicesState": lambda v: "Up to date" if is_answering(v.source) else None,
        "ParentCheckpointId": lambda v: getattr(_last_checkpoint(v), "id", None),
        "ParentCheckpointName": lambda v: getattr(_last_checkpoint(v), "name", None),
        "ParentSnapshotId": lambda v: getattr(_last_checkpoint(v), "id", None),
        "ParentSnapshotName": lambda v: getattr(_last_checkpoint(v), "name", None),
        "CheckpointType": lambda v: checkpoint_type(v.source.checkpoint_type),
        "AutomaticCheckpointsEnabled": lambda v: v.source.automatic_checkpoints,
        "AutomaticStartAction": lambda v: start_action(v.source.start_action),
        "AutomaticStopAction": lambda v: stop_action(v.source.stop_action),
        "GuestStateIsolationType": lambda v: isolation("Disabled"),
        "CreationTime": lambda v: v.source.created,
        "Path": _folder,
        "ConfigurationLocation": _folder,
        "Notes": lambda v: v.source.notes,
        "NetworkAdapters": lambda v: [
            NIC(nic, vm=v.source, computer=_computer(v)) for nic in v.source.nics
        ],
        "HardDrives": lambda v: (
            [HARD_DISK(v.source, vm=v.source, computer=_computer(v))] if v.source.disk_path else []
        ),
        "ComputerName": lambda v: _computer(v).name,
        "IsClustered": lambda v: False,
        "IsDeleted": lambda v: v.source.id not in _computer(v).vms,
    },
    looks.VM,
)

PROCESSOR = ViewType(
    _NS + "VMProcessor",
    {
        "Count": lambda v: v.source.cpu_count,
        "ExposeVirtualizationExtensions": lambda v: v.source.exposes,
        "CompatibilityForMigrationEnabled": lambda v: False,
        "CompatibilityForOlderOperatingSystemsEnabled": lambda v: False,
        "HwThreadCountPerCore": lambda v: 0,
        "Reserve": lambda v: v.source.cpu_reserve,
        "Maximum": lambda v: v.source.cpu_maximum,
        "RelativeWeight": lambda v: v.source.cpu_weight,
        "EnableHostResourceProtection": lambda v: False,
        "Name": lambda v: "Processor",
        "Id": lambda v: f"Microsoft:{str(v.source.id).upper()}\\processor\\0",
        **_OWNER,
    },
    looks.PROCESSOR,
)

MEMORY = ViewType(
    _NS + "VMMemory",
    {
        "DynamicMemoryEnabled": lambda v: v.source.dynamic,
        "Startup": lambda v: v.source.startup,
        "Minimum": lambda v: v.source.minimum,
        "Maximum": lambda v: v.source.maximum,
        "Buffer": lambda v: v.source.memory_buffer,
        "Priority": lambda v: v.source.memory_priority,
        "Name": lambda v: "Memory",
        "Id": lambda v: f"Microsoft:{str(v.source.id).upper()}\\memory\\0",
        **_OWNER,
    },
    looks.MEMORY,
)

SECURITY = ViewType(
    _NS + "VMSecurity",
    {
        "TpmEnabled": lambda v: v.source.tpm,
        "KsdEnabled": lambda v: False,
        "Shielded": lambda v: v.source.shielded,
        "EncryptStateAndVmMigrationTraffic": lambda v: False,
        "VirtualizationBasedSecurityOptOut": lambda v: False,
        "BindToHostTpm": lambda v: False,
        **_OWNER,
    },
)

FIRMWARE = ViewType(
    _NS + "VMFirmware",
    {
        "SecureBoot": lambda v: on_off("On"),
        "SecureBootTemplate": lambda v: "MicrosoftWindows",
        **_OWNER,
    },
)

SNAPSHOT = ViewType(
    _NS + "VMSnapshot",
    {
        "Name": lambda v: v.source.name,
        "Id": lambda v: v.source.id,
        "SnapshotType": lambda v: snapshot_type("Standard"),
        "CreationTime": lambda v: v.source.created,
        "ParentSnapshotId": lambda v: v.source.parent,
        "ParentCheckpointId": lambda v: v.source.parent,
        "ParentSnapshotName": lambda v: next(
            (c.name for c in _of_vm(v).checkpoints if c.id == v.source.parent), None
        ),
        **_OWNER,
    },
    looks.SNAPSHOT,
)

INTEGRATION = ViewType(
    _NS + "VMIntegrationComponent",
    {
        "Name": lambda v: v.source,
        "Enabled": lambda v: v.source != "Guest Service Interface",
        "PrimaryStatusDescription": lambda v: "OK" if is_answering(_of_vm(v)) else "No Contact",
        "SecondaryStatusDescription": lambda v: "",
        **_OWNER,
    },
    looks.INTEGRATION,
)

SWITCH = ViewType(
    _NS + "VMSwitch",
    {
        "Name": lambda v: v.source.name,
        "Id": lambda v: v.source.id,
        "SwitchType": lambda v: switch_type(v.source.kind),
        "NetAdapterInterfaceDescription": lambda v: v.source.adapter or None,
        "AllowManagementOS": lambda v: v.source.kind != "Private" and v.source.allow_management,
        "Notes": lambda v: "",
        "ComputerName": lambda v: _computer(v).name,
        "IsDeleted": lambda v: False,
    },
    looks.SWITCH,
)

VM_HOST = ViewType(
    _NS + "VMHost",
    {
        "Name": lambda v: v.source.name,
        "ComputerName": lambda v: v.source.name,
        "LogicalProcessorCount": lambda v: v.source.threads,
        "MemoryCapacity": lambda v: v.source.memory - 8 * MIB,
        "VirtualMachinePath": lambda v: "D:\\VMs",
        "VirtualHardDiskPath": lambda v: "D:\\VMs",
        "VirtualMachineMigrationEnabled": lambda v: False,
        "EnableEnhancedSessionMode": lambda v: True,
        "NumaSpanningEnabled": lambda v: True,
        "MacAddressMinimum": lambda v: "00155D010A00",
        "MacAddressMaximum": lambda v: "00155D010AFF",
        "SupportedVmVersions": lambda v: list(v.source.versions),
    },
    looks.VM_HOST,
)

VERSION = ViewType(
    _NS + "VMHostSupportedVersion",
    {
        "Name": lambda v: _product_of(v.source),
        "Version": lambda v: v.source,
        "IsDefault": lambda v: v.source == _computer(v).versions[-1],
    },
)
_VERSION_NAMES: Final = {"8.0": 14393, "9.0": 17763, "10.0": 20348, "12.0": 26100}


def _product_of(version: str) -> str:
    build = _VERSION_NAMES.get(version)
    return f"Microsoft {PRODUCTS[build][1]}" if build else f"Microsoft Windows (version {version})"
