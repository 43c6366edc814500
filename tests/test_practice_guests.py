"""Programs in the ESXi inside a VM: packets of L2 pass where the port group lets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from practice_helpers import connect, datacenter, esx, until, vim, vm_named
from pyVim.task import WaitForTask

import nestkit.practice

GATEWAY = "192.0.2.1"


@pytest.fixture(scope="module", params=["esx", "vpx"])
def p(request: pytest.FixtureRequest) -> Iterator[Any]:
    with nestkit.practice.start(request.param) as host:
        yield host


@pytest.fixture
def si(p: Any) -> Any:
    p.reset()
    p.set_faults(tools_after=0.05)
    return connect(p)


def auth(p: Any, **other: str) -> Any:
    given = {"username": "root", "password": p.password, "interactiveSession": False, **other}
    return vim.vm.guest.NamePasswordAuthentication(**given)


def run(si: Any, p: Any, vm: Any, arguments: str, program: str = "/bin/vmkping") -> int:
    manager = si.content.guestOperationsManager.processManager
    spec = vim.vm.guest.ProcessManager.ProgramSpec(programPath=program, arguments=arguments)
    pid = manager.StartProgramInGuest(vm, auth(p), spec)

    def told() -> Any:
        (process,) = manager.ListProcessesInGuest(vm, auth(p), [pid])
        return process

    until(lambda: told().endTime is not None)
    return int(told().exitCode)


def running(si: Any, name: str) -> Any:
    vm = vm_named(si, name)
    if vm.runtime.powerState != "poweredOn":
        WaitForTask(vm.PowerOn())
        until(lambda: vm.guest.toolsRunningStatus == "guestToolsRunning")
    return vm


def test_the_hosts_own_address_passes_where_l2_does_not(si: Any, p: Any) -> None:
    blocked = {"esx": "nested-esxi-11", "vpx": "nested-esxi-10"}[p.kind]
    vm = running(si, blocked)
    assert run(si, p, vm, f"-I vmk0 -c 1 {GATEWAY}") == 0
    assert run(si, p, vm, f"-I vmk1 -c 1 {GATEWAY}") == 1
    ready = running(si, "nested-esxi-02")
    assert run(si, p, ready, f"-I vmk1 -c 1 {GATEWAY}") == 0
    assert run(si, p, ready, "-I vmk1 -c 1 192.0.2.77") == 1
    assert run(si, p, ready, "-I vmk9 -c 1 192.0.2.1") == 2
    shell = f"-c '/bin/vmkping -I vmk1 -c 1 {GATEWAY} > /tmp/out 2>&1'"
    assert run(si, p, ready, shell, "/bin/sh") == 0


def test_forged_transmits_alone_or_learning_alone_do_not_do(si: Any, p: Any) -> None:
    name = {"esx": "nested-esxi-12", "vpx": "nested-esxi-11"}[p.kind]
    assert run(si, p, running(si, name), f"-I vmk1 -c 1 {GATEWAY}") == 1


def test_l2_passes_once_the_port_group_is_right(si: Any, p: Any) -> None:
    if p.kind == "esx":
        vm = running(si, "nested-esxi-11")
        network = esx(si).configManager.networkSystem
        group = next(g for g in network.networkInfo.portgroup if g.spec.name == "Nested Lab B")
        group.spec.policy.security.allowPromiscuous = True
        network.UpdatePortGroup("Nested Lab B", group.spec)
    else:
        vm = running(si, "nested-esxi-10")
        group = next(n for n in datacenter(si).network if n.name == "Plain VMs")
        policy = group.config.defaultPortConfig
        policy.securityPolicy = None
        policy.macManagementPolicy.forgedTransmits = True
        policy.macManagementPolicy.macLearningPolicy.enabled = True
        spec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec(
            configVersion=group.config.configVersion, defaultPortConfig=policy
        )
        WaitForTask(group.ReconfigureDVPortgroup_Task(spec))
    assert run(si, p, vm, f"-I vmk1 -c 1 {GATEWAY}") == 0


def test_guest_operations_refuse_as_vsphere_does(si: Any, p: Any) -> None:
    manager = si.content.guestOperationsManager.processManager
    ProgramSpec = vim.vm.guest.ProcessManager.ProgramSpec
    spec = ProgramSpec(programPath="/bin/vmkping", arguments=GATEWAY)
    vm = running(si, "nested-esxi-02")
    with pytest.raises(vim.fault.InvalidGuestLogin):
        manager.StartProgramInGuest(vm, auth(p, password="wrong"), spec)
    with pytest.raises(vim.fault.FileNotFound):
        manager.StartProgramInGuest(vm, auth(p), ProgramSpec(programPath="/bin/rm", arguments="/"))
    off = vm_named(si, "nested-esxi-05")
    with pytest.raises(vim.fault.InvalidPowerState):
        manager.StartProgramInGuest(off, auth(p), spec)
    p.set_faults(tools_after=60)
    WaitForTask(off.PowerOn())
    with pytest.raises(vim.fault.GuestOperationsUnavailable):
        manager.StartProgramInGuest(off, auth(p), spec)
