"""The practice ESXi host behaves towards an unmodified pyVmomi as ESXi does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from practice_helpers import connect, datacenter, esx, retrieve, rows, until, vim, vm_named, vmodl
from pyVim.task import WaitForTask

import nestkit.practice

MB = 2**20


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    with nestkit.practice.start("esx") as p:
        yield p


@pytest.fixture
def p(shared: Any) -> Any:
    shared.reset()
    shared.set_faults()
    return shared


@pytest.fixture
def si(p: Any) -> Any:
    return connect(p)


def reconfigure(vm: Any, **spec: Any) -> None:
    WaitForTask(vm.ReconfigVM_Task(vim.vm.ConfigSpec(**spec)))


def test_says_that_it_is_a_practice_host_and_negotiates_8_0(si: Any) -> None:
    about = si.content.about
    assert about.apiType == "HostAgent"
    assert about.apiVersion == "8.0.2.0"
    assert "practice" in about.name.lower()
    assert "practice" in about.fullName.lower()
    assert "practice" in about.vendor.lower()
    assert si._stub.version == "vim.version.v8_0_2_0"


def test_attribute_access_reads_everything_the_host_has(si: Any) -> None:
    host = esx(si)
    assert host.hardware.memorySize == 128 * 2**30
    assert host.capability.nestedHVSupported is True
    assert host.capability.cpuHwMmuSupported is True
    assert host.config.product.apiVersion == "8.0.2.0"
    assert host.summary.hardware.numNics == len(host.config.network.pnic) == 3
    assert [nic.linkSpeed.speedMb for nic in host.config.network.pnic] == [1000, 1000, 10000]
    disks = host.config.storageDevice.scsiLun
    assert [d.capacity.block * d.capacity.blockSize // 2**30 for d in disks] == [480, 1920]
    assert host.configManager.networkSystem.networkInfo.vswitch[0].name == "vSwitch0"
    assert len(host.vm) == 17
    assert {network.name for network in host.network} >= {"Nested Trunk", "Nested Lab A"}
    assert datacenter(si).datastore[0].summary.type == "VMFS"


def test_the_processor_shows_its_features_as_cpuid_bits(si: Any) -> None:
    def bit(register: str, number: int) -> str:
        return register.replace(":", "")[31 - number]

    leaf = {f.level & 0xFFFFFFFF: f for f in esx(si).hardware.cpuFeature}
    assert bit(leaf[1].ecx, 5) == "1"  # VMX
    assert bit(leaf[0x80000001].edx, 20) == "1"  # NX
    assert bit(leaf[0x80000001].edx, 29) == "1"  # 64-bit
    assert {c.key: c.value for c in esx(si).config.featureCapability}["cpuid.VMX"] == "1"


def test_whole_objects_and_leaves_agree(si: Any) -> None:
    from nestkit.practice.esx.vm_leaves import LEAVES

    paths = sorted(LEAVES)
    leaves = rows(retrieve(si, paths).objects)
    for vm in datacenter(si).vmFolder.childEntity:
        tops: dict[str, Any] = {}
        for path in paths:
            first, *rest = path.split(".")
            value = tops.setdefault(first, getattr(vm, first))
            for step in rest:
                value = getattr(value, step)
            assert leaves[vm._moId][path] == value, path


@pytest.mark.parametrize(
    "change",
    [{"nestedHVEnabled": True}, {"numCPUs": 8}, {"memoryMB": 32 * 1024}, {"firmware": "bios"}],
)
def test_a_running_vm_refuses_what_needs_it_off(si: Any, change: dict[str, Any]) -> None:
    vm = vm_named(si, "nested-esxi-01")
    before = vm.config.changeVersion
    with pytest.raises(vim.fault.InvalidPowerState) as refused:
        reconfigure(vm, **change)
    assert refused.value.existingState == "poweredOn"
    assert refused.value.requestedState == "poweredOff"
    assert vm.config.changeVersion == before


def test_a_suspended_vm_refuses_too(si: Any) -> None:
    with pytest.raises(vim.fault.InvalidPowerState) as refused:
        reconfigure(vm_named(si, "nested-esxi-17"), nestedHVEnabled=True)
    assert refused.value.existingState == "suspended"


def test_shut_down_change_and_start_again(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-01")
    began = time.monotonic()
    vm.ShutdownGuest()
    until(lambda: vm.runtime.powerState == "poweredOff")
    assert time.monotonic() - began > 0.9, "a guest takes its time to shut down"
    reconfigure(vm, nestedHVEnabled=True, numCPUs=8, memoryMB=20 * 1024)
    assert (vm.config.nestedHVEnabled, vm.config.hardware.numCPU) == (True, 8)
    assert vm.config.hardware.memoryMB == 20 * 1024
    began = time.monotonic()
    WaitForTask(vm.PowerOn())
    until(lambda: vm.guest.toolsRunningStatus == "guestToolsRunning")
    assert time.monotonic() - began > 0.9, "and to start its VMware Tools"


def test_reconfiguration_goes_on_after_the_call_and_changes_the_change_version(
    p: Any, si: Any
) -> None:
    vm = vm_named(si, "nested-esxi-16")
    before = vm.config.changeVersion
    p.set_faults(slow_task=0.4)
    task = vm.ReconfigVM_Task(vim.vm.ConfigSpec(nestedHVEnabled=True))
    assert task.info.state == "running"
    assert vm.config.nestedHVEnabled is False
    assert [t._moId for t in vm.recentTask] == [task._moId]
    assert task._moId in [t._moId for t in si.content.taskManager.recentTask]
    with pytest.raises(vim.fault.TaskInProgress) as busy:
        vm.PowerOn()
    assert busy.value.task._moId == task._moId
    WaitForTask(task)
    assert vm.config.nestedHVEnabled is True
    assert vm.config.changeVersion > before
    assert task.info.entityName == "nested-esxi-16"
    assert task.info.descriptionId == "VirtualMachine.reconfigure"


@pytest.mark.parametrize("memory_mb", [4097, 4098, 0, -4])
def test_memory_comes_in_multiples_of_4_mb(si: Any, memory_mb: int) -> None:
    with pytest.raises(vmodl.fault.InvalidArgument) as refused:
        reconfigure(vm_named(si, "nested-esxi-16"), memoryMB=memory_mb)
    assert "memoryMB" in refused.value.invalidProperty


def test_nesting_needs_hardware_version_9(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-03")
    with pytest.raises(vim.fault.VmConfigFault) as refused:
        reconfigure(vm, nestedHVEnabled=True)
    assert "version" in refused.value.msg
    WaitForTask(vm.UpgradeVM_Task("vmx-20"))
    assert vm.config.version == "vmx-20"
    reconfigure(vm, nestedHVEnabled=True)
    assert vm.config.nestedHVEnabled is True


def test_upgrade_refuses_unknown_lower_and_running(si: Any) -> None:
    for unknown in ("vmx-22", "vmx-12", "20", "vmx-x", "vmx-٣"):
        with pytest.raises(vmodl.fault.InvalidArgument):
            WaitForTask(vm_named(si, "nested-esxi-03").UpgradeVM_Task(unknown))
    with pytest.raises(vim.fault.AlreadyUpgraded):
        WaitForTask(vm_named(si, "nested-esxi-16").UpgradeVM_Task("vmx-19"))
    with pytest.raises(vim.fault.InvalidPowerState):
        WaitForTask(vm_named(si, "nested-esxi-01").UpgradeVM_Task("vmx-21"))
    vm = vm_named(si, "nested-esxi-03")
    WaitForTask(vm.UpgradeVM_Task())
    assert vm.config.version == "vmx-21"


def test_names_are_unique(si: Any) -> None:
    with pytest.raises(vim.fault.DuplicateName) as refused:
        reconfigure(vm_named(si, "nested-esxi-16"), name="nested-esxi-02")
    assert refused.value.object.name == "nested-esxi-02"
    with pytest.raises(vim.fault.InvalidName):
        reconfigure(vm_named(si, "nested-esxi-16"), name=" ")


def test_reservations_fit_the_vm_and_the_host(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-07")
    allocate = vim.ResourceAllocationInfo
    with pytest.raises(vmodl.fault.InvalidArgument):
        reconfigure(vm, memoryAllocation=allocate(reservation=17 * 1024))
    with pytest.raises(vim.fault.InsufficientMemoryResourcesFault) as refused:
        reconfigure(vm, memoryMB=256 * 1024, memoryAllocation=allocate(reservation=200 * 1024))
    assert refused.value.requested == 200 * 1024 * MB
    assert vm.config.hardware.memoryMB == 16 * 1024, "refused as a whole"
    reconfigure(vm, memoryAllocation=allocate(reservation=16 * 1024))
    assert vm.config.memoryAllocation.reservation == 16 * 1024
    with pytest.raises(vmodl.fault.InvalidArgument):
        reconfigure(vm, memoryMB=8 * 1024)
    reconfigure(vm, memoryReservationLockedToMax=True, memoryMB=20 * 1024)
    assert vm.summary.config.memoryReservation == 20 * 1024


def test_power_on_is_admitted_only_while_memory_can_be_reserved(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-16")
    reconfigure(
        vm, memoryMB=100 * 1024, memoryAllocation=vim.ResourceAllocationInfo(reservation=102400)
    )
    with pytest.raises(vim.fault.InsufficientMemoryResourcesFault):
        WaitForTask(vm.PowerOn())
    assert vm.runtime.powerState == "poweredOff"
    reconfigure(vm, numCPUs=65, memoryAllocation=vim.ResourceAllocationInfo(reservation=0))
    with pytest.raises(vim.fault.NotEnoughLogicalCpus):
        WaitForTask(vm.PowerOn())


def test_a_stale_change_version_is_refused(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-16")
    seen = vm.config.changeVersion
    reconfigure(vm, annotation="someone else was here")
    with pytest.raises(vim.fault.ConcurrentAccess):
        reconfigure(vm, changeVersion=seen, nestedHVEnabled=True)
    reconfigure(vm, changeVersion=vm.config.changeVersion, nestedHVEnabled=True)
    assert vm.config.nestedHVEnabled is True


def test_settings_it_does_not_model_are_refused_and_not_dropped(si: Any) -> None:
    with pytest.raises(vmodl.fault.NotSupported, match="vPMCEnabled"):
        reconfigure(vm_named(si, "nested-esxi-16"), vPMCEnabled=True)
    with pytest.raises(vmodl.fault.NotSupported, match="CreateSnapshot_Task"):
        vm_named(si, "nested-esxi-16").CreateSnapshot_Task("x", "", False, False)


def test_power_operations_refuse_the_state_they_are_in(si: Any) -> None:
    on, off = vm_named(si, "nested-esxi-02"), vm_named(si, "nested-esxi-16")
    with pytest.raises(vim.fault.InvalidPowerState):
        WaitForTask(on.PowerOn())
    with pytest.raises(vim.fault.InvalidPowerState):
        WaitForTask(off.PowerOff())
    with pytest.raises(vim.fault.InvalidPowerState):
        off.ShutdownGuest()
    WaitForTask(on.Suspend())
    assert on.runtime.powerState == "suspended"
    WaitForTask(on.PowerOn())
    assert on.guest.toolsRunningStatus == "guestToolsRunning", "resumed, not booted"


def test_shutdown_needs_tools(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-14")
    assert vm.guest.toolsStatus == "toolsNotInstalled"
    with pytest.raises(vim.fault.ToolsUnavailable):
        vm.ShutdownGuest()
    WaitForTask(vm.PowerOff())
    assert vm.runtime.powerState == "poweredOff"


def test_extra_config_is_merged_and_an_empty_value_removes(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-15")

    def keys() -> dict[str, str]:
        return {option.key: option.value for option in vm.config.extraConfig}

    assert keys() == {"vhv.enable": "TRUE"}
    reconfigure(vm, extraConfig=[vim.option.OptionValue(key="a", value="<&>")])
    assert keys() == {"vhv.enable": "TRUE", "a": "<&>"}
    reconfigure(vm, extraConfig=[vim.option.OptionValue(key="vhv.enable", value="")])
    assert keys() == {"a": "<&>"}


def test_a_nic_can_be_moved_to_another_port_group(si: Any) -> None:
    vm = vm_named(si, "nested-esxi-12")
    (nic,) = [d for d in vm.config.hardware.device if hasattr(d, "macAddress")]
    nic.backing.deviceName, nic.backing.network = "Nested Lab A", None
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=nic)
    reconfigure(vm, deviceChange=[change])
    assert [network.name for network in vm.network] == ["Nested Lab A"]
    nic.backing.deviceName = "no such network"
    with pytest.raises(vim.fault.NotFound):
        reconfigure(vm, deviceChange=[change])


def policy(si: Any, name: str) -> tuple[Any, ...]:
    (group,) = [g for g in esx(si).config.network.portgroup if g.spec.name == name]
    own, effective = group.spec.policy.security, group.computedPolicy.security
    return (own.allowPromiscuous, own.forgedTransmits), (
        effective.allowPromiscuous,
        effective.forgedTransmits,
    )


def test_port_groups_inherit_from_their_switch_unless_they_override(si: Any) -> None:
    assert policy(si, "Management Network") == ((None, None), (False, True))
    assert policy(si, "Nested Trunk") == ((True, True), (True, True))
    assert policy(si, "Nested Lab B") == ((False, None), (False, True))
    assert policy(si, "Nested Lab C") == ((None, None), (True, False))


def test_a_port_group_update_replaces_its_policy(si: Any) -> None:
    network = esx(si).configManager.networkSystem
    (group,) = [g for g in network.networkInfo.portgroup if g.spec.name == "Nested Lab C"]
    group.spec.policy.security.forgedTransmits = True
    network.UpdatePortGroup("Nested Lab C", group.spec)
    assert policy(si, "Nested Lab C") == ((None, True), (True, True))
    bare = vim.host.PortGroup.Specification(
        name="Nested Lab C", vlanId=130, vswitchName="vSwitch2", policy=vim.host.NetworkPolicy()
    )
    network.UpdatePortGroup("Nested Lab C", bare)
    assert policy(si, "Nested Lab C") == ((None, None), (True, False))
    with pytest.raises(vim.fault.NotFound):
        network.UpdatePortGroup("no such port group", bare)


def test_a_switch_update_reaches_the_port_groups_that_inherit(si: Any) -> None:
    network = esx(si).configManager.networkSystem
    (switch,) = [s for s in network.networkInfo.vswitch if s.name == "vSwitch2"]
    switch.spec.policy.security.forgedTransmits = True
    network.UpdateVirtualSwitch("vSwitch2", switch.spec)
    assert policy(si, "Nested Lab C") == ((None, None), (True, True))
    assert policy(si, "Nested Lab B") == ((False, None), (False, True))


def test_wrong_passwords_are_refused_late(p: Any) -> None:
    for user, password in ((p.user, "wrong"), ("nobody", p.password), ("", "")):
        began = time.monotonic()
        with pytest.raises(vim.fault.InvalidLogin):
            connect(p, user=user, pwd=password)
        assert time.monotonic() - began > 0.4


def test_nothing_but_the_service_content_without_a_login(p: Any, si: Any) -> None:
    vm = vm_named(si, "nested-esxi-02")
    si.content.sessionManager.Logout()
    assert si.content.about.apiType == "HostAgent"
    assert si.content.sessionManager.currentSession is None
    for attempt in (lambda: vm.name, vm.PowerOff, lambda: retrieve(si, ["name"])):
        with pytest.raises(vim.fault.NotAuthenticated):
            attempt()


def test_sessions_expire(p: Any, si: Any) -> None:
    assert si.content.sessionManager.currentSession.userName == "root"
    p.set_faults(expire_after=2)
    with pytest.raises(vim.fault.NotAuthenticated):
        for _ in range(3):
            si.CurrentTime()
    si.content.sessionManager.Login(p.user, p.password, None)
    si.CurrentTime()


def test_idle_sessions_expire() -> None:
    with nestkit.practice.start("esx", session_s=3) as p:
        si = connect(p)
        si.CurrentTime()
        time.sleep(3.3)
        with pytest.raises(vim.fault.NotAuthenticated):
            si.CurrentTime()


def test_unknown_objects_and_methods(si: Any) -> None:
    with pytest.raises(vmodl.fault.ManagedObjectNotFound) as missing:
        vim.VirtualMachine("4711", si._stub).PowerOff()
    assert missing.value.obj._moId == "4711"
    wrong = vim.VirtualMachine("ha-host", si._stub)
    with pytest.raises(vmodl.fault.MethodNotFound):
        wrong.PowerOff()


def test_finding_by_uuid_and_path(si: Any) -> None:
    index, vm = si.content.searchIndex, vm_named(si, "nested-esxi-05")
    uuid = vm.config.instanceUuid
    assert index.FindByUuid(None, uuid, True, True)._moId == vm._moId
    assert index.FindByUuid(None, uuid, True, False) is None
    assert index.FindByUuid(None, vm.config.uuid, True)._moId == vm._moId
    assert index.FindByInventoryPath("ha-datacenter/vm/nested-esxi-05")._moId == vm._moId
    assert index.FindByInventoryPath("ha-datacenter/vm/none") is None


def test_the_read_only_user_may_look_and_not_touch() -> None:
    with nestkit.practice.start("esx", profile="readonly") as p:
        si = connect(p)
        vm = vm_named(si, "nested-esxi-16")
        assert vm.config.nestedHVEnabled is False
        network = esx(si).configManager.networkSystem
        spec = network.networkInfo.portgroup[0].spec
        for attempt in (
            lambda: vm.ReconfigVM_Task(vim.vm.ConfigSpec(nestedHVEnabled=True)),
            vm.PowerOn,
            vm.PowerOff,
            vm.ShutdownGuest,
            lambda: network.UpdatePortGroup(spec.name, spec),
        ):
            with pytest.raises(vim.fault.NoPermission) as refused:
                attempt()
            assert refused.value.privilegeId
        assert vm.config.nestedHVEnabled is False


def test_an_old_host_negotiates_its_old_version() -> None:
    with nestkit.practice.start("esx", profile="old-api") as p:
        si = connect(p)
        assert si.content.about.apiVersion == "6.0"
        assert si._stub.version == "vim.version.version10"
        assert vm_named(si, "nested-esxi-02").config.nestedHVEnabled is True


def test_a_host_without_vt_refuses_to_expose_it() -> None:
    with nestkit.practice.start("esx", profile="no-vt") as p:
        si = connect(p)
        assert esx(si).capability.nestedHVSupported is False
        with pytest.raises(vim.fault.VmConfigFault):
            reconfigure(vm_named(si, "nested-esxi-16"), nestedHVEnabled=True)
        with pytest.raises(vim.fault.VmConfigFault):
            WaitForTask(vm_named(si, "nested-esxi-02").PowerOn())


def test_a_small_host_and_two_vms_of_one_name() -> None:
    with nestkit.practice.start("esx", profile="small-host") as p:
        host = esx(connect(p))
        assert host.hardware.memorySize == 4 * 2**30
        assert host.config.network.pnic[0].linkSpeed.speedMb == 100
        assert [vm.name for vm in host.vm] == ["nested-esxi-01"]
    with nestkit.practice.start("esx", profile="duplicate-names") as p:
        names = [vm.name for vm in esx(connect(p)).vm]
        assert names.count("nested-esxi-01") == 2


def test_tasks_can_be_made_to_fail(p: Any, si: Any) -> None:
    vm = vm_named(si, "nested-esxi-16")
    p.set_faults("task_fails=1")
    with pytest.raises(vim.fault.VmConfigFault):
        reconfigure(vm, nestedHVEnabled=True)
    reconfigure(vm, nestedHVEnabled=True)


def test_permission_can_be_taken_away_and_guests_can_hang(p: Any, si: Any) -> None:
    vm = vm_named(si, "nested-esxi-01")
    p.set_faults(no_permission=1)
    with pytest.raises(vim.fault.NoPermission):
        vm.ShutdownGuest()
    p.set_faults(shutdown_hangs=1)
    vm.ShutdownGuest()
    time.sleep(1.5)
    assert vm.runtime.powerState == "poweredOn"


@pytest.mark.parametrize(("fault", "changed"), [("drop_after", False), ("drop_answer", True)])
def test_the_connection_can_break_before_or_after_the_work(
    p: Any, si: Any, fault: str, changed: bool
) -> None:
    vm = vm_named(si, "nested-esxi-16")
    p.set_faults({fault: 1})
    with pytest.raises((OSError, Exception)) as broken:
        vm.ReconfigVM_Task(vim.vm.ConfigSpec(nestedHVEnabled=True))
    assert not isinstance(broken.value, vmodl.MethodFault)
    time.sleep(0.2)
    assert vm.config.nestedHVEnabled is changed


def test_reset_brings_the_first_state_back_and_keeps_the_address(p: Any, si: Any) -> None:
    vm = vm_named(si, "nested-esxi-16")
    reconfigure(vm, name="renamed", nestedHVEnabled=True)
    p.set_faults(slow_task=0.2)
    vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="begun before the reset"))
    p.reset()
    time.sleep(0.4)
    again = vm_named(connect(p), "nested-esxi-16")
    assert again.config.nestedHVEnabled is False
    assert again.config.annotation == ""


HOSTILE = [
    "'; Stop-VM *; '",
    "$(x)",
    "`whoami`",
    "%2f",
    "a\nb",
    "a\rb\tc",
    "</script><img onerror=x>",
    "Müller 日本 \U0001f680",
    "]]>&amp;<!-- -->",
    '"quoted" \\ /',
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_data(si: Any, name: str) -> None:
    vm = vm_named(si, "nested-esxi-16")
    # pyVmomi does not escape a carriage return in its requests, so XML turns it into a line feed
    sent = name.replace("\r", "\n")
    reconfigure(vm, name=name)
    assert vm.name == sent
    assert vm.config.name == sent
    assert rows(retrieve(si, ["name", "summary.config.name"]).objects)[vm._moId] == {
        "name": sent,
        "summary.config.name": sent,
    }
