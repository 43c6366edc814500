"""A plan as a pipeline's step: run for real, twice, and when it cannot be done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nestkit as nk
from nestkit.plans import Plan, Step, Target

VM = "nested-esxi-16"


@pytest.fixture(scope="module")
def practice() -> Iterator[nk.practice.PracticeHost]:
    with nk.practice.start("esx") as host:
        yield host


def plan_for(practice: nk.practice.PracticeHost, vm: str) -> Plan:
    with closing(nk.connect(practice.url, password=practice.password)) as host:
        return nk.configure.plan(host, vm)


def run(script: str, folder: Path, **given_: str) -> subprocess.CompletedProcess[str]:
    path = folder / "step.sh"
    path.write_text(script, encoding="ascii")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(path)],
        env=os.environ | {"PATH": programs, "NESTKIT_STATE": str(folder / "state")} | given_,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_first_run_makes_it_ready_and_the_second_changes_nothing(
    practice: nk.practice.PracticeHost, tmp_path: Path
) -> None:
    script = plan_for(practice, VM).script("pipeline")
    access = {"NESTKIT_URL": practice.url, "NESTKIT_PASSWORD": practice.password}
    first = run(script, tmp_path, **access)
    assert first.returncode == 0, first.stderr
    assert "journal: " in first.stdout
    second = run(script, tmp_path, **access)
    assert second.returncode == 0, second.stderr
    assert "nothing is changed" in second.stdout
    assert len(list((tmp_path / "state" / "journals").glob("*.jsonl"))) == 1
    assert practice.password not in script + first.stdout + first.stderr


def test_a_vm_that_is_not_there_yet_is_created_once(
    practice: nk.practice.PracticeHost, tmp_path: Path
) -> None:
    goal = nk.CreateGoal(
        name="made by a pipeline", memory_gib=8, networks=("Nested Trunk",),
        iso="[datastore1] iso/debian-12-netinst.iso",
    )  # fmt: skip
    with closing(nk.connect(practice.url, password=practice.password)) as host:
        script = nk.configure.plan_new(host, goal).script("pipeline")
        access = {"NESTKIT_URL": practice.url, "NESTKIT_PASSWORD": practice.password}
        first = run(script, tmp_path, **access)
        assert first.returncode == 0, first.stderr
        assert nk.preflight.check(host, goal.name).ok
        second = run(script, tmp_path, **access)
        assert second.returncode == 0 and "nothing is changed" in second.stdout
        lost = run(script, tmp_path, **access | {"NESTKIT_URL": "esx://root@127.0.0.1:1"})
        assert lost.returncode == 2 and "taken back" not in lost.stderr


def test_what_fails_on_the_way_is_taken_back(
    practice: nk.practice.PracticeHost, tmp_path: Path
) -> None:
    made = plan_for(practice, "nested-esxi-06")
    practice.set_faults(task_fails=1)
    done = run(
        made.script("pipeline"), tmp_path,
        NESTKIT_URL=practice.url, NESTKIT_PASSWORD=practice.password,
    )  # fmt: skip
    practice.set_faults()
    assert done.returncode == 2
    assert ".jsonl" in done.stdout and "all is as it was at first" in done.stdout
    assert "taken back" in done.stderr
    assert plan_for(practice, "nested-esxi-06").steps == made.steps


def test_a_step_for_another_host_is_refused_and_nothing_is_changed(
    practice: nk.practice.PracticeHost, tmp_path: Path
) -> None:
    made = plan_for(practice, "nested-esxi-04")
    elsewhere = replace(made, host="00000000-0000-0000-0000-000000000001")
    done = run(
        elsewhere.script("pipeline"),
        tmp_path,
        NESTKIT_URL=practice.url,
        NESTKIT_PASSWORD=practice.password,
    )
    assert done.returncode == 2
    assert plan_for(practice, "nested-esxi-04").steps == made.steps


def test_without_an_address_it_says_what_to_set(
    practice: nk.practice.PracticeHost, tmp_path: Path
) -> None:
    done = run(plan_for(practice, "nested-esxi-04").script("pipeline"), tmp_path, NESTKIT_URL="")
    assert done.returncode != 0
    assert "set NESTKIT_URL" in done.stderr


@settings(max_examples=40)
@given(name=st.text(max_size=30), uuid=st.text(max_size=30))
def test_names_are_data(name: str, uuid: str) -> None:
    target = Target("vm", uuid, name)
    step = Step(
        id="s1", op="power_on", target=target, property="power", before="off", after="on", why=name
    )
    plan = Plan(
        host="h", host_name=name, platform="esx", is_practice=True, vm=target,
        goal=nk.NestedGoal(), steps=(step,),
    )  # fmt: skip
    script = plan.script("pipeline")
    assert script.isascii()
    checked = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    shown = script[: script.index("status=0")] + '\nprintf "%s" "$vm"\n'
    said = subprocess.run(
        ["sh"], input=shown.encode(), env={"NESTKIT_URL": "x"}, capture_output=True
    )
    if "\0" not in uuid:
        assert said.stdout == uuid.encode("utf-8", "surrogatepass")
