"""Lesson 01: types and layers, their explorer, checks and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import nestkit as nk
from nestkit.course import diagrams, diagrams_network, layers
from nestkit.course.checks import check
from nestkit.errors import CourseError, DataFileError
from nestkit.pictures import Picture

TYPES = {"VMware ESXi": 1, "Microsoft Hyper-V": 1, "VMware Workstation": 2, "Oracle VirtualBox": 2}
LAYERS = {
    "web server": 1,
    "witness": 1,
    "lab on a laptop": 2,
    "console": 0,
    "container": 1,
    "three deep": 3,
}


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Each test has a record of its own."""


@pytest.mark.parametrize(
    "placed",
    [
        TYPES,
        {"esxi": "type 1", "hyper-v": "Bare-Metal", "workstation": "hosted", "virtualbox": "II"},
        {name: f"Type-{kind} (sure)" for name, kind in TYPES.items()},
        {name: float(kind) for name, kind in TYPES.items()},
    ],
)
def test_types_may_be_written_as_one_likes(placed: dict[str, Any]) -> None:
    verdict = check("01.types", placed)
    assert verdict.ok, str(verdict)


def test_hyperv_as_type_2_gets_a_question_and_not_the_answer() -> None:
    verdict = check("01.types", TYPES | {"Microsoft Hyper-V": 2})
    assert verdict.status == "not right"
    assert verdict.hints == (
        "Microsoft Hyper-V: you install Hyper-V from within Windows, but at the next start, which "
        "of the two starts first, and which runs on the other?",
    )


@pytest.mark.parametrize(
    ("placed", "said"),
    [
        ({}, "4 are not placed yet"),
        ({"VMware ESXi": 1}, "3 are not placed yet"),
        (TYPES | {"Xen": 1}, "'Xen' is none of"),
        (TYPES | {"VMware ESXi": "three"}, "3 of 4 are right"),
        (TYPES | {"VMware ESXi": None}, "3 of 4 are right"),
        (dict.fromkeys(TYPES, 1), "2 of 4 are right"),
        (7, "without the names"),
        ("1122", "without the names"),
    ],
)
def test_wrong_types_are_told_apart(placed: Any, said: str) -> None:
    verdict = check("01.types", placed)
    assert verdict.status == "not right"
    assert said in verdict.message
    assert verdict.hints


def test_an_untouched_cell_is_not_done_yet() -> None:
    assert check("01.types", dict.fromkeys(TYPES, ...)).status == "not done yet"
    assert check("01.layers", LAYERS | {"witness": ...}).status == "not done yet"


def test_layers_may_be_written_as_one_likes() -> None:
    for said in (LAYERS, {name: f"L{layer}" for name, layer in LAYERS.items()}):
        verdict = check("01.layers", said)
        assert verdict.ok, str(verdict)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"console": 1}, "root partition"),
        ({"container": 2}, "kernel"),
        ({"lab on a laptop": 3}, "both L0"),
        ({"three deep": "deep"}, "answer with a number"),
        ({name: layer + 1 for name, layer in LAYERS.items()}, "one VM on one host"),
    ],
)
def test_a_layer_counted_wrong_gets_its_own_hint(wrong: dict[str, Any], hint: str) -> None:
    verdict = check("01.layers", LAYERS | wrong)
    assert verdict.status == "not right"
    assert any(hint in line for line in verdict.hints)


def test_cases_that_are_missing_or_invented_are_named() -> None:
    assert "5 are not counted" in check("01.layers", {"console": 0}).message
    assert "no such case" in check("01.layers", LAYERS | {"cloud": 1}).message


# -- the explorer ---------------------------------------------------------------------------------


def test_the_explorer_shows_the_call_and_what_becomes_of_the_layers() -> None:
    form = nk.course.layer_explorer()
    assert form.code == 'nk.course.stack("VMware ESXi", "Microsoft Hyper-V", "an ordinary guest")'
    stack = form.run()
    assert (stack.depth, stack.nested) == (2, True)
    html = stack._repr_html_()
    assert "exposed to this VM by L0" in html
    assert "L2 is a VM on L1: an ordinary guest" in html


def test_nothing_is_nested_without_a_hypervisor_in_a_vm() -> None:
    flat = layers.stack("Oracle VirtualBox", layers.GUEST, layers.NOTHING)
    assert (flat.depth, flat.nested) == (1, False)
    assert "Nothing is nested" in str(flat)
    assert "type 2" in str(flat)


def test_four_layers_are_drawn_and_called_heavy() -> None:
    deep = layers.stack("Microsoft Hyper-V", "VMware ESXi", "KVM on Linux", layers.GUEST)
    assert deep.depth == 3
    assert "3 hypervisors, one in the other" in str(deep)
    assert "root partition" in str(deep)
    assert "type 1 or 2" in str(deep)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (("Windows", "VMware ESXi", "nothing"), "L0 cannot be 'Windows'"),
        (("nothing", "VMware ESXi", "nothing"), "L0 cannot be 'nothing'"),
        (("VMware ESXi", "nothing", "an ordinary guest"), "it has no machine"),
        (("VMware ESXi", "an ordinary guest", "an ordinary guest"), "runs no VMs"),
        (("VMware ESXi", "an ordinary guest", "nothing", "KVM on Linux"), "it has no machine"),
    ],
)
def test_what_cannot_be_stacked_is_refused_with_a_way_out(chosen: Any, said: str) -> None:
    with pytest.raises(CourseError, match=said) as raised:
        layers.stack(*chosen)
    assert "choose" in raised.value.remedy


def test_hypervisors_are_data_with_a_source_each(tmp_path: Path) -> None:
    found = {each.name: each for each in layers.hypervisors()}
    assert {name: each.type for name, each in found.items() if name in TYPES} == {
        name: str(kind) for name, kind in TYPES.items()
    }
    assert all(each.source and each.why for each in found.values())
    bad = tmp_path / "hypervisors.toml"
    bad.write_text('[[hypervisor]]\nname = "X"\ntype = "3"\n')
    with pytest.raises(DataFileError, match=r"hypervisors\.toml:3: type"):
        layers.hypervisors(bad)


# -- pictures -------------------------------------------------------------------------------------


def pictures() -> list[Picture]:
    return [
        diagrams.types_diagram(),
        diagrams.exits_diagram(),
        *(diagrams_network.network_diagram(way) for way in diagrams_network.WAYS),
    ]


def test_each_picture_is_told_in_words_of_its_own() -> None:
    alts = [picture.alt for picture in pictures()]
    assert len(set(alts)) == len(alts)
    assert all(len(alt) > 150 for alt in alts)
    by_way = dict(zip(diagrams_network.WAYS, alts[2:], strict=True))
    assert "never reaches L1" in by_way["none"]
    assert "Promiscuous mode: Accept" in by_way["promiscuous"]
    assert "gets no copy" in by_way["learning"]
    assert "MAC address spoofing: On" in by_way["spoofing"]
    assert "comes there from 01" in by_way["nat"]


def test_no_text_of_a_picture_leaves_it_or_covers_another() -> None:
    for picture in pictures():
        figure = picture.figure
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        page = figure.bbox
        boxes = [
            (text.get_text(), text.get_window_extent(renderer))
            for text in figure.axes[0].texts
            if text.get_text() not in ("", "✗")
        ]
        for i, (words, box) in enumerate(boxes):
            assert page.x0 - 1 <= box.x0 <= box.x1 <= page.x1 + 1, (picture.alt[:40], words)
            assert page.y0 - 1 <= box.y0 <= box.y1 <= page.y1 + 1, (picture.alt[:40], words)
            for other, place in boxes[i + 1 :]:
                assert not box.shrunk(0.9, 0.8).overlaps(place), (words, other)


def test_a_way_that_is_not_drawn_is_refused() -> None:
    with pytest.raises(CourseError, match="'bridge'"):
        diagrams_network.network_diagram("bridge")


# -- lesson 02: levels ----------------------------------------------------------------------------

LEVELS = {
    "esxi 6 GiB": "fail",
    "hyper-v 6 GiB": "warn",
    "version 9": "note",
    "amd 2019": "fail",
    "amd 9.0": "fail",
    "amd 10.0": "pass",
    "dynamic": "fail",
}


def test_levels_are_what_preflight_says_and_what_we_wrote_by_hand() -> None:
    from nestkit.course import exercises_levels

    assert {case: exercises_levels.level_of(case) for case in exercises_levels.CASES} == LEVELS
    assert check("02.levels", LEVELS).ok
    assert check("02.levels", {case: f" {level.upper()}" for case, level in LEVELS.items()}).ok


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"esxi 6 GiB": "warn"}, "which of ESXi's two numbers"),
        ({"amd 10.0": "fail"}, "as numbers"),
        ({"version 9": "pass"}, "is it the newest"),
        ({"dynamic": "bad"}, "answer pass, note, warn or fail"),
        ({"dynamic": None}, "answer pass, note, warn or fail"),
    ],
)
def test_a_wrong_level_gets_its_own_hint(wrong: dict[str, Any], said: str) -> None:
    verdict = check("02.levels", LEVELS | wrong)
    assert verdict.status == "not right"
    assert said in verdict.hints[0]


def test_levels_missing_or_invented_are_named() -> None:
    assert check("02.levels", LEVELS | {"dynamic": ...}).status == "not done yet"
    assert "6 are not judged" in check("02.levels", {"dynamic": "fail"}).message
    assert "no such case" in check("02.levels", LEVELS | {"xen": "fail"}).message
