"""Plan, apply, resume and roll back on a practice Hyper-V host, and all that can go wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import winrm

import nestkit as nk
from nestkit import configure
from nestkit.configure.engine import chains
from nestkit.configure.guests import ROLE_STAYS
from nestkit.errors import (
    ConnectionFailed,
    ConsentNeeded,
    CredentialsError,
    DeadlineExceeded,
    HostRefused,
    JournalError,
    NestkitError,
    PlanError,
    StalePlan,
)
from nestkit.hosts.base import GuestHost
from nestkit.plans import NestedGoal, Plan, Target
from nestkit.practice import PracticeHost

WHOLE = NestedGoal(install_role=True)
READY = {"guest_after": 0.2}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: Any) -> None:
    """No process of these tests dies with a script under way."""
    monkeypatch.setattr("nestkit.configure.engine.SETTLE_S", 1.5)


@pytest.fixture
def practice() -> Iterator[PracticeHost]:
    with nk.practice.start("hyperv", faults=READY) as host:
        yield host


@pytest.fixture
def host(practice: PracticeHost, tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path))
    monkeypatch.delenv("NESTKIT_GUEST_PASSWORD", raising=False)
    with closing(nk.connect(practice.url, password=practice.password)) as connected:
        yield connected


@pytest.fixture
def of_profile(tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    """Start a practice host of a profile and connect to it."""
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path))
    open_now: list[Any] = []

    def start(profile: str, **faults: Any) -> tuple[Any, PracticeHost]:
        running = nk.practice.start("hyperv", profile=profile, faults=READY | faults)
        open_now.append(running)
        practice = running.__enter__()
        connected = nk.connect(practice.url, password=practice.password)
        return connected, practice

    yield start
    for running in open_now:
        running.__exit__(None, None, None)


def declared(host: Any, plan: Plan) -> list[Any]:
    return [host.current(c[0].target, c[0].property) for c in chains(plan)]


def run_ps(practice: PracticeHost, script: str) -> str:
    session = winrm.Session(
        f"http://127.0.0.1:{practice.port}/wsman",
        auth=(practice.user, practice.password),
        transport="ntlm",
        message_encryption="always",
        proxy=None,
        ca_trust_path=None,
    )
    answer = session.run_ps(script)
    assert answer.status_code == 0, answer.std_err
    return str(answer.std_out.decode("cp437"))


def quick(plan: Plan, seconds: float, op: str) -> Plan:
    """The same plan, with less patience for one operation."""
    steps = tuple(
        dataclasses.replace(s, timeout_s=seconds) if s.op == op else s for s in plan.steps
    )
    return dataclasses.replace(plan, steps=steps)


# -- the way it goes -----------------------------------------------------------------------------


def test_the_guide_s_six_steps_and_back(host: Any) -> None:
    assert isinstance(host, GuestHost)
    plan = configure.plan(host, "nested-hv-20", goal=WHOLE)
    assert [s.op for s in plan.steps] == [
        "shutdown_guest", "set_property", "set_property", "set_property", "power_on",
        "install_role",
    ]  # fmt: skip
    first = declared(host, plan)
    done = configure.apply(plan, host, accept=plan.digest)
    assert done.ok
    assert configure.plan(host, "nested-hv-20", goal=WHOLE).is_empty
    assert configure.verify(done.journal, host).ok
    back = configure.rollback(done.journal, host)
    assert [left.step.op for left in back.not_undone] == ["install_role"]
    assert back.not_undone[0].reason == ROLE_STAYS
    assert not back.complete
    # all but the role is as it was; inside a VM that hides the extensions it cannot run
    assert declared(host, plan)[:-1] == first[:-1]


@pytest.mark.slow
@pytest.mark.parametrize("vm", ["nested-hv-01", "nested-hv-04", "nested-hv-05", "nested-hv-09",
                                "nested-hv-12"])  # fmt: skip
def test_what_is_taken_back_is_as_it_was(host: Any, vm: str) -> None:
    plan = configure.plan(host, vm)
    first = declared(host, plan)
    done = configure.apply(plan, host)
    assert done.ok, str(done)
    assert configure.plan(host, vm).is_empty
    assert configure.rollback(done.journal, host).complete
    assert declared(host, plan) == first


def test_only_the_nic_without_spoofing_is_set_while_the_vm_runs(host: Any) -> None:
    plan = configure.plan(host, "nested-hv-10")
    (step,) = plan.steps
    assert (step.target.kind, step.target.name) == ("nic", "Network Adapter 2")
    done = configure.apply(plan, host)
    assert done.ok
    assert configure.rollback(done.journal, host).complete
    assert host.current(step.target, "mac_spoofing") is False


def test_two_nics_of_one_name_are_told_apart_by_id(host: Any, practice: PracticeHost) -> None:
    run_ps(practice, "Add-VMNetworkAdapter -VMName nested-hv-02 -Name 'Network Adapter'")
    plan = configure.plan(host, "nested-hv-02")
    (step,) = plan.steps
    assert configure.apply(plan, host).ok
    words = "Get-VMNetworkAdapter -VMName nested-hv-02 | ForEach-Object { $_.MacAddressSpoofing }"
    assert run_ps(practice, words).split() == ["On", "On"]
    assert step.target.name.startswith("Network Adapter ")  # the MAC address follows


@pytest.mark.slow
def test_a_nat_inside_instead_of_spoofing_and_back(host: Any) -> None:
    goal = NestedGoal(network="nat", install_role=True, nat_prefix="10.9.8.0/24")
    plan = configure.plan(host, "nested-hv-03", goal=goal)
    assert [s.property for s in plan.steps] == ["guest_nat"]  # the role is there already
    done = configure.apply(plan, host)
    assert done.ok
    assert host.current(plan.vm, "guest_nat") == "10.9.8.0/24"
    assert configure.rollback(done.journal, host).complete
    assert host.current(plan.vm, "guest_nat") == ""


@pytest.mark.slow
def test_what_is_inside_a_guest_that_is_off_is_not_said_to_be_undone(
    host: Any, practice: PracticeHost
) -> None:
    plan = configure.plan(host, "nested-hv-03", goal=NestedGoal(network="nat"))
    done = configure.apply(plan, host)
    run_ps(practice, "Stop-VM nested-hv-03")
    back = configure.rollback(done.journal, host)
    assert "does not confirm" in back.not_undone[0].reason


def test_the_password_of_the_guest_is_written_nowhere(
    host: Any, practice: PracticeHost, tmp_path: Path
) -> None:
    plan = configure.plan(host, "nested-hv-01", goal=WHOLE)
    done = configure.apply(plan, host, guest_password=practice.password)
    assert done.ok
    for text in (done.journal.read_text(), json.dumps(plan.to_json()), repr(done), str(done),
                 repr(host), repr(vars(host)), plan.script("powershell")):  # fmt: skip
        assert practice.password not in text


def test_a_vm_with_a_hostile_name_is_configured_by_its_id(
    host: Any, practice: PracticeHost
) -> None:
    name = "'; Stop-VM *; $(x) `n \u2019\u201c"
    escaped = "'; Stop-VM *; $(x) `n ' + [regex]::Unescape('\\u2019\\u201c')".replace("'; ", "''; ")
    run_ps(practice, f"Rename-VM -Name nested-hv-01 -NewName ('{escaped})")
    plan = configure.plan(host, name)
    assert plan.vm.name == name
    assert configure.apply(plan, host).ok


# -- what can go wrong ---------------------------------------------------------------------------


def test_on_an_old_amd_host_the_settings_succeed_and_the_start_tells(of_profile: Any) -> None:
    host, _ = of_profile("amd-ws2019")
    plan = configure.plan(host, "nested-hv-12")
    assert "start is expected to fail" in plan.notes[0]
    first = declared(host, plan)
    with pytest.raises(HostRefused, match="does not start") as caught:
        configure.apply(plan, host)
    assert "AMD" in caught.value.remedy
    assert "rollback" in caught.value.remedy
    assert host.current(plan.vm, "nested_hv") is True
    (journal,) = (Path(p) for p in _journals())
    assert configure.rollback(journal, host).complete
    assert declared(host, plan) == first


def _journals() -> list[Path]:
    from nestkit.state import state_dir

    return sorted(state_dir("journals").glob("*.jsonl"))


@pytest.mark.slow
def test_not_enough_memory_is_said_by_the_plan_and_by_the_start(
    of_profile: Any,
) -> None:
    host, practice = of_profile("low-memory")
    with pytest.raises(PlanError, match="GiB to spare") as caught:
        configure.plan(host, "nested-hv-12", goal=NestedGoal(memory_gib=16))
    assert "stop other VMs" in caught.value.remedy
    plan = configure.plan(host, "nested-hv-12")
    memory = next(s for s in plan.steps if s.property == "memory")
    assert memory.after["startup_mib"] < 8 * 1024 < memory.before["startup_mib"]
    # somebody else takes the memory meanwhile
    run_ps(practice, "New-VM -Name greedy -MemoryStartupBytes 6GB | Start-VM")
    with pytest.raises(HostRefused, match=r"does not start.*memory") as refused:
        configure.apply(plan, host)
    assert "less memory" in refused.value.remedy
    run_ps(practice, "Stop-VM greedy -TurnOff")
    assert configure.resume(_journals()[0], host).ok


@pytest.mark.slow
def test_a_start_that_fails_leaves_a_journal_that_goes_both_ways(
    host: Any, practice: PracticeHost
) -> None:
    plan = configure.plan(host, "nested-hv-01")
    practice.set_faults(**READY, start_fails=1)
    with pytest.raises(HostRefused, match="does not start"):
        configure.apply(plan, host)
    assert configure.resume(_journals()[0], host).ok


@pytest.mark.slow
def test_a_guest_that_does_not_shut_down(host: Any, practice: PracticeHost) -> None:
    plan = configure.plan(host, "nested-hv-01")
    practice.set_faults(**READY, shutdown_hangs=1)
    with pytest.raises(DeadlineExceeded, match="asked to shut down and is still up") as caught:
        configure.apply(plan, host)
    assert "--hard-power-off" in caught.value.remedy
    assert host.current(plan.vm, "nested_hv") is False
    practice.set_faults(**READY)
    done = configure.resume(_journals()[0], host)
    assert done.ok
    # nor on the way back: then the plug is pulled, if that is allowed
    practice.set_faults(**READY, shutdown_hangs=1)
    back = configure.rollback(done.journal, host)
    assert "asked to shut down" in back.not_undone[0].reason
    assert host.current(plan.vm, "nested_hv") is True
    assert configure.rollback(done.journal, host, hard_power_off=True).complete
    assert host.current(plan.vm, "nested_hv") is False


@pytest.mark.slow
def test_a_saved_state(of_profile: Any) -> None:
    host, practice = of_profile("saved-state")
    assert configure.plan(host, "nested-hv-07").steps[0].op == "power_on"
    run_ps(practice, "Start-VM nested-hv-07; Stop-VM nested-hv-07")
    run_ps(practice, "Set-VMProcessor nested-hv-07 -ExposeVirtualizationExtensions $false")
    run_ps(practice, "Start-VM nested-hv-07; Save-VM nested-hv-07")
    with pytest.raises(ConsentNeeded, match="is saved"):
        configure.plan(host, "nested-hv-07")
    plan = configure.plan(host, "nested-hv-07", goal=NestedGoal(discard_saved_state=True))
    done = configure.apply(plan, host)
    assert done.ok
    back = configure.rollback(done.journal, host)
    assert [left.step.op for left in back.not_undone] == ["discard_saved_state"]
    assert host.current(plan.vm, "power") == "off"
    assert host.current(plan.vm, "nested_hv") is False


@pytest.mark.slow
def test_an_old_configuration_version_is_upgraded_only_with_consent(of_profile: Any) -> None:
    host, _ = of_profile("old-version")
    with pytest.raises(ConsentNeeded, match=r"5\.0"):
        configure.plan(host, "nested-hv-12")
    plan = configure.plan(host, "nested-hv-12", goal=NestedGoal(upgrade_version=True))
    done = configure.apply(plan, host)
    assert done.ok
    back = configure.rollback(done.journal, host)
    assert [left.step.property for left in back.not_undone] == ["configuration_version"]
    assert host.current(plan.vm, "nested_hv") is False


def test_wrong_guest_credentials_change_nothing_where_the_guest_can_be_asked(
    host: Any, practice: PracticeHost
) -> None:
    plan = configure.plan(host, "nested-hv-01", goal=WHOLE)
    with pytest.raises(CredentialsError, match="nothing was changed") as caught:
        configure.apply(plan, host, guest_password="wrong")
    assert "NESTKIT_GUEST_PASSWORD" in caught.value.remedy
    assert "wrong" not in str(caught.value).replace("wrong user", "")
    assert _journals() == []
    other = dataclasses.replace(plan.goal, guest_user="nobody")
    with pytest.raises(CredentialsError, match="'nobody'"):
        configure.apply(dataclasses.replace(plan, goal=other), host)
    assert configure.apply(plan, host, guest_password=practice.password).ok


@pytest.mark.slow
def test_wrong_guest_credentials_of_a_vm_that_was_off_are_put_right_by_resume(
    host: Any, practice: PracticeHost
) -> None:
    plan = configure.plan(host, "nested-hv-12", goal=WHOLE)
    with pytest.raises(CredentialsError, match="refuses the user 'Administrator'") as caught:
        configure.apply(plan, host, guest_password="wrong")
    assert "nestkit resume" in caught.value.remedy
    assert configure.resume(_journals()[0], host, guest_password=practice.password).ok


@pytest.mark.slow
def test_a_guest_that_never_comes_back(host: Any, practice: PracticeHost) -> None:
    plan = quick(configure.plan(host, "nested-hv-01", goal=WHOLE), 4, "install_role")
    practice.set_faults(**READY, guest_lost=1)
    with pytest.raises(DeadlineExceeded, match="did not come back") as caught:
        configure.apply(plan, host)
    assert "console" in caught.value.remedy


@pytest.mark.slow
def test_a_guest_without_powershell_direct(host: Any, practice: PracticeHost) -> None:
    with pytest.raises(PlanError, match="PowerShell Direct does not reach"):
        configure.plan(host, "nested-hv-14", goal=WHOLE)  # Linux
    run_ps(practice, "Stop-VM nested-hv-14 -TurnOff -Force")  # off, it does not say so
    plan = configure.plan(host, "nested-hv-14", goal=WHOLE)
    with pytest.raises(DeadlineExceeded, match="does not answer") as caught:
        configure.apply(quick(plan, 2, "install_role"), host)
    assert "Windows Server 2016" in caught.value.remedy


def test_a_connection_that_breaks_on_the_way(host: Any, practice: PracticeHost) -> None:
    plan = configure.plan(host, "nested-hv-20")
    practice.set_faults(**READY, drop_answer=60)
    try:
        done = configure.apply(plan, host)
    except ConnectionFailed as error:
        assert "nestkit resume" in error.remedy
        practice.set_faults(**READY)
        with closing(nk.connect(practice.url, password=practice.password)) as again:
            done = configure.resume(_journals()[0], again)
    assert done.ok


@pytest.mark.slow
def test_checkpoints_are_no_obstacle_and_are_said(of_profile: Any) -> None:
    host, practice = of_profile("checkpoints")
    run_ps(practice, "Set-VMNetworkAdapter -VMName nested-hv-08 -MacAddressSpoofing Off")
    plan = configure.plan(host, "nested-hv-08")
    assert "1 checkpoint" in plan.notes[0]
    assert configure.apply(plan, host).ok


def test_a_stale_plan_is_refused(host: Any, practice: PracticeHost) -> None:
    plan = configure.plan(host, "nested-hv-12")
    run_ps(practice, "Set-VMProcessor nested-hv-12 -ExposeVirtualizationExtensions $true")
    with pytest.raises(StalePlan, match=r"nested_hv.*nothing was changed"):
        configure.apply(plan, host)
    assert _journals() == []


def test_what_somebody_changed_since_is_left(host: Any, practice: PracticeHost) -> None:
    plan = configure.plan(host, "nested-hv-20")
    done = configure.apply(plan, host)
    run_ps(practice, "Stop-VM nested-hv-20; Set-VMMemory nested-hv-20 -StartupBytes 8GB")
    back = configure.rollback(done.journal, host)
    assert [left.step.property for left in back.conflicts] == ["memory"]
    assert host.current(plan.vm, "memory")["startup_mib"] == 8192


@pytest.mark.slow
def test_a_vm_of_another_id_is_not_found(host: Any, practice: PracticeHost) -> None:
    plan = configure.plan(host, "nested-hv-12")
    done = configure.apply(plan, host)
    run_ps(practice, "Stop-VM nested-hv-12; Remove-VM nested-hv-12 -Force")
    run_ps(practice, "New-VM -Name nested-hv-12")
    with pytest.raises(JournalError, match="does not have"):
        configure.rollback(done.journal, host)
    with pytest.raises(NestkitError, match="nothing was changed"):
        configure.apply(plan, host)


def test_a_plan_of_esx_is_refused_and_so_is_an_unknown_property(host: Any) -> None:
    plan = configure.plan(host, "nested-hv-12")
    with pytest.raises(PlanError, match="is for"):
        configure.apply(dataclasses.replace(plan, platform="esx"), host)
    with pytest.raises(PlanError, match="no property"):
        host.current(plan.vm, "firmware")
    with pytest.raises(NestkitError, match="no NIC"):
        host.current(Target("nic", f"Microsoft:{plan.vm.id}\\x", "NIC"), "mac_spoofing")
