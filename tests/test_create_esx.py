"""A VM that is to host ESXi: planned, created, booted from an installer, verified, removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import nestkit as nk
from nestkit import configure
from nestkit.errors import JournalError, NestkitError, PlanError
from nestkit.hosts.esx_create import DESCRIBED, describe
from nestkit.plans import CreateGoal, NestedGoal, Plan
from nestkit.transport.vim import load

ISO = "[vsan-nested] iso/VMware-VMvisor-Installer-8.0U2-22380479.x86_64.iso"
KICKSTARTED = "[vsan-nested] iso/esxi-8.0U2-kickstart.iso"
HOST = "esx-01.lab.example"


@pytest.fixture(scope="module")
def vcenter() -> Iterator[Any]:
    with nk.practice.start("vpx") as practice:
        host = nk.connect(practice.url, password=practice.password)
        yield host
        host.close()


@pytest.fixture
def fresh() -> Iterator[Any]:
    with nk.practice.start("vpx") as practice:
        host = nk.connect(practice.url, password=practice.password)
        yield host
        host.close()


def goal(**changes: Any) -> CreateGoal:
    usual = {"name": "new-esxi", "networks": ("Plain VMs", "Nested Trunk"), "on_host": HOST}
    return CreateGoal(**(usual | {"iso": ISO} | changes))


def of(plan: Plan) -> list[str]:
    return [step.op if step.op != "set_property" else step.property for step in plan.steps]


def test_a_plan_for_a_new_vm_says_all_it_will_do(vcenter: Any) -> None:
    plan = configure.plan_new(vcenter, goal())
    assert of(plan) == ["create_vm", "cdrom", "mac_management", "power_on"]
    wanted = plan.steps[0].after
    assert wanted["guest_id"] == "vmkernel8Guest" and wanted["nested_hv"] is True
    assert (wanted["cpu_count"], wanted["memory_mib"], wanted["reservation_mib"]) == (
        4,
        16384,
        16384,
    )
    assert wanted["disks_mib"] == [64 * 1024] and len(wanted["networks"]) == 2
    assert plan.creates_vm and plan.vm.name == "new-esxi"
    learning = plan.steps[2]
    assert learning.target.name == "Plain VMs"  # the other network is ready
    assert learning.after["mac_learning"] is True and learning.after["promiscuous"] is False
    assert learning.after["limit"] == 4096 and learning.after["forged_transmits"] is True
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert "create VM 'new-esxi'" in str(plan) and "create VM" in plan._repr_html_()


def test_created_booted_verified_and_taken_back(fresh: Any, tmp_path: Any) -> None:
    before = [vm.name for page in fresh.fleet().pages() for vm in page.vms]
    plan = configure.plan_new(fresh, goal())
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    assert done.ok, str(done)
    assert "unknown: no VMware Tools" in done.guest  # the installer waits for a person
    report = nk.preflight.check(fresh, "new-esxi")
    assert [f.id for f in report.at("fail", "warn")] == []
    back = configure.rollback(done.journal, fresh)
    assert back.complete and set(back.undone) == {step.id for step in plan.steps}
    assert [vm.name for page in fresh.fleet().pages() for vm in page.vms] == before
    again = configure.resume(done.journal, fresh)
    assert again.ok
    assert configure.rollback(done.journal, fresh).complete


def test_a_guest_that_has_installed_itself_is_reported(fresh: Any, tmp_path: Any) -> None:
    plan = configure.plan_new(fresh, goal(iso=KICKSTARTED))
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    assert done.ok
    for _ in range(100):
        said = configure.verify(done.journal, fresh).guest
        if "unknown" not in said:
            break
    assert "the guest reports VMware ESXi" in said and "not ESXi" not in said


def change(host: Any, vm: str, **spec: Any) -> Any:
    vim = load().vim
    found = host._session.retrieve_all(vim.VirtualMachine, ("name",))
    (ref,) = [row.ref for row in found if row.fact("name") == vm]
    if spec:
        task = ref.ReconfigVM_Task(vim.vm.ConfigSpec(**spec))
        host._session.wait(task, 30, "changing it")
    return ref


def another_disk() -> Any:
    device = load().vim.vm.device
    disk = device.VirtualDisk(
        key=-1, controllerKey=1000, unitNumber=3, capacityInKB=8 * 2**20,
        backing=device.VirtualDisk.FlatVer2BackingInfo(
            fileName="", diskMode="persistent", thinProvisioned=True
        ),
    )  # fmt: skip
    return device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk)


@pytest.mark.parametrize("what", ["disk", "cpu", "name"])
def test_a_vm_that_is_no_longer_the_one_created_is_left(
    fresh: Any, tmp_path: Any, what: str
) -> None:
    plan = configure.plan_new(fresh, goal(start=False))
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    changes = {"disk": {"deviceChange": [another_disk()]}, "cpu": {"numCPUs": 6}}
    change(fresh, "new-esxi", **changes.get(what, {"name": "mine"}))
    back = configure.rollback(done.journal, fresh)
    assert not back.complete
    assert [left.step.op for left in back.conflicts] == ["create_vm"]
    kept = "mine" if what == "name" else "new-esxi"
    assert any(vm.name == kept for page in fresh.fleet().pages() for vm in page.vms)


def test_a_running_vm_of_somebody_elses_is_not_switched_off(fresh: Any, tmp_path: Any) -> None:
    plan = configure.plan_new(fresh, goal())
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    change(fresh, "new-esxi", annotation="x", extraConfig=[
        load().vim.option.OptionValue(key="nestkit.created_on", value="somewhere")
    ])  # fmt: skip
    back = configure.rollback(done.journal, fresh)
    assert not back.complete
    assert fresh.current(plan.vm, "power") == "on"


def test_a_vm_that_somebody_removed_leaves_nothing_to_undo_even_where_another_has_its_name(
    fresh: Any, tmp_path: Any
) -> None:
    first = configure.apply(configure.plan_new(fresh, goal()), fresh, journal_dir=tmp_path)
    removed = change(fresh, "new-esxi")
    for task in (removed.PowerOffVM_Task, removed.Destroy_Task):
        fresh._session.wait(task(), 30, "removing it")
    other = configure.plan_new(fresh, goal(start=False, networks=("Nested Trunk",)))
    configure.apply(other, fresh, journal_dir=tmp_path)
    back = configure.rollback(first.journal, fresh)
    assert back.complete, str(back)
    assert fresh.current(other.vm, "vm") == other.steps[0].after


def test_a_vm_with_another_disc_in_its_drive_is_in_use_and_left(fresh: Any, tmp_path: Any) -> None:
    plan = configure.plan_new(fresh, goal(networks=("Nested Trunk",)))
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    drives = load().vim.vm.device.VirtualCdrom
    ref = change(fresh, "new-esxi")
    (drive,) = [d for d in ref.config.hardware.device if isinstance(d, drives)]
    drive.backing = drives.IsoBackingInfo(fileName="[vsan-nested] iso/debian-12-netinst.iso")
    edit = load().vim.vm.device.VirtualDeviceSpec(operation="edit", device=drive)
    change(fresh, "new-esxi", deviceChange=[edit])
    back = configure.rollback(done.journal, fresh)
    assert [left.step.property for left in back.conflicts] == ["cdrom"]
    assert "create_vm" in [left.step.op for left in back.not_undone]
    assert fresh.current(plan.vm, "power") == "on"


def test_a_name_taken_meanwhile_is_told(fresh: Any, tmp_path: Any) -> None:
    ready = goal(start=False, networks=("Nested Trunk",))
    plan, other = configure.plan_new(fresh, ready), configure.plan_new(fresh, ready)
    configure.apply(plan, fresh, journal_dir=tmp_path)
    with pytest.raises(NestkitError, match="new-esxi") as caught:
        configure.apply(other, fresh, journal_dir=tmp_path)
    assert "kept in the journal" in caught.value.remedy
    with pytest.raises(PlanError, match="already"):
        configure.plan_new(fresh, goal())


def test_snapshots_are_part_of_what_a_vm_is(vcenter: Any) -> None:
    ref = change(vcenter, "nested-esxi-15")
    (row,) = vcenter._session.retrieve(load().vim.VirtualMachine, DESCRIBED, [ref])
    assert describe(row)["snapshots"] == 2


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "nested-esxi-02"}, "already"),
    ({"name": ""}, "name"),
    ({"name": "a/b"}, "otherwise"),
    ({"name": "x" * 81}, "80 characters"),
    ({"networks": ()}, "no network"),
    ({"networks": ("Nowhere",)}, "no network 'Nowhere'"),
    ({"networks": ("DSwitch-Nested-Uplinks",)}, "takes no VM"),
    ({"networks": ("Other Trunk",), "on_host": "esx-02.lab.example"}, "DSwitch-Other"),
    ({"iso": "[vsan-nested] iso/none.iso"}, "no installer"),
    ({"iso": "iso/none.iso"}, "no installer"),
    ({"iso": "[nowhere] iso/none.iso"}, "no installer"),
    ({"iso": "[vsan-nested] iso"}, "no installer"),
    ({"iso": "[vsan-nested] /iso/debian-12-netinst.iso"}, "no installer"),
    ({"networks": "Nested Trunk"}, "networks is 'Nested Trunk'"),
    ({"network": "spoofing"}, "Hyper-V"),
    ({"network": "nat"}, "Hyper-V"),
    ({"network": "bridge"}, "network is 'bridge'"),
    ({"location": "nfs-archive"}, "free"),
    ({"location": "nowhere"}, "no datastore 'nowhere'"),
    ({"disk_gib": 20000}, "free"),
    ({"disk_gib": 16}, "16 GiB of disk"),
    ({"cpu_count": 1}, "1 vCPU"),
    ({"cpu_count": 700}, "logical CPUs"),
    ({"memory_gib": 4}, "4 GiB of memory"),
    ({"memory_gib": 20000}, "more than the"),
    ({"nic_count": 11}, "11 network adapters"),
    ({"nic_count": 1}, "more than 1 adapters"),
    ({"cpu_count": True}, "cpu_count is True"),
    ({"on_host": ""}, "names none"),
    ({"on_host": "esx-99"}, "no host 'esx-99'"),
    ({"on_host": "esx-03.lab.example"}, "maintenance mode"),
    ({"on_host": "esx-04.lab.example"}, "disconnected"),
    ({"networks": ("Old Plain VMs",), "network": "mac_learning"}, "too old for MAC learning"),
    ({"networks": ("VM Network",), "network": "mac_learning"}, "standard switch"),
]


@pytest.mark.parametrize(("changes", "said"), BAD, ids=[str(next(iter(c.items()))) for c, _ in BAD])
def test_what_cannot_be_is_refused_with_a_remedy(
    vcenter: Any, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(PlanError, match=said) as caught:
        configure.plan_new(vcenter, goal(**changes))
    assert len(caught.value.remedy) > 15


def test_a_host_that_cannot_nest_gets_no_vm() -> None:
    with nk.practice.start("vpx", profile="no-vt") as practice:
        host = nk.connect(practice.url, password=practice.password)
        with pytest.raises(PlanError, match=r"VT-x|hardware virtualization"):
            configure.plan_new(host, goal())
        host.close()


@pytest.mark.parametrize(
    ("vm", "wanted", "said"),
    [
        ("nested-esxi-14", NestedGoal(), "vApp"),
        ("nested-esxi-template", NestedGoal(), "template"),
        ("nested-esxi-16", NestedGoal(), "maintenance mode"),
        ("nested-esxi-17", NestedGoal(), "disconnected"),
        ("nested-esxi-04", NestedGoal(), "upgrade_version"),
        ("nested-esxi-15", NestedGoal(upgrade_version=True), None),
        ("nested-esxi-12", NestedGoal(network="mac_learning"), "too old"),
        ("nested-esxi-13", NestedGoal(network="mac_learning"), "standard switch"),
        ("nested-esxi-10", NestedGoal(network="spoofing"), "Hyper-V"),
        ("nested-esxi-10", NestedGoal(network="nat"), "Hyper-V"),
    ],
)
def test_vms_that_cannot_be_made_ready_are_refused(
    vcenter: Any, vm: str, wanted: NestedGoal, said: str | None
) -> None:
    if said is None:  # its version is the newest: nothing to upgrade, and the snapshots are said
        assert any("snapshots" in note for note in configure.plan(vcenter, vm, goal=wanted).notes)
        return
    with pytest.raises(PlanError, match=said) as caught:
        configure.plan(vcenter, vm, goal=wanted)
    assert len(caught.value.remedy) > 15


@pytest.mark.parametrize(
    ("vm", "way", "learning", "promiscuous"),
    [
        ("nested-esxi-10", "auto", True, False),
        ("nested-esxi-10", "promiscuous", False, True),
        ("nested-esxi-11", "auto", True, False),
        ("nested-esxi-12", "auto", False, True),
        ("nested-esxi-03", "mac_learning", True, False),
    ],
)
def test_a_distributed_port_group_is_made_ready_and_put_back(
    fresh: Any, tmp_path: Any, vm: str, way: Any, learning: bool, promiscuous: bool
) -> None:
    plan = configure.plan(fresh, vm, goal=NestedGoal(network=way, start=False))
    (step,) = [each for each in plan.steps if each.property == "mac_management"]
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    assert done.ok, str(done)
    now = fresh.current(step.target, "mac_management")
    assert (now["mac_learning"], now["promiscuous"]) == (learning, promiscuous)
    assert now["forged_transmits"] is True
    assert [f.id for f in nk.preflight.check(fresh, vm).at("fail") if "nic" in f.id] == []
    assert configure.rollback(done.journal, fresh).complete
    assert fresh.current(step.target, "mac_management") == step.before


def test_an_old_api_has_no_mac_learning_to_plan_with(tmp_path: Any) -> None:
    with nk.practice.start("vpx", profile="old-api") as practice:
        host = nk.connect(practice.url, password=practice.password)
        with pytest.raises(PlanError, match="too old for MAC learning"):
            configure.plan(host, "nested-esxi-10", goal=NestedGoal(network="mac_learning"))
        plan = configure.plan(host, "nested-esxi-10", goal=NestedGoal(start=False))
        done = configure.apply(plan, host, journal_dir=tmp_path)
        assert done.ok and plan.steps[-1].after["promiscuous"] is True
        assert configure.rollback(done.journal, host).complete
        host.close()


def test_a_standard_port_group_of_one_host_of_a_vcenter(fresh: Any, tmp_path: Any) -> None:
    plan = configure.plan(fresh, "nested-esxi-13", goal=NestedGoal(start=False))
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    assert done.ok
    assert configure.plan(fresh, "nested-esxi-13", goal=NestedGoal(start=False)).is_empty
    assert configure.rollback(done.journal, fresh).complete


def test_an_upgrade_needs_its_own_consent_and_is_not_undone(fresh: Any, tmp_path: Any) -> None:
    plan = configure.plan(
        fresh, "nested-esxi-04", goal=NestedGoal(upgrade_version=True, start=False)
    )
    upgrade = next(step for step in plan.steps if step.property == "hardware_version")
    assert (upgrade.before, upgrade.after) == (8, 20)
    assert upgrade.consent == "upgrade_hardware_version" and not upgrade.reversible
    done = configure.apply(plan, fresh, journal_dir=tmp_path)
    assert done.ok
    back = configure.rollback(done.journal, fresh)
    assert [left.step.property for left in back.not_undone] == ["hardware_version"]


def test_a_journal_of_another_host_is_refused(vcenter: Any, fresh: Any, tmp_path: Any) -> None:
    done = configure.apply(
        configure.plan_new(fresh, goal(start=False)), fresh, journal_dir=tmp_path
    )
    if vcenter.identity != fresh.identity:
        with pytest.raises(JournalError):
            configure.rollback(done.journal, vcenter)
    with nk.practice.start("esx") as practice:
        host = nk.connect(practice.url, password=practice.password)
        with pytest.raises(JournalError, match="this host is"):
            configure.rollback(done.journal, host)
        host.close()


@pytest.mark.parametrize("part", ["disks_mib", "networks", "created_on", "cpu_count"])
def test_a_damaged_description_is_refused_before_anything_is_done(
    vcenter: Any, part: str, tmp_path: Any
) -> None:
    plan = configure.plan_new(vcenter, goal(name="damaged", start=False, iso=""))
    data = plan.to_json()
    data["steps"][0]["after"][part] = {"a": 1}
    with pytest.raises(PlanError, match="description"):
        configure.apply(Plan.from_json(data), vcenter, journal_dir=tmp_path)
    assert vcenter.current(plan.vm, "vm") is None
