"""Published figures: only what was measured and verified, with year, CPU and citation."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nestkit.benchmark import published_figures
from nestkit.errors import DataFileError
from nestkit.facts import Unknown
from nestkit.resources import data_path

FILE = data_path("published_overheads.csv")
HEADER = FILE.read_text(encoding="utf-8").splitlines()[0]
GOOD = "Somebody,2020,KVM on Xeon E5,KVM,cpuid loop,time,us,L2,7.5,,Table 1,yes,measured"


def write(path: Path, *rows: str) -> Path:
    file = path / "published.csv"
    file.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return file


def test_known_figures_are_there_with_all_they_need() -> None:
    """PVM (SOSP'23), Table 1: CPUID 0.54 µs in L1 and 7.10 µs in L2, on a Xeon Platinum 8269CY."""
    rows = [f for f in published_figures() if f.source.startswith("PVM") and "CPUID" in f.workload]
    assert {f.layer: f.value for f in rows if f.unit == "us"} == {"L1": 0.54, "L2": 7.10}
    assert {(f.year, f.cpu) for f in rows} == {(2023, "Xeon Platinum 8269CY")}
    for figure in published_figures():
        assert figure.citation
        assert not figure.citation.startswith("same")
        assert str(figure.year) in figure.label
        assert "published" in figure.label


def test_only_measured_and_verified_rows_are_figures() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = {
        (r["source"], r["workload"], r["metric"], r["layer"])
        for r in rows
        if r["verified"] == "yes" and r["kind"] == "measured"
    }
    figures = published_figures()
    assert len(figures) > 100
    assert all((f.source, f.workload, f.metric, f.layer) in known for f in figures)
    assert not any(f.source.startswith("NEVE") for f in figures), "no primary source was read"


def test_the_cpu_is_named_or_said_to_be_unknown(tmp_path: Path) -> None:
    bare = GOOD.replace("KVM on Xeon E5", "KVM")
    named, unnamed = published_figures(write(tmp_path, GOOD, bare))
    assert named.cpu == "Xeon E5"
    assert isinstance(unnamed.cpu, Unknown)
    assert "CPU not named" in unnamed.label


@pytest.mark.parametrize(
    ("old", "new"),
    [(",yes,", ",no,"), (",measured", ",stated"), (",2020,", ",,"), ("7.5", "7-8"), ("7.5", "many"),
     ("7.5", "nan"), ("7.5", "inf")],
)  # fmt: skip
def test_rows_that_cannot_be_drawn_honestly_are_left_out(
    tmp_path: Path, old: str, new: str
) -> None:
    assert len(published_figures(write(tmp_path, GOOD))) == 1
    assert published_figures(write(tmp_path, GOOD.replace(old, new))) == ()


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (",yes,", ",maybe,", "verified"), (",measured", ",guessed", "kind"),
        ("Table 1", "", "citation"), (",2020,", ",20201,", "year"), (",us,", ",", "row"),
        (",L2,", ",layer two,", "layer"), ("7.5,,", "7.5,x,", "relative"),
        ("Somebody", " ", "source"),
    ],
)  # fmt: skip
def test_a_malformed_row_is_named_by_file_line_and_field(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    bad = GOOD.replace(old, new)
    assert bad != GOOD
    with pytest.raises(DataFileError, match=rf"published\.csv:3: {field}"):
        published_figures(write(tmp_path, GOOD, bad))


def test_same_page_is_the_page_cited_before(tmp_path: Path) -> None:
    same = GOOD.replace("Table 1", "same page")
    first, second = published_figures(write(tmp_path, GOOD, same))
    assert first.citation == second.citation == "Table 1"
    with pytest.raises(DataFileError, match=":3: citation"):
        published_figures(write(tmp_path, GOOD, same.replace("Somebody", "Another")))


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "published.csv"
    for text in ("", "a,b\n"):
        file.write_text(text)
        with pytest.raises(DataFileError, match="header"):
            published_figures(file)
