"""Make plans: read the host once, then decide without it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol, cast

from nestkit.errors import CredentialsError, PlanError
from nestkit.facts import HostFacts, VmFacts
from nestkit.hosts.base import GuestHost, Host, refuse_other
from nestkit.plans import CreateGoal, Json, NestedGoal, Plan, Target

Place = tuple[Target, str]  # a property of a target
Values = Mapping[Place, Json]


class Planner(Protocol):
    """A module that plans for one platform. Both functions are pure."""

    def places(self, facts: HostFacts, vm: VmFacts, goal: NestedGoal) -> tuple[Place, ...]:
        """The properties whose exact present values ``draft`` needs."""

    def draft(self, facts: HostFacts, vm: VmFacts, goal: NestedGoal, now: Values) -> Plan:
        """The plan."""


class Creator(Protocol):
    """A module that plans new VMs on one platform."""

    def plan_new(self, host: Host, goal: CreateGoal) -> Plan:
        """The plan, whose first step is "create_vm". Reads the host as it needs."""


PLANNERS: Final = {
    "esx": "nestkit.configure.planner_esx",
    "hyperv": "nestkit.configure.planner_hyperv",
}
CREATORS: Final = {
    "esx": "nestkit.configure.planner_create_esx",
    "hyperv": "nestkit.configure.planner_create_hyperv",
}


def plan(host: Host, vm: str, *, goal: NestedGoal | None = None) -> Plan:
    """What must change so that the VM can host a hypervisor. Changes nothing.

    Parameters
    ----------
    host
        The connected host.
    vm
        The VM's name or UUID.
    goal
        What the VM must be; the defaults of :class:`NestedGoal` if left out.

    Raises
    ------
    PlanError
        The VM or the host cannot be made ready by changing settings.
    ConsentNeeded
        It takes something that the goal does not allow, such as pulling the plug.
    NotFound, Ambiguous
        See :meth:`nestkit.hosts.base.Host.read`.
    """
    refuse_other(host)
    if host.platform not in PLANNERS:
        raise PlanError(
            f"this version makes no plans for {host.platform} hosts",
            remedy="use esx://user@host or hyperv://user@host, or practice://esx to practise",
        )
    if not isinstance(vm, str) or not vm:
        raise PlanError(f"a plan is for one VM, not for {vm!r}", remedy="give its name or its UUID")
    goal = NestedGoal() if goal is None else goal
    if not isinstance(goal, NestedGoal):
        raise PlanError(
            f"the goal is a {type(goal).__name__}, and not a NestedGoal",
            remedy="leave it out, or write goal=nk.NestedGoal(…); a VM that is not there yet is "
            "planned by nk.configure.plan_new",
        )
    if isinstance(host, GuestHost) and (goal.install_role or goal.network == "nat"):
        with suppress(CredentialsError):  # the plan is made without asking the guest then
            host.use_guest(goal.guest_user, interactive=False)
    planner = cast(Planner, importlib.import_module(PLANNERS[host.platform]))
    facts = host.read(vm)
    subject = facts.vms[0]
    now = {place: host.current(*place) for place in planner.places(facts, subject, goal)}
    return planner.draft(facts, subject, goal, now)


def plan_new(host: Host, goal: CreateGoal) -> Plan:
    """How to create a VM that can host a hypervisor, and to boot an installer in it.

    Changes nothing. The plan is applied, resumed, verified and rolled back like any other.

    Raises
    ------
    PlanError
        The host cannot nest, the name is taken, the installer or the network is not there, or
        there is no room.
    """
    refuse_other(host)
    if not isinstance(goal, CreateGoal):
        raise PlanError(
            f"the goal is a {type(goal).__name__}, and not a CreateGoal",
            remedy='write nk.CreateGoal(name="…", networks=("…",))',
        )
    if host.platform not in CREATORS:
        raise PlanError(
            f"this version creates no VMs on {host.platform} hosts",
            remedy="create the VM there yourself, then plan for it by its name",
        )
    return cast(Creator, importlib.import_module(CREATORS[host.platform])).plan_new(host, goal)
