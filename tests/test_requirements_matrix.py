"""The support matrix and the list of limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestkit import requirements
from nestkit.errors import DataFileError
from nestkit.requirements import matrix


def test_the_matrix_holds_what_the_guide_states() -> None:
    rows = {(row.l0, row.l1): row for row in matrix.support()}
    assert len(rows) == len(matrix.support())
    assert rows["VMware ESXi 8.0", "vSAN Witness Appliance"].supported == "yes"
    assert rows["VMware ESXi 8.0", "VMware ESXi 8.0"].supported == "no"
    cross = rows["VMware ESXi 8.0", "Hyper-V on Windows Server"]
    assert (cross.works, cross.supported) == ("yes", "no")
    back = rows["Hyper-V", "VMware ESXi"]
    assert (back.works, back.supported) == ("unreliable", "no")
    assert "PSOD" in back.condition
    assert rows["Hyper-V on Windows Server 2019 or earlier, AMD", "Hyper-V"].works == "no"
    assert any(row.l0.startswith("three") and row.works == "slow" for row in rows.values())
    assert sum("guide: " in row.source for row in rows.values()) >= 9


def test_each_limit_of_the_guide_says_which_layer_it_binds() -> None:
    limits = {limit.id: limit for limit in matrix.limits()}
    for id_ in (
        "esx.directpath-io", "esx.fault-tolerance", "esx.live-migration",
        "hyperv.live-migration", "hyperv.save-restore",
    ):  # fmt: skip
        assert limits[id_].binds == "l1"
        assert limits[id_].source.startswith("guide: ")
    assert "nested clusters" in limits["esx.live-migration"].note
    assert "811" in limits["hyperv.save-restore"].source


def test_a_limit_that_names_a_rule_names_one_that_exists() -> None:
    known = {rule.id for rule in requirements.shipped()}
    named = {limit.rule for limit in matrix.limits()} - {""}
    assert named and named <= known


HEADER = "l0,l1,works,supported,condition,source\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a,b\n", ":1: header"),
        (HEADER + "a,b,yes,no,c\n", ":2: row"),
        (HEADER + "a,b,yes,no,c,d\na,b,perhaps,no,c,d\n", ":3: works"),
        (HEADER + "a,b,yes,no,c,\n", ":2: source"),
    ],
)
def test_a_damaged_matrix_is_named_by_line_and_field(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "support.csv"
    path.write_text(text)
    with pytest.raises(DataFileError) as caught:
        matrix.support(path)
    assert place in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('binds = "l1"', 'binds = "l0"', ":4: binds"),
        ('source = ["guide"]', "source = []", ":8: source"),
        ('what = "x"', "", ":1: what"),
    ],
)
def test_a_damaged_limit_is_named_by_line_and_field(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    text = (
        '[[limit]]\nid = "x"\nplatform = "esx"\nbinds = "l1"\nwhat = "x"\nnote = "x"\nrule = ""\n'
        'source = ["guide"]\n'
    )
    path = tmp_path / "limits.toml"
    path.write_text(text)
    assert len(matrix.limits(path)) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(DataFileError) as caught:
        matrix.limits(path)
    assert place in caught.value.message
