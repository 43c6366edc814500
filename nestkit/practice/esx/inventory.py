"""``data/practice/esx.toml`` → hosts, switches and VMs, checked field by field."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from nestkit.errors import PracticeError
from nestkit.practice.esx.model import (
    HARDWARE_VERSIONS,
    Bus,
    Disk,
    Host,
    HostDisk,
    HostNic,
    Nic,
    NicModel,
    PortGroup,
    PowerState,
    Security,
    Switch,
    ToolsState,
    Vm,
    identity,
)
from nestkit.practice.tables import Source, Table, repeated
from nestkit.resources import data_path

_API_VERSIONS: Final = Literal["6.0", "8.0.2.0"]


@dataclass(slots=True)
class Inventory:
    """Everything a practice ESXi host starts with. VMs by managed object id."""

    host: Host
    switches: dict[str, Switch]
    port_groups: dict[str, PortGroup]
    vms: dict[str, Vm]
    read_only: bool = False
    by_uuid: dict[str, str] = field(default_factory=dict)  # instance or BIOS UUID → moid


def default_path() -> Path:
    """The inventory that comes with nestkit."""
    return data_path("practice", "esx.toml")


def load(
    path: Path, *, profile: str = "default", vms: int = 0, seed: int | None = None
) -> Inventory:
    """Read an inventory, changed by a profile and with ``vms`` further VMs.

    Raises
    ------
    DataFileError
        Malformed; the message starts with ``file:line: field``.
    PracticeError
        There is no such profile.
    """
    source = Source(path)
    top = Table(source, source.data, "")
    if top.take("schema", int) != 1:
        top.complain("schema", "this nestkit reads schema 1")
    for known in ("host", "switch", "port_group", "vm", "profile"):
        top.left.pop(known, None)
    top.done()
    overlay = _profile(source, profile)
    host = _host(source, overlay.left.pop("host", {}))
    host.api_version = overlay.choice("api_version", _API_VERSIONS, "8.0.2.0")
    host.uuid = identity("esx", host.name, profile, vms, seed)
    switches = _switches(source, host)
    port_groups = _port_groups(source, switches)
    tables = repeated(source, "vm")
    drafts = [_vm(table, n, host.uuid, port_groups) for n, table in enumerate(tables, start=1)]
    names = [vm.name for vm in drafts]
    for table, name in zip(tables, names, strict=True):
        if names.count(name) > 1:
            table.complain("name", f"{name!r} is used twice; a profile's `again` makes doubles")
    chosen = _apply_profile(overlay, drafts, host.uuid)
    chosen += _further(drafts, vms, len(drafts) + len(chosen), seed, host.uuid)
    for number, vm in enumerate(chosen, start=1):
        vm.moid = str(number)
    inventory = Inventory(
        host,
        switches,
        port_groups,
        {vm.moid: vm for vm in chosen},
        read_only=overlay.take("read_only", bool, False),
    )
    overlay.done()
    for vm in chosen:
        inventory.by_uuid[vm.instance_uuid] = inventory.by_uuid[vm.uuid] = vm.moid
    return inventory


def profiles(path: Path) -> list[str]:
    """The names of the profiles an inventory offers."""
    return sorted({"default", *Source(path).data.get("profile", {})})


def _profile(source: Source, name: str) -> Table:
    known = source.data.get("profile", {})
    if not isinstance(known, dict):
        Table(source, source.data, "").complain("profile", "must be written as [profile.NAME]")
    if name not in known and name != "default":
        raise PracticeError(
            f"the practice ESXi host has no profile {name!r}",
            remedy="use one of " + ", ".join(sorted({"default", *known})),
        )
    return Table(source, known.get(name, {}), f"profile.{name}")


def _host(source: Source, changes: dict[str, Any]) -> Host:
    data = source.data.get("host")
    table = Table(source, data, "host")
    for key, value in changes.items():
        if key not in table.left:
            table.complain(key, "a profile sets it, but it is not a field of [host]")
        table.left[key] = value
    host = Host(
        name=table.text("name"),
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
    table.done()
    return host


def _security(table: Table, *, inherit: bool) -> Security:
    names = ("promiscuous", "mac_changes", "forged_transmits")
    return Security(
        **{
            name: None if inherit and name not in table.left else table.take(name, bool)
            for name in names
        }
    )


def _switches(source: Source, host: Host) -> dict[str, Switch]:
    switches: dict[str, Switch] = {}
    present = {nic.device for nic in host.nics}
    for table in repeated(source, "switch"):
        name = table.text("name")
        if name in switches:
            table.complain("name", f"{name!r} is used twice")
        uplinks = tuple(up for up in table.texts("uplinks", []) if up in present)
        switches[name] = Switch(name, uplinks, _security(table, inherit=False))
        table.done()
    return switches


def _port_groups(source: Source, switches: dict[str, Switch]) -> dict[str, PortGroup]:
    groups: dict[str, PortGroup] = {}
    for table in repeated(source, "port_group"):
        name, switch = table.text("name"), table.text("switch")
        if name in groups:
            table.complain("name", f"{name!r} is used twice")
        if switch not in switches:
            table.complain("switch", f"there is no switch {switch!r}")
        vlan = table.number("vlan", 0, 4095, 0)
        groups[name] = PortGroup(name, switch, vlan, _security(table, inherit=True))
        table.done()
    return groups


def _vm(table: Table, number: int, host_uuid: str, groups: dict[str, PortGroup]) -> Vm:
    name = table.text("name")
    memory_mb = table.number("memory_gib", 1, 24_576, 16) * 1024
    reservation = table.number("reservation_gib", 0, memory_mb // 1024, memory_mb // 1024) * 1024
    version = table.number("hardware_version", 4, 21, 20)
    if version not in HARDWARE_VERSIONS:
        table.complain("hardware_version", f"there is no hardware version {version}")
    networks = table.texts("networks", ["Nested Trunk", "Nested Trunk"])
    for network in networks:
        if network not in groups:
            table.complain("networks", f"there is no port group {network!r}")
    model = table.choice("nic_model", NicModel, "vmxnet3")
    disks = table.tables("disks", [{"size_gib": 64, "bus": "scsi"}])
    extra = table.take("extra", dict, {})
    if not all(isinstance(value, str) for value in extra.values()):
        table.complain("extra", "values must be texts")
    vm = Vm(
        moid="",
        name=name,
        uuid=identity(host_uuid, number, name, "bios"),
        instance_uuid=identity(host_uuid, number, name),
        power=table.choice("power", PowerState, "off"),
        hardware_version=version,
        cpu_count=table.number("cpu_count", 1, 768, 4),
        memory_mb=memory_mb,
        reservation_mb=reservation,
        reservation_locked=False,
        nested=table.take("nested", bool, True),
        tools=table.choice("tools", ToolsState, "running"),
        guest_id=table.text("guest_id", "vmkernel8Guest"),
        firmware=table.choice("firmware", Literal["bios", "efi"], "efi"),
        disks=[
            Disk(2000 + n, t.take("size_gib", float), t.choice("bus", Bus))
            for n, t in enumerate(disks)
        ],
        nics=[Nic(4000 + n, model, network, _mac(number, n)) for n, network in enumerate(networks)],
        extra=dict(extra),
        unreadable=table.take("unreadable", bool, False),
    )
    vm.tools_ready = True
    table.done()
    return vm


def _mac(vm: int, nic: int) -> str:
    # 00:0c:29 is VMware's prefix for addresses a host makes up
    return f"00:0c:29:{vm >> 8 & 255:02x}:{vm & 255:02x}:{nic:02x}"


def _apply_profile(overlay: Table, drafts: list[Vm], host_uuid: str) -> list[Vm]:
    by_name = {vm.name: vm for vm in drafts}
    only = overlay.texts("only", [])
    again = overlay.texts("again", [])
    for field_name, names in (("only", only), ("again", again)):
        for name in names:
            if name not in by_name:
                overlay.complain(field_name, f"there is no VM {name!r}")
    chosen = [vm for vm in drafts if not only or vm.name in only]
    chosen += [
        _copy(by_name[name], name, len(drafts) + n, host_uuid)
        for n, name in enumerate(again, start=1)
    ]
    if "power" in overlay.left:
        power = overlay.choice("power", PowerState)
        for vm in chosen:
            vm.power = power
    return chosen


def _copy(model: Vm, name: str, number: int, host_uuid: str) -> Vm:
    copy = Vm(
        moid="",
        name=name,
        uuid=identity(host_uuid, number, name, "bios"),
        instance_uuid=identity(host_uuid, number, name),
        power="off",  # so that no number of them exceeds the host's memory
        hardware_version=model.hardware_version,
        cpu_count=model.cpu_count,
        memory_mb=model.memory_mb,
        reservation_mb=model.reservation_mb,
        reservation_locked=model.reservation_locked,
        nested=model.nested,
        tools=model.tools,
        guest_id=model.guest_id,
        firmware=model.firmware,
        disks=[Disk(disk.key, disk.size_gib, disk.bus) for disk in model.disks],
        nics=[
            Nic(nic.key, nic.model, nic.network, _mac(number, n))
            for n, nic in enumerate(model.nics)
        ],
        extra=dict(model.extra),
        unreadable=model.unreadable,
    )
    copy.tools_ready = True
    return copy


def _further(
    models: list[Vm], count: int, first: int, seed: int | None, host_uuid: str
) -> list[Vm]:
    """VMs like those of the inventory, in an order that the seed decides."""
    chance = random.Random(0 if seed is None else seed)  # noqa: S311  (variety, not secrecy)
    return [
        _copy(chance.choice(models), f"fleet-{n:05d}", first + n, host_uuid)
        for n in range(1, count + 1)
    ]
