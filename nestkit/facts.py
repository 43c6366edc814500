"""What a host, a VM, a disk, a NIC is.

Facts are plain, frozen and complete: each field holds a value or an
:class:`Unknown` that says why it is not known. ``None`` never means unknown.
Units stand in the names: ``memory_gib`` is in GiB (2**30 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, Union

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be read, and why."""

    reason: str

    def __bool__(self) -> bool:
        raise TypeError(f"an unknown fact has no truth value ({self.reason})")

    def __str__(self) -> str:
        return f"unknown: {self.reason}"


Fact = Union[T, Unknown]  # noqa: UP007  (an alias that takes a parameter, on Python 3.11)

NOT_READ = Unknown("not read on this platform")
NOT_IN_FLEET = Unknown("read for one named VM only")  # devices, where all VMs are read at once

Power = Literal["on", "off", "suspended"]
Platform = Literal["esx", "hyperv", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuFacts:
    """The processor as the platform reports it."""

    vendor: Fact[str] = NOT_READ  # "intel", "amd", or the vendor's own word
    model: Fact[str] = NOT_READ
    cores: Fact[int] = NOT_READ
    threads: Fact[int] = NOT_READ
    is_64bit: Fact[bool] = NOT_READ  # x86-64 (long mode): what both platforms mean by 64-bit
    hw_virtualization: Fact[bool] = NOT_READ  # VT-x or AMD-V present and usable
    slat: Fact[bool] = NOT_READ  # EPT (Intel) or RVI/NPT (AMD)
    nx: Fact[bool] = NOT_READ  # NX/XD, what Windows calls DEP


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """A disk of a host or of a VM."""

    label: str
    size_gib: Fact[float] = NOT_READ
    bus: Fact[str] = NOT_READ  # "scsi", "sata", "nvme", "ide", "sas", …
    is_ssd: Fact[bool] = NOT_READ
    is_raid: Fact[bool] = NOT_READ


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNicFacts:
    """A physical NIC of a host (or any NIC of this machine)."""

    label: str
    link_mbps: Fact[int] = NOT_READ  # 0: no link
    driver: Fact[str] = NOT_READ


@dataclass(frozen=True, slots=True, kw_only=True)
class VmNicFacts:
    """A virtual NIC and the *effective* policy of the network it is plugged into."""

    label: str
    key: str  # the platform's own id of this NIC
    model: Fact[str] = NOT_READ  # "vmxnet3", "e1000e", "pcnet32", …
    link_mbps: Fact[int] = NOT_READ  # what the model offers its guest
    mac: Fact[str] = NOT_READ
    network: Fact[str] = NOT_READ  # port group or virtual switch, by name
    network_id: Fact[str] = NOT_READ  # the platform's own id of that network
    switch: Fact[str] = NOT_READ
    switch_kind: Fact[Literal["standard", "distributed"]] = NOT_READ
    switch_version: Fact[str] = NOT_READ  # of a distributed switch: "8.0.0"
    promiscuous: Fact[bool] = NOT_READ
    forged_transmits: Fact[bool] = NOT_READ
    mac_changes: Fact[bool] = NOT_READ
    mac_learning: Fact[bool] = NOT_READ
    mac_learning_offered: Fact[bool] = NOT_READ  # the switch has it, from version 6.6 on
    mac_spoofing: Fact[bool] = NOT_READ  # Hyper-V
    inner_nat: Fact[bool] = NOT_READ  # Hyper-V: the guest behind this NIC translates for its VMs


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFacts:
    """A VM that is to host a hypervisor (L1)."""

    identity: str  # instance UUID (vSphere) or VM Id (Hyper-V)
    name: str
    ref: str  # the platform's handle: managed object id or VM Id
    power: Fact[Power] = NOT_READ
    cpu_count: Fact[int] = NOT_READ
    memory_gib: Fact[float] = NOT_READ
    memory_reservation_gib: Fact[float] = NOT_READ
    nested_hv: Fact[bool] = NOT_READ  # virtualization extensions exposed to the guest
    hardware_version: Fact[int] = NOT_READ  # vSphere: 20 for vmx-20
    configuration_version: Fact[str] = NOT_READ  # Hyper-V: "10.0"
    dynamic_memory: Fact[bool] = NOT_READ  # Hyper-V
    guest_id: Fact[str] = NOT_READ  # configured guest type
    guest_os: Fact[str] = NOT_READ  # what the running guest says it is
    tools: Fact[Literal["running", "not running", "not installed"]] = NOT_READ
    firmware: Fact[str] = NOT_READ
    legacy_nesting_keys: Fact[tuple[str, ...]] = NOT_READ  # vhv.enable, hypervisor.cpuid.v0
    snapshot_count: Fact[int] = NOT_READ
    has_saved_state: Fact[bool] = NOT_READ
    is_template: Fact[bool] = NOT_READ
    vapp: Fact[str] = NOT_READ  # name or id of the vApp it is in; "" for none
    connection: Fact[str] = NOT_READ  # vSphere: "connected", "disconnected", "orphaned", …
    fault_tolerance: Fact[bool] = NOT_READ
    passthrough_devices: Fact[tuple[str, ...]] = NOT_READ
    disks: Fact[tuple[DiskFacts, ...]] = NOT_READ
    nics: Fact[tuple[VmNicFacts, ...]] = NOT_READ


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """A host and the VMs that were asked for."""

    identity: str  # hardware or instance UUID of the host
    platform: Platform
    name: str
    is_practice: bool
    product: Fact[str] = NOT_READ  # "VMware ESXi 8.0.2"
    version: Fact[str] = NOT_READ  # "8.0.2"
    build: Fact[int] = NOT_READ
    api_version: Fact[str] = NOT_READ
    cpu: CpuFacts = CpuFacts()
    memory_gib: Fact[float] = NOT_READ
    free_memory_gib: Fact[float] = NOT_READ
    disks: Fact[tuple[DiskFacts, ...]] = NOT_READ
    nics: Fact[tuple[HostNicFacts, ...]] = NOT_READ
    nested_hv_supported: Fact[bool] = NOT_READ  # the host can expose hardware virtualization
    nested_parameter: Fact[bool] = NOT_READ  # local Linux: kvm's nested=1
    firmware_virtualization: Fact[bool] = NOT_READ  # Windows: VirtualizationFirmwareEnabled
    vm_monitor_mode: Fact[bool] = NOT_READ  # Windows: VMMonitorModeExtensions
    offer_nested_virt: Fact[bool] = NOT_READ  # Windows: False if BCD says offernestedvirt No
    azure_security_type: Fact[str] = NOT_READ  # "" where the host is not an Azure VM
    hypervisor_present: Fact[bool] = NOT_READ  # this host itself runs under or as a hypervisor
    hyperv_role: Fact[bool] = NOT_READ  # Windows: the Hyper-V role and its cmdlets are there
    is_vm: Fact[bool] = NOT_READ
    machine: Fact[str] = NOT_READ  # maker and model, by DMI
    firmware: Fact[str] = NOT_READ  # "efi" or "bios"
    maintenance_mode: Fact[bool] = NOT_READ
    connection: Fact[str] = NOT_READ  # vSphere: "connected", "disconnected", "notResponding"
    lab_accelerator: Fact[str] = NOT_READ  # local: "kvm" or "tcg"
    lab_reason: Fact[str] = NOT_READ  # local: why that one, or why no lab can run here
    vms: tuple[VmFacts, ...] = ()
