"""Lesson 09: each case is seen by the rule it names, on the practice host it names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

import nestkit as nk
from nestkit.course.troubleshooting import (
    Case,
    broken_host,
    broken_hosts,
    cases,
    practised,
    symptoms,
)
from nestkit.errors import CourseError
from nestkit.facts import HostFacts
from nestkit.preflight import evaluate
from nestkit.requirements import rules

PLAYED = [case for case in cases() if case.at]
LOCAL = {
    "local-permission": {"lab_accelerator": "tcg"},
    "local-nested-off": {"nested_parameter": False},
    "local-kvm-in-name-only": {"lab_accelerator": "tcg"},
}


@pytest.fixture(autouse=True)
def _no_hosts_left(state_dir: object) -> Iterator[None]:
    yield
    nk.practice.stop()


def test_there_are_cases_of_all_three_platforms_each_with_a_source() -> None:
    assert len(cases()) >= 10
    assert {case.platform for case in cases()} == {"esx", "hyperv", "local"}
    assert len({case.id for case in cases()}) == len(cases())
    for case in cases():
        assert case.source.startswith("https://"), case.id


def test_every_case_names_a_rule_of_its_platform() -> None:
    for case in cases():
        assert case.rule in {rule.id for rule in rules(case.platform)}, case.id  # type: ignore[arg-type]


def test_the_practice_host_of_each_case_has_it() -> None:
    for case in PLAYED:
        with closing(nk.connect(case.at)) as host:
            report = nk.preflight.check(host, vm=case.vm or None)
        assert case.rule in {finding.id for finding in report.at("fail")}, case.id


def test_the_rule_of_a_local_case_does_not_pass_there() -> None:
    left = [case for case in cases() if not case.at]
    assert {case.id for case in left} == set(LOCAL)
    for case in left:
        facts = HostFacts(
            identity="x", platform="local", name="x", is_practice=False, **LOCAL[case.id]
        )
        levels = {f.id: f.level for f in evaluate(facts, rules("local"))}
        assert levels[case.rule] not in ("pass", "unknown"), case.id


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("option greyed out", "esx-greyed-out"),
        ("permission denied", "local-permission"),
        ("AMD VM does not start", "hyperv-amd-start"),
        ("kvm_buf_set_msrs", "local-kvm-in-name-only"),
        ("0x80370102", "hyperv-not-exposed"),
    ],
)
def test_a_symptom_finds_its_case_first(words: str, first: str) -> None:
    assert symptoms(words).cases[0].id == first


def test_no_words_give_every_case_and_strange_words_none() -> None:
    assert symptoms().cases == cases()
    assert symptoms("zzzz qqqq").cases == ()
    assert "ask preflight" in str(symptoms("zzzz qqqq"))
    assert {case.platform for case in symptoms(platform="hyperv").cases} == {"hyperv"}


def right() -> dict[int, str]:
    return {number: case.rule for number, case in enumerate(practised(), start=1)}


def test_the_right_causes_pass_and_the_table_does_not_give_them_away() -> None:
    assert nk.course.check("09.causes", right()).ok
    shown = broken_hosts()._repr_html_()
    for case in practised():
        assert case.rule not in shown


def test_any_way_to_write_the_right_causes_passes() -> None:
    found = {}
    for number in range(1, 6):
        broken = broken_host(number)
        with closing(nk.connect(broken.address)) as host:
            found[number] = nk.preflight.check(host, vm=broken.vm).at("fail")
    for answer in (
        list(right().values()),
        {str(number): {rule} for number, rule in right().items()},
        found,
        {number: findings[0] for number, findings in found.items()},
        {f"host {number}": rule for number, rule in right().items()},
        {broken_host(number).vm: rule for number, rule in right().items()},
    ):
        verdict = nk.course.check("09.causes", answer)
        assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({1: "promiscuous mode"}, "'promiscuous mode' is no rule's id"),
        ({"one": "esx.vm.memory"}, "there is no host 'one'"),
        ({1: []}, "no rule is named"),
        ("esx.vm.memory", "not a number for each host"),
        (5, "not a number for each host"),
    ],
)
def test_other_answers_get_a_hint(answer: object, words: str) -> None:
    verdict = nk.course.check("09.causes", answer)
    assert verdict.status == "not right"
    assert verdict.hints
    assert words in str(verdict)


def test_in_a_class_the_five_are_dealt_out_anew_and_every_check_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = practised()
    monkeypatch.setenv("NESTKIT_CLASS", "1")
    dealt = {}
    for learner in ("alice", "bob"):
        monkeypatch.setenv("JUPYTERHUB_USER", learner)
        dealt[learner] = practised()
        assert practised() == dealt[learner]
        assert {case.id for case in practised()} == {case.id for case in alone}
        others = {nk.course.address(), *(case.at for case in cases())}
        assert not others & {case.at for case in practised()}
    assert [case.id for case in dealt["alice"]] != [case.id for case in dealt["bob"]]
    assert {case.vm for case in dealt["alice"]} != {case.vm for case in dealt["bob"]}
    assert nk.course.check("09.causes", right()).ok  # bob's, on hosts of his own


def test_a_broken_host_is_found_by_number_or_case() -> None:
    for number, case in enumerate(practised(), start=1):
        assert broken_host(number) == broken_host(case.id)
        assert (broken_host(number).address, broken_host(number).vm) == (case.at, case.vm)
    with pytest.raises(CourseError) as refused:
        broken_host(6)
    assert "1 to 5" in refused.value.remedy


def test_causes_that_are_not_there_fail_with_a_hint() -> None:
    remedy = nk.course.check("09.causes", right() | {1: "esx.vm.memory"})
    assert remedy.status == "not right"
    assert "host 1" in remedy.hints[0]
    number = nk.course.check("09.causes", right() | {9: "esx.vm.memory"})
    assert "numbered 1 to 5" in number.hints[0]
    assert nk.course.check("09.causes", {1: right()[1]}).status == "not right"
    assert nk.course.check("09.causes", {}).status == "not done yet"
    assert nk.course.check("09.causes", ...).status == "not done yet"


def test_a_repaired_host_passes_and_an_untouched_one_is_not_done_yet() -> None:
    broken = broken_host("esx-old-key")
    with closing(nk.connect(broken.address)) as host:
        plan = nk.configure.plan(host, broken.vm)
        before = nk.course.check("09.repaired", host, plan=plan)
        assert before.status == "not done yet"
        assert before.hints
        nk.configure.apply(plan, host)
        assert nk.course.check("09.repaired", host, plan=plan).ok
    assert nk.course.check("09.causes", right()).ok  # what was right stays right
    wrong = nk.course.check("09.causes", {broken.number: "esx.vm.memory"})
    assert "nothing blocks" in str(wrong)
    assert "nestkit reset" in str(wrong)


def test_sources_are_links_with_a_short_label() -> None:
    shown = symptoms("greyed out")._repr_html_()
    assert 'href="https://github.com/DemitasseNZ/vSphereAutoLab/issues/31"' in shown
    assert ">vSphereAutoLab #31</a>" in shown


def test_found_cases_show_as_table_text_and_frame() -> None:
    found = symptoms("greyed out")
    assert "vSphereAutoLab" in str(found)
    assert "<table" in found._repr_html_()
    assert list(found.to_frame().columns) == list(Case.__slots__)
