"""What configuring does inside a guest: let the host in, and judge what it can see there."""

from __future__ import annotations

from nestkit.configure.journal import Journal
from nestkit.errors import PlanError
from nestkit.hosts.base import GuestHost, Host, Password
from nestkit.plans import GUEST_PROPERTIES, Json, NestedGoal, Plan, Step

ROLE_STAYS = (
    "the role stays installed inside the guest; there it can be removed with "
    "Uninstall-WindowsFeature -Name Hyper-V -Restart"
)
_UNSEEN = "it is inside the guest, which does not confirm it now: start the VM, give the guest's "
_UNSEEN += "password, and roll back again"


def let_in(plan: Plan, host: Host, password: Password) -> None:
    """Give the host user and password of the guest, where the plan works inside it.

    Raises
    ------
    CredentialsError
        There is no password.
    PlanError
        This host cannot work inside guests.
    """
    if not any(step.property in GUEST_PROPERTIES for step in plan.steps):
        return
    if not isinstance(host, GuestHost) or not isinstance(plan.goal, NestedGoal):
        raise PlanError(
            f"the plan works inside a guest, and this {host.platform} host cannot",
            remedy="make a new plan for the host at hand",
        )
    host.use_guest(plan.goal.guest_user, password)


def also_right(step: Step) -> tuple[Json, ...]:
    """What a property may be before its first step, besides what the plan saw.

    A guest that could not be asked when the plan was made may say now that it is ready.
    """
    return (step.after,) if step.property in GUEST_PROPERTIES else ()


def why_left(journal: Journal, step: Step, now: Json) -> str:
    """Why a step inside a guest is not taken back; "" where it is."""
    if step.property not in GUEST_PROPERTIES:
        return ""
    begun = journal.status[step.id] != "intended" or step.id in journal.tasks
    if not step.reversible:
        return ROLE_STAYS if begun else ""
    return _UNSEEN if now == step.before and journal.status[step.id] == "done" else ""
