"""An ESXi host's processor, disks and NICs. Pure: rows in, facts out.

Field meanings: vSphere Web Services API reference (HostHardwareInfo, HostStorageDeviceInfo,
HostNetworkInfo). CPUID bits: Intel SDM volume 2A and AMD APM volume 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from nestkit.facts import CpuFacts, DiskFacts, Fact, HostNicFacts, Unknown
from nestkit.transport.vim import Row

T = TypeVar("T")
U = TypeVar("U")

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


def _bits(row: Row) -> dict[tuple[int, str], Fact[str]]:
    """CPUID registers as strings of 32 characters, bit 31 first, by leaf and register."""
    found: dict[tuple[int, str], Fact[str]] = {}
    features = row.fact("hardware.cpuFeature")
    for item in [] if isinstance(features, Unknown) else features:
        for register in ("eax", "ebx", "ecx", "edx"):
            text = str(getattr(item, register) or "").replace(":", "")
            found[item.level & 0xFFFFFFFF, register] = text
    return found


def cpu_facts(row: Row) -> CpuFacts:
    """The processor, from CPUID registers and what the host offers its VMs."""
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


def physical_nics(nics: Any) -> tuple[HostNicFacts, ...]:
    """The host's physical NICs."""
    return tuple(
        HostNicFacts(
            label=str(nic.device),
            link_mbps=int(nic.linkSpeed.speedMb) if nic.linkSpeed else 0,
            driver=str(nic.driver) if nic.driver else Unknown("the host does not report it"),
        )
        for nic in nics
    )


def host_disks(row: Row) -> Fact[tuple[DiskFacts, ...]]:
    """The host's local disks, each with the bus of its adapter."""
    luns = row.get("config.storageDevice.scsiLun", ())
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
