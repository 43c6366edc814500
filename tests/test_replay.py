"""Recordings: a run played back gives the same samples through the same rules."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_layers import emulated_lab

from nestkit import benchmark
from nestkit.benchmark import Run
from nestkit.errors import RunError
from nestkit.runners.base import Runner
from nestkit.runners.replay import Recorder, Recording, ReplayRunner


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Run, Path]:
    layers = emulated_lab()
    layers[2].steal = 0.03
    run, recording = benchmark.record(layers, rounds=3, seed=9)
    return run, recording.save(tmp_path / "lab.replay.json.gz")


def test_a_replayed_run_is_the_recorded_one(recorded: tuple[Run, Path]) -> None:
    run, path = recorded
    played = benchmark.replay(path)
    assert played == replace(run, origin="recorded")
    assert played.flagged


def test_what_was_left_out_is_left_out_again(tmp_path: Path) -> None:
    layers = emulated_lab(disk="")
    run, recording = benchmark.record(layers, rounds=1, seed=9)
    assert any("disk-read was not measured" in note for note in run.notes)
    played = benchmark.replay(recording.save(tmp_path / "lab.replay.json.gz"))
    assert played == replace(run, origin="recorded")


def test_the_users_home_stays_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/someone"))
    layers = emulated_lab()
    layers[0].disk = "/home/someone/.cache/disk.raw"
    run, recording = benchmark.record(layers, rounds=1, seed=1)
    path = recording.save(tmp_path / "lab.gz")
    assert b"someone" not in gzip.decompress(path.read_bytes())
    assert benchmark.replay(path) == replace(run, origin="recorded")


def test_it_can_be_played_again_and_the_table_is_the_same(recorded: tuple[Run, Path]) -> None:
    run, path = recorded
    tables = {benchmark.replay(path).summary().to_csv() for _ in range(2)}
    assert tables == {run.summary().to_csv()}


def test_the_same_recording_is_written_as_the_same_bytes(recorded: tuple[Run, Path]) -> None:
    _, path = recorded
    again = Recording.load(path).save(path.with_name("again.gz"))
    assert again.read_bytes() == path.read_bytes()


def test_live_rules_apply_to_a_replay_too(recorded: tuple[Run, Path]) -> None:
    run, path = recorded
    layers = Recording.load(path).runners()
    direct = benchmark.run(layers, rounds=3, seed=run.seed)
    assert direct.origin == "recorded"
    assert [s.value for s in direct.samples] == [s.value for s in run.samples]


def test_what_was_not_recorded_is_not_invented(recorded: tuple[Run, Path]) -> None:
    layer = Recording.load(recorded[1]).runners()[1]
    with pytest.raises(RunError, match="no further answer"):
        layer.run(["uname", "-a"], timeout=1)
    with pytest.raises(benchmark.RunCutShort):
        benchmark.run(Recording.load(recorded[1]).runners(), rounds=4, seed=9)


def test_replay_and_recorder_are_runners(recorded: tuple[Run, Path]) -> None:
    layer = Recording.load(recorded[1]).runners()[0]
    assert isinstance(layer, Runner)
    assert isinstance(Recorder(layer), Runner)
    assert (layer.layer, layer.os) == ("L0", "linux")


def test_a_recording_has_no_files(recorded: tuple[Run, Path], tmp_path: Path) -> None:
    layer = Recording.load(recorded[1]).runners()[0]
    with pytest.raises(RunError):
        layer.put(tmp_path / "a", "/a")
    with pytest.raises(RunError):
        layer.get("/a", tmp_path / "a")


def test_a_closed_layer_says_nothing_more(recorded: tuple[Run, Path]) -> None:
    layer: ReplayRunner = Recording.load(recorded[1]).runners()[0]
    layer.close()
    layer.close()
    with pytest.raises(RunError):
        layer.run(["which", "fio"], timeout=1)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_damaged_recording_is_refused(recorded: tuple[Run, Path], share: float) -> None:
    path = recorded[1]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RunError):
        benchmark.replay(path)


@pytest.mark.parametrize(
    "data", [[], {"schema": 2}, {"schema": 1}, {"schema": 1, "about": {}, "layers": [{}]},
             {"schema": 1, "about": {}, "layers": []}],
)  # fmt: skip
def test_what_is_no_recording_is_refused(tmp_path: Path, data: object) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    with pytest.raises(RunError):
        benchmark.replay(path)


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no"):
        benchmark.replay(tmp_path / "none.gz")
