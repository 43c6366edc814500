"""Derive data/practice/cmdlets_hyperv.json from the vendor's cmdlet reference.

Run as ``python -m nestkit.practice.hyperv.make_cmdlet_table SOURCE.json``. The source holds the
facts (names, types, parameter sets, accepted values) of Microsoft's Hyper-V module reference,
repository MicrosoftDocs/windows-powershell-docs. The cmdlets that preparing a nested host needs
are kept whole; of all others only the name, so that the practice host can say that it knows the
cmdlet but does not play it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nestkit.resources import data_path

_DOCSETS = {"ws2022": "winserver2022-ps", "ws2025": "winserver2025-ps"}
_USED = [
    "Add-VMDvdDrive",
    "Add-VMHardDiskDrive",
    "Add-VMNetworkAdapter",
    "Checkpoint-VM",
    "Connect-VMNetworkAdapter",
    "Disconnect-VMNetworkAdapter",
    "Enable-VMIntegrationService",
    "Disable-VMIntegrationService",
    "Get-VHD",
    "Get-VM",
    "Get-VMDvdDrive",
    "Get-VMFirmware",
    "Get-VMHardDiskDrive",
    "Get-VMHost",
    "Get-VMHostNumaNode",
    "Get-VMHostSupportedVersion",
    "Get-VMIntegrationService",
    "Get-VMMemory",
    "Get-VMNetworkAdapter",
    "Get-VMNetworkAdapterVlan",
    "Get-VMProcessor",
    "Get-VMSecurity",
    "Get-VMSnapshot",
    "Get-VMSwitch",
    "Measure-VM",
    "New-VHD",
    "New-VM",
    "New-VMSwitch",
    "Remove-VM",
    "Remove-VMDvdDrive",
    "Remove-VMHardDiskDrive",
    "Remove-VMNetworkAdapter",
    "Remove-VMSavedState",
    "Remove-VMSnapshot",
    "Remove-VMSwitch",
    "Rename-VM",
    "Rename-VMNetworkAdapter",
    "Resize-VHD",
    "Restart-VM",
    "Restore-VMSnapshot",
    "Resume-VM",
    "Save-VM",
    "Set-VM",
    "Set-VMDvdDrive",
    "Set-VMFirmware",
    "Set-VMHost",
    "Set-VMMemory",
    "Set-VMNetworkAdapter",
    "Set-VMNetworkAdapterVlan",
    "Set-VMProcessor",
    "Set-VMSecurity",
    "Set-VMSwitch",
    "Start-VM",
    "Stop-VM",
    "Suspend-VM",
    "Update-VMVersion",
]


def _slot(entry: Mapping[str, Any], set_name: str) -> list[Any]:
    """[mandatory, position or null, pipeline letters]: v by value, n by property name."""
    position = None if entry["position"] == "Named" else int(entry["position"])
    pipeline = ("v" if "ByValue" in entry["pipeline"] else "") + (
        "n" if "ByPropertyName" in entry["pipeline"] else ""
    )
    return [bool(entry["mandatory"]), position, pipeline]


def _parameter(raw: Mapping[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    slots = {}
    for name in sets:
        fits = [e for e in raw["sets"] if name in e["sets"] or "(All)" in e["sets"]]
        slots[name] = _slot(fits[0], name) if fits else [False, None, ""]
    # Most parameters are the same in every set; saying so once keeps the file small.
    alike = len({json.dumps(s) for s in slots.values()}) == 1
    made: dict[str, Any] = {
        "type": raw["type"],
        "sets": list(slots) if alike else slots,
    }
    if alike:
        made["slot"] = next(iter(slots.values()))
    if raw["aliases"]:
        made["aliases"] = list(raw["aliases"])
    if raw["accepted_values"]:
        made["values"] = list(raw["accepted_values"])
    return made


def _cmdlet(raw: Mapping[str, Any]) -> dict[str, Any]:
    sets = raw["parameter_sets"]
    default = [s["name"] for s in sets if s["default"]]
    parameters = {}
    for name, parameter in raw["parameters"].items():
        inside = [s["name"] for s in sets if name in s["parameters"]]
        if inside:
            parameters[name] = _parameter(parameter, inside)
    return {
        "sets": [s["name"] for s in sets],
        "default": default[0] if default else None,
        "should_process": bool(raw["should_process"]),
        "outputs": [o for o in raw["outputs"] if o != "None"],
        "parameters": parameters,
    }


def derive(source: Mapping[str, Any], used: Iterable[str] = _USED) -> dict[str, Any]:
    """The shipped table: WS2022's cmdlets, and what WS2025 adds to them."""
    old = source["docsets"][_DOCSETS["ws2022"]]["cmdlets"]
    new = source["docsets"][_DOCSETS["ws2025"]]["cmdlets"]
    cmdlets = {name: _cmdlet(old[name]) for name in used}
    newer = {name: made for name in used if (made := _cmdlet(new[name])) != cmdlets[name]}
    return {
        "schema": 1,
        "source": {k: source["source"][k] for k in ("repo", "commit")},
        "page": "https://learn.microsoft.com/powershell/module/hyper-v/",
        "common_parameters": source["common_parameters"],
        "enums": source["enum_values_by_type"],
        "known": sorted(old),
        "cmdlets": cmdlets,
        "ws2025": newer,
    }


def main(argv: Sequence[str]) -> int:
    """Write the table. Exit status 2 when called without a source."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m nestkit.practice.hyperv.make_cmdlet_table SOURCE.json\n")
        return 2
    source = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    text = json.dumps(derive(source), ensure_ascii=True, separators=(",", ":"), sort_keys=False)
    # One cmdlet a line: a change of one shows as a change of one.
    text = text.replace('},"', '},\n"')
    data_path("practice", "cmdlets_hyperv.json").write_text(text + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
