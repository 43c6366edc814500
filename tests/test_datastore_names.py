"""Datastores whose names hold a bracket: ``[`` is a sign like others, ``]`` ends a path's name.

How a path is read: govmomi, ``object/datastore_path.go`` (FromString takes the first ``]``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from practice_helpers import connect, vim
from pyVim.task import WaitForTask
from test_scripts_practice import run

import nestkit as nk
from nestkit import configure
from nestkit.errors import PlanError
from nestkit.plans import CreateGoal, Plan
from nestkit.practice import PracticeHost
from nestkit.resources import data_path

ISO = "iso/esxi-8.0U2-kickstart.iso"


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeHost]:
    text = data_path("practice/esx.toml").read_text("utf-8")
    for name, size_gib in (("ssd [fast", 5_000), ("ssd [fast]", 50_000)):
        text += f'[[datastore]]\nname = "{name}"\nsize_gib = {size_gib}\n'
        text += f'isos = [{{ path = "{ISO}", size_mib = 607, boots = "esxi", kickstart = true }}]\n'
    path = tmp_path_factory.mktemp("inventory") / "esx.toml"
    path.write_text(text, "utf-8")
    with nk.practice.start("esx", inventory=path) as started:
        yield started


@pytest.fixture
def host(practice: PracticeHost) -> Iterator[Any]:
    practice.reset()
    with nk.connect(practice.url, password=practice.password) as connected:
        yield connected


def planned(host: Any, store: str, iso: str = "") -> Plan:
    goal = CreateGoal(name="new", networks=("Nested Trunk",), location=store, iso=iso)
    return configure.plan_new(host, goal)


def test_an_opening_bracket_is_a_sign_like_others(host: Any, tmp_path: Path) -> None:
    plan = planned(host, "ssd [fast", f"[ssd [fast] {ISO}")
    done = configure.apply(plan, host, journal_dir=tmp_path)
    assert done.ok, str(done)
    assert configure.rollback(done.journal, host).complete


def test_the_pyvmomi_script_takes_it_too(host: Any, practice: PracticeHost, tmp_path: Path) -> None:
    plan = planned(host, "ssd [fast", f"[ssd [fast] {ISO}")
    ran = run(plan.script("pyvmomi"), tmp_path, practice)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert configure.verify(plan, host).ok


@pytest.mark.parametrize(
    ("store", "iso"), [("ssd [fast]", ""), ("datastore1", f"[ssd [fast]] {ISO}")]
)
def test_a_closing_bracket_is_refused_with_the_datastores_there_are(
    host: Any, store: str, iso: str
) -> None:
    with pytest.raises(PlanError, match=r"no path can name datastore 'ssd \[fast\]'") as caught:
        planned(host, store, iso)
    assert "rename" in caught.value.remedy
    assert caught.value.remedy.endswith("there are datastore1, ssd [fast")


def test_the_roomiest_datastore_is_chosen_among_those_that_can_be_named(
    practice: PracticeHost, host: Any
) -> None:
    roomiest = planned(host, "").steps[0].after["datastore"]
    assert roomiest == "ssd [fast"


def test_a_plan_that_names_it_all_the_same_is_neither_written_nor_applied(
    host: Any, tmp_path: Path
) -> None:
    made = planned(host, "datastore1")
    create = made.steps[0]
    bent = dataclasses.replace(create, after=create.after | {"datastore": "ssd [fast]"})
    plan = dataclasses.replace(made, steps=(bent, *made.steps[1:]))
    for kind in ("powercli", "govc", "pyvmomi", "gui", "pipeline"):
        with pytest.raises(PlanError, match="no path can name datastore"):
            plan.script(kind)
    with pytest.raises(PlanError, match="not one that this version writes"):
        configure.apply(plan, host, journal_dir=tmp_path)


def test_the_practice_host_ends_the_name_at_the_first_closing_bracket(
    practice: PracticeHost,
) -> None:
    si = connect(practice)
    folder = si.content.rootFolder.childEntity[0].vmFolder
    pool = si.content.rootFolder.childEntity[0].hostFolder.childEntity[0].resourcePool
    files = vim.vm.FileInfo(vmPathName="[ssd [fast]] new/new.vmx")
    spec = vim.vm.ConfigSpec(name="new", memoryMB=4096, numCPUs=2, files=files)
    task = folder.CreateVM_Task(spec, pool)
    WaitForTask(task)
    assert task.info.result.config.files.vmPathName.startswith("[ssd [fast] ")
