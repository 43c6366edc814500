"""What Windows has and the practice host does not play is refused, never taken in silence."""

from __future__ import annotations

import pytest
from played_hyperv import PlayedSession

from nestkit.practice.hyperv.arguments import ALWAYS, REGISTRY
from nestkit.practice.hyperv.cmdlet_table import load
from nestkit.practice.hyperv.playing import play
from nestkit.practice.hyperv.programs import Script, Unusable, understand


def run(script: str) -> tuple[str, str]:
    played = play(script, PlayedSession().session, lambda: "", clixml_errors=False)
    return played.stdout.replace("\r\n", "\n"), played.stderr


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_what_a_cmdlet_plays_is_in_the_vendors_table(name: str) -> None:
    spec = load().get(name)
    assert spec is not None
    assert REGISTRY[name].takes - ALWAYS <= {p.name for p in spec.parameters.values()}


@pytest.mark.parametrize(
    ("call", "unplayed"),
    [
        ("Set-VMNetworkAdapter -VMName nested-hv-10", "DhcpGuard On"),
        ("Set-VMNetworkAdapter -VMName nested-hv-10 -MacAddressSpoofing On", "AllowTeaming On"),
        ("Set-VMProcessor nested-hv-12", "CompatibilityForMigrationEnabled $true"),
        ("Set-VMMemory nested-hv-12", "MaximumAmountPerNumaNodeBytes 4GB"),
        ("Set-VM nested-hv-12", "LockOnDisconnect On"),
        ("Stop-VM nested-hv-02", "AsJob"),
        ("Get-VMProcessor", "VMSnapshot (Get-VMSnapshot -VMName nested-hv-08)"),
        ("Get-VMNetworkAdapter", "ManagementOS"),
        ("New-VM x -MemoryStartupBytes 1GB", "Prerelease"),
        ("Install-WindowsFeature Containers", "Source D:\\"),
    ],
)
def test_a_parameter_that_is_not_played_is_named_and_nothing_is_done(
    call: str, unplayed: str
) -> None:
    _, errors = run(f"{call} -{unplayed}")
    named = f"-{unplayed.split()[0]} of {call.split()[0]}"
    assert f"does not model the parameter {named}" in errors
    assert "PracticeHostLimit" in errors


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("Set-VMProcessor nested-hv-12 -Maximum 500", "Maximum must be from 0 to 100"),
        ("Set-VMProcessor nested-hv-12 -Reserve -1", "Reserve must be from 0 to 100"),
        ("Set-VMProcessor nested-hv-12 -RelativeWeight 0", "RelativeWeight must be from 1 to"),
        ("Set-VMMemory nested-hv-12 -Buffer 1", "Buffer must be from 5 to 2000"),
        ("Set-VMMemory nested-hv-12 -Priority 101", "Priority must be from 0 to 100"),
    ],
)
def test_a_share_beyond_what_the_vendor_allows_is_refused(call: str, said: str) -> None:
    assert said in run(call)[1]


@pytest.mark.parametrize("version", ["2", "2.0", "7", "x"])
def test_another_version_of_powershell_is_refused(version: str) -> None:
    with pytest.raises(Unusable, match="not version"):
        understand(f"powershell -Version {version} -Command 1", (), skip_cmd=True)
    assert understand("powershell -Version 5.1 -Command 1", (), skip_cmd=True) == Script("1", False)


def test_lines_too_long_for_the_width_are_refused() -> None:
    wide = "Get-VM nested-hv-01 | Out-String -Width"
    assert "longer than the 60 characters of -Width" in run(f"{wide} 60")[1]
    assert run(f"{wide} 4096")[0] == run("Get-VM nested-hv-01 | Out-String")[0]


def test_without_clixml_warnings_and_verbose_lines_are_on_standard_output() -> None:
    script = "Write-Warning 'careful'; Write-Verbose 'more' -Verbose; 'out'; Write-Error 'bad'"
    out, err = run(script)
    assert out == "WARNING: careful\nVERBOSE: more\nout\n"
    assert err.startswith("Write-Error : bad") or "bad" in err.splitlines()[0]


def test_a_refused_call_changes_nothing_of_what_it_does_play() -> None:
    script = (
        "Set-VMNetworkAdapter -VMName nested-hv-03 -MacAddressSpoofing On -RouterGuard On "
        "-ErrorAction SilentlyContinue; "
        '"$((Get-VMNetworkAdapter nested-hv-03).MacAddressSpoofing)"'
    )
    assert run(script)[0] == "Off\n"


def test_addresses_are_chosen_by_every_parameter_that_is_taken() -> None:
    script = (
        "New-VMSwitch lab -SwitchType Internal | Out-Null; "
        "New-NetIPAddress 10.1.0.1 -PrefixLength 24 -InterfaceAlias 'vEthernet (lab)' | Out-Null; "
        "Remove-NetIPAddress -InterfaceIndex 999 -Confirm:$false; "
        "@(Get-NetIPAddress -AddressFamily IPv4).Count; "
        "@(Get-NetIPAddress -AddressFamily IPv6).Count"
    )
    assert run(script) == ("1\n0\n", "")


def test_a_switch_without_the_host_gives_it_no_adapter() -> None:
    script = (
        "New-VMSwitch out -NetAdapterName 'Ethernet 2' -AllowManagementOS $false | "
        "ForEach-Object AllowManagementOS; @(Get-NetAdapter 'vEthernet*').Count; "
        "Remove-VMSwitch out -Force; "
        "New-VMSwitch out -NetAdapterName 'Ethernet 2' | Out-Null; "
        "@(Get-NetAdapter 'vEthernet*').Count"
    )
    assert run(script) == ("False\n0\n1\n", "")


def test_automatic_checkpoints_and_the_plugs_are_shown_as_set() -> None:
    script = (
        "Set-VM nested-hv-12 -AutomaticCheckpointsEnabled $true -Passthru | "
        "ForEach-Object AutomaticCheckpointsEnabled; "
        "Disconnect-VMNetworkAdapter nested-hv-12 -Passthru | ForEach-Object Connected"
    )
    assert run(script) == ("True\nFalse\n", "")


@pytest.mark.parametrize(
    "script", ["Rename-VM nested-hv-12 ''", "Set-VM nested-hv-12 -NewVMName ' '"]
)
def test_a_vm_gets_no_empty_name(script: str) -> None:
    assert run(script)[1]
    assert run(f"{script} -ErrorAction SilentlyContinue; Get-VM nested-hv-12 | % Name")[0] == (
        "nested-hv-12\n"
    )
