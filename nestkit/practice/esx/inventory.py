"""What a practice ESXi host or vCenter starts with, read from its file in ``data/practice``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from nestkit.practice import profiles as profile_tables
from nestkit.practice.esx import reading
from nestkit.practice.esx.model import (
    Datastore,
    DvGroup,
    DvSwitch,
    Host,
    PortGroup,
    PowerState,
    Switch,
    Vm,
    identity,
)
from nestkit.practice.esx.vms import Fleet, Vms, copy_of
from nestkit.practice.tables import Source, Table, repeated
from nestkit.resources import data_path

_API_VERSIONS: Final = Literal["6.0", "8.0.2.0"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The ids and names of the fixed objects of the inventory tree."""

    is_vcenter: bool = False
    root: str = "ha-folder-root"
    root_name: str = "ha-folder-root"
    datacenter: str = "ha-datacenter"
    datacenter_name: str = "ha-datacenter"
    vm_folder: str = "ha-folder-vm"
    host_folder: str = "ha-folder-host"
    datastore_folder: str = "ha-folder-datastore"
    network_folder: str = "ha-folder-network"
    compute: str = "ha-compute-res"
    compute_name: str = ""
    pool: str = "ha-root-pool"
    collector: str = "ha-property-collector"
    sessions: str = "ha-sessionmgr"
    tasks: str = "ha-taskmgr"
    search: str = "ha-searchindex"
    guest_operations: str = "ha-guest-operations-manager"


@dataclass(slots=True)
class Inventory:
    """Everything a practice host starts with; by managed object id where not said otherwise."""

    uuid: str
    layout: Layout
    api_version: str
    hosts: dict[str, Host]
    datastores: dict[str, Datastore]  # by name
    vms: Vms
    read_only: bool = False
    dv_switches: dict[str, DvSwitch] = field(default_factory=dict)
    dv_groups: dict[str, DvGroup] = field(default_factory=dict)
    vapps: dict[str, str] = field(default_factory=dict)  # names

    @property
    def host(self) -> Host:
        """The host, or the first of several."""
        return next(iter(self.hosts.values()))

    @property
    def switches(self) -> dict[str, Switch]:
        """The first host's standard switches, by name."""
        return self.host.switches

    @property
    def port_groups(self) -> dict[str, PortGroup]:
        """The first host's standard port groups, by name."""
        return self.host.port_groups

    def running_on(self, host: Host) -> list[Vm]:
        """The VMs that are powered on there."""
        return [vm for vm in self.vms.running() if vm.host is host]


def default_path() -> Path:
    """The ESXi host's inventory that comes with nestkit."""
    return data_path("practice", "esx.toml")


def load(
    path: Path, *, profile: str = "default", vms: int = 0, seed: int | None = None
) -> Inventory:
    """Read an ESXi host's inventory, changed by a profile and with ``vms`` further VMs.

    Raises
    ------
    DataFileError
        Malformed; the message starts with ``file:line: field``.
    PracticeError
        There is no such profile.
    """
    source = Source(path)
    reading.check_headers(source, ("host", "datastore", "switch", "port_group", "vm", "profile"))
    overlay = profile_tables.overlay(source, profile, "ESXi host")
    table = profile_tables.changed(source, "host", overlay)
    host = reading.host(table, table.text("name"))
    table.done()
    host.api_version = overlay.choice("api_version", _API_VERSIONS, "8.0.2.0")
    host.uuid = identity("esx", host.name, profile, vms, seed)
    host.maintenance_mode = overlay.take("maintenance_mode", bool, False)
    reading.networks(source, [host], lambda name: f"HaNetwork-{name}")
    datastores = reading.datastores(source, overlay, [host], "")
    chosen, fleet = listed(source, overlay, [host], datastores, {}, host.uuid, vms, seed)
    inventory = Inventory(
        host.uuid,
        Layout(compute_name=host.name),
        host.api_version,
        {host.moid: host},
        datastores,
        Vms(chosen, fleet, "", 1),
        read_only=overlay.take("read_only", bool, False),
    )
    overlay.done()
    return inventory


def listed(
    source: Source,
    overlay: Table,
    hosts: list[Host],
    datastores: dict[str, Datastore],
    vapps: dict[str, str],
    uuid: str,
    further: int,
    seed: int | None,
) -> tuple[list[Vm], Fleet]:
    """The VMs that the file lists, as the profile has them, and the fleet after them."""
    tables = repeated(source, "vm")
    names = [table.left.get("name") for table in tables]
    for table, name in zip(tables, names, strict=True):
        if names.count(name) > 1:
            table.complain("name", f"{name!r} is used twice; a profile's `again` makes doubles")
    profile_tables.deal(tables, seed)
    reader = reading.VmReader(uuid, hosts, datastores, vapps)
    drafts = [reader.vm(table, n) for n, table in enumerate(tables, start=1)]
    chosen = _apply_profile(overlay, drafts, uuid)
    return chosen, Fleet.plan(drafts, further, len(drafts) + len(chosen), seed, uuid)


def _apply_profile(overlay: Table, drafts: list[Vm], uuid: str) -> list[Vm]:
    by_name = {vm.name: vm for vm in drafts}
    only = overlay.texts("only", [])
    again = overlay.texts("again", [])
    unreadable = overlay.texts("unreadable", [])
    for field_name, names in (("only", only), ("again", again), ("unreadable", unreadable)):
        for name in names:
            if name not in by_name:
                overlay.complain(field_name, f"there is no VM {name!r}")
    for name in unreadable:
        by_name[name].unreadable = True
    chosen = [vm for vm in drafts if not only or vm.name in only]
    chosen += [
        copy_of(by_name[name], name, len(drafts) + n, uuid) for n, name in enumerate(again, start=1)
    ]
    if "power" in overlay.left:
        power = overlay.choice("power", PowerState)
        for vm in chosen:
            vm.power = power
    return chosen
