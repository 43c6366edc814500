"""The vSphere client against every target there is: practice host, independent peer, real host.

A real host joins when ``NESTKIT_ESX_URL`` (``esx://…`` or ``vpx://…``) and ``NESTKIT_ESX_PASSWORD``
are set. It is only read, unless ``NESTKIT_ESX_VM`` names a VM there that may be reconfigured; that
VM has to be powered off, without nesting, and is put back as it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from vsphere_peer import simulator

import nestkit as nk
from nestkit import configure
from nestkit.errors import CredentialsError, NotFound
from nestkit.facts import Unknown

REAL = os.environ.get("NESTKIT_ESX_URL", "")
REAL_PASSWORD = os.environ.get("NESTKIT_ESX_PASSWORD", "")  # another name than the library's own
KINDS = [
    "practice esx",
    "practice vpx",
    pytest.param("peer esx", marks=[pytest.mark.peer, pytest.mark.timeout(900)]),
    pytest.param("peer vpx", marks=[pytest.mark.peer, pytest.mark.timeout(900)]),
    *(["real"] if REAL else []),
]


@dataclass(frozen=True)
class Target:
    """A host that is connected to, and a VM on it that may be changed ("": none)."""

    host: Any
    url: str
    vm: str


@pytest.fixture(scope="module", params=KINDS)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    who, _, kind = request.param.partition(" ")
    if who == "real":
        with_password = nk.connect(REAL, password=REAL_PASSWORD)
        yield Target(with_password, REAL, os.environ.get("NESTKIT_ESX_VM", ""))
        with_password.close()
        return
    if who == "practice":
        vm = {"esx": "nested-esxi-16", "vpx": "nested-esxi-19"}[kind]
        with nk.practice.start(kind) as practice:
            host = nk.connect(practice.url, password=practice.password)
            yield Target(host, practice.url, vm)
            host.close()
        return
    vm = {"esx": "ha-host_VM0", "vpx": "DC0_C0_RP0_VM0"}[kind]
    with simulator(kind) as peer:
        host = nk.connect(peer.url, password=peer.password)
        yield Target(host, peer.url, vm)
        host.close()


def any_vm(target: Target) -> str:
    """A VM of the target by its UUID."""
    if target.vm:
        return str(target.host.read(target.vm).vms[0].identity)
    if target.url.startswith("esx"):
        return str(target.host.read().vms[0].identity)
    return str(nk.preflight.fleet(target.host).to_frame()["uuid"].iloc[0])


def test_a_vm_is_read_with_its_host(target: Target) -> None:
    facts = target.host.read(any_vm(target))
    (vm,) = facts.vms
    assert facts.platform == "esx"
    assert facts.identity == target.host.identity
    assert facts.cpu.vendor in ("intel", "amd") and facts.cpu.is_64bit is True
    assert facts.memory_gib > 1
    assert vm.name and vm.cpu_count >= 1 and vm.memory_gib > 0
    assert vm.power in ("on", "off", "suspended")
    assert vm.hardware_version >= 7
    assert vm.nics and vm.nics[0].mac.count(":") == 5


def test_every_rule_is_judged(target: Target) -> None:
    report = nk.preflight.check(target.host, vm=any_vm(target))
    found = {finding.id: finding.level for finding in report.findings}
    assert {"esx.cpu.hw-virtualization", "esx.vm.nested-hv", "esx.vm.memory"} <= set(found)
    assert any(name.startswith("esx.nic.") for name in found)
    assert all(finding.remedy for finding in report.findings if finding.level == "fail")
    assert report.ok == ("fail" not in found.values())


def test_the_fleet_agrees_with_one_vm(target: Target) -> None:
    """What the bulk read and the reading of one VM both judge, they judge alike."""
    uuid = any_vm(target)
    one = nk.preflight.check(target.host, vm=uuid)
    alone = {f.id: f.level for f in one.findings if f.id.startswith("esx.vm.")}
    frame = nk.preflight.fleet(target.host).to_frame()
    assert uuid in set(frame["uuid"])
    rows = frame[frame["uuid"] == uuid]
    both = {row.id: row.level for row in rows.itertuples() if row.id in alone}
    assert both
    assert both == {name: alone[name] for name in both}


def test_what_is_not_there_is_not_found(target: Target) -> None:
    with pytest.raises(NotFound):
        target.host.read("no such vm, by any name")


def test_a_wrong_password_is_refused(target: Target) -> None:
    if target.url == REAL:
        pytest.skip("a wrong password could lock an account of the real host")
    with pytest.raises(CredentialsError):
        nk.connect(target.url, password="wrong")


def test_a_plan_is_applied_and_undone(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not target.vm:
        pytest.skip("NESTKIT_ESX_VM names no VM of the real host that may be changed")
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path))
    # "leave": the peer changes no port group, and a real one is shared with others
    goal = nk.NestedGoal(start=False, network="leave")
    before = target.host.read(target.vm).vms[0]
    plan = configure.plan(target.host, vm=target.vm, goal=goal)
    assert "nested_hv" in [step.property for step in plan.steps]
    done = configure.apply(plan, target.host)
    assert target.host.read(target.vm).vms[0].nested_hv is True
    assert not configure.plan(target.host, vm=target.vm, goal=goal).steps
    undone = configure.rollback(done.journal, target.host)
    assert undone.complete, str(undone)
    after = target.host.read(target.vm).vms[0]
    if isinstance(before.nested_hv, Unknown):  # unset at first; false says the same
        before = replace(before, nested_hv=False)
    assert after == before
