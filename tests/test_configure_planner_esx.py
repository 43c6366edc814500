"""What is planned for which VM: pure, so the facts are written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nestkit.configure.planner_esx import draft, places
from nestkit.errors import ConsentNeeded, PlanError
from nestkit.facts import CpuFacts, HostFacts, Unknown, VmFacts, VmNicFacts
from nestkit.plans import NestedGoal, Target

NIC = VmNicFacts(
    label="Network adapter 1", key="4000", network="Lab", network_id="pg-lab", switch="vSwitch0",
    switch_kind="standard", promiscuous=True, forged_transmits=True,
)  # fmt: skip
VM = VmFacts(
    identity="5000", name="l1", ref="7", power="on", hardware_version=20, tools="running",
    is_template=False, fault_tolerance=False, passthrough_devices=(), legacy_nesting_keys=(),
    nics=(NIC,),
)  # fmt: skip
HOST = HostFacts(
    identity="4000", platform="esx", name="esxi", is_practice=False, cpu=CpuFacts(threads=16),
    memory_gib=64.0, nested_hv_supported=True, vms=(VM,),
)  # fmt: skip
READY = {
    "power": "on",
    "nested_hv": True,
    "cpu": {"count": 4, "cores_per_socket": 2},
    "memory": {"size_mib": 16384, "reservation_mib": 16384, "reservation_locked": False},
    "security": {"promiscuous": "inherit", "forged_transmits": "inherit", "mac_changes": "reject"},
}


def make(vm=VM, goal=None, host=HOST, **changes):
    goal = goal or NestedGoal()
    now = {place: (READY | changes)[place[1]] for place in places(host, vm, goal)}
    return draft(host, vm, goal, now)


def ops(plan):
    return [s.op if s.property == "power" else s.property for s in plan.steps]


def test_a_vm_that_is_ready_needs_nothing():
    assert make().is_empty and make().notes == ()


def test_a_ready_vm_that_is_off_is_only_started():
    assert ops(make(power="off")) == ["power_on"]
    assert make(power="off", goal=NestedGoal(start=False)).is_empty


def test_the_order_is_off_changes_network_on():
    nic = replace(NIC, promiscuous=False)
    plan = make(
        replace(VM, nics=(nic,)),
        nested_hv=False,
        cpu={"count": 1, "cores_per_socket": 1},
        memory={"size_mib": 4096, "reservation_mib": 0, "reservation_locked": False},
    )
    assert ops(plan) == ["shutdown_guest", "nested_hv", "cpu", "memory", "security", "power_on"]
    assert [s.needs_off for s in plan.steps] == [False, True, True, True, False, False]
    assert len({s.id for s in plan.steps}) == 6
    assert plan.steps[3].after == {
        "size_mib": 8192, "reservation_mib": 8192, "reservation_locked": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "after"),
    [
        ({"promiscuous": False}, ("accept", "inherit")),
        ({"forged_transmits": False}, ("inherit", "accept")),
        ({"promiscuous": False, "forged_transmits": False}, ("accept", "accept")),
    ],
)
def test_only_what_is_refused_in_effect_is_overridden_and_without_a_restart(flags, after):
    plan = make(replace(VM, nics=(replace(NIC, **flags),)))
    assert ops(plan) == ["security"]
    (step,) = plan.steps
    assert step.target == Target("port_group", "pg-lab", "Lab")
    assert (step.after["promiscuous"], step.after["forged_transmits"]) == after
    assert step.after["mac_changes"] == "reject"


def test_a_port_group_shared_by_two_nics_is_changed_once():
    nic = replace(NIC, promiscuous=False)
    other = replace(nic, key="4001", network="Other", network_id="pg-other")
    plan = make(replace(VM, nics=(nic, replace(nic, key="4002"), other)))
    assert [s.target.id for s in plan.steps] == ["pg-lab", "pg-other"]


def test_the_network_is_left_when_told():
    vm = replace(VM, nics=(replace(NIC, promiscuous=False),))
    assert make(vm, goal=NestedGoal(network="leave")).is_empty
    assert make(replace(VM, nics=()), goal=NestedGoal(network="leave")).is_empty


def test_more_reservation_alone_takes_no_restart():
    memory = {"size_mib": 16384, "reservation_mib": 8192, "reservation_locked": False}
    plan = make(memory=memory)
    assert ops(plan) == ["memory"] and not plan.steps[0].needs_off
    assert make(memory=memory, goal=NestedGoal(reserve_memory=False)).is_empty


def test_asked_sizes_are_given_and_cores_per_socket_still_divide():
    plan = make(goal=NestedGoal(cpu_count=7, memory_gib=12, reserve_memory=False))
    assert ops(plan) == ["shutdown_guest", "cpu", "memory", "power_on"]
    assert plan.steps[1].after == {"count": 7, "cores_per_socket": 1}
    # less memory than was reserved takes the reservation along
    assert plan.steps[2].after["size_mib"] == plan.steps[2].after["reservation_mib"] == 12288


@pytest.mark.parametrize("tools", ["not running", "not installed", Unknown("no permission")])
def test_without_tools_a_running_vm_needs_consent(tools):
    vm = replace(VM, tools=tools)
    with pytest.raises(ConsentNeeded, match="cannot be asked") as caught:
        make(vm, nested_hv=False)
    assert "hard_power_off" in caught.value.remedy
    plan = make(vm, nested_hv=False, goal=NestedGoal(hard_power_off=True))
    assert ops(plan) == ["power_off", "nested_hv", "power_on"]
    assert plan.steps[0].consent == "hard_power_off"
    assert make(vm).is_empty  # nothing to do, nothing to consent to
    assert ops(make(vm, nested_hv=False, power="off")) == ["nested_hv", "power_on"]


def test_with_tools_the_plug_is_not_pulled_even_when_allowed():
    plan = make(nested_hv=False, goal=NestedGoal(hard_power_off=True))
    assert ops(plan)[0] == "shutdown_guest"


@pytest.mark.parametrize(
    ("vm", "host", "goal", "what"),
    [
        (replace(VM, hardware_version=8), HOST, None, "hardware version 8"),
        (replace(VM, is_template=True), HOST, None, "template"),
        (replace(VM, nics=()), HOST, None, "no network"),
        (VM, replace(HOST, nested_hv_supported=False), None, "cannot expose"),
        (VM, HOST, NestedGoal(cpu_count=1), "1 vCPU"),
        (VM, HOST, NestedGoal(cpu_count=17), "17 vCPU are more"),
        (VM, HOST, NestedGoal(memory_gib=4), "4 GiB"),
        (VM, HOST, NestedGoal(memory_gib=65), "65 GiB are more"),
        (VM, HOST, NestedGoal(memory_gib=99999), "99999 GiB"),
        (VM, HOST, NestedGoal(network="tunnel"), "tunnel"),  # type: ignore[arg-type]
        (VM, HOST, NestedGoal(nics=("NIC 1",)), "nics is .* for Hyper-V alone"),
        (VM, HOST, NestedGoal(nat_prefix="10.0.0.0/24"), "nat_prefix is .* for Hyper-V alone"),
        (VM, HOST, NestedGoal(install_role=True), "install_role is True, .* for Hyper-V alone"),
    ],
)
def test_what_cannot_be_made_ready_is_refused_with_a_remedy(vm, host, goal, what):
    with pytest.raises(PlanError, match=what) as caught:
        make(vm, host=host, goal=goal)
    assert len(caught.value.remedy) > 10


def test_a_suspended_vm_is_refused():
    with pytest.raises(PlanError, match="suspended"):
        make(power="suspended")


def test_what_is_left_alone_is_said():
    distributed = replace(
        NIC,
        label="Network adapter 2",
        switch_kind="distributed",
        network_id="dvportgroup-1",
        promiscuous=Unknown("a distributed port group's policy is read from vCenter"),
    )
    vm = replace(
        VM, hardware_version=19, fault_tolerance=True, passthrough_devices=("PCI device 0",),
        legacy_nesting_keys=("vhv.enable",), nics=(NIC, distributed),
    )  # fmt: skip
    plan = make(vm, nested_hv=False, goal=NestedGoal(start=False))
    text = "\n".join(plan.notes)
    for word in (
        "hardware version 19", "Network adapter 2", "distributed", "Fault Tolerance",
        "PCI device 0", "vhv.enable", "not started",
    ):  # fmt: skip
        assert word in text
    assert ops(plan) == ["shutdown_guest", "nested_hv"]
