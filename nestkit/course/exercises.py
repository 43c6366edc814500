"""The checks of the lessons' exercises. Each reads the system anew; none reads source text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nestkit.configure import plan as make_plan
from nestkit.configure import verify
from nestkit.configure.journal import read_plan
from nestkit.course.checks import (
    Unreadable,
    Verdict,
    answers_to,
    exercise,
    ids_of,
    not_done,
    not_right,
    passed,
)
from nestkit.course.forms import Form
from nestkit.course.hosts import blocked_vms
from nestkit.course.readiness import environment
from nestkit.errors import CourseError, NestkitError
from nestkit.hosts.base import Host
from nestkit.plans import NestedGoal, Plan
from nestkit.preflight import check as preflight
from nestkit.requirements import rules
from nestkit.state import state_dir

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


def _vm_meant(said: str, known: Collection[str]) -> str:
    """The VM that is meant; the subject of a finding ("VM web, Network adapter 1") names one."""
    return said if said in known else said.removeprefix("VM ").partition(",")[0]


@exercise("02.faults")
def _named(host: Host, answer: Mapping[str, str | Collection[str]]) -> Verdict:
    facts = host.read()
    names = {vm.name for vm in facts.vms}
    ids = {rule.id for rule in rules(facts.platform)}
    faults: dict[str, set[str]] = {}
    for vm, failed in blocked_vms(facts):
        faults.setdefault(vm.name, set()).update(failed)
    given: dict[str, set[str]] = {}
    for said, wanted in answers_to(answer, '{"nested-esxi-01": "esx.vm.nested-hv", …}').items():
        given.setdefault(_vm_meant(said.strip(), names), set()).update(ids_of(wanted))
    if not given and not faults:
        return passed(
            f"No VM of {facts.name} is blocked, so there is none to name. The practice host "
            "practice://esx has faults to find."
        )
    if not given:
        return not_done("No VM is named yet.", "start with one line of the table above")
    hints: list[str] = []
    for name, named in given.items():
        if strange := sorted(named - ids):
            hints.append(f"{name}: {strange[0]!r} is no id of a rule; copy one from the column id")
        elif name not in names:
            hints.append(f"there is no VM {name!r} here: write its name as in the table above")
        elif name not in faults:
            hints.append(f"{name}: nothing blocks this VM; a warning or a note does not block")
        elif not named:
            hints.append(f"{name}: no rule is named")
        elif not named <= faults[name]:
            wrong = ", ".join(sorted(named - faults[name]))
            hints.append(f"{name}: {wrong} passes here; look for ✗ in the rows of this VM")
    left = sorted(set(faults) - set(given))
    if hints:
        return not_right(f"Not right: {len(hints)} of your {len(given)}.", *hints[:4])
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
        f"Not as planned: {len(found.mismatches)}.",
        *(str(mismatch) for mismatch in found.mismatches[:3]),
        "make a new plan from what the host is now, read it, and apply that",
    )


def _result(given: Any) -> Any:
    """What a form came to; anything else as it is."""
    return given.result if isinstance(given, Form) else given


def _taken_back(undone: Any) -> RollbackResult | None:
    """What a rollback returned; None where there was none yet."""
    taken: RollbackResult | None = _result(undone)
    if taken is not None and not hasattr(taken, "not_undone"):
        raise Unreadable(
            f"`undone` is a {type(taken).__name__}, and not what a rollback returns.",
            remedy="undone = nk.configure.rollback(done.journal, host)",
        )
    return taken


def _earlier_journal(plan: Plan) -> Path | None:
    """The newest journal that changed the VM of this plan, perhaps of an earlier session."""
    for path in sorted(state_dir("journals").glob("*.jsonl"), reverse=True):
        with suppress(NestkitError):
            carried_out = read_plan(path)
            if carried_out.vm.id == plan.vm.id and not carried_out.is_empty:
                return path
    return None


@exercise("03.rolled-back")
def _rolled_back(
    host: Host,
    *,
    plan: Plan,
    done: Outcome | Form | None = None,
    undone: RollbackResult | Form | None = None,
) -> Verdict:
    taken = _taken_back(undone)
    ran: RollbackResult | Outcome | None = taken or _result(done)
    # a plan made after the apply is empty: the one that was applied says how it was before
    first = ran.plan if ran and plan.is_empty else plan
    if first.is_empty and (earlier := _earlier_journal(plan)):
        return not_done(
            f"{plan.vm.name} was changed before the kernel started, so this plan is empty.",
            f'its journal is kept: undone = nk.configure.rollback("{earlier}", host)',
        )
    if ran is None:
        return not_done(
            "Nothing was applied yet, so there is nothing to take back.",
            "apply the plan first, in the exercise above",
        )
    now = _made_now(first, host)
    if now.steps == first.steps:
        return passed(f"{plan.vm.name} is as it was before: the plan is the same again.")
    left = [str(item) for item in (*taken.conflicts, *taken.not_undone)] if taken else []
    if left:
        return not_right("Not everything could be taken back.", *left[:3])
    if now.is_empty:
        return not_done(
            f"{plan.vm.name} is still as the plan made it.",
            "roll back with the journal that the apply left: done.journal",
        )
    return not_right(
        f"{plan.vm.name} is neither as planned nor as at first.",
        f"steps in the first plan: {len(first.steps)}; in a plan made now: {len(now.steps)}",
        "run the rollback again: it goes on where it was cut off"
        if taken
        else "roll back with the journal that the apply left: done.journal",
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
            "the cmdlet is Set-VMMemory; it takes -VMName and -DynamicMemoryEnabled, and the "
            "value is $false, without quotation marks",
            "Hyper-V changes this only while the VM is off: look at what run_ps printed",
            f"the line must name {vm}, and stand between Stop-VM and Start-VM",
        )
    return not_right(
        f"{vm} has static memory, and is blocked by something else.",
        *(f"{finding.title}: {finding.remedy}" for finding in blocking[:3]),
    )


exercise("04.applied")(_applied)


@exercise("04.rolled-back")
def _all_but_the_role(
    host: Host,
    *,
    plan: Plan,
    done: Outcome | Form | None = None,
    undone: RollbackResult | Form | None = None,
) -> Verdict:
    taken = _taken_back(undone)
    ran: RollbackResult | Outcome | None = taken or _result(done)
    first = ran.plan if ran and plan.is_empty else plan
    can_go_back = tuple(step for step in first.steps if step.reversible)
    left = [item.step for item in taken.not_undone] if taken else []
    if (
        ran
        and can_go_back
        and all(not step.reversible for step in left)
        and tuple(s for s in _made_now(first, host).steps if s.reversible) == can_go_back
    ):
        stays = " What was installed inside the guest stays." if left else ""
        return passed(f"{plan.vm.name} has its settings of before.{stays}")
    return _rolled_back(host, plan=plan, done=done, undone=undone)
