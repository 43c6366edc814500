"""Checks look at the system: the right way passes, any right way, and wrong ones get a hint."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import nestkit as nk
from nestkit.course import checks, hosts, naming, progress, readiness, ready
from nestkit.course.checks import check
from nestkit.errors import CourseError, HostRefused, NestkitError
from nestkit.hosts.base import Host

VM = "nested-esxi-16"  # hardware virtualization not exposed, powered off
FAULTS = {
    "nested-esxi-01": "esx.vm.nested-hv",
    "nested-esxi-03": "esx.vm.hardware-version",
    "nested-esxi-04": "esx.vm.memory",
    "nested-esxi-06": "esx.vm.cpu-count",
    "nested-esxi-08": "esx.vm.disk",
    "nested-esxi-09": "esx.vm.disk-bus",
    "nested-esxi-10": "esx.vm.nic",
    "nested-esxi-11": "esx.nic.promiscuous",
    "nested-esxi-12": "esx.nic.forged-transmits",
    "nested-esxi-13": "esx.vm.nic-speed",
    "nested-esxi-15": "esx.vm.nested-hv",
    "nested-esxi-16": "esx.vm.nested-hv",
    "nested-esxi-17": "esx.vm.nested-hv",
}


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Each test has a record of its own."""


@pytest.fixture
def host(state_dir: Path) -> Iterator[Host]:
    with nk.practice.start("esx") as practice:
        host = nk.connect(practice.url, password=practice.password)
        yield host
        host.close()


@checks.exercise("99.try")
def _try(answer: Any, *more: Any, **named: Any) -> checks.Verdict:
    if isinstance(answer, Exception):
        raise answer
    if answer == 42:
        return checks.passed("That is it.")
    return checks.not_right("No.", "it is <i>more</i> than 41")


def test_a_verdict_is_shown_as_text_and_as_a_page_and_recorded() -> None:
    verdict = check("99.try", 41)
    assert verdict.status == "not right"
    assert "hint: it is <i>more</i> than 41" in str(verdict)
    html = verdict._repr_html_()
    assert 'role="status"' in html
    assert "not right" in html
    assert "&lt;i&gt;more" in html
    assert check("99.try", 42).ok
    assert progress._read().items["99.try"]["status"] == "passed"
    assert progress._read().items["99.try"]["tries"] == 2


@pytest.mark.parametrize("answer", [..., [1, ...], {"a": ...}, {"a": [(...,)]}])
def test_an_untouched_answer_is_not_done_yet_wherever_it_stands(answer: Any) -> None:
    assert check("99.try", answer).status == "not done yet"
    assert check("99.try", 42, more=answer).status == "not done yet"


@pytest.mark.parametrize(
    "error", [HostRefused("the host said no", remedy="ask again"), TypeError("x"), KeyError("y")]
)
def test_what_goes_wrong_in_a_check_is_a_verdict_with_a_hint(error: Exception) -> None:
    verdict = check("99.try", error)
    assert verdict.status == "not right"
    assert verdict.hints


def test_a_half_filled_answer_is_told_what_is_left() -> None:
    verdict = check("99.try", {"one": 1, "two": ..., "three": ...})
    assert verdict.status == "not done yet"
    assert "Still “...”: two, three." in verdict.message
    untouched = check("99.try", {"one": ..., "two": ...})
    assert "put yours in its place" in untouched.message


@pytest.mark.parametrize("error", [IndexError("x"), ZeroDivisionError(), AssertionError()])
def test_no_answer_ends_in_a_traceback(error: Exception) -> None:
    assert check("99.try", error).status == "not right"


@pytest.mark.parametrize("item", ["01.types", "01.layers", "02.levels", "05.pairs", "05.binds"])
@pytest.mark.parametrize(
    "answer",
    [None, ["L1", "L2"], "fail", {1: "one"}, pd.DataFrame({"a": [1]}), pd.Series(["x"])],
    ids=lambda answer: type(answer).__name__,
)
def test_an_answer_without_names_is_told_how_to_write_it(item: str, answer: Any) -> None:
    verdict = check(item, answer)
    assert verdict.status == "not right"
    assert "without the names" in verdict.message
    assert "write a dictionary" in verdict.hints[0]
    assert "reset" not in str(verdict)


def test_an_unknown_exercise_is_refused_with_near_names() -> None:
    with pytest.raises(CourseError, match="aplied") as raised:
        check("03.aplied")
    assert "03.applied" in raised.value.remedy
    with pytest.raises(CourseError, match="no exercise 3"):
        check(3)  # type: ignore[arg-type]


def test_a_verdict_says_when_progress_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path / "file" / "state"))
    verdict = check("99.try", 42)
    assert verdict.ok
    assert "not recorded" in verdict.note
    assert "not recorded" in verdict._repr_html_()


# -- lesson 00 ------------------------------------------------------------------------------------


def item(level: readiness.Level, title: str = "Thing") -> readiness.Item:
    return readiness.Item(title, level, "found", "" if level == "pass" else "mend it")


def test_lesson_00_passes_when_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*items: readiness.Item) -> None:
        monkeypatch.setattr(
            "nestkit.course.exercises.environment", lambda: readiness.Readiness(items)
        )

    found(item("pass"), item("pass"))
    assert check("00.ready").ok
    found(item("pass"), item("warn", "Lab"))
    assert "Limited: lab" in check("00.ready").message
    found(item("fail", "Python"), item("pass"))
    verdict = check("00.ready")
    assert verdict.status == "not right"
    assert verdict.hints == ("Python: mend it",)


def test_this_machine_can_be_looked_at() -> None:
    found = nk.course.environment()
    assert found.ok
    assert "Python" in str(found)
    assert "<caption" in found._repr_html_()


def test_a_folder_that_cannot_be_written_is_missing_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path / "file" / "state"))
    (found,) = (item for item in nk.course.environment().items if item.title.startswith("A folder"))
    assert found.level == "fail"
    assert "NESTKIT_STATE" in found.remedy


def test_the_host_that_was_chosen_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NESTKIT_HOST", raising=False)
    assert hosts.address() == "practice://esx"
    with nk.practice.start("esx") as practice:
        chosen = hosts.use_host(practice.url, practice.password)
        assert hosts.address() == practice.url
        assert practice.password not in progress.path().read_text()
        assert "nested-esxi-01" in chosen._repr_html_()
        assert "no proof" in str(chosen)
        monkeypatch.setenv("NESTKIT_HOST", "practice://esx")
        assert hosts.address() == "practice://esx"
        assert "NESTKIT_HOST" in hosts.use_host(practice.url, practice.password).note


def test_this_machine_is_no_host_for_the_lessons() -> None:
    with pytest.raises(CourseError, match="this machine"):
        hosts.use_host("local://")
    assert hosts.address() == "practice://esx"


def test_an_address_that_does_not_answer_is_not_remembered() -> None:
    form = ready.host_form()
    form.fields["address"].value = "esx://root@127.0.0.1:1"
    form.fields["password"].value = "s3cret!"
    assert form.run() is None
    assert form.state == "failed"
    assert "What to do" in form._output.value
    assert "s3cret!" not in form._output.value
    assert hosts.address() == "practice://esx"


# -- lessons 02 and 03 on a practice host ---------------------------------------------------------


def test_lesson_02_faults_are_those_of_the_host(host: Host) -> None:
    assert check("02.faults", host, FAULTS).ok
    assert check("02.faults", host, {name: [rule] for name, rule in FAULTS.items()}).ok
    assert check("02.faults", host, {}).status == "not done yet"
    some = dict(list(FAULTS.items())[:3])
    assert "10 blocked VMs are not named" in check("02.faults", host, some).message
    warned = check("02.faults", host, FAULTS | {"nested-esxi-05": "esx.vm.memory-recommended"})
    assert warned.status == "not right"
    assert "nothing blocks this VM" in warned.hints[0]
    swapped = check("02.faults", host, FAULTS | {"nested-esxi-04": "esx.vm.disk"})
    assert "esx.vm.disk passes here" in swapped.hints[0]
    assert check("02.faults", host, 7).status == "not right"


def test_lesson_02_names_are_taken_as_the_table_shows_them(host: Host) -> None:
    def said(name: str, rule: str) -> str:
        nic = ", Network adapter 1" if rule.startswith("esx.nic.") else ""
        return f"VM {name}{nic}"

    assert check("02.faults", host, {said(*pair): pair[1] for pair in FAULTS.items()}).ok
    assert check("02.faults", host, list(FAULTS.items())).ok
    assert check("02.faults", host, pd.Series(FAULTS)).ok
    failed = nk.preflight.check(host).at("fail")
    found = {name: [f for f in failed if f.id == rule] for name, rule in FAULTS.items()}
    assert check("02.faults", host, found).ok
    assert check("02.faults", host, {name: each[0] for name, each in found.items()}).ok


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"nested-esxi-04": "Memory of the nested host"}, "no id of a rule"),
        ({"nested-esxi-04": []}, "no rule is named"),
        ({"nested-esxi-04": None}, "no id of a rule"),
        ({"nested-esxi-04": 3}, "no id of a rule"),
        ({"nested-esxi-99": "esx.vm.memory"}, "no VM 'nested-esxi-99'"),
        ({"nested-esxi-04": "hyperv.vm.memory"}, "no id of a rule"),
    ],
)
def test_lesson_02_each_wrong_line_gets_its_own_hint(
    host: Host, wrong: dict[str, Any], hint: str
) -> None:
    verdict = check("02.faults", host, FAULTS | wrong)
    assert verdict.status == "not right"
    assert hint in verdict.hints[0]


def test_lesson_02_on_a_host_without_faults_there_is_nothing_to_name(host: Host) -> None:
    whole = dataclasses.replace(host.read(), vms=())
    calm = SimpleNamespace(read=lambda: whole)
    assert check("02.faults", calm, {}).ok
    assert check("02.faults", calm, ...).status == "not done yet"


def test_lesson_02_repair_is_judged_by_the_host(host: Host) -> None:
    plan = nk.configure.plan(host, vm="nested-esxi-04")
    assert check("02.repaired", host, plan=plan).status == "not done yet"
    nk.configure.apply(plan, host)
    assert check("02.repaired", host, plan=plan).ok


def test_the_code_of_a_form_has_the_names_of_its_notebook(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = nk.configure.plan(host, vm="nested-esxi-04")
    cells: dict[str, object] = {"_1": host, "vcenter": host, "learning": plan}
    monkeypatch.setattr(naming, "get_ipython", lambda: SimpleNamespace(user_ns=cells))
    form = ready.apply_form(plan, host)
    assert "".join(form.code.split()).startswith("nk.configure.apply(learning,vcenter,accept=")
    cells["form_learning"] = form
    form.confirm.value = True
    done = form.run()
    assert done is not None, form.error
    back = ready.rollback_form(form, host)
    assert back.code == "nk.configure.rollback(form_learning.result.journal, vcenter)"
    # the shown code is the call: run where those names are, it makes the same one
    assert eval("form_learning.result.journal", dict(cells)) == done.journal
    cells.clear()
    assert ready.preflight_form(host).code == "nk.preflight.check(host)"


def test_lesson_03_from_plan_to_rollback_by_forms(host: Host) -> None:
    chosen = ready.plan_form(host, vm=VM)
    with pytest.raises(CourseError, match="no plan yet"):
        ready.apply_form(chosen, host)
    plan = chosen.run()
    assert chosen.code == f'nk.configure.plan(host, "{VM}", goal=nk.NestedGoal())'
    assert check("03.applied", host, plan=plan).status == "not done yet"
    form = ready.apply_form(chosen, host)
    assert plan.digest in form.code
    assert form.run() is None  # not ticked
    assert check("03.rolled-back", host, plan=plan, done=form.result).status == "not done yet"
    form.confirm.value = True
    done = form.run()
    assert form.state == "done", form.error
    assert check("03.applied", host, plan=plan).ok
    assert check("03.applied", host, plan=nk.configure.plan(host, vm=VM)).ok
    assert check("03.rolled-back", host, plan=plan, done=done).status == "not done yet"
    back = ready.rollback_form(form, host)
    back.confirm.value = True
    back.fields["hard_power_off"].value = True
    undone = back.run()
    assert back.state == "done", back.error
    assert check("03.rolled-back", host, plan=plan, done=done, undone=undone).ok


def test_lesson_03_any_way_back_counts(host: Host) -> None:
    plan = nk.configure.plan(host, vm=VM)
    done = nk.configure.apply(plan, host)
    form = ready.rollback_form(done, host)
    assert check("03.rolled-back", host, plan=plan, done=done, undone=form).status == "not done yet"
    nk.configure.rollback(done.journal, host, hard_power_off=True)  # as from a terminal
    assert check("03.rolled-back", host, plan=plan, done=done, undone=...).ok
    assert check("03.rolled-back", host, plan=plan, done=done, undone=form).ok


def test_lesson_03_after_a_restart_the_check_names_the_journal(host: Host) -> None:
    done = nk.configure.apply(nk.configure.plan(host, vm=VM), host)
    plan = nk.configure.plan(host, vm=VM)  # the notebook runs again from its top
    verdict = check("03.rolled-back", host, plan=plan, done=None, undone=...)
    assert verdict.status == "not done yet"
    assert f'nk.configure.rollback("{done.journal}", host)' in verdict.hints[0]
    nothing = nk.configure.apply(plan, host)
    for undone in (..., nk.configure.rollback(nothing.journal, host)):
        verdict = check("03.rolled-back", host, plan=plan, done=nothing, undone=undone)
        assert verdict.status == "not done yet", str(verdict)
    undone = nk.configure.rollback(done.journal, host, hard_power_off=True)
    assert check("03.rolled-back", host, plan=plan, done=None, undone=undone).ok


def test_lesson_03_a_part_of_the_plan_is_not_right_and_says_what_is_left(host: Host) -> None:
    plan = nk.configure.plan(host, vm=VM, goal=nk.NestedGoal(memory_gib=32))
    less = nk.configure.plan(host, vm=VM, goal=nk.NestedGoal(start=False))
    done = nk.configure.apply(less, host)
    verdict = check("03.applied", host, plan=plan)
    assert verdict.status == "not right"
    assert any("memory" in hint for hint in verdict.hints)
    verdict = check("03.rolled-back", host, plan=plan, done=done)
    assert verdict.status == "not right"
    assert "done.journal" in verdict.hints[1]
    for strange in (done, "undone", nk.configure.rollback):
        verdict = check("03.rolled-back", host, plan=plan, done=done, undone=strange)
        assert verdict.status == "not right"
        assert verdict.hints == ("undone = nk.configure.rollback(done.journal, host)",)


def test_lesson_03_a_stale_plan_is_refused_in_the_form(host: Host) -> None:
    plan = nk.configure.plan(host, vm=VM)
    form = ready.apply_form(plan, host)
    nk.configure.apply(plan, host)
    form.confirm.value = True
    assert form.run() is None
    assert form.state == "failed"
    assert "What to do" in form._output.value


def test_preflight_form_offers_the_vms_and_all_of_them(host: Host) -> None:
    form = ready.preflight_form(host)
    assert form.code == "nk.preflight.check(host)"
    labels = [label for label, _ in form.fields["vm"].options]
    assert labels[:2] == ["(none)", "nested-esxi-01"]
    form.fields["vm"].value = labels.index("nested-esxi-02")
    assert form.code == 'nk.preflight.check(host, vm="nested-esxi-02")'
    assert form.run().ok


def test_a_notebook_shows_an_error_as_message_and_remedy_not_as_a_traceback() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shown: list[str] = []
    shell._showtraceback = lambda kind, value, lines: shown.extend(lines)
    shell.run_cell("import nestkit as nk\nnk.connect('nonsense')")
    text = "\n".join(shown)
    assert "no scheme" in text
    assert "→" in text
    assert "Traceback" not in text
    assert "addresses.py" not in text


# -- which host, which VM -------------------------------------------------------------------------


def test_in_a_class_each_learner_has_a_seed_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NESTKIT_HOST", raising=False)
    for said, seeded in (("0", False), ("", False), ("1", True)):
        monkeypatch.setenv("NESTKIT_CLASS", said)
        monkeypatch.setenv("JUPYTERHUB_USER", "alice")
        assert hosts.in_class() is seeded
        assert (hosts.address() == f"practice://esx?seed={hosts.seed_of('alice')}") is seeded
    assert hosts.seed_of("alice") == hosts.seed_of("alice") != hosts.seed_of("bob")
    monkeypatch.delenv("JUPYTERHUB_USER")
    assert hosts.address().startswith("practice://esx?seed=")
    progress.set_setting("host", "practice://esx")
    assert hosts.address() == "practice://esx"


def test_a_lesson_finds_its_vm_by_its_fault_whatever_its_name(state_dir: Path, host: Host) -> None:
    assert hosts.vm_for(host, "esx.vm.nested-hv") == "nested-esxi-01"
    assert hosts.vm_for(host, "esx.vm.memory") == "nested-esxi-04"
    plan = nk.configure.plan(host, "nested-esxi-04")
    nk.configure.apply(plan, host, accept=plan.digest)
    assert hosts.vm_for(host, "esx.vm.memory") == "nested-esxi-04"  # repaired, and still the one
    progress.begin_anew()
    with pytest.raises(CourseError, match="no VM that only"):
        hosts.vm_for(host, "esx.vm.memory")
    with pytest.raises(CourseError, match="no VM that only the rule esx") as raised:
        hosts.vm_for(host, "esx.vm.passthrough")
    assert "nestkit reset" in raised.value.remedy


def test_the_lessons_about_esxi_say_so_on_a_hyper_v_host(state_dir: Path) -> None:
    with nk.practice.start("hyperv") as practice:
        with pytest.raises(CourseError, match="is a Hyper-V host") as raised:
            hosts.use_host(practice.url, practice.password)
        assert "lesson 04" in raised.value.remedy
        host = nk.connect(practice.url, password=practice.password)
        with pytest.raises(CourseError, match="no ESXi host"):
            hosts.vm_for(host, "esx.vm.nested-hv")
        host.close()


def test_a_vcenter_is_not_taken_for_the_lessons_host(state_dir: Path) -> None:
    with nk.practice.start("vpx") as practice:
        with pytest.raises(CourseError, match="is a vCenter") as raised:
            hosts.use_host(practice.url, practice.password)
        assert "one of its hosts" in raised.value.remedy
    assert hosts.address() == "practice://esx"


def test_another_seed_gives_another_vm_the_same_fault(state_dir: Path) -> None:
    found = set()
    for seed in (1, 2, 3):
        with nk.practice.start("esx", seed=seed) as practice:
            host = nk.connect(practice.url, password=practice.password)
            name = hosts.vm_for(host, "esx.vm.memory")
            found.add(name)
            report = nk.preflight.check(host, vm=name)
            assert "esx.vm.memory" in {finding.id for finding in report.at("fail")}
            host.close()
    assert len(found) > 1


# -- lesson 03: packets of L2 ---------------------------------------------------------------------

NET = "nested-esxi-11"


def test_packets_of_l2_fail_then_pass_by_any_way(host: Host) -> None:
    before = nk.course.try_traffic(host, NET)
    assert (before.l1, before.l2) == (True, False)
    assert "promiscuous mode Reject" in str(before)
    assert "✗ no answer" in before._repr_html_()
    plan = nk.configure.plan(host, NET)
    verdict = check("03.traffic", host, plan=plan)
    assert verdict.status == "not done yet"
    assert "promiscuous mode Reject" in verdict.message
    nk.configure.apply(plan, host, accept=plan.digest)
    assert check("03.traffic", host, plan=plan).ok
    assert nk.course.try_traffic(host, NET).l2


def test_half_of_the_policy_is_not_right_and_the_hint_says_both(host: Host) -> None:
    plan = nk.configure.plan(host, "nested-esxi-12", goal=nk.NestedGoal(start=True))
    nk.configure.apply(plan, host, accept=plan.digest)
    group = next(step for step in plan.steps if step.property == "security")
    only_promiscuous = dict(group.before) | {"promiscuous": "reject", "forged_transmits": "accept"}
    host.perform(dataclasses.replace(group, after=only_promiscuous), 30)
    verdict = check("03.traffic", host, plan=plan)
    assert verdict.status == "not right"
    assert "promiscuous mode Reject, forged transmits Accept" in verdict.message
    assert any("both settings" in hint for hint in verdict.hints)


def test_a_guest_that_cannot_be_asked_is_told_with_a_remedy(host: Host) -> None:
    for vm, said in (("nested-esxi-14", "VMware Tools must run"), ("nested-esxi-16", "power")):
        with pytest.raises(NestkitError) as raised:
            nk.course.try_traffic(host, vm)
        assert said in str(raised.value)
    with pytest.raises(NestkitError, match="InvalidGuestLogin") as refused:
        nk.course.try_traffic(host, NET, guest_password="wrong, of course")
    assert "of the guest" in refused.value.remedy
    assert "wrong, of course" not in str(refused.value)
    with pytest.raises(CourseError, match="on an ESXi host"):
        nk.course.try_traffic(nk.connect("local://"), NET)


def test_mac_learning_lets_l2_through_without_promiscuous_mode(state_dir: Path) -> None:
    with nk.practice.start("vpx") as practice:
        vcenter = nk.connect(practice.url, password=practice.password)
        plan = nk.configure.plan(vcenter, "nested-esxi-10")
        assert not nk.course.try_traffic(vcenter, "nested-esxi-10").l2
        nk.configure.apply(plan, vcenter, accept=plan.digest)
        found = nk.course.try_traffic(vcenter, "nested-esxi-10")
        assert found.l2
        assert "promiscuous mode Reject" in found.policy
        assert "MAC learning on" in found.policy
        vcenter.close()
