"""Read again what a plan set, and judge it."""

from __future__ import annotations

from pathlib import Path

from nestkit.configure.journal import read_plan
from nestkit.configure.planning import plan as make_plan
from nestkit.configure.results import Mismatch, Verification, describe
from nestkit.errors import NestkitError, NotFound, PlanError
from nestkit.facts import Unknown
from nestkit.hosts.base import Host
from nestkit.plans import CreateGoal, Goal, Json, NestedGoal, Plan, Step
from nestkit.planview import named, shown
from nestkit.wording import plain

Chain = list[Step]


def verify(plan: Plan | str | Path, host: Host) -> Verification:
    """Read again everything that a plan, or the plan of a journal, set, and judge it.

    Beyond the values themselves it asks what a new plan for the same goal would still do:
    a port group that overrides nothing may still be refused by its switch.
    """
    if not isinstance(plan, Plan):
        plan = read_plan(plan)
    if host.identity != plan.host or host.platform != plan.platform:
        raise PlanError(
            f"the plan is for {plain(plan.host_name)} ({plan.host}), this host is {host.identity}",
            remedy="connect to the host the plan was made for",
        )
    found: list[Mismatch] = []
    for chain in chains(plan):
        last = chain[-1]
        now = current(plan, host, last)
        if now != last.after:
            subject = f"{last.property} of {named(last.target)}"
            found.append(Mismatch(subject, shown(last.after), shown(now)))
    if not found:
        try:
            rest = make_plan(host, plan.vm.id, goal=_settings(plan.goal)).steps
        except NestkitError as error:
            found.append(Mismatch(named(plan.vm), "ready to host a hypervisor", error.message))
        else:
            found += [Mismatch(describe(s), shown(s.after), shown(s.before)) for s in rest]
    guest = "" if found or not plan.goal.start else _guest(plan, host)
    return Verification(plan=plan, mismatches=tuple(found), guest=guest)


def _guest(plan: Plan, host: Host) -> str:
    """What the guest says it runs. Nothing but the guest can say it, so unknown is an answer."""
    (vm,) = host.read(plan.vm.id).vms
    if isinstance(vm.guest_os, Unknown):
        return f"what the guest runs is unknown: {vm.guest_os.reason}"
    said = f"the guest reports {vm.guest_os}"
    new_esxi = isinstance(plan.goal, CreateGoal) and plan.platform == "esx"
    return f"{said}, not ESXi" if new_esxi and "esxi" not in vm.guest_os.lower() else said


def _settings(goal: Goal) -> NestedGoal:
    """What a goal asks of a VM that exists."""
    if isinstance(goal, NestedGoal):
        return goal
    return NestedGoal(reserve_memory=goal.reserve_memory, network=goal.network, start=goal.start)


def current(plan: Plan, host: Host, step: Step) -> Json:
    """The property's value now; None for anything of a VM that the plan has yet to create."""
    try:
        return host.current(step.target, step.property)
    except NotFound:
        if plan.creates_vm and step.target == plan.vm:
            return None
        raise


def chains(plan: Plan) -> list[Chain]:
    """The steps that touch the same property of the same target, in order."""
    found: dict[tuple[str, str, str], Chain] = {}
    for step in plan.steps:
        found.setdefault(chain_key(step), []).append(step)
    return list(found.values())


def chain_key(step: Step) -> tuple[str, str, str]:
    """What identifies the property that a step touches."""
    return (step.target.kind, step.target.id, step.property)
