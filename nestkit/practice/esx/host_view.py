"""The host as the vSphere API shows it.

Field meanings: vSphere Web Services API reference 8.0, data objects ``HostHardwareInfo``,
``HostCapability``, ``HostStorageDeviceInfo``. CPUID bits: Intel SDM volume
2A and AMD APM volume 3 (VMX: leaf 1 ECX 5; SVM: leaf 80000001h ECX 2; NX: EDX 20; LM: EDX 29).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.inventory import Inventory
from nestkit.practice.esx.model import Datastore, DvSwitch, Host
from nestkit.practice.esx.network_view import network

BUILD: Final = {
    "8.0.2.0": ("8.0.2", "22380479"),
    "6.5": ("6.5.0", "4564106"),
    "6.0": ("6.0.0", "2494585"),
}
BOOTED: Final = datetime.now(UTC)


def about(inventory: Inventory) -> Any:
    """``AboutInfo`` of what is spoken to: the host, or the vCenter above it."""
    host = inventory.host
    info = host_about(host)
    if not inventory.layout.is_vcenter:
        return info
    info.name = "VMware vCenter Server (nestkit practice host)"
    info.fullName = f"{info.name} {info.version} build-{info.build}"
    info.osType, info.productLineId, info.apiType = "linux-x64", "vpx", "VirtualCenter"
    info.apiVersion, info.instanceUuid = inventory.api_version, inventory.uuid
    info.licenseProductName = "VMware VirtualCenter Server"
    return info


def host_about(host: Host) -> Any:
    """``AboutInfo`` of a host. Says in name and vendor that this is a practice host."""
    version, build = BUILD[host.api_version]
    name = "VMware ESXi (nestkit practice host)"
    return vim.AboutInfo(
        name=name,
        fullName=f"{name} {version} build-{build}",
        vendor="nestkit (practice host, not VMware)",
        version=version,
        build=build,
        localeVersion="INTL",
        localeBuild="000",
        osType="vmnix-x86",
        productLineId="embeddedEsx",
        apiType="HostAgent",
        apiVersion=host.api_version,
        instanceUuid=host.uuid,
        licenseProductName="VMware ESX Server",
        licenseProductVersion=version.partition(".")[0] + ".0",
    )


def _register(*bits: int) -> str:
    """A 32-bit register as the API writes it: groups of four, highest bit first."""
    text = "".join("1" if bit in bits else "0" for bit in range(31, -1, -1))
    return ":".join(text[n : n + 4] for n in range(0, 32, 4))


def cpu_features(host: Host) -> list[Any]:
    """CPUID leaves 0, 1, 80000000h and 80000001h as far as nesting is concerned."""
    intel = host.cpu_vendor == "intel"
    zero = _register()
    leaf1 = [0, 19, 20, 25] + ([5] if host.hw_virtualization and intel else [])
    extended = [2] if host.hw_virtualization and not intel else []
    flags = [11, 27, 29] + ([20] if host.nx else [])
    rows = [
        (0x0, zero, zero),
        (0x1, _register(*leaf1), _register(0, 4, 5, 6, 8, 9, 23, 25, 26)),
        (-0x80000000, zero, zero),
        (-0x7FFFFFFF, _register(0, *extended), _register(*flags)),
    ]
    return [
        vim.host.CpuIdInfo(level=level, vendor="", eax=zero, ebx=zero, ecx=ecx, edx=edx)
        for level, ecx, edx in rows
    ]


def feature_capabilities(host: Host) -> list[Any]:
    """``config.featureCapability``: what VMs may be given, as "0" or "1"."""
    intel = host.cpu_vendor == "intel"
    values = {
        "cpuid.LM": True,
        "cpuid.NX": host.nx,
        "cpuid.VMX": host.hw_virtualization and intel,
        "cpuid.SVM": host.hw_virtualization and not intel,
        "hv.capable": host.hw_virtualization,
    }
    return [
        vim.host.FeatureCapability(key=key, featureName=key, value=str(int(value)))
        for key, value in values.items()
    ]


def nesting_supported(host: Host) -> bool:
    """VMware requires VT-x with EPT or AMD-V with RVI to expose hardware virtualization."""
    return host.hw_virtualization and host.nested_paging


def capability(host: Host) -> Any:
    """``HostSystem.capability``."""
    info = vim.host.Capability()
    info.rebootSupported = info.shutdownSupported = True
    info.maintenanceModeSupported = True
    info.vlanTaggingSupported = info.nicTeamingSupported = True
    info.cpuMemoryResourceConfigurationSupported = True
    info.featureCapabilitiesSupported = True
    info.nestedHVSupported = nesting_supported(host)
    info.cpuHwMmuSupported = host.nested_paging
    info.maxSupportedVcpus = 768
    return info


def hardware(host: Host) -> Any:
    """``HostSystem.hardware``."""
    hz = host.mhz * 1_000_000
    return vim.host.HardwareInfo(
        systemInfo=vim.host.SystemInfo(vendor="nestkit", model="Practice host", uuid=host.uuid),
        cpuInfo=vim.host.CpuInfo(
            numCpuPackages=host.sockets,
            numCpuCores=host.cores,
            numCpuThreads=host.threads,
            hz=hz,
        ),
        cpuPkg=[
            vim.host.CpuPackage(
                index=n,
                vendor=host.cpu_vendor,
                hz=hz,
                busHz=100_000_000,
                description=host.cpu_model,
                threadId=list(range(n, host.threads, host.sockets)),
                cpuFeature=cpu_features(host),
            )
            for n in range(host.sockets)
        ],
        memorySize=host.memory_gib * 2**30,
        smcPresent=False,
        cpuFeature=cpu_features(host),
    )


def runtime(host: Host) -> Any:
    """``HostSystem.runtime``."""
    return vim.host.RuntimeInfo(
        connectionState=host.connection,
        powerState="poweredOn" if host.connection == "connected" else "unknown",
        inMaintenanceMode=host.maintenance_mode,
        bootTime=BOOTED,
    )


def summary(host: Host, used_mb: int) -> Any:
    """``HostSystem.summary``; ``used_mb`` is what running VMs hold."""
    return vim.host.Summary(
        host=vim.HostSystem(host.moid),
        hardware=vim.host.Summary.HardwareSummary(
            vendor="nestkit",
            model="Practice host",
            uuid=host.uuid,
            memorySize=host.memory_gib * 2**30,
            cpuModel=host.cpu_model,
            cpuMhz=host.mhz,
            numCpuPkgs=host.sockets,
            numCpuCores=host.cores,
            numCpuThreads=host.threads,
            numNics=len(host.nics),
            numHBAs=1,
        ),
        runtime=runtime(host),
        config=vim.host.Summary.ConfigSummary(
            name=host.name, port=443, product=host_about(host), vmotionEnabled=False
        ),
        quickStats=vim.host.Summary.QuickStats(
            overallCpuUsage=0, overallMemoryUsage=used_mb, uptime=60
        ),
        overallStatus="green",
        rebootRequired=False,
    )


def storage(host: Host) -> Any:
    """``config.storageDevice``: adapters and local disks, each disk on an adapter of its bus."""
    kinds = {
        "sas": vim.host.SerialAttachedHba,
        "scsi": vim.host.ParallelScsiHba,
        "usb": vim.host.BlockHba,
        "sata": vim.host.BlockHba,
        "ide": vim.host.BlockHba,
    }
    adapters: list[Any] = []
    targets: list[Any] = []
    buses = list(dict.fromkeys(disk.bus for disk in host.disks))
    for number, bus in enumerate(buses):
        kind = kinds.get(bus, vim.host.BlockHba)
        key = f"key-vim.host.{kind.__name__.rpartition('.')[2]}-vmhba{number}"
        adapter = kind(
            key=key,
            device=f"vmhba{number}",
            bus=number,
            status="online",
            model=f"Practice {bus.upper()} controller",
            driver=f"practice_{bus}",
        )
        if bus == "sas":
            adapter.nodeWorldWideName = f"{number:016x}"
        adapters.append(adapter)
        targets.append(
            vim.host.ScsiTopology.Interface(
                key=f"{key}-interface",
                adapter=key,
                target=[
                    vim.host.ScsiTopology.Target(
                        key=f"{key}-target-{n}",
                        target=n,
                        lun=[
                            vim.host.ScsiTopology.Lun(
                                key=f"{key}-lun-{n}", lun=0, scsiLun=_lun_key(n)
                            )
                        ],
                    )
                    for n, disk in enumerate(host.disks)
                    if disk.bus == bus
                ],
            )
        )
    return vim.host.StorageDeviceInfo(
        softwareInternetScsiEnabled=False,
        hostBusAdapter=adapters,
        scsiLun=[
            vim.host.ScsiDisk(
                key=_lun_key(n),
                deviceName=f"/vmfs/devices/disks/practice.{n}",
                devicePath=f"/vmfs/devices/disks/practice.{n}",
                deviceType="disk",
                uuid=f"{n:032x}",
                canonicalName=f"practice.{n}",
                displayName=disk.name,
                lunType="disk",
                vendor="ATA" if disk.bus == "sata" else disk.bus.upper(),
                operationalState=["ok"],
                capacity=vim.host.DiskDimensions.Lba(
                    blockSize=512, block=round(disk.size_gib * 2**30) // 512
                ),
                ssd=disk.ssd,
                localDisk=True,
            )
            for n, disk in enumerate(host.disks)
        ],
        scsiTopology=vim.host.ScsiTopology(adapter=targets),
    )


def _lun_key(number: int) -> str:
    return f"key-vim.host.ScsiDisk-{number:032x}"


def config(host: Host, dv_switches: Iterable[DvSwitch]) -> Any:
    """``HostSystem.config``."""
    return vim.host.ConfigInfo(
        host=vim.HostSystem(host.moid),
        product=host_about(host),
        network=network(host, dv_switches),
        storageDevice=storage(host),
        featureCapability=feature_capabilities(host),
        hyperThread=vim.host.CpuSchedulerSystem.HyperThreadScheduleInfo(
            available=host.threads > host.cores,
            active=host.threads > host.cores,
            config=True,
        ),
    )


def datastore_summary(store: Datastore) -> Any:
    """``Datastore.summary``."""
    return vim.Datastore.Summary(
        datastore=vim.Datastore(store.moid),
        name=store.name,
        url=f"/vmfs/volumes/practice-{store.moid}",
        capacity=round(store.size_gib * 2**30),
        freeSpace=round(store.free_gib * 2**30),
        accessible=True,
        type="VMFS",
        multipleHostAccess=False,
    )
