"""The form of the scenario planner."""

from __future__ import annotations

from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.course.scenarios import Scenario
from nestkit.course.scenarios_rules import NAMES


def scenario_form() -> Form:
    """Size a nested lab: what fits, what gives out first, what the work inside costs."""
    return form_for(
        Scenario,
        name="nk.course.Scenario",
        fields={
            "outer": Field("On the machine (L0)", choices=tuple(NAMES)),
            "nested": Field("In the nested hosts (L1)", choices=tuple(NAMES)),
            "cores": Field("Machine: cores"),
            "memory_gib": Field("Machine: memory", unit="GiB"),
            "disk_gib": Field("Machine: disk", unit="GiB"),
            "hosts": Field("Nested hosts"),
            "vms": Field("VMs in each host"),
            "vm_cpus": Field("Each VM: vCPUs"),
            "vm_memory_gib": Field("Each VM: memory", unit="GiB"),
            "vm_disk_gib": Field("Each VM: disk", unit="GiB"),
            "vcpus_per_core": Field("vCPUs on one core", help="1: no overcommitment"),
            "spare_hosts": Field("Hosts that may fail"),
            "layers": Field("Layers", choices=(2, 3)),
            "exit_pct": Field("Time in exits", unit="%"),
            "disk_pct": Field("Time in disk requests", unit="%"),
        },
        title="What fits on this machine?",
        run_label="Work it out",
    )
