"""The practice vCenter behaves towards an unmodified pyVmomi as a vCenter does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest
from practice_helpers import PC, connect, datacenter, filter_spec, retrieve, rows, vim, vmodl
from pyVim.task import WaitForTask

import nestkit.practice
from nestkit.errors import DataFileError, PracticeError
from nestkit.practice.esx import vcenter
from nestkit.practice.profiles import names
from nestkit.practice.tables import Source

LEAVES = ["name", "config.version", "config.nestedHVEnabled", "config.hardware.numCPU",
          "config.hardware.memoryMB", "runtime.powerState"]  # fmt: skip
Vds = vim.dvs.VmwareDistributedVirtualSwitch
GroupSpec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    with nestkit.practice.start("vpx") as p:
        yield p


@pytest.fixture
def p(shared: Any) -> Any:
    shared.reset()
    shared.set_faults()
    return shared


@pytest.fixture
def si(p: Any) -> Any:
    return connect(p)


def vm(si: Any, name: str) -> Any:
    manager = si.content.viewManager
    view = manager.CreateContainerView(si.content.rootFolder, [vim.VirtualMachine], True)
    (found,) = [one for one in view.view if one.name == name]
    return found


def group(si: Any, name: str) -> Any:
    (found,) = [one for one in datacenter(si).network if one.name == name]
    return found


def cluster(si: Any) -> Any:
    return datacenter(si).hostFolder.childEntity[0]


def refusal(task: Any) -> Any:
    with pytest.raises(vmodl.MethodFault) as refused:
        WaitForTask(task())
    return refused.value


def reconfigure(one: Any, **spec: Any) -> Any:
    return one.ReconfigVM_Task(vim.vm.ConfigSpec(**spec))


# -- inventory ----------------------------------------------------------------------------------


def test_says_that_it_is_a_vcenter_and_a_practice_one(p: Any, si: Any) -> None:
    about = si.content.about
    assert (about.apiType, about.productLineId) == ("VirtualCenter", "vpx")
    assert "practice" in about.fullName.lower() and "practice" in about.vendor.lower()
    assert about.instanceUuid
    assert p.url.startswith("vpx://administrator@vsphere.local@127.0.0.1:")


def test_the_tree_holds_a_cluster_hosts_switches_and_a_vapp(si: Any) -> None:
    assert isinstance(cluster(si), vim.ClusterComputeResource)
    hosts = {h.name: (h.runtime.connectionState, h.runtime.inMaintenanceMode) for h in
             cluster(si).host}  # fmt: skip
    assert hosts == {
        "esx-01.lab.example": ("connected", False),
        "esx-02.lab.example": ("connected", False),
        "esx-03.lab.example": ("connected", True),
        "esx-04.lab.example": ("disconnected", False),
    }
    assert (cluster(si).summary.numHosts, cluster(si).summary.numEffectiveHosts) == (4, 2)
    folder = datacenter(si).networkFolder.childEntity
    switches = {s.name: s for s in folder if isinstance(s, Vds)}
    assert {n: s.config.productInfo.version for n, s in switches.items()} == {
        "DSwitch-Nested": "8.0.0", "DSwitch-Old": "6.5.0", "DSwitch-Other": "8.0.0",
    }  # fmt: skip
    learns = {n: s.capability.featuresSupported.macLearningSupported for n, s in switches.items()}
    assert learns == {"DSwitch-Nested": True, "DSwitch-Old": False, "DSwitch-Other": True}
    assert len(switches["DSwitch-Other"].summary.hostMember) == 1
    (vapp,) = [e for e in datacenter(si).vmFolder.childEntity if isinstance(e, vim.VirtualApp)]
    assert [one.name for one in vapp.vm] == ["nested-esxi-14"]
    assert vapp.vm[0].parentVApp == vapp and vapp.vm[0].parent is None


def test_whole_objects_and_leaves_agree(si: Any) -> None:
    from nestkit.practice.esx.vm_leaves import LEAVES as KNOWN

    paths = sorted(KNOWN)
    leaves = rows(retrieve(si, paths).objects)
    assert len(leaves) == 20
    for name in ("nested-esxi-01", "nested-esxi-14", "nested-esxi-template", "nested-esxi-17"):
        one = vm(si, name)
        for path in paths:
            value: Any = one
            for step in path.split("."):
                value = getattr(value, step)
            assert leaves[one._moId][path] == value, path


def test_ten_thousand_vms_are_ready_at_once_and_built_when_read() -> None:
    began = time.monotonic()
    with nestkit.practice.start("vpx", vms=10_000) as p:
        assert time.monotonic() - began < 60, "1.5 s on a quiet machine"
        before = psutil.Process(p.pid).memory_info().rss
        si = connect(p)
        collector = si.content.propertyCollector
        options = PC.RetrieveOptions(maxObjects=500)
        page = collector.RetrievePropertiesEx([filter_spec(si, LEAVES)], options)
        seen: set[str] = set()
        for _ in range(3):
            assert len(page.objects) == 500
            seen |= {one.obj._moId for one in page.objects}
            page = collector.ContinueRetrievePropertiesEx(page.token)
        assert len(seen) == 1500
        collector.CancelRetrievePropertiesEx(page.token)
        with pytest.raises(vmodl.fault.InvalidArgument):
            collector.ContinueRetrievePropertiesEx(page.token)
        grown = psutil.Process(p.pid).memory_info().rss - before
        assert grown < 60e6, f"{grown / 1e6:.0f} MB for 1,500 VMs"


def test_a_vm_that_goes_between_two_pages_is_left_out(si: Any) -> None:
    collector = si.content.propertyCollector
    options = PC.RetrieveOptions(maxObjects=5)
    page = collector.RetrievePropertiesEx([filter_spec(si, ["name"])], options)
    gone = vm(si, "nested-esxi-19")
    assert gone._moId not in rows(page.objects)
    WaitForTask(gone.Destroy_Task())
    seen = rows(page.objects)
    while page.token:
        page = collector.ContinueRetrievePropertiesEx(page.token)
        seen |= rows(page.objects)
    assert len(seen) == 19 and gone._moId not in seen


def test_vms_that_cannot_be_read_are_told_with_the_reason() -> None:
    with nestkit.practice.start("vpx", profile="unreadable") as p:
        objects = retrieve(connect(p), ["name", "config.version"]).objects
        hidden = {o.propSet[0].val: o.missingSet for o in objects if o.missingSet}
        assert set(hidden) == {"nested-esxi-05", "nested-esxi-09", "nested-esxi-13"}
        for (missing,) in hidden.values():
            assert missing.path == "config.version"
            assert isinstance(missing.fault, vim.fault.NoPermission)


def test_a_lost_vcenter_breaks_every_call_from_then_on(p: Any, si: Any) -> None:
    collector = si.content.propertyCollector
    spec, options = [filter_spec(si, ["name"])], PC.RetrieveOptions(maxObjects=5)
    p.set_faults(lost_after=2)
    token = collector.RetrievePropertiesEx(spec, options).token
    for _ in range(3):
        with pytest.raises((OSError, HTTPException)):
            collector.ContinueRetrievePropertiesEx(token)
    p.set_faults()
    assert si.CurrentTime()


# -- rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fault"),
    [("nested-esxi-template", vmodl.fault.NotSupported),
     ("nested-esxi-17", vmodl.fault.HostNotConnected)],
)  # fmt: skip
def test_templates_and_vms_of_lost_hosts_refuse_every_change(
    si: Any, name: str, fault: Any
) -> None:
    one = vm(si, name)
    for task in (
        lambda: reconfigure(one, nestedHVEnabled=True),
        one.PowerOnVM_Task,
        lambda: one.UpgradeVM_Task("vmx-21"),
    ):
        assert isinstance(refusal(task), fault)
    assert one.config.nestedHVEnabled is False


def test_a_host_in_maintenance_mode_starts_nothing(si: Any) -> None:
    one = vm(si, "nested-esxi-16")
    WaitForTask(reconfigure(one, nestedHVEnabled=True))
    assert isinstance(refusal(one.PowerOnVM_Task), vim.fault.InvalidState)


def test_a_vm_with_snapshots_keeps_the_size_of_its_disks(si: Any) -> None:
    one = vm(si, "nested-esxi-15")
    (root,) = one.snapshot.rootSnapshotList
    assert [root.name, root.childSnapshotList[0].name] == [
        "before the upgrade", "after the upgrade",
    ]  # fmt: skip
    assert one.snapshot.currentSnapshot == root.childSnapshotList[0].snapshot
    assert any("-000002.vmdk" in file.name for file in one.layoutEx.file)
    disk = next(d for d in one.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk))
    disk.capacityInBytes += 2**30
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)
    fault = refusal(lambda: reconfigure(one, deviceChange=[change]))
    assert isinstance(fault, vim.fault.InvalidDeviceOperation)


def test_a_nic_goes_only_where_its_host_is_a_member(si: Any) -> None:
    def move(one: Any, to: str) -> Any:
        nic = next(d for d in one.config.hardware.device if hasattr(d, "macAddress"))
        target = group(si, to)
        nic.backing.port = vim.dvs.PortConnection(
            switchUuid=target.config.distributedVirtualSwitch.uuid, portgroupKey=target.key
        )
        change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=nic)
        return reconfigure(one, deviceChange=[change])

    WaitForTask(move(vm(si, "nested-esxi-19"), "Other Trunk"))
    assert "Other Trunk" in [n.name for n in vm(si, "nested-esxi-19").network]
    fault = refusal(lambda: move(vm(si, "nested-esxi-16"), "Other Trunk"))  # on another host
    assert isinstance(fault, vim.fault.InvalidDeviceBacking)


# -- distributed port groups --------------------------------------------------------------------


def learning(**more: Any) -> Any:
    learn = Vds.MacLearningPolicy(inherited=False, enabled=True)
    policy = Vds.MacManagementPolicy(inherited=False, macLearningPolicy=learn, **more)
    return Vds.VmwarePortConfigPolicy(macManagementPolicy=policy)


def test_mac_learning_is_set_and_read_back(si: Any) -> None:
    one = group(si, "Plain VMs")
    version = one.config.configVersion
    setting = learning(forgedTransmits=True)
    spec = GroupSpec(configVersion=version, defaultPortConfig=setting)
    WaitForTask(one.ReconfigureDVPortgroup_Task(spec))
    policy = one.config.defaultPortConfig.macManagementPolicy
    assert (policy.macLearningPolicy.enabled, policy.forgedTransmits) == (True, True)
    assert policy.allowPromiscuous is False
    assert one.config.configVersion != version
    assert one.config.defaultPortConfig.securityPolicy.forgedTransmits.value is True


def test_a_policy_replaces_the_whole_policy(si: Any) -> None:
    """What a client leaves out is gone: read, modify, write."""
    one = group(si, "Nested Trunk")
    assert one.config.defaultPortConfig.macManagementPolicy.forgedTransmits is True
    spec = GroupSpec(configVersion=one.config.configVersion, defaultPortConfig=learning())
    WaitForTask(one.ReconfigureDVPortgroup_Task(spec))
    assert one.config.defaultPortConfig.macManagementPolicy.forgedTransmits is False


def test_an_older_version_of_the_configuration_is_refused(si: Any) -> None:
    one = group(si, "Plain VMs")
    stale = GroupSpec(configVersion="0", description="x")
    assert isinstance(
        refusal(lambda: one.ReconfigureDVPortgroup_Task(stale)), vim.fault.ConcurrentAccess
    )
    none = GroupSpec(description="x")
    assert isinstance(
        refusal(lambda: one.ReconfigureDVPortgroup_Task(none)), vmodl.fault.InvalidArgument
    )
    assert one.config.description == ""


def test_an_old_switch_does_not_learn(si: Any) -> None:
    one = group(si, "Old Plain VMs")
    assert one.config.defaultPortConfig.macManagementPolicy is None
    spec = GroupSpec(configVersion=one.config.configVersion, defaultPortConfig=learning())
    fault = refusal(lambda: one.ReconfigureDVPortgroup_Task(spec))
    assert isinstance(fault, vmodl.fault.NotSupported)
    flag = vim.BoolPolicy(inherited=False, value=True)
    security = Vds.SecurityPolicy(
        inherited=False, allowPromiscuous=flag, macChanges=flag, forgedTransmits=flag
    )
    setting = Vds.VmwarePortConfigPolicy(securityPolicy=security)
    spec = GroupSpec(configVersion=one.config.configVersion, defaultPortConfig=setting)
    WaitForTask(one.ReconfigureDVPortgroup_Task(spec))
    assert one.config.defaultPortConfig.securityPolicy.allowPromiscuous.value is True


def test_an_old_vcenter_shows_nothing_of_learning_and_drops_it_silently() -> None:
    with nestkit.practice.start("vpx", profile="old-api") as p:
        si = connect(p)
        assert si.content.about.apiVersion == "6.5"
        one = group(si, "Plain VMs")
        assert one.config.defaultPortConfig.macManagementPolicy is None
        spec = GroupSpec(configVersion=one.config.configVersion, defaultPortConfig=learning())
        WaitForTask(one.ReconfigureDVPortgroup_Task(spec))  # pyVmomi leaves the field out
        assert one.config.defaultPortConfig.securityPolicy.forgedTransmits.value is False


def test_a_user_who_may_only_look_changes_no_port_group() -> None:
    with nestkit.practice.start("vpx", profile="readonly") as p:
        assert p.user == "trainee"
        one = group(connect(p), "Plain VMs")
        spec = GroupSpec(configVersion=one.config.configVersion, description="x")
        assert isinstance(
            refusal(lambda: one.ReconfigureDVPortgroup_Task(spec)), vim.fault.NoPermission
        )


# -- the inventory file -------------------------------------------------------------------------


def test_every_profile_loads_and_identities_are_stable() -> None:
    path = vcenter.default_path()
    profiles = names(Source(path))
    assert set(profiles) == {"default", "no-hosts", "no-vt", "old-api", "readonly", "unreadable"}
    uuids = {vcenter.load(path, profile=name).uuid for name in profiles}
    assert len(uuids) == len(profiles)
    assert vcenter.load(path, vms=3, seed=5).uuid == vcenter.load(path, vms=3, seed=5).uuid


def test_a_seed_deals_each_learner_other_faults() -> None:
    def faults(seed: int | None) -> dict[str, Any]:
        vms = vcenter.load(vcenter.default_path(), seed=seed).vms.values()
        return {v.name: (v.nested, v.memory_mb, v.template, v.vapp, v.datastore.name) for v in vms}

    plain, one, other = faults(None), faults(1), faults(2)
    assert faults(1) == one
    assert set(plain) == set(one) == set(other)  # the same names
    assert one != other != plain != one
    assert sorted(map(repr, one.values())) == sorted(map(repr, plain.values()))  # the same faults


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('version = "6.5.0"', 'version = "5.9"', r"dv_switch\.version: must be one of"),
        ('hosts = ["esx-01.lab.example"]', 'hosts = ["esx-99"]', r"dv_switch\.hosts: there is no"),
        ('switch = "DSwitch-Old"', 'switch = "DSwitch-X"', r"dv_port_group\.switch: there is no"),
        ('host = "esx-03.lab.example"', 'host = "esx-33"', r"vm\.host: there is no \[\[host\]\]"),
        ('datastore = "nfs-archive"', 'datastore = "nfs"', r"vm\.datastore: there is no"),
        ('vapp = "nested-vapp"', 'vapp = "other"', r"vm\.vapp: there is no vApp 'other'"),
        ('networks = ["Old Plain VMs"]', 'networks = ["Lab"]', r"vm\.networks: there is no port"),
        ("maintenance_mode = true", "maintenance_mode = 1", r"host\.maintenance_mode: must be"),
    ],
)
def test_a_broken_inventory_is_named_by_line_and_field(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    text = vcenter.default_path().read_text(encoding="utf-8")
    assert right in text
    path = tmp_path / "vpx.toml"
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(DataFileError, match=message) as refused:
        vcenter.load(path)
    line = int(refused.value.message.split(":")[1])
    assert wrong in text.replace(right, wrong, 1).splitlines()[line - 1]
    with pytest.raises(PracticeError, match="no profile"):
        vcenter.load(vcenter.default_path(), profile="none")
