"""Layers whose own word speaks against the way they were reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nestkit.facts import Unknown
from nestkit.runners.base import LayerFacts
from nestkit.runners.linuxfacts import linux_extra
from nestkit.runners.topology import contradictions, cross_checked

ESXI = LayerFacts(
    layer="L1",
    depth=1,
    stack="ESXi",
    acceleration="esxi",
    emulated=False,
    hypervisor_leaves=("VMwareVMware",),
    extra={"hypervisor_flag": "yes", "dmi": "VMware, Inc. VMware20,1"},
)


def test_what_fits_is_passed_on_without_a_word(recwarn):
    assert cross_checked(ESXI) is ESXI
    assert not recwarn


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"hypervisor_leaves": ()}, "CPUID names no hypervisor"),
        ({"hypervisor_leaves": ("KVMKVMKVM",)}, "CPUID names KVMKVMKVM"),
        ({"hypervisor_leaves": ("VMwareVMware", "TCGTCGTCGTCG")}, "not marked emulated"),
        ({"extra": {"hypervisor_flag": "no"}}, "its CPU has no such flag"),
        ({"extra": {"dmi": "QEMU Standard PC"}}, "DMI names QEMU"),
        ({"acceleration": "tcg", "emulated": True}, "should run on tcg"),
    ],
)
def test_a_contradiction_is_warned_of_and_kept(changes, expected):
    facts = replace(ESXI, **changes)
    with pytest.warns(UserWarning, match="L1 is not what the way to it says") as caught:
        checked = cross_checked(facts)
    assert expected in str(caught[0].message)
    assert expected in checked.extra["contradiction"]
    assert checked.hypervisor_leaves == facts.hypervisor_leaves


def test_one_signature_among_several_is_enough():
    # KVM with enlightenments for Windows answers as Hyper-V first
    facts = replace(
        ESXI, acceleration="kvm", hypervisor_leaves=("Microsoft Hv", "KVMKVMKVM"), extra={}
    )
    assert contradictions(facts) == []


def test_what_is_unknown_contradicts_nothing():
    assert contradictions(replace(ESXI, hypervisor_leaves=Unknown("no probe"), extra={})) == []


def test_the_base_may_itself_be_virtual():
    base = replace(ESXI, layer="L0", depth=0, acceleration="none")
    assert contradictions(base) == []


def test_flags_and_dmi_are_read_from_texts():
    dmi = "/sys/class/dmi/id"
    said = linux_extra(
        {
            "/proc/cpuinfo": "flags\t\t: fpu hypervisor svm\n",
            f"{dmi}/sys_vendor": "QEMU\n",
            f"{dmi}/product_name": "Standard PC\n",
        }
    )
    assert said == {
        "dmi": "QEMU Standard PC",
        "virtualization_flag": "svm",
        "hypervisor_flag": "yes",
    }
    assert linux_extra({"/proc/cpuinfo": "flags: fpu\n"}) == {
        "virtualization_flag": "none",
        "hypervisor_flag": "no",
    }
    assert linux_extra({}) == {}
