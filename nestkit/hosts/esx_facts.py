"""From properties of the vSphere API to facts. Pure: rows in, facts out.

Field meanings: vSphere Web Services API reference (HostSystem, VirtualMachine and below).
CPUID bits: Intel SDM volume 2A and AMD APM volume 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

from nestkit.facts import (
    CpuFacts,
    DiskFacts,
    Fact,
    HostFacts,
    HostNicFacts,
    Power,
    Unknown,
    VmFacts,
)
from nestkit.hosts.esx_nics import Networks, nics_of
from nestkit.transport.vim import Row

T = TypeVar("T")
U = TypeVar("U")

HOST_PATHS: Final = (
    "name",
    "hardware.systemInfo",
    "hardware.cpuInfo",
    "hardware.cpuPkg",
    "hardware.cpuFeature",
    "hardware.memorySize",
    "capability.nestedHVSupported",
    "capability.cpuHwMmuSupported",
    "config.product",
    "config.featureCapability",
    "config.storageDevice.hostBusAdapter",
    "config.storageDevice.scsiLun",
    "config.storageDevice.scsiTopology",
    "config.network.pnic",
    "config.network.portgroup",
    "config.network.proxySwitch",
    "summary.quickStats.overallMemoryUsage",
    "runtime.inMaintenanceMode",
    "configManager.networkSystem",
)
VM_PATHS: Final = (
    "name",
    "config.instanceUuid",
    "config.version",
    "config.template",
    "config.guestId",
    "config.firmware",
    "config.nestedHVEnabled",
    "config.extraConfig",
    "config.hardware.numCPU",
    "config.hardware.memoryMB",
    "config.hardware.device",
    "config.memoryAllocation.reservation",
    "guest.guestFullName",
    "guest.toolsRunningStatus",
    "guest.toolsVersionStatus2",
    "runtime.powerState",
    "runtime.faultToleranceState",
    "snapshot",
)
POWER: Final[dict[str, Power]] = {
    "poweredOn": "on",
    "poweredOff": "off",
    "suspended": "suspended",
}
PRACTICE_MARK: Final = "practice host"  # what a practice host says in its product name
_LEGACY_KEYS: Final = ("vhv.enable", "hypervisor.cpuid.v0")  # from before hardware version 9
_CONTROLLERS: Final = {  # by the end of the class name of the virtual controller
    "IDEController": "ide",
    "AHCIController": "sata",
    "SATAController": "sata",
    "NVMEController": "nvme",
    "SCSIController": "scsi",
    "LsiLogicController": "scsi",
    "LsiLogicSASController": "scsi",
    "BusLogicController": "scsi",
}
_ADAPTER_WORDS: Final = (  # in an adapter's driver or model, the surest word first
    ("nvme", "nvme"),
    ("ahci", "sata"),
    ("sata", "sata"),
    ("usb", "usb"),
    ("umass", "usb"),
)
_ADAPTERS: Final = {  # by the class name of the adapter
    "SerialAttachedHba": "sas",
    "ParallelScsiHba": "scsi",
    "FibreChannelHba": "fc",
    "InternetScsiHba": "iscsi",
    "BlockHba": "ide",
}


def known(fact: Fact[T], convert: Callable[[T], U]) -> Fact[U]:
    """The converted value of a known fact; an unknown one as it is."""
    return fact if isinstance(fact, Unknown) else convert(fact)


def short(item: Any) -> str:
    """The class name of a pyVmomi object without its packages."""
    return type(item).__name__.rpartition(".")[2]


def host_facts(row: Row, vms: tuple[VmFacts, ...]) -> HostFacts:
    """Facts of the host, with those of its VMs."""
    product = row.fact("config.product")
    memory = known(row.fact("hardware.memorySize"), lambda size: size / 2**30)
    used = known(row.fact("summary.quickStats.overallMemoryUsage"), lambda mib: mib / 1024)
    free: Fact[float] = used if isinstance(memory, Unknown) else known(used, lambda u: memory - u)
    system = row.fact("hardware.systemInfo")
    return HostFacts(
        identity=identity_of(row),
        platform="esx",
        name=str(row.fact("name")),
        is_practice=is_practice(row),
        product=known(product, lambda p: str(p.fullName)),
        version=known(product, lambda p: str(p.version)),
        build=known(product, _build),
        api_version=known(product, lambda p: str(p.apiVersion)),
        cpu=_cpu(row),
        memory_gib=memory,
        free_memory_gib=free,
        disks=_disks(row),
        nics=known(row.fact("config.network.pnic"), _physical_nics),
        nested_hv_supported=row.fact("capability.nestedHVSupported"),
        is_vm=known(system, lambda s: "vmware" in f"{s.vendor} {s.model}".lower()),
        maintenance_mode=row.fact("runtime.inMaintenanceMode"),
        vms=vms,
    )


def identity_of(row: Row) -> str:
    """The host's hardware UUID, or what stands for it where the user may not read it."""
    system = row.fact("hardware.systemInfo")
    return row.ref._moId if isinstance(system, Unknown) else str(system.uuid).lower()


def is_practice(row: Row) -> bool:
    """Whether the product says that it is a practice host."""
    product = row.fact("config.product")
    return not isinstance(product, Unknown) and PRACTICE_MARK in str(product.fullName).lower()


def _build(product: Any) -> Fact[int]:
    text = str(product.build)
    return int(text) if text.isdigit() else Unknown(f"the host calls its build {text!r}")


def _bits(row: Row) -> dict[tuple[int, str], Fact[str]]:
    """CPUID registers as strings of 32 characters, bit 31 first, by leaf and register."""
    found: dict[tuple[int, str], Fact[str]] = {}
    features = row.fact("hardware.cpuFeature")
    for item in [] if isinstance(features, Unknown) else features:
        for register in ("eax", "ebx", "ecx", "edx"):
            text = str(getattr(item, register) or "").replace(":", "")
            found[item.level & 0xFFFFFFFF, register] = text
    return found


def _cpu(row: Row) -> CpuFacts:
    info, packages = row.fact("hardware.cpuInfo"), row.fact("hardware.cpuPkg")
    bits = _bits(row)
    offered = row.fact("config.featureCapability")
    keys = {} if isinstance(offered, Unknown) else {f.key: f.value for f in offered}

    def bit(leaf: int, register: str, number: int, key: str) -> Fact[bool]:
        text = bits.get((leaf, register))
        if isinstance(text, str) and len(text) == 32 and text[31 - number] in "01":
            return text[31 - number] == "1"
        if key in keys:
            return keys[key] not in ("", "0")
        return Unknown(f"the host reports neither that CPUID bit nor {key}")

    vendor = known(packages, lambda p: str(p[0].vendor).lower() if p else "")
    amd = vendor in ("amd", "hygon")
    virtualization = (
        bit(0x80000001, "ecx", 2, "cpuid.SVM") if amd else bit(1, "ecx", 5, "cpuid.VMX")
    )
    if "hv.capable" in keys and not isinstance(virtualization, Unknown):
        # the CPU may have what the firmware has switched off
        virtualization = virtualization and keys["hv.capable"] not in ("", "0")
    slat = row.fact("capability.cpuHwMmuSupported")
    if isinstance(slat, Unknown) and row.fact("capability.nestedHVSupported") is True:
        slat = True  # VMware exposes hardware virtualization only on top of EPT or RVI
    return CpuFacts(
        vendor=vendor,
        model=known(packages, lambda p: str(p[0].description).strip() if p else ""),
        cores=known(info, lambda i: int(i.numCpuCores)),
        threads=known(info, lambda i: int(i.numCpuThreads)),
        is_64bit=bit(0x80000001, "edx", 29, "cpuid.LM"),
        hw_virtualization=virtualization,
        slat=slat,
        nx=bit(0x80000001, "edx", 20, "cpuid.NX"),
    )


def _physical_nics(nics: Any) -> tuple[HostNicFacts, ...]:
    return tuple(
        HostNicFacts(
            label=str(nic.device),
            link_mbps=int(nic.linkSpeed.speedMb) if nic.linkSpeed else 0,
            driver=str(nic.driver) if nic.driver else Unknown("the host does not report it"),
        )
        for nic in nics
    )


def _disks(row: Row) -> Fact[tuple[DiskFacts, ...]]:
    luns = row.fact("config.storageDevice.scsiLun")
    if isinstance(luns, Unknown):
        return luns
    buses = _buses(row)
    raid = Unknown("the vSphere API does not tell RAID volumes from plain disks")
    found = []
    for lun in luns:
        if short(lun) != "ScsiDisk" or lun.localDisk is False:
            continue
        found.append(
            DiskFacts(
                label=str(lun.displayName or lun.canonicalName),
                size_gib=lun.capacity.block * lun.capacity.blockSize / 2**30,
                bus=buses.get(lun.key, Unknown("the host does not say which adapter it is on")),
                is_ssd=Unknown("the host does not say") if lun.ssd is None else bool(lun.ssd),
                is_raid=raid,
            )
        )
    return tuple(found)


def _buses(row: Row) -> dict[str, str]:
    """Bus by the key of the disk, through the adapter that its path begins at."""
    adapters = row.fact("config.storageDevice.hostBusAdapter")
    topology = row.fact("config.storageDevice.scsiTopology")
    if isinstance(adapters, Unknown) or isinstance(topology, Unknown):
        return {}
    kinds = {adapter.key: _bus(adapter) for adapter in adapters}
    return {
        lun.scsiLun: kinds[interface.adapter]
        for interface in topology.adapter or []
        for target in interface.target or []
        for lun in target.lun or []
        if interface.adapter in kinds
    }


def _bus(adapter: Any) -> str:
    words = f"{adapter.driver} {adapter.model}".lower()
    for word, bus in _ADAPTER_WORDS:
        if word in words:
            return bus
    return _ADAPTERS.get(short(adapter).removeprefix("Host"), short(adapter))


def vm_facts(row: Row, networks: Networks) -> VmFacts:
    """Facts of one VM; ``networks`` holds the host's port groups."""
    devices = row.fact("config.hardware.device")
    extra = row.fact("config.extraConfig")
    return VmFacts(
        # without the right to read its UUID, the managed object id must do for naming it
        identity=str(row.get("config.instanceUuid", row.ref._moId)),
        name=str(row.fact("name")),
        ref=row.ref._moId,
        power=known(row.fact("runtime.powerState"), lambda state: POWER[str(state)]),
        cpu_count=row.fact("config.hardware.numCPU"),
        memory_gib=known(row.fact("config.hardware.memoryMB"), lambda mib: mib / 1024),
        memory_reservation_gib=known(
            row.fact("config.memoryAllocation.reservation"), lambda mib: mib / 1024
        ),
        nested_hv=row.fact("config.nestedHVEnabled"),
        hardware_version=known(row.fact("config.version"), _hardware),
        guest_id=row.fact("config.guestId"),
        guest_os=_guest_os(row),
        tools=_tools(row),
        firmware=row.fact("config.firmware"),
        legacy_nesting_keys=known(
            extra, lambda options: tuple(o.key for o in options if o.key in _LEGACY_KEYS)
        ),
        snapshot_count=_snapshots(row),
        has_saved_state=known(row.fact("runtime.powerState"), lambda s: str(s) == "suspended"),
        is_template=row.fact("config.template"),
        fault_tolerance=known(
            row.fact("runtime.faultToleranceState"), lambda state: state != "notConfigured"
        ),
        passthrough_devices=known(devices, _passthrough),
        disks=known(devices, _virtual_disks),
        nics=known(devices, lambda found: nics_of(found, networks)),
    )


def _hardware(version: str) -> Fact[int]:
    number = str(version).removeprefix("vmx-")
    return int(number) if number.isdigit() else Unknown(f"the host calls it {version!r}")


def _guest_os(row: Row) -> Fact[str]:
    name = row.get("guest.guestFullName", None)
    if isinstance(name, Unknown):
        return name
    return str(name) if name else Unknown("no VMware Tools report it")


def _tools(row: Row) -> Fact[Literal["running", "not running", "not installed"]]:
    version, running = row.fact("guest.toolsVersionStatus2"), row.fact("guest.toolsRunningStatus")
    if running == "guestToolsRunning":
        return "running"
    if version == "guestToolsNotInstalled":
        return "not installed"
    return running if isinstance(running, Unknown) else "not running"


def _snapshots(row: Row) -> Fact[int]:
    info = row.get("snapshot", None)
    if isinstance(info, Unknown):
        return info
    waiting = list(info.rootSnapshotList) if info else []
    count = 0
    while waiting:
        count += 1
        waiting += waiting.pop().childSnapshotList or []
    return count


def _passthrough(devices: Any) -> tuple[str, ...]:
    kinds = ("VirtualPCIPassthrough", "VirtualSriovEthernetCard")
    return tuple(str(d.deviceInfo.label) for d in devices if short(d) in kinds)


def _virtual_disks(devices: Any) -> tuple[DiskFacts, ...]:
    kinds = {d.key: short(d) for d in devices if short(d).endswith("Controller")}

    def bus(key: int) -> Fact[str]:
        for ending, name in _CONTROLLERS.items():
            if kinds.get(key, "").endswith(ending):
                return name
        return Unknown("its controller is of no known kind")

    return tuple(
        DiskFacts(
            label=str(disk.deviceInfo.label),
            size_gib=disk.capacityInKB / 2**20,
            bus=bus(disk.controllerKey),
        )
        for disk in devices
        if short(disk) == "VirtualDisk"
    )
