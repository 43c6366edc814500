"""The guide's Hyper-V blocks through plain pywinrm, and what they leave behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import winrm

from nestkit import practice
from nestkit.practice import PracticeHost

VM = "nested-hv-20"
AWAY_S = 4.0
STEPS = f"""\
Stop-VM {VM} -Confirm:$false
Set-VMProcessor -VMName {VM} -ExposeVirtualizationExtensions $true
Get-VMNetworkAdapter -VMName {VM} | Set-VMNetworkAdapter -MacAddressSpoofing On
Set-VMMemory -VMName {VM} -DynamicMemoryEnabled $false
Start-VM {VM}
"""
SNIPPET = """\
param ( [string]$VMName )
Stop-VM $VMName -Confirm:$false
Set-VMProcessor -VMName $VMName -ExposeVirtualizationExtensions $true
Set-VMMemory -VMName $VMName -DynamicMemoryEnabled $false
Start-VM $VMName
"""
ROLE = """\
$secret = ConvertTo-SecureString '{password}' -AsPlainText -Force
$credential = New-Object System.Management.Automation.PSCredential('Administrator', $secret)
Invoke-Command -VMName {vm} -Credential $credential -ScriptBlock {{
    Install-WindowsFeature -Name Hyper-V -IncludeAllSubFeature -IncludeManagementTools -Restart
}}
"""
INSIDE = """\
$secret = ConvertTo-SecureString '{password}' -AsPlainText -Force
$credential = New-Object System.Management.Automation.PSCredential('Administrator', $secret)
$state = Invoke-Command -VMName {vm} -Credential $credential -ScriptBlock {{
    (Get-WindowsFeature -Name Hyper-V).Installed
}}
ConvertTo-Json -InputObject $state -Compress
"""
FACTS = """\
$vm = Get-VM -Name {vm}
$cpu = Get-VMProcessor -VMName {vm}
$memory = Get-VMMemory -VMName {vm}
$nics = @(Get-VMNetworkAdapter -VMName {vm} | ForEach-Object {{ [string]$_.MacAddressSpoofing }})
ConvertTo-Json -Compress -InputObject @{{
    state = [string]$vm.State; exposes = $cpu.ExposeVirtualizationExtensions
    dynamic = $memory.DynamicMemoryEnabled; spoofing = $nics
}}
"""


@pytest.fixture
def host() -> Iterator[PracticeHost]:
    with practice.start("hyperv", profile="as-created", faults={"guest_after": 0.3}) as p:
        yield p


def session(host: PracticeHost) -> winrm.Session:
    return winrm.Session(
        f"http://127.0.0.1:{host.port}/wsman",
        auth=(host.user, host.password),
        transport="ntlm",
        message_encryption="always",
        proxy=None,
        ca_trust_path=None,
    )


def facts(host: PracticeHost, vm: str = VM) -> dict[str, Any]:
    answer = session(host).run_ps(FACTS.format(vm=vm))
    assert answer.status_code == 0, answer.std_err
    found: dict[str, Any] = json.loads(answer.std_out)
    return found


def test_the_steps_have_their_effect(host: PracticeHost) -> None:
    before = facts(host)
    assert before == {"state": "Running", "exposes": False, "dynamic": True, "spoofing": ["Off"]}
    answer = session(host).run_ps(STEPS)
    assert (answer.status_code, answer.std_out) == (0, b"")
    after = facts(host)
    assert after == {"state": "Running", "exposes": True, "dynamic": False, "spoofing": ["On"]}


def test_the_snippet_called_with_its_parameter_has_its_effect(host: PracticeHost) -> None:
    answer = session(host).run_ps(f"& {{\n{SNIPPET}}} -VMName {VM}")
    assert (answer.status_code, answer.std_out) == (0, b"")
    after = facts(host)
    assert after == {"state": "Running", "exposes": True, "dynamic": False, "spoofing": ["Off"]}


@pytest.mark.parametrize("block", [STEPS, SNIPPET])
def test_a_block_in_one_line_as_printed_is_refused_and_changes_nothing(
    host: PracticeHost, block: str
) -> None:
    line = " ".join(block.split())
    answer = session(host).run_ps(line)
    assert answer.status_code == 1
    assert answer.std_err
    assert facts(host)["exposes"] is False


def test_the_role_is_installed_inside_and_the_guest_restarts(host: PracticeHost) -> None:
    client = session(host)
    assert client.run_ps(STEPS).status_code == 0
    time.sleep(0.4)
    words = {"vm": VM, "password": host.password}
    assert json.loads(client.run_ps(INSIDE.format(**words)).std_out) is False
    host.set_faults(guest_after=AWAY_S)
    began = time.monotonic()
    installed = client.run_ps(ROLE.format(**words))
    assert installed.status_code == 0, installed.std_err
    assert b"True" in installed.std_out
    away = client.run_ps(INSIDE.format(**words))
    was_away = b"remote session might" in away.std_err.replace(b"\n", b" ")
    assert was_away or time.monotonic() - began > AWAY_S
    time.sleep(AWAY_S)
    assert json.loads(client.run_ps(INSIDE.format(**words)).std_out) is True


def test_the_role_is_refused_where_the_extensions_are_not_exposed(host: PracticeHost) -> None:
    words = {"vm": VM, "password": host.password}
    answer = session(host).run_ps(ROLE.format(**words))
    assert answer.status_code == 1
    assert b"virtualization capabilities" in answer.std_err.replace(b"\n", b" ")


def test_wrong_guest_credentials_are_refused(host: PracticeHost) -> None:
    answer = session(host).run_ps(INSIDE.format(vm=VM, password="wrong"))
    assert b"The credential is invalid" in answer.std_err


def test_a_guest_that_never_comes_back_stays_away(host: PracticeHost) -> None:
    client = session(host)
    words = {"vm": VM, "password": host.password}
    assert client.run_ps(STEPS).status_code == 0
    time.sleep(0.4)
    host.set_faults(guest_lost=1, guest_after=0.1)
    assert client.run_ps(ROLE.format(**words)).status_code == 0
    time.sleep(0.5)
    assert b"remote session might" in client.run_ps(INSIDE.format(**words)).std_err


def test_without_the_detour_through_the_guest_the_role_lands_on_the_host() -> None:
    with practice.start("hyperv", profile="no-role") as p:
        line = "Install-WindowsFeature -Name Hyper-V -IncludeManagementTools -Restart"
        assert b"True" in session(p).run_ps(line).std_out
        time.sleep(0.4)
        answer = session(p).run_ps("(Get-WindowsFeature -Name Hyper-V).Installed")
        assert answer.std_out == b"True\r\n"


# -- faults on demand, as a client sees them ----------------------------------------------------


def test_progress_noise_comes_with_exit_status_zero(host: PracticeHost) -> None:
    host.set_faults(progress_noise=1)
    client = session(host)
    shell = client.protocol.open_shell()
    command = client.protocol.run_command(shell, "powershell -EncodedCommand MQA=")
    out, err, code = client.protocol.get_command_output(shell, command)
    assert (out, code) == (b"1\r\n", 0)
    assert err.startswith(b"#< CLIXML\r\n")
    assert b'S="progress"' in err


def test_errors_in_german(host: PracticeHost) -> None:
    host.set_faults(german=1)
    answer = session(host).run_ps("Start-VM nobody")
    assert b"konnte keinen virtuellen Computer" in answer.std_err
    assert answer.status_code == 1


def test_output_cut_short(host: PracticeHost) -> None:
    host.set_faults(truncate_output=10)
    answer = session(host).run_ps("ConvertTo-Json @{ a = 'a long text'; b = 'another' }")
    assert len(answer.std_out) == 10


def test_something_else_writes_to_output(host: PracticeHost) -> None:
    host.set_faults(not_json=1)
    answer = session(host).run_ps("ConvertTo-Json 1")
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.std_out)
    assert answer.std_out.endswith(b"1\r\n")


def test_who_is_no_administrator_of_hyperv_is_refused() -> None:
    with practice.start("hyperv", profile="not-administrator") as p:
        answer = session(p).run_ps("Get-VM")
        assert b"required permission" in answer.std_err
        assert answer.std_out == b""
        assert session(p).run_ps("(Get-CimInstance Win32_OperatingSystem).BuildNumber").std_out
