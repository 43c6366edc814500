"""``data/practice/hyperv.toml`` → a host with its switches and VMs, checked field by field."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from nestkit.practice import profiles as profile_tables
from nestkit.practice.hyperv.copies import copy_of, make_mac, windows_inside
from nestkit.practice.hyperv.model import (
    GIB,
    SUPPORTED_VERSIONS,
    WS2022,
    Adapter,
    Checkpoint,
    Computer,
    Disk,
    Guest,
    GuestOs,
    Nic,
    Switch,
    SwitchType,
    Vm,
    VmState,
    identity,
)
from nestkit.practice.tables import Source, Table, repeated
from nestkit.resources import data_path

_BUILDS: Final = tuple(SUPPORTED_VERSIONS)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything a practice Hyper-V host starts with."""

    host: Computer
    is_administrator: bool


def default_path() -> Path:
    """The Hyper-V host's inventory that comes with nestkit."""
    return data_path("practice", "hyperv.toml")


def load(
    path: Path, *, profile: str = "default", vms: int = 0, seed: int | None = None
) -> Inventory:
    """Read an inventory, as :func:`nestkit.practice.esx.inventory.load` an ESXi host's."""
    source = Source(path)
    top = Table(source, source.data, "")
    if top.take("schema", int) != 1:
        top.complain("schema", "this nestkit reads schema 1")
    overlay = profile_tables.overlay(source, profile, "Hyper-V host")
    host = _host(source, overlay, identity("hyperv", profile, vms, seed))
    switches = repeated(source, "switch") if overlay.take("has_switches", bool, True) else []
    for table in switches:
        host.switches.append(_switch(table, host))
    tables = repeated(source, "vm") if switches else []
    profile_tables.deal(tables, seed)
    changes = dict(overlay.left.pop("vm", {}))
    drafts = [_vm(table, n, host, changes) for n, table in enumerate(tables, start=1)]
    chosen = _choose(overlay, drafts, host)
    chosen += _further(drafts, vms, len(drafts) + len(chosen), seed, host)
    host.vms = {vm.id: vm for vm in chosen}
    admin = overlay.take("is_administrator", bool, True)
    overlay.done()
    return Inventory(host, admin)


def _host(source: Source, overlay: Table, host_id: uuid.UUID) -> Computer:
    table = profile_tables.changed(source, "host", overlay)
    host = Computer(
        name=table.text("name"),
        bios_id=host_id,
        build=table.choice("build", Literal[14393, 17763, 20348, 26100]),
        vendor=table.choice("cpu_vendor", Literal["intel", "amd"]),
        cpu_model=table.text("cpu_model"),
        sockets=table.number("sockets", 1, 16),
        cores=table.number("cores", 1, 1024),
        threads=table.number("threads", 1, 2048),
        memory=table.number("memory_gib", 1, 32_768) * GIB,
        os_memory=table.number("os_memory_gib", 1, 1024) * GIB,
        manufacturer=table.text("manufacturer"),
        model=table.text("model"),
        slat=table.take("slat", bool),
        dep=table.take("dep", bool),
        firmware_virtualization=table.take("firmware_virtualization", bool),
        has_role=table.take("hyperv_role", bool),
        hypervisor_runs=table.take("hypervisor_runs", bool),
        offer_nested=table.take("offer_nested", bool),
        vbs=table.take("vbs", bool),
        images=table.texts("images", []),
        disks=[
            Disk(
                t.text("name"),
                t.number("size_gib", 1, 2**20) * GIB,
                t.choice("media", Literal["SSD", "HDD", "Unspecified"]),
                t.text("bus"),
            )
            for t in table.tables("disks")
        ],
        adapters=[
            Adapter(
                t.text("name"),
                t.text("description"),
                make_mac(host_id, n),
                t.number("link_mbps", 0, 800_000) * 10**6,
                index=n + 4,
            )
            for n, t in enumerate(table.tables("adapters"))
        ],
    )
    table.done()
    return host


def _switch(table: Table, host: Computer) -> Switch:
    name = table.text("name")
    kind = table.choice("type", SwitchType)
    adapter = table.take("adapter", str, "")
    if (kind == "External") != bool(adapter):
        table.complain("adapter", "an External switch has one, no other has")
    if adapter and adapter not in {a.description for a in host.adapters}:
        table.complain("adapter", f"the host has no adapter described as {adapter!r}")
    table.done()
    return Switch(identity(host.bios_id, "switch", name), name, kind, adapter)


def _vm(table: Table, number: int, host: Computer, changes: dict[str, Any]) -> Vm:
    for key, value in changes.items():
        table.left[key] = value
    name = table.text("name")
    newest = host.versions[-1]
    version = table.text("version", newest)
    if not all(part.isdigit() for part in version.split(".")) or version.count(".") != 1:
        table.complain("version", f"must be like '10.0', is {version!r}")
    vm_id = identity(host.bios_id, "vm", number, name)
    memory = table.number("memory_gib", 1, 24_000, 16)
    dynamic = table.take("dynamic_memory", bool, False)
    spoofing = table.left.pop("spoofing", True)
    networks = table.texts("networks", [host.switches[0].name] if host.switches else [])
    known = {switch.name for switch in host.switches}
    for network in networks:
        if network not in known:
            table.complain("networks", f"there is no [[switch]] named {network!r}")
    vm = Vm(
        id=vm_id,
        name=name,
        state=table.choice("state", VmState, "Running"),
        version=version,
        generation=table.choice("generation", Literal[1, 2], 2),
        cpu_count=table.number("cpus", 1, 2048, 4),
        exposes=table.take("exposes", bool, True),
        startup=memory * GIB,
        minimum=table.number("minimum_gib", 1, 24_000, 1) * GIB if dynamic else 512 * 2**20,
        maximum=table.number("maximum_gib", 1, 24_000, memory) * GIB if dynamic else 2**40,
        dynamic=dynamic,
        nics=[
            Nic(
                identity(vm_id, "nic", n),
                "Network Adapter" if n == 0 else f"Network Adapter {n + 1}",
                network,
                make_mac(vm_id, "nic", n),
                _one_of(table, "spoofing", spoofing, n),
            )
            for n, network in enumerate(networks)
        ],
        guest=Guest("none"),
        disk_path=f"D:\\VMs\\nested-{number:02}\\disk.vhdx",
        disk_size=table.number("disk_gib", 1, 65_536, 80) * GIB,
        tpm=table.take("tpm", bool, False),
        started_at=time.monotonic() - 3_600,
    )
    if vm.minimum > vm.startup or vm.maximum < vm.startup:
        table.complain("memory_gib", "must lie between minimum_gib and maximum_gib")
    _checkpoints(vm, table.texts("checkpoints", []))
    _install(table, vm, host)
    table.done()
    return vm


def _one_of(table: Table, field: str, value: Any, index: int) -> bool:
    if isinstance(value, list) and index < len(value):
        value = value[index]
    if not isinstance(value, bool):
        table.complain(field, "must be true, false, or a list with one for each network")
    return value


def _checkpoints(vm: Vm, names: list[str]) -> None:
    parent: uuid.UUID | None = None
    for n, name in enumerate(names):
        created = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(days=n)
        parent_of_next = identity(vm.id, "checkpoint", n)
        vm.checkpoints.append(Checkpoint(parent_of_next, name, created, parent))
        parent = parent_of_next


def _install(table: Table, vm: Vm, host: Computer) -> None:
    os: GuestOs = table.choice("guest", GuestOs, "windows")
    build = table.number("guest_build", 9200, 99_999, WS2022)
    role = table.take("guest_role", bool, vm.exposes)
    nat = table.take("guest_nat", str, "")
    vm.guest = Guest(os, build if os == "windows" else 0)
    if os == "windows":
        vm.guest.computer = windows_inside(vm, host, build, role=role, nat=nat)


def _choose(overlay: Table, drafts: list[Vm], host: Computer) -> list[Vm]:
    by_name = {vm.name: vm for vm in drafts}
    chosen = drafts
    for field in ("only", "again"):
        for name in overlay.left.get(field, []):
            if name not in by_name:
                overlay.complain(field, f"there is no VM {name!r}")
    if "only" in overlay.left:
        chosen = [by_name[name] for name in overlay.texts("only", [])]
    for n, name in enumerate(overlay.texts("again", [])):
        chosen = [*chosen, copy_of(by_name[name], name, ("again", n), host)]
    return list(chosen)


def _further(
    drafts: list[Vm], count: int, known: int, seed: int | None, host: Computer
) -> list[Vm]:
    """More VMs, off and like those of the inventory in turn; a seed mixes them."""
    if not drafts:
        return []
    order = random.Random(seed) if seed is not None else None  # noqa: S311  (no secret)
    further = []
    for n in range(count):
        model = order.choice(drafts) if order else drafts[n % len(drafts)]
        vm = copy_of(model, f"vm-{known + n + 1:05}", ("further", n), host)
        vm.state = "Off" if vm.state != "Saved" else "Saved"
        further.append(vm)
    return further
