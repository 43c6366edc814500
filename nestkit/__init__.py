"""nestkit: preflight, configure and benchmark nested virtualization.

Three verbs on ESXi 8 and Hyper-V, and a course that teaches them:

>>> import nestkit as nk
>>> report = nk.preflight.check(nk.connect("local://"))

Everything here is loaded when it is first used, so that ``import nestkit`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "CreateGoal",
    "NestedGoal",
    "NestkitError",
    "Plan",
    "Run",
    "Unknown",
    "__version__",
    "benchmark",
    "charts",
    "configure",
    "connect",
    "course",
    "errors",
    "facts",
    "lab",
    "practice",
    "preflight",
    "report",
    "requirements",
    "runners",
    "scripts",
]
# what is not a module of nestkit's own, and the module that has it
_HOMES = {
    "CreateGoal": "nestkit.plans",
    "NestedGoal": "nestkit.plans",
    "NestkitError": "nestkit.errors",
    "Plan": "nestkit.plans",
    "Run": "nestkit.benchmark",
    "Unknown": "nestkit.facts",
    "connect": "nestkit.hosts",
}

if TYPE_CHECKING:
    from nestkit import (
        benchmark,
        charts,
        configure,
        course,
        errors,
        facts,
        lab,
        practice,
        preflight,
        report,
        requirements,
        runners,
        scripts,
    )
    from nestkit.benchmark import Run
    from nestkit.errors import NestkitError
    from nestkit.facts import Unknown
    from nestkit.hosts import connect
    from nestkit.plans import CreateGoal, NestedGoal, Plan


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"nestkit.{name}")
    raise AttributeError(f"module 'nestkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
