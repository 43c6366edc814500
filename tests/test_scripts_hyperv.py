"""Hyper-V plans as PowerShell, which is run and has its effect, and as steps for a person."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import winrm
from hypothesis import example, given, settings
from test_scripts import names

import nestkit as nk
from nestkit import configure
from nestkit.plans import NestedGoal, Plan, Step, Target
from nestkit.practice import PracticeHost
from nestkit.practice.hyperv.cmdlet_table import load
from nestkit.practice.hyperv.powershell import Interpreter, Limits
from nestkit.practice.hyperv.powershell.check import problems

VM_ID = "f33b545b-6942-5018-88f4-5372e04837d8"
TABLE = load("ws2022")


def make_plan(vm_name: str = "l1", nic_name: str = "NIC", user: str = "Administrator") -> Plan:
    vm = Target("vm", VM_ID, vm_name)
    nic = Target("nic", f"Microsoft:{VM_ID}\\AAAA", nic_name)
    static = {"dynamic": False, "startup_mib": 8192, "minimum_mib": 0, "maximum_mib": 0}
    dynamic = {"dynamic": True, "startup_mib": 4096, "minimum_mib": 512, "maximum_mib": 8192}

    def step(op: Any, prop: str, before: Any, after: Any, target: Target = vm) -> Step:
        return Step(
            id=f"{op}-{prop}-{after}", op=op, target=target, property=prop, before=before,
            after=after, why=f"for {vm_name}",
        )  # fmt: skip

    return Plan(
        host="host", host_name="HV01", platform="hyperv", is_practice=True, vm=vm,
        goal=NestedGoal(guest_user=user), notes=(f"left: {vm_name}",),
        steps=(
            step("discard_saved_state", "power", "saved", "off"),
            step("power_off", "power", "on", "off"),
            step("shutdown_guest", "power", "on", "off"),
            step("set_property", "configuration_version", "8.0", "10.0"),
            step("set_property", "nested_hv", False, True),
            step("set_property", "cpu", {"count": 1}, {"count": 2}),
            step("set_property", "mac_spoofing", False, True, nic),
            step("set_property", "memory", dynamic, static),
            step("set_property", "memory", static, dynamic),
            step("power_on", "power", "off", "on"),
            step("install_role", "hyperv_role", "not confirmed", "installed"),
            step("set_property", "guest_nat", "", "10.9.8.0/24"),
            step("set_property", "guest_nat", "10.9.8.0/24", ""),
        ),
    )  # fmt: skip


@settings(max_examples=60)
@example("'; Stop-VM *; '", "\u2019; Stop-VM * ;\u2018")
@example("`n $(Stop-VM *) \u201c", "#>\nStop-VM *\n<#")
@given(names, names)
def test_whatever_the_names_a_script_is_ascii_for_5_1_and_binds(vm: str, nic: str) -> None:
    text = make_plan(vm, nic, user=vm).script("powershell")
    assert problems(text, TABLE) == []


@settings(max_examples=60)
@example("'; Stop-VM *; '")
@example("\u2019; $(Stop-VM *) `n \u201c\r\n\u2028#>")
@given(names)
def test_an_id_from_a_plan_file_is_data_and_names_appear_in_remarks_only(text: str) -> None:
    plan = make_plan("plain", text)
    vm = dataclasses.replace(plan.vm, id=text)
    nic = dataclasses.replace(plan.steps[6].target, id=text)
    steps = (dataclasses.replace(plan.steps[6], target=nic),)
    script = dataclasses.replace(plan, vm=vm, steps=steps).script("powershell")
    line = next(line for line in script.splitlines() if line.startswith("$vmId = "))
    call = next(line for line in script.splitlines() if line.startswith("$nic = "))
    value = call.removeprefix("$nic = Get-NestedNic ")
    run = Interpreter({}, TABLE, limits=Limits())
    program = f"{line}\n$id = {value}\nConvertTo-Json -Compress -InputObject @($vmId, $id)"
    result = run.run(program, "")
    assert json.loads(result.stdout) == [text, text], result.stderr


def test_every_script_that_nestkit_sends_is_5_1_and_binds() -> None:
    files = sorted((Path(nk.__file__).parent / "hosts" / "powershell").glob("*.ps1"))
    assert len(files) > 8
    found = {path.name: problems(path.read_text("utf-8"), TABLE) for path in files}
    assert not any(found.values()), found


def test_cmdlets_carry_their_module_since_powercli_has_the_same_names() -> None:
    text = make_plan().script("powershell")
    for bare in ("Get-VM ", "Start-VM ", "Stop-VM ", "Set-VM"):
        for place in (text[: i.start()] for i in _all(bare, text)):
            if not place.splitlines()[-1].lstrip().startswith("#"):
                assert place.endswith("Hyper-V\\"), place[-60:]


def _all(word: str, text: str) -> Iterator[Any]:
    return re.finditer(rf"(?<![\w-]){re.escape(word)}", text)


def test_the_steps_for_hyper_v_manager_hold_the_line_it_has_no_switch_for() -> None:
    text = make_plan("My 'VM'").script("gui")
    (line,) = [x for x in text.splitlines() if "-ExposeVirtualizationExtensions $true" in x]
    assert "Hyper-V Manager has no switch" in text
    assert problems(line.strip().removeprefix("- "), TABLE) == []
    for words in ("Dynamic Memory", "MAC address spoofing", "Add Roles and Features"):
        assert words in text
    assert "New-NetNat" in text
    assert "\r" not in make_plan("a\rb\x1b[2J").script("gui")
    assert "\x1b" not in make_plan("a\rb\x1b[2J").script("gui")


# -- run against the practice host ---------------------------------------------------------------


@pytest.fixture
def practice() -> Iterator[PracticeHost]:
    with nk.practice.start("hyperv", faults={"guest_after": 0.2}) as host:
        yield host


def run_ps(practice: PracticeHost, script: str) -> Any:
    """As a person would: the script file on standard input of powershell.exe."""
    protocol = winrm.Session(
        f"http://127.0.0.1:{practice.port}/wsman",
        auth=(practice.user, practice.password),
        transport="ntlm",
        message_encryption="always",
        proxy=None,
        ca_trust_path=None,
    ).protocol
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, "powershell -NoProfile -Command -")
    protocol.send_command_input(shell, command, script.encode(), end=True)
    out, err, code = protocol.get_command_output(shell, command)
    protocol.close_shell(shell)
    return out.decode(), err.decode(), code


def with_guest(script: str, password: str) -> str:
    return (
        f"$secret = ConvertTo-SecureString '{password}' -AsPlainText -Force\n"
        "$c = New-Object System.Management.Automation.PSCredential('Administrator', $secret)\n"
        f"& {{\n{script}\n}} -Guest $c\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("vm", ["nested-hv-01", "nested-hv-05", "nested-hv-09", "nested-hv-10",
                                "nested-hv-12", "nested-hv-20"])  # fmt: skip
def test_the_script_does_what_the_plan_says(practice: PracticeHost, vm: str) -> None:
    with closing(nk.connect(practice.url, password=practice.password)) as host:
        plan = configure.plan(host, vm)
        assert plan.steps
        _, err, code = run_ps(practice, plan.script("powershell"))
        assert (code, err) == (0, ""), err
        assert configure.plan(host, vm).is_empty
        undo = dataclasses.replace(plan, steps=tuple(s.inverse() for s in plan.steps[::-1]))
        _, err, code = run_ps(practice, undo.script("powershell"))
        assert (code, err) == (0, ""), err
        assert configure.plan(host, vm).digest == plan.digest


def test_the_whole_way_with_the_role_and_a_nat_inside(practice: PracticeHost) -> None:
    goal = NestedGoal(install_role=True, network="nat")
    with closing(nk.connect(practice.url, password=practice.password)) as host:
        plan = configure.plan(host, "nested-hv-20", goal=goal)
        script = plan.script("powershell")
        _, err, code = run_ps(practice, script)
        assert code == 1
        assert "give -Guest" in err
        _, err, code = run_ps(practice, with_guest(script, practice.password))
        assert (code, err) == (0, ""), err
        assert configure.plan(host, "nested-hv-20", goal=goal).is_empty


def test_a_script_with_a_wrong_guest_password_asks_once(practice: PracticeHost) -> None:
    with closing(nk.connect(practice.url, password=practice.password)) as host:
        plan = configure.plan(host, "nested-hv-02", goal=NestedGoal(network="nat"))
    began = time.monotonic()
    _, err, code = run_ps(practice, with_guest(plan.script("powershell"), "not it"))
    assert (code, "The credential is invalid." in err) == (1, True)
    assert time.monotonic() - began < 200  # and not the 300 s that a guest may take to answer


def test_a_vm_that_is_not_there_stops_the_script(practice: PracticeHost) -> None:
    with closing(nk.connect(practice.url, password=practice.password)) as host:
        plan = configure.plan(host, "nested-hv-12")
    gone = dataclasses.replace(plan, vm=dataclasses.replace(plan.vm, id=VM_ID[:-1] + "0"))
    _, err, code = run_ps(practice, gone.script("powershell"))
    assert code == 1
    assert "unable to find a virtual machine" in err
