"""Plans that create a VM: as files, as digests, and on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

import nestkit as nk
from nestkit.cli.app import cli
from nestkit.errors import PlanError
from nestkit.plans import CreateGoal, NestedGoal, Plan, Step, Target

VM = Target("vm", "52aa8cf5-2f0e-8e5a-1b2c-3d4e5f607182", "new")
CREATE = Step(id="1", op="create_vm", target=VM, property="vm", before=None, after={"name": "new"})


def make(goal: Any, *steps: Step) -> Plan:
    return Plan(
        host="h", host_name="h", platform="esx", is_practice=True, vm=VM, goal=goal, steps=steps
    )


def test_a_plan_from_before_there_were_new_goals_keeps_its_digest() -> None:
    data = make(NestedGoal(network="promiscuous")).to_json()
    assert data["goal"] == {
        "cpu_count": 0, "memory_gib": 0, "reserve_memory": True, "network": "promiscuous",
        "start": True, "hard_power_off": False,
    }  # fmt: skip
    digest = make(NestedGoal(network="promiscuous")).digest
    assert Plan.from_json(data | {"digest": digest}).goal == NestedGoal(network="promiscuous")
    consenting = make(NestedGoal(upgrade_version=True))
    assert consenting.to_json()["goal"]["upgrade_version"] is True
    assert Plan.from_json(consenting.to_json()) == consenting


def test_a_plan_for_a_new_vm_comes_back_from_its_file(tmp_path: Any) -> None:
    plan = make(CreateGoal(name="new", networks=("A", "B"), iso="[d] x.iso"), CREATE)
    assert Plan.load(plan.save(tmp_path / "plan.json")) == plan
    assert plan.creates_vm and CREATE.inverse().op == "destroy_vm"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("steps", 0, "op"), "destroy_vm", "no plan destroys"),
        (("steps", 0, "before"), {"name": "old"}, "created where there is none"),
        (("steps", 0, "after"), "x", "created where there is none"),
        (("steps", 0, "property"), "cdrom", "cannot act on"),
        (("steps", 0, "op"), "set_property", "cannot act on"),
        (("goal", "networks"), ["a", 1], "must be texts"),
        (("goal", "networks"), "a", "must be a list"),
        (("goal", "memory_gib"), -1, "negative"),
        (("goal", "start"), 1, "cannot be 1"),
        (("goal", "upgrade_version"), True, "not known"),
    ],
)
def test_a_damaged_plan_for_a_new_vm_is_refused(place: Any, value: Any, said: str) -> None:
    data = make(CreateGoal(name="new", networks=("A",)), CREATE).to_json()
    inner = data
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    with pytest.raises(PlanError, match=said):
        Plan.from_json(data)


@pytest.fixture(scope="module")
def practice() -> Any:
    with nk.practice.start("vpx", vms=10) as started:
        yield started


def command(*words: str) -> int:
    return int(cli.main(list(words), standalone_mode=False) or 0)


def test_create_on_the_command_line(
    practice: Any, tmp_path: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NESTKIT_PASSWORD", practice.password)
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path))
    file = str(tmp_path / "plan.json")
    words = ("plan-new", practice.url, "cli-vm", "--on", "Nested Trunk", "--on-host",
             "esx-01.lab.example", "--no-start")  # fmt: skip
    assert command(*words, "--save", file, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["goal"]["name"] == "cli-vm" and plan["steps"][0]["op"] == "create_vm"
    assert command("apply", practice.url, file, "--accept", plan["digest"]) == 0
    journal = capsys.readouterr().out.splitlines()[0]
    assert command("preflight", practice.url, "--vm", "cli-vm", "--json") == 0
    capsys.readouterr()
    assert command("rollback", practice.url, journal) == 0


def test_a_fleet_on_the_command_line(
    practice: Any, tmp_path: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NESTKIT_PASSWORD", practice.password)
    page = tmp_path / "fleet.html"
    assert command("fleet", practice.url, "--json", "--html", str(page)) == 1
    some = json.loads(capsys.readouterr().out)
    assert "<h1>" in page.read_text("utf-8")
    assert command("preflight", practice.url, "--json") == 1
    every = json.loads(capsys.readouterr().out)
    assert {f["level"] for f in every["findings"]} >= {"pass", "fail"}
    assert [f for f in every["findings"] if f["level"] != "pass"] != [] and some["vms"] > 10
    assert not any(f["level"] == "pass" for f in some["findings"])
    assert (every["schema"], every["ok"]) == (1, False) and every["unknown"] == some["unknown"]
    assert command("fleet", practice.url) == 1
    assert "could not be read" in capsys.readouterr().out


def test_a_kickstart_file_on_the_command_line(tmp_path: Any, capsys: Any) -> None:
    file = tmp_path / "ks.cfg"
    assert command("kickstart", "--hostname", "nested-01", "--save", str(file)) == 0
    assert "--hostname=nested-01" in file.read_text("ascii")
    with pytest.raises(PlanError, match="hash"):
        command("kickstart", "--password-hash", "VMware1!")
