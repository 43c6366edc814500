"""Tables of an inventory file → hosts, networks, datastores and VMs, checked field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from nestkit.practice.esx.model import (
    HARDWARE_VERSIONS,
    Bus,
    Cdrom,
    Datastore,
    Disk,
    Host,
    HostDisk,
    HostNic,
    IsoFile,
    Nic,
    NicModel,
    PortGroup,
    PowerState,
    Security,
    Snapshot,
    Switch,
    ToolsState,
    Vm,
    identity,
)
from nestkit.practice.esx.vms import make_mac
from nestkit.practice.tables import Source, Table, repeated

DATASTORE: Final = "datastore1"  # where a file names none


def check_headers(source: Source, known: Sequence[str]) -> None:
    """Refuse another schema, and tables nobody knows."""
    top = Table(source, source.data, "")
    if top.take("schema", int) != 1:
        top.complain("schema", "this nestkit reads schema 1")
    for name in known:
        top.left.pop(name, None)
    top.done()


def host(table: Table, name: str) -> Host:
    """A host's hardware."""
    return Host(
        name=name,
        cpu_vendor=table.choice("cpu_vendor", Literal["intel", "amd"]),
        cpu_model=table.text("cpu_model"),
        sockets=table.number("sockets", 1, 16),
        cores=table.number("cores", 1, 1024),
        threads=table.number("threads", 1, 2048),
        mhz=table.number("mhz", 100, 10_000),
        memory_gib=table.number("memory_gib", 1, 32_768),
        hw_virtualization=table.take("hw_virtualization", bool),
        nested_paging=table.take("nested_paging", bool),
        nx=table.take("nx", bool),
        disks=[
            HostDisk(t.text("name"), t.take("size_gib", float), t.text("bus"), t.take("ssd", bool))
            for t in table.tables("disks")
        ],
        nics=[
            HostNic(t.text("device"), t.text("driver"), t.number("link_mbps", 0, 800_000))
            for t in table.tables("nics")
        ],
    )


def security(table: Table, *, inherit: bool) -> Security:
    """The three Layer 2 settings; left out ones are None where they can be inherited."""
    names = ("promiscuous", "mac_changes", "forged_transmits")
    return Security(
        **{
            name: None if inherit and name not in table.left else table.take(name, bool)
            for name in names
        }
    )


def networks(source: Source, hosts: list[Host], moid: Callable[[str], str]) -> None:
    """Standard switches and port groups: each host gets its own, alike."""
    seen: set[str] = set()
    for table in repeated(source, "switch"):
        name = table.text("name")
        if name in seen:
            table.complain("name", f"{name!r} is used twice")
        seen.add(name)
        wanted, layer2 = table.texts("uplinks", []), security(table, inherit=False)
        for one in hosts:
            present = {nic.device for nic in one.nics}
            uplinks = tuple(up for up in wanted if up in present)
            one.switches[name] = Switch(name, uplinks, Security(*_three(layer2)))
        table.done()
    for table in repeated(source, "port_group"):
        name, switch = table.text("name"), table.text("switch")
        if any(name in one.port_groups for one in hosts):
            table.complain("name", f"{name!r} is used twice")
        if switch not in seen:
            table.complain("switch", f"there is no switch {switch!r}")
        vlan, own = table.number("vlan", 0, 4095, 0), security(table, inherit=True)
        for one in hosts:
            group = PortGroup(name, switch, vlan, Security(*_three(own)), moid(name))
            one.port_groups[name] = group
        table.done()


def _three(layer2: Security) -> tuple[bool | None, bool | None, bool | None]:
    return layer2.promiscuous, layer2.mac_changes, layer2.forged_transmits


def datastores(
    source: Source, overlay: Table, hosts: list[Host], prefix: str
) -> dict[str, Datastore]:
    """The datastores, by name; without a size they are as large as the largest local disk."""
    changes = Table(source, overlay.left.pop("datastore", {}), overlay.header, prefix="datastore")
    largest = max((disk.size_gib for one in hosts for disk in one.disks), default=0.0)
    made: dict[str, Datastore] = {}
    for number, table in enumerate(repeated(source, "datastore"), start=1):
        name = table.text("name")
        if name in made:
            table.complain("name", f"{name!r} is used twice")
        table.left.update(changes.left.pop(name, {}))
        size = table.take("size_gib", float, largest)
        isos = tuple(
            IsoFile(
                t.text("path"),
                t.number("size_mib", 1, 100_000),
                t.choice("boots", Literal["", "esxi"], ""),
                t.take("kickstart", bool, False),
            )
            for t in table.tables("isos", [])
        )
        used = min(size, table.take("used_gib", float, 0.0))
        made[name] = Datastore(f"{prefix}{number}" if prefix else name, name, size, used, isos)
        table.done()
    changes.done()
    return made or {DATASTORE: Datastore(f"{prefix}1" if prefix else DATASTORE, DATASTORE,
                                         largest, 0.0)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class VmReader:
    """Reads ``[[vm]]`` tables of one inventory."""

    uuid: str
    hosts: list[Host]
    datastores: dict[str, Datastore]
    vapps: dict[str, str]

    def _host(self, table: Table) -> Host:
        name = table.take("host", str, self.hosts[0].name)
        found = next((one for one in self.hosts if one.name == name), None)
        return found or table.complain("host", f"there is no [[host]] {name!r}")

    def _datastore(self, table: Table) -> Datastore:
        name = table.take("datastore", str, next(iter(self.datastores)))
        return self.datastores.get(name) or table.complain(
            "datastore", f"there is no [[datastore]] {name!r}"
        )

    def _vapp(self, table: Table) -> str:
        name = table.take("vapp", str, "")
        found = next((moid for moid, known in self.vapps.items() if known == name), "")
        return found if found or not name else table.complain("vapp", f"there is no vApp {name!r}")

    def vm(self, table: Table, number: int) -> Vm:
        """One VM, with the healthy values for what its table leaves out."""
        name, on = table.text("name"), self._host(table)
        memory_mb = table.number("memory_gib", 1, 24_576, 16) * 1024
        default = memory_mb // 1024
        reservation = table.number("reservation_gib", 0, default, default) * 1024
        version = table.number("hardware_version", 4, 21, 20)
        if version not in HARDWARE_VERSIONS:
            table.complain("hardware_version", f"there is no hardware version {version}")
        wanted = table.texts("networks", ["Nested Trunk", "Nested Trunk"])
        for network in wanted:
            if on.network(network) is None:
                table.complain("networks", f"there is no port group {network!r}")
        model = table.choice("nic_model", NicModel, "vmxnet3")
        disks = table.tables("disks", [{"size_gib": 64, "bus": "scsi"}])
        extra = table.take("extra", dict, {})
        if not all(isinstance(value, str) for value in extra.values()):
            table.complain("extra", "values must be texts")
        guest_id = table.text("guest_id", "vmkernel8Guest")
        iso = table.take("iso", str, "")
        vm = Vm(
            moid="",
            name=name,
            uuid=identity(self.uuid, number, name, "bios"),
            instance_uuid=identity(self.uuid, number, name),
            power=table.choice("power", PowerState, "off"),
            hardware_version=version,
            cpu_count=table.number("cpu_count", 1, 768, 4),
            memory_mb=memory_mb,
            reservation_mb=reservation,
            reservation_locked=False,
            nested=table.take("nested", bool, True),
            tools=table.choice("tools", ToolsState, "running"),
            guest_id=guest_id,
            firmware=table.choice("firmware", Literal["bios", "efi"], "efi"),
            disks=[
                Disk(2000 + n, t.take("size_gib", float), t.choice("bus", Bus))
                for n, t in enumerate(disks)
            ],
            nics=[
                Nic(4000 + n, model, network, make_mac(number, n))
                for n, network in enumerate(wanted)
            ],
            extra=dict(extra),
            host=on,
            datastore=self._datastore(table),
            folder=f"{folder_name(name)}-{number}",
            cdroms=[Cdrom(3000, iso, True)] if iso else [],
            snapshots=[
                Snapshot(f"snapshot-{number}-{n}", title, _FIRST_SNAPSHOT + timedelta(days=n))
                for n, title in enumerate(table.texts("snapshots", []), start=1)
            ],
            template=table.take("template", bool, False),
            vapp=self._vapp(table),
            guest=guest_id,
            unreadable=table.take("unreadable", bool, False),
            tools_ready=True,
        )
        table.done()
        return vm


_FIRST_SNAPSHOT: Final = datetime(2025, 3, 1, tzinfo=UTC)


def folder_name(name: str) -> str:
    """A VM's name as a folder on a datastore."""
    return "".join(char if char.isalnum() or char in "-_. " else "_" for char in name)
