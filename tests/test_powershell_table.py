"""The cmdlet table, how it is made, and looking at scripts without running them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nestkit.errors import DataFileError
from nestkit.practice.hyperv import cmdlet_table, make_cmdlet_table
from nestkit.practice.hyperv.powershell.calls import BUILTINS
from nestkit.practice.hyperv.powershell.check import problems

_TABLE = cmdlet_table.load()


def test_every_cmdlet_names_its_vendor_page_and_its_sets() -> None:
    for spec in _TABLE:
        assert spec.page.startswith("https://learn.microsoft.com/powershell/module/")
        assert spec.default_set is None or spec.default_set in spec.sets
        for parameter in spec.parameters.values():
            assert set(parameter.slots) <= {*spec.sets, cmdlet_table.ALL_SETS}, spec.name


def test_every_cmdlet_of_the_language_is_declared() -> None:
    assert all(_TABLE.get(name) is not None for name in BUILTINS)
    declared = {s.name.lower() for s in _TABLE if s.module == "Microsoft.PowerShell.Utility"}
    assert declared <= set(BUILTINS)


def test_the_vendors_cmdlets_are_found_by_any_name() -> None:
    spec = _TABLE.get("hyper-v\\stop-vm")
    assert spec is not None
    assert spec.class_name == "Microsoft.HyperV.PowerShell.Commands.StopVM"
    assert spec.parameters["name"].slots["Name"].mandatory
    assert spec.should_process
    assert _TABLE.get("VMware.VimAutomation.Core\\Stop-VM") is None
    assert _TABLE.get("Get-VMSan") is not None
    assert not _TABLE.get("Get-VMSan").played  # type: ignore[union-attr]


def test_ws2025_adds_parameters() -> None:
    old, new = _TABLE.get("New-VM"), cmdlet_table.load("ws2025").get("New-VM")
    assert old is not None
    assert new is not None
    assert "sourcegueststatepath" not in old.parameters
    assert "sourcegueststatepath" in new.parameters


def test_the_table_is_derived_from_the_reference() -> None:
    name = {
        "type": "String[]",
        "aliases": ["VMName"],
        "accepted_values": [],
        "sets": [
            {"mandatory": True, "pipeline": "True (ByValue)", "position": "0", "sets": ["Name"]}
        ],
    }
    passthru = {
        "type": "SwitchParameter",
        "aliases": [],
        "accepted_values": [],
        "sets": [{"mandatory": False, "pipeline": "False", "position": "Named", "sets": ["(All)"]}],
    }
    cmdlet = {
        "parameters": {"Name": name, "Passthru": passthru},
        "parameter_sets": [
            {"name": "Name", "default": True, "parameters": ["Name", "Passthru"]},
            {"name": "Other", "default": False, "parameters": ["Passthru"]},
        ],
        "should_process": True,
        "outputs": ["None", "X"],
    }
    docset = {"cmdlets": {"Start-VM": cmdlet, "Get-Else": cmdlet}}
    source = {
        "docsets": {"winserver2022-ps": docset, "winserver2025-ps": docset},
        "source": {"repo": "r", "commit": "c"},
        "common_parameters": [],
        "enum_values_by_type": {},
    }
    made = make_cmdlet_table.derive(source, ["Start-VM"])
    assert made["known"] == ["Get-Else", "Start-VM"]
    assert made["ws2025"] == {}
    assert made["cmdlets"]["Start-VM"] == {
        "sets": ["Name", "Other"],
        "default": "Name",
        "should_process": True,
        "outputs": ["X"],
        "parameters": {
            "Name": {
                "type": "String[]",
                "sets": ["Name"],
                "slot": [True, 0, "v"],
                "aliases": ["VMName"],
            },
            "Passthru": {
                "type": "SwitchParameter",
                "sets": ["Name", "Other"],
                "slot": [False, None, ""],
            },
        },
    }


@pytest.mark.parametrize(
    "text", ["{", '{"schema": 2}', '{"schema": 1}', '{"schema":1,"cmdlets":5}']
)
def test_a_damaged_table_is_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cmdlet_table.data_path

    def data_path(*parts: str) -> Path:
        if parts[-1] == "cmdlets_hyperv.json":
            (tmp_path / parts[-1]).write_text(text, encoding="ascii")
            return tmp_path / parts[-1]
        return real(*parts)

    monkeypatch.setattr(cmdlet_table, "data_path", data_path)
    with pytest.raises(DataFileError, match=r"cmdlets_hyperv\.json:1:"):
        cmdlet_table.load.__wrapped__("ws2022")


def test_the_shipped_table_is_ascii_json() -> None:
    path = cmdlet_table.data_path("practice", "cmdlets_hyperv.json")
    assert json.loads(path.read_bytes().decode("ascii"))["schema"] == 1


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("Get-VM -Name x | Set-VMProcessor -ExposeVirtualizationExtensions $true", None),
        ("function f { param($x) Get-VM $x }\nf 1; & { Hyper-V\\Get-VM }", None),
        ("bcdedit /enum '{current}'", None),
        ("Get-VM -Nmae x", "line 1: Get-VM: A parameter cannot be found"),
        ("'a'\nGet-Nope", "line 2: Get-Nope is no command"),
        ("Get-VM 'Müller'", "line 1: 'ü' is not ASCII"),
        ("Get-VM && Get-VM", "line 1: The token '&&'"),
        ("if ($true) { Stop-VM -Name x -VM $y }", "line 1: Stop-VM: no parameter set"),
        ("Get-VMSan", "line 1: Get-VMSan is not played"),
    ],
)
def test_scripts_are_checked_without_running(script: str, says: str | None) -> None:
    found = problems(script, _TABLE)
    if says is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(says)
