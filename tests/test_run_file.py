"""Run files: the same run gives the same bytes; what was cut, edited or is newer is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from fake_layers import emulated_lab
from hypothesis import given
from hypothesis import strategies as st

from nestkit import benchmark
from nestkit.benchmark import Run, Sample
from nestkit.benchmark.samples import COLUMNS
from nestkit.errors import RunError
from nestkit.facts import Unknown
from nestkit.runners.base import LayerFacts

FRAME = [
    "run_id", "round", "order", "layer", "depth", "stack", "workload", "metric", "unit",
    "direction", "value", "guest_s", "host_s", "steal_frac", "canary_ns", "warmup", "valid",
    "reason", "env_id", "cpu_percent",
]  # fmt: skip

words = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.floats(1e-9, 1e12)
samples = st.builds(
    Sample,
    run_id=words,
    round=st.integers(0, 99),
    order=st.integers(0, 9999),
    layer=words,
    depth=st.integers(0, 4),
    stack=words,
    workload=words,
    metric=words,
    unit=words,
    direction=st.sampled_from(["higher", "lower"]),
    value=numbers,
    guest_s=numbers,
    host_s=numbers,
    steal_frac=st.floats(0, 1),
    canary_ns=numbers,
    warmup=st.booleans(),
    valid=st.booleans(),
    reason=words,
    env_id=words,
    cpu_percent=st.none() | st.floats(0, 800),
)
unknown = st.builds(Unknown, words)
layers = st.builds(
    LayerFacts,
    layer=words,
    depth=st.integers(0, 4),
    stack=words,
    acceleration=st.sampled_from(["none", "kvm", "tcg", "hyper-v", "esxi"]),
    emulated=st.booleans(),
    cpu_model=words | unknown,
    cpu_count=st.integers(1, 99) | unknown,
    hypervisor_leaves=st.lists(words, max_size=3).map(tuple) | unknown,
    extra=st.dictionaries(words, words, max_size=3),
)
runs = st.builds(
    Run,
    run_id=words,
    origin=st.sampled_from(["measured", "recorded", "practice", "published"]),
    suite=words,
    status=st.sampled_from(["complete", "cancelled", "out of time", "failed"]),
    seed=st.integers(0, 2**64),
    rounds=st.integers(1, 99),
    workloads=st.lists(words, max_size=3).map(tuple),
    layers=st.lists(layers, max_size=3).map(tuple),
    provenance=st.dictionaries(words, words | st.dictionaries(words, words, max_size=2)),
    samples=st.lists(samples, max_size=5).map(tuple),
    notes=st.lists(words, max_size=2).map(tuple),
)


@pytest.fixture
def run() -> Run:
    return benchmark.run(emulated_lab(), rounds=2, seed=5)


@given(run=runs)
def test_a_run_comes_back_as_it_was_and_is_written_the_same_again(run: Run, tmp_path: Path) -> None:
    first = run.save(tmp_path / "one.json").read_bytes()
    back = Run.load(tmp_path / "one.json")
    assert back == run
    assert back.save(tmp_path / "two.json").read_bytes() == first


def test_the_columns_are_the_frames() -> None:
    assert list(COLUMNS) == FRAME


def test_the_frame_has_a_row_a_sample_and_nothing_else(run: Run) -> None:
    frame = run.to_frame()
    assert list(frame.columns) == FRAME
    assert len(frame) == len(run.samples)
    assert frame["value"].tolist() == [s.value for s in run.samples]


def test_an_empty_run_has_an_empty_frame_with_all_columns(run: Run) -> None:
    assert list(replace(run, samples=()).to_frame().columns) == FRAME


def test_no_overhead_is_stored(run: Run, tmp_path: Path) -> None:
    text = run.save(tmp_path / "run.json").read_text(encoding="utf-8")
    assert not {"ratio", "slowdown", "overhead"} & set(json.loads(text)["samples"][0])


def test_the_file_names_the_acceleration_of_each_layer(run: Run, tmp_path: Path) -> None:
    data = json.loads(run.save(tmp_path / "run.json").read_text(encoding="utf-8"))
    assert data["schema"] == 2
    assert data["acceleration"] == {f.layer: f.acceleration for f in run.layers}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_off_is_refused(run: Run, tmp_path: Path, share: float) -> None:
    path = run.save(tmp_path / "run.json")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole.rstrip()) * share)])
    with pytest.raises(RunError) as caught:
        Run.load(path)
    assert str(path) in caught.value.message
    assert caught.value.remedy


def _sample_value(data: dict[str, Any]) -> None:
    data["samples"][3]["value"] *= 0.9


def _origin(data: dict[str, Any]) -> None:
    data["origin"] = "recorded" if data["origin"] == "measured" else "measured"


def _emulated(data: dict[str, Any]) -> None:
    data["layers"][1]["emulated"] = False


def _row_dropped(data: dict[str, Any]) -> None:
    del data["samples"][7]


@pytest.mark.parametrize("edit", [_sample_value, _origin, _emulated, _row_dropped])
def test_an_edited_file_is_refused(run: Run, tmp_path: Path, edit: Any) -> None:
    path = run.save(tmp_path / "run.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RunError, match="edited"):
        Run.load(path)


def test_an_edited_file_whose_checksum_was_taken_out_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run.to_json()), encoding="utf-8")
    with pytest.raises(RunError, match="no checksum"):
        Run.load(path)


@pytest.mark.parametrize(
    "bad",
    [
        {"depth": "1"}, {"depth": True}, {"layer": 3}, {"stack": None}, {"emulated": "no"},
        {"acceleration": "magic"}, {"extra": {"disk": 3}}, {"extra": [1]}, {"extra": None},
        {"color": "red"}, {"depth": -1}, {"cpu_count": "2"}, {"memory_mib": {"a": 1}},
        {"kernel": 6}, {"kernel": {"unknown": 3}}, {"hypervisor_leaves": "KVMKVMKVM"},
    ],
)  # fmt: skip
def test_layers_that_are_none_are_refused(run: Run, bad: dict[str, Any]) -> None:
    data = run.to_json()
    data["layers"][1] |= bad
    with pytest.raises(RunError, match="not a whole run"):
        Run.from_json(data)


@pytest.mark.parametrize("name", ["seed", "rounds"])
def test_a_number_that_is_none_is_refused(run: Run, name: str) -> None:
    with pytest.raises(RunError, match="not a whole run"):
        Run.from_json(run.to_json() | {name: float("inf")})


@pytest.mark.parametrize(
    "bad",
    [
        {"run_id": None}, {"suite": {}}, {"seed": "7"}, {"rounds": 9.7}, {"rounds": 0},
        {"workloads": "exit"}, {"workloads": [1]}, {"notes": "noisy"},
        {"notes": [None]}, {"layers": {}}, {"samples": {}},
        {"provenance": {"memory": [{}]}}, {"provenance": {"memory": "much"}},
    ],
)  # fmt: skip
def test_parts_of_other_types_are_refused_when_read_and_not_when_shown(
    run: Run, bad: dict[str, Any]
) -> None:
    with pytest.raises(RunError, match="not a whole run"):
        Run.from_json(run.to_json() | bad)


def test_a_run_without_layers_cannot_be_shown_and_says_so(run: Run) -> None:
    empty = Run.from_json(run.to_json() | {"layers": [], "samples": []})
    with pytest.raises(RunError, match="no layers"):
        str(empty)


def test_a_run_whose_workloads_were_all_unticked_has_an_empty_table(run: Run) -> None:
    table = replace(run, workloads=(), samples=()).summary()
    assert table.empty
    assert "ratio" in table.columns


def test_a_file_laid_out_anew_is_the_same_run(run: Run, tmp_path: Path) -> None:
    path = run.save(tmp_path / "run.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(data, indent=8, ensure_ascii=True), encoding="utf-8")
    assert Run.load(path) == run


def test_a_newer_schema_is_refused_with_the_way_out(run: Run, tmp_path: Path) -> None:
    path = run.save(tmp_path / "run.json")
    data = json.loads(path.read_text(encoding="utf-8")) | {"schema": 3}
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RunError, match="schema 3") as caught:
        Run.load(path)
    assert "upgrade" in caught.value.remedy


def test_a_file_of_schema_1_is_read_and_written_as_it_was(run: Run, tmp_path: Path) -> None:
    """Schema 1 had no cpu_percent; what was recorded under it must not change."""
    plain = tuple(replace(sample, cpu_percent=None) for sample in run.samples)
    old = replace(run, schema=1, samples=plain)
    path = old.save(tmp_path / "old.json")
    assert "cpu_percent" not in path.read_text(encoding="utf-8")
    assert Run.load(path) == old
    assert Run.load(path).save(tmp_path / "again.json").read_bytes() == path.read_bytes()
    data = old.to_json() | {"schema": 2}
    with pytest.raises(RunError, match="columns"):
        Run.from_json(data)


@pytest.mark.parametrize("schema", [0, -1, True, 1.0, "1", None])
def test_what_is_no_schema_is_refused(run: Run, schema: object) -> None:
    with pytest.raises(RunError, match="schema"):
        Run.from_json(run.to_json() | {"schema": schema})


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "3", '"run"', "null", '{"samples": []}', "\x00", "[" * 100_000]
)
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError):
        Run.load(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="UTF-8"):
        Run.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nothing\.json"):
        Run.load(tmp_path / "nothing.json")


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        run.save(tmp_path / "no" / "run.json")


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        ("value", 0), ("value", -1), ("value", "7"), ("value", None), ("value", True),
        ("round", 1.5), ("layer", 1), ("warmup", 0), ("direction", "up"), ("steal_frac", None),
        ("cpu_percent", -1), ("cpu_percent", "7"), ("cpu_percent", float("nan")),
    ],
)  # fmt: skip
def test_a_row_without_a_checksum_is_still_checked(run: Run, column: str, bad: object) -> None:
    data = run.to_json()
    data["samples"][0][column] = bad
    with pytest.raises(RunError):
        Run.from_json(data)


def test_missing_parts_are_refused(run: Run) -> None:
    for name in [field.name for field in fields(Run) if field.name != "schema"]:
        data = run.to_json()
        del data[name]
        with pytest.raises(RunError):
            Run.from_json(data)
