"""The practice Hyper-V host's inventory: what each profile is, and what is said of a bad file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestkit import practice
from nestkit.errors import DataFileError, PracticeError
from nestkit.practice.hyperv.inventory import default_path, load
from nestkit.practice.hyperv.model import GIB, Computer, Vm
from nestkit.practice.profiles import names
from nestkit.practice.tables import Source

VMS = {
    "nested-hv-01": lambda vm: not vm.exposes,
    "nested-hv-03": lambda vm: not vm.nics[0].spoofing and not vm.guest.computer.nats,
    "nested-hv-04": lambda vm: vm.dynamic,
    "nested-hv-05": lambda vm: vm.startup == 2 * GIB,
    "nested-hv-06": lambda vm: vm.startup == 6 * GIB,
    "nested-hv-07": lambda vm: vm.state == "Saved",
    "nested-hv-08": lambda vm: len(vm.checkpoints) == 1,
    "nested-hv-09": lambda vm: vm.cpu_count == 1,
    "nested-hv-10": lambda vm: [nic.spoofing for nic in vm.nics] == [True, False],
    "nested-hv-11": lambda vm: vm.nics == [],
}


def host(profile: str = "default", **more: Any) -> Computer:
    return load(default_path(), profile=profile, **more).host


def faults(vm: Vm) -> set[str]:
    """What is not as it should be, by the same words as the tests of single VMs."""
    right = {
        "exposes": vm.exposes,
        "spoofing": all(nic.spoofing for nic in vm.nics),
        "nics": bool(vm.nics),
        "dynamic": not vm.dynamic,
        "memory": 8 * GIB <= vm.startup <= 512 * GIB,
        "state": vm.state == "Running",
        "checkpoints": not vm.checkpoints,
        "cpus": vm.cpu_count >= 2,
        "version": vm.version == "10.0",
        "guest": vm.guest.os == "windows" and vm.guest.build == 20348,
    }
    return {name for name, is_right in right.items() if not is_right}


@pytest.mark.parametrize("name", VMS)
def test_each_vm_has_the_fault_its_comment_says_and_no_other(name: str) -> None:
    vm = next(vm for vm in host().vms.values() if vm.name == name)
    assert VMS[name](vm)
    assert len(faults(vm)) == 1


def test_the_second_vm_is_right_in_everything() -> None:
    vm = next(vm for vm in host().vms.values() if vm.name == "nested-hv-02")
    assert faults(vm) == set()
    assert vm.guest.computer is not None
    assert vm.guest.computer.has_role


HOSTS: dict[str, Callable[[Computer], bool]] = {
    "intel-ws2022": lambda pc: (pc.vendor, pc.build, pc.versions[-1]) == ("intel", 20348, "10.0"),
    "intel-ws2019": lambda pc: (pc.vendor, pc.build, pc.versions[-1]) == ("intel", 17763, "9.0"),
    "amd-ws2022": lambda pc: (pc.vendor, pc.build) == ("amd", 20348),
    "amd-ws2019": lambda pc: (pc.vendor, pc.build) == ("amd", 17763),
    "amd-old-version": lambda pc: pc.vendor == "amd" and only(pc).version == "9.0",
    "ws2025": lambda pc: (pc.build, pc.versions[-1]) == (26100, "12.0"),
    "old-version": lambda pc: only(pc).version == "5.0",
    "saved-state": lambda pc: only(pc).state == "Saved",
    "checkpoints": lambda pc: len(only(pc).checkpoints) == 1,
    "two-nics": lambda pc: len(only(pc).nics) == 2,
    "dynamic-memory": lambda pc: only(pc).dynamic,
    "low-memory": lambda pc: pc.free_memory < only(pc).startup,
    "as-created": lambda pc: faults(only(pc)) == {"exposes", "spoofing", "dynamic"},
    "duplicate-names": lambda pc: [v.name for v in pc.vms.values()].count("nested-hv-01") == 2,
    "no-role": lambda pc: not pc.has_role and not pc.vms,
    "no-vt": lambda pc: not pc.firmware_virtualization and not pc.hypervisor_present,
    "no-dep": lambda pc: not pc.dep,
    "offer-off": lambda pc: not pc.offer_nested,
    "small-host": lambda pc: pc.memory == 3 * GIB and not pc.adapters,
}


def only(pc: Computer) -> Vm:
    (vm,) = pc.vms.values()
    return vm


@pytest.mark.parametrize("profile", HOSTS)
def test_each_profile_is_what_it_is_called(profile: str) -> None:
    assert HOSTS[profile](host(profile))


def test_every_profile_is_held_by_a_test() -> None:
    assert set(names(Source(default_path()))) == {*HOSTS, "default", "not-administrator"}
    assert not load(default_path(), profile="not-administrator").is_administrator


def test_further_vms_have_names_and_ids_of_their_own() -> None:
    many = host(vms=300)
    assert len(many.vms) == 320
    assert len({vm.name for vm in many.vms.values()}) == 320
    assert len({nic.id for vm in many.vms.values() for nic in vm.nics}) == sum(
        len(vm.nics) for vm in many.vms.values()
    )


def test_the_same_options_give_the_same_host() -> None:
    first, second = host(vms=20, seed=3), host(vms=20, seed=3)
    assert list(first.vms) == list(second.vms)
    assert first.bios_id == second.bios_id != host(vms=20, seed=4).bios_id


def test_vms_do_not_share_their_guests() -> None:
    a, b = (v for v in host("duplicate-names").vms.values() if v.name == "nested-hv-01")
    assert a.guest.computer is not b.guest.computer
    assert a.guest.computer.adapters is not b.guest.computer.adapters  # type: ignore[union-attr]


BROKEN = [
    ("schema = 1", "schema = 2", "schema", "schema 1"),
    ('name = "HV01"', 'name = ""', "host.name", "text"),
    ("memory_gib = 512", 'memory_gib = "many"', "host.memory_gib", "whole number"),
    ("build = 20348 ", "build = 1 ", "host.build", "one of"),
    ("dep = true", "deep = true", "host.dep", "is missing"),
    ('type = "Internal"', 'type = "Open"', "switch.type", "one of"),
    ('adapter = "Practice Ethernet Controller"', 'adapter = "X"', "switch.adapter", "no adapter"),
    ("cpus = 1", "cpus = 0", "vm.cpus", "from 1"),
    ('state = "Saved"', 'state = "Broken"', "vm.state", "one of"),
    ("memory_gib = 6", "memory_gib = 6\ntypo = 1", "vm.typo", "not a field"),
    ("spoofing = [true, false]", "spoofing = [true, 1]", "vm.spoofing", "true, false"),
    ('networks = ["Lab External", "Lab Internal"]', 'networks = ["Lab X"]', "vm.networks", "Lab X"),
    ("minimum_gib = 8", "minimum_gib = 18", "vm.memory_gib", "between"),
    ("host = { dep = false }", "host = { deep = false }", "host.deep", "not a field"),
    ('again = ["nested-hv-01"]', 'again = ["nobody"]', "profile.duplicate-names.again", "nobody"),
    ("[profile.default]", "[profile.default", "syntax", ""),
]


@pytest.mark.parametrize(("before", "after", "field", "what"), BROKEN)
def test_a_malformed_inventory_is_told_by_file_line_and_field(
    tmp_path: Path, before: str, after: str, field: str, what: str
) -> None:
    text = default_path().read_text(encoding="utf-8")
    assert before in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    profile = {"host = { dep": "no-dep", "again = [": "duplicate-names"}
    chosen = next((p for start, p in profile.items() if before.startswith(start)), "default")
    with pytest.raises(DataFileError) as raised:
        load(path, profile=chosen)
    place, _, rest = raised.value.message.partition(": ")
    assert place.startswith("mine.toml:")
    assert int(place.rpartition(":")[2]) > 0
    assert rest.startswith(field)
    assert what in rest


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(PracticeError) as raised:
        practice.start("hyperv", profile="nonsense")
    assert "amd-ws2019" in raised.value.remedy


def test_an_inventory_that_is_not_there_is_told() -> None:
    with pytest.raises(DataFileError):
        practice.start("hyperv", inventory="/nowhere/mine.toml")
