"""Names of every kind, scripts of every kind, many at once: the model keeps its shape."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from winrm.protocol import Protocol

from nestkit import practice
from nestkit.practice import PracticeHost
from nestkit.practice.faults import Faults, Switchboard
from nestkit.practice.hyperv.inventory import default_path, load
from nestkit.practice.hyperv.playing import play
from nestkit.practice.hyperv.world import Session, World

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=100
).filter(lambda text: bool(text.strip()))
MAKE = """\
$given = [Console]::In.ReadToEnd() | ConvertFrom-Json
$vm = New-VM -Name $given.name
$vm = Get-VM -Id $vm.Id
$nic = Get-VMNetworkAdapter -VM $vm
$nic | Set-VMNetworkAdapter -MacAddressSpoofing On
ConvertTo-Json -Compress -InputObject @{ name = $vm.Name; same = ($vm.Name -ceq $given.name) }
"""
WORDS = [
    "Get-VM", "Start-VM", "Stop-VM -TurnOff", "Save-VM", "Remove-VM -Force", "Suspend-VM",
    "Set-VMProcessor", "Set-VMMemory", "Get-VMSnapshot", "Checkpoint-VM", "New-VM",
    "Get-VMNetworkAdapter", "Set-VMNetworkAdapter", "Get-VMSwitch", "Get-CimInstance",
    "nested-hv-01", "nested-hv-1*", "-VMName", "-Name", "-Id", "-Count 2", "-StartupBytes 4GB",
    "-MacAddressSpoofing On", "-DynamicMemoryEnabled $true", "Win32_Processor", "|", ";", "(",
    ")", "{", "}", "$_", "ForEach-Object", "Where-Object", "Select-Object *", "ConvertTo-Json",
    "@(", "$vm =", "'", '"', "-WhatIf", "-Confirm:$false", "1..5", "Install-WindowsFeature",
    "Invoke-Command", "-ScriptBlock", "\n", "$null", "-ErrorAction Stop", "try", "catch",
    "[ScriptBlock]::Create(", "&", "Msvm_KvpExchangeComponent", "-Namespace root/virtualization/v2",
]  # fmt: skip


def session(vms: int = 0) -> Session:
    world = World(lambda: load(default_path(), vms=vms).host, Switchboard(Faults(guest_after=0)))
    return Session(world, world.host, "Administrator", "secret")


def check_shape(one: Session) -> None:
    """What must hold of a host whatever was done to it."""
    host = one.world.host
    for vm_id, vm in host.vms.items():
        assert vm.id == vm_id
        assert vm.state in ("Off", "Running", "Saved", "Paused")
        assert vm.busy == ""
        assert vm.cpu_count >= 1
        assert vm.startup >= 32 * 2**20
        assert {point.parent for point in vm.checkpoints} <= {
            None,
            *(point.id for point in vm.checkpoints),
        }
    assert host.assigned <= host.memory


@pytest.fixture(scope="module")
def desk() -> Session:
    return session()


@settings(max_examples=150)
@given(NAMES)
def test_any_name_given_as_data_comes_back_unchanged(desk: Session, name: str) -> None:
    text = json.dumps({"name": name})
    played = play(MAKE, desk, lambda: text, clixml_errors=False)
    assert played.stderr == ""
    assert json.loads(played.stdout) == {"name": name, "same": True}


STATEMENTS = [
    "Start-VM {vm}", "Stop-VM {vm} -TurnOff", "Save-VM {vm}", "Suspend-VM {vm}", "Resume-VM {vm}",
    "Remove-VM {vm} -Force", "New-VM -Name {vm} -MemoryStartupBytes {n}GB", "Get-VM {vm}",
    "Remove-VMSavedState {vm}", "Checkpoint-VM {vm}", "Remove-VMSnapshot {vm}",
    "Get-VMSnapshot {vm} | Select-Object -First 1 | Remove-VMSnapshot",
    "Set-VMProcessor {vm} -Count {n} -ExposeVirtualizationExtensions ${flag}",
    "Set-VMMemory {vm} -StartupBytes {n}GB -DynamicMemoryEnabled ${flag} -MinimumBytes 1GB",
    "Get-VMNetworkAdapter {vm} | Set-VMNetworkAdapter -MacAddressSpoofing On",
    "Add-VMNetworkAdapter {vm}", "Remove-VMNetworkAdapter {vm}", "Update-VMVersion {vm} -Force",
    "Get-VM {vm} | ConvertTo-Json -Depth 2", "Rename-VM {vm} -NewName x{n}",
    "New-VMSwitch -Name s{n} -SwitchType Internal", "Remove-VMSwitch s{n} -Force",
    "Set-VM {vm} -ProcessorCount {n} -StaticMemory", "Restart-VM {vm} -Force",
]  # fmt: skip


def scripts(count: int, seed: int) -> Iterator[str]:
    """Two in three are well-formed; the others are words in any order."""
    chance = random.Random(seed)
    for _ in range(count):
        if chance.random() < 0.33:
            yield " ".join(chance.choices(WORDS, k=chance.randint(1, 12)))
            continue
        chosen = chance.choices(STATEMENTS, k=chance.randint(1, 4))
        yield "; ".join(
            one.format(
                vm=chance.choice(["nested-hv-0*", f"nested-hv-{chance.randint(1, 20):02}", "x?"]),
                n=chance.choice([1, 2, 4, 16, 200, 3000]),
                flag=chance.choice(["true", "false"]),
            )
            for one in chosen
        )


def storm(count: int, seed: int) -> None:
    one = session()
    for n, script in enumerate(scripts(count, seed)):
        if n % 200 == 0:
            one.world.reset()
            one.computer = one.world.host
        played = play(script, one, str, clixml_errors=True)
        assert "internal error" not in played.stderr
        check_shape(one)


def test_scripts_at_random_leave_a_host_in_shape() -> None:
    storm(400, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.soak
def test_a_storm_of_scripts_leaves_a_host_in_shape() -> None:
    storm(100_000 if os.environ.get("NESTKIT_SOAK") else 10_000, seed=2)


def test_many_scripts_at_once_leave_a_host_in_shape() -> None:
    one = session()
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(30):
                vm = f"nested-hv-{chance.randint(1, 18):02}"
                verb = chance.choice(
                    ["Start-VM", "Stop-VM -TurnOff", "Save-VM", "Suspend-VM", "Resume-VM"]
                )
                play(f"{verb} {vm}; Get-VM | Out-Null", one, str, clixml_errors=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check_shape(one)


# -- over the wire ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host() -> Iterator[PracticeHost]:
    with practice.start("hyperv", vms=180) as p:
        yield p


def protocol(host: PracticeHost) -> Protocol:
    return Protocol(
        f"http://127.0.0.1:{host.port}/wsman",
        transport="ntlm",
        username=host.user,
        password=host.password,
        message_encryption="always",
        proxy=None,
        ca_trust_path=None,
    )


@pytest.mark.parametrize("arguments", ["-NoProfile -NonInteractive -Command -", "-c -", ""])
def test_a_script_may_come_by_standard_input(host: PracticeHost, arguments: str) -> None:
    client = protocol(host)
    shell = client.open_shell(codepage=65001)
    command = client.run_command(shell, f"powershell.exe {arguments}")
    client.send_command_input(shell, command, "'Müller ".encode())
    client.send_command_input(shell, command, "日本'".encode(), end=True)
    assert client.get_command_output(shell, command) == ("Müller 日本\r\n".encode(), b"", 0)
    client.close_shell(shell)


def test_parameters_come_by_standard_input_to_a_script_of_the_command_line(
    host: PracticeHost,
) -> None:
    client = protocol(host)
    shell = client.open_shell(codepage=65001)
    line = 'powershell.exe -NoProfile -Command "([Console]::In.ReadToEnd() | ConvertFrom-Json).a"'
    command = client.run_command(shell, line)
    client.send_command_input(shell, command, '{"a": "ü"}'.encode(), end=True)
    assert client.get_command_output(shell, command) == ("ü\r\n".encode(), b"", 0)
    client.close_shell(shell)


def test_large_output_comes_in_pieces_and_whole(host: PracticeHost) -> None:
    client = protocol(host)
    shell = client.open_shell(codepage=65001)
    command = client.run_command(shell, "powershell -Command \"'x' * 300000\"")
    out, err, code = client.get_command_output(shell, command)
    assert (len(out), err, code) == (300_002, b"", 0)
    client.close_shell(shell)


def test_two_hundred_vms_are_read_by_one_script(host: PracticeHost) -> None:
    client = protocol(host)
    shell = client.open_shell(codepage=65001)
    command = client.run_command(
        shell,
        "powershell.exe -Command -",
    )
    script = (
        "$rows = foreach ($vm in Get-VM) { @{ id = [string]$vm.Id; "
        "exposes = (Get-VMProcessor -VM $vm).ExposeVirtualizationExtensions } }\n"
        "ConvertTo-Json -Compress -InputObject @($rows)"
    )
    client.send_command_input(shell, command, script.encode(), end=True)
    out, err, code = client.get_command_output(shell, command)
    client.close_shell(shell)
    assert (err, code) == (b"", 0)
    assert len({row["id"] for row in json.loads(out)}) == 200
