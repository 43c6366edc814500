"""Facts of a Linux layer from the text of a few files, however they were read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from nestkit.facts import Fact, Unknown

_CPU: Final = "/sys/devices/system/cpu"
_DMI: Final = "/sys/class/dmi/id"
_VULNERABILITIES: Final = f"{_CPU}/vulnerabilities"
FILES: Final = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/kernel/osrelease",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    f"{_CPU}/cpu0/cpufreq/scaling_governor",
    f"{_DMI}/sys_vendor",
    f"{_DMI}/product_name",
    *(
        f"{_VULNERABILITIES}/{name}"
        for name in ("meltdown", "spectre_v1", "spectre_v2", "spec_store_bypass", "retbleed")
    ),
)

PROGRAMS: Final = ("sysbench", "fio", "iperf3", "nestkit-probe")
_MARK: Final = "==nestkit=="
# prints every file that is there, each after a line with its name
FACTS_ARGV: Final = (
    "sh", "-c", f'for f in "$@"; do echo "{_MARK}$f"; cat "$f"; done 2>/dev/null; :', "sh", *FILES
)  # fmt: skip


def split_texts(said: str) -> dict[str, str]:
    """What :data:`FACTS_ARGV` printed: path → content."""
    parts = (part.partition("\n") for part in said.split(_MARK)[1:])
    return {path: text for path, _, text in parts}


def _line(texts: Mapping[str, str], path: str) -> Fact[str]:
    text = texts.get(path, "").strip()
    return text or Unknown(f"{path} says nothing here")


def _field(texts: Mapping[str, str], path: str, name: str) -> Fact[str]:
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", texts.get(path, ""), re.MULTILINE)
    return found[1].strip() if found else Unknown(f"{path} has no {name!r}")


def linux_facts(texts: Mapping[str, str]) -> dict[str, Any]:
    """Keyword arguments of :class:`~nestkit.runners.base.LayerFacts`; ``texts``: path → content."""
    cpuinfo = texts.get("/proc/cpuinfo", "")
    count = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))
    memory = _field(texts, "/proc/meminfo", "MemTotal")
    pages = re.search(r"\[(\w+)\]", texts.get("/sys/kernel/mm/transparent_hugepage/enabled", ""))
    states = {
        path.rpartition("/")[2]: text.strip()
        for path, text in texts.items()
        if path.startswith(_VULNERABILITIES) and text.strip()
    }
    return {
        "cpu_model": _field(texts, "/proc/cpuinfo", "model name"),
        "cpu_count": count or Unknown("/proc/cpuinfo lists no processor"),
        "memory_mib": memory
        if isinstance(memory, Unknown)
        else int(memory.removesuffix("kB")) // 1024,
        "kernel": _line(texts, "/proc/sys/kernel/osrelease"),
        "microcode": _field(texts, "/proc/cpuinfo", "microcode"),
        "clock_source": _line(
            texts, "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        ),
        "mitigations": "; ".join(f"{name}: {states[name]}" for name in sorted(states))
        or Unknown("the kernel does not report mitigations"),
        "huge_pages": pages[1] if pages else Unknown("the kernel has no transparent huge pages"),
        "governor": _line(texts, f"{_CPU}/cpu0/cpufreq/scaling_governor"),
    }


def linux_extra(texts: Mapping[str, str]) -> dict[str, str]:
    """What else tells a layer's kind: DMI's names, and the CPU flags on virtualization."""
    names = (texts.get(f"{_DMI}/{name}", "").strip() for name in ("sys_vendor", "product_name"))
    extra = {"dmi": " ".join(name for name in names if name)}
    if "flags" in (cpuinfo := texts.get("/proc/cpuinfo", "")):
        offered = [flag for flag in ("svm", "vmx") if has_flag(flag, cpuinfo)]
        extra["virtualization_flag"] = " ".join(offered) or "none"
        extra["hypervisor_flag"] = "yes" if has_flag("hypervisor", cpuinfo) else "no"
    return {name: text for name, text in extra.items() if text}


def hypervisor_leaves(probe_output: str) -> tuple[str, ...]:
    """The signatures that ``nestkit-probe leaves`` found, outermost leaf first."""
    return tuple(re.findall(r"^leaf 0x[0-9a-f]{8} (.+?)\s*$", probe_output, re.MULTILINE))


def has_flag(flag: str, cpuinfo: str) -> bool:
    """True when the first processor of /proc/cpuinfo has a flag."""
    found = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    return found is not None and flag in found[1].split()
