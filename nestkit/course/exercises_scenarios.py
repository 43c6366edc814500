"""The checks of lesson 07: designs are worked out anew, hosts are read anew."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from nestkit import practice
from nestkit.configure import plan as make_plan
from nestkit.configure import verify
from nestkit.course.checks import Verdict, exercise, not_done, not_right, passed
from nestkit.course.scenarios import Scenario
from nestkit.course.scenarios_rules import amount
from nestkit.errors import CourseError, NestkitError
from nestkit.hosts import connect
from nestkit.hosts.base import Host
from nestkit.plans import NestedGoal, Plan, Step
from nestkit.preflight import check as preflight

if TYPE_CHECKING:
    from nestkit.configure import Outcome

_CLASS: Final = {"cores": 32, "memory_gib": 128, "disk_gib": 4000}
_CLUSTER: Final = {"cores": 24, "memory_gib": 112, "disk_gib": 2000}
# from the cheapest to the dearest
_OFFERS: Final = {
    "S": {"cores": 16, "memory_gib": 96, "disk_gib": 1000},
    "M": {"cores": 16, "memory_gib": 128, "disk_gib": 2000},
    "L": {"cores": 32, "memory_gib": 256, "disk_gib": 4000},
}


def _design(design: Any, *wanted: tuple[str, str, float, str]) -> list[str]:
    """Hints on what a design leaves open: field, "least" or "most", the number, and why."""
    if not isinstance(design, Scenario):
        return ["answer with a design: nk.course.Scenario(…), or the form's result"]
    hints = []
    for name, how, number, why in wanted:
        value = getattr(design, name)
        if value < number if how == "least" else value > number:
            word = "at least" if how == "least" else "at most"
            hints.append(f"{name} is {value:g}: {word} {number:g}, {why}")
    return hints


def _machine(design: Scenario, machine: dict[str, int]) -> list[str]:
    return [
        f"{name} is {getattr(design, name)}, and the machine has {there}: it cannot be changed"
        for name, there in machine.items()
        if getattr(design, name) != there
    ]


def _too_much(design: Scenario) -> list[str]:
    if design.pair.works != "yes":
        return [design.notes[0]]
    return [
        f"{need.resource}: {amount(need.needed)} {need.unit} needed, {amount(need.there)} there "
        f"({need.why})"
        for need in design.needs
        if not need.fits
    ]


def _judged(design: Any, hints: list[str], machine: dict[str, int]) -> Verdict:
    if not hints:
        hints = _machine(design, machine)
    if hints:
        return not_right("This design is not what was asked for.", *hints)
    if not design.fits:
        return not_right("This design does not fit.", *_too_much(design))
    return passed(design.verdict)


@exercise("07.training")
def _training(design: Scenario) -> Verdict:
    hints = _design(
        design,
        ("hosts", "least", 8, "one for each learner"),
        ("vms", "least", 2, "each learner moves something from one to the other"),
        ("vm_memory_gib", "least", 2, "less starts no server worth learning on"),
        ("vcpus_per_core", "most", 4, "more, and the class waits"),
        ("layers", "most", 2, "a third layer is for a demonstration, not for a class"),
    )
    return _judged(design, hints, _CLASS)


@exercise("07.testing")
def _testing(design: Scenario) -> Verdict:
    hints = _design(
        design,
        ("hosts", "least", 4, "the change runs over several hosts"),
        ("vms", "least", 4, "as in production"),
        ("vm_cpus", "least", 2, "as in production"),
        ("vm_memory_gib", "least", 4, "as in production"),
        ("vcpus_per_core", "most", 2, "timings of tests must not depend on the neighbours"),
        ("layers", "most", 2, "tests that run each night need the speed"),
    )
    if not hints and (design.outer, design.nested) != ("esx", "esx"):
        hints = ["the change is for ESXi: outer and nested are both “esx”"]
    if hints:
        return not_right("This is not the environment that was asked for.", *hints)
    chosen = next((name for name, offer in _OFFERS.items() if not _machine(design, offer)), "")
    if not chosen:
        return not_right(
            "This machine is not on offer.", "take S, M or L, with all three of its numbers"
        )
    if not design.fits:
        return not_right(f"It does not fit on {chosen}.", *_too_much(design))
    for name, offer in _OFFERS.items():
        if name == chosen:
            break
        if _least(offer, design.vm_disk_gib).fits:
            return not_right(f"It fits on {chosen}, and on a cheaper one too.", "try a smaller one")
    return passed(f"{chosen} is the cheapest that bears it; {design.binds} would give out first.")


def _least(machine: dict[str, int], vm_disk_gib: float) -> Scenario:
    """The least that was asked for, on a machine."""
    return Scenario(
        **machine, hosts=4, vms=4, vm_cpus=2, vm_memory_gib=4,  # type: ignore[arg-type]
        vm_disk_gib=min(vm_disk_gib, 20.0), vcpus_per_core=2.0,
    )  # fmt: skip


class _Failed(Exception):
    """What the check's test ends with, the second time."""


class _Test:
    """A pipeline's test that looks at the VM it is given."""

    def __init__(self, before: set[str], *, fails: bool) -> None:
        self.before, self.fails = before, fails
        self.ran = False
        self.wrong = ""

    def __call__(self, *given: Any, **named: Any) -> None:
        given += tuple(named.values())
        if len(given) != 2 or not isinstance(given[1], str):
            kinds = ", ".join(type(each).__name__ for each in given)
            raise CourseError(
                f"the test was called with ({kinds})",
                remedy="call test(host, name): the host, and the name of the VM as text",
            )
        host: Host = given[0]
        vm: str = given[1]
        self.ran = True
        facts = host.read(vm).vms[0]
        if facts.identity in self.before:
            self.wrong = f"{facts.name} was there before: build a VM of the pipeline's own"
        elif facts.power != "on" or facts.nested_hv is not True:
            self.wrong = f"{facts.name} is {facts.power}, or does not nest: apply the plan as it is"
        if self.fails:
            raise _Failed("the test found something")


@exercise("07.pipeline")
def _pipeline(pipeline: Callable[..., object]) -> Verdict:
    if not callable(pipeline):
        return not_right(
            f"The answer is {type(pipeline).__name__}, and not a function.",
            "write `def pipeline(host, test): …` and hand over its name, without calling it",
        )
    with (
        practice.start("esx") as private,
        closing(connect(private.url, password=private.password)) as host,
    ):
        before = {vm.identity for vm in host.read().vms}
        ends = []
        for fails in (False, True):
            test = _Test(before, fails=fails)
            try:
                ends.append((pipeline(host, test), False))
            except SystemExit as end:  # how a script says it
                ends.append((end.code or None, False))
            except Exception as error:
                if not (test.ran and fails):
                    if isinstance(error, NestkitError):
                        raise  # says itself what to do
                    when = "The test passed, and then" if test.ran else "Before it called the test,"
                    return not_right(
                        f"{when} the pipeline ended with {type(error).__name__}: {error}.",
                        "mend that, run its cell again, and then this one",
                    )
                ends.append((None, True))
            verdict = _after(host, test, before)
            if verdict:
                return verdict
    (green, _), (red, raised) = ends
    if not raised and red == green:
        return not_right(
            "A test that fails ends like one that passes: nobody would notice.",
            "use try … finally, which passes the failure on, or return something else",
        )
    return passed("Built, tested and destroyed, twice: once with a test that passed, once not.")


def _after(host: Host, test: _Test, before: set[str]) -> Verdict | None:
    """What is wrong after one run of the pipeline."""
    left = [vm.name for vm in host.read().vms if vm.identity not in before]
    gone = before - {vm.identity for vm in host.read().vms}
    if not test.ran:
        return not_done(
            "The test was never called.", "call test(host, name) with the name of the VM you built"
        )
    if test.wrong:
        return not_right("The test was given the wrong VM.", test.wrong)
    if gone:
        return not_right(
            f"{len(gone)} VMs that were there before are gone.", "destroy what you built, no more"
        )
    if left:
        word = "fails" if test.fails else "passes"
        return not_right(
            f"After a test that {word}, {', '.join(left)} is still there.",
            "roll back with the journal of the apply, in a finally block: it runs in every case",
        )
    return None


@exercise("07.path")
def _path(host: Host, *, plan: Plan) -> Verdict:
    network = [f for f in preflight(host, vm=plan.vm.id).at("fail") if f.id.split(".")[1] == "nic"]
    if not network:
        return passed(f"Frames of the appliances in {plan.vm.name} pass in both directions.")
    hints = [f"{finding.title}: {finding.remedy}" for finding in network[:3]]
    if isinstance(plan.goal, NestedGoal) and plan.goal.network == "leave":
        return not_right(
            f"The plan leaves the network of {plan.vm.name} as it is.",
            "make a plan whose goal changes the network: “auto”",
        )
    if make_plan(host, plan.vm.id).steps == plan.steps:
        return not_done(
            f"Frames of the appliances in {plan.vm.name} are still dropped.",
            "tick the box of the form above, then press Apply",
        )
    return not_right(f"The path to {plan.vm.name} is still blocked.", *hints)


@exercise("07.cluster")
def _cluster(design: Scenario) -> Verdict:
    hints = _design(
        design,
        ("spare_hosts", "least", 1, "one nested host must be able to fail"),
        ("vm_memory_gib", "least", 4, "as the VMs need"),
        ("vcpus_per_core", "most", 4, "more, and a failover takes too long to watch"),
        ("layers", "most", 2, "the cluster's VMs are in layer 2"),
    )
    if not hints and design.hosts * design.vms < 12:
        hints = [f"{design.hosts} hosts with {design.vms} VMs hold {design.hosts * design.vms}: "
                 "12 are to be kept running"]  # fmt: skip
    return _judged(design, hints, _CLUSTER)


@exercise("07.failover")
def _failover(host: Host, standby: str) -> Verdict:
    blocking = preflight(host, vm=standby).at("fail")
    facts = host.read(standby).vms[0]
    if not blocking and facts.power == "on":
        return passed(f"{facts.name} runs and can nest: it takes over.")
    hints = [f"{finding.title}: {finding.remedy}" for finding in blocking[:3]]
    if facts.power != "on":
        hints.append(f"{facts.name} is {facts.power}: the plan's last step starts it")
    if blocking and facts.power != "on":
        return not_done(f"{facts.name} cannot take over yet.", *hints)
    return not_right(f"{facts.name} was changed, and cannot take over.", *hints)


@exercise("07.restore")
def _restore(host: Host, *, done: Outcome | None) -> Verdict:
    if done is None:
        return not_done("Nothing was damaged yet.", "run the wrong change first, with its form")
    plan = done.plan
    changed = [step for step in plan.steps if step.op == "set_property"]
    if not changed:
        return not_done(
            f"This change had nothing to do: {plan.vm.name} was damaged before.",
            "its journal holds nothing to restore: put the host back with nk.practice.reset(), and "
            "run this part again from the disaster on",
        )
    left = [step for step in changed if not _restored(host, step)]
    power = host.read(plan.vm.id).vms[0].power
    if not left and power != "on":
        return not_right(f"{plan.vm.name} has its settings again, and is {power}.", "start it")
    if not left:
        return passed(f"{plan.vm.name} is as it was before the wrong change.")
    if verify(plan, host).ok:
        return not_done(
            f"{plan.vm.name} is still as the wrong change left it.",
            "roll back with the journal of that change: done.journal",
        )
    return not_right(
        f"{plan.vm.name} is neither as before nor as after the change.",
        *(f"its {step.property} is not yet what it was" for step in left[:3]),
        "the journal knows what was there before: roll back with it",
    )


def _restored(host: Host, step: Step) -> bool:
    """Whether all that a step changed has its old value; what it left alone does not count."""
    now, before, after = host.current(step.target, step.property), step.before, step.after
    if not all(isinstance(value, dict) for value in (now, before, after)):
        return bool(now == before)
    return all(now.get(key) == value for key, value in before.items() if after.get(key) != value)
