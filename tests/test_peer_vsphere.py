"""Practice host and independent peers: a Go client of the one, and where the other differs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any

import pytest
from practice_helpers import connect, datacenter, esx, retrieve, vim, vmodl
from pyVim.task import WaitForTask
from vsphere_peer import build, simulator

import nestkit.practice

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]  # the first builds the peers
MODES = ("esx", "vpx")


@pytest.mark.parametrize("kind", MODES)
def test_a_client_in_another_language_finds_its_way(kind: str) -> None:
    vm = {"esx": "nested-esxi-16", "vpx": "nested-esxi-19"}[kind]
    with nestkit.practice.start(kind) as p:
        done = subprocess.run(
            [build("client"), f"{p.host}:{p.port}", p.user, vm],
            env={**os.environ, "PEER_PASSWORD": p.password},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    steps = done.stdout.splitlines()
    assert {"login", "vms " + {"esx": "17", "vpx": "20"}[kind], "nesting exposed"} <= set(steps)
    assert steps[-1] == "call after logout refused"


# Where the peer (govmomi's simulator 0.24.2, API 6.5) differs from ESXi: each with what the
# practice host answers, which is what the vendor's documents say. Anything else that differs is a
# mistake of ours.
def _change(vm: Any, **spec: Any) -> None:
    WaitForTask(vm.ReconfigVM_Task(vim.vm.ConfigSpec(**spec)))


def _first(si: Any, power: str = "poweredOff") -> Any:
    return next(v for v in datacenter(si).vmFolder.childEntity if v.runtime.powerState == power)


def _running(si: Any) -> Any:
    vm = _first(si)
    WaitForTask(vm.PowerOn())
    return vm


def _duplicate(si: Any) -> None:
    one, other = datacenter(si).vmFolder.childEntity[:2]
    _change(one, name=other.name)


def _network(si: Any) -> Any:
    return esx(si).configManager.networkSystem


def _port_group(si: Any) -> None:
    group = _network(si).networkInfo.portgroup[0].spec
    _network(si).UpdatePortGroup(group.name, group)


def _switch(si: Any) -> None:
    switch = _network(si).networkInfo.vswitch[0]
    _network(si).UpdateVirtualSwitch(switch.name, switch.spec)


def _page(si: Any) -> int:
    return len(retrieve(si, ["name"], maxObjects=1).objects)


Probe = Callable[[Any], Any]
DIFFERENCES: dict[str, tuple[Probe, Any, Any]] = {
    # what is done: the probe, the practice host's answer, the peer's
    "nesting of a running VM": (
        lambda si: _change(_running(si), nestedHVEnabled=True),
        vim.fault.InvalidPowerState,
        None,
    ),
    "memory of 4097 MB": (
        lambda si: _change(_first(si), memoryMB=4097),
        vmodl.fault.InvalidArgument,
        None,
    ),
    "a stale changeVersion": (
        lambda si: _change(_first(si), changeVersion="old", annotation="x"),
        vim.fault.ConcurrentAccess,
        None,
    ),
    "a name that is taken": (_duplicate, vim.fault.DuplicateName, None),
    "UpdatePortGroup": (_port_group, None, vmodl.fault.MethodNotFound),
    "UpdateVirtualSwitch": (_switch, None, vmodl.fault.MethodNotFound),
    "maxObjects=1": (_page, 1, 3),
    "capability.nestedHVSupported": (
        lambda si: esx(si).capability.nestedHVSupported,
        True,
        HTTPException,  # the simulator's handler panics
    ),
}


@pytest.fixture(scope="module")
def practice() -> Iterator[Any]:
    with nestkit.practice.start("esx") as p:
        yield p


def _answer(probe: Probe, si: Any) -> Any:
    try:
        return probe(si)
    except (vmodl.MethodFault, HTTPException) as error:
        return error


def _is(answer: Any, expected: Any) -> bool:
    return isinstance(answer, expected) if isinstance(expected, type) else answer == expected


@pytest.mark.parametrize("what", DIFFERENCES)
def test_expected_differences_are_these(what: str, practice: Any) -> None:
    probe, ours, theirs = DIFFERENCES[what]
    practice.reset()
    assert _is(_answer(probe, connect(practice)), ours)
    with simulator("esx") as peer:
        assert _is(_answer(probe, connect(peer)), theirs)


@pytest.mark.parametrize("kind", MODES)
def test_both_have_the_same_shape_of_inventory(kind: str) -> None:
    """The same walk through the tree meets the same types of objects on both."""

    def walk(si: Any) -> dict[str, Any]:
        dc = datacenter(si)
        compute = dc.hostFolder.childEntity[0]
        vm = next(v for v in dc.vmFolder.childEntity if isinstance(v, vim.VirtualMachine))
        return {
            "apiType": si.content.about.apiType,
            "root": type(si.content.rootFolder).__name__,
            "datacenter": type(dc).__name__,
            "compute": type(compute).__name__,
            "host": type(compute.host[0]).__name__,
            "pool": type(compute.resourcePool).__name__,
            "vm's host": vm.runtime.host in compute.host,
            "vm's parent": type(vm.parent).__name__,
            "network": type(vm.network[0]).__name__,
            "datastore": type(vm.datastore[0]).__name__,
            "browser": type(vm.datastore[0].browser).__name__,
            "pool's owner": vm.resourcePool.owner == compute,
        }

    with nestkit.practice.start(kind) as p, simulator(kind) as peer:
        assert walk(connect(p)) == walk(connect(peer))
