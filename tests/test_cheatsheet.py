"""The cheat sheet is what the data give, and holds every rule, cell and limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestkit.course import cheatsheet
from nestkit.requirements import rules
from nestkit.requirements.matrix import limits, support
from nestkit.resources import data_path

PAGE = data_path().parent / "docs" / "cheatsheet.md"


def test_the_committed_page_is_up_to_date() -> None:
    assert cheatsheet.main([]) == 0
    assert PAGE.read_text(encoding="utf-8") == cheatsheet.page()


def test_every_rule_cell_and_limit_has_its_row() -> None:
    lines = cheatsheet.page().splitlines()
    for platform in ("esx", "hyperv"):
        for rule in rules(platform):
            (row,) = [line for line in lines if line.endswith(f"| `{rule.id}` |")]
            assert f"| {rule.strength} |" in row
            assert rule.required.replace("|", "\\|") in row
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == sum(len(rules(p)) for p in ("esx", "hyperv")) + len(support()) + len(
        limits()
    ) + 2 * (6 + 2)
    assert any("unreliable" in row and "VMware ESXi" in row for row in rows)


def test_tables_are_whole() -> None:
    blocks = cheatsheet.page().split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("| ")]
    assert len(tables) == 8
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_a_stale_page_is_named_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sheet.md"
    assert cheatsheet.main(["--file", str(file)]) == 1
    assert "--write" in capsys.readouterr().err
    assert cheatsheet.main(["--write", "--file", str(file)]) == 0
    assert cheatsheet.main(["--file", str(file)]) == 0
    file.write_text("old", encoding="utf-8")
    assert cheatsheet.main(["--file", str(file)]) == 1
    assert cheatsheet.main(["--write", "--file", str(tmp_path / "no" / "x.md")]) == 2
