"""What Hyper-V's cmdlets do on the practice host, script by script."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from nestkit.practice.faults import Faults, Switchboard
from nestkit.practice.hyperv.inventory import default_path, load
from nestkit.practice.hyperv.model import GIB, Vm
from nestkit.practice.hyperv.playing import Played, play
from nestkit.practice.hyperv.world import Cancelled, Session, World

QUICK = Faults(guest_after=0.0)
PASSWORD = "guest's \"pass`word"
CREDENTIAL = (
    "$c = New-Object System.Management.Automation.PSCredential('{user}', "
    "(ConvertTo-SecureString '{password}' -AsPlainText -Force))\n"
)


class Desk:
    """A world and someone who runs scripts on it."""

    def __init__(self, profile: str = "default", faults: Faults = QUICK, vms: int = 0) -> None:
        inventory = load(default_path(), profile=profile, vms=vms)
        self.world = World(lambda: inventory.host, Switchboard(faults))
        self.world.is_administrator = inventory.is_administrator
        self.session = Session(self.world, self.world.host, "Administrator", PASSWORD)

    def run(self, script: str, stdin: str = "") -> Played:
        return play(script, self.session, lambda: stdin, clixml_errors=False)

    def json(self, script: str) -> Any:
        played = self.run(f"ConvertTo-Json -Compress -Depth 5 -InputObject @({script})")
        assert played.stderr == ""
        return json.loads(played.stdout)

    def fails(self, script: str) -> str:
        """The id of the one error a script ends with."""
        played = self.run(script)
        ids = [line for line in played.stderr.splitlines() if "FullyQualifiedErrorId" in line]
        assert len(ids) == 1, played
        return ids[0].partition(": ")[2].partition(",")[0].strip()

    def vm(self, number: int) -> Vm:
        name = f"nested-hv-{number:02}"
        return next(vm for vm in self.world.host.vms.values() if vm.name == name)


def inside(script: str, vm: str, *, user: str = "Administrator", password: str = PASSWORD) -> str:
    words = {"user": user, "password": password.replace("'", "''")}
    return (
        CREDENTIAL.format(**words)
        + f"Invoke-Command -VMName '{vm}' -Credential $c -ScriptBlock {{ {script} }}"
    )


@pytest.fixture
def desk() -> Desk:
    return Desk()


# -- finding -----------------------------------------------------------------------------


def test_vms_are_found_by_name_pattern_id_and_pipeline(desk: Desk) -> None:
    vm = desk.vm(2)
    for script in (
        "Get-VM nested-hv-02",
        "Get-VM -Name NESTED-HV-0[2]",
        f"Get-VM -Id {vm.id}",
        "'nested-hv-02' | Get-VM",
        "Get-VM | Where-Object Name -eq 'nested-hv-02'",
        "Hyper-V\\Get-VM -VMName nested-hv-02",
    ):
        assert desk.json(f"{script} | ForEach-Object {{ [string]$_.Id }}") == [str(vm.id)], script
    assert desk.json("Get-VM no-such-* | ForEach-Object Name") == []


def test_a_name_that_is_not_there_is_an_error_and_the_others_still_come(desk: Desk) -> None:
    played = desk.run("Get-VM nobody, nested-hv-02 | ForEach-Object Name")
    assert played.stdout == "nested-hv-02\r\n"
    assert 'unable to find a virtual machine with name "nobody"' in played.stderr
    assert "InvalidParameter,Microsoft.HyperV.PowerShell.Commands.GetVM" in played.stderr
    assert desk.fails("Start-VM nobody") == "ObjectNotFound"
    assert desk.fails("Get-VM -Id 11111111-2222-3333-4444-555555555555") == "ObjectNotFound"
    assert desk.run("try { Start-VM nobody -ErrorAction Stop } catch { 'caught' }").stdout == (
        "caught\r\n"
    )


def test_a_name_for_two_vms_means_both(desk: Desk) -> None:
    desk = Desk("duplicate-names")
    assert len(desk.json("Get-VM nested-hv-01 | ForEach-Object { [string]$_.Id }")) == 2
    assert desk.fails(inside("1", "nested-hv-01")) == "InvalidVMName"


def test_an_awkward_name_is_reached_by_id_or_with_its_wildcards_escaped(desk: Desk) -> None:
    name = "Müller''s [lab] $x `n 日本"
    assert desk.json(f"Get-VM '{name}' -ErrorAction SilentlyContinue | ForEach-Object Name") == []
    escaped = name.replace("`", "``").replace("[", "`[").replace("]", "`]")
    assert desk.json(f"Get-VM '{escaped}' | ForEach-Object Name") == [name.replace("''", "'")]
    assert desk.run("Get-VM | Where-Object Name -like 'M*' | Stop-VM").stderr == ""


# -- settings and the state they need ----------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "Set-VMProcessor -VMName {vm} -ExposeVirtualizationExtensions $true",
        "Set-VMProcessor -VMName {vm} -Count 2",
        "Set-VMMemory -VMName {vm} -DynamicMemoryEnabled $true -MaximumBytes 16GB",
        "Set-VM -Name {vm} -ProcessorCount 2",
        "Set-VMNetworkAdapter -VMName {vm} -StaticMacAddress 00155D000001",
        "Update-VMVersion {vm} -Force",
    ],
)
@pytest.mark.parametrize("number", [1, 7, 15])
def test_what_needs_the_vm_off_is_refused_while_it_is_not(
    desk: Desk, change: str, number: int
) -> None:
    vm = desk.vm(number)
    before = repr(vm)
    assert desk.fails(change.format(vm=vm.name)) == "InvalidState"
    assert repr(vm) == before


def test_spoofing_may_change_while_the_vm_runs_but_not_while_it_is_saved(desk: Desk) -> None:
    script = "Get-VMNetworkAdapter -VMName {} | Set-VMNetworkAdapter -MacAddressSpoofing {}"
    assert desk.run(script.format("nested-hv-03", "On")).stderr == ""
    assert desk.vm(3).nics[0].spoofing
    assert desk.fails(script.format("nested-hv-07", "Off")) == "InvalidState"
    assert desk.vm(7).nics[0].spoofing


def test_one_of_two_nics_is_changed_by_its_id(desk: Desk) -> None:
    script = (
        "Get-VMNetworkAdapter -VMName nested-hv-10 | Where-Object { -not ([string]"
        "$_.MacAddressSpoofing -eq 'On') } | Set-VMNetworkAdapter -MacAddressSpoofing On"
    )
    assert desk.run(script).stderr == ""
    assert [nic.spoofing for nic in desk.vm(10).nics] == [True, True]
    names = desk.json("Get-VMNetworkAdapter -VMName nested-hv-10 | ForEach-Object Name")
    assert names == ["Network Adapter", "Network Adapter 2"]


@pytest.mark.parametrize(
    "sizes",
    [
        "-StartupBytes 1MB",
        "-StartupBytes 1073741825",
        "-DynamicMemoryEnabled $true -MinimumBytes 32GB -StartupBytes 16GB -MaximumBytes 64GB",
        "-DynamicMemoryEnabled $true -MinimumBytes 1GB -StartupBytes 16GB -MaximumBytes 8GB",
    ],
)
def test_memory_that_does_not_fit_together_is_refused(desk: Desk, sizes: str) -> None:
    before = repr(desk.vm(12))
    assert desk.fails(f"Set-VMMemory -VMName nested-hv-12 {sizes}") == "InvalidParameter"
    assert repr(desk.vm(12)) == before


def test_static_memory_of_a_running_guest_grows_only_while_hyperv_does_not_run_inside(
    desk: Desk,
) -> None:
    assert desk.run("Set-VMMemory -VMName nested-hv-01 -StartupBytes 24GB").stderr == ""
    assert desk.vm(1).startup == 24 * GIB
    assert desk.fails("Set-VMMemory -VMName nested-hv-02 -StartupBytes 24GB") == "InvalidState"


def test_whatif_changes_nothing_and_says_so(desk: Desk) -> None:
    before = repr(desk.world.host)
    for script in (
        "Stop-VM nested-hv-01 -WhatIf",
        "Set-VMProcessor nested-hv-12 -Count 1 -WhatIf",
        "Set-VMMemory nested-hv-12 -StartupBytes 8GB -WhatIf",
        "Set-VMNetworkAdapter -VMName nested-hv-03 -MacAddressSpoofing On -WhatIf",
        "Remove-VM nested-hv-12 -WhatIf",
        "New-VM -Name x -WhatIf",
        "Remove-VMSnapshot -VMName nested-hv-08 -WhatIf",
        "Install-WindowsFeature Failover-Clustering -WhatIf",
    ):
        played = desk.run(script)
        assert "What if" in played.stdout, script
        assert played.stderr == "", script
    assert repr(desk.world.host) == before


# -- power -------------------------------------------------------------------------------


def test_a_vm_goes_through_its_states(desk: Desk) -> None:
    vm = desk.vm(2)
    for script, state in (
        ("Suspend-VM nested-hv-02", "Paused"),
        ("Resume-VM nested-hv-02", "Running"),
        ("Save-VM nested-hv-02", "Saved"),
        ("Start-VM nested-hv-02", "Running"),
        ("Stop-VM nested-hv-02 -Save", "Saved"),
        ("Remove-VMSavedState -VMName nested-hv-02", "Off"),
        ("Start-VM nested-hv-02", "Running"),
        ("Stop-VM nested-hv-02", "Off"),
        ("Start-VM nested-hv-02; Stop-VM nested-hv-02 -TurnOff", "Off"),
    ):
        assert desk.run(script).stderr == "", script
        assert vm.state == state, script


def test_states_that_do_not_fit_are_refused(desk: Desk) -> None:
    assert desk.fails("Stop-VM nested-hv-07") == "InvalidState"
    assert desk.fails("Stop-VM nested-hv-15") == "InvalidState"
    assert desk.fails("Resume-VM nested-hv-01") == "InvalidState"
    assert desk.fails("Remove-VMSavedState -VMName nested-hv-01") == "InvalidState"
    assert desk.fails("Remove-VM nested-hv-01 -Force") == "InvalidState"


def test_what_is_so_already_is_a_warning_and_no_error(desk: Desk) -> None:
    warned = "WARNING: The virtual machine is already in the specified state.\r\n"
    assert desk.run("Start-VM nested-hv-01") == Played(warned, "", 0)
    played = play("Stop-VM nested-hv-12", desk.session, str, clixml_errors=True)
    assert played.exit_code == 0
    assert 'S="warning">The virtual machine is already in the specified state.' in played.stderr


@pytest.mark.parametrize(
    ("profile", "vm", "error"),
    [
        ("default", 16, "OutOfMemory"),
        ("low-memory", 12, "OutOfMemory"),
        ("no-vt", 12, "Unspecified"),
        ("amd-ws2019", 12, "Unspecified"),
        ("amd-old-version", 12, "Unspecified"),
        ("offer-off", 12, "Unspecified"),
    ],
)
def test_a_vm_that_cannot_start_stays_off(profile: str, vm: int, error: str) -> None:
    desk = Desk(profile)
    name = f"nested-hv-{vm:02}"
    exposed = f"Set-VMProcessor {name} -ExposeVirtualizationExtensions $true"
    assert desk.run(exposed).stderr == ""  # the setting is accepted on AMD too
    assert desk.fails(f"Start-VM {name}") == error
    assert desk.vm(vm).state == "Off"


def test_the_same_vm_starts_on_amd_without_the_extensions_and_on_ws2022_with_them() -> None:
    old = Desk("amd-ws2019")
    assert old.run("Start-VM nested-hv-12").stderr == ""
    new = Desk("amd-ws2022")
    script = (
        "Set-VMProcessor nested-hv-12 -ExposeVirtualizationExtensions $true; Start-VM nested-hv-12"
    )
    assert new.run(script).stderr == ""
    assert new.vm(12).state == "Running"


def test_a_version_too_old_for_the_setting_can_be_upgraded_with_consent_only() -> None:
    desk = Desk("old-version")
    expose = "Set-VMProcessor nested-hv-12 -ExposeVirtualizationExtensions $true"
    assert desk.fails(expose) == "NotSupported"
    assert desk.fails("Update-VMVersion nested-hv-12") == "InvalidOperation"
    assert desk.vm(12).version == "5.0"
    assert desk.run("Update-VMVersion nested-hv-12 -Confirm:$false").stderr == ""
    assert desk.vm(12).version == "9.0"
    assert desk.run(expose).stderr == ""


def test_starts_fail_as_often_as_was_asked_for() -> None:
    desk = Desk(faults=Faults(guest_after=0.0, start_fails=1))
    assert desk.fails("Start-VM nested-hv-12") == "Unspecified"
    assert desk.vm(12).state == "Off"
    assert desk.run("Start-VM nested-hv-12").stderr == ""


def test_a_guest_that_does_not_shut_down() -> None:
    desk = Desk(faults=Faults(guest_after=0.0, shutdown_hangs=1))
    assert desk.fails("Stop-VM nested-hv-01") == "OperationTimeout"
    assert desk.vm(1).state == "Running"
    assert desk.run("Stop-VM nested-hv-01 -TurnOff").stderr == ""


def test_a_guest_that_is_still_booting_cannot_be_asked_to_shut_down() -> None:
    desk = Desk(faults=Faults(guest_after=60))
    assert desk.run("Start-VM nested-hv-12").stderr == ""
    assert desk.fails("Stop-VM nested-hv-12") == "DeviceNotReady"


def test_two_operations_on_one_vm_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def at_work(session: Session, seconds: float) -> None:
        begun.set()
        assert go_on.wait(60)

    monkeypatch.setattr(Session, "wait", at_work)
    desk = Desk(faults=Faults(guest_after=0.0, slow_task=0.5))
    first = threading.Thread(target=desk.run, args=("Stop-VM nested-hv-01",))
    first.start()
    assert begun.wait(60)
    assert desk.fails("Save-VM nested-hv-01") == "InvalidState"
    go_on.set()
    first.join()
    assert desk.vm(1).state == "Off"


def test_a_cancelled_script_stops_waiting() -> None:
    desk = Desk()
    threading.Timer(0.2, desk.session.cancelled.set).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        desk.run("Start-Sleep -Seconds 60")
    assert time.monotonic() - start < 50


# -- making and removing -----------------------------------------------------------------


def test_a_new_vm_is_off_and_has_what_hyperv_gives_it(desk: Desk) -> None:
    script = (
        "$vm = New-VM -Name fresh -Generation 2 -MemoryStartupBytes 8GB -SwitchName 'lab internal' "
        "-VHDPath 'D:\\Images\\ws2022.vhdx'; Set-VMProcessor $vm -Count 4 "
        "-ExposeVirtualizationExtensions $true; Start-VM $vm; [string]$vm.State"
    )
    assert desk.run(script) == Played("Running\r\n", "", 0)
    vm = next(vm for vm in desk.world.host.vms.values() if vm.name == "fresh")
    assert (vm.startup, vm.nics[0].switch, vm.version) == (8 * GIB, "Lab Internal", "10.0")
    assert desk.run(inside("$env:COMPUTERNAME", "fresh")).stdout.startswith("WIN-")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("New-VM -Name x -SwitchName nowhere", "ObjectNotFound"),
        ("New-VM -Name x -VHDPath C:\\nothing.vhdx", "ObjectNotFound"),
        ("New-VM -Name x -Version '5.0'", "InvalidParameter"),
        ("New-VM -Name x -MemoryStartupBytes 1", "InvalidParameter"),
        ("New-VM -Name ('x' * 101)", "InvalidParameter"),
        ("Remove-VM nested-hv-12", "InvalidOperation"),
        ("Get-VM -ComputerName other", "PracticeHostLimit"),
        ("Set-VMProcessor nested-hv-12 -Count 4096", "InvalidParameter"),
        ("Connect-VMNetworkAdapter -VMName nested-hv-12 -SwitchName nowhere", "ObjectNotFound"),
        ("New-VMSwitch -Name x -NetAdapterName nowhere", "InvalidParameter"),
        ("Get-VMSwitch nowhere", "ObjectNotFound"),
        ("Get-CimInstance Win32_Nothing", "HRESULT 0x80041010"),
        ("Get-WindowsFeature Nothing", "NameDoesNotExist"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(desk: Desk, script: str, error: str) -> None:
    before = repr(desk.world.host)
    assert desk.fails(script) == error
    assert repr(desk.world.host) == before


def test_checkpoints_are_taken_listed_and_removed(desk: Desk) -> None:
    point = "(Get-VM nested-hv-08).ParentCheckpointName"
    assert desk.json(point) == ["Before the update"]
    assert desk.run("Checkpoint-VM nested-hv-08 -SnapshotName second").stderr == ""
    assert desk.json("Get-VMSnapshot -VMName nested-hv-08 | ForEach-Object Name") == [
        "Before the update",
        "second",
    ]
    assert desk.run("Get-VMSnapshot nested-hv-08 | Remove-VMSnapshot").stderr == ""
    assert desk.vm(8).checkpoints == []
    assert desk.fails("Get-VMSnapshot nested-hv-08 -Name nothing") == "ObjectNotFound"


def test_nics_are_added_connected_and_removed(desk: Desk) -> None:
    script = (
        "Add-VMNetworkAdapter -VMName nested-hv-12 -Name second -SwitchName 'Lab Private'\n"
        "Connect-VMNetworkAdapter -VMName nested-hv-12 -Name second -SwitchName 'Lab Internal'\n"
    )
    assert desk.run(script).stderr == ""
    assert [nic.switch for nic in desk.vm(12).nics] == ["Lab External", "Lab Internal"]
    assert desk.run("Remove-VMNetworkAdapter -VMName nested-hv-12 -Name second").stderr == ""
    assert len(desk.vm(12).nics) == 1


# -- the host ----------------------------------------------------------------------------


def test_the_host_tells_what_a_preflight_asks(desk: Desk) -> None:
    script = (
        "$c = Get-CimInstance Win32_ComputerSystem; $p = Get-CimInstance Win32_Processor; "
        "$o = Get-CimInstance Win32_OperatingSystem; ConvertTo-Json -Compress @{"
        "hv = $c.HypervisorPresent; model = $c.Model; sockets = @($p).Count; "
        "maker = $p[0].Manufacturer; vt = $p[0].VirtualizationFirmwareEnabled; "
        "build = $o.BuildNumber; dep = $o.DataExecutionPrevention_Available; "
        "free = [math]::Round($o.FreePhysicalMemory / 1MB)}"
    )
    played = desk.run(script)
    assert played.stderr == ""
    assert json.loads(played.stdout) == {
        "hv": True,
        "model": "Model Server, not a real machine",
        "sockets": 2,
        "maker": "GenuineIntel",
        "vt": False,  # while the hypervisor runs
        "build": "20348",
        "dep": True,
        "free": 260,
    }


def test_firmware_flags_are_told_where_no_hypervisor_runs() -> None:
    script = (
        "$p = @(Get-CimInstance Win32_Processor)[0]; ConvertTo-Json -Compress @("
        "$p.VirtualizationFirmwareEnabled, $p.SecondLevelAddressTranslationExtensions, "
        "$p.VMMonitorModeExtensions, (Get-CimInstance Win32_ComputerSystem).HypervisorPresent)"
    )
    assert json.loads(Desk("no-role").run(script).stdout) == [True, True, True, False]
    assert json.loads(Desk("no-vt").run(script).stdout) == [False, False, False, False]


def test_a_filter_narrows_and_one_that_is_not_spoken_is_refused(desk: Desk) -> None:
    script = (
        "Get-CimInstance Win32_Processor -Filter \"DeviceID = 'CPU1'\" | ForEach-Object DeviceID"
    )
    assert desk.json(script) == ["CPU1"]
    refused = "Get-CimInstance Win32_Processor -Filter \"DeviceID LIKE 'CPU%'\""
    assert desk.fails(refused) == "PracticeHostLimit"


def test_bcdedit_tells_of_offernestedvirt_only_where_it_is_set() -> None:
    assert "offernestedvirt         No" in Desk("offer-off").run("bcdedit /enum '{current}'").stdout
    assert "offernestedvirt" not in Desk().run("bcdedit").stdout


def test_supported_versions_follow_the_build() -> None:
    newest = "(Get-VMHostSupportedVersion -Default).Version | ForEach-Object { [string]$_ }"
    assert Desk("intel-ws2019").json(newest) == ["9.0"]
    assert Desk().json(newest) == ["10.0"]
    assert Desk("ws2025").json(newest) == ["12.0"]


def test_without_the_role_the_cmdlets_are_not_there() -> None:
    assert Desk("no-role").fails("Get-VM") == "CommandNotFoundException"


@pytest.mark.parametrize("script", ["Get-VM", "Stop-VM nested-hv-01", "Get-VMHost"])
def test_who_is_no_administrator_is_denied(script: str) -> None:
    assert Desk("not-administrator").fails(script) == "AccessDenied"
    assert Desk(faults=Faults(no_permission=1)).fails(script) == "AccessDenied"


@pytest.mark.parametrize("script", ["Restart-Computer -Force", "Install-WindowsFeature Containers"])
def test_who_is_no_administrator_changes_nothing_of_windows(script: str) -> None:
    desk = Desk("not-administrator")
    assert desk.fails(script) == "AccessDenied"
    assert desk.world.host.features == set()


# -- guests ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (12, "InvalidVMState"),
        (7, "InvalidVMState"),
        (14, "PSSessionStateBroken"),
        (18, "PSSessionStateBroken"),
    ],
)
def test_guests_that_cannot_be_entered(desk: Desk, number: int, error: str) -> None:
    assert desk.fails(inside("1", f"nested-hv-{number:02}")) == error


@pytest.mark.parametrize("user", ["Administrator", ".\\administrator"])
def test_a_guest_is_entered_with_its_own_credential(desk: Desk, user: str) -> None:
    assert desk.run(inside("1 + 1", "nested-hv-02", user=user)).stdout == "2\r\n"


@pytest.mark.parametrize(
    "wrong", [{"password": "x"}, {"user": "Nobody"}, {"user": "OTHER\\Administrator"}]
)
def test_a_wrong_guest_credential_is_refused(desk: Desk, wrong: dict[str, str]) -> None:
    assert desk.fails(inside("1", "nested-hv-02", **wrong)) == "PSDirectException"


def test_a_guest_has_a_hyperv_of_its_own(desk: Desk) -> None:
    made = desk.run(inside("New-VM -Name inner -MemoryStartupBytes 1GB", "nested-hv-02"))
    assert made.stderr == ""
    assert desk.run(inside("(Get-VM).Name", "nested-hv-02")).stdout == "inner\r\n"
    assert desk.fails("Get-VM inner") == "InvalidParameter"
    assert desk.run(
        inside("Start-VM inner; [string](Get-VM inner).State", "nested-hv-02")
    ).stdout == ("Running\r\n")


def test_a_guest_without_the_role_has_no_cmdlets_and_reports_why(desk: Desk) -> None:
    assert desk.fails(inside("Get-VM", "nested-hv-01")) == "CommandNotFoundException"
    script = (
        "@(Get-CimInstance Win32_Processor)[0].VirtualizationFirmwareEnabled; "
        "(Get-CimInstance Win32_ComputerSystem).Model"
    )
    assert desk.run(inside(script, "nested-hv-01")).stdout == "False\r\nVirtual Machine\r\n"


def test_nat_inside_a_guest(desk: Desk) -> None:
    script = """
        New-VMSwitch -Name NAT -SwitchType Internal | Out-Null
        New-NetNat -Name Lab -InternalIPInterfaceAddressPrefix 192.168.7.0/24 | Out-Null
        New-NetIPAddress 192.168.7.1 -PrefixLength 24 -InterfaceAlias 'vEthernet (NAT)' | Out-Null
        (Get-NetNat).InternalIPInterfaceAddressPrefix
        (Get-NetIPAddress).IPAddress
        (Get-NetAdapter -Name 'vEthernet*').Name
    """
    played = desk.run(inside(script, "nested-hv-02"))
    assert (played.stderr, played.stdout.split("\r\n")[:3]) == (
        "",
        ["192.168.7.0/24", "192.168.7.1", "vEthernet (NAT)"],
    )
    second = "New-NetNat -Name two -InternalIPInterfaceAddressPrefix 192.168.8.0/24"
    assert desk.fails(inside(second, "nested-hv-02")) == "Windows System Error 183"


def test_a_restarted_guest_is_away_and_its_clock_of_boot_moves(desk: Desk) -> None:
    booted = desk.vm(2).guest.computer.booted  # type: ignore[union-attr]
    desk.world.faults.set(Faults(guest_after=600))
    assert desk.run(inside("Restart-Computer -Force", "nested-hv-02")).stderr == ""
    assert desk.fails(inside("1", "nested-hv-02")) == "PSSessionStateBroken"
    desk.vm(2).guest.ready_at = time.monotonic()  # ten minutes later
    assert desk.run(inside("1", "nested-hv-02")).stdout == "1\r\n"
    assert desk.vm(2).guest.computer.booted > booted  # type: ignore[union-attr]


# -- scale -------------------------------------------------------------------------------


def test_a_few_thousand_vms_are_read_in_one_script() -> None:
    desk = Desk(vms=2_000)
    start = time.monotonic()
    count = desk.json("(Get-VM | Where-Object { $_.ProcessorCount -ge 1 }).Count")
    assert count == [2_020]
    assert time.monotonic() - start < 100
