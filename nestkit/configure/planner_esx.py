"""Plan a nested-virtualization host VM on ESXi: facts and a goal in, steps out.

Sources: the guide's ESXi procedure; VMware's API reference (VirtualMachineConfigSpec:
``nestedHVEnabled`` needs hardware version 9 and a VM that is off; HostNetworkPolicy: a port
group's setting overrides its switch); ESXi 8's own minima, which bind a nested ESXi as well.
"""

from __future__ import annotations

from math import gcd
from typing import Any, Final

from nestkit.configure import planner_esx_network
from nestkit.configure.drafting import drafted, set_to
from nestkit.configure.goals import check_sizes, check_whole_numbers, refuse
from nestkit.configure.planning import Place, Values
from nestkit.errors import ConsentNeeded, PlanError
from nestkit.facts import HostFacts, Unknown, VmFacts
from nestkit.plans import Consent, NestedGoal, Op, Plan, Step, Target

MIN_CPUS: Final = 2  # ESXi 8 does not boot with fewer
MIN_MEMORY_MIB: Final = 8 * 1024  # the guide's minimum for ESXi 8
MIN_HARDWARE: Final = 9  # the guide; older ones cannot expose virtualization
CURRENT_HARDWARE: Final = 20  # what ESXi 8.0 brought
HARDWARE_OF: Final = {"8.0": 20, "7.0": 17, "6.7": 14, "6.5": 13}  # KB 1003746
MAX_MEMORY_GIB: Final = 24 * 1024  # of one VM, vSphere 8 configuration maximums
_PERIODS: Final = {"shutdown_guest": 300.0, "power_off": 60.0, "power_on": 120.0}


def places(facts: HostFacts, vm: VmFacts, goal: NestedGoal) -> tuple[Place, ...]:
    """The properties whose exact values are needed: the VM's, and its own port groups'."""
    target = _vm_target(vm)
    found: list[Place] = [(target, p) for p in ("power", "nested_hv", "cpu", "memory")]
    if goal.upgrade_version:
        found.append((target, "hardware_version"))
    if goal.network != "leave":
        found += planner_esx_network.places(vm)
    return tuple(found)


def draft(facts: HostFacts, vm: VmFacts, goal: NestedGoal, now: Values) -> Plan:
    """The plan. See :func:`nestkit.configure.plan` for what it raises."""
    _check_goal(goal)
    _refuse_impossible(facts, vm, goal)
    target = _vm_target(vm)
    power = now[target, "power"]
    if power == "suspended":
        raise PlanError(
            f"VM {vm.name!r} is suspended: its settings cannot be changed",
            remedy="resume it and shut it down, or power it off, then plan again",
        )
    changes = [
        *_hardware(facts, vm, target, goal, now),
        *_nesting(target, now[target, "nested_hv"]),
        *_cpu(facts, target, goal, now[target, "cpu"]),
        *_memory(facts, target, goal, now[target, "memory"]),
    ]
    network = planner_esx_network.steps(vm, goal.network, now)
    must_stop = power == "on" and any(step.needs_off for step in changes)
    before = [_stop(vm, target, goal)] if must_stop else []
    after = [start(target)] if goal.start and (must_stop or power == "off") else []
    steps = [*before, *changes, *network, *after]
    return drafted(facts, target, goal, steps, _notes(vm, goal, stopped=must_stop))


def _vm_target(vm: VmFacts) -> Target:
    return Target(kind="vm", id=vm.identity, name=vm.name)


def _check_goal(goal: NestedGoal) -> None:
    check_whole_numbers(goal)
    planner_esx_network.check_way(goal.network)
    for field in ("nics", "nat_prefix", "install_role"):
        if getattr(goal, field):
            raise refuse(
                f"{field} is {getattr(goal, field)!r}, which is for Hyper-V alone",
                "leave it out: on vSphere the networks of all the VM's adapters are planned for",
            )
    check_sizes(
        goal,
        product="ESXi 8",
        too_few="fewer than ESXi 8 needs",
        min_cpus=MIN_CPUS,
        min_memory_mib=MIN_MEMORY_MIB,
        max_memory_gib=MAX_MEMORY_GIB,
    )


def _refuse_impossible(facts: HostFacts, vm: VmFacts, goal: NestedGoal) -> None:
    refuse_host(facts, start=goal.start)
    if vm.is_template is True:
        raise PlanError(
            f"{vm.name!r} is a template, not a VM",
            remedy="convert it to a VM, or deploy a VM from it, then plan for that",
        )
    if isinstance(vm.connection, str) and vm.connection != "connected":
        raise PlanError(
            f"VM {vm.name!r} is {vm.connection}: its host does not answer for it",
            remedy="bring its host back, or register the VM on another host, then plan again",
        )
    if isinstance(vm.vapp, str) and vm.vapp:
        raise PlanError(
            f"VM {vm.name!r} is in a vApp ({vm.vapp}), which starts and stops it in its own order",
            remedy="move the VM out of the vApp, then plan again",
        )
    version = vm.hardware_version
    if isinstance(version, int) and version < MIN_HARDWARE and not goal.upgrade_version:
        raise PlanError(
            f"VM {vm.name!r} has hardware version {version}; nesting needs {MIN_HARDWARE} or newer",
            remedy="take a backup, then allow the upgrade, which cannot be taken back, with "
            "NestedGoal(upgrade_version=True) or --upgrade-version",
        )


def refuse_host(facts: HostFacts, *, start: bool) -> None:
    """Raise PlanError where the host cannot nest, or cannot work on VMs now."""
    if facts.nested_hv_supported is False:
        raise PlanError(
            f"host {facts.name} cannot expose hardware virtualization to its VMs",
            remedy="turn on VT-x with EPT, or AMD-V with RVI, in the host's firmware; "
            "if the host is itself a VM, expose them to it first",
        )
    if isinstance(facts.connection, str) and facts.connection != "connected":
        raise PlanError(
            f"host {facts.name} is {facts.connection}: nothing can be changed on it",
            remedy="bring it back (vSphere Client: host > Connection > Connect), then plan again",
        )
    if facts.maintenance_mode is True and start:
        raise PlanError(
            f"host {facts.name} is in maintenance mode: no VM can be started on it",
            remedy="end maintenance mode, use another host, or plan without the start (--no-start)",
        )


def _hardware(
    facts: HostFacts, vm: VmFacts, target: Target, goal: NestedGoal, now: Values
) -> list[Step]:
    """The upgrade, to what the host's own release brought, if it was agreed to."""
    if not goal.upgrade_version:
        return []
    before, newest = now[target, "hardware_version"], newest_hardware(facts)
    if not isinstance(before, int) or before >= newest:
        return []
    if vm.snapshot_count != 0:
        count = vm.snapshot_count
        raise PlanError(
            f"VM {vm.name!r} has snapshots ({count}): its hardware version cannot be upgraded",
            remedy="delete or consolidate the snapshots first, or plan without the upgrade",
        )
    return [
        set_to(
            target,
            "hardware_version",
            before,
            newest,
            f"nesting needs {MIN_HARDWARE} or newer; this cannot be taken back, and the VM "
            "no longer runs on older hosts",
            off=True,
            reversible=False,
            consent="upgrade_hardware_version",
        )
    ]


def newest_hardware(facts: HostFacts) -> int:
    """The hardware version that the host's release brought; KB 1003746 lists them."""
    version = facts.version if isinstance(facts.version, str) else ""
    return next((n for release, n in HARDWARE_OF.items() if version.startswith(release)), 0)


def _nesting(target: Target, now: bool) -> list[Step]:
    if now:
        return []
    why = "the guest sees VT-x or AMD-V only when hardware-assisted virtualization is exposed"
    return [set_to(target, "nested_hv", now, True, why, off=True)]


def _cpu(facts: HostFacts, target: Target, goal: NestedGoal, now: dict[str, int]) -> list[Step]:
    count = goal.cpu_count or max(now["count"], MIN_CPUS)
    if isinstance(facts.cpu.threads, int) and count > facts.cpu.threads:
        raise PlanError(
            f"{count} vCPU are more than the {facts.cpu.threads} logical CPUs of {facts.name}",
            remedy="ask for fewer vCPU: a VM with more than the host has does not start",
        )
    if count == now["count"]:
        return []
    after = {"count": count, "cores_per_socket": gcd(count, now["cores_per_socket"]) or 1}
    why = f"ESXi 8 needs {MIN_CPUS} CPUs or more, the nested one too"
    return [set_to(target, "cpu", now, after, why, off=True)]


def _memory(facts: HostFacts, target: Target, goal: NestedGoal, now: dict[str, Any]) -> list[Step]:
    size = goal.memory_gib * 1024 or max(now["size_mib"], MIN_MEMORY_MIB)
    reserved = now["reservation_mib"]
    after = dict(now) | {"size_mib": size}
    if goal.reserve_memory and reserved < size:
        after |= {"reservation_mib": size, "reservation_locked": True}
    elif now["reservation_locked"]:
        after["reservation_mib"] = size  # a locked reservation follows the size
    else:
        after["reservation_mib"] = min(reserved, size)
    if after == now:
        return []
    if not isinstance(facts.memory_gib, Unknown) and size / 1024 > facts.memory_gib:
        raise PlanError(
            f"{size / 1024:g} GiB are more than the {facts.memory_gib:.1f} GiB of {facts.name}",
            remedy="give the host more memory, or use a larger host",
        )
    why = (
        f"ESXi 8 needs {MIN_MEMORY_MIB // 1024} GiB or more, the nested one too; "
        "reserved memory is static, as the nested hypervisor expects of its hardware"
    )
    return [set_to(target, "memory", now, after, why, off=size != now["size_mib"])]


def _power(target: Target, op: Op, why: str, consent: Consent = "") -> Step:
    before, after = ("off", "on") if op == "power_on" else ("on", "off")
    return Step(
        id="",
        op=op,
        target=target,
        property="power",
        before=before,
        after=after,
        consent=consent,
        why=why,
        timeout_s=_PERIODS[op],
    )


def _stop(vm: VmFacts, target: Target, goal: NestedGoal) -> Step:
    if vm.tools == "running":
        return _power(target, "shutdown_guest", "the settings can be changed only while it is off")
    if goal.hard_power_off:
        why = "it must be off, and without VMware Tools its guest cannot be asked to shut down"
        return _power(target, "power_off", why, consent="hard_power_off")
    state = str(vm.tools) if isinstance(vm.tools, Unknown) else f"VMware Tools are {vm.tools}"
    raise ConsentNeeded(
        f"VM {vm.name!r} is on and its guest cannot be asked to shut down: {state}",
        remedy="shut the guest down from inside and plan again; or install VMware Tools; or "
        "allow pulling the plug with NestedGoal(hard_power_off=True) or --hard-power-off",
    )


def start(target: Target) -> Step:
    return _power(target, "power_on", "nesting shows only in a VM that runs")


def _notes(vm: VmFacts, goal: NestedGoal, *, stopped: bool) -> tuple[str, ...]:
    notes = []
    version = vm.hardware_version
    if isinstance(version, int) and version < CURRENT_HARDWARE and not goal.upgrade_version:
        notes.append(
            f"hardware version {version} is left: {MIN_HARDWARE} is enough to nest, ESXi 8 offers "
            f"{CURRENT_HARDWARE}, and an upgrade cannot be taken back"
        )
    notes += planner_esx_network.notes(vm, goal.network)
    if isinstance(vm.snapshot_count, int) and vm.snapshot_count:
        notes.append(
            f"the VM has {vm.snapshot_count} snapshots: going back to one takes these settings back"
        )
    if vm.fault_tolerance is True:
        notes.append("Fault Tolerance is left as it is; a nested host cannot use it")
    if not isinstance(vm.passthrough_devices, Unknown) and vm.passthrough_devices:
        names = ", ".join(vm.passthrough_devices)
        notes.append(f"passthrough devices are left as they are: {names}")
    if not isinstance(vm.legacy_nesting_keys, Unknown) and vm.legacy_nesting_keys:
        names = ", ".join(vm.legacy_nesting_keys)
        notes.append(f"old settings are left as they are, nestedHVEnabled replaces them: {names}")
    if stopped and not goal.start:
        notes.append("the VM is not started again, as the goal says")
    return tuple(notes)
