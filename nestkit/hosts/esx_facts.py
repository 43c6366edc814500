"""From properties of the vSphere API to facts. Pure: rows in, facts out.

Field meanings: vSphere Web Services API reference (HostSystem, VirtualMachine and below).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from nestkit.facts import DiskFacts, Fact, HostFacts, Power, Unknown, VmFacts
from nestkit.hosts.esx_hardware import cpu_facts, host_disks, known, physical_nics, short
from nestkit.hosts.esx_nics import Networks, nics_of
from nestkit.transport.vim import Row

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
    "runtime.connectionState",
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
    "parentVApp",
    "runtime.connectionState",
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
        cpu=cpu_facts(row),
        memory_gib=memory,
        free_memory_gib=free,
        disks=host_disks(row),
        nics=known(row.get("config.network.pnic", ()), physical_nics),
        nested_hv_supported=row.fact("capability.nestedHVSupported"),
        is_vm=known(system, lambda s: "vmware" in f"{s.vendor} {s.model}".lower()),
        maintenance_mode=row.fact("runtime.inMaintenanceMode"),
        connection=known(row.fact("runtime.connectionState"), str),
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


def vm_facts(row: Row, networks: Networks) -> VmFacts:
    """Facts of one VM; ``networks`` holds the host's port groups."""
    # an empty list is left out of the answer, which is not the same as unknown
    devices = row.get("config.hardware.device", ())
    extra = row.get("config.extraConfig", ())
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
        hardware_version=known(row.fact("config.version"), hardware_version),
        guest_id=row.fact("config.guestId"),
        guest_os=_guest_os(row),
        tools=tools_of(row),
        firmware=row.fact("config.firmware"),
        legacy_nesting_keys=known(
            extra, lambda options: tuple(o.key for o in options if o.key in _LEGACY_KEYS)
        ),
        snapshot_count=snapshots_of(row),
        has_saved_state=known(row.fact("runtime.powerState"), lambda s: str(s) == "suspended"),
        is_template=row.fact("config.template"),
        vapp=known(row.get("parentVApp", None), lambda vapp: vapp._moId if vapp else ""),
        connection=known(row.fact("runtime.connectionState"), str),
        fault_tolerance=known(
            row.fact("runtime.faultToleranceState"), lambda state: state != "notConfigured"
        ),
        passthrough_devices=known(devices, _passthrough),
        disks=known(devices, _virtual_disks),
        nics=known(devices, lambda found: nics_of(found, networks)),
    )


def hardware_version(version: str) -> Fact[int]:
    """20 for vmx-20."""
    number = str(version).removeprefix("vmx-")
    return int(number) if number.isdigit() else Unknown(f"the host calls it {version!r}")


def _guest_os(row: Row) -> Fact[str]:
    name = row.get("guest.guestFullName", None)
    if isinstance(name, Unknown):
        return name
    return str(name) if name else Unknown("no VMware Tools report it")


def tools_of(row: Row) -> Fact[Literal["running", "not running", "not installed"]]:
    """Whether VMware Tools can be asked for something."""
    version, running = row.fact("guest.toolsVersionStatus2"), row.fact("guest.toolsRunningStatus")
    if running == "guestToolsRunning":
        return "running"
    if version == "guestToolsNotInstalled":
        return "not installed"
    return running if isinstance(running, Unknown) else "not running"


def snapshots_of(row: Row) -> Fact[int]:
    """How many snapshots a VM has, from its property ``snapshot``."""
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
