"""What must be found on the practice ESXi host, written by hand, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import nestkit as nk
from nestkit.facts import Unknown
from nestkit.hosts.base import Host

# VM → what is wrong with it: rule, level and what the finding says it found
EXPECTED: dict[str, list[tuple[str, str, str]]] = {
    "nested-esxi-01": [("esx.vm.nested-hv", "fail", "not exposed")],
    "nested-esxi-02": [],
    "nested-esxi-03": [("esx.vm.hardware-version", "fail", "8")],
    "nested-esxi-04": [("esx.vm.memory", "fail", "4 GiB")],
    "nested-esxi-05": [("esx.vm.memory-recommended", "warn", "12 GiB")],
    "nested-esxi-06": [("esx.vm.cpu-count", "fail", "1 vCPU")],
    "nested-esxi-07": [("esx.vm.memory-reserved", "warn", "8 of 16 GiB")],
    "nested-esxi-08": [("esx.vm.disk", "fail", "16 GiB")],
    "nested-esxi-09": [("esx.vm.disk-bus", "fail", "ide")],
    "nested-esxi-10": [("esx.vm.nic", "fail", "0 NIC")],
    "nested-esxi-11": [("esx.nic.promiscuous", "fail", "Reject")],
    "nested-esxi-12": [("esx.nic.forged-transmits", "fail", "Reject")],
    "nested-esxi-13": [("esx.vm.nic-speed", "fail", "10 Mbit/s")],
    "nested-esxi-14": [("esx.vm.tools", "note", "not installed")],
    "nested-esxi-15": [
        ("esx.vm.nested-hv", "fail", "not exposed (set only by vhv.enable)"),
        ("esx.vm.legacy-keys", "note", "vhv.enable"),
    ],
    "nested-esxi-16": [("esx.vm.nested-hv", "fail", "not exposed")],
    "nested-esxi-17": [("esx.vm.nested-hv", "fail", "not exposed")],
}
# the one thing that the vSphere API does not tell of the host
HOST_UNKNOWN = {"esx.host.raid"}

SMALL_HOST = {
    "esx.cpu.nx", "esx.host.memory", "esx.host.disk", "esx.host.disk-bus", "esx.host.nic-speed",
}  # fmt: skip
NO_VT = {"esx.cpu.hw-virtualization", "esx.cpu.slat", "esx.cpu.nesting"}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with nk.practice.start("esx") as practice:
        connected = nk.connect(practice.url, password=practice.password)
        yield connected
        connected.close()


def faults(report: nk.preflight.Report) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for finding in report.findings:
        owner = finding.subject.removeprefix("VM ").partition(",")[0]
        found.setdefault(owner, [])
        if finding.level in ("fail", "warn", "note"):
            found[owner].append((finding.id, finding.level, finding.measured))
    return found


def test_each_practice_fault_is_found_and_nothing_else(host: Host) -> None:
    report = nk.preflight.check(host)
    assert report.is_practice
    found = faults(report)
    (host_name,) = {name for name in found if name.startswith("host ")}
    assert found.pop(host_name) == []
    assert found == EXPECTED
    assert {f.id for f in report.at("unknown")} == HOST_UNKNOWN


@pytest.mark.parametrize("name", EXPECTED)
def test_one_vm_is_judged_with_its_host_and_no_other(host: Host, name: str) -> None:
    report = nk.preflight.check(host, vm=name)
    found = faults(report)
    assert found[name] == EXPECTED[name]
    assert len(found) == 2  # the host and this VM
    assert report.ok is not any(level == "fail" for _, level, _ in EXPECTED[name])


@pytest.mark.parametrize(("profile", "expected"), [("small-host", SMALL_HOST), ("no-vt", NO_VT)])
def test_a_host_that_is_not_fit_fails_its_own_rows(profile: str, expected: set[str]) -> None:
    with nk.practice.start("esx", profile=profile) as practice:
        connected = nk.connect(practice.url, password=practice.password)
        report = nk.preflight.check(connected)
        connected.close()
    failed = {f.id for f in report.at("fail") if f.subject.startswith("host ")}
    assert failed == expected


def test_no_fact_that_a_rule_needs_is_left_unread(host: Host) -> None:
    facts = host.read()
    assert not isinstance(facts.disks, Unknown) and not isinstance(facts.nics, Unknown)
    report = nk.preflight.check(host)
    assert not any("not read on this platform" in finding.measured for finding in report.findings)
