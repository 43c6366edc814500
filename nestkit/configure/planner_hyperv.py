"""Plan a nested-virtualization host VM on Hyper-V: facts and a goal in, steps out.

Sources: the guide's Hyper-V procedure; Microsoft Learn, "Run Hyper-V in a Virtual Machine with
Nested Virtualization" (2025-06): extensions and Dynamic Memory change only while the VM is off,
AMD needs Windows Server 2022 and configuration version 9.3, network by MAC spoofing or NAT.
"""

from __future__ import annotations

import re
from typing import Final

from nestkit.configure.drafting import drafted, set_to
from nestkit.configure.planner_hyperv_settings import (
    NAT_PREFIX,
    check_goal,
    check_prefix,
    chosen,
    cpu_steps,
    memory_steps,
    nesting_steps,
    newer_or_equal,
    nic_target,
    nics_of,
    spoofing_steps,
    version_steps,
    vm_target,
)
from nestkit.configure.planning import Place, Values
from nestkit.errors import ConsentNeeded, PlanError
from nestkit.facts import HostFacts, Unknown, VmFacts
from nestkit.plans import Consent, NestedGoal, Op, Plan, Step, Target

AMD_BUILD: Final = 20348  # Windows Server 2022
DIRECT_VERSION: Final = "10.0.10240"  # Windows 10: the first with PowerShell Direct
_PERIODS: Final = {
    "shutdown_guest": 300.0,
    "power_off": 60.0,
    "power_on": 120.0,
    "discard_saved_state": 60.0,
    "install_role": 1800.0,
}
_CHANGED_OFF: Final = "it can be changed only while the VM is off"


def places(facts: HostFacts, vm: VmFacts, goal: NestedGoal) -> tuple[Place, ...]:
    """The properties whose exact values are needed: the VM's, its NICs', and what is inside."""
    target = vm_target(vm)
    names = ["power", "nested_hv", "cpu", "memory", "assigned_mib", "newest_version"]
    if goal.install_role:
        names.append("hyperv_role")
    if goal.network == "nat":
        names.append("guest_nat")
    found: list[Place] = [(target, name) for name in names]
    if goal.network in ("auto", "spoofing"):
        found += [(nic_target(nic), "mac_spoofing") for nic in chosen(vm, goal)]
    return tuple(found)


def draft(facts: HostFacts, vm: VmFacts, goal: NestedGoal, now: Values) -> Plan:
    """The plan. See :func:`nestkit.configure.plan` for what it raises."""
    check_goal(goal)
    target = vm_target(vm)
    power = now[target, "power"]
    if power not in ("on", "off", "saved"):
        raise PlanError(
            f"VM {vm.name!r} is {power}: its settings cannot be changed",
            remedy="let it go on (Resume-VM) or turn it off, then plan again",
        )
    changes = [
        *version_steps(facts, vm, goal, str(now[target, "newest_version"])),
        *nesting_steps(target, now[target, "nested_hv"]),
        *cpu_steps(facts, target, goal, now[target, "cpu"]),
        *spoofing_steps(vm, goal, now),
        *memory_steps(facts, vm, goal, now),
    ]
    must_stop = any(step.needs_off for step in changes)
    before = _stop(vm, goal, power) if must_stop else []
    starts = must_stop or power != "on"
    after = [start_step(target, "off" if must_stop else power)] if goal.start and starts else []
    inside = _inside(vm, goal, now, runs=goal.start or not starts)
    steps = [*before, *changes, *after, *inside]
    return drafted(facts, target, goal, steps, _notes(facts, vm, goal, stopped=must_stop))


def _power(target: Target, op: Op, why: str, before: str, consent: Consent = "") -> Step:
    return Step(
        id="",
        op=op,
        target=target,
        property="power",
        before=before,
        after="on" if op == "power_on" else "off",
        reversible=op != "discard_saved_state" and (op, before) != ("power_on", "saved"),
        consent=consent,
        why=why,
        timeout_s=_PERIODS[op],
    )


def _stop(vm: VmFacts, goal: NestedGoal, power: str) -> list[Step]:
    target = vm_target(vm)
    if power == "off":
        return []
    if power == "saved":
        if goal.discard_saved_state:
            why = f"a saved VM keeps its settings: {_CHANGED_OFF}; what it had in memory is lost"
            return [_power(target, "discard_saved_state", why, power, "discard_saved_state")]
        raise ConsentNeeded(
            f"VM {vm.name!r} is saved: its settings cannot be changed",
            remedy="start it and shut it down, then plan again; or throw away what it had in "
            "memory with NestedGoal(discard_saved_state=True) or --consent discard-saved-state",
        )
    answers = vm.tools not in ("not running", "not installed")
    if answers or not goal.hard_power_off:
        return [_power(target, "shutdown_guest", _CHANGED_OFF, power)]
    why = f"{_CHANGED_OFF}, and its guest does not answer"
    return [_power(target, "power_off", why, power, "hard_power_off")]


def start_step(target: Target, before: str) -> Step:
    """Start the VM."""
    why = (
        "only the start shows whether this host can run it: on AMD the setting alone proves little"
    )
    return _power(target, "power_on", why, before)


def _check_guest(vm: VmFacts) -> None:
    """Refuse now what would be waited for in vain, where the running guest says what it is."""
    if isinstance(vm.guest_os, Unknown):
        return
    version = re.search(r"\(([\d.]+)\)$", vm.guest_os)
    is_windows = vm.guest_os.lower().startswith("windows")
    if is_windows and (version is None or newer_or_equal(version[1], DIRECT_VERSION)):
        return
    raise PlanError(
        f"VM {vm.name!r} runs {vm.guest_os}: PowerShell Direct does not reach into it",
        remedy="it needs Windows 10 or Windows Server 2016 or newer inside; install that, or plan "
        "without what is done in the guest",
    )


def _inside(vm: VmFacts, goal: NestedGoal, now: Values, *, runs: bool) -> list[Step]:
    """What is done in the guest, through PowerShell Direct."""
    target = vm_target(vm)
    found: list[Step] = []
    if goal.install_role and now[target, "hyperv_role"] != "installed":
        found.append(
            Step(
                id="",
                op="install_role",
                target=target,
                property="hyperv_role",
                before="not confirmed",
                after="installed",
                reversible=False,
                why=f"Hyper-V itself, installed as {goal.guest_user} inside the guest, which "
                "restarts; an installed role is not taken back",
                timeout_s=_PERIODS["install_role"],
            )
        )
    prefix = str(check_prefix(goal.nat_prefix or NAT_PREFIX))
    if goal.network == "nat" and not now[target, "guest_nat"]:
        why = "the guest translates for its VMs, so that no foreign MAC address leaves it"
        found.append(set_to(target, "guest_nat", "", prefix, why, off=False))
    if found:
        _check_guest(vm)
    if found and not runs:
        raise PlanError(
            "what is done inside the guest needs it running, and the goal does not start it",
            remedy="plan with start=True (without --no-start)",
        )
    return found


def _notes(facts: HostFacts, vm: VmFacts, goal: NestedGoal, *, stopped: bool) -> tuple[str, ...]:
    notes = []
    build = facts.build
    if facts.cpu.vendor == "amd" and isinstance(build, int) and build < AMD_BUILD:
        notes.append(
            f"{facts.name} is an AMD host with build {build}: nesting on AMD needs Windows Server "
            "2022; the settings are accepted there, and the start is expected to fail"
        )
    if facts.offer_nested_virt is False:
        notes.append(
            f"the boot configuration of {facts.name} has offernestedvirt off: the start is "
            "expected to fail; preflight says how to turn it on"
        )
    if isinstance(vm.snapshot_count, int) and vm.snapshot_count:
        notes.append(
            f"{vm.snapshot_count} checkpoint(s) are left; applying one brings its old settings back"
        )
    if goal.network in ("auto", "spoofing") and goal.nics:
        left = [nic.label for nic in nics_of(vm) if nic not in chosen(vm, goal)]
        if left:
            notes.append(f"NICs that were not chosen are left: {', '.join(left)}")
    if not goal.install_role:
        notes.append("the Hyper-V role inside the guest is not looked at: the goal leaves it")
    if stopped and not goal.start:
        notes.append("the VM is not started again, as the goal says")
    return tuple(notes)
