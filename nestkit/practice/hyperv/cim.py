"""Get-CimInstance: the classes that tell whether a host can nest.

Properties and units: Microsoft Learn, Win32 provider classes. While a hypervisor runs, Windows
reports VirtualizationFirmwareEnabled, SecondLevelAddressTranslationExtensions and
VMMonitorModeExtensions as False (Microsoft Learn, "System requirements for Hyper-V").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from nestkit.practice.hyperv.arguments import cmdlet, texts
from nestkit.practice.hyperv.cim_guests import VIRTUALIZATION, guests
from nestkit.practice.hyperv.model import GIB, Computer
from nestkit.practice.hyperv.objects import record
from nestkit.practice.hyperv.values import Invocation, PsError, Value
from nestkit.practice.hyperv.views import dashed
from nestkit.practice.hyperv.world import Session

_COMMAND: Final = "Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"
Row = dict[str, Value]


def _computer_system(pc: Computer) -> list[Row]:
    return [
        {
            "Name": pc.name,
            "DNSHostName": pc.name,
            "Domain": "WORKGROUP",
            "PartOfDomain": False,
            "Manufacturer": pc.manufacturer,
            "Model": pc.model,
            "HypervisorPresent": pc.hypervisor_present,
            "NumberOfProcessors": pc.sockets,
            "NumberOfLogicalProcessors": pc.threads,
            "TotalPhysicalMemory": pc.memory - pc.memory // 1000,
            "SystemType": "x64-based PC",
            "DomainRole": 2,
        }
    ]


def _product(pc: Computer) -> list[Row]:
    return [
        {
            "UUID": str(pc.bios_id).upper(),
            "Vendor": pc.manufacturer,
            "Name": pc.model,
            "IdentifyingNumber": "PRACTICE",
            "Version": "1.0",
        }
    ]


def _bios(pc: Computer) -> list[Row]:
    return [{"Manufacturer": pc.manufacturer, "SerialNumber": "PRACTICE", "Version": "1.0"}]


def _enclosure(pc: Computer) -> list[Row]:
    return [{"Manufacturer": pc.manufacturer, "SMBIOSAssetTag": "", "ChassisTypes": [23]}]


def _processors(pc: Computer) -> list[Row]:
    visible = not pc.hypervisor_present or (pc.is_guest and not pc.has_role)
    intel = pc.vendor == "intel"
    return [
        {
            "DeviceID": f"CPU{n}",
            "SocketDesignation": f"CPU {n}",
            "Name": pc.cpu_model,
            "Manufacturer": "GenuineIntel" if intel else "AuthenticAMD",
            "Architecture": 9,  # x64
            "AddressWidth": 64,
            "DataWidth": 64,
            "NumberOfCores": pc.cores // pc.sockets,
            "NumberOfLogicalProcessors": pc.threads // pc.sockets,
            "MaxClockSpeed": 2000,
            "VirtualizationFirmwareEnabled": pc.firmware_virtualization and visible,
            "SecondLevelAddressTranslationExtensions": pc.slat and visible,
            "VMMonitorModeExtensions": pc.firmware_virtualization and visible,
        }
        for n in range(pc.sockets)
    ]


def _operating_system(pc: Computer) -> list[Row]:
    return [
        {
            "CSName": pc.name,
            "Caption": pc.caption,
            "Version": f"10.0.{pc.build}" if pc.build >= 10240 else f"6.3.{pc.build}",
            "BuildNumber": str(pc.build),
            "OSArchitecture": "64-bit",
            "ProductType": 3,
            "OperatingSystemSKU": 8,
            "DataExecutionPrevention_Available": pc.dep,
            "DataExecutionPrevention_SupportPolicy": 3 if pc.dep else 0,
            "DataExecutionPrevention_Drivers": pc.dep,
            "DataExecutionPrevention_32BitApplications": pc.dep,
            "FreePhysicalMemory": pc.free_memory // 1024,  # KB
            "TotalVisibleMemorySize": pc.memory // 1024,  # KB
            "LastBootUpTime": pc.booted,
            "Locale": "0409",
            "CodeSet": "1252",
        }
    ]


def _disks(pc: Computer) -> list[Row]:
    return [
        {
            "DeviceID": f"\\\\.\\PHYSICALDRIVE{n}",
            "Index": n,
            "Model": disk.name,
            "Caption": disk.name,
            "Size": disk.size,
            "InterfaceType": "SCSI",
            "MediaType": "Fixed hard disk media",
        }
        for n, disk in enumerate(pc.disks)
    ]


def _logical_disks(pc: Computer) -> list[Row]:
    size = pc.disks[0].size if pc.disks else 0
    return [{"DeviceID": "C:", "DriveType": 3, "Size": size, "FreeSpace": size // 2}]


def _adapters(pc: Computer) -> list[Row]:
    return [
        {
            "DeviceID": str(n),
            "Name": adapter.description,
            "NetConnectionID": adapter.name,
            "MACAddress": dashed(adapter.mac).replace("-", ":"),
            "Speed": adapter.speed,
            "NetEnabled": adapter.up and adapter.speed > 0,
            "NetConnectionStatus": 2 if adapter.up and adapter.speed else 7,
            "PhysicalAdapter": True,
            "InterfaceIndex": adapter.index,
        }
        for n, adapter in enumerate(pc.adapters)
    ]


def _device_guard(pc: Computer) -> list[Row]:
    return [
        {
            "VirtualizationBasedSecurityStatus": 2 if pc.vbs else 0,
            "SecurityServicesRunning": [1] if pc.vbs else [0],
            "SecurityServicesConfigured": [1] if pc.vbs else [0],
        }
    ]


def physical_disks(pc: Computer) -> list[Row]:
    """MSFT_PhysicalDisk, which Get-PhysicalDisk shows too."""
    return [
        {
            "DeviceId": str(n),
            "FriendlyName": disk.name,
            "MediaType": disk.media,
            "BusType": disk.bus,
            "Size": disk.size,
            "HealthStatus": "Healthy",
            "OperationalStatus": "OK",
            "CanPool": False,
        }
        for n, disk in enumerate(pc.disks)
    ]


def _memory(pc: Computer) -> list[Row]:
    count = max(1, pc.memory // (64 * GIB))
    return [
        {"Tag": f"Physical Memory {n}", "Capacity": pc.memory // count, "Speed": 3200}
        for n in range(count)
    ]


_MEDIA: Final = {"Unspecified": 0, "HDD": 3, "SSD": 4}
_BUS: Final = {"SATA": 11, "NVMe": 17, "SAS": 10, "RAID": 8, "SCSI": 1, "USB": 7}


def _msft_disks(pc: Computer) -> list[Row]:
    """As the raw class has it: numbers, where Get-PhysicalDisk shows words."""
    rows = physical_disks(pc)
    for row in rows:
        row["MediaType"] = _MEDIA.get(row["MediaType"], 0)
        row["BusType"] = _BUS.get(row["BusType"], 0)
    return rows


_Rows = Callable[[Computer], list[Row]]
_NAMESPACES: Final[dict[str, dict[str, _Rows]]] = {
    "root/cimv2": {
        "Win32_ComputerSystem": _computer_system,
        "Win32_ComputerSystemProduct": _product,
        "Win32_BIOS": _bios,
        "Win32_SystemEnclosure": _enclosure,
        "Win32_Processor": _processors,
        "Win32_OperatingSystem": _operating_system,
        "Win32_DiskDrive": _disks,
        "Win32_LogicalDisk": _logical_disks,
        "Win32_NetworkAdapter": _adapters,
        "Win32_PhysicalMemory": _memory,
    },
    VIRTUALIZATION: {"Msvm_KvpExchangeComponent": guests},
    "root/microsoft/windows/deviceguard": {"Win32_DeviceGuard": _device_guard},
    "root/microsoft/windows/storage": {"MSFT_PhysicalDisk": _msft_disks},
}
_CLASSES: Final = {
    (namespace, name.lower()): (name, rows)
    for namespace, classes in _NAMESPACES.items()
    for name, rows in classes.items()
}


@cmdlet("Get-CimInstance", takes="ClassName Namespace Filter Property", is_hyperv=False)
def get_cim(session: Session, inv: Invocation) -> list[Value]:
    """Instances of a class, perhaps narrowed by a simple -Filter."""
    namespace = str(inv.bound.get("Namespace") or "root/cimv2").replace("\\", "/").strip("/")
    wanted = str(inv.bound["ClassName"])
    entry = _CLASSES.get((namespace.lower(), wanted.lower()))
    if entry is None:
        raise PsError(
            f"Invalid class. The practice host has no class {wanted!r} in {namespace}.",
            error_id=f"HRESULT 0x80041010,{_COMMAND}",
            category="MetadataError",
            target=f"{namespace}:{wanted}",
        )
    if namespace.lower() == VIRTUALIZATION:
        if not session.computer.has_role:
            raise PsError(
                "Invalid namespace", error_id=f"HRESULT 0x8004100e,{_COMMAND}",
                category="MetadataError", target=namespace,
            )  # fmt: skip
        if not session.may_manage:
            return []  # the provider shows what the user may see: nothing
    name, rows = entry
    keep = {text.lower() for text in texts(inv, "Property")}
    found = []
    for row in rows(session.computer):
        if fits(session, row, str(inv.bound.get("Filter") or "")):
            shown = {
                key: value if not keep or key.lower() in keep else None
                for key, value in row.items()
            }
            kind = f"Microsoft.Management.Infrastructure.CimInstance#{namespace}/{name}"
            found.append(record(kind, shown | {"PSComputerName": None}))
    return found


def fits(session: Session, row: Row, condition: str) -> bool:
    """Whether a row meets a WQL condition of the form ``A = 'x' AND B = 2``.

    Raises
    ------
    PsError
        The condition has another form or names no property.
    """
    if not condition.strip():
        return True
    lowered = {key.lower(): value for key, value in row.items()}
    for term in re.split(r"\s+and\s+", condition.strip(), flags=re.IGNORECASE):
        match = re.fullmatch(
            r"(\w+)\s*(=|<>|!=)\s*('[^']*'|\"[^\"]*\"|-?\d+|true|false)", term, re.IGNORECASE
        )
        if not match or match[1].lower() not in lowered:
            what = f"the WQL condition {condition[:200]!r}"
            raise session.error("not-modelled", "Get-CimInstance", what=what)
        have, want = lowered[match[1].lower()], match[3]
        if want[0] in "'\"":
            same = str(have).lower() == want[1:-1].lower()
        elif want.lower() in ("true", "false"):
            same = have is (want.lower() == "true")
        else:
            same = have == int(want)
        if same != (match[2] == "="):
            return False
    return True
