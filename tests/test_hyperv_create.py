"""New Hyper-V VMs: planned, created, found again by their mark, removed only while untouched."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from test_scripts_hyperv import run_ps

import nestkit as nk
from nestkit import configure
from nestkit.configure.planner_create_hyperv import draft
from nestkit.errors import HostRefused, NestkitError, PlanError
from nestkit.facts import CpuFacts, HostFacts
from nestkit.plans import CreateGoal, Plan, Target, new_disk_gib
from nestkit.practice import PracticeHost

GOAL = CreateGoal(name="new-l1", networks=("Lab External",))
IMAGE = "D:\\Images\\ws2022.vhdx"
FOUND = {"names": ["old"], "switches": ["Lab External"], "folder": "D:\\VMs\\"}
FACTS = HostFacts(
    identity="host", platform="hyperv", name="HV01", is_practice=True,
    cpu=CpuFacts(threads=8), free_memory_gib=16.0,
)  # fmt: skip


@pytest.fixture
def practice() -> Iterator[PracticeHost]:
    with nk.practice.start("hyperv", faults={"guest_after": 0.2}) as host:
        yield host


@pytest.fixture
def host(practice: PracticeHost, tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path))
    monkeypatch.setattr("nestkit.configure.engine.SETTLE_S", 0.5)
    with closing(nk.connect(practice.url, password=practice.password)) as connected:
        yield connected


def names(host: Any) -> list[str]:
    return [vm.name for vm in host.read().vms]


@pytest.mark.parametrize("image", ["", IMAGE])
def test_a_vm_is_created_ready_and_removed_again(host: Any, image: str) -> None:
    plan = configure.plan_new(host, dataclasses.replace(GOAL, iso=image))
    assert [s.op for s in plan.steps] == [
        "create_vm", "set_property", "set_property", "set_property", "power_on",
    ]  # fmt: skip
    done = configure.apply(plan, host)
    assert done.ok, str(done)
    assert nk.preflight.check(host, vm="new-l1").ok
    assert configure.verify(done.journal, host).ok
    assert configure.rollback(done.journal, host).complete
    assert "new-l1" not in names(host)
    assert configure.resume(done.journal, host).ok  # and once more
    assert "new-l1" in names(host)


def test_a_vm_that_somebody_changed_since_is_kept(host: Any, practice: PracticeHost) -> None:
    done = configure.apply(configure.plan_new(host, dataclasses.replace(GOAL, start=False)), host)
    run_ps(practice, "Set-VMMemory new-l1 -StartupBytes 8GB")
    back = configure.rollback(done.journal, host)
    assert [left.step.op for left in back.conflicts] == ["create_vm"]
    assert "new-l1" in names(host)


def test_the_script_creates_the_same(host: Any, practice: PracticeHost) -> None:
    plan = configure.plan_new(host, GOAL)
    _, err, code = run_ps(practice, plan.script("powershell"))
    assert (code, err) == (0, ""), err
    assert configure.verify(plan, host).ok
    assert "Where-Object Path" in plan.script("gui")


def test_a_start_that_fails_leaves_nothing_behind_after_rollback(
    host: Any, practice: PracticeHost
) -> None:
    plan = configure.plan_new(host, GOAL)
    practice.set_faults(guest_after=0.2, start_fails=1)
    with pytest.raises(HostRefused, match="does not start"):
        configure.apply(plan, host)
    assert configure.rollback(_journal(), host).complete
    assert "new-l1" not in names(host)


def _journal() -> Path:
    from nestkit.state import state_dir

    return next(state_dir("journals").glob("*.jsonl"))


def test_an_image_that_is_not_there_is_the_host_s_word(host: Any) -> None:
    plan = configure.plan_new(host, dataclasses.replace(GOAL, iso="D:\\none.vhdx"))
    with pytest.raises(NestkitError, match=r"none\.vhdx"):
        configure.apply(plan, host)
    assert "new-l1" not in names(host)


def test_a_mark_with_wildcards_finds_no_vm(host: Any) -> None:
    configure.apply(configure.plan_new(host, dataclasses.replace(GOAL, start=False)), host)
    for mark in ("*", "", "?" * 36):
        with pytest.raises(NestkitError):
            host.current(Target("vm", mark, "x"), "power")


def make(**changes: Any) -> Plan:
    from nestkit.configure.planner_create_hyperv import _complete

    goal = _complete(dataclasses.replace(GOAL, **changes))
    return draft(goal, Target("vm", "mark", goal.name), FACTS, FOUND)


def test_the_plan_survives_its_file(tmp_path: Path) -> None:
    plan = make()
    assert Plan.load(plan.save(tmp_path / "plan.json")) == plan
    made = plan.steps[0].after
    assert made["folder"] == "D:\\VMs\\nestkit-mark"
    assert (made["memory_mib"], new_disk_gib(made)) == (4096, 64)
    assert new_disk_gib(make(iso=IMAGE).steps[0].after) == 0
    assert "empty" in plan.notes[1]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "old"}, "already"),
        ({"name": "OLD"}, "already"),
        ({"name": " x"}, "no folder"),
        ({"name": "a\\b"}, "no folder"),
        ({"name": ""}, "its name"),
        ({"networks": ()}, "one virtual switch"),
        ({"networks": ("Nowhere",)}, "Nowhere"),
        ({"networks": ("Lab External", "Lab External")}, "one virtual switch"),
        ({"cpu_count": 1}, "1 vCPU"),
        ({"cpu_count": 9}, "9 vCPU are more"),
        ({"memory_gib": 2}, "2 GiB of memory"),
        ({"memory_gib": 64}, "64 GiB are more"),
        ({"disk_gib": 8}, "8 GiB of disk"),
        ({"nic_count": 2}, "2 network adapters"),
        ({"iso": "D:\\x.iso"}, "no VHDX"),
        ({"network": "promiscuous"}, "without a guest"),
        ({"on_host": "hv02"}, "for a vCenter alone"),
        ({"location": 'C:\\x"y'}, "no full path"),
        ({"location": "VMs"}, "no full path"),
        ({"location": "D:/VMs"}, "no full path"),
        ({"location": "D:\\VMs\n"}, "no full path"),
        ({"iso": "D:\\*.vhdx"}, "no full path"),
    ],
)
def test_what_cannot_be_created_is_refused_with_a_remedy(changes: Any, what: str) -> None:
    with pytest.raises(PlanError, match=what) as caught:
        make(**changes)
    assert len(caught.value.remedy) > 10
