"""What a practice Hyper-V host consists of: plain, mutable records without any wire format.

The host (L0) and every Windows guest (L1) are both a :class:`Computer`: the same cmdlets work on
both. Sizes are in bytes, as Hyper-V's own objects have them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

GIB: Final = 2**30
MIB: Final = 2**20

VmState = Literal["Off", "Running", "Saved", "Paused"]
GuestOs = Literal["windows", "linux", "none"]
SwitchType = Literal["External", "Internal", "Private"]

WS2016: Final = 14393
WS2019: Final = 17763
WS2022: Final = 20348
WS2025: Final = 26100

# Microsoft Learn, "Upgrade virtual machine version in Hyper-V" (2025), long-term servicing hosts
SUPPORTED_VERSIONS: Final[dict[int, tuple[str, ...]]] = {
    WS2016: ("5.0", "6.2", "7.0", "7.1", "8.0"),
    WS2019: ("5.0", "6.2", "7.0", "7.1", "8.0", "8.1", "8.2", "8.3", "9.0"),
    WS2022: ("8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "10.0"),
    WS2025: ("8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "10.0", "11.0", "12.0"),
}
PRODUCTS: Final = {
    WS2016: ("Microsoft Windows Server 2016 Datacenter", "Windows Server 2016"),
    WS2019: ("Microsoft Windows Server 2019 Datacenter", "Windows Server 2019"),
    WS2022: ("Microsoft Windows Server 2022 Datacenter", "Windows Server 2022"),
    WS2025: ("Microsoft Windows Server 2025 Datacenter", "Windows Server 2025"),
}


def identity(*parts: object) -> uuid.UUID:
    """A UUID that is the same for the same parts."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "nestkit-practice:" + "/".join(map(str, parts)))


def version_key(text: str) -> tuple[int, ...]:
    """A configuration version to compare by: "10.0" is above "9.3"."""
    return tuple(int(part) for part in text.split("."))


@dataclass(slots=True)
class Disk:
    """A physical disk; ``size`` in bytes."""

    name: str
    size: int
    media: str  # "SSD", "HDD"
    bus: str  # "NVMe", "SAS", "SATA", "RAID"


@dataclass(slots=True)
class Adapter:
    """A network adapter of a computer; ``speed`` in bit/s."""

    name: str
    description: str
    mac: str
    speed: int
    up: bool = True
    index: int = 0


@dataclass(slots=True)
class Switch:
    """A virtual switch."""

    id: uuid.UUID
    name: str
    kind: SwitchType
    adapter: str = ""  # the description of the physical adapter of an external switch
    allow_management: bool = True


@dataclass(slots=True)
class Nat:
    """A NAT network inside a computer (module NetNat)."""

    name: str
    prefix: str


@dataclass(slots=True)
class Address:
    """An IP address of an interface."""

    ip: str
    prefix_length: int
    alias: str
    gateway: str = ""


@dataclass(slots=True)
class Nic:
    """A VM's network adapter."""

    id: uuid.UUID
    name: str
    switch: str  # a switch's name; "" is not connected
    mac: str
    spoofing: bool = False
    dynamic_mac: bool = True


@dataclass(slots=True)
class Checkpoint:
    """A checkpoint of a VM."""

    id: uuid.UUID
    name: str
    created: datetime
    parent: uuid.UUID | None = None


@dataclass(slots=True)
class Computer:
    """A Windows machine: the practice host, or a guest in it."""

    name: str
    bios_id: uuid.UUID
    build: int
    vendor: Literal["intel", "amd"]
    cpu_model: str
    sockets: int
    cores: int  # in all sockets
    threads: int
    memory: int
    manufacturer: str
    model: str
    disks: list[Disk]
    adapters: list[Adapter]
    has_role: bool  # the Hyper-V role is installed
    slat: bool = True
    dep: bool = True
    firmware_virtualization: bool = True  # VT-x or AMD-V is there and switched on
    hypervisor_runs: bool = True  # the hypervisor was launched at boot
    offer_nested: bool = True  # BCD offernestedvirt
    vbs: bool = False
    os_memory: int = 2 * GIB  # what Windows itself keeps
    is_guest: bool = False
    images: list[str] = field(default_factory=list)  # VHDX files with Windows on them
    switches: list[Switch] = field(default_factory=list)
    nats: list[Nat] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    vms: dict[uuid.UUID, Vm] = field(default_factory=dict)
    role_pending: bool = False  # installed, to be used after a restart
    features: set[str] = field(default_factory=set)  # others than the role
    booted: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def caption(self) -> str:
        """The operating system's name."""
        return PRODUCTS.get(self.build, (f"Microsoft Windows (build {self.build})", ""))[0]

    @property
    def versions(self) -> tuple[str, ...]:
        """The VM configuration versions this host runs, oldest first."""
        return SUPPORTED_VERSIONS.get(self.build, SUPPORTED_VERSIONS[WS2022])

    @property
    def assigned(self) -> int:
        """Bytes given to VMs that are on."""
        return sum(vm.assigned for vm in self.vms.values())

    @property
    def free_memory(self) -> int:
        """Bytes that no VM and no part of Windows uses."""
        return max(0, self.memory - self.os_memory - self.assigned)

    @property
    def hypervisor_present(self) -> bool:
        """As Win32_ComputerSystem tells: a hypervisor runs below or beside this Windows."""
        return self.is_guest or (self.has_role and self.hypervisor_runs)


@dataclass(slots=True)
class Guest:
    """What is installed in a VM."""

    os: GuestOs
    build: int = 0
    computer: Computer | None = None  # Windows only
    ready_at: float = 0.0  # monotonic seconds; unreachable before
    is_lost: bool = False  # does not come back


@dataclass(slots=True)
class Vm:
    """A virtual machine."""

    id: uuid.UUID
    name: str
    state: VmState
    version: str
    generation: int
    cpu_count: int
    exposes: bool
    startup: int
    minimum: int
    maximum: int
    dynamic: bool
    nics: list[Nic]
    guest: Guest
    disk_size: int = 60 * GIB
    disk_path: str = ""
    folder: str = ""  # as New-VM -Path made it; else where the disk lies
    checkpoints: list[Checkpoint] = field(default_factory=list)
    notes: str = ""
    tpm: bool = False
    shielded: bool = False
    stop_action: str = "Save"
    start_action: str = "StartIfRunning"
    checkpoint_type: str = "Production"
    automatic_checkpoints: bool = False  # Windows Server; Windows 10 and 11 have them on
    cpu_reserve: int = 0
    cpu_maximum: int = 100
    cpu_weight: int = 100
    memory_buffer: int = 20
    memory_priority: int = 50
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_at: float = 0.0  # monotonic seconds
    busy: str = ""  # the operation under way

    @property
    def assigned(self) -> int:
        """Bytes the VM holds now."""
        return self.startup if self.state in ("Running", "Paused") else 0
