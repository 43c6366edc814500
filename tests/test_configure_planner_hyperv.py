"""What is planned for which Hyper-V VM: pure, so the facts are written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nestkit.configure.planner_hyperv import draft, places
from nestkit.configure.planner_hyperv_settings import newer_or_equal
from nestkit.errors import ConsentNeeded, PlanError
from nestkit.facts import CpuFacts, HostFacts, Unknown, VmFacts, VmNicFacts
from nestkit.plans import NestedGoal, Plan, Target

VM_ID = "f33b545b-6942-5018-88f4-5372e04837d8"
NIC = VmNicFacts(
    label="Network Adapter", key=f"Microsoft:{VM_ID.upper()}\\AAAA", network="Lab External",
    mac_spoofing=True,
)  # fmt: skip
VM = VmFacts(
    identity=VM_ID, name="l1", ref=VM_ID, power="on", configuration_version="10.0",
    snapshot_count=0, nics=(NIC,),
)  # fmt: skip
HOST = HostFacts(
    identity="host", platform="hyperv", name="HV01", is_practice=False, build=20348,
    cpu=CpuFacts(vendor="intel", threads=16), memory_gib=64.0, free_memory_gib=32.0, vms=(VM,),
)  # fmt: skip
STATIC = {"dynamic": False, "startup_mib": 8192, "minimum_mib": 0, "maximum_mib": 0}
DYNAMIC = {"dynamic": True, "startup_mib": 8192, "minimum_mib": 1024, "maximum_mib": 65536}
READY = {
    "power": "on", "nested_hv": True, "cpu": {"count": 2}, "memory": STATIC, "mac_spoofing": True,
    "assigned_mib": 8192, "newest_version": "10.0", "hyperv_role": "not confirmed",
    "guest_nat": "",
}  # fmt: skip


def make(vm=VM, goal=None, host=HOST, **changes) -> Plan:
    goal = goal or NestedGoal()
    if changes.get("power", "on") != "on":
        changes.setdefault("assigned_mib", 0)
    now = {place: (READY | changes)[place[1]] for place in places(host, vm, goal)}
    return draft(host, vm, goal, now)


def ops(plan):
    return [s.op if s.op != "set_property" else s.property for s in plan.steps]


def test_a_vm_that_is_ready_needs_nothing():
    assert make().is_empty
    assert "role" in make().notes[0]


def test_the_guide_s_six_steps_in_their_order():
    plan = make(
        goal=NestedGoal(install_role=True), nested_hv=False, mac_spoofing=False, memory=DYNAMIC
    )
    assert ops(plan) == [
        "shutdown_guest", "nested_hv", "mac_spoofing", "memory", "power_on", "install_role",
    ]  # fmt: skip
    assert [s.needs_off for s in plan.steps] == [False, True, False, True, False, False]
    assert plan.steps[3].after == STATIC
    assert not plan.steps[5].reversible
    assert plan.notes == ()


def test_a_plan_survives_its_file(tmp_path):
    goal = NestedGoal(install_role=True, nics=(NIC.key,), guest_user="LAB\\root", network="auto")
    plan = make(goal=goal, nested_hv=False, mac_spoofing=False, memory=DYNAMIC)
    assert Plan.load(plan.save(tmp_path / "plan.json")) == plan


def test_spoofing_alone_takes_no_restart():
    plan = make(mac_spoofing=False)
    assert ops(plan) == ["mac_spoofing"]
    assert plan.steps[0].target == Target("nic", NIC.key, "Network Adapter")
    assert make(mac_spoofing=False, goal=NestedGoal(network="leave")).is_empty


def test_a_guest_that_translates_already_needs_no_spoofing_unless_asked():
    vm = replace(VM, nics=(replace(NIC, mac_spoofing=False, inner_nat=True),))
    assert make(vm, mac_spoofing=False).is_empty
    assert ops(make(vm, mac_spoofing=False, goal=NestedGoal(network="spoofing"))) == [
        "mac_spoofing"
    ]


def test_chosen_nics_only_by_id_where_names_repeat():
    other = replace(NIC, key=f"Microsoft:{VM_ID.upper()}\\BBBB")
    vm = replace(VM, nics=(NIC, other))
    assert len(make(vm, mac_spoofing=False).steps) == 2
    plan = make(vm, goal=NestedGoal(nics=(other.key.lower(),)), mac_spoofing=False)
    assert [s.target.id for s in plan.steps] == [other.key]
    assert "Network Adapter" in plan.notes[0]
    with pytest.raises(PlanError, match="2 NICs of VM 'l1' are called 'Network Adapter'") as caught:
        make(vm, goal=NestedGoal(nics=("Network Adapter",)))
    assert other.key in caught.value.message
    with pytest.raises(PlanError, match="0 NICs"):
        make(vm, goal=NestedGoal(nics=("nobody",)))


def test_nat_inside_instead_of_spoofing():
    plan = make(goal=NestedGoal(network="nat"), mac_spoofing=False)
    assert ops(plan) == ["guest_nat"]
    assert (plan.steps[0].before, plan.steps[0].after) == ("", "192.168.222.0/24")
    assert make(goal=NestedGoal(network="nat"), guest_nat="10.0.0.0/24").is_empty
    for bad in ("8.8.8.0/24", "192.168.1.7/24", "10.0.0.0/30", "x"):
        with pytest.raises(PlanError, match="cannot be the network"):
            make(goal=NestedGoal(network="nat", nat_prefix=bad))


def test_what_is_inside_needs_a_vm_that_runs():
    for goal in (NestedGoal(install_role=True), NestedGoal(network="nat")):
        with pytest.raises(PlanError, match="needs it running"):
            make(goal=replace(goal, start=False), power="off")
    assert ops(make(goal=NestedGoal(install_role=True), power="off")) == [
        "power_on", "install_role",
    ]  # fmt: skip
    assert make(goal=NestedGoal(install_role=True), hyperv_role="installed").is_empty


@pytest.mark.parametrize("said", ["Windows Server 2022 (10.0.20348)", "Windows 11"])
def test_a_windows_that_can_be_entered_is_planned_for(said):
    plan = make(replace(VM, guest_os=said), goal=NestedGoal(install_role=True))
    assert ops(plan) == ["install_role"]
    assert make(replace(VM, guest_os="Ubuntu 24.04 LTS")).is_empty  # nothing is done inside


def test_a_startup_size_that_fits_the_free_memory():
    host = replace(HOST, free_memory_gib=2.0)
    # running, it gives its own memory back first
    assert ops(make(host=host, memory=DYNAMIC)) == ["shutdown_guest", "memory", "power_on"]
    plan = make(host=replace(host, free_memory_gib=6.0), power="off", memory=DYNAMIC)
    assert plan.steps[0].after["startup_mib"] == 6 * 1024 - 512
    assert "5632 MiB" in plan.steps[0].why
    with pytest.raises(PlanError, match=r"1\.5 GiB to spare.*4 GiB"):
        make(host=host, power="off")
    with pytest.raises(PlanError, match="16 GiB"):
        make(host=host, goal=NestedGoal(memory_gib=16), power="off")


def test_too_little_is_raised_to_the_minimum():
    plan = make(memory=STATIC | {"startup_mib": 2048}, cpu={"count": 1})
    assert ops(plan) == ["shutdown_guest", "cpu", "memory", "power_on"]
    assert plan.steps[1].after == {"count": 2}
    assert plan.steps[2].after["startup_mib"] == 4096


def test_old_configuration_versions_need_consent_on_their_own():
    old = replace(VM, configuration_version="9.0")
    assert make(old).is_empty  # Intel needs 8.0
    amd = replace(HOST, cpu=CpuFacts(vendor="amd", threads=16))
    assert make(host=amd).is_empty
    with pytest.raises(ConsentNeeded, match=r"9\.3") as caught:
        make(old, host=amd, goal=NestedGoal(discard_saved_state=True, hard_power_off=True))
    assert "--upgrade-version" in caught.value.remedy
    plan = make(old, host=amd, goal=NestedGoal(upgrade_version=True), nested_hv=False)
    assert ops(plan) == ["shutdown_guest", "configuration_version", "nested_hv", "power_on"]
    step = plan.steps[1]
    assert (step.before, step.after, step.reversible) == ("9.0", "10.0", False)
    assert step.consent == "upgrade_configuration_version"
    with pytest.raises(PlanError, match="offers no newer one"):
        make(replace(VM, configuration_version="5.0"), host=amd, newest_version="8.0")


def test_versions_compare_number_by_number():
    assert newer_or_equal("10.0", "9.3")
    assert not newer_or_equal("9.0", "9.3")


def test_an_amd_host_that_is_too_old_is_said_and_left_to_the_start():
    amd = replace(HOST, cpu=CpuFacts(vendor="amd", threads=16), build=17763)
    vm = replace(VM, configuration_version="9.0")
    plan = make(vm, host=amd, newest_version="9.0", nested_hv=False)
    assert ops(plan) == ["shutdown_guest", "nested_hv", "power_on"]
    assert "start is expected to fail" in plan.notes[0]


def test_a_saved_state_is_thrown_away_only_with_consent():
    with pytest.raises(ConsentNeeded, match="is saved") as caught:
        make(power="saved", nested_hv=False, goal=NestedGoal(upgrade_version=True))
    assert "--consent discard-saved-state" in caught.value.remedy
    plan = make(power="saved", nested_hv=False, goal=NestedGoal(discard_saved_state=True))
    assert ops(plan) == ["discard_saved_state", "nested_hv", "power_on"]
    assert (plan.steps[0].consent, plan.steps[0].reversible) == ("discard_saved_state", False)
    (start,) = make(power="saved").steps  # nothing to set: it may go on from its state
    assert (start.op, start.before, start.reversible) == ("power_on", "saved", False)
    with pytest.raises(PlanError, match="is paused"):
        make(power="paused")


def test_the_plug_is_pulled_only_where_the_guest_is_known_not_to_answer():
    goal = NestedGoal(hard_power_off=True)
    assert ops(make(goal=goal, nested_hv=False))[0] == "shutdown_guest"
    vm = replace(VM, tools="not running")
    assert ops(make(vm, goal=goal, nested_hv=False))[0] == "power_off"
    assert ops(make(vm, nested_hv=False))[0] == "shutdown_guest"  # the host tells when asked


def test_checkpoints_are_named():
    assert "2 checkpoint(s)" in make(replace(VM, snapshot_count=2), nested_hv=False).notes[0]


@pytest.mark.parametrize(
    ("vm", "goal", "what"),
    [
        (replace(VM, nics=()), NestedGoal(), "has no NIC"),
        (replace(VM, nics=Unknown("access denied")), NestedGoal(), "cannot be read: access denied"),
        (replace(VM, guest_os="Ubuntu 24.04 LTS"), NestedGoal(install_role=True), "runs Ubuntu"),
        (
            replace(VM, guest_os="Windows Server 2012 R2 (6.3.9600)"),
            NestedGoal(network="nat"),
            "PowerShell Direct does not reach",
        ),
        (VM, NestedGoal(network="promiscuous"), "which Hyper-V does not have"),
        (VM, NestedGoal(cpu_count=1), "1 vCPU"),
        (VM, NestedGoal(cpu_count=17), "17 vCPU are more"),
        (VM, NestedGoal(memory_gib=2), "2 GiB"),
        (VM, NestedGoal(memory_gib=99999), "99999 GiB"),
        (VM, NestedGoal(install_role=True, guest_user=""), "a user"),
    ],
)
def test_what_cannot_be_made_ready_is_refused_with_a_remedy(vm, goal, what):
    with pytest.raises(PlanError, match=what) as caught:
        make(vm, goal=goal)
    assert len(caught.value.remedy) > 10
