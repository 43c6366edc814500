"""``data/practice/vpx.toml`` → a vCenter: a cluster, its hosts, distributed switches and VMs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from nestkit.practice import profiles as profile_tables
from nestkit.practice.esx import reading
from nestkit.practice.esx.inventory import Inventory, Layout, listed
from nestkit.practice.esx.model import DvGroup, DvSwitch, Host, MacLearning, identity
from nestkit.practice.esx.vms import Vms
from nestkit.practice.tables import Source, Table, repeated
from nestkit.resources import data_path

_API_VERSIONS: Final = Literal["6.5", "8.0.2.0"]
_CONNECTIONS: Final = Literal["connected", "disconnected", "notResponding"]
_FIRST_VM: Final = 1001


def default_path() -> Path:
    """The vCenter's inventory that comes with nestkit."""
    return data_path("practice", "vpx.toml")


def load(
    path: Path, *, profile: str = "default", vms: int = 0, seed: int | None = None
) -> Inventory:
    """Read a vCenter's inventory, as :func:`nestkit.practice.esx.inventory.load` an ESXi host's."""
    source = Source(path)
    known = ("vcenter", "hardware", "host", "datastore", "switch", "port_group", "dv_switch",
             "dv_port_group", "vm", "profile")  # fmt: skip
    reading.check_headers(source, known)
    overlay = profile_tables.overlay(source, profile, "vCenter")
    top = Table(source, source.data.get("vcenter"), "vcenter")
    uuid = identity("vpx", top.text("name"), profile, vms, seed)
    api_version = overlay.choice("api_version", _API_VERSIONS, "8.0.2.0")
    hosts = _hosts(source, overlay, api_version, uuid)
    reading.networks(source, hosts, _network_ids())
    dv_switches = _dv_switches(source, hosts, uuid)
    dv_groups = _dv_groups(source, hosts, dv_switches)
    datastores = reading.datastores(source, overlay, hosts, "datastore-3")
    vapps = {f"resgroup-v{n}": name for n, name in enumerate(top.texts("vapps", []), start=21)}
    layout = _layout(top.text("datacenter"), top.text("cluster"))
    top.done()
    chosen, fleet = listed(source, overlay, hosts, datastores, vapps, uuid, vms, seed)
    inventory = Inventory(
        uuid,
        layout,
        api_version,
        {host.moid: host for host in hosts},
        datastores,
        Vms(chosen, fleet, "vm-", _FIRST_VM),
        read_only=overlay.take("read_only", bool, False),
        dv_switches=dv_switches,
        dv_groups=dv_groups,
        vapps=vapps,
    )
    overlay.done()
    return inventory


def _layout(datacenter: str, cluster: str) -> Layout:
    return Layout(
        is_vcenter=True,
        root="group-d1",
        root_name="Datacenters",
        datacenter="datacenter-2",
        datacenter_name=datacenter,
        vm_folder="group-v3",
        host_folder="group-h4",
        datastore_folder="group-s5",
        network_folder="group-n6",
        compute="domain-c7",
        compute_name=cluster,
        pool="resgroup-8",
        collector="propertyCollector",
        sessions="SessionManager",
        tasks="TaskManager",
        search="SearchIndex",
        guest_operations="guestOperationsManager",
    )


def _network_ids() -> Any:
    ids: dict[str, str] = {}
    return lambda name: ids.setdefault(name, f"network-{len(ids) + 41}")


def _hosts(source: Source, overlay: Table, api_version: str, uuid: str) -> list[Host]:
    changes: dict[str, Any] = overlay.left.pop("hosts", {})
    hosts: list[Host] = []
    for number, given in enumerate(repeated(source, "host"), start=11):
        own, name = given.left, given.text("name")
        own.update(changes.pop(name, {}))
        maintenance = given.take("maintenance_mode", bool, False)
        connection = given.choice("connection", _CONNECTIONS, "connected")
        common = Table(source, source.data.get("hardware"), "hardware")
        for key in [key for key in own if key in common.left]:
            common.left[key] = own.pop(key)
        host = reading.host(common, name)
        common.done()
        given.done()
        host.moid, host.uuid = f"host-{number}", identity(uuid, name)
        host.maintenance_mode, host.connection = maintenance, connection
        host.api_version = api_version
        hosts.append(host)
    if not hosts:
        Table(source, source.data, "").complain("host", "a vCenter has at least one [[host]]")
    for name in changes:
        overlay.complain("hosts", f"there is no [[host]] {name!r}")
    return hosts


def _dv_switches(source: Source, hosts: list[Host], uuid: str) -> dict[str, DvSwitch]:
    made: dict[str, DvSwitch] = {}
    ids = {host.name: host.moid for host in hosts}
    for number, table in enumerate(repeated(source, "dv_switch"), start=51):
        name = table.text("name")
        version = table.choice("version", Literal["6.0.0", "6.5.0", "6.6.0", "7.0.3", "8.0.0"])
        members = table.texts("hosts", list(ids))
        for member in members:
            if member not in ids:
                table.complain("hosts", f"there is no [[host]] {member!r}")
        moid = f"dvs-{number}"
        made[moid] = DvSwitch(
            moid, identity(uuid, "dvs", name), name, version, tuple(ids[m] for m in members)
        )
        table.done()
    return made


def _dv_groups(
    source: Source, hosts: list[Host], switches: dict[str, DvSwitch]
) -> dict[str, DvGroup]:
    made: dict[str, DvGroup] = {}
    by_name = {switch.name: switch for switch in switches.values()}
    taken = {name for host in hosts for name in host.port_groups}
    for number, table in enumerate(repeated(source, "dv_port_group"), start=61):
        name, on = table.text("name"), table.text("switch")
        if name in taken:
            table.complain("name", f"{name!r} is used twice")
        taken.add(name)
        switch = by_name.get(on) or table.complain("switch", f"there is no [[dv_switch]] {on!r}")
        learning = table.take("mac_learning", bool, False)
        if learning and not switch.learns_macs:
            table.complain("mac_learning", f"a distributed switch {switch.version} has none")
        moid = f"dvportgroup-{number}"
        made[moid] = group = DvGroup(
            moid,
            name,
            switch,
            table.number("vlan", 0, 4095, 0),
            reading.security(table, inherit=True),
            MacLearning(enabled=learning),
            uplink=table.take("uplink", bool, False),
        )
        table.done()
        for host in hosts:
            if host.moid in switch.hosts:
                host.dv_groups[name] = group
    return made
