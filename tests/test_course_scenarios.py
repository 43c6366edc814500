"""Lesson 07: the planner's sums by hand, what it refuses, and what its exercises accept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nestkit as nk
from nestkit.course import scenarios_rules
from nestkit.course.scenarios import Scenario
from nestkit.course.scenarios_cost import cost_of
from nestkit.errors import CourseError

CLASS = {"cores": 32, "memory_gib": 128, "disk_gib": 4000}
CLUSTER = {"cores": 24, "memory_gib": 112, "disk_gib": 2000}
MACHINES = {
    "S": {"cores": 16, "memory_gib": 96, "disk_gib": 1000},
    "M": {"cores": 16, "memory_gib": 128, "disk_gib": 2000},
    "L": {"cores": 32, "memory_gib": 256, "disk_gib": 4000},
}
AS_IN_PRODUCTION = {"hosts": 4, "vms": 4, "vm_cpus": 2, "vm_memory_gib": 4.0}


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Each test has a record of its own."""


# -- the planner ----------------------------------------------------------------------------------


def by_name(scenario: Scenario) -> dict[str, tuple[float, float, int]]:
    return {n.resource: (n.needed, n.there, n.hosts) for n in scenario.needs}


def test_three_nested_esxi_as_one_would_count_by_hand() -> None:
    found = Scenario(hosts=3, vms=2, vm_cpus=1, vm_memory_gib=4, vm_disk_gib=20)
    # ESXi: 2 vCPU, 8 GiB, 32 GiB of disk at least; the outer one keeps 8 and 29.8 GiB
    assert by_name(found) == {
        "vCPU": (6, 32, 16),
        "memory": (8 + 3 * 16, 128, 7),
        "disk": (29.8 + 3 * 72, 2000, 27),
    }
    assert found.fits
    assert found.binds == "memory"
    assert found.hosts_that_fit == 7
    assert replace(found, hosts=7).fits
    assert not replace(found, hosts=8).fits


def test_hyper_v_needs_less_memory_and_a_windows_disk() -> None:
    found = Scenario(outer="hyperv", nested="hyperv", hosts=2, vms=1, vm_memory_gib=2)
    assert by_name(found)["memory"][0] == 4 + 2 * (4 + 2)
    assert by_name(found)["disk"][0] == 32 + 2 * (32 + 20)
    assert any("below the 8 recommended" in note for note in found.notes)


def test_a_nested_host_without_vms_still_takes_its_minimum() -> None:
    assert Scenario(vms=0).host_size() == (2, 8, 32)


def test_cpu_binds_where_cores_are_few_and_the_ratio_is_stated() -> None:
    found = Scenario(cores=4, hosts=4, vms=4, vm_cpus=2, memory_gib=1000, vcpus_per_core=1.0)
    assert by_name(found)["vCPU"] == (32, 4, 0)
    assert found.binds == "vCPU"
    assert "4 cores × 1 vCPU each" in str(found)
    assert any("would wait for each other" in note for note in found.notes)
    assert replace(found, vcpus_per_core=8.0).fits


def test_disk_binds_where_it_is_small() -> None:
    found = Scenario(disk_gib=200)
    assert found.binds == "disk"
    assert not found.fits
    assert found.hosts_that_fit == 2


def test_a_host_that_may_fail_makes_the_others_larger() -> None:
    found = Scenario(hosts=3, vms=4, vm_memory_gib=4, spare_hosts=1)
    assert found.vms_when_failed(3) == 6
    assert by_name(found)["memory"][0] == 8 + 3 * (8 + 6 * 4)


def test_the_third_layer_is_made_of_hosts_and_is_called_a_cliff() -> None:
    two, three = Scenario(), Scenario(layers=3)
    assert three.host_size() == (2 * 2, 8 + 2 * (8 + 4), 32 + 2 * (32 + 20))
    assert any("cliff" in note for note in three.notes)
    assert not any("cliff" in note for note in two.notes)
    assert three.cost.ratio > two.cost.ratio


def test_esxi_in_hyper_v_never_fits_and_says_why() -> None:
    found = Scenario(outer="hyperv", nested="esx", memory_gib=1000)
    assert all(need.fits for need in found.needs)
    assert not found.fits
    assert "unreliable" in str(found)
    assert "purple screen" in str(found)


def test_minimums_come_from_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tuple(
        replace(rule, value=10) if rule.id == "esx.vm.memory" else rule
        for rule in scenarios_rules.rules("esx")
    )
    monkeypatch.setattr(scenarios_rules, "rules", lambda _platform: changed)
    assert Scenario(vms=0).host_size() == (2, 10, 32)


@settings(max_examples=30)
@given(
    spare=st.integers(0, 3), vms=st.integers(0, 7), memory=st.integers(4, 400),
    cores=st.integers(1, 40), disk=st.integers(30, 3000),
)  # fmt: skip
def test_the_most_hosts_are_those_that_trying_finds(
    spare: int, vms: int, memory: int, cores: int, disk: int
) -> None:
    def of(hosts: int) -> Scenario:
        return Scenario(hosts=hosts, spare_hosts=spare, vms=vms, memory_gib=memory, cores=cores,
                        disk_gib=disk)  # fmt: skip

    fitting = [n for n in range(spare + 1, 80) if of(n).fits]
    found = of(spare + 1)
    # each resource alone may bear fewer and more hosts, so the least of them bounds the rest
    assert max(fitting, default=0) <= found.hosts_that_fit
    assert all(n <= found.hosts_that_fit for n in fitting)
    if found.hosts_that_fit and spare == 0:
        assert of(found.hosts_that_fit).fits


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"hosts": 0}, "use 1 to 1000"),
        ({"hosts": -1}, "use 1 to 1000"),
        ({"hosts": 2.5}, "no whole number"),
        ({"hosts": "3"}, "no whole number"),
        ({"hosts": True}, "no whole number"),
        ({"vm_memory_gib": math.nan}, "use 0.0625"),
        ({"vm_memory_gib": math.inf}, "use 0.0625"),
        ({"vcpus_per_core": 0}, "use 0.25"),
        ({"layers": 4}, "use 2 to 3"),
        ({"layers": 1}, "use 2 to 3"),
        ({"outer": "kvm"}, "“esx” or “hyperv”"),
        ({"nested": []}, "“esx” or “hyperv”"),
        ({"spare_hosts": 3}, "none would be left"),
        ({"exit_pct": 60, "disk_pct": 60}, "120 % of the time"),
        ({"run": "lab"}, "no run"),
        ({"memory_gib": 10**9}, "use 1 to"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_remedy(given_: dict[str, Any], words: str) -> None:
    with pytest.raises(CourseError) as caught:
        Scenario(**given_)
    assert words in str(caught.value)
    assert caught.value.remedy


def test_a_scenario_cannot_be_changed_behind_a_check_s_back() -> None:
    with pytest.raises(FrozenInstanceError):
        Scenario().memory_gib = 4096  # type: ignore[misc]
    with pytest.raises(CourseError):
        replace(Scenario(), hosts=0)


# -- what it costs --------------------------------------------------------------------------------


def test_the_cost_is_the_shares_times_the_slowdowns_of_the_run() -> None:
    run = nk.course.recorded_run()
    slow = {e.workload: e for e in nk.benchmark.effects.compare(run) if e.layer == "L2"}
    found = cost_of({"arithmetic": 90, "exit": 0, "disk-read": 10}, 2)
    assert found.ratio == pytest.approx(
        0.9 * slow["arithmetic"].ratio + 0.1 * slow["disk-read"].ratio
    )
    assert found.low < found.ratio < found.high
    assert found.emulated
    assert [name for name, _, _ in found.parts] == ["arithmetic", "disk-read"]
    assert "recorded run, emulated" in str(found)


def test_the_cost_alone_is_a_box_of_words_that_wrap() -> None:
    cost = Scenario(layers=3).cost
    shown = cost._repr_html_()
    assert 'role="status"' in shown
    assert str(cost).split(";")[0] in shown
    assert shown in Scenario(layers=3)._repr_html_()


def test_a_run_that_cannot_tell_is_said_to_be_unable() -> None:
    run = nk.course.recorded_run()
    assert Scenario(layers=3, run=run).cost.ratio is None
    assert "L0, L1, L2 only" in str(Scenario(layers=3, run=run))
    without = replace(run, workloads=("arithmetic",))
    assert "no slowdown of exits" in str(Scenario(run=without).cost)
    assert Scenario(run=without, exit_pct=0, disk_pct=0).cost.ratio is not None


# -- how it shows itself --------------------------------------------------------------------------


def test_it_shows_a_table_a_picture_with_words_and_a_frame() -> None:
    found = Scenario(hosts=8)
    html = found._repr_html_()
    for piece in ("does not fit", "<caption", "<img alt=", "memory", "static"):
        assert piece in html
    assert "memory 106 % (136 of 128 GiB)" in found.chart().alt
    frame = found.to_frame()
    assert list(frame["resource"]) == ["vCPU", "memory", "disk"]
    assert list(frame["fits"]) == [True, False, True]
    assert repr(found) == "<Scenario hosts=8: does not fit>"
    assert repr(Scenario()) == "<Scenario: fits>"


def test_the_form_makes_the_call_it_shows() -> None:
    form = nk.course.scenario_form()
    form.fields["hosts"].value = 9
    form.fields["vm_memory_gib"].value = 2.5
    form.run()
    assert form.state == "done", form.error
    assert eval(form.code, {"nk": nk}) == form.result
    assert form.result == Scenario(hosts=9, vm_memory_gib=2.5)
    form.fields["hosts"].value = 0
    form.run()
    assert form.state == "failed"
    assert "use 1 to 1000" in form.static_html()


# -- the exercises that are designs ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "design"),
    [
        ("07.training", {**CLASS, "hosts": 8, "vm_memory_gib": 3}),
        ("07.training", {**CLASS, "hosts": 10, "vm_memory_gib": 2}),
        ("07.training", {**CLASS, "hosts": 8, "nested": "hyperv"}),
        ("07.testing", {**MACHINES["M"], **AS_IN_PRODUCTION}),
        ("07.cluster", {**CLUSTER, "hosts": 3, "vms": 4, "spare_hosts": 1}),
        ("07.cluster", {**CLUSTER, "hosts": 4, "vms": 3, "spare_hosts": 1}),
    ],
)
def test_every_design_within_the_limits_passes(item: str, design: dict[str, Any]) -> None:
    verdict = nk.course.check(item, Scenario(**design))
    assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("item", "design", "words"),
    [
        ("07.training", {**CLASS, "hosts": 8}, "memory: 136 GiB needed, 128 there"),
        ("07.training", {**CLASS, "hosts": 6}, "hosts is 6: at least 8"),
        ("07.training", {**CLASS, "memory_gib": 256, "hosts": 8}, "cannot be changed"),
        ("07.training", {**CLASS, "hosts": 8, "vm_memory_gib": 1}, "vm_memory_gib is 1"),
        ("07.training", {**CLASS, "hosts": 8, "vms": 1}, "vms is 1"),
        ("07.training", {**CLASS, "outer": "hyperv", "hosts": 8, "vm_memory_gib": 2},
         "unreliable"),
        ("07.testing", {**MACHINES["S"], **AS_IN_PRODUCTION}, "does not fit on S"),
        ("07.testing", {**MACHINES["L"], **AS_IN_PRODUCTION}, "a cheaper one"),
        ("07.testing", {**MACHINES["L"], **AS_IN_PRODUCTION, "vcpus_per_core": 1.0},
         "a cheaper one"),
        ("07.testing", {**MACHINES["L"], **AS_IN_PRODUCTION, "vm_disk_gib": 150.0},
         "a cheaper one"),
        ("07.testing", {**MACHINES["M"], **AS_IN_PRODUCTION, "cores": 17}, "not on offer"),
        ("07.testing", {**MACHINES["M"], **AS_IN_PRODUCTION, "vm_cpus": 1}, "vm_cpus is 1"),
        ("07.testing", {**MACHINES["M"], **AS_IN_PRODUCTION, "nested": "hyperv"}, "for ESXi"),
        ("07.testing", {**MACHINES["S"], **AS_IN_PRODUCTION, "vcpus_per_core": 8.0}, "at most 2"),
        ("07.cluster", {**CLUSTER, "hosts": 3, "vms": 4}, "spare_hosts is 0"),
        ("07.cluster", {**CLUSTER, "hosts": 3, "vms": 2, "spare_hosts": 1}, "12 are to be kept"),
        ("07.cluster", {**CLUSTER, "hosts": 2, "vms": 6, "spare_hosts": 1}, "memory: 120 GiB"),
    ],
)  # fmt: skip
def test_a_design_that_will_not_do_gets_a_hint(
    item: str, design: dict[str, Any], words: str
) -> None:
    verdict = nk.course.check(item, Scenario(**design))
    assert verdict.status == "not right"
    assert words in str(verdict)


@pytest.mark.parametrize("item", ["07.training", "07.testing", "07.cluster"])
def test_no_design_is_not_done_and_another_thing_not_right(item: str) -> None:
    assert nk.course.check(item, ...).status == "not done yet"
    for wrong in (None, {"hosts": 8}, "fits", Scenario):
        verdict = nk.course.check(item, wrong)
        assert verdict.status == "not right"
        assert verdict.hints


# -- the pipeline ---------------------------------------------------------------------------------


def built(host: Any, **more: Any) -> Any:
    goal = nk.CreateGoal(name="ci-nested", networks=("Nested Lab A",), **more)
    return nk.configure.apply(nk.configure.plan_new(host, goal), host)


def with_finally(host: Any, test: Callable[..., None]) -> None:
    done = built(host)
    try:
        test(host, "ci-nested")
    finally:
        nk.configure.rollback(done.journal, host)


def with_a_result(host: Any, test: Callable[..., None]) -> bool:
    done = built(host)
    passed = True
    try:
        test(host, "ci-nested")
    except Exception:
        passed = False
    nk.configure.rollback(done.journal, host)
    return passed


def cleans_up_on_success_only(host: Any, test: Callable[..., None]) -> None:
    done = built(host)
    test(host, "ci-nested")
    nk.configure.rollback(done.journal, host)


def hides_failures(host: Any, test: Callable[..., None]) -> None:
    done = built(host)
    with suppress(Exception):
        test(host, "ci-nested")
    nk.configure.rollback(done.journal, host)


def never_cleans_up(host: Any, test: Callable[..., None]) -> None:
    built(host)
    test(host, "ci-nested")


def takes_another_vm(host: Any, test: Callable[..., None]) -> None:
    test(host, "nested-esxi-02")


def leaves_it_off(host: Any, test: Callable[..., None]) -> None:
    done = built(host, start=False)
    try:
        test(host, "ci-nested")
    finally:
        nk.configure.rollback(done.journal, host)


def as_a_script(host: Any, test: Callable[..., None]) -> None:
    if not with_a_result(host, test):
        raise SystemExit(1)


def mistyped(host: Any, test: Callable[..., None]) -> None:
    done = bilt(host)  # noqa: F821
    test(host, done)


def stumbles(host: Any, test: Callable[..., None]) -> None:
    with_finally(host, test)
    raise RuntimeError("no disk left")


def names_nothing(host: Any, test: Callable[..., None]) -> None:
    done = built(host)
    try:
        test(host)
    finally:
        nk.configure.rollback(done.journal, host)


def hands_over_the_target(host: Any, test: Callable[..., None]) -> None:
    done = built(host)
    try:
        test(host, done.plan.vm)
    finally:
        nk.configure.rollback(done, host)


@pytest.mark.parametrize(
    "answer",
    [
        with_finally,
        pytest.param(with_a_result, marks=pytest.mark.slow),
        pytest.param(as_a_script, marks=pytest.mark.slow),
    ],
)
def test_a_pipeline_that_cleans_up_in_every_case_passes(answer: object) -> None:
    verdict = nk.course.check("07.pipeline", answer)
    assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (..., "not done yet", "..."),
        (lambda host, test: None, "not done yet", "never called"),
        (cleans_up_on_success_only, "not right", "After a test that fails, ci-nested"),
        (never_cleans_up, "not right", "After a test that passes, ci-nested"),
        (hides_failures, "not right", "nobody would notice"),
        (takes_another_vm, "not right", "was there before"),
        pytest.param(leaves_it_off, "not right", "is off", marks=pytest.mark.slow),
        pytest.param(stumbles, "not right", "no disk left", marks=pytest.mark.slow),
        (lambda host: None, "not right", "ended with TypeError"),
        (names_nothing, "not right", "call test(host, name)"),
        (hands_over_the_target, "not right", "called with (EsxHost, Target)"),
        (mistyped, "not right", "Before it called the test, the pipeline ended with NameError"),
        ("pipeline", "not right", "not a function"),
    ],
)
def test_other_pipelines_get_a_hint(answer: object, status: str, words: str) -> None:
    verdict = nk.course.check("07.pipeline", answer)
    assert verdict.status == status
    assert words in str(verdict).replace("“...”", "...").replace("“…”", "...")


# -- the exercises on a host ----------------------------------------------------------------------


@pytest.fixture
def host() -> Iterator[Any]:
    with nk.practice.start("esx") as private:
        yield nk.connect(private.url, password=private.password)


def test_the_path_of_the_firewall(host: Any) -> None:
    vm = "nested-esxi-11"
    plan = nk.configure.plan(host, vm)
    assert nk.course.check("07.path", host, plan=plan).status == "not done yet"
    idle = nk.configure.plan(host, vm, goal=nk.NestedGoal(network="leave"))
    verdict = nk.course.check("07.path", host, plan=idle)
    assert verdict.status == "not right"
    assert "“auto”" in str(verdict)
    nk.configure.apply(plan, host)
    assert nk.course.check("07.path", host, plan=plan).ok


def test_the_standby_takes_over_once_it_is_ready_and_runs(host: Any) -> None:
    vm = "nested-esxi-16"
    assert nk.course.check("07.failover", host, vm).status == "not done yet"
    half = nk.configure.plan(host, vm, goal=nk.NestedGoal(start=False))
    nk.configure.apply(half, host)
    verdict = nk.course.check("07.failover", host, vm)
    assert verdict.status == "not right"
    assert "is off" in str(verdict)
    nk.configure.apply(nk.configure.plan(host, vm), host)
    assert nk.course.check("07.failover", host, vm).ok
    assert nk.course.check("07.failover", host, "nested-esxi-01").status == "not right"


def test_restore_looks_at_the_host_and_accepts_either_way(host: Any) -> None:
    vm = "nested-esxi-02"
    assert nk.course.check("07.restore", host, done=None).status == "not done yet"
    plan = nk.configure.plan(host, vm, goal=nk.NestedGoal(cpu_count=2, memory_gib=8))
    done = nk.configure.apply(plan, host)
    assert nk.course.check("07.restore", host, done=done).status == "not done yet"
    half = nk.NestedGoal(cpu_count=4, memory_gib=8)
    nk.configure.apply(nk.configure.plan(host, vm, goal=half), host)
    verdict = nk.course.check("07.restore", host, done=done)
    assert verdict.status == "not right"
    assert "memory" in str(verdict)
    by_hand = nk.NestedGoal(cpu_count=4, memory_gib=16)
    nk.configure.apply(nk.configure.plan(host, vm, goal=by_hand), host)
    assert nk.course.check("07.restore", host, done=done).ok


def test_a_damage_that_was_there_before_is_not_taken_for_restored(host: Any) -> None:
    goal = nk.NestedGoal(cpu_count=2, memory_gib=8)
    for _ in range(2):  # the second time after the kernel was restarted
        done = nk.configure.apply(nk.configure.plan(host, "nested-esxi-02", goal=goal), host)
    verdict = nk.course.check("07.restore", host, done=done)
    assert verdict.status == "not done yet"
    assert "reset" in verdict.hints[0]


def test_restore_by_the_journal(host: Any) -> None:
    goal = nk.NestedGoal(cpu_count=2, memory_gib=8)
    done = nk.configure.apply(nk.configure.plan(host, "nested-esxi-02", goal=goal), host)
    nk.configure.rollback(done.journal, host)
    assert nk.course.check("07.restore", host, done=done).ok
