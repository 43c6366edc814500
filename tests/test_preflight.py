"""Facts held against rules: levels, order, unknowns, and how a report shows itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nestkit import preflight, requirements
from nestkit.errors import PlanError
from nestkit.facts import (
    CpuFacts,
    DiskFacts,
    HostFacts,
    HostNicFacts,
    Platform,
    Unknown,
    VmFacts,
    VmNicFacts,
)

NO = Unknown("the API does not tell")

ESX_NIC = VmNicFacts(
    label="Network adapter 1", key="4000", model="vmxnet3", link_mbps=10000, network="Trunk",
    network_id="HaNetwork-Trunk", switch="vSwitch0", switch_kind="standard", promiscuous=True,
    forged_transmits=True, mac_changes=True, mac_learning=False,
)  # fmt: skip
ESX_VM = VmFacts(
    identity="52aa", name="nested-01", ref="1", power="off", cpu_count=4, memory_gib=16.0,
    memory_reservation_gib=16.0, nested_hv=True, hardware_version=20, tools="running",
    legacy_nesting_keys=(), snapshot_count=0, is_template=False, fault_tolerance=False,
    passthrough_devices=(), disks=(DiskFacts(label="Hard disk 1", size_gib=64.0, bus="scsi"),),
    nics=(ESX_NIC,),
)  # fmt: skip
ESX = HostFacts(
    identity="4c4c", platform="esx", name="esx01", is_practice=False, version="8.0.2",
    cpu=CpuFacts(vendor="intel", threads=32, is_64bit=True, hw_virtualization=True, slat=True,
                 nx=True),
    memory_gib=127.6, free_memory_gib=64.0,
    disks=(DiskFacts(label="disk", size_gib=447.1, bus="sas", is_raid=True),),
    nics=(HostNicFacts(label="vmnic0", link_mbps=10000),),
    nested_hv_supported=True, maintenance_mode=False, vms=(ESX_VM,),
)  # fmt: skip

HV_NIC = VmNicFacts(label="Network Adapter", key="a1", mac_spoofing=True, inner_nat=False)
HV_VM = VmFacts(
    identity="6f0d", name="hv-l1", ref="6f0d", power="off", cpu_count=4, memory_gib=8.0,
    nested_hv=True, configuration_version="10.0", dynamic_memory=False, snapshot_count=0,
    has_saved_state=False, guest_os="Windows Server 2022 Datacenter (10.0.20348)",
    disks=(DiskFacts(label="disk"),), nics=(HV_NIC,),
)  # fmt: skip
HV = HostFacts(
    identity="1111", platform="hyperv", name="hv01", is_practice=False, build=20348,
    cpu=CpuFacts(vendor="amd", is_64bit=True, hw_virtualization=True, slat=True, nx=True),
    memory_gib=63.8, free_memory_gib=40.0, disks=(DiskFacts(label="0", is_ssd=True),),
    nics=(HostNicFacts(label="Ethernet", link_mbps=1000),), firmware_virtualization=True,
    vm_monitor_mode=True, hyperv_role=True, offer_nested_virt=True, hypervisor_present=True,
    is_vm=False, azure_security_type="", vms=(HV_VM,),
)  # fmt: skip

LOCAL = HostFacts(
    identity="2222", platform="local", name="laptop", is_practice=False,
    cpu=CpuFacts(vendor="intel", is_64bit=True, hw_virtualization=True, slat=True, nx=True),
    memory_gib=15.6, disks=(DiskFacts(label="nvme0n1", size_gib=476.9, bus="nvme"),),
    nics=(HostNicFacts(label="eth0", link_mbps=1000),), nested_parameter=True, is_vm=False,
    lab_accelerator="kvm", lab_reason="a guest booted",
)  # fmt: skip
READY = {"esx": ESX, "hyperv": HV, "local": LOCAL}


class FakeHost:
    """A host that is read and nothing else."""

    identity = "x"
    is_practice = False

    def __init__(self, facts: HostFacts) -> None:
        self.facts = facts
        self.platform = facts.platform

    def read(self, vm: str | None = None) -> HostFacts:
        found = tuple(each for each in self.facts.vms if vm in (None, each.name))
        return dataclasses.replace(self.facts, vms=found)

    def current(self, target: Any, property: str) -> Any:  # noqa: A002
        raise AssertionError("preflight reads only")

    def perform(self, *_: Any) -> None:
        raise AssertionError("preflight reads only")

    def close(self) -> None: ...


def judge(facts: HostFacts, as_platform: Platform | None = None) -> preflight.Report:
    return preflight.check(FakeHost(facts), as_platform=as_platform)


def host(base: HostFacts, **changes: Any) -> HostFacts:
    cpu = {key[4:]: changes.pop(key) for key in list(changes) if key.startswith("cpu_")}
    return dataclasses.replace(base, cpu=dataclasses.replace(base.cpu, **cpu), **changes)


def vm(base: HostFacts, **changes: Any) -> HostFacts:
    return dataclasses.replace(base, vms=(dataclasses.replace(base.vms[0], **changes),))


def nic(base: HostFacts, **changes: Any) -> HostFacts:
    nics: Any = base.vms[0].nics
    return vm(base, nics=(dataclasses.replace(nics[0], **changes),))


def disks(**fields: Any) -> tuple[DiskFacts, ...]:
    return (DiskFacts(label="a", **fields),)


def nics(*speeds: Any) -> tuple[HostNicFacts, ...]:
    return tuple(HostNicFacts(label=f"n{i}", link_mbps=s) for i, s in enumerate(speeds))


# One line a rule: how to break it, the level it then has, and what it says it found.
BROKEN: dict[str, tuple[Callable[[], HostFacts], str, str]] = {
    "esx.cpu.64bit": (lambda: host(ESX, cpu_is_64bit=False), "fail", "not 64-bit x86"),
    "esx.cpu.hw-virtualization": (
        lambda: host(ESX, cpu_hw_virtualization=False), "fail", "not available"),
    "esx.cpu.slat": (lambda: host(ESX, cpu_slat=False), "fail", "no EPT or RVI"),
    "esx.cpu.nx": (lambda: host(ESX, cpu_nx=False), "fail", "off or absent"),
    "esx.cpu.nesting": (lambda: host(ESX, nested_hv_supported=False), "fail", "not supported"),
    "esx.host.memory": (lambda: host(ESX, memory_gib=7.5), "fail", "7.5 GiB"),
    "esx.host.memory-recommended": (lambda: host(ESX, memory_gib=12.0), "warn", "12 GiB"),
    "esx.host.disk": (
        lambda: host(ESX, disks=disks(size_gib=16.0, bus="sata", is_raid=True)), "fail",
        "16 GiB"),
    "esx.host.disk-bus": (
        lambda: host(ESX, disks=disks(size_gib=64.0, bus="usb", is_raid=True)), "fail", "usb"),
    "esx.host.raid": (
        lambda: host(ESX, disks=disks(size_gib=64.0, bus="sas", is_raid=False)), "note",
        "no RAID"),
    "esx.host.nic": (lambda: host(ESX, nics=()), "fail", "0 NIC"),
    "esx.host.nic-speed": (lambda: host(ESX, nics=nics(0, 100)), "fail", "100 Mbit/s"),
    "esx.host.version": (lambda: host(ESX, version="7.0.3"), "note", "7.0.3"),
    "esx.host.maintenance": (
        lambda: host(ESX, maintenance_mode=True), "fail", "in maintenance mode"),
    "esx.vm.nested-hv": (lambda: vm(ESX, nested_hv=False), "fail", "not exposed"),
    "esx.vm.hardware-version": (
        lambda: vm(ESX, hardware_version=8, nested_hv=False), "fail", "8"),
    "esx.vm.hardware-version-current": (lambda: vm(ESX, hardware_version=19), "note", "19"),
    "esx.vm.legacy-keys": (
        lambda: vm(ESX, legacy_nesting_keys=("vhv.enable",)), "note", "vhv.enable"),
    "esx.vm.cpu-count": (lambda: vm(ESX, cpu_count=1), "fail", "1 vCPU"),
    "esx.vm.memory": (
        lambda: vm(ESX, memory_gib=4.0, memory_reservation_gib=4.0), "fail", "4 GiB"),
    "esx.vm.memory-recommended": (lambda: vm(ESX, memory_gib=12.0), "warn", "12 GiB"),
    "esx.vm.memory-reserved": (
        lambda: vm(ESX, memory_reservation_gib=8.0), "warn", "8 of 16 GiB"),
    "esx.vm.disk": (lambda: vm(ESX, disks=disks(size_gib=16.0, bus="scsi")), "fail", "16 GiB"),
    "esx.vm.disk-present": (lambda: vm(ESX, disks=()), "fail", "0 disk"),
    "esx.vm.disk-bus": (lambda: vm(ESX, disks=disks(size_gib=64.0, bus="ide")), "fail", "ide"),
    "esx.vm.nic": (lambda: vm(ESX, nics=()), "fail", "0 NIC"),
    "esx.vm.nic-speed": (lambda: nic(ESX, link_mbps=10), "fail", "10 Mbit/s"),
    "esx.vm.passthrough": (lambda: vm(ESX, passthrough_devices=("GPU",)), "fail", "GPU"),
    "esx.vm.fault-tolerance": (lambda: vm(ESX, fault_tolerance=True), "fail", "on"),
    "esx.vm.tools": (lambda: vm(ESX, power="on", tools="not installed"), "note", "not installed"),
    "esx.nic.promiscuous": (lambda: nic(ESX, promiscuous=False), "fail", "Reject"),
    "esx.nic.forged-transmits": (lambda: nic(ESX, forged_transmits=False), "fail", "Reject"),
    "hyperv.cpu.64bit": (lambda: host(HV, cpu_is_64bit=False), "fail", "not 64-bit x86"),
    "hyperv.cpu.hw-virtualization": (
        lambda: host(HV, cpu_hw_virtualization=False, hypervisor_present=False), "fail",
        "not available"),
    "hyperv.cpu.slat": (
        lambda: host(HV, cpu_slat=False, hypervisor_present=False), "fail", "absent"),
    "hyperv.cpu.dep": (lambda: host(HV, cpu_nx=False), "fail", "off or absent"),
    "hyperv.cpu.firmware": (
        lambda: host(HV, firmware_virtualization=False, hypervisor_present=False), "fail",
        "turned off"),
    "hyperv.cpu.vm-monitor-mode": (
        lambda: host(HV, vm_monitor_mode=False, hypervisor_present=False), "fail", "absent"),
    "hyperv.host.memory": (lambda: host(HV, memory_gib=3.5), "fail", "3.5 GiB"),
    "hyperv.host.memory-recommended": (lambda: host(HV, memory_gib=6.0), "warn", "6 GiB"),
    "hyperv.host.disk": (lambda: host(HV, disks=()), "fail", "0 disk"),
    "hyperv.host.disk-ssd": (
        lambda: host(HV, disks=disks(is_ssd=False)), "note", "rotating disks only"),
    "hyperv.host.nic": (lambda: host(HV, nics=()), "fail", "0 NIC"),
    "hyperv.host.build": (lambda: host(HV, build=17763), "fail", "17763 on AMD"),
    "hyperv.host.role": (lambda: host(HV, hyperv_role=False), "fail", "not installed"),
    "hyperv.vm.guest-os": (
        lambda: vm(HV, power="on", guest_os="Windows Server 2012 R2 (6.3.9600)"), "fail",
        "Windows Server 2012 R2 (6.3.9600)"),
    "hyperv.host.offer-nested-virt": (
        lambda: host(HV, offer_nested_virt=False), "fail", "switched off (offernestedvirt)"),
    "hyperv.host.azure-security-type": (
        lambda: host(HV, azure_security_type="TrustedLaunch"), "note", "TrustedLaunch"),
    "hyperv.vm.nested-hv": (lambda: vm(HV, nested_hv=False), "fail", "not exposed"),
    "hyperv.vm.configuration-version": (
        lambda: vm(HV, configuration_version="9.0"), "fail", "9.0 on AMD"),
    "hyperv.vm.static-memory": (lambda: vm(HV, dynamic_memory=True), "fail", "dynamic"),
    "hyperv.vm.cpu-count": (lambda: vm(HV, cpu_count=1), "warn", "1 vCPU"),
    "hyperv.vm.cpu-limit": (
        lambda: vm(HV, cpu_count=240, guest_os="Windows Server 2019 Standard"), "fail",
        "240 in Windows Server 2019 Standard"),
    "hyperv.vm.memory": (lambda: vm(HV, memory_gib=2.0), "fail", "2 GiB"),
    "hyperv.vm.memory-recommended": (lambda: vm(HV, memory_gib=6.0), "warn", "6 GiB"),
    "hyperv.vm.memory-fits": (
        lambda: vm(HV, memory_gib=48.0), "warn", "48 GiB; 40.0 GiB are free"),
    "hyperv.vm.disk": (lambda: vm(HV, disks=()), "fail", "0 disk"),
    "hyperv.vm.nic": (lambda: vm(HV, nics=()), "fail", "0 NIC"),
    "hyperv.vm.saved-state": (lambda: vm(HV, has_saved_state=True), "warn", "saved"),
    "hyperv.vm.checkpoints": (lambda: vm(HV, snapshot_count=2), "note", "2 checkpoint(s)"),
    "hyperv.nic.mac-spoofing": (lambda: nic(HV, mac_spoofing=False), "fail", "off"),
    "local.cpu.64bit": (lambda: host(LOCAL, cpu_is_64bit=False), "warn", "not 64-bit x86"),
    "local.cpu.hw-virtualization": (
        lambda: host(LOCAL, cpu_hw_virtualization=False), "note", "neither vmx nor svm"),
    "local.cpu.slat": (lambda: host(LOCAL, cpu_slat=False), "note", "neither ept nor npt"),
    "local.cpu.nx": (lambda: host(LOCAL, cpu_nx=False), "note", "off or absent"),
    "local.kvm.nested": (lambda: host(LOCAL, nested_parameter=False), "note", "off"),
    "local.host.memory": (lambda: host(LOCAL, memory_gib=2.0), "warn", "2 GiB"),
    "local.host.disk": (lambda: host(LOCAL, disks=()), "note", "0 disk"),
    "local.host.nic": (lambda: host(LOCAL, nics=()), "note", "0 NIC"),
    "local.host.is-vm": (lambda: host(LOCAL, is_vm=True), "note", "a VM"),
    "local.lab.runs": (
        lambda: host(LOCAL, lab_accelerator="", lab_reason="no QEMU"), "warn",
        "not here: no QEMU"),
    "local.lab.hardware": (lambda: host(LOCAL, lab_accelerator="tcg"), "note", "tcg"),
}  # fmt: skip


def problems(report: preflight.Report) -> dict[str, str]:
    return {f.id: f.level for f in report.findings if f.level != "pass"}


@pytest.mark.parametrize("platform", READY)
def test_a_ready_host_passes_every_rule(platform: str) -> None:
    report = judge(READY[platform])
    assert problems(report) == {}
    assert report.ok and report.unknown == 0
    skipped = {
        "esx.vm.template": "hidden unless named",
        "esx.vm.tools": "the VM is off",
        "hyperv.vm.guest-os": "the VM is off",
        "hyperv.host.azure-security-type": "not an Azure VM",
    }
    judged = {finding.id for finding in report.findings}
    expected = {rule.id for rule in requirements.rules(READY[platform].platform)}
    assert judged | set(skipped) >= expected


def test_every_rule_has_an_example_that_breaks_it() -> None:
    assert {rule.id for rule in requirements.shipped()} - set(BROKEN) == {"esx.vm.template"}


@pytest.mark.parametrize("id_", BROKEN)
def test_what_breaks_a_rule_is_found_and_nothing_else(id_: str) -> None:
    facts, level, measured = BROKEN[id_]
    report = judge(facts())
    assert problems(report) == {id_: level}
    (finding,) = (each for each in report.findings if each.id == id_)
    assert finding.measured == measured
    assert finding.remedy and finding.source
    assert report.ok is (level != "fail")
    assert report.blocked() is (level == "fail")


def test_a_template_is_judged_only_when_it_is_named() -> None:
    facts = vm(ESX, is_template=True)
    assert {f.subject for f in judge(facts).findings} == {"host esx01"}
    named = preflight.check(FakeHost(facts), vm="nested-01")
    assert problems(named) == {"esx.vm.template": "fail"}


def test_nesting_by_an_old_key_only_is_not_nesting() -> None:
    report = judge(vm(ESX, nested_hv=False, legacy_nesting_keys=("vhv.enable",)))
    assert problems(report) == {"esx.vm.nested-hv": "fail", "esx.vm.legacy-keys": "note"}
    (finding,) = report.at("fail")
    assert finding.measured == "not exposed (set only by vhv.enable)"


@pytest.mark.parametrize("fact", ["cpu_hw_virtualization", "cpu_slat"])
def test_esxi_that_supports_nesting_proves_what_the_api_does_not_tell(fact: str) -> None:
    assert problems(judge(host(ESX, **{fact: NO}))) == {}
    unproved = judge(host(ESX, **{fact: NO}, nested_hv_supported=NO))
    assert set(problems(unproved).values()) == {"unknown"}


def test_memory_that_firmware_keeps_is_forgiven_to_a_host_not_to_a_vm() -> None:
    assert "esx.host.memory" not in problems(judge(host(ESX, memory_gib=7.8)))
    assert "esx.vm.memory" in problems(judge(vm(ESX, memory_gib=7.8)))


@pytest.mark.parametrize(("learning", "level"), [(True, "pass"), (False, "fail"), (NO, "unknown")])
def test_mac_learning_serves_instead_of_promiscuous_mode_on_a_distributed_switch(
    learning: Any, level: str
) -> None:
    facts = nic(ESX, promiscuous=False, switch_kind="distributed", mac_learning=learning)
    (finding,) = (f for f in judge(facts).findings if f.id == "esx.nic.promiscuous")
    assert finding.level == level
    standard = nic(ESX, promiscuous=False, switch_kind="standard", mac_learning=True)
    assert problems(judge(standard)) == {"esx.nic.promiscuous": "fail"}


def test_each_nic_is_judged_by_its_own_network() -> None:
    strict = dataclasses.replace(ESX_NIC, label="Network adapter 2", promiscuous=False)
    (finding,) = judge(vm(ESX, nics=(ESX_NIC, strict))).at("fail")
    assert finding.subject == "VM nested-01, Network adapter 2"


def test_the_larger_disk_counts() -> None:
    small = DiskFacts(label="a", size_gib=1.0, bus="scsi")
    large_ide = DiskFacts(label="b", size_gib=64.0, bus="ide")
    assert problems(judge(vm(ESX, disks=(small, large_ide)))) == {"esx.vm.disk-bus": "fail"}


@pytest.mark.parametrize(("is_vm", "level"), [(False, "pass"), (True, "unknown"), (NO, "unknown")])
def test_a_running_hypervisor_proves_what_windows_then_hides(is_vm: Any, level: str) -> None:
    facts = host(
        HV, cpu_slat=False, cpu_hw_virtualization=False, firmware_virtualization=False,
        vm_monitor_mode=False, hypervisor_present=True, is_vm=is_vm,
    )  # fmt: skip
    levels = {f.id: f.level for f in judge(facts).findings}
    hidden = ("slat", "hw-virtualization", "firmware", "vm-monitor-mode")
    assert {levels[f"hyperv.cpu.{name}"] for name in hidden} == {level}


@pytest.mark.parametrize(
    ("vendor", "build", "version", "expected"),
    [
        ("intel", 14393, "8.0", {}),
        ("intel", 17763, "9.0", {}),
        ("intel", 9600, "5.0", {"hyperv.host.build", "hyperv.vm.configuration-version"}),
        ("amd", 17763, "9.0", {"hyperv.host.build", "hyperv.vm.configuration-version"}),
        ("amd", 20348, "9.3", {}),
        ("amd", 20348, "10.0", {}),  # as text, "10.0" < "9.3"
        ("amd", 20348, "9.2", {"hyperv.vm.configuration-version"}),
        ("hygon", 26100, "12.0", {}),  # new enough for anyone
        ("hygon", 9600, "5.0", {"hyperv.host.build", "hyperv.vm.configuration-version"}),
    ],
)
def test_hyperv_asks_each_vendor_for_its_own_versions(
    vendor: str, build: int, version: str, expected: set[str]
) -> None:
    facts = host(vm(HV, configuration_version=version), cpu_vendor=vendor, build=build)
    assert {f.id for f in judge(facts).at("fail")} == set(expected)


def test_between_the_vendors_thresholds_the_vendor_must_be_known() -> None:
    facts = host(vm(HV, configuration_version="9.0"), cpu_vendor=NO, build=17763)
    assert problems(judge(facts)) == {
        "hyperv.host.build": "unknown",
        "hyperv.vm.configuration-version": "unknown",
    }


def test_a_version_that_is_none_is_unknown() -> None:
    assert problems(judge(host(ESX, version="?"))) == {"esx.host.version": "unknown"}
    facts = vm(HV, configuration_version="")
    assert problems(judge(facts)) == {"hyperv.vm.configuration-version": "unknown"}


@pytest.mark.parametrize(
    ("guest", "level"),
    [
        ("Windows Server 2016 Datacenter (10.0.14393)", "pass"),
        ("Windows 11 Pro (10.0.22621)", "pass"),
        ("Windows Server 2012 R2 Datacenter (6.3.9600)", "fail"),
        ("Ubuntu (5.15.0)", "fail"),
        ("Windows Server 2016", "unknown"),
        (NO, "unknown"),
    ],
)
def test_a_guest_that_runs_must_be_windows_of_2016_or_newer(guest: Any, level: str) -> None:
    report = judge(vm(HV, power="on", guest_os=guest))
    (finding,) = (f for f in report.findings if f.id == "hyperv.vm.guest-os")
    assert finding.level == level


def test_nat_inside_the_guest_replaces_spoofing() -> None:
    assert problems(judge(nic(HV, mac_spoofing=False, inner_nat=True))) == {}


def test_a_vm_that_runs_has_its_memory_already() -> None:
    assert problems(judge(vm(HV, memory_gib=48.0, power="on"))) == {}


@pytest.mark.parametrize(("guest", "level"), [("Windows Server 2022", "pass"), (NO, "unknown")])
def test_the_limit_on_vcpus_binds_old_guests_only(guest: Any, level: str) -> None:
    facts = vm(HV, cpu_count=240, guest_os=guest)
    (finding,) = (f for f in judge(facts).findings if f.id == "hyperv.vm.cpu-limit")
    assert finding.level == level


def test_below_the_minimum_the_recommendation_is_silent() -> None:
    report = judge(vm(ESX, memory_gib=4.0, memory_reservation_gib=4.0))
    assert "esx.vm.memory-recommended" not in {finding.id for finding in report.findings}


def test_one_link_that_is_fast_enough_suffices_and_an_unread_one_might_be() -> None:
    assert problems(judge(host(ESX, nics=nics(0, NO, 1000)))) == {}
    assert problems(judge(host(ESX, nics=nics(0, NO)))) == {"esx.host.nic-speed": "unknown"}


def unread(facts: HostFacts) -> HostFacts:
    """The same host with nothing known about it or its VM."""
    bare = VmFacts(identity="52aa", name="nested-01", ref="1")
    return HostFacts(
        identity=facts.identity, platform=facts.platform, name=facts.name, is_practice=False,
        vms=(bare,) if facts.vms else (),
    )  # fmt: skip


@pytest.mark.parametrize("platform", READY)
def test_unknown_never_blocks_is_counted_and_strict_stops(platform: str) -> None:
    report = judge(unread(READY[platform]))
    assert {finding.level for finding in report.findings} == {"unknown"}
    assert report.ok and not report.blocked()
    assert report.unknown == len(report.findings) > 5
    assert report.blocked(strict=True) is (platform != "local")  # local requires nothing
    for finding in report.findings:
        assert finding.measured == "unknown: not read on this platform"
        assert finding.measured_value is None


def test_strict_does_not_stop_for_a_recommendation_that_is_unknown() -> None:
    report = judge(host(ESX, disks=disks(size_gib=64.0, bus="sas", is_raid=NO)))
    assert report.unknown == 1
    assert not report.blocked(strict=True)


FIELDS = [
    (kind, field.name)
    for kind in (HostFacts, CpuFacts, VmFacts, VmNicFacts)
    for field in dataclasses.fields(kind)
    if field.default is not dataclasses.MISSING and field.name not in ("cpu", "vms")
]


@given(st.sampled_from(["esx", "hyperv", "local"]), st.sets(st.sampled_from(FIELDS)))
def test_losing_facts_never_makes_a_report_worse_and_is_pure(
    platform: str, lost: set[tuple[type, str]]
) -> None:
    def lose(item: Any) -> Any:
        names = [name for kind, name in lost if isinstance(item, kind)]
        return dataclasses.replace(item, **dict.fromkeys(names, NO))

    facts = READY[platform]
    vms = tuple(
        lose(
            dataclasses.replace(
                each,
                nics=each.nics if isinstance(each.nics, Unknown) else tuple(map(lose, each.nics)),
            )
        )
        for each in facts.vms
    )
    facts = lose(dataclasses.replace(facts, cpu=lose(facts.cpu), vms=vms))
    report = judge(facts)
    assert set(problems(report).values()) <= {"unknown"}
    assert report.ok
    assert report.findings == judge(facts).findings


def test_findings_keep_the_order_host_then_each_vm_then_its_nics() -> None:
    second = dataclasses.replace(ESX_VM, name="nested-02", identity="52bb")
    subjects = [f.subject for f in judge(dataclasses.replace(ESX, vms=(ESX_VM, second))).findings]
    assert list(dict.fromkeys(subjects)) == [
        "host esx01",
        "VM nested-01",
        "VM nested-01, Network adapter 1",
        "VM nested-02",
        "VM nested-02, Network adapter 1",
    ]
    assert subjects == sorted(subjects, key=list(dict.fromkeys(subjects)).index)


def test_a_local_machine_is_judged_by_the_guides_hardware_rows() -> None:
    report = judge(LOCAL, as_platform="esx")
    assert {finding.id for finding in report.findings} == {
        "esx.cpu.64bit", "esx.cpu.hw-virtualization", "esx.cpu.slat", "esx.cpu.nx",
        "esx.host.memory", "esx.host.memory-recommended", "esx.host.disk", "esx.host.disk-bus",
        "esx.host.raid", "esx.host.nic", "esx.host.nic-speed",
    }  # fmt: skip
    assert report.judged_as == "esx"
    assert "judged as esx" in str(report)
    hyperv = {finding.id for finding in judge(LOCAL, as_platform="hyperv").findings}
    assert {"hyperv.cpu.slat", "hyperv.host.memory", "hyperv.host.disk-ssd"} <= hyperv
    assert not any(id_.startswith("hyperv.vm") or "build" in id_ for id_ in hyperv)


@pytest.mark.parametrize("as_platform", ["hyperv", "local", "kvm"])
def test_a_real_host_is_not_judged_as_another_platform(as_platform: Any) -> None:
    with pytest.raises(PlanError, match="cannot be judged as") as caught:
        judge(ESX, as_platform=as_platform)
    assert caught.value.remedy


def test_the_json_shape_is_the_pinned_one() -> None:
    data = json.loads(preflight.dumps(judge(vm(ESX, memory_gib=4.0, tools=NO, power=NO))))
    assert list(data) == ["schema", "ok", "unknown", "findings"]
    assert (data["schema"], data["ok"], data["unknown"]) == (1, False, 1)
    for finding in data["findings"]:
        assert list(finding) == [
            "id", "strength", "level", "subject", "measured", "required", "measured_value",
            "required_value", "unit", "why", "remedy", "source",
        ]  # fmt: skip
        assert finding["strength"] in ("required", "recommended", "note")
        assert finding["level"] in ("pass", "note", "warn", "fail", "unknown")
    (low,) = (f for f in data["findings"] if f["id"] == "esx.vm.memory")
    assert (low["measured_value"], low["required_value"], low["unit"]) == (4.0, 8, "GiB")


def test_the_frame_has_the_same_columns_and_rows() -> None:
    report = judge(ESX)
    frame = report.to_frame()
    assert list(frame.columns) == list(report.to_json()["findings"][0])
    assert list(frame["id"]) == [finding.id for finding in report.findings]
    assert len(judge(dataclasses.replace(ESX, vms=())).to_frame()) < len(frame)


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


NAMES = ["'; Stop-VM *; '", "$(x)", "`", "%2f", "a\nb", "</script><img onerror=x>",
         "Müller 日本", "’", "\x1b[31m", "\udc80", "&lt;b&gt;", '" onmouseover="x']  # fmt: skip


@given(st.one_of(st.sampled_from(NAMES), st.text(min_size=1)))
@example("</td></table><script>alert(1)</script>")
def test_names_are_text_in_html_and_cannot_break_lines_of_a_terminal(name: str) -> None:
    facts = dataclasses.replace(vm(ESX, name=name, memory_gib=4.0), name=name)
    report = judge(facts)
    clean = judge(dataclasses.replace(vm(ESX, memory_gib=4.0), name="esx01"))
    page, reference = Page(report._repr_html_()), Page(clean._repr_html_())
    assert page.tags == reference.tags
    assert page.attributes == reference.attributes
    shown = str(report)
    assert len(shown.splitlines()) == len(str(clean).splitlines())
    assert not any(ord(char) < 32 and char != "\n" for char in shown)
    shown.encode("utf-8")
    report._repr_html_().encode("utf-8")
    json.dumps(report.to_json())


def test_the_html_is_an_accessible_table_and_never_colour_alone() -> None:
    html = judge(vm(ESX, memory_gib=4.0))._repr_html_()
    page = Page(html)
    assert page.tags.count("caption") == page.tags.count("table") == 2
    scopes = {value for name, value in page.attributes if name == "scope"}
    assert scopes == {"col", "row"}
    assert "fail" in page.text and "pass" in page.text and "✗" in page.text
    assert "<script" not in html and "http" not in html


def test_the_terminal_shows_what_blocks_first_with_its_remedy() -> None:
    lines = str(judge(vm(ESX, memory_gib=4.0, hardware_version=19))).splitlines()
    assert lines[0].startswith("esx01 (esx): blocked by 1 (1 fail, 1 note")
    assert lines[2:6] == [
        "Failed:",
        "  ✗ VM nested-01: Memory of the nested host: 4 GiB",
        "      needed: at least 8 GiB",
        "      → With the VM powered off, give it at least 8 GiB.",
    ]
    assert repr(judge(ESX)) == str(judge(ESX))
    assert lines.index("Failed:") < lines.index("Notes:") < lines.index("Passed:")


def test_a_practice_host_is_called_one_wherever_it_is_shown() -> None:
    report = judge(dataclasses.replace(ESX, is_practice=True))
    assert "no proof for a real one" in str(report)
    assert "no proof for a real one" in report._repr_html_()
    assert "proof" not in judge(ESX)._repr_html_()


def test_a_host_with_many_vms_lists_what_passed_by_vm() -> None:
    many = tuple(dataclasses.replace(ESX_VM, name=f"vm-{n:03}") for n in range(200))
    report = judge(dataclasses.replace(ESX, vms=many))
    assert "  ✓ VM vm-007: 16 met" in str(report).splitlines()
    assert len(str(report).splitlines()) < 500
    assert len(report._repr_html_()) < 400_000
