"""The page to show: whole, offline, safe, and honest about what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import nestkit as nk
from nestkit.cli.app import cli
from nestkit.resources import data_path
from nestkit.wording import PRACTICE

RUN = data_path("runs") / "lab-depth2-tcg.json"
VM = "nested-esxi-04"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    with nk.practice.start("esx") as practice:
        host = nk.connect(practice.url, password=practice.password)
        plan = nk.configure.plan(host, VM)
        done = nk.configure.apply(plan, host)
        given = {
            "--host": practice.url,
            "--vm": VM,
            "--journal": str(done.journal),
            "--run": str(RUN),
            "--conclusion": "One.\n\nTwo <2.\nThree.",
        }
        options = [word for pair in given.items() for word in pair]
        result = CliRunner().invoke(
            cli,
            ["report", str(folder / "lab.html"), *options],
            env={"NESTKIT_PASSWORD": practice.password},
        )
        host.close()
    assert result.exit_code in (0, None), result.output
    return (folder / "lab.html").read_text(encoding="utf-8")


def test_the_page_holds_every_part(page: str) -> None:
    assert "No finding was given" not in page
    for words in (
        "nothing blocks",
        "Verified on the host: everything as planned",
        "digest",
        "done",
    ):
        assert words in page
    assert page.count("data:image/png;base64,") == 2
    assert all(alt for alt in re.findall(r'<img alt="([^"]*)"', page))
    assert "<p>One.</p><p>Two &lt;2.<br>Three.</p>" in page


def test_the_page_opens_offline_and_runs_nothing(page: str) -> None:
    assert not re.search(r'(?:src|href)\s*=\s*"(?!data:)', page)
    assert "<script" not in page
    assert "url(" not in page


def test_the_page_says_what_is_practice_and_what_is_emulated(page: str) -> None:
    assert PRACTICE in page
    assert "emulated: no evidence for hardware" in page
    assert "recorded" in page


def test_what_is_not_given_is_said_to_be_missing() -> None:
    page = nk.report.page(nk.report.Evidence())
    assert page.count("was given.") == 6
    assert PRACTICE not in page


def test_a_hostile_title_stays_text() -> None:
    page = nk.report.page(nk.report.Evidence(title="<script>x</script>\udcff"))
    assert "<script" not in page


def test_a_page_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(nk.NestkitError) as error:
        nk.report.save(nk.report.Evidence(), tmp_path / "none" / "page.html")
    assert error.value.remedy


def test_a_journal_and_a_plan_are_one_too_many(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("{}")
    asked = ["report", str(tmp_path / "p.html"), "--journal", str(file), "--plan", str(file)]
    result = CliRunner().invoke(cli, asked)
    assert result.exit_code == 2
    assert "a journal holds its plan" in result.output
