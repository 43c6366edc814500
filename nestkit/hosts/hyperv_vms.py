"""VMs and their NICs, from the document of ``read.ps1``. Pure: JSON values in, facts out.

Field meanings: Microsoft Learn, module Hyper-V and Msvm_KvpExchangeComponent.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal

from nestkit.facts import DiskFacts, Fact, Power, Unknown, VmFacts, VmNicFacts
from nestkit.hosts.hyperv_parts import Part, listed, one, part

_GIB: Final = 2**30
_POWER: Final[dict[str, Power]] = {
    "Off": "off",
    "Saved": "suspended",
    "FastSaved": "suspended",
    # what holds its memory is on; a VM on its way to another state as well
    **dict.fromkeys(
        ("Running", "Paused", "Starting", "Stopping", "Saving", "Pausing", "Resuming",
         "FastSaving", "Reset"), "on",
    ),
}  # fmt: skip
_FIRMWARE: Final = {1: "bios", 2: "efi"}
_SWITCHES: Final = {"On": True, "Off": False}
_NO_PASSWORD: Final = Unknown("only the guest knows, and its password was not given")
_NOT_ASKED: Final = Unknown("not asked: the VM does not run, or spoofing is on")
_NO_SIZE: Final = Unknown("the size stands in the disk file, which is not opened")


def vm_facts(row: Mapping[str, Any], systems: Fact[dict[str, str]], *, asked: bool) -> VmFacts:
    """Facts of one VM. ``systems``: what guests run; ``asked``: guests could be entered."""
    identity, state = row["id"].lower(), row["state"].removesuffix("Critical")
    memory, processor = row["memory"], row["processor"]
    points = part(row["checkpoints"])
    return VmFacts(
        identity=identity,
        name=row["name"],
        ref=identity,
        power=_POWER.get(state, Unknown(f"Hyper-V calls its state {row['state']!r}")),
        cpu_count=one(processor, "count"),
        memory_gib=_gib(one(memory, "startup")),
        nested_hv=one(processor, "exposes"),
        configuration_version=row["version"] or Unknown("Hyper-V does not say"),
        dynamic_memory=one(memory, "dynamic"),
        guest_os=_system(identity, state, systems),
        tools=_tools(row["heartbeat"]),
        firmware=_FIRMWARE.get(row["generation"], Unknown("of a generation not known here")),
        snapshot_count=points if isinstance(points, Unknown) else len(points),
        has_saved_state=state in ("Saved", "FastSaved"),
        disks=_disks(row["disks"]),
        nics=_nics(row, state, asked=asked),
    )


def _gib(value: Fact[int]) -> Fact[float]:
    return value if isinstance(value, Unknown) else int(value) / _GIB


def _system(identity: str, state: str, systems: Fact[dict[str, str]]) -> Fact[str]:
    if isinstance(systems, Unknown):
        return systems
    if identity in systems:
        return systems[identity]
    if state != "Running":
        return Unknown("it tells only while it runs")
    return Unknown("its data exchange service does not answer")


def _tools(heartbeat: str) -> Literal["running", "not running"]:
    return "running" if heartbeat.startswith("Ok") else "not running"


def _disks(found: Part) -> Fact[tuple[DiskFacts, ...]]:
    rows = part(found)
    if isinstance(rows, Unknown):
        return rows
    return tuple(
        DiskFacts(label=row["path"], size_gib=_NO_SIZE, bus=row["bus"].lower()) for row in rows
    )


def _nics(row: Mapping[str, Any], state: str, *, asked: bool) -> Fact[tuple[VmNicFacts, ...]]:
    rows = part(row["nics"])
    if isinstance(rows, Unknown):
        return rows
    nat: Fact[bool] = _NO_PASSWORD if not asked else _NOT_ASKED
    if row["nat"]:
        nat = one(row["nat"])
    return tuple(_nic(nic, nat, label) for nic, label in zip(rows, _labels(rows), strict=True))


def _labels(rows: list[Mapping[str, Any]]) -> list[str]:
    """Hyper-V gives every NIC the same name unless somebody names it, and no MAC before a start."""
    names = Counter(nic["name"] for nic in rows)
    pairs = Counter((nic["name"], nic["mac"]) for nic in rows)
    labels = []
    for nic in rows:
        name, mac = nic["name"], nic["mac"]
        own = mac if mac and pairs[name, mac] == 1 else nic["id"].rpartition("\\")[2]
        labels.append(name if names[name] == 1 else f"{name} {own}")
    return labels


def _nic(nic: Mapping[str, Any], nat: Fact[bool], label: str) -> VmNicFacts:
    unplugged = Unknown("it is connected to no virtual switch")
    spoofing = nic["spoofing"]
    return VmNicFacts(
        label=label,
        key=nic["id"],
        model="legacy" if nic["legacy"] else "synthetic",
        mac=nic["mac"] or Unknown("none yet"),
        network=nic["network"] or unplugged,
        network_id=nic["network_id"] or unplugged,
        switch=nic["network"] or unplugged,
        mac_spoofing=_SWITCHES.get(spoofing, Unknown(f"Hyper-V calls it {spoofing!r}")),
        inner_nat=nat,
    )


def guest_systems(found: Part) -> Fact[dict[str, str]]:
    """What guests say they run, by the VM's Id: name and, in brackets, version."""
    rows = part(found)
    if isinstance(rows, Unknown):
        return rows
    systems: dict[str, str] = {}
    for row in rows:
        values = dict(filter(None, map(_item, listed(row["items"]))))
        name, version = values.get("OSName", ""), values.get("OSVersion", "")
        if name:
            systems[row["id"].lower()] = f"{name} ({version})" if version else name
    return systems


def _item(text: str) -> tuple[str, str] | None:
    """Name and value of one exchange item, an embedded CIM instance."""
    found = {
        key: html.unescape(value)
        for key, value in re.findall(r'<PROPERTY NAME="(\w+)"[^>]*><VALUE>([^<]*)</VALUE>', text)
    }
    return (found["Name"], found.get("Data", "")) if "Name" in found else None
