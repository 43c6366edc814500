"""The settings of a Hyper-V VM that nesting needs: what is, what is asked, the step between.

Sources: the guide's Hyper-V procedure and requirements; Microsoft Learn, "Run Hyper-V in a Virtual
Machine with Nested Virtualization" (2025-06).
"""

from __future__ import annotations

import ipaddress
from typing import Final

from nestkit.configure.drafting import set_to
from nestkit.configure.goals import check_sizes, check_whole_numbers, refuse
from nestkit.configure.planning import Values
from nestkit.errors import ConsentNeeded, PlanError
from nestkit.facts import HostFacts, Unknown, VmFacts, VmNicFacts
from nestkit.plans import NestedGoal, Step, Target

MIN_CPUS: Final = 2  # "sufficient vCPUs": one leaves the guest and its VMs waiting for each other
MIN_MEMORY_MIB: Final = 4 * 1024  # the guide's minimum for Hyper-V, which binds the nested one too
MAX_MEMORY_GIB: Final = 12 * 1024  # of one VM: Microsoft Learn, scalability of Windows Server 2022
HOST_SPARE_MIB: Final = 512  # a running VM costs its host a little more than its own memory
MIN_VERSION: Final = {"intel": "8.0", "amd": "9.3"}
NAT_PREFIX: Final = "192.168.222.0/24"


def newer_or_equal(version: str, minimum: str) -> bool:
    """Whether a configuration version reaches another: 10.0 is newer than 9.3."""
    return _parts(version) >= _parts(minimum)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def minimum_version(facts: HostFacts) -> str:
    """The oldest configuration version that nests on this processor."""
    return MIN_VERSION["amd" if facts.cpu.vendor == "amd" else "intel"]


def vm_target(vm: VmFacts) -> Target:
    return Target(kind="vm", id=vm.identity, name=vm.name)


def nic_target(nic: VmNicFacts) -> Target:
    return Target(kind="nic", id=nic.key, name=nic.label)


def nics_of(vm: VmFacts) -> tuple[VmNicFacts, ...]:
    return () if isinstance(vm.nics, Unknown) else vm.nics


def chosen(vm: VmFacts, goal: NestedGoal) -> list[VmNicFacts]:
    """The NICs that the goal names, by id or name; all of them where it names none."""
    if isinstance(vm.nics, Unknown):
        raise PlanError(
            f"the NICs of VM {vm.name!r} cannot be read: {vm.nics.reason}",
            remedy='settle that on the host; or leave them, with network="leave"',
        )
    if not goal.nics:
        return list(nics_of(vm))
    found: list[VmNicFacts] = []
    for wanted in goal.nics:
        hits = [nic for nic in nics_of(vm) if nic.key.lower() == wanted.lower()]
        hits = hits or [nic for nic in nics_of(vm) if nic.label == wanted]
        if len(hits) == 1:
            found += [nic for nic in hits if nic not in found]
            continue
        known = "; ".join(f"{nic.label!r} ({nic.key})" for nic in nics_of(vm)) or "none"
        raise PlanError(
            f"{len(hits)} NICs of VM {vm.name!r} are called {wanted!r}; it has: {known}",
            remedy="give the id of the NIC you mean, or no name to take them all",
        )
    return found


def check_goal(goal: NestedGoal) -> None:
    check_whole_numbers(goal)
    if goal.network not in ("auto", "spoofing", "nat", "leave"):
        raise refuse(
            f"network is {goal.network!r}, which Hyper-V does not have",
            'use network="auto", "spoofing", "nat" or "leave"',
        )
    check_sizes(
        goal,
        product="Hyper-V",
        too_few="too few for a hypervisor and its VMs",
        min_cpus=MIN_CPUS,
        min_memory_mib=MIN_MEMORY_MIB,
        max_memory_gib=MAX_MEMORY_GIB,
    )
    if goal.install_role and not goal.guest_user:
        raise refuse("the role needs a user of the guest", "name one with guest_user")
    check_prefix(goal.nat_prefix or NAT_PREFIX)


def check_prefix(text: str) -> ipaddress.IPv4Network:
    """The network behind the NAT inside; its first address becomes the gateway.

    Raises
    ------
    PlanError
        It is no private IPv4 network with room for a gateway and a VM.
    """
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        network = None
    if network is None or not network.is_private or not 8 <= network.prefixlen <= 29:
        raise PlanError(
            f"{text!r} cannot be the network behind a NAT",
            remedy=f"give a private IPv4 network such as {NAT_PREFIX}",
        )
    return network


def version_steps(facts: HostFacts, vm: VmFacts, goal: NestedGoal, newest: str) -> list[Step]:
    version, least = vm.configuration_version, minimum_version(facts)
    if isinstance(version, Unknown) or newer_or_equal(version, least):
        return []
    if not newer_or_equal(newest, least):
        if newer_or_equal(version, MIN_VERSION["intel"]):
            return []  # the setting is accepted; a note says that the start will fail
        raise PlanError(
            f"VM {vm.name!r} has configuration version {version}, nesting needs {least}, and "
            f"{facts.name} offers no newer one than {newest}",
            remedy="use a newer Windows Server as host",
        )
    if not goal.upgrade_version:
        raise ConsentNeeded(
            f"VM {vm.name!r} has configuration version {version}; nesting needs {least} or newer",
            remedy="the upgrade cannot be taken back, and older hosts will not run the VM: export "
            "it first, then allow it with NestedGoal(upgrade_version=True) or --upgrade-version",
        )
    why = f"nesting needs {least} or newer on this processor; this cannot be taken back"
    return [
        set_to(
            vm_target(vm), "configuration_version", version, newest, why, off=True,
            reversible=False, consent="upgrade_configuration_version",
        )
    ]  # fmt: skip


def nesting_steps(target: Target, now: bool) -> list[Step]:
    if now:
        return []
    why = "the guest sees VT-x or AMD-V only when the virtualization extensions are exposed"
    return [set_to(target, "nested_hv", now, True, why, off=True)]


def cpu_steps(
    facts: HostFacts, target: Target, goal: NestedGoal, now: dict[str, int]
) -> list[Step]:
    count = goal.cpu_count or max(now["count"], MIN_CPUS)
    if count == now["count"]:
        return []
    if isinstance(facts.cpu.threads, int) and count > facts.cpu.threads:
        raise PlanError(
            f"{count} vCPU are more than the {facts.cpu.threads} logical CPUs of {facts.name}",
            remedy="ask for fewer vCPU: Hyper-V gives a VM no more than the host has",
        )
    why = f"a hypervisor and its VMs need {MIN_CPUS} CPUs or more"
    return [set_to(target, "cpu", now, {"count": count}, why, off=True)]


def memory_steps(facts: HostFacts, vm: VmFacts, goal: NestedGoal, now: Values) -> list[Step]:
    target = vm_target(vm)
    before = now[target, "memory"]
    size = goal.memory_gib * 1024 or max(before["startup_mib"], MIN_MEMORY_MIB)
    is_right = not before["dynamic"] and before["startup_mib"] == size
    if is_right and now[target, "power"] == "on":
        return []
    free = None
    if not isinstance(facts.free_memory_gib, Unknown):
        free = int(facts.free_memory_gib * 1024) + now[target, "assigned_mib"] - HOST_SPARE_MIB
    why = "a nested Hyper-V host needs static memory"
    if free is not None and size > free:
        fits = free // 2 * 2  # Hyper-V wants a multiple of 2 MiB
        if goal.memory_gib or fits < MIN_MEMORY_MIB:
            least = goal.memory_gib or MIN_MEMORY_MIB // 1024
            raise PlanError(
                f"{facts.name} has {max(free, 0) / 1024:.1f} GiB to spare, "
                f"VM {vm.name!r} is to have {least} GiB",
                remedy="stop other VMs, give the host more memory, or ask for less with memory_gib "
                f"(at least {MIN_MEMORY_MIB // 1024})",
            )
        size = fits
        why += f", and more than {size} MiB the host cannot spare now"
    after = {"dynamic": False, "startup_mib": size, "minimum_mib": 0, "maximum_mib": 0}
    return [] if after == before else [set_to(target, "memory", before, after, why, off=True)]


def spoofing_steps(vm: VmFacts, goal: NestedGoal, now: Values) -> list[Step]:
    if goal.network == "leave":
        return []
    if not isinstance(vm.nics, Unknown) and not vm.nics:
        raise PlanError(
            f"VM {vm.name!r} has no NIC",
            remedy='give it one (Add-VMNetworkAdapter), or plan with network="leave"',
        )
    if goal.network == "nat":
        return []
    why = "frames of the VMs inside carry their own MAC addresses: the switch must let them pass"
    return [
        set_to(nic_target(nic), "mac_spoofing", False, True, why, off=False)
        for nic in chosen(vm, goal)
        if not now[nic_target(nic), "mac_spoofing"]
        and not (goal.network == "auto" and nic.inner_nat is True)
    ]
