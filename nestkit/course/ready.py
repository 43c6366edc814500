"""The forms of the lessons: :func:`~nestkit.course.forms.form_for` on nestkit's own verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.course.hosts import address, use_host
from nestkit.course.measure import measure_lab
from nestkit.course.naming import name_of
from nestkit.course.readiness import environment
from nestkit.errors import CourseError
from nestkit.hosts.base import Host
from nestkit.plans import GUEST_PROPERTIES, Plan
from nestkit.wording import counted

if TYPE_CHECKING:
    from nestkit.configure import Outcome

_GOAL = {
    "goal.cpu_count": Field("Virtual CPUs, 0: keep", help="0 keeps what is there, at least 2"),
    "goal.memory_gib": Field("Memory, 0: keep", help="0 keeps what is there, at least the minimum"),
    "goal.reserve_memory": Field("Reserve all memory"),
    "goal.network": Field("Port groups", choices=("auto", "mac_learning", "promiscuous", "leave")),
    "goal.start": Field("Start it and verify"),
    "goal.hard_power_off": Field("Pull the plug if need be"),
}
_HYPERV_GOAL = {
    "goal.cpu_count": _GOAL["goal.cpu_count"],
    "goal.memory_gib": _GOAL["goal.memory_gib"],
    "goal.network": Field("Network of the L2 VMs", choices=("auto", "spoofing", "nat", "leave")),
    "goal.install_role": Field("Install the role inside"),
    "goal.guest_user": Field("Guest's administrator"),
    "goal.start": _GOAL["goal.start"],
    "goal.hard_power_off": _GOAL["goal.hard_power_off"],
}


def environment_form() -> Form:
    """Check this machine."""
    return form_for(environment, title="Check this machine", run_label="Check")


def host_form() -> Form:
    """Choose the host of the lessons: practice or real."""
    return form_for(
        use_host,
        fields={
            "address": Field("Address", default=address()),
            "password": Field("Password", help="Cleared when you press Connect; never kept."),
        },
        title="Choose the host to work on",
        run_label="Connect",
    )


def _bound(host: Host) -> dict[str, tuple[str, Any]]:
    return {"host": (name_of(host, "host"), host)}


def _result(given: Any, otherwise: str) -> tuple[Any, str]:
    """What a lesson handed on, be it a form's result, and how its notebook writes it."""
    if isinstance(given, Form):
        return given.result, f"{name_of(given, 'form')}.result"
    return given, name_of(given, otherwise)


def _names(host: Host) -> list[str]:
    return [vm.name for vm in host.read().vms if vm.is_template is not True]


def preflight_form(host: Host, vm: str | None = None) -> Form:
    """Check a host and one of its VMs, or all."""
    from nestkit import preflight

    return form_for(
        preflight.check,
        bind=_bound(host),
        fields={"vm": Field("Virtual machine", choices=[None, *_names(host)], default=vm)},
        title="Preflight: can it nest?",
        run_label="Check",
    )


def plan_form(host: Host, vm: str) -> Form:
    """Make a plan. Changes nothing."""
    from nestkit import configure

    return form_for(
        configure.plan,
        bind=_bound(host),
        fields={
            "vm": Field("Virtual machine", choices=_names(host), default=vm),
            **(_HYPERV_GOAL if host.platform == "hyperv" else _GOAL),
        },
        title="Plan: what would change?",
        run_label="Make the plan",
    )


def apply_form(plan: Plan | Form | None, host: Host) -> Form:
    """Carry out a plan that was read; its digest must be ticked first.

    ``plan`` may be the form it was made with.

    Raises
    ------
    CourseError
        If there is no plan yet.
    """
    from nestkit import configure

    made, called = _result(plan, "plan")
    if not isinstance(made, Plan):
        raise CourseError("there is no plan yet", remedy="make one first, with the form above")
    inside = any(step.property in GUEST_PROPERTIES for step in made.steps)
    return form_for(
        configure.apply,
        fields={"guest_password": Field("Password of the guest")} if inside else {},
        bind=_bound(host) | {"plan": (called, made), "accept": (f'"{made.digest}"', made.digest)},
        confirm=f"I have read plan {made.digest[:12]}, {counted(len(made.steps), 'step')}, "
        "and want it done",
        title=f"Apply the plan to {made.vm.name}",
        run_label="Apply",
    )


def rollback_form(done: Outcome | Form | None, host: Host) -> Form:
    """Take back what an apply did; ``done`` is its outcome, or the form that applied.

    Raises
    ------
    CourseError
        If nothing was applied yet.
    """
    from nestkit import configure

    outcome, called = _result(done, "done")
    if outcome is None:
        raise CourseError("nothing was applied yet", remedy="apply a plan first")
    return form_for(
        configure.rollback,
        bind=_bound(host) | {"journal": (f"{called}.journal", outcome.journal)},
        fields={"hard_power_off": Field("Pull the plug if need be")},
        confirm=f"Take {counted(len(outcome.steps_done), 'step')} back on {outcome.plan.vm.name}",
        title="Roll back",
        run_label="Roll back",
    )


def benchmark_form(source: Literal["replay", "this machine"] = "replay") -> Form:
    """Measure each layer of a lab: played back from a recording, or booted on this machine."""
    return form_for(
        measure_lab,
        fields={
            "source": Field(
                "Take it from",
                default=source,
                help="replay: a recorded lab, in seconds; this machine: a lab of your own, minutes",
            ),
            "depth": Field("VMs, one in the other", default=2),
            "nested_paging": Field("Nested paging (EPT, RVI)"),
            "suite": Field("Suite", help="quick: 10 rounds; full: 30 rounds"),
        },
        title="Measure what each layer costs",
        run_label="Measure",
    )
