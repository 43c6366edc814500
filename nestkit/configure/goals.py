"""What any goal must hold, whatever the platform: whole numbers within what a VM can have."""

from __future__ import annotations

from nestkit.errors import PlanError
from nestkit.plans import NestedGoal


def refuse(what: str, remedy: str) -> PlanError:
    """The error for a goal that cannot be met."""
    return PlanError(f"the goal cannot be met: {what}", remedy=remedy)


def refuse_new(what: str, remedy: str) -> PlanError:
    """The error for a new VM that cannot be."""
    return PlanError(f"the VM cannot be created: {what}", remedy=remedy)


def check_name(name: str, *, longest: int, forbidden: str, what: str, remedy: str) -> None:
    """Refuse a new VM's name that the host would not keep; ``what`` and ``remedy`` say why."""
    if not isinstance(name, str) or not name.strip() or len(name) > longest:
        raise refuse_new(f"its name is {name!r}", f"give 1 to {longest} characters")
    if name != name.strip() or any(sign in name for sign in forbidden) or not name.isprintable():
        raise refuse_new(what, remedy)


def check_whole_numbers(goal: NestedGoal) -> None:
    """Refuse sizes that are no whole numbers."""
    for name in ("cpu_count", "memory_gib"):
        if type(getattr(goal, name)) is not int:
            raise refuse(f"{name} is {getattr(goal, name)!r}", "use a whole number, or 0")


def check_sizes(
    goal: NestedGoal,
    *,
    product: str,
    too_few: str,
    min_cpus: int,
    min_memory_mib: int,
    max_memory_gib: int,
) -> None:
    """Refuse sizes below what the product needs, or above what a VM can have."""
    if goal.cpu_count and goal.cpu_count < min_cpus:
        raise refuse(
            f"{goal.cpu_count} vCPU is {too_few}",
            f"ask for {min_cpus} or more, or 0 to keep what is there",
        )
    if goal.memory_gib and goal.memory_gib * 1024 < min_memory_mib:
        raise refuse(
            f"{goal.memory_gib} GiB is less than {product} needs",
            f"ask for {min_memory_mib // 1024} GiB or more, or 0 to keep what is there",
        )
    if goal.memory_gib > max_memory_gib:
        raise refuse(
            f"{goal.memory_gib} GiB is more than a VM can have", f"ask for {max_memory_gib} or less"
        )
