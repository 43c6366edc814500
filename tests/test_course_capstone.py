"""Lesson 10: the page is whole only when host, run and conclusion are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import nestkit as nk
from nestkit.course import capstone
from nestkit.course.measure import recorded_run
from nestkit.errors import CourseError
from nestkit.hosts.base import Host

VM = "nested-esxi-16"
WORDS = (
    "Exits cost most in L2, compute hardly anything.\n\nI would use it for training and tests only."
)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with (
        nk.practice.start("esx") as practice,
        closing(nk.connect(practice.url, password=practice.password)) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def forms(host: Host) -> tuple[nk.course.Form, nk.course.Form]:
    applied = nk.course.apply_form(nk.configure.plan(host, VM), host)
    applied.confirm.value = True
    applied.run()
    measured = nk.course.benchmark_form()
    measured.result = recorded_run()
    return applied, measured


def test_a_vm_that_is_not_ready_is_not_prepared(host: Host) -> None:
    blocked = nk.course.check("10.prepared", host, "nested-esxi-04")
    assert blocked.status == "not right"
    assert blocked.hints
    untouched = nk.configure.plan(host, "nested-esxi-04")
    again = nk.course.check("10.prepared", host, "nested-esxi-04", plan=untouched)
    assert again.status == "not done yet"
    assert again.hints
    stopped = nk.course.check("10.prepared", host, "nested-esxi-05")
    assert stopped.status == "not right"


def test_the_prepared_vm_passes(host: Host, forms: object) -> None:
    assert nk.course.check("10.prepared", host, VM).ok


def test_only_a_complete_run_of_two_guests_counts() -> None:
    assert nk.course.check("10.measured", recorded_run()).ok
    assert nk.course.check("10.measured", "a run").status == "not right"
    assert nk.course.check("10.measured", ...).status == "not done yet"
    untouched = nk.course.check("10.measured", None)
    assert untouched.status == "not done yet"
    assert "press Measure" in untouched.hints[0]


def test_the_form_writes_a_page_that_passes(
    host: Host, forms: tuple[nk.course.Form, nk.course.Form], tmp_path: Path
) -> None:
    form = nk.course.report_form(host, *forms)
    form.fields["conclusion"].value = WORDS
    form.fields["file"].value = str(tmp_path / "lab.html")
    written = form.run()
    assert form.state == "done", form.error
    assert nk.course.check("10.report", written).ok
    assert nk.course.check("10.report", tmp_path / "lab.html").ok
    page = (tmp_path / "lab.html").read_text(encoding="utf-8")
    assert "anything.</p><p>I would" in page
    assert "apply_form" in form.code


def test_a_page_without_run_or_with_a_short_conclusion_does_not_pass(tmp_path: Path) -> None:
    short = nk.report.Evidence(conclusion="It is slow.", runs=(recorded_run(),))
    verdict = nk.course.check("10.report", nk.report.save(short, tmp_path / "short.html"))
    assert verdict.status == "not right"
    assert any("3 words" in hint for hint in verdict.hints)
    assert any("plan is missing" in hint for hint in verdict.hints)


def test_no_file_is_not_done_and_another_page_is_no_report(tmp_path: Path) -> None:
    for nothing in (None, tmp_path / "none.html"):
        assert nk.course.check("10.report", nothing).status == "not done yet"
    other = tmp_path / "other.html"
    other.write_text("<h1>Hello</h1>")
    assert nk.course.check("10.report", other).status == "not right"


def test_a_report_before_its_time_says_what_comes_first(host: Host) -> None:
    empty = nk.course.benchmark_form()
    with pytest.raises(CourseError, match="nothing was applied yet"):
        nk.course.write_report(host, empty, empty, conclusion="")


def test_a_page_is_linked_where_jupyterlab_can_open_it(tmp_path: Path) -> None:
    linked = capstone.Written(Path("out/my lab #1.html"), 1)._repr_html_()
    assert '<a href="out/my%20lab%20%231.html"' in linked
    assert "<a " not in capstone.Written(tmp_path / "my-lab.html", 1)._repr_html_()
