"""What must be found on the practice Hyper-V host, written by hand, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from played_hyperv import played_host

import nestkit as nk
from nestkit.hosts.base import Host
from nestkit.requirements import rules

Found = tuple[str, str, str]
NESTED: Found = ("hyperv.vm.nested-hv", "fail", "not exposed")
SPOOFING: Found = ("hyperv.nic.mac-spoofing", "fail", "off")
DYNAMIC: Found = ("hyperv.vm.static-memory", "fail", "dynamic")
SAVED: Found = ("hyperv.vm.saved-state", "warn", "saved")
CHECKPOINT: Found = ("hyperv.vm.checkpoints", "note", "1 checkpoint(s)")

# VM → what is wrong with it: rule, level and what the finding says it found
EXPECTED: dict[str, list[Found]] = {
    "nested-hv-01": [NESTED],
    "nested-hv-02": [],
    "nested-hv-03": [SPOOFING],
    "nested-hv-04": [DYNAMIC],
    "nested-hv-05": [("hyperv.vm.memory", "fail", "2 GiB")],
    "nested-hv-06": [("hyperv.vm.memory-recommended", "warn", "6 GiB")],
    "nested-hv-07": [SAVED],
    "nested-hv-08": [CHECKPOINT],
    "nested-hv-09": [("hyperv.vm.cpu-count", "warn", "1 vCPU")],
    "nested-hv-10": [SPOOFING],
    "nested-hv-11": [("hyperv.vm.nic", "fail", "0 NIC")],
    "nested-hv-12": [NESTED],
    "nested-hv-13": [],
    "nested-hv-14": [("hyperv.vm.guest-os", "fail", "Debian GNU/Linux (6.1.0)")],
    # paused: what runs inside cannot be asked
    "nested-hv-15": [("hyperv.vm.guest-os", "unknown", "unknown: it tells only while it runs")],
    "nested-hv-16": [("hyperv.vm.memory-fits", "warn", "600 GiB; 260.0 GiB are free")],
    "nested-hv-17": [],  # spoofing is off, but the guest translates
    "nested-hv-18": [
        ("hyperv.vm.guest-os", "fail", "Windows Server 2012 R2 Datacenter (6.3.9600)")
    ],
    "Müller's [lab] $x `n 日本": [],
    "nested-hv-20": [NESTED, DYNAMIC, SPOOFING],
}
ONE = "VM nested-hv-12"
# profile → subject → what is found; subjects that are not named are as they should be
PROFILES: dict[str, dict[str, list[Found]]] = {
    "amd-ws2019": {
        "host HV01": [("hyperv.host.build", "fail", "17763 on AMD")],
        **{
            f"VM nested-hv-{n}": [
                NESTED,
                ("hyperv.vm.configuration-version", "fail", "9.0 on AMD"),
            ]
            for n in ("01", "12")
        },
    },
    "amd-old-version": {ONE: [NESTED, ("hyperv.vm.configuration-version", "fail", "9.0 on AMD")]},
    "old-version": {ONE: [NESTED, ("hyperv.vm.configuration-version", "fail", "5.0 on Intel")]},
    "saved-state": {"VM nested-hv-07": [SAVED]},
    "checkpoints": {"VM nested-hv-08": [CHECKPOINT]},
    "two-nics": {"VM nested-hv-10, Network Adapter 2": [SPOOFING]},
    "dynamic-memory": {"VM nested-hv-04": [DYNAMIC]},
    "low-memory": {ONE: [NESTED, ("hyperv.vm.memory-fits", "warn", "16 GiB; 8.0 GiB are free")]},
    "as-created": {
        "VM nested-hv-20": [NESTED, DYNAMIC],
        "VM nested-hv-20, Network Adapter": [SPOOFING],
    },
    "no-role": {"host HV01": [("hyperv.host.role", "fail", "not installed")]},
    "no-vt": {
        # Windows cannot tell "absent" from "switched off": one cause, four rows of the guide
        "host HV01": [
            ("hyperv.cpu.hw-virtualization", "fail", "not available"),
            ("hyperv.cpu.slat", "fail", "absent"),
            ("hyperv.cpu.firmware", "fail", "turned off"),
            ("hyperv.cpu.vm-monitor-mode", "fail", "absent"),
        ],
        ONE: [NESTED],
    },
    "offer-off": {
        "host HV01": [("hyperv.host.offer-nested-virt", "fail", "switched off (offernestedvirt)")],
        ONE: [NESTED],
    },
    "small-host": {
        "host HV01": [
            ("hyperv.host.memory", "fail", "3 GiB"),
            ("hyperv.host.disk-ssd", "note", "rotating disks only"),
            ("hyperv.host.nic", "fail", "0 NIC"),
        ]
    },
}
SAME_VMS = ("intel-ws2022", "intel-ws2019", "amd-ws2022", "ws2025")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with nk.practice.start("hyperv") as practice:
        connected = nk.connect(practice.url, password=practice.password)
        yield connected
        connected.close()


def faults(report: nk.preflight.Report, *, of_nics: bool = True) -> dict[str, list[Found]]:
    """Subject → what is not right with it; the NICs' findings go to their VM."""
    found: dict[str, list[Found]] = {}
    for finding in report.findings:
        subject = finding.subject.partition(",")[0] if of_nics else finding.subject
        found.setdefault(subject, [])
        if finding.level != "pass":
            found[subject].append((finding.id, finding.level, finding.measured))
    return found


def of_vms(expected: dict[str, list[Found]]) -> dict[str, list[Found]]:
    return {f"VM {name}": found for name, found in expected.items()}


def test_each_practice_fault_is_found_and_nothing_else(host: Host) -> None:
    report = nk.preflight.check(host)
    assert report.is_practice
    assert faults(report) == {"host HV01": [], **of_vms(EXPECTED)}
    assert report.unknown == 1


@pytest.mark.parametrize("name", EXPECTED)
def test_one_vm_is_judged_with_its_host_and_no_other(host: Host, name: str) -> None:
    report = nk.preflight.check(host, vm=name)
    assert faults(report) == {"host HV01": [], f"VM {name}": EXPECTED[name]}
    assert report.ok is not any(level == "fail" for _, level, _ in EXPECTED[name])


def test_only_the_nic_that_may_not_spoof_is_named(host: Host) -> None:
    report = nk.preflight.check(host, vm="nested-hv-10")
    assert [f.subject for f in report.at("fail")] == ["VM nested-hv-10, Network Adapter 2"]


@pytest.mark.parametrize("profile", [*PROFILES, *SAME_VMS, "no-dep"])
def test_each_profile_shows_its_own_fault_alone(profile: str) -> None:
    report = nk.preflight.check(played_host(profile))
    if profile in PROFILES:
        shown = {s: found for s, found in faults(report, of_nics=False).items() if found}
        assert shown == PROFILES[profile]
        return
    dep = [("hyperv.cpu.dep", "fail", "off or absent")] if profile == "no-dep" else []
    assert faults(report) == {"host HV01": dep, **of_vms(EXPECTED)}


def test_who_may_not_manage_hyper_v_gets_unknowns_and_no_verdict() -> None:
    report = nk.preflight.check(played_host("not-administrator"))
    assert report.ok
    assert report.blocked(strict=True)
    assert {f.id for f in report.at("unknown")} == {
        "hyperv.host.role", "hyperv.host.offer-nested-virt",
    }  # fmt: skip
    (role,) = (f for f in report.findings if f.id == "hyperv.host.role")
    assert "Hyper-V Administrators" in role.measured


def test_every_rule_is_judged_somewhere_in_the_practice_inventory(host: Host) -> None:
    judged = {finding.id for finding in nk.preflight.check(host).findings}
    # an Azure VM's security type is a question for Azure VMs alone
    assert {rule.id for rule in rules("hyperv")} - judged == {"hyperv.host.azure-security-type"}


def test_while_a_hypervisor_runs_it_proves_what_windows_then_hides(host: Host) -> None:
    facts = host.read("nested-hv-02")
    assert facts.firmware_virtualization is False
    assert facts.hypervisor_present is True
    report = nk.preflight.check(host, vm="nested-hv-02")
    proved = {f.id: f.measured for f in report.findings if f.id.startswith("hyperv.cpu.")}
    assert proved["hyperv.cpu.firmware"] == "yes: proved by the hypervisor that runs"


def test_the_command_line_prints_the_pinned_report() -> None:
    with nk.practice.start("hyperv", profile="two-nics") as practice:
        done = subprocess.run(
            [sys.executable, "-m", "nestkit", "preflight", practice.url, "--json"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=os.environ | {"NESTKIT_PASSWORD": practice.password},
        )
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert (report["schema"], report["ok"], report["unknown"]) == (1, False, 0)
    (failed,) = (f for f in report["findings"] if f["level"] == "fail")
    assert failed["id"] == "hyperv.nic.mac-spoofing"
    assert failed["measured_value"] is False
    assert "guide" in failed["source"]
