"""Every statement of the guide is covered where the map says, and each link leads there."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

import nestkit as nk
from nestkit.course import coverage
from nestkit.course.lessons import lessons
from nestkit.errors import DataFileError
from nestkit.requirements import shipped

STATEMENTS = coverage.statements()
LESSONS = {lesson.number: lesson for lesson in lessons()}
# written by hand from the guide: its headings, and how many statements each makes at least
SECTIONS = {
    "Overview": 5,
    "Hypervisor Types": 5,
    "What is Nested Virtualization?": 6,
    "System Requirements": 13,
    "Software Requirements": 10,
    "Enabling Nested Virtualization in ESXi via PowerCLI": 8,
    "Enabling Nested Virtualization in ESXi via Web GUI": 5,
    "Enabling Nested Virtualization in Hyper-V via PowerShell": 6,
    "Enabling Nested Virtualization in Hyper-V via GUI": 5,
    "Cross-Platform and Multi-Layer Support": 4,
    "Use Cases: Learning and Training": 2,
    "Use Cases: Test Environments": 2,
    "Use Cases: CI/CD Integration": 2,
    "Use Cases: Network Function Virtualization (NFV)": 1,
    "Use Cases: Fault Tolerance and High Availability Testing": 1,
    "Performance and Limitations": 8,
    "Automation Scripts": 5,
    "Summary": 6,
}


@cache
def texts(number: str) -> dict[str, str]:
    """Heading → what stands there for a learner, and what its cells gave when they were run."""
    learner = coverage.under_headings(coverage.lesson_path(LESSONS[number]))
    run = coverage.under_headings(coverage.lesson_path(LESSONS[number], "solutions"))
    return {title: plain(text + run.get(title, "")) for title, text in learner.items()}


def plain(text: str) -> str:
    return " ".join(unescape(text).split()).lower()


def test_every_section_of_the_guide_is_in_the_map() -> None:
    counts = {
        section: sum(s.section == section for s in STATEMENTS)
        for section in dict.fromkeys(s.section for s in STATEMENTS)
    }
    assert list(counts) == list(SECTIONS)
    assert {name: n for name, n in counts.items() if n < SECTIONS[name]} == {}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.id)
def test_the_lesson_covers_it_there(statement: coverage.Statement) -> None:
    assert statement.lesson in LESSONS
    found = texts(statement.lesson)
    assert statement.heading in found, f"headings: {list(found)}"
    there = found[statement.heading]
    assert [word for word in statement.words if plain(word) not in there] == []
    titles = {rule.id: rule.title for rule in shipped()}
    held = [
        rule for rule in statement.rules if rule not in there and plain(titles[rule]) not in there
    ]
    assert held == []


def test_every_rule_that_cites_the_guide_is_in_the_map_but_those_of_this_machine() -> None:
    named = {rule for statement in STATEMENTS for rule in statement.rules}
    cited = {r.id for r in shipped() if r.source.startswith("guide:") and r.platform != "local"}
    # what says more than the guide on the same statement, or only helps to carry it out
    beyond = {
        "esx.cpu.nesting", "esx.host.version", "esx.vm.hardware-version-current", "esx.vm.tools",
        "hyperv.vm.guest-os", "hyperv.vm.checkpoints",
    }  # fmt: skip
    assert cited - named == beyond


def test_no_sentence_says_where_without_a_place_of_its_own() -> None:
    assert len({s.id for s in STATEMENTS}) == len(STATEMENTS)
    assert len({s.says for s in STATEMENTS}) == len(STATEMENTS)


def test_the_map_shows_links_that_lead_to_headings() -> None:
    shown = nk.course.guide_map()
    html = shown._repr_html_()
    links = re.findall(r'href="([^"]+)"', html)
    assert len(links) == len(STATEMENTS) == len(shown.to_frame())
    for target, statement in zip(links, STATEMENTS, strict=True):
        file, _, anchor = unescape(target).partition("#")
        assert file == LESSONS[statement.lesson].file
        headings = {title.replace(" ", "-") for title in texts(statement.lesson)}
        assert unquote(anchor) in headings
    assert statement.says in str(shown)


ROW = """
[[statement]]
id = "a"
section = "Overview"
says = "Something."
lesson = "01"
heading = "Two types"
words = ["type"]
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROW + ROW, r"'a' is used twice"),
        (ROW.replace('words = ["type"]', "words = []"), "nothing would hold"),
        (ROW.replace('words = ["type"]', "words = [1]"), "list of texts"),
        (ROW + 'rules = ["esx.no.such"]', "no rule 'esx.no.such'"),
        (ROW + 'rule = "x"', "not a field"),
        (ROW.replace("says", "say"), "not a field"),
    ],
)
def test_a_wrong_row_is_named_by_file_line_and_field(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=words) as caught:
        coverage.statements(file)
    assert re.search(r"map\.toml:\d+: ", str(caught.value))


def test_headings_are_read_as_they_are_shown(tmp_path: Path) -> None:
    import json

    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "one\n", "## B c\n", "two"]},
        {"cell_type": "code", "source": ["x\n"], "outputs": [{"text": ["# no heading"]}]},
        {"cell_type": "markdown", "source": ["three"]},
    ]
    file = tmp_path / "x.ipynb"
    file.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    found = coverage.under_headings(file)
    assert [title for title in found if title] == ["A", "B c"]
    assert found["A"].split() == ["one"]
    assert found["B c"].split() == ["two", "x", "#", "no", "heading", "three"]
