"""A plan as text a person runs or follows elsewhere.

Names and values from the host are data in every language: see :mod:`nestkit.scripts.quoting`.
"""

from __future__ import annotations

import importlib
from typing import Final

from nestkit.errors import PlanError
from nestkit.plans import Plan
from nestkit.scripts.outline import refuse_unwritable

_WRITERS: Final = {
    "esx": {
        "powercli": "nestkit.scripts.powercli",
        "pyvmomi": "nestkit.scripts.pyvmomi",
        "govc": "nestkit.scripts.govc",
        "gui": "nestkit.scripts.gui",
        "pipeline": "nestkit.scripts.pipeline",
    },
    "hyperv": {
        "powershell": "nestkit.scripts.powershell",
        "gui": "nestkit.scripts.gui_hyperv",
        "pipeline": "nestkit.scripts.pipeline",
    },
}


def kinds(platform: str) -> tuple[str, ...]:
    """The kinds of script there are for plans of a platform."""
    return tuple(_WRITERS.get(platform, ()))


def render(plan: Plan, kind: str) -> str:
    """The plan as a script, or as steps for a GUI.

    Parameters
    ----------
    plan
        A plan of :func:`nestkit.configure.plan`.
    kind
        For ESXi: "powercli", "pyvmomi", "govc" (a POSIX shell script) or "gui"; for Hyper-V:
        "powershell" or "gui".

    Raises
    ------
    PlanError
        If there is no such kind for the plan's platform, or a step it cannot express.
    """
    writers = _WRITERS.get(plan.platform, {})
    if kind not in writers:
        raise PlanError(
            f"there is no {kind!r} script for {plan.platform} plans",
            remedy=f"use one of: {', '.join(writers)}"
            if writers
            else f"scripts are written for: {', '.join(_WRITERS)}",
        )
    try:
        refuse_unwritable(plan)
        text: str = importlib.import_module(writers[kind]).write(plan)
    except (KeyError, TypeError, ValueError) as error:
        raise PlanError(
            f"the plan holds a step that no {plan.platform} host has: {error}",
            remedy="make a new plan for the host at hand",
        ) from error
    return text
