"""All VMs of a vCenter or host at once: the same verdicts as one by one, and nothing lost."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nestkit as nk
from nestkit.errors import ConnectionFailed, PlanError
from nestkit.facts import (
    NOT_IN_FLEET,
    CpuFacts,
    DiskFacts,
    HostFacts,
    Unknown,
    VmFacts,
    VmNicFacts,
)
from nestkit.hosts import esx_fleet
from nestkit.hosts.base import FleetPage, Unread
from nestkit.preflight import FleetReport, evaluate, fleet
from nestkit.preflight.columns import Sheet
from nestkit.requirements import rules
from nestkit.requirements.judging import CHECKS, READS


@pytest.fixture(scope="module")
def vcenter() -> Iterator[Any]:
    with nk.practice.start("vpx", vms=60) as practice:
        host = nk.connect(practice.url, password=practice.password)
        yield host
        host.close()


@pytest.fixture(scope="module")
def report(vcenter: Any) -> FleetReport:
    return fleet(vcenter)


def test_each_fault_of_the_inventory_is_found_and_only_those(report: FleetReport) -> None:
    found = {
        (finding.subject.partition(",")[0].removeprefix("VM "), finding.id)
        for finding in report.findings("fail", "warn")
        if "VM nested-esxi-" in finding.subject
    }
    assert found == {
        ("nested-esxi-01", "esx.vm.nested-hv"),
        ("nested-esxi-04", "esx.vm.hardware-version"),
        ("nested-esxi-05", "esx.vm.memory"),
        ("nested-esxi-06", "esx.vm.memory-recommended"),
        ("nested-esxi-07", "esx.vm.cpu-count"),
        ("nested-esxi-08", "esx.vm.memory-reserved"),
        ("nested-esxi-10", "esx.nic.promiscuous"),
        ("nested-esxi-10", "esx.nic.forged-transmits"),
        ("nested-esxi-11", "esx.nic.forged-transmits"),
        ("nested-esxi-12", "esx.nic.promiscuous"),
        ("nested-esxi-12", "esx.nic.forged-transmits"),
        ("nested-esxi-13", "esx.nic.promiscuous"),
        ("nested-esxi-13", "esx.nic.forged-transmits"),
        *((f"nested-esxi-{n}", "esx.vm.nested-hv") for n in (14, 15, 16, 18, 19)),
    }
    assert [f.subject for f in report.host_findings if f.level == "fail"] == [
        "host esx-03.lab.example"
    ]
    assert any("esx-04.lab.example is disconnected" in note for note in report.notes)
    assert any(each.name == "nested-esxi-17" for each in report.unread)
    assert any("template" in note for note in report.notes)
    (alone,) = [note for note in report.notes if "Enhanced Linked Mode" in note]
    assert "its own address" in alone and alone in str(report)


def test_what_takes_devices_is_said_to_be_left_to_one_named_vm(
    report: FleetReport, vcenter: Any
) -> None:
    ids = {rule.id for rule in report.left_out}
    assert {"esx.vm.disk", "esx.vm.nic-speed", "esx.vm.passthrough"} <= ids
    assert "nestkit preflight URL --vm NAME" in str(report)
    found = {f.id for f in nk.preflight.check(vcenter, "nested-esxi-09").at("fail")}
    assert found == {"esx.vm.disk"}
    with pytest.raises(PlanError, match="many hosts"):
        nk.preflight.check(vcenter)


def test_the_frame_the_summary_and_the_document_agree(report: FleetReport) -> None:
    frame, summary = report.to_frame(), report.summary()
    assert list(frame.columns[:3]) == ["host", "vm", "uuid"]
    for level in ("fail", "warn", "unknown", "note"):
        assert (frame.level == level).sum() == summary[level].sum()
    text = io.StringIO()
    report.write_json(text)
    data = json.loads(text.getvalue())
    assert data["schema"] == 1 and data["ok"] is False and data["unknown"] == report.unknown
    levels = Counter(finding["level"] for finding in data["findings"])
    assert levels == Counter({k: v for k, v in report.counts.items() if v})
    assert set(data["findings"][0]) == {
        "id", "strength", "level", "subject", "measured", "required", "measured_value",
        "required_value", "unit", "why", "remedy", "source",
    }  # fmt: skip
    assert data["vms"] == report.vm_count and len(data["unread"]) == len(report.unread)


def test_the_page_can_be_filtered_and_holds_no_markup_of_names(
    report: FleetReport, tmp_path: Any
) -> None:
    html = report.save_html(tmp_path / "fleet.html").read_text("utf-8")
    assert html.startswith("<!doctype html>") and '<html lang="en">' in html
    assert 'type="search"' in html and "<select" in html and "<caption" in html
    vm = replace(report.sheet.vms[0], name="</script><img onerror=x>", cpu_count=1)
    hostile = report_of([FleetPage([vm], [0], [Unread("<b>", "<i>")])])
    for text in (hostile._repr_html_(), hostile.save_html(tmp_path / "x.html").read_text("utf-8")):
        assert "<img" not in text and "<b>" not in text and "<i>" not in text
        assert "&lt;img onerror=x&gt;" in text


class Scripted:
    """A host whose fleet comes page by page as given; an exception among them is raised."""

    platform, is_practice, identity = "esx", False, "1"

    def __init__(self, pages: list[Any], hosts: list[HostFacts] | None = None) -> None:
        self.name, self.notes, self._pages = "scripted", (), pages
        self.hosts = hosts or [HostFacts(identity="1", platform="esx", name="h", is_practice=False)]

    def fleet(self) -> Scripted:
        return self

    def pages(self) -> Iterator[FleetPage]:
        for page in self._pages:
            if isinstance(page, Exception):
                raise page
            yield page


def report_of(pages: list[Any], **options: Any) -> FleetReport:
    return fleet(Scripted(pages), **options)  # type: ignore[arg-type]


def vm(number: int = 1, **changes: Any) -> VmFacts:
    return VmFacts(identity=str(number), name=f"vm-{number}", ref=str(number), **changes)


def test_a_connection_lost_on_the_way_keeps_what_was_read() -> None:
    lost = ConnectionFailed("the connection was lost", remedy="connect again")
    report = report_of([FleetPage([vm(1)], [0], []), lost])
    assert report.vm_count == 1 and not report.complete
    assert "the connection was lost" in str(report) and "lost" in report.head()["stopped"]
    with pytest.raises(ConnectionFailed):
        report_of([lost])


def test_it_can_be_stopped_between_pages_and_tells_how_far_it_is() -> None:
    cancel, told = threading.Event(), []

    def progress(message: str, done: int) -> None:
        told.append((message, done))
        if message == "VMs read":
            cancel.set()

    pages = [FleetPage([vm(1)], [0], []), FleetPage([vm(2)], [0], [])]
    report = report_of(pages, progress=progress, cancel=cancel)
    assert report.vm_count == 1 and report.stopped == "stopped on request"
    assert told == [("hosts read", 1), ("VMs read", 1)]


def test_an_empty_fleet_is_no_error() -> None:
    report = report_of([])
    assert report.vm_count == 0 and report.complete
    assert len(report.to_frame()) == 0 and "0 VMs" in str(report) and report._repr_html_()


def test_unreadable_vms_are_reported_and_block_only_when_strict() -> None:
    healthy = FleetPage([], [], [Unread("hidden", "the user may not read it")])
    report = fleet(Scripted([healthy], hosts=[]))  # type: ignore[arg-type]
    assert not report.blocked() and report.blocked(strict=True)
    assert "hidden: the user may not read it" in str(report)


def test_a_user_who_may_not_read_some_vms_still_gets_the_rest() -> None:
    with nk.practice.start("vpx", profile="unreadable") as practice:
        host = nk.connect(practice.url, password=practice.password)
        report = fleet(host)
        host.close()
    assert len([each for each in report.unread if "may not" in each.reason]) == 3
    assert report.vm_count > 10


def test_a_host_of_another_kind_is_a_fleet_too() -> None:
    class Plain:
        platform, is_practice, identity = "hyperv", True, "1"

        def read(self, name: str | None = None) -> HostFacts:
            return HostFacts(
                identity="1", platform="hyperv", name="hv", is_practice=True,
                vms=(vm(1, dynamic_memory=True), vm(2, dynamic_memory=False)),
            )  # fmt: skip

    report = fleet(Plain())  # type: ignore[arg-type]
    assert report.by_rule["hyperv.vm.static-memory"] == Counter({"fail": 1, "pass": 1})


# --- the columns say what the rules say one by one -----------------------------------------

maybe = st.sampled_from([Unknown("hidden"), Unknown("gone")])


def fact(*values: Any) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), maybe)


nics = st.builds(
    VmNicFacts, label=st.sampled_from(["a", "b"]), key=st.just("4000"),
    link_mbps=fact(10, 1000), switch_kind=fact("standard", "distributed"),
    promiscuous=fact(True, False), forged_transmits=fact(True, False),
    mac_learning=fact(True, False), mac_spoofing=fact(True, False), inner_nat=fact(True, False),
)  # fmt: skip
disks = st.builds(DiskFacts, label=st.just("d"), size_gib=fact(16.0, 64.0), bus=fact("scsi", "ide"))
vms = st.builds(
    VmFacts, identity=st.text(max_size=3), name=st.text(max_size=3), ref=st.just("1"),
    power=fact("on", "off"), cpu_count=fact(1, 2, 300), memory_gib=fact(4.0, 12.0, 16.0),
    memory_reservation_gib=fact(0.0, 16.0), nested_hv=fact(True, False),
    hardware_version=fact(8, 19, 20), configuration_version=fact("8.0", "10.0", "?"),
    dynamic_memory=fact(True, False), guest_os=fact("Windows Server 2019", "Debian"),
    tools=fact("running", "not installed"), legacy_nesting_keys=fact((), ("vhv.enable",)),
    snapshot_count=fact(0, 2), has_saved_state=fact(True, False), is_template=st.just(False),
    fault_tolerance=fact(True, False), passthrough_devices=fact((), ("x",)),
    disks=st.one_of(st.lists(disks, max_size=2).map(tuple), maybe),
    nics=st.one_of(st.lists(nics, max_size=2).map(tuple), maybe),
)  # fmt: skip
hosts = st.builds(
    HostFacts, identity=st.just("1"), platform=st.just("esx"), name=st.text(max_size=3),
    is_practice=st.just(False), cpu=st.builds(CpuFacts, vendor=fact("intel", "amd")),
    free_memory_gib=fact(1.0, 64.0), nested_hv_supported=fact(True, False),
)  # fmt: skip


@pytest.mark.parametrize("platform", ["esx", "hyperv"])
@given(st.lists(hosts, min_size=1, max_size=2), st.lists(vms, max_size=8), st.data())
@settings(max_examples=60)
def test_columns_agree_with_rules_judged_one_by_one(
    platform: Any, some: list[HostFacts], many: list[VmFacts], data: Any
) -> None:
    # one by one nobody sees that a name repeats, which a sheet says by an Id
    many = [replace(vm, name=f"{n} {vm.name}") for n, vm in enumerate(many)]
    where = [data.draw(st.integers(0, len(some) - 1)) for _ in many]
    sheet = Sheet(rules(platform))
    cut = data.draw(st.integers(0, len(many)))
    sheet.add(some, many[:cut], where[:cut])
    sheet.add(some, many[cut:], where[cut:])
    levels = frozenset({"pass", "note", "warn", "fail", "unknown"})
    expected = [
        finding
        for number, each in enumerate(many)
        for finding in evaluate(replace(some[where[number]], vms=(each,)), rules(platform))
        if finding.subject.startswith("VM ")
    ]
    assert [finding for _, finding in sheet.findings(levels)] == expected  # type: ignore[arg-type]
    counted = Counter((f.id, f.level) for f in expected)
    assert {
        (rule, level): n for rule, each in sheet.counts().items() for level, n in each.items() if n
    } == dict(counted)


def test_every_check_that_reads_more_says_so() -> None:
    assert set(READS) <= set(CHECKS)
    assert {path.partition(".")[0] for paths in READS.values() for path in paths} == {
        "host", "vm", "nic",
    }  # fmt: skip


def test_the_fleet_reads_leaves_and_networks_alone() -> None:
    assert "config.hardware.device" not in esx_fleet.FLEET_PATHS
    assert "config" not in esx_fleet.FLEET_PATHS and "summary" not in esx_fleet.FLEET_PATHS
    assert NOT_IN_FLEET.reason in str(Unknown(NOT_IN_FLEET.reason))
