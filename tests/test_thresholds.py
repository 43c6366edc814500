"""What configure brings a VM to is what preflight asks of it: one guide, one set of numbers."""

from __future__ import annotations

from nestkit.configure import planner_esx
from nestkit.requirements import rules


def value_of(rule_id: str) -> float:
    (rule,) = [rule for rule in rules("esx") if rule.id == rule_id]
    return float(rule.value)


def test_the_planner_aims_at_the_thresholds_of_the_rules() -> None:
    assert value_of("esx.vm.cpu-count") == planner_esx.MIN_CPUS
    assert value_of("esx.vm.memory") * 1024 == planner_esx.MIN_MEMORY_MIB
    assert value_of("esx.vm.hardware-version") == planner_esx.MIN_HARDWARE
    assert value_of("esx.vm.hardware-version-current") == planner_esx.CURRENT_HARDWARE
