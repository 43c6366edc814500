"""Whatever specification arrives, a practice host answers with a result or a fault of the API."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from practice_helpers import vim, vmodl

from nestkit.practice.esx import distributed, lifecycle, rules, vcenter
from nestkit.practice.esx.dvs_view import Vds
from nestkit.practice.esx.world import World

D = vim.vm.device
card = D.VirtualEthernetCard
numbers = st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, 1, 4, 200]))
sizes = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 2**20, 2**26]))
keys = st.one_of(st.integers(-10, 10), st.sampled_from([200, 1000, 2000, 3000, 4000, 4001]))
longs = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.sampled_from([4096, 8192]))
texts = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.sampled_from(["nested-esxi-01", "vmx-20", "vmx-08", "[vsan-nested]", "[vsan-nested] iso/x"]),
)
flags = st.one_of(st.none(), st.booleans())
operations = st.sampled_from([None, "add", "edit", "remove"])
ports = st.builds(
    vim.dvs.PortConnection,
    switchUuid=st.sampled_from(["", "x"]),
    portgroupKey=st.sampled_from([None, "dvportgroup-61", "dvportgroup-62", "dvportgroup-67"]),
)
backings = st.one_of(
    st.none(),
    st.builds(card.NetworkBackingInfo, deviceName=st.sampled_from(["VM Network", "none", ""])),
    st.builds(card.DistributedVirtualPortBackingInfo, port=ports),
    st.builds(D.VirtualCdrom.IsoBackingInfo, fileName=st.sampled_from(["", "[vsan-nested] iso/x"])),
    st.builds(D.VirtualDisk.FlatVer2BackingInfo, fileName=st.just(""), thinProvisioned=flags),
    st.builds(D.VirtualCdrom.AtapiBackingInfo, deviceName=st.just("cd0")),
)
devices = st.one_of(
    st.builds(D.VirtualVmxnet3, key=keys, backing=backings, macAddress=texts),
    st.builds(D.VirtualDisk, key=keys, backing=backings, controllerKey=numbers, capacityInKB=sizes),
    st.builds(D.VirtualCdrom, key=keys, backing=backings, controllerKey=numbers),
    st.builds(D.ParaVirtualSCSIController, key=keys, busNumber=keys),
    st.builds(D.VirtualUSBController, key=keys),
    st.builds(D.VirtualVideoCard, key=keys),
)
changes = st.lists(
    st.builds(
        D.VirtualDeviceSpec,
        operation=operations,
        fileOperation=st.sampled_from([None, "create", "destroy"]),
        device=devices,
    ),
    max_size=3,
)
specs = st.builds(
    vim.vm.ConfigSpec,
    name=texts,
    version=texts,
    guestId=texts,
    firmware=texts,
    instanceUuid=texts,
    numCPUs=numbers,
    numCoresPerSocket=numbers,
    memoryMB=longs,
    memoryAllocation=st.one_of(st.none(), st.builds(vim.ResourceAllocationInfo, reservation=longs)),
    nestedHVEnabled=flags,
    changeVersion=texts,
    files=st.one_of(st.none(), st.builds(vim.vm.FileInfo, vmPathName=texts)),
    deviceChange=changes,
)
mac_policies = st.builds(
    Vds.MacManagementPolicy,
    inherited=st.booleans(),
    allowPromiscuous=flags,
    forgedTransmits=flags,
    macLearningPolicy=st.one_of(
        st.none(),
        st.builds(
            Vds.MacLearningPolicy,
            inherited=st.booleans(),
            enabled=st.booleans(),
            limit=numbers,
            limitPolicy=texts,
        ),
    ),
)
settings_of_ports = st.one_of(
    st.none(),
    st.builds(vim.dvs.DistributedVirtualPort.Setting),
    st.builds(
        Vds.VmwarePortConfigPolicy,
        macManagementPolicy=st.one_of(st.none(), mac_policies),
        vlan=st.one_of(
            st.none(),
            st.builds(Vds.VlanIdSpec, inherited=st.booleans(), vlanId=st.integers(-1, 5000)),
            st.builds(Vds.PvlanSpec, inherited=st.booleans(), pvlanId=st.integers(0, 9)),
        ),
    ),
)
group_specs = st.builds(
    vim.dvs.DistributedVirtualPortgroup.ConfigSpec,
    configVersion=st.sampled_from([None, "", "1", "2"]),
    name=texts,
    description=texts,
    defaultPortConfig=settings_of_ports,
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(lambda: vcenter.load(vcenter.default_path()))


def consistent(world: World) -> None:
    names = [vm.name for vm in world.inventory.vms.values()]
    assert len(set(names)) == len(names)
    for vm in world.inventory.vms.values():
        assert 0 <= vm.reservation_mb <= vm.memory_mb and vm.memory_mb % 4 == 0
        assert all(vm.host.network(nic.network) for nic in vm.nics)
    for store in world.inventory.datastores.values():
        assert 0 <= store.used_gib <= store.size_gib


@given(specs)
@settings(max_examples=100)
def test_any_spec_creates_a_vm_or_is_refused_by_a_fault(world: World, spec: Any) -> None:
    try:
        made = lifecycle.create(world, spec, world.inventory.host)
    except vmodl.MethodFault:
        consistent(world)
        return
    consistent(world)
    lifecycle.destroy(world, world.vm(made._GetMoId()))


@given(specs)
@settings(max_examples=100)
def test_any_spec_changes_a_vm_or_is_refused_by_a_fault(world: World, spec: Any) -> None:
    vm = world.vm("vm-1020")
    before = vm.change_version
    try:
        rules.reconfigure(vm, spec, world.inventory)
    except vmodl.MethodFault:
        assert vm.change_version == before
    consistent(world)


@given(group_specs)
@settings(max_examples=100)
def test_any_spec_changes_a_port_group_or_is_refused(world: World, spec: Any) -> None:
    group = world.inventory.dv_groups["dvportgroup-64"]
    before = group.config_version
    group.config_version = 1
    try:
        distributed.reconfigure(world, group, spec)
    except vmodl.MethodFault:
        assert group.config_version == 1
    group.config_version = max(before, group.config_version)
    assert 0 <= group.learning.limit <= 4096
    assert group.name and group in group_hosts(world, group)
    consistent(world)


def group_hosts(world: World, group: Any) -> list[Any]:
    return [host.dv_groups.get(group.name) for host in world.inventory.hosts.values()]
