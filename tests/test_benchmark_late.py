"""A program that does not end in time costs its sample, not the run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fake_layers import emulated_lab

from nestkit import benchmark
from nestkit.benchmark import Run, RunCutShort, find_effect
from nestkit.errors import DeadlineExceeded, RunError
from nestkit.runners.replay import Recording


def late(program: str, turns: Sequence[int]) -> Callable[[Sequence[str]], None]:
    """Stops a program in these of its turns; 0 is the warm-up."""
    count = itertools.count()

    def before(argv: Sequence[str]) -> None:
        if argv[0] == program and next(count) in turns:
            raise DeadlineExceeded(
                f"{program} did not end in 180 s in L2 and was stopped", remedy="give it more time"
            )

    return before


def taken(program: str, turns: Sequence[int]) -> Run:
    layers = emulated_lab()
    layers[2].before = late(program, turns)
    return benchmark.run(layers, rounds=9, seed=3)


def test_one_late_sample_is_missing_and_told() -> None:
    run = taken("fio", [4])
    assert run.status == "complete"
    assert "disk-read" in run.incomplete
    assert [note for note in run.notes if "did not end" in note] == [
        "disk-read, round 4: fio did not end in 180 s in L2 and was stopped"
    ]
    effect = find_effect(run, "disk-read", "L2")
    assert "incomplete: 8 of 9 rounds" in effect.note
    assert effect.interval is not None
    assert find_effect(run, "exit", "L2").note == find_effect(taken("fio", []), "exit", "L2").note


def test_a_workload_that_is_late_twice_is_given_up_and_the_others_go_on() -> None:
    run = taken("fio", [2, 3])
    assert run.status == "complete"
    assert "disk-read: no more of it was taken" in run.notes
    rounds = {s.round for s in run.counted if (s.workload, s.layer) == ("disk-read", "L2")}
    assert rounds == {1}
    assert "disk-read" in run.incomplete
    assert len([s for s in run.counted if (s.workload, s.layer) == ("exit", "L2")]) == 9


def test_a_workload_that_is_late_in_the_warm_up_is_left_out() -> None:
    run = taken("fio", [0])
    assert not [s for s in run.counted if s.workload == "disk-read"]
    assert find_effect(run, "disk-read", "L2").verdict == "not measured"
    assert any(note.startswith("disk-read was not measured: fio did") for note in run.notes)


def test_where_all_are_late_nothing_can_be_measured() -> None:
    layers = emulated_lab()
    layers[2].before = late("fio", [0])
    with pytest.raises(RunCutShort, match=r"nothing can be measured: .*fio did not end") as caught:
        benchmark.run(layers, workloads=["disk-read"], seed=3)
    assert isinstance(caught.value, RunError)
    assert not caught.value.partial.counted


def test_what_was_late_is_late_again_when_played_back(tmp_path: Path) -> None:
    layers = emulated_lab()
    layers[2].before = late("fio", [2])
    run, recording = benchmark.record(layers, rounds=3, seed=3)
    path = recording.save(tmp_path / "late.replay.json.gz")
    played = benchmark.replay(path)
    assert played.notes == run.notes
    assert played.samples == run.samples
    again = Recording.load(path)
    assert again.save(tmp_path / "again.replay.json.gz").read_bytes() == path.read_bytes()
