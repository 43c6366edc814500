"""The guide's Hyper-V blocks against the evaluator, with stand-ins for the model's cmdlets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from nestkit.practice.hyperv.cmdlet_table import load
from nestkit.practice.hyperv.powershell import Interpreter, Result
from nestkit.practice.hyperv.values import Invocation, PropertyObject, PsError, Value

_HYPERV = "Microsoft.HyperV.PowerShell."

BLOCK_ONE = """\
Stop-VM nested -Confirm:$false
Set-VMProcessor -VMName nested -ExposeVirtualizationExtensions $true
Get-VMNetworkAdapter -VMName nested | Set-VMNetworkAdapter -MacAddressSpoofing On
Set-VMMemory -VMName nested -DynamicMemoryEnabled $false
Start-VM nested
"""
BLOCK_TWO = """\
& {
param ( [string]$VMName )
Stop-VM $VMName -Confirm:$false
Set-VMProcessor -VMName $VMName -ExposeVirtualizationExtensions $true
Set-VMMemory -VMName $VMName -DynamicMemoryEnabled $false
Start-VM $VMName
} 'nested'
"""
STEP_SIX = """\
$secret = ConvertTo-SecureString 'guest-pw' -AsPlainText -Force
$guest = New-Object System.Management.Automation.PSCredential('Administrator', $secret)
Invoke-Command -VMName nested -Credential $guest -ScriptBlock {
  Install-WindowsFeature -Name Hyper-V -IncludeAllSubFeature -IncludeManagementTools -Restart
}
"""
ONE_LINE = (
    "Stop-VM nested -Confirm:$false Set-VMProcessor -VMName nested "
    "-ExposeVirtualizationExtensions $true Set-VMMemory -VMName nested "
    "-DynamicMemoryEnabled $false Start-VM nested"
)
ONE_LINE_SAMPLE = "param ( [string]$VMName ) " + ONE_LINE.replace("nested", "$VMName")


@dataclass
class Host:
    """Remembers what it was asked."""

    calls: list[tuple[str, dict[str, Value]]] = field(default_factory=list)
    guest_calls: list[str] = field(default_factory=list)

    def play(self, inv: Invocation) -> list[Value]:
        self.calls.append((inv.name, dict(inv.bound)))
        if inv.name == "Get-VMNetworkAdapter":
            kind = _HYPERV + "VMNetworkAdapter"
            return [PropertyObject({"Name": n, "VMName": "nested"}, type_name=kind) for n in "ab"]
        return []

    def invoke(self, inv: Invocation) -> list[Value]:
        def install(guest: Invocation) -> list[Value]:
            self.guest_calls.append(guest.name)
            return [PropertyObject({"Success": True, "RestartNeeded": "No"})]

        if inv.bound["Credential"].get("Password").text != "guest-pw":
            raise PsError("The credential is invalid.", error_id="InvalidCredential")
        guest = inv.extra["interpreter"].sub({"Install-WindowsFeature": install}, computer="L1")
        return guest.call(inv.bound["ScriptBlock"], inv.bound.get("ArgumentList", []))

    def run(self, script: str) -> Result:
        names = ("Stop-VM", "Start-VM", "Set-VMProcessor", "Set-VMMemory", "Get-VM")
        names += ("Get-VMNetworkAdapter", "Set-VMNetworkAdapter")
        cmdlets = dict.fromkeys(names, self.play)
        return Interpreter({**cmdlets, "Invoke-Command": self.invoke}, load()).run(script)


def test_the_first_block_reaches_every_cmdlet_with_bound_parameters() -> None:
    host = Host()
    result = host.run(BLOCK_ONE)
    assert result.exit_code == 0
    assert [name for name, _ in host.calls] == [
        "Stop-VM",
        "Set-VMProcessor",
        "Get-VMNetworkAdapter",
        "Set-VMNetworkAdapter",
        "Set-VMNetworkAdapter",
        "Set-VMMemory",
        "Start-VM",
    ]
    calls = dict(host.calls)
    assert calls["Stop-VM"] == {"Name": ["nested"], "Confirm": False}
    assert calls["Set-VMProcessor"]["ExposeVirtualizationExtensions"] is True
    assert calls["Set-VMMemory"]["DynamicMemoryEnabled"] is False
    spoofing = calls["Set-VMNetworkAdapter"]["MacAddressSpoofing"]
    assert (spoofing.name, spoofing.number) == ("On", 0)
    assert calls["Set-VMNetworkAdapter"]["VMNetworkAdapter"].get("Name") == "b"


def test_the_second_block_runs_with_its_parameter() -> None:
    host = Host()
    assert host.run(BLOCK_TWO).exit_code == 0
    assert [name for name, _ in host.calls] == [
        "Stop-VM",
        "Set-VMProcessor",
        "Set-VMMemory",
        "Start-VM",
    ]
    assert all("nested" in str(bound) for _, bound in host.calls)


def test_step_six_installs_inside_the_guest_and_not_on_the_host() -> None:
    host = Host()
    result = host.run(STEP_SIX)
    assert result.exit_code == 0
    assert host.guest_calls == ["Install-WindowsFeature"]
    assert "Success" in result.stdout
    assert "guest-pw" not in result.stdout + result.stderr


def test_wrong_guest_credentials_are_an_error() -> None:
    host = Host()
    result = host.run(STEP_SIX.replace("guest-pw", "wrong"))
    assert result.exit_code == 1
    assert "InvalidCredential,Microsoft.PowerShell.Commands.InvokeCommandCommand" in result.stderr
    assert not host.guest_calls


@pytest.mark.parametrize("script", [ONE_LINE, f"& {{ {ONE_LINE_SAMPLE} }} nested"])
def test_the_collapsed_form_is_refused_as_powershell_refuses_it(script: str) -> None:
    host = Host()
    result = host.run(script)
    assert result.exit_code == 1
    assert not host.calls
    assert "A parameter cannot be found that matches parameter name" in result.stderr
    assert "NamedParameterNotFound,Microsoft.HyperV.PowerShell.Commands.StopVM" in result.stderr


def test_collapsed_words_alone_are_positional_arguments_nobody_takes() -> None:
    result = Host().run("Stop-VM nested -Confirm:$false Set-VMProcessor")
    assert (
        "A positional parameter cannot be found that accepts argument 'Set-VMProcessor'."
        in result.stderr
    )
    assert "PositionalParameterNotFound,Microsoft.HyperV.PowerShell.Commands.StopVM" in (
        result.stderr
    )


@pytest.mark.parametrize(
    "line", ["Stop-VM <VM Name> -Confirm:$false", "Set-VMProcessor -VMName <VM Name>"]
)
def test_placeholders_left_in_are_parse_errors(line: str) -> None:
    host = Host()
    result = host.run(line)
    assert result.exit_code == 1
    assert not host.calls
    assert re.search(r"The '&lt;' operator is reserved for future use\.", result.stderr)
    assert "RedirectionNotSupported" in result.stderr


def test_what_if_says_what_it_would_do() -> None:
    host = Host()
    result = host.run("Stop-VM nested -WhatIf")
    assert result.stdout == 'What if: Performing the operation "Stop-VM" on target "nested".\r\n'
    assert host.calls == [("Stop-VM", {"Name": ["nested"]})]


def test_step_six_typed_on_the_host_lands_on_the_host() -> None:
    """The guide's trap: without Invoke-Command the role goes to the host."""
    landed: list[str] = []

    def install(inv: Invocation) -> list[Value]:
        landed.append(inv.name)
        return []

    Interpreter({"Install-WindowsFeature": install}, load()).run(
        "Install-WindowsFeature -Name Hyper-V -IncludeAllSubFeature -IncludeManagementTools"
    )
    assert landed == ["Install-WindowsFeature"]
