"""Two VMs of one name: told apart wherever they are named, and planned for by Id alone."""

from __future__ import annotations

import json

import pytest
from played_hyperv import played_host

import nestkit as nk
from nestkit.errors import Ambiguous
from nestkit.hosts.base import Host

TWIN = "nested-hv-01"
EXTENSIONS = "hyperv.vm.nested-hv"


@pytest.fixture
def host() -> Host:
    return played_host("duplicate-names")


@pytest.fixture
def ids(host: Host) -> list[str]:
    return sorted(vm.identity for vm in host.read().vms if vm.name == TWIN)


def named(one: str) -> str:
    return f"VM {TWIN} ({one})"


def test_each_twins_findings_carry_its_id_and_others_only_their_name(
    host: Host, ids: list[str]
) -> None:
    report = nk.preflight.check(host)
    subjects = {f.subject.partition(",")[0] for f in report.findings}
    assert {s for s in subjects if TWIN in s} == {named(one) for one in ids}
    assert "VM nested-hv-02" in subjects
    of_nics = {f.subject for f in report.findings if TWIN in f.subject and "," in f.subject}
    assert of_nics == {f"{named(one)}, Network Adapter" for one in ids}
    written = json.loads(nk.preflight.dumps(report))["findings"]
    assert [f["subject"] for f in written] == [f.subject for f in report.findings]
    for text in (str(report), report._repr_html_()):
        assert all(named(one) in text for one in ids)


def test_a_fleet_report_tells_the_twins_apart_as_well(host: Host, ids: list[str]) -> None:
    report = nk.preflight.fleet(host)
    failed = {f.subject for f in report.findings("fail") if f.id == EXTENSIONS}
    assert {named(one) for one in ids} <= failed
    frame = report.to_frame("fail").query(f"vm == '{TWIN}' and id == '{EXTENSIONS}'")
    assert sorted(frame["uuid"]) == ids


def test_a_plan_by_name_is_ambiguous_and_by_id_changes_that_vm_alone(
    host: Host, ids: list[str]
) -> None:
    for ask in (nk.preflight.check, nk.configure.plan):
        with pytest.raises(Ambiguous) as caught:
            ask(host, vm=TWIN)
        assert all(one in caught.value.message for one in ids)
        assert "Id" in caught.value.remedy
    plan = nk.configure.plan(host, vm=ids[1].upper(), goal=nk.NestedGoal(start=False))
    assert plan.vm.id == ids[1]
    done = nk.configure.apply(plan, host)
    exposed = {vm.identity: vm.nested_hv for vm in host.read().vms if vm.name == TWIN}
    assert exposed == {ids[0]: False, ids[1]: True}
    nk.configure.rollback(done.journal, host)
    assert host.read(ids[1]).vms[0].nested_hv is False
