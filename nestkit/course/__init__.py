"""The course: forms, checks, progress, quizzes, and the editions of its lessons.

Everything here is loaded when it is first used; ``import nestkit.course`` loads no widgets.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_MODULES = ("checks", "editions", "forms", "progress", "quizzes")
_NAMES = {
    "Field": "nestkit.course.fields",
    "Form": "nestkit.course.forms",
    "Picture": "nestkit.pictures",
    "Scenario": "nestkit.course.scenarios",
    "Table": "nestkit.course.markup",
    "Verdict": "nestkit.course.checks",
    "address": "nestkit.course.hosts",
    "apply_form": "nestkit.course.ready",
    "broken_host": "nestkit.course.troubleshooting",
    "broken_hosts": "nestkit.course.troubleshooting",
    "benchmark_form": "nestkit.course.ready",
    "check": "nestkit.course.checks",
    "environment": "nestkit.course.readiness",
    "environment_form": "nestkit.course.ready",
    "compare_machines": "nestkit.benchmark",
    "explorer": "nestkit.course.explore",
    "form_for": "nestkit.course.forms",
    "guide_map": "nestkit.course.coverage",
    "host_form": "nestkit.course.ready",
    "job_form": "nestkit.course.jobs",
    "job_in_lab": "nestkit.course.jobs",
    "keep_run": "nestkit.course.runs",
    "exits_diagram": "nestkit.course.diagrams",
    "layer_explorer": "nestkit.course.layers",
    "layers_diagram": "nestkit.course.diagrams",
    "matrix_explorer": "nestkit.course.matrix",
    "measure_lab": "nestkit.course.measure",
    "nesting": "nestkit.course.matrix",
    "network_diagram": "nestkit.course.diagrams_network",
    "plan_form": "nestkit.course.ready",
    "preflight_form": "nestkit.course.ready",
    "quiz": "nestkit.course.quizzes",
    "recorded_run": "nestkit.course.measure",
    "report_form": "nestkit.course.capstone",
    "rollback_form": "nestkit.course.ready",
    "scenario_form": "nestkit.course.scenarios_form",
    "stack": "nestkit.course.layers",
    "symptom_form": "nestkit.course.troubleshooting",
    "symptoms": "nestkit.course.troubleshooting",
    "try_traffic": "nestkit.course.traffic",
    "types_diagram": "nestkit.course.diagrams",
    "use_host": "nestkit.course.hosts",
    "write_report": "nestkit.course.capstone",
    "vm_for": "nestkit.course.hosts",
}
__all__ = [
    "Field",
    "Form",
    "Picture",
    "Scenario",
    "Table",
    "Verdict",
    "address",
    "apply_form",
    "benchmark_form",
    "broken_host",
    "broken_hosts",
    "check",
    "checks",
    "compare_machines",
    "editions",
    "environment",
    "environment_form",
    "exits_diagram",
    "explorer",
    "form_for",
    "forms",
    "guide_map",
    "host_form",
    "job_form",
    "job_in_lab",
    "keep_run",
    "layer_explorer",
    "layers_diagram",
    "matrix_explorer",
    "measure_lab",
    "nesting",
    "network_diagram",
    "plan_form",
    "preflight_form",
    "progress",
    "quiz",
    "quizzes",
    "recorded_run",
    "report_form",
    "rollback_form",
    "scenario_form",
    "stack",
    "symptom_form",
    "symptoms",
    "try_traffic",
    "types_diagram",
    "use_host",
    "vm_for",
    "write_report",
]

if TYPE_CHECKING:
    from nestkit.course import checks, editions, forms, progress, quizzes
    from nestkit.course.capstone import report_form, write_report
    from nestkit.course.checks import Verdict, check
    from nestkit.course.coverage import guide_map
    from nestkit.course.diagrams import exits_diagram, layers_diagram, types_diagram
    from nestkit.course.diagrams_network import network_diagram
    from nestkit.course.explore import explorer
    from nestkit.course.fields import Field
    from nestkit.course.forms import Form, form_for
    from nestkit.course.hosts import address, use_host, vm_for
    from nestkit.course.jobs import job_form, job_in_lab
    from nestkit.course.layers import layer_explorer, stack
    from nestkit.course.markup import Table
    from nestkit.course.matrix import matrix_explorer, nesting
    from nestkit.course.measure import measure_lab, recorded_run
    from nestkit.course.quizzes import quiz
    from nestkit.course.readiness import environment
    from nestkit.course.ready import (
        apply_form,
        benchmark_form,
        environment_form,
        host_form,
        plan_form,
        preflight_form,
        rollback_form,
    )
    from nestkit.course.runs import keep_run
    from nestkit.course.scenarios import Scenario
    from nestkit.course.scenarios_form import scenario_form
    from nestkit.course.traffic import try_traffic
    from nestkit.course.troubleshooting import (
        broken_host,
        broken_hosts,
        symptom_form,
        symptoms,
    )
    from nestkit.pictures import Picture


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"nestkit.course.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'nestkit.course' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
