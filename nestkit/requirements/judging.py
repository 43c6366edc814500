"""How one fact is held against one threshold: a closed set of comparisons, and named checks.

A comparison needs one fact. A check is a small function for the few rules that need two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nestkit.facts import HostFacts, Unknown, VmFacts, VmNicFacts


@dataclass(frozen=True)
class Subject:
    """What is judged: a host, one of its VMs, or one NIC of that VM."""

    host: HostFacts
    vm: VmFacts | None = None
    nic: VmNicFacts | None = None
    vm_label: str = ""  # how the VM is told from the others; its name alone where left out

    @property
    def kind(self) -> str:
        """The word that rules use for it: host, vm or nic."""
        return "nic" if self.nic else "vm" if self.vm else "host"

    @property
    def label(self) -> str:
        """How a finding names it."""
        if self.vm is None:
            return f"host {self.host.name}"
        vm = self.vm_label or f"VM {self.vm.name}"
        return vm if self.nic is None else f"{vm}, {self.nic.label}"

    @property
    def facts(self) -> HostFacts | VmFacts | VmNicFacts:
        """The facts a rule's path starts from."""
        return self.nic or self.vm or self.host


def vm_labels(vms: Sequence[VmFacts]) -> list[str]:
    """How findings name each VM: by its name, and by its Id as well where names repeat."""
    times = Counter(vm.name for vm in vms)
    return [
        f"VM {vm.name}" if times[vm.name] == 1 else f"VM {vm.name} ({vm.identity})" for vm in vms
    ]


@dataclass(frozen=True)
class Verdict:
    """What a comparison says; ``passed`` is None where the rule does not apply."""

    passed: bool | Unknown | None
    measured: Any = None  # a JSON value; None when unknown
    text: str = ""  # the measured value in words, where a plain rendering would not do


NOT_APPLICABLE: Final = Verdict(None)
NESTING_HARDWARE_VERSION: Final = 9  # as in rule esx.vm.hardware-version; a test compares them


def version_key(text: str) -> tuple[int, ...]:
    """A version as numbers, so that 10.0 is newer than 9.3."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _version_at_least(fact: str, value: str) -> bool | Unknown:
    have, want = version_key(fact), version_key(value)
    if not have:
        return Unknown(f"{fact!r} is not a version")
    width = max(len(have), len(want))
    pad = (0,) * width
    return (have + pad)[:width] >= (want + pad)[:width]


def _some(items: tuple[Any, ...], test: Callable[[Any], bool]) -> bool | Unknown | None:
    """True if one passes; unknown if one that cannot be read might; None for no items at all."""
    if not items:
        return None
    known = [item for item in items if not isinstance(item, Unknown)]
    if any(test(item) for item in known):
        return True
    unread = [item for item in items if isinstance(item, Unknown)]
    return unread[0] if unread else False


def _some_at_least(items: tuple[Any, ...], value: float) -> Verdict:
    known = [item for item in items if not isinstance(item, Unknown)]
    return Verdict(_some(items, lambda item: item >= value), max(known, default=None))


def _some_one_of(items: tuple[Any, ...], value: list[str]) -> Verdict:
    known = sorted({item for item in items if not isinstance(item, Unknown)})
    return Verdict(_some(items, lambda item: item in value), known, ", ".join(known))


COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Verdict]]] = {
    "is": lambda fact, value: Verdict(fact == value, fact),
    "at-least": lambda fact, value: Verdict(fact >= value, fact),
    "at-most": lambda fact, value: Verdict(fact <= value, fact),
    "version-at-least": lambda fact, value: Verdict(_version_at_least(fact, value), fact),
    "count-at-least": lambda fact, value: Verdict(len(fact) >= value, len(fact)),
    "some-at-least": _some_at_least,
    "some-one-of": _some_one_of,
    "empty": lambda fact, _: Verdict(not fact, list(fact), ", ".join(map(str, fact)) or "none"),
}


# -- checks: (subject, the rule's fact, the rule's value) -> Verdict


def or_nested_support(subject: Subject, fact: Any, value: Any) -> Verdict:
    """ESXi reports nesting support only on a CPU with VT-x and EPT, or AMD-V and RVI."""
    if isinstance(fact, Unknown) and subject.host.nested_hv_supported is True:
        return Verdict(True, True, "yes: the host supports nesting, which needs it")
    return Verdict(fact if isinstance(fact, Unknown) else fact == value, fact)


def or_running_hypervisor(subject: Subject, fact: Any, value: Any) -> Verdict:
    """Windows reads False for these while a hypervisor runs; the hypervisor proves them."""
    if fact is True:
        return Verdict(True, True)
    present, is_vm = subject.host.hypervisor_present, subject.host.is_vm
    if present is not True:
        return Verdict(fact if isinstance(fact, Unknown) else fact == value, fact)
    if is_vm is False:
        return Verdict(True, True, "yes: proved by the hypervisor that runs")
    why = "this host may itself be a VM" if isinstance(is_vm, Unknown) else "this host is a VM"
    return Verdict(Unknown(f"it cannot be read while a hypervisor runs, and {why}"))


def nesting_exposed(subject: Subject, fact: Any, value: Any) -> Verdict:
    """The flag nestedHVEnabled decides; the extraConfig keys of old guides are named beside it."""
    version = subject.vm.hardware_version if subject.vm else Unknown("no VM")
    if not isinstance(version, Unknown) and version < NESTING_HARDWARE_VERSION:
        return NOT_APPLICABLE  # it cannot be exposed there: the rule on the version says so
    if isinstance(fact, Unknown):
        return Verdict(fact)
    keys = subject.vm.legacy_nesting_keys if subject.vm else ()
    if fact != value and not isinstance(keys, Unknown) and keys:
        return Verdict(False, fact, f"not exposed (set only by {', '.join(keys)})")
    return Verdict(fact == value, fact)


def all_memory_reserved(subject: Subject, fact: Any, value: Any) -> Verdict:
    """Reservation against the VM's own memory; ``value`` is the share that must be reserved."""
    memory = subject.vm.memory_gib if subject.vm else Unknown("no VM")
    for each in (fact, memory):
        if isinstance(each, Unknown):
            return Verdict(each)
    return Verdict(fact >= memory * value, fact, f"{fact:g} of {memory:g} GiB")


def promiscuous_or_learning(subject: Subject, fact: Any, value: Any) -> Verdict:
    """On a distributed switch MAC learning serves as well, and is preferred."""
    nic = subject.nic
    if fact is True:
        return Verdict(True, True)
    if nic is not None and nic.switch_kind == "distributed":
        if nic.mac_learning is True:
            return Verdict(True, False, "Reject, but MAC learning is on")
        if isinstance(nic.mac_learning, Unknown):
            return Verdict(nic.mac_learning)
    return Verdict(fact if isinstance(fact, Unknown) else fact == value, fact)


def spoofing_or_nat(subject: Subject, fact: Any, value: Any) -> Verdict:
    """A NAT switch inside the guest makes MAC spoofing unnecessary."""
    if fact is not True and subject.nic is not None and subject.nic.inner_nat is True:
        return Verdict(True, False, "off, but the guest has a NAT switch")
    return Verdict(fact if isinstance(fact, Unknown) else fact == value, fact)


def by_vendor_at_least(subject: Subject, fact: Any, value: Any) -> Verdict:
    """The threshold depends on the processor's vendor: ``value`` maps vendor to number."""
    return _by_vendor(subject, fact, value, lambda limit: bool(fact >= limit))


def by_vendor_version(subject: Subject, fact: Any, value: Any) -> Verdict:
    """As :func:`by_vendor_at_least`, for versions."""
    if not isinstance(fact, Unknown) and not version_key(fact):
        return Verdict(Unknown(f"{fact!r} is not a version"))
    return _by_vendor(subject, fact, value, lambda limit: _version_at_least(fact, limit) is True)


def _by_vendor(
    subject: Subject, fact: Any, value: Mapping[str, Any], test: Callable[[Any], bool]
) -> Verdict:
    if isinstance(fact, Unknown):
        return Verdict(fact)
    vendor = subject.host.cpu.vendor
    if isinstance(vendor, str) and vendor in value:
        return Verdict(test(value[vendor]), fact, f"{fact} on {_VENDOR_NAMES.get(vendor, vendor)}")
    verdicts = {test(limit) for limit in value.values()}
    if len(verdicts) == 1:  # it makes no difference whose CPU it is
        return Verdict(verdicts.pop(), fact)
    reason = vendor.reason if isinstance(vendor, Unknown) else f"it is {vendor!r}"
    return Verdict(Unknown(f"{fact}; it depends on the CPU's vendor ({reason})"))


_VENDOR_NAMES: Final = {"intel": "Intel", "amd": "AMD"}
_OLD_WINDOWS: Final = re.compile(r"server\D*(2016|2019)", re.IGNORECASE)


def vcpu_limit(subject: Subject, fact: Any, value: Any) -> Verdict:
    """The limit holds for guests up to Windows Server 2019."""
    if isinstance(fact, Unknown) or fact <= value:
        return Verdict(fact if isinstance(fact, Unknown) else True, fact)
    guest = subject.vm.guest_os if subject.vm else Unknown("no VM")
    if isinstance(guest, Unknown):
        return Verdict(Unknown(f"{fact} vCPU; the guest's Windows version is not known"))
    return Verdict(not _OLD_WINDOWS.search(guest), fact, f"{fact} in {guest}")


def guest_is_windows(subject: Subject, fact: Any, value: Any) -> Verdict:
    """What runs in the VM: Windows of at least that version. A VM that is off tells nothing."""
    if subject.vm is None or subject.vm.power != "on":
        return NOT_APPLICABLE
    if isinstance(fact, Unknown):
        return Verdict(fact)
    version = re.search(r"\(([\d.]+)\)$", fact)
    if not fact.lower().startswith("windows"):
        return Verdict(False, fact)
    if version is None:
        return Verdict(Unknown(f"{fact}, of a version that it does not tell"))
    return Verdict(_version_at_least(version[1], value), fact)


def fits_free_memory(subject: Subject, fact: Any, value: Any) -> Verdict:
    """A VM that is off must fit into what is free now; one that runs fits already."""
    if subject.vm is None or subject.vm.power == "on":
        return NOT_APPLICABLE
    free = subject.host.free_memory_gib
    for each in (fact, free, subject.vm.power):
        if isinstance(each, Unknown):
            return Verdict(each)
    return Verdict(fact <= free, fact, f"{fact:g} GiB; {free:.1f} GiB are free")


def large_disk_bus(subject: Subject, fact: Any, value: Any) -> Verdict:
    """The bus of the largest disk: the one a hypervisor would be installed on."""
    if isinstance(fact, Unknown):
        return Verdict(fact)
    for disk in fact:
        if isinstance(disk.size_gib, Unknown):
            return Verdict(disk.size_gib)
    if not fact:
        return NOT_APPLICABLE
    bus = max(fact, key=lambda disk: disk.size_gib).bus
    return Verdict(bus if isinstance(bus, Unknown) else bus in value, bus)


def some_true(subject: Subject, fact: Any, value: Any) -> Verdict:
    """One of them is enough."""
    if isinstance(fact, Unknown):
        return Verdict(fact)
    passed = _some(fact, lambda item: item == value)
    return Verdict(passed, passed if isinstance(passed, bool) else None)


def blank_or_one_of(subject: Subject, fact: Any, value: Any) -> Verdict:
    """Blank: the question does not arise here."""
    if isinstance(fact, Unknown):
        return Verdict(fact)
    return Verdict(fact in value, fact) if fact else NOT_APPLICABLE


def can_shut_down(subject: Subject, fact: Any, value: Any) -> Verdict:
    """Only a guest that runs has to be asked to shut down, and needs VMware Tools for it."""
    power = subject.vm.power if subject.vm else Unknown("no VM")
    for each in (power, fact):
        if isinstance(each, Unknown):
            return Verdict(each)
    return Verdict(fact == value, fact) if power == "on" else NOT_APPLICABLE


def lab_runs(subject: Subject, fact: Any, value: Any) -> Verdict:
    """The accelerator, with the reason for it beside it."""
    if isinstance(fact, Unknown):
        return Verdict(fact)
    reason = subject.host.lab_reason
    because = "" if isinstance(reason, Unknown) or not reason else f": {reason}"
    return Verdict(fact in value, fact, (fact or "not here") + because)


Check = Callable[[Subject, Any, Any], Verdict]
CHECKS: Final[Mapping[str, Check]] = {
    check.__name__: check
    for check in (
        or_nested_support, or_running_hypervisor, nesting_exposed, all_memory_reserved,
        promiscuous_or_learning, spoofing_or_nat, by_vendor_at_least, by_vendor_version,
        vcpu_limit, guest_is_windows, fits_free_memory, large_disk_bus, some_true, blank_or_one_of,
        lab_runs, can_shut_down,
    )
}  # fmt: skip
#: what a check reads beside the rule's own fact, for whoever remembers verdicts by what was read
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "or_nested_support": ("host.nested_hv_supported",),
    "or_running_hypervisor": ("host.hypervisor_present", "host.is_vm"),
    "nesting_exposed": ("vm.hardware_version", "vm.legacy_nesting_keys"),
    "all_memory_reserved": ("vm.memory_gib",),
    "promiscuous_or_learning": ("nic.switch_kind", "nic.mac_learning"),
    "spoofing_or_nat": ("nic.inner_nat",),
    "by_vendor_at_least": ("host.cpu",),
    "by_vendor_version": ("host.cpu",),
    "vcpu_limit": ("vm.guest_os",),
    "guest_is_windows": ("vm.power",),
    "fits_free_memory": ("vm.power", "host.free_memory_gib"),
    "can_shut_down": ("vm.power",),
    "lab_runs": ("host.lab_reason",),
}
