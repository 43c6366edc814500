"""Seeds and profiles work the same on every kind of practice host."""

from __future__ import annotations

from typing import Any

import pytest

from nestkit.errors import PracticeError
from nestkit.practice.esx import inventory as esx
from nestkit.practice.esx import vcenter
from nestkit.practice.hyperv import inventory as hyperv


def esx_vms(seed: int | None) -> dict[str, Any]:
    vms = esx.load(esx.default_path(), seed=seed).vms.values()
    return {vm.name: (vm.power, vm.nested, vm.cpu_count, vm.memory_mb, vm.tools) for vm in vms}


def vpx_vms(seed: int | None) -> dict[str, Any]:
    vms = vcenter.load(vcenter.default_path(), seed=seed).vms.values()
    return {vm.name: (vm.power, vm.nested, vm.cpu_count, vm.memory_mb, vm.template) for vm in vms}


def hyperv_vms(seed: int | None) -> dict[str, Any]:
    vms = hyperv.load(hyperv.default_path(), seed=seed).host.vms.values()
    return {vm.name: (vm.state, vm.exposes, vm.cpu_count, vm.startup, vm.dynamic) for vm in vms}


@pytest.mark.parametrize("vms", [esx_vms, vpx_vms, hyperv_vms])
def test_each_seed_gives_the_same_faults_to_other_vms(vms: Any) -> None:
    plain, one, other = vms(None), vms(1), vms(2)
    assert vms(1) == one != plain
    assert one != other
    for dealt in (one, other):
        assert set(dealt) == set(plain)
        assert sorted(map(repr, dealt.values())) == sorted(map(repr, plain.values()))


@pytest.mark.parametrize("seed", range(20))
def test_a_template_keeps_its_name(seed: int) -> None:
    vms = vcenter.load(vcenter.default_path(), seed=seed).vms.values()
    assert [vm.name for vm in vms if vm.template] == ["nested-esxi-template"]


@pytest.mark.parametrize("module", [esx, vcenter, hyperv])
def test_a_profile_that_is_not_there_is_told_with_those_that_are(module: Any) -> None:
    with pytest.raises(PracticeError, match="no profile 'none'") as refused:
        module.load(module.default_path(), profile="none")
    assert "default" in refused.value.remedy
