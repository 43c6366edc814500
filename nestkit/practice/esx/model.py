"""What a practice ESXi host consists of: plain, mutable records without any wire format."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

PowerState = Literal["on", "off", "suspended"]
ToolsState = Literal["running", "not running", "not installed"]
Bus = Literal["scsi", "sata", "nvme", "ide"]
NicModel = Literal["vmxnet3", "e1000e", "e1000", "pcnet32"]

# VMware KB 2007240 lists hardware versions by release: 21 came with 8.0 U2. The floor of 4 is from
# the vSphere 4.x notes on old hardware; no current page was found for it.
HARDWARE_VERSIONS: Final = (4, 7, 8, 9, 10, 11, 13, 14, 15, 17, 18, 19, 20, 21)
# vSphere 5.1 release notes: exposing hardware-assisted virtualization came with version 9.
NESTING_HARDWARE_VERSION: Final = 9
MAX_VCPUS: Final = 768  # vSphere 8 configuration maximums, per VM


@dataclass(slots=True)
class Disk:
    """A virtual disk and the bus it is on."""

    key: int
    size_gib: float
    bus: Bus
    thin: bool = True


@dataclass(slots=True)
class Cdrom:
    """A CD-ROM drive; ``iso`` is the datastore path of its image, "" when it is empty."""

    key: int
    iso: str
    start_connected: bool
    controller: int = 200


@dataclass(frozen=True, slots=True)
class IsoFile:
    """An image on a datastore, and what a VM that boots from it becomes."""

    path: str
    size_mib: int
    boots: Literal["", "esxi"] = ""
    kickstart: bool = False  # installs without anyone at the console


@dataclass(slots=True)
class Datastore:
    """A datastore. ``used_gib`` does not count what thin disks may still grow to."""

    moid: str
    name: str
    size_gib: float
    used_gib: float
    isos: tuple[IsoFile, ...] = ()

    @property
    def free_gib(self) -> float:
        """What is left."""
        return max(0.0, self.size_gib - self.used_gib)

    def iso(self, path: str) -> IsoFile | None:
        """The image at a datastore path such as ``[datastore1] iso/a.iso``."""
        if path.partition("]")[0] != f"[{self.name}":  # a datastore's name ends at the first ]
            return None
        return next((iso for iso in self.isos if f"[{self.name}] {iso.path}" == path), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot; each is the child of the one before it."""

    moid: str
    name: str
    created: datetime


@dataclass(slots=True)
class Nic:
    """A virtual NIC; ``network`` is the name of a port group."""

    key: int
    model: NicModel
    network: str
    mac: str
    connected: bool = True


@dataclass(slots=True)
class Security:
    """The three Layer 2 settings; None on a port group: what its switch says."""

    promiscuous: bool | None = None
    mac_changes: bool | None = None
    forged_transmits: bool | None = None


@dataclass(slots=True)
class Switch:
    """A standard switch."""

    name: str
    uplinks: tuple[str, ...]
    security: Security
    mtu: int = 1500
    ports: int = 128


@dataclass(slots=True)
class PortGroup:
    """A port group of a standard switch."""

    name: str
    switch: str
    vlan: int
    security: Security
    moid: str


@dataclass(slots=True)
class MacLearning:
    """MAC learning of a distributed port group (vSphere 6.7 and later)."""

    enabled: bool = False
    unicast_flooding: bool = True
    limit: int = 4096
    limit_policy: str = "DROP"


@dataclass(slots=True)
class DvSwitch:
    """A distributed switch; ``hosts`` are the managed object ids of its members."""

    moid: str
    uuid: str
    name: str
    version: str
    hosts: tuple[str, ...]
    config_version: int = 1
    mtu: int = 1500

    @property
    def learns_macs(self) -> bool:
        """MAC learning came with distributed switches of version 6.6 (vSphere 6.7)."""
        return tuple(map(int, self.version.split(".")[:2])) >= (6, 6)


@dataclass(slots=True)
class DvGroup:
    """A port group of a distributed switch."""

    moid: str
    name: str
    switch: DvSwitch
    vlan: int
    security: Security
    learning: MacLearning = field(default_factory=MacLearning)
    config_version: int = 1
    description: str = ""
    uplink: bool = False
    task: str | None = None


Network = PortGroup | DvGroup


@dataclass(slots=True)
class HostDisk:
    """A local disk of the host."""

    name: str
    size_gib: float
    bus: str
    ssd: bool


@dataclass(slots=True)
class HostNic:
    """A physical NIC of the host."""

    device: str
    driver: str
    link_mbps: int


@dataclass(slots=True)
class Host:
    """The host's own hardware and settings."""

    name: str
    cpu_vendor: Literal["intel", "amd"]
    cpu_model: str
    sockets: int
    cores: int
    threads: int
    mhz: int
    memory_gib: int
    hw_virtualization: bool
    nested_paging: bool
    nx: bool
    disks: list[HostDisk]
    nics: list[HostNic]
    api_version: str = "8.0.2.0"
    maintenance_mode: bool = False
    uuid: str = ""
    moid: str = "ha-host"
    connection: Literal["connected", "disconnected", "notResponding"] = "connected"
    switches: dict[str, Switch] = field(default_factory=dict)
    port_groups: dict[str, PortGroup] = field(default_factory=dict)
    dv_groups: dict[str, DvGroup] = field(default_factory=dict)  # of switches it is a member of

    @property
    def memory_mb(self) -> int:
        """The host's memory in MiB."""
        return self.memory_gib * 1024

    def network(self, name: str) -> Network | None:
        """The port group of this name that VMs of this host can use."""
        return self.port_groups.get(name) or self.dv_groups.get(name)


@dataclass(slots=True)
class Vm:
    """A VM. Memory is in MiB, as the API has it."""

    moid: str
    name: str
    uuid: str
    instance_uuid: str
    power: PowerState
    hardware_version: int
    cpu_count: int
    memory_mb: int
    reservation_mb: int
    reservation_locked: bool
    nested: bool
    tools: ToolsState  # what Tools are while the VM is on
    guest_id: str
    firmware: str
    disks: list[Disk]
    nics: list[Nic]
    extra: dict[str, str]
    host: Host
    datastore: Datastore
    folder: str  # its files on the datastore
    cdroms: list[Cdrom] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    template: bool = False
    vapp: str = ""  # the moid of the vApp it is in
    guest: str = ""  # what Tools report as the guest; "" when nothing is installed
    unreadable: bool = False
    tools_ready: bool = False  # Tools have started since the last power-on
    cores_per_socket: int = 1
    cpu_reservation_mhz: int = 0
    cpu_hot_add: bool = False
    memory_hot_add: bool = False
    secure_boot: bool = False
    vbs: bool = False
    vvtd: bool = False
    annotation: str = ""
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    boot_time: datetime | None = None
    task: str | None = None  # the moid of the task that works on it

    @property
    def change_version(self) -> str:
        """Changes with every reconfiguration; clients send it back to detect races."""
        return f"{self.modified:%Y-%m-%dT%H:%M:%S.%f}Z"

    @property
    def tools_running(self) -> bool:
        """Whether VMware Tools answer now."""
        return self.power == "on" and self.tools == "running" and self.tools_ready

    def touch(self) -> None:
        """Note that the configuration changed."""
        self.modified = max(datetime.now(UTC), self.modified + timedelta(microseconds=1))


def identity(*parts: object) -> str:
    """A UUID that is the same for the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "nestkit-practice:" + "/".join(map(str, parts))))
