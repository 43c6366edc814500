"""The checks of the lessons' exercises. Each reads the system anew; none reads source text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from nestkit.configure import plan as make_plan
from nestkit.configure import verify
from nestkit.course.checks import Verdict, exercise, not_done, not_right, passed
from nestkit.course.hosts import blocked_vms
from nestkit.course.readiness import environment
from nestkit.errors import CourseError
from nestkit.hosts.base import Host
from nestkit.plans import NestedGoal, Plan
from nestkit.preflight import check as preflight

if TYPE_CHECKING:
    from nestkit.configure import Outcome, RollbackResult


@exercise("00.ready")
def _ready() -> Verdict:
    found = environment()
    missing = [item for item in found.items if item.level == "fail"]
    limited = [item for item in found.items if item.level == "warn"]
    if missing:
        return not_right(
            f"{len(missing)} of {len(found.items)} things are missing.",
            *(f"{item.title}: {item.remedy}" for item in missing),
        )
    if limited:
        names = ", ".join(item.title.lower() for item in limited)
        return passed(f"Nothing is missing. Limited: {names}; the course works without.")
    return passed("This machine has all that the course needs.")


@exercise("00.host")
def _host(host: Host) -> Verdict:
    facts = host.read()
    kind = "a practice host" if facts.is_practice else "a real host"
    return passed(f"{facts.name} answers: {kind} with {len(facts.vms)} virtual machines.")


def _faults(host: Host) -> dict[str, set[str]]:
    """What blocks each VM: name → ids of failed rules, those of its NICs too."""
    found: dict[str, set[str]] = {}
    for vm, failed in blocked_vms(host.read()):
        found.setdefault(vm.name, set()).update(failed)
    return found


@exercise("02.faults")
def _named(host: Host, answer: Mapping[str, str | Collection[str]]) -> Verdict:
    faults = _faults(host)
    given = {
        str(name): {wanted} if isinstance(wanted, str) else set(wanted)
        for name, wanted in answer.items()
    }
    if not given:
        return not_done("No VM is named yet.", "start with one line of the table above")
    hints: list[str] = []
    for name, named in given.items():
        if name not in faults:
            hints.append(f"{name}: nothing blocks this VM; a warning or a note does not block")
        elif not named <= faults[name]:
            wrong = ", ".join(sorted(named - faults[name]))
            hints.append(f"{name}: {wrong} passes here; look for ✗ in the rows of this VM")
    left = sorted(set(faults) - set(given))
    if hints:
        return not_right(f"{len(hints)} of your {len(given)} lines are not right.", *hints[:4])
    if left:
        return not_right(
            f"{len(given)} right, and {len(left)} blocked VMs are not named yet.",
            f"filter the report for fail: one of them is {left[0]}",
        )
    return passed(f"All {len(faults)} blocked VMs found, each with a rule that it breaks.")


def _made_now(plan: Plan, host: Host) -> Plan:
    """The plan that the same goal needs now."""
    if not isinstance(plan.goal, NestedGoal):
        raise CourseError(
            "this plan creates a VM, and the exercise is about one that is there",
            remedy="make the plan of the lesson again",
        )
    return make_plan(host, plan.vm.id, goal=plan.goal)


@exercise("02.repaired")
@exercise("09.repaired")
def _repaired(host: Host, *, plan: Plan) -> Verdict:
    blocking = preflight(host, vm=plan.vm.id).at("fail")
    if not blocking:
        return passed(f"Nothing blocks {plan.vm.name} any more: its own rows and the host's pass.")
    hints = [f"{finding.title}: {finding.remedy}" for finding in blocking[:3]]
    if _made_now(plan, host).steps == plan.steps:
        return not_done(
            f"{plan.vm.name} is as it was: {len(blocking)} of its findings block.",
            "tick the box of the form above, then press Apply",
        )
    return not_right(f"{plan.vm.name} was changed, and is still blocked.", *hints)


@exercise("03.applied")
def _applied(host: Host, *, plan: Plan) -> Verdict:
    if plan.is_empty and verify(plan, host).ok:
        return passed(
            f"{plan.vm.name} was ready before. To see apply at work, roll back or take another VM, "
            "and run the lesson again."
        )
    found = verify(plan, host)
    if found.ok:
        return passed(f"{plan.vm.name} is as planned, and a second plan is empty.")
    rest = _made_now(plan, host)
    if rest.steps == plan.steps:
        return not_done(
            f"The host is as it was: all {len(plan.steps)} steps are still to do.",
            "tick the box of the form above, then press Apply",
        )
    return not_right(
        f"{len(found.mismatches)} things are not as planned.",
        *(str(mismatch) for mismatch in found.mismatches[:3]),
        "make a new plan from what the host is now, read it, and apply that",
    )


@exercise("03.rolled-back")
def _rolled_back(
    host: Host, *, plan: Plan, done: Outcome | None, undone: RollbackResult | None = None
) -> Verdict:
    if done is None:
        return not_done(
            "Nothing was applied yet, so there is nothing to take back.",
            "apply the plan first, in the exercise above",
        )
    now = _made_now(plan, host)
    if now.steps == plan.steps:
        return passed(f"{plan.vm.name} is as it was before: the plan is the same again.")
    left = [str(item) for item in (*undone.conflicts, *undone.not_undone)] if undone else []
    if left:
        return not_right("Not everything could be taken back.", *left[:3])
    if now.is_empty:
        return not_done(
            f"{plan.vm.name} is still as the plan made it.",
            "roll back with the journal that the apply left: done.journal",
        )
    return not_right(
        f"{plan.vm.name} is neither as planned nor as at first.",
        f"the first plan had {len(plan.steps)} steps, a plan made now has {len(now.steps)}",
        "run the rollback again: it goes on where it was cut off",
    )


@exercise("04.plain")
def _plain(host: Host, *, vm: str) -> Verdict:
    facts = host.read(vm).vms[0]
    if facts.power != "on":
        return not_right(f"{vm} is {facts.power}, and should run.", f"Start-VM {vm}")
    blocking = preflight(host, vm=vm).at("fail")
    if not blocking:
        return passed(f"{vm} runs with static memory, and nothing blocks it any more.")
    if facts.dynamic_memory is True:
        return not_done(
            f"{vm} still has Dynamic Memory.",
            "the cmdlet is Set-VMMemory; it takes -VMName and -DynamicMemoryEnabled",
            "Hyper-V changes this only while the VM is off: look at what run_ps printed",
        )
    return not_right(
        f"{vm} has static memory, and is blocked by something else.",
        *(f"{finding.title}: {finding.remedy}" for finding in blocking[:3]),
    )


exercise("04.applied")(_applied)


@exercise("04.rolled-back")
def _all_but_the_role(
    host: Host, *, plan: Plan, done: Outcome | None, undone: RollbackResult | None = None
) -> Verdict:
    if done is None:
        return _rolled_back(host, plan=plan, done=None)
    can_go_back = tuple(step for step in plan.steps if step.reversible)
    left = [item.step for item in undone.not_undone] if undone else []
    if all(not step.reversible for step in left) and (
        tuple(s for s in _made_now(plan, host).steps if s.reversible) == can_go_back
    ):
        stays = " What was installed inside the guest stays." if left else ""
        return passed(f"{plan.vm.name} has its settings of before.{stays}")
    return _rolled_back(host, plan=plan, done=done, undone=undone)
