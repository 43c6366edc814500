"""From the document of ``read.ps1`` to facts. Pure: JSON values in, facts out.

Field meanings: Microsoft Learn, Win32 provider classes, modules Hyper-V, Storage and NetAdapter.
A part of the document holds ``data`` (a list), or ``error`` where Windows refused to tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from nestkit.facts import CpuFacts, DiskFacts, Fact, HostFacts, HostNicFacts, Unknown
from nestkit.hosts.hyperv_parts import NO_CMDLET, Part, because, listed, one, part
from nestkit.hosts.hyperv_vms import guest_systems, vm_facts
from nestkit.hosts.local_linux import VIRTUAL_MACHINES

T = TypeVar("T")

PRACTICE_MAKER: Final = "Nestkit Practice"
_GIB: Final = 2**30
_X86_64, _X86 = 9, 0  # Win32_Processor.Architecture; 0 is 32-bit Windows on either
_NO_SPEED: Final = 2**63 - 1
_AZURE_TAG: Final = "7783-7084-3265-9085-8269-3286-77"  # Microsoft Learn: how to tell an Azure VM
_MAKERS: Final = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "hygon"}
# bcdedit words its values in the language of Windows
_YES: Final = frozenset(
    {"yes", "true", "on", "ja", "oui", "sí", "si", "sì", "sim", "да", "はい", "是"}
)
_NO: Final = frozenset({"no", "false", "off", "nein", "non", "não", "nee", "нет", "いいえ", "否"})


def host_facts(document: Mapping[str, Any], *, asked: bool) -> HostFacts:
    """Facts of the host and of the VMs that the document holds; ``asked``: guests as well.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        The document is not one of ``read.ps1``.
    """
    computer, system = document["computer"], document["system"]
    role = role_of(document)
    maker, model = one(computer, "maker"), one(computer, "model")
    machine = maker if isinstance(maker, Unknown) else f"{maker} {model}"
    is_vm = _is_vm(machine)
    processors, systems = part(document["processors"]), guest_systems(document["guests"])
    return HostFacts(
        identity=str(one(document["product"])).lower(),
        platform="hyperv",
        name=str(one(computer, "name")),
        is_practice=maker == PRACTICE_MAKER,
        product=one(system, "caption"),
        version=one(system, "version"),
        build=_number(one(system, "build")),
        cpu=_cpu(processors, system),
        memory_gib=_scaled(one(computer, "memory"), _GIB),
        free_memory_gib=_scaled(one(system, "free_kib"), 2**20),
        disks=_each(document["disks"], _disk),
        nics=_each(document["adapters"], _nic),
        firmware_virtualization=_all(processors, "firmware"),
        vm_monitor_mode=_all(processors, "monitor"),
        offer_nested_virt=_offered(part(document["boot"])),
        azure_security_type=_azure(document["enclosure"], is_vm),
        hypervisor_present=one(computer, "hypervisor"),
        hyperv_role=role,
        is_vm=is_vm,
        machine=machine,
        vms=tuple(vm_facts(vm, systems, asked=asked) for vm in listed(document["vms"])),
    )


def role_of(document: Mapping[str, Any]) -> Fact[bool]:
    """Whether Hyper-V is there; unknown where this user may not ask."""
    error = document["role"].get("error")
    if not error:
        return True
    return False if str(error["id"]).partition(",")[0] in NO_CMDLET else because(error)


def _each(found: Part, make: Callable[[Any], T]) -> Fact[tuple[T, ...]]:
    data = part(found)
    return data if isinstance(data, Unknown) else tuple(make(item) for item in data)


def _number(text: Fact[str]) -> Fact[int]:
    if isinstance(text, Unknown):
        return text
    return int(text) if text.isdigit() else Unknown(f"Windows calls it {text!r}")


def _scaled(value: Fact[int], unit: int) -> Fact[float]:
    return value if isinstance(value, Unknown) else int(value) / unit


# -- the computer --------------------------------------------------------------------------------


def _is_vm(machine: Fact[str]) -> Fact[bool]:
    if isinstance(machine, Unknown):
        return machine
    return any(word in machine.lower() for word in VIRTUAL_MACHINES)


def _cpu(sockets: Fact[list[Any]], system: Part) -> CpuFacts:
    if isinstance(sockets, Unknown) or not sockets:
        why = sockets if isinstance(sockets, Unknown) else Unknown("Windows lists no processor")
        return CpuFacts(
            vendor=why, model=why, cores=why, threads=why, is_64bit=why,
            hw_virtualization=why, slat=why, nx=_dep(system),
        )  # fmt: skip
    first = sockets[0]
    return CpuFacts(
        vendor=_MAKERS.get(first["maker"], first["maker"].lower()),
        model=first["model"].strip(),
        cores=sum(one["cores"] for one in sockets),
        threads=sum(one["threads"] for one in sockets),
        is_64bit=first["architecture"] == _X86_64
        or (first["architecture"] == _X86 and first["data_width"] == 64),
        # Windows tells no difference between "the processor lacks it" and "the firmware hides it"
        hw_virtualization=_all(sockets, "firmware"),
        slat=_all(sockets, "slat"),
        nx=_dep(system),
    )


def _all(sockets: Fact[list[Any]], field: str) -> Fact[bool]:
    if isinstance(sockets, Unknown):
        return sockets
    values = [one[field] for one in sockets]
    if not values or None in values:
        return Unknown("Windows does not say")
    return all(values)


def _dep(system: Part) -> Fact[bool]:
    available, policy = one(system, "dep"), one(system, "dep_policy")
    if isinstance(available, Unknown) or isinstance(policy, Unknown):
        return available if isinstance(available, Unknown) else policy
    return bool(available) and policy != 0  # 0: always off


def _disk(row: Mapping[str, Any]) -> DiskFacts:
    media, bus = row["media"], row["bus"]
    is_ssd: Fact[bool] = Unknown("Windows does not know the medium")
    if media in ("SSD", "SCM") or bus == "NVMe":
        is_ssd = True
    elif media == "HDD":
        is_ssd = False
    return DiskFacts(
        label=row["name"],
        size_gib=row["size"] / _GIB if row["size"] else Unknown("Windows does not say"),
        bus=bus.lower() if bus else Unknown("Windows does not say"),
        is_ssd=is_ssd,
        is_raid=True if bus == "RAID" else Unknown("a RAID controller may hide behind one disk"),
    )


def _nic(row: Mapping[str, Any]) -> HostNicFacts:
    return HostNicFacts(
        label=row["name"],
        link_mbps=_mbps(row["speed"]) if row["is_up"] else 0,
        driver=row["driver"],
    )


def _mbps(text: str) -> Fact[int]:
    """Bit/s as text: drivers that do not know say 2**64 - 1."""
    speed = int(text) if text.isdigit() else _NO_SPEED
    return speed // 10**6 if speed < _NO_SPEED else Unknown("the driver does not say")


def _offered(lines: Fact[list[Any]]) -> Fact[bool]:
    """The boot entry offernestedvirt; where there is none, nesting is offered."""
    if isinstance(lines, Unknown):
        return lines
    for line in lines:
        found = re.match(r"offernestedvirt\s+(\S+)", str(line).strip(), re.IGNORECASE)
        if found:
            word = found[1].lower()
            if word in _YES | _NO:
                return word in _YES
            return Unknown(f"bcdedit says {found[1]!r}")
    return True


def _azure(enclosure: Part, is_vm: Fact[bool]) -> Fact[str]:
    if is_vm is False:
        return ""
    tags = part(enclosure)
    if isinstance(tags, Unknown):
        return tags
    if _AZURE_TAG in tags:
        return Unknown("an Azure VM; `az vm show --query securityProfile` tells its security type")
    return ""
