"""What psutil and py-cpuinfo tell of a machine that does not run Linux; the rest is unknown."""

from __future__ import annotations

import platform
import uuid
from typing import Any, Final

from nestkit.facts import CpuFacts, Fact, HostFacts, HostNicFacts, Unknown

_NOT_X86: Final = Unknown("this is not an x86 processor")
_HIDDEN: Final = Unknown("Windows hides it while a hypervisor runs, as with WSL2 or Hyper-V")
_VENDORS: Final = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}


def read(name: str) -> HostFacts:
    """Facts of this machine; the lab's are not among them. Takes about a second."""
    import psutil

    system = platform.system()
    info = _cpu_info()
    memory = psutil.virtual_memory()
    return HostFacts(
        identity=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}-{uuid.getnode():x}")),
        platform="local",
        name=name,
        is_practice=False,
        product=" ".join(filter(None, (system, platform.release()))) or Unknown("not told"),
        version=platform.version() or Unknown("not told"),
        cpu=_cpu(system, info, psutil.cpu_count(logical=False), psutil.cpu_count()),
        memory_gib=memory.total / 2**30,
        free_memory_gib=memory.available / 2**30,
        disks=Unknown(f"psutil tells volumes on {system}, not disks"),
        nics=_nics(psutil.net_if_stats()),
        nested_parameter=Unknown("KVM is Linux only"),
        hypervisor_present="hypervisor" in info.get("flags", ()) or Unknown("not told"),
        is_vm="hypervisor" in info.get("flags", ()) or Unknown("not told"),
    )


def _cpu_info() -> dict[str, Any]:
    import cpuinfo

    try:
        found: dict[str, Any] = cpuinfo.get_cpu_info()
    except Exception:  # noqa: BLE001  (it raises plain Exception on processors it does not know)
        return {}
    return found


def _cpu(system: str, info: dict[str, Any], cores: int | None, threads: int | None) -> CpuFacts:
    raw = info.get("vendor_id_raw", "")
    common: dict[str, Any] = {
        "model": info.get("brand_raw") or Unknown("py-cpuinfo does not know it"),
        "cores": cores or Unknown("psutil does not tell"),
        "threads": threads or Unknown("psutil does not tell"),
    }
    arch = info.get("arch", "")
    if not arch:
        return CpuFacts(**common)
    if not arch.startswith("X86"):
        return CpuFacts(
            vendor=raw or "arm", is_64bit=False, hw_virtualization=_NOT_X86, slat=_NOT_X86,
            nx=_NOT_X86, **common,
        )  # fmt: skip
    flags = frozenset(info.get("flags", ()))

    def has(*names: str) -> Fact[bool]:
        if flags & set(names):
            return True
        return _HIDDEN if system == "Windows" else Unknown("py-cpuinfo does not list it")

    return CpuFacts(
        vendor=_VENDORS.get(raw, raw or Unknown("py-cpuinfo does not tell")),
        is_64bit=arch == "X86_64",
        hw_virtualization=has("vmx", "svm"),
        slat=has("ept", "npt"),
        nx=has("nx", "xd"),
        **common,
    )


def _nics(stats: dict[str, Any]) -> tuple[HostNicFacts, ...]:
    return tuple(
        HostNicFacts(
            label=label,
            link_mbps=0 if not each.isup else each.speed or Unknown("the driver does not tell"),
        )
        for label, each in sorted(stats.items())
        if not label.lower().startswith(("lo", "gif", "stf", "utun", "awdl", "llw", "anpi"))
    )
