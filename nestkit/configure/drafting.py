"""What all planners write alike: a step that sets a property, and the plan that steps make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nestkit.facts import HostFacts
from nestkit.plans import Goal, Json, Plan, Step, Target


def set_to(
    target: Target, name: str, before: Json, after: Json, why: str, *, off: bool, **rest: Any
) -> Step:
    """The step that sets a property; ``off``: only while the VM is off."""
    return Step(
        id="",
        op="set_property",
        target=target,
        property=name,
        before=before,
        after=after,
        needs_off=off,
        why=why,
        **rest,
    )


def drafted(
    facts: HostFacts, vm: Target, goal: Goal, steps: Iterable[Step], notes: Iterable[str]
) -> Plan:
    """The plan of these steps, each with its id: its number, and what it does or sets."""
    numbered = tuple(
        replace(step, id=f"{n}-{step.property if step.op == 'set_property' else step.op}")
        for n, step in enumerate(steps, start=1)
    )
    return Plan(
        host=facts.identity,
        host_name=facts.name,
        platform=facts.platform,
        is_practice=facts.is_practice,
        vm=vm,
        goal=goal,
        steps=numbered,
        notes=tuple(notes),
    )
