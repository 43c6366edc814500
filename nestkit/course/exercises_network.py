"""The check of lesson 03's network exercise: packets are sent again, from inside."""

from __future__ import annotations

from nestkit.configure import plan as make_plan
from nestkit.course.checks import Verdict, exercise, not_done, not_right, passed
from nestkit.course.traffic import try_traffic
from nestkit.hosts.base import Host
from nestkit.plans import Plan


@exercise("03.traffic")
def _traffic(host: Host, *, plan: Plan, target: str = "", guest_password: str = "") -> Verdict:
    named = {"target": target} if target else {}
    found = try_traffic(host, plan.vm.id, **named, guest_password=guest_password or None)
    if found.l2:
        return passed(f"Packets of L2 are answered. {found.policy}.")
    if not found.l1:
        return not_right(
            f"Not even L1 itself is answered: {plan.vm.name} has lost its network.",
            "look at which network its NIC is plugged into, and whether it is connected",
        )
    if make_plan(host, plan.vm.id).steps == plan.steps:
        return not_done(
            f"Packets of L2 are still lost: {found.policy}.",
            "apply the plan above, or set by hand what it names",
        )
    return not_right(
        f"Something changed, and packets of L2 are still lost: {found.policy}.",
        "both settings must say Accept, or MAC learning must be on: one lets frames out, "
        "the other lets them in",
        "a port group that overrides its switch does not follow it: set the port group",
    )
