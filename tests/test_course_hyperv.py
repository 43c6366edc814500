"""The checks of lesson 04 look at the host: right ways pass, wrong ones get a hint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_scripts_hyperv import run_ps

import nestkit as nk
from nestkit.course import ready
from nestkit.course.checks import check
from nestkit.plans import NestedGoal
from nestkit.practice import PracticeHost

VM = "nested-hv-12"


@pytest.fixture
def practice(state_dir: Path) -> Iterator[PracticeHost]:
    with nk.practice.start("hyperv", faults={"guest_after": 0.2}) as running:
        yield running


@pytest.fixture
def host(practice: PracticeHost) -> Iterator[Any]:
    connected = nk.connect(practice.url, password=practice.password)
    yield connected
    connected.close()


def test_plain_powershell(host: Any, practice: PracticeHost) -> None:
    vm = "nested-hv-04"
    assert check("04.plain", host, vm=vm).status == "not done yet"
    run_ps(practice, f"Set-VMMemory {vm} -DynamicMemoryEnabled $false")  # refused: it runs
    assert check("04.plain", host, vm=vm).status == "not done yet"
    run_ps(practice, f"Stop-VM {vm}; Set-VMMemory {vm} -DynamicMemoryEnabled $false")
    verdict = check("04.plain", host, vm=vm)
    assert (verdict.status, verdict.hints) == ("not right", (f"Start-VM {vm}",))
    run_ps(practice, f"Start-VM {vm}")
    assert check("04.plain", host, vm=vm).status == "passed"
    run_ps(practice, f"Set-VMNetworkAdapter -VMName {vm} -MacAddressSpoofing Off")
    assert check("04.plain", host, vm=vm).status == "not right"


def test_applied_by_the_form_and_rolled_back(host: Any) -> None:
    plan = nk.configure.plan(host, VM, goal=NestedGoal(install_role=True))
    assert check("04.applied", host, plan=plan).status == "not done yet"
    assert check("04.rolled-back", host, plan=plan, done=None).status == "not done yet"
    form = ready.apply_form(plan, host)
    assert list(form.fields) == ["guest_password"]
    form.confirm.value = True
    form.run()
    assert form.state == "done", form.error
    assert check("04.applied", host, plan=plan).status == "passed"
    done = form.result
    assert check("04.rolled-back", host, plan=plan, done=done).status == "not done yet"
    undone = nk.configure.rollback(done.journal, host)
    verdict = check("04.rolled-back", host, plan=plan, done=done, undone=undone)
    assert verdict.status == "passed"
    assert "stays" in verdict.message


def test_rolled_back_from_the_journal_after_a_restart_of_the_kernel(host: Any) -> None:
    first = nk.configure.plan(host, VM, goal=NestedGoal(install_role=True))
    done = nk.configure.apply(first, host, accept=first.digest)
    plan = nk.configure.plan(host, VM, goal=NestedGoal(install_role=True))  # all cells run anew
    undone = nk.configure.rollback(str(done.journal), host)
    verdict = check("04.rolled-back", host, plan=plan, done=None, undone=undone)
    assert verdict.status == "passed", verdict


def test_rolled_back_by_a_form(host: Any) -> None:
    plan = nk.configure.plan(host, VM, goal=NestedGoal(install_role=True))
    done = nk.configure.apply(plan, host, accept=plan.digest)
    form = ready.rollback_form(done, host)
    asked = {"plan": plan, "done": done, "undone": form}
    assert check("04.rolled-back", host, **asked).status == "not done yet"
    form.confirm.value = True
    form.run()
    assert check("04.rolled-back", host, **asked).status == "passed"


def test_a_wrong_password_in_the_form_is_an_error_and_shown_nowhere(host: Any) -> None:
    plan = nk.configure.plan(host, "nested-hv-01", goal=NestedGoal(install_role=True))
    form = ready.apply_form(plan, host)
    form.fields["guest_password"].value = "s3cret-typed"
    assert "s3cret-typed" not in form.code
    form.confirm.value = True
    form.run()
    assert form.state == "failed"
    assert "refuses the user" in str(form.error)
    assert "s3cret-typed" not in form.static_html()
    assert form.fields["guest_password"].value == ""


def test_the_form_asks_what_hyper_v_knows(host: Any) -> None:
    form = ready.plan_form(host, vm=VM)
    assert "goal.install_role" in form.fields
    assert "goal.reserve_memory" not in form.fields
    form.fields["goal.install_role"].value = True
    assert "NestedGoal(install_role=True)" in form.code
