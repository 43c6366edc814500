"""Lesson 05: the matrix explorer, and the checks of what works, what is supported, what is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nestkit as nk
from nestkit.course import exercises_cross, matrix, quizzes
from nestkit.course.checks import check
from nestkit.errors import CourseError
from nestkit.requirements.matrix import limits, support


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Each test has a record of its own."""


# -- the explorer ---------------------------------------------------------------------------------


def test_with_nothing_chosen_the_whole_matrix_is_there() -> None:
    found = nk.course.nesting()
    assert found.cells == support()
    assert found.limits == limits()


def test_each_field_narrows_it() -> None:
    assert {c.l1 for c in nk.course.nesting(outer="VMware ESXi 8.0").cells} == {
        "VMware ESXi 8.0", "vSAN Witness Appliance", "Hyper-V on Windows Server",
    }  # fmt: skip
    (cell,) = nk.course.nesting(outer="Hyper-V", inner="VMware ESXi").cells
    assert (cell.works, cell.supported) == ("unreliable", "no")
    assert all(c.works == "slow" for c in nk.course.nesting(works="slow").cells)
    assert all(c.supported == "yes" for c in nk.course.nesting(supported="yes").cells)


@pytest.mark.parametrize(
    ("outer", "inner", "works"),
    [
        ("Hyper-V on Windows Server 2022 or later, AMD", "VMware ESXi", ["unreliable"]),
        ("Hyper-V on Windows Server 2016 or later, Intel", "VMware ESXi 8.0", ["unreliable"]),
        ("VMware ESXi 8.0", "Hyper-V", ["yes"]),
        ("VMware ESXi 8.0", "VMware ESXi", ["yes"]),
        ("Hyper-V", "Hyper-V", ["yes", "yes", "no"]),
        ("Azure VM", "Hyper-V on Windows Server", ["yes"]),
    ],
)
def test_a_name_without_version_stands_for_all_of_its_kind(
    outer: str, inner: str, works: list[str]
) -> None:
    assert [cell.works for cell in nk.course.nesting(outer=outer, inner=inner).cells] == works


def test_limits_are_those_of_the_outer_host() -> None:
    def platforms(outer: str) -> set[str]:
        return {limit.platform for limit in nk.course.nesting(outer=outer).limits}

    assert platforms("VMware ESXi 8.0") == {"esx", "any"}
    assert platforms("Azure VM") == {"hyperv", "any"}
    assert platforms("KVM on Linux") == {"any"}


def test_unknown_is_not_no() -> None:
    with pytest.raises(CourseError, match="nothing is known of it") as caught:
        nk.course.nesting(outer="Azure VM", inner="VMware ESXi")
    assert "back to any" in caught.value.remedy
    with pytest.raises(CourseError, match="no outer 'Xen'") as caught:
        nk.course.nesting(outer="Xen")
    assert "VMware ESXi 8.0" in caught.value.remedy


def test_the_page_says_works_supported_source_and_the_bound_layer() -> None:
    html = nk.course.nesting(outer="VMware ESXi 8.0")._repr_html_()
    for words in (
        "works", "supported", "Broadcom KB 2009916", "vSAN Witness Appliance",
        "DirectPath I/O", "L1: the nested host", "L2: the VMs inside",
    ):  # fmt: skip
        assert words in html
    text = str(nk.course.nesting(outer="Hyper-V"))
    assert "works: unreliable; supported: no" in text
    assert "lost in L1: Live migration" in text


def test_the_form_offers_every_word_of_the_matrix_and_shows_its_call() -> None:
    form = nk.course.matrix_explorer()
    assert form.code == "nk.course.nesting()"
    labels = [label for label, _ in form.fields["outer"].options]
    assert labels == [matrix.ANY, *dict.fromkeys(c.l0 for c in support())]
    form.fields["outer"].value = labels.index("VMware ESXi 8.0")
    assert form.code == 'nk.course.nesting(outer="VMware ESXi 8.0")'
    assert len(form.run().cells) == 3
    form.fields["supported"].value = [x for x, _ in form.fields["supported"].options].index("yes")
    assert [cell.l1 for cell in form.run().cells] == ["vSAN Witness Appliance"]
    form.fields["works"].value = [x for x, _ in form.fields["works"].options].index("slow")
    assert form.run() is None
    assert form.state == "failed"
    assert "nothing is known" in form.static_html()


# -- the exercise on pairs ------------------------------------------------------------------------

RIGHT = {
    "class room": ("works", "Broadcom KB 2009916"),
    "witness": ("supported", "Broadcom KB 2009916"),
    "windows lab": ("works", "Microsoft Learn"),
    "old server": ("neither", "Easy-GPU-PV issue 7"),
    "new server": ("supported", "guide: Software Requirements (Hyper-V)"),
    "esxi on hyper-v": ("neither", "guide: Cross-Platform and Multi-Layer Support"),
    "cloud": ("supported", "Microsoft Learn"),
}


def pairs(**changes: Any) -> Any:
    return check("05.pairs", RIGHT | {k.replace("_", " "): v for k, v in changes.items()})


def test_every_case_is_a_cell_of_the_matrix() -> None:
    cells = {(cell.l0, cell.l1) for cell in support()}
    assert {(outer, inner) for outer, inner, _ in exercises_cross.PAIRS.values()} <= cells
    known = {limit.id for limit in limits()}
    assert {loss for loss in exercises_cross.LOSSES.values() if loss} <= known


def test_right_pairs_pass_in_any_words() -> None:
    assert pairs().ok, pairs()
    assert pairs(
        class_room=["Works, not supported", "broadcom kb 2009916"],
        witness={"verdict": "works and supported", "source": "KB 2009916"},
        windows_lab=("works", "guide", "Cross-Platform and Multi-Layer Support"),
        old_server=("no", "guide: Software Requirements (Hyper-V); NanaBox issue 17"),
    ).ok


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"class_room": ("supported", "Broadcom KB 2009916")}, "look at what its vendor says"),
        ({"windows_lab": ("supported", "Microsoft Learn")}, "whose is the outer one"),
        ({"old_server": ("works", "NanaBox issue 17")}, "which processor"),
        ({"esxi_on_hyper-v": ("works", "Microsoft Learn")}, "plan a class on it"),
        ({"witness": "supported"}, "who says so"),
        ({"witness": ("supported", "my colleague")}, "who says so"),
        ({"witness": ("supported", "kb")}, "Copy a source from that row"),
        ({"witness": ("supported", "Broadcom KB 0000000")}, "Copy a source from that row"),
        ({"new_server": ("neither", "NanaBox issue 17")}, "new enough"),
        ({"class_room": ("neither", "Broadcom KB 2009916")}, "many labs run so"),
        ({"cloud": ("perhaps", "Microsoft Learn")}, "answer supported, works or neither"),
        ({"cloud": 3}, "answer supported, works or neither"),
        ({"cloud": ()}, "answer supported, works or neither"),
        ({"xen": ("works", "x")}, "judge class room"),
    ],
)
def test_a_wrong_pair_gets_a_hint_that_fits(changes: dict[str, Any], hint: str) -> None:
    verdict = pairs(**changes)
    assert verdict.status == "not right"
    assert any(hint in text for text in verdict.hints), verdict


def test_untouched_and_half_done_pairs() -> None:
    assert check("05.pairs", RIGHT | {"cloud": ...}).status == "not done yet"
    few = {name: RIGHT[name] for name in ("cloud", "witness")}
    verdict = check("05.pairs", few)
    assert verdict.status == "not right"
    assert "still to do: class room" in verdict.hints[0]
    for strange in (3, "supported", [1]):
        assert check("05.pairs", strange).status == "not right"


# -- the exercise on limits -----------------------------------------------------------------------

BINDS = {
    "graphics card": "L1",
    "fault tolerance": "L1",
    "moving the nested host": "L1",
    "moving a VM between nested hosts": "none",
    "saving the nested host": "L1",
    "more memory while it runs": "L1",
    "slow disk": "L2",
}


def test_the_layers_that_limits_bind() -> None:
    assert check("05.binds", BINDS).ok
    other = {"graphics card": 1, "slow disk": "l2", "moving a VM between nested hosts": None,
             "fault tolerance": "Layer 1"}  # fmt: skip
    assert check("05.binds", BINDS | other).ok


@pytest.mark.parametrize(
    ("case", "answer", "hint"),
    [
        ("moving a VM between nested hosts", "L1", "good for"),
        ("moving a VM between nested hosts", "L2", "good for"),
        ("moving the nested host", "L2", "what is it that cannot"),
        ("slow disk", "L1", "who waits here"),
        ("slow disk", "L9", "answer L1, L2 or none"),
        ("slow disk", True, "answer L1, L2 or none"),
    ],
)
def test_a_wrong_layer_gets_a_hint_that_fits(case: str, answer: Any, hint: str) -> None:
    verdict = check("05.binds", BINDS | {case: answer})
    assert verdict.status == "not right"
    assert any(hint in text for text in verdict.hints), verdict


def test_untouched_layers_are_not_done_yet() -> None:
    assert check("05.binds", dict.fromkeys(BINDS, ...)).status == "not done yet"
    assert "still to do" in check("05.binds", {"slow disk": "L2"}).hints[0]
    assert check("05.binds", BINDS | {"cpu": "L2"}).status == "not right"


def test_the_quiz_agrees_with_the_matrix() -> None:
    by_id = {question.id: question for question in quizzes.load("05")}
    known = {limit.id: limit.binds for limit in limits()}
    assert known["esx.directpath-io"] == known["esx.fault-tolerance"] == "l1"
    assert by_id["layer"].right((0, 1))
