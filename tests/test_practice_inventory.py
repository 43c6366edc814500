"""The inventory of the practice ESXi host: what it holds, and what is said when it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestkit.errors import DataFileError, PracticeError
from nestkit.practice.esx import inventory
from nestkit.practice.esx.model import Vm
from nestkit.practice.profiles import names
from nestkit.practice.tables import Source

HEALTHY = {
    "hardware_version": 20, "cpu_count": 4, "memory_mb": 16384, "reservation_mb": 16384,
    "nested": True, "tools": "running", "extra": {}, "disks": ((64.0, "scsi"),),
    "nics": (("vmxnet3", "Nested Trunk"),) * 2,
}  # fmt: skip
# Written by hand: what differs from a VM in which everything is right.
DIFFERS = {
    "nested-esxi-01": {"nested"},
    "nested-esxi-02": {"nics"},  # another port group, just as good
    "nested-esxi-03": {"hardware_version", "nested"},
    "nested-esxi-04": {"memory_mb", "reservation_mb"},
    "nested-esxi-05": {"memory_mb", "reservation_mb"},
    "nested-esxi-06": {"cpu_count"},
    "nested-esxi-07": {"reservation_mb"},
    "nested-esxi-08": {"disks"},
    "nested-esxi-09": {"disks"},
    "nested-esxi-10": {"nics"},
    "nested-esxi-11": {"nics"},
    "nested-esxi-12": {"nics"},
    "nested-esxi-13": {"nics"},
    "nested-esxi-14": {"nics", "tools"},
    "nested-esxi-15": {"nested", "extra"},
    "nested-esxi-16": {"nested"},
    "nested-esxi-17": {"nested"},
}


def facts(vm: Vm) -> dict[str, object]:
    return {name: getattr(vm, name) for name in HEALTHY} | {
        "disks": tuple((disk.size_gib, disk.bus) for disk in vm.disks),
        "nics": tuple((nic.model, nic.network) for nic in vm.nics),
    }


def test_each_vm_differs_from_a_healthy_one_in_what_its_comment_says() -> None:
    vms = inventory.load(inventory.default_path()).vms.values()
    found = {vm.name: {k for k, v in facts(vm).items() if v != HEALTHY[k]} for vm in vms}
    assert found == DIFFERS
    first = next(iter(vms))
    assert (first.name, first.power, first.tools) == ("nested-esxi-01", "on", "running")


def test_running_vms_fit_the_host() -> None:
    for profile in names(Source(inventory.default_path())):
        made = inventory.load(inventory.default_path(), profile=profile)
        running = sum(vm.reservation_mb for vm in made.vms.values() if vm.power == "on")
        assert running <= made.host.memory_mb, profile


def test_identities_are_the_same_each_time_and_differ_between_options() -> None:
    def identities(**options: object) -> list[str]:
        made = inventory.load(inventory.default_path(), **options)  # type: ignore[arg-type]
        return [made.host.uuid, *(vm.instance_uuid for vm in made.vms.values())]

    assert identities(vms=5, seed=3) == identities(vms=5, seed=3)
    assert not set(identities(vms=5, seed=3)) & set(identities(vms=5, seed=4))
    assert not set(identities()) & set(identities(profile="readonly"))
    assert len(set(identities(profile="duplicate-names"))) == 19


def test_the_seed_decides_which_further_vms_there_are() -> None:
    def further(seed: int) -> list[object]:
        made = inventory.load(inventory.default_path(), vms=30, seed=seed)
        return [facts(vm) for vm in made.vms.values() if vm.name.startswith("fleet-")]

    assert further(1) == further(1) != further(2)


BROKEN = [
    ("schema = 1", "schema = 2", r":4?\d*: schema: "),
    ("memory_gib = 128", "memory_gib = -1", r"host\.memory_gib: must be from 1 "),
    ("memory_gib = 128", 'memory_gib = "much"', r"host\.memory_gib: must be a whole number"),
    ("memory_gib = 128", "memory_gib = true", r"host\.memory_gib: must be a whole number"),
    ("memory_gib = 128", "", r"host\.memory_gib: is missing"),
    ("nx = true", "nx = 1", r"host\.nx: must be true or false"),
    ("nx = true", "nx = true\ncolour = 'red'", r"host\.colour: is not a field"),
    ('cpu_vendor = "intel"', 'cpu_vendor = "arm"', r"host\.cpu_vendor: must be one of 'intel'"),
    ('switch = "vSwitch2"', 'switch = "vSwitch9"', r"port_group\.switch: there is no switch"),
    ("vlan = 4095", "vlan = 5000", r"port_group\.vlan: must be from 0 to 4095"),
    ("cpu_count = 1", "cpu_count = 0", r"vm\.cpu_count: must be from 1"),
    ("hardware_version = 8", "hardware_version = 12", r"vm\.hardware_version: there is no"),
    ('nic_model = "pcnet32"', 'nic_model = "ne2000"', r"vm\.nic_model: must be one of"),
    ('bus = "ide"', 'bus = "floppy"', r"vm\.disks\[0\]\.bus|vm\.bus"),
    ('["Nested Lab B"]', '["Lab"]', r"vm\.networks: there is no port group 'Lab'"),
    ("reservation_gib = 8", "reservation_gib = 17", r"vm\.reservation_gib: must be from 0 to 16"),
    ('"nested-esxi-05"', '"nested-esxi-04"', r"vm\.name: 'nested-esxi-04' is used twice"),
    ('"nested-esxi-05"', '"a\\u0007b"', r"vm\.name: must be text without control"),
    ("[host]", "[host", r"^esx\.toml:\d+: syntax: "),
    ("[[vm]] # no NIC", "[[vm2]]", r":\d\d+: vm2: is not"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), BROKEN)
def test_a_broken_inventory_is_named_by_file_line_and_field(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    text = inventory.default_path().read_text(encoding="utf-8")
    assert right in text
    path = tmp_path / "esx.toml"
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(DataFileError, match=message) as refused:
        inventory.load(path)
    file, line, *_ = refused.value.message.split(":")
    assert file == "esx.toml"
    assert refused.value.remedy
    if wrong and not wrong.startswith("["):
        shown = path.read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert wrong.splitlines()[-1] in shown


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        inventory.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(DataFileError, match="UTF-8"):
        inventory.load(tmp_path / "latin.toml")
    with pytest.raises(PracticeError, match="no profile"):
        inventory.load(inventory.default_path(), profile="none")


def test_every_profile_loads() -> None:
    path = inventory.default_path()
    profiles = names(Source(path))
    assert set(profiles) == {
        "default", "duplicate-names", "full-datastore", "maintenance", "no-vt", "old-api",
        "readonly", "small-host", "unreadable",
    }  # fmt: skip
    for profile in profiles:
        assert inventory.load(path, profile=profile).vms
