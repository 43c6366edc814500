"""The shipped rules and what a damaged rules file is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nestkit import requirements
from nestkit.errors import DataFileError
from nestkit.requirements.judging import CHECKS, NESTING_HARDWARE_VERSION
from nestkit.resources import data_path

# Written by hand from the guide: each of its rows, and the rules that hold it.
GUIDE_ROWS = {
    "ESXi CPU: 64-bit": ["esx.cpu.64bit"],
    "ESXi CPU: Intel VT-x or AMD-V": ["esx.cpu.hw-virtualization"],
    "ESXi CPU: NX/XD bit": ["esx.cpu.nx"],
    "ESXi RAM: 8 GB minimum": ["esx.host.memory", "esx.vm.memory"],
    "ESXi RAM: 16+ GB recommended": ["esx.host.memory-recommended", "esx.vm.memory-recommended"],
    "ESXi storage: 32 GB+ local disk": ["esx.host.disk", "esx.vm.disk"],
    "ESXi storage: SCSI/SATA": ["esx.host.disk-bus", "esx.vm.disk-bus"],
    "ESXi storage: RAID recommended": ["esx.host.raid"],
    "ESXi network: one or more": ["esx.host.nic", "esx.vm.nic"],
    "ESXi network: Gigabit": ["esx.host.nic-speed", "esx.vm.nic-speed"],
    "ESXi: hardware version 9 or newer": ["esx.vm.hardware-version"],
    "ESXi: expose hardware-assisted virtualization": ["esx.vm.nested-hv"],
    "ESXi: promiscuous mode": ["esx.nic.promiscuous"],
    "ESXi: forged transmits": ["esx.nic.forged-transmits"],
    "ESXi: EPT or RVI": ["esx.cpu.slat"],
    "static memory to nested hosts": ["esx.vm.memory-reserved", "hyperv.vm.static-memory"],
    "sufficient vCPUs": ["esx.vm.cpu-count", "hyperv.vm.cpu-count"],
    "not available: DirectPath I/O": ["esx.vm.passthrough"],
    "not available: FT": ["esx.vm.fault-tolerance"],
    "Hyper-V CPU: 64-bit": ["hyperv.cpu.64bit"],
    "Hyper-V CPU: SLAT": ["hyperv.cpu.slat"],
    "Hyper-V CPU: Intel VT-x or AMD-V": ["hyperv.cpu.hw-virtualization"],
    "Hyper-V CPU: DEP enabled": ["hyperv.cpu.dep"],
    "BIOS/UEFI: virtualization extensions": ["hyperv.cpu.firmware", "esx.cpu.hw-virtualization"],
    "Hyper-V RAM: 4 GB minimum": ["hyperv.host.memory", "hyperv.vm.memory"],
    "Hyper-V RAM: 8+ GB recommended": [
        "hyperv.host.memory-recommended",
        "hyperv.vm.memory-recommended",
    ],
    "Hyper-V storage: any supported": ["hyperv.host.disk", "hyperv.vm.disk"],
    "Hyper-V storage: SSD/NVMe preferred": ["hyperv.host.disk-ssd"],
    "Hyper-V network: any supported NIC": ["hyperv.host.nic", "hyperv.vm.nic"],
    "Hyper-V: WS2016, on AMD WS2022": ["hyperv.host.build"],
    "Hyper-V: configuration version 8.0": ["hyperv.vm.configuration-version"],
    "Hyper-V: save/restore": ["hyperv.vm.saved-state"],
    "Hyper-V: extensions exposed": ["hyperv.vm.nested-hv"],
    "Hyper-V: MAC spoofing": ["hyperv.nic.mac-spoofing"],
}
REQUIRED_BY_GUIDE = {
    "esx.cpu.64bit", "esx.cpu.hw-virtualization", "esx.cpu.nx", "esx.host.memory",
    "esx.vm.memory", "esx.host.disk", "esx.vm.disk", "esx.host.nic", "esx.host.nic-speed",
    "esx.vm.hardware-version", "esx.vm.nested-hv", "hyperv.cpu.64bit", "hyperv.cpu.slat",
    "hyperv.cpu.hw-virtualization", "hyperv.cpu.dep", "hyperv.host.memory", "hyperv.vm.memory",
    "hyperv.host.build", "hyperv.vm.configuration-version", "hyperv.vm.static-memory",
}  # fmt: skip


def rule(id_: str) -> requirements.Rule:
    return next(each for each in requirements.shipped() if each.id == id_)


@pytest.mark.parametrize("row", GUIDE_ROWS)
def test_each_row_of_the_guide_is_a_rule_that_cites_it(row: str) -> None:
    for id_ in GUIDE_ROWS[row]:
        assert "guide: " in rule(id_).source


def test_what_the_guide_requires_is_required() -> None:
    assert {rule(id_).strength for id_ in REQUIRED_BY_GUIDE} == {"required"}
    for id_ in ("esx.host.memory-recommended", "esx.vm.memory-reserved", "hyperv.vm.cpu-count"):
        assert rule(id_).strength == "recommended"


def test_thresholds_are_those_of_the_guide() -> None:
    expected = {
        "esx.host.memory": 8, "esx.host.memory-recommended": 16, "esx.vm.memory": 8,
        "esx.vm.memory-recommended": 16, "esx.vm.disk": 32, "esx.host.nic-speed": 1000,
        "esx.vm.hardware-version": 9, "esx.vm.hardware-version-current": 20,
        "esx.vm.cpu-count": 2, "hyperv.host.memory": 4, "hyperv.host.memory-recommended": 8,
        "hyperv.vm.configuration-version": {"intel": "8.0", "amd": "9.3"},
        "hyperv.host.build": {"intel": 14393, "amd": 20348}, "hyperv.vm.cpu-limit": 225,
    }  # fmt: skip
    assert {id_: rule(id_).value for id_ in expected} == expected
    assert rule("esx.vm.hardware-version").value == NESTING_HARDWARE_VERSION


def test_where_the_vendor_says_more_the_text_says_both() -> None:
    slat = rule("esx.cpu.slat")
    assert "improves performance" in slat.why
    assert "VMware" in slat.why
    assert "Dynamic Memory to be disabled" in rule("hyperv.vm.static-memory").why
    assert "current page" in rule("hyperv.vm.static-memory").why


def test_every_rule_says_what_why_and_what_to_do() -> None:
    for each in requirements.shipped():
        assert each.title and each.why and each.remedy and each.source and each.required
        assert re.fullmatch(r"(esx|hyperv|local)(\.[a-z0-9-]+){2}", each.id)
        assert each.id.startswith(each.platform + ".")


def test_every_named_check_is_used() -> None:
    assert {each.check for each in requirements.shipped() if each.check} == set(CHECKS)


GOOD = """
[[rule]]
id = "esx.vm.memory"
platform = "esx"
subject = "vm"
component = "memory"
strength = "required"
fact = "memory_gib"
compare = "at-least"
value = 8
unit = "GiB"
title = "Memory"
why = "because"
remedy = "add some"
source = ["guide"]
"""


def load(tmp_path: Path, text: str) -> tuple[requirements.Rule, ...]:
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return requirements.load(path)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (only,) = load(tmp_path, GOOD)
    assert only.required == "at least 8 GiB"


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ('strength = "required"', 'strength = "obligatory"', 7, "strength"),
        ('platform = "esx"', 'platform = "kvm"', 4, "platform"),
        ('subject = "vm"', 'subject = "guest"', 5, "subject"),
        ('component = "memory"', 'component = "ram"', 6, "component"),
        ('fact = "memory_gib"', 'fact = "memory_gb"', 8, "fact"),
        ('fact = "memory_gib"', 'fact = "cpu.slat"', 8, "fact"),
        ('fact = "memory_gib"', 'fact = "memory_gib[]"', 8, "fact"),
        ('fact = "memory_gib"', 'fact = "name"', 9, "compare"),
        ('compare = "at-least"', 'compare = "more-than"', 9, "compare"),
        ('compare = "at-least"', 'compare = "some-at-least"', 9, "compare"),
        ('compare = "at-least"', 'compare = "empty"', 9, "compare"),
        ('compare = "at-least"', 'check = "no_such"', 9, "check"),
        ("value = 8", 'value = "8"', 10, "value"),
        ("value = 8", "value = true", 10, "value"),
        ("value = 8\n", "", 2, "value"),
        ('unit = "GiB"', "unit = 8", 11, "unit"),
        ('unit = "GiB"', "tolerance = 2.0", 11, "tolerance"),
        ('title = "Memory"', 'title = ""', 12, "title"),
        ('why = "because"\n', "", 2, "why"),
        ('remedy = "add some"', "remedy = 3", 14, "remedy"),
        ('source = ["guide"]', "source = []", 15, "source"),
        ('source = ["guide"]', 'source = "guide"', 15, "source"),
        ('source = ["guide"]', 'source = ["guide"]\nthreshhold = 8', 16, "threshhold"),
        ('id = "esx.vm.memory"\n', "", 2, "id"),
        ("value = 8", "value = = 8", 10, "syntax"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, field: str
) -> None:
    assert old in GOOD
    with pytest.raises(DataFileError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert caught.value.message.startswith(f"{tmp_path / 'rules.toml'}:{line}: {field}: ")
    assert caught.value.remedy


def test_an_id_used_twice_is_named_at_its_second_place(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"rules\.toml:18: id: 'esx\.vm\.memory' is used twice"):
        load(tmp_path, GOOD + GOOD)


def test_compare_and_check_exclude_each_other(tmp_path: Path) -> None:
    both = GOOD.replace("value = 8", 'value = 8\ncheck = "vcpu_limit"')
    with pytest.raises(DataFileError, match="either compare or check"):
        load(tmp_path, both)
    with pytest.raises(DataFileError, match="cannot say in words"):
        load(tmp_path, GOOD.replace('compare = "at-least"', 'check = "vcpu_limit"'))


@pytest.mark.parametrize("text", ["", "rule = 3", "[[other]]\nid = 1", "[rule]\nid = 1"])
def test_a_file_without_rules_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataFileError, match=r"rules\.toml:1: "):
        load(tmp_path, text)


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        requirements.load(tmp_path / "absent.toml")
    (tmp_path / "bin.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataFileError, match="cannot be read"):
        requirements.load(tmp_path / "bin.toml")


def test_a_header_inside_a_multi_line_text_does_not_shift_lines(tmp_path: Path) -> None:
    text = GOOD.replace('why = "because"', 'why = """\n[[rule]]\nvalue = 3\n"""')
    with pytest.raises(DataFileError, match=r":17: remedy: "):
        load(tmp_path, text.replace('remedy = "add some"', "remedy = 3"))


def test_the_shipped_file_is_the_one_that_is_read() -> None:
    assert len(requirements.shipped()) == data_path("requirements.toml").read_text(
        encoding="utf-8"
    ).count("[[rule]]")
