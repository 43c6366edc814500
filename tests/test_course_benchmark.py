"""Lesson 06: the rows that count, the overhead within 1 %, the form that measures."""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nestkit as nk
from nestkit.benchmark import Run, Sample
from nestkit.course import measure, ready
from nestkit.course.checks import check
from nestkit.course.runs import find_runs
from nestkit.errors import CourseError
from nestkit.runners.base import LayerFacts

LAYERS = ("L1", "L2")
# per round: ns per exit in L1 and in L2; the paired ratios are 8, 10, 12 and their median is 10
EXITS = [(100.0, 800.0), (110.0, 1100.0), (90.0, 1080.0)]


def sample(**changes: Any) -> Sample:
    base = Sample(
        run_id="r", round=1, order=0, layer="L1", depth=1, stack="KVM", workload="exit",
        metric="time per CPUID", unit="ns", direction="lower", value=1.0, guest_s=0.3, host_s=0.3,
        steal_frac=0.0, canary_ns=1.0, warmup=False, valid=True, reason="", env_id="e",
    )  # fmt: skip
    return replace(base, **changes)


@pytest.fixture
def run() -> Run:
    samples = []
    for number, pair in enumerate([(500.0, 500.0), *EXITS]):
        for depth, value in enumerate(pair, start=1):
            for workload, scale, direction in (("exit", 1, "lower"), ("arithmetic", 3, "higher")):
                samples.append(
                    sample(
                        round=number,
                        order=len(samples),
                        layer=f"L{depth}",
                        depth=depth,
                        workload=workload,
                        value=value * scale,
                        direction=direction,
                        unit="ns" if workload == "exit" else "1/s",
                        warmup=number == 0,
                    )
                )
    layers = tuple(
        LayerFacts(layer=name, depth=n, stack="KVM", acceleration="kvm", emulated=False)
        for n, name in enumerate(LAYERS, start=1)
    )
    return Run(
        run_id="r", origin="measured", suite="quick", status="complete", seed=1, rounds=3,
        workloads=("arithmetic", "exit"), layers=layers, provenance={}, samples=tuple(samples),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Each test has a record of its own."""


def rows(run: Run, value: Any) -> Any:
    return check("06.rows", run, value, workload="exit", layers=LAYERS)


def test_the_rows_that_count_pass_in_any_order(run: Run) -> None:
    frame = run.to_frame()
    right = frame[(frame["workload"] == "exit") & ~frame["warmup"] & frame["valid"]]
    assert rows(run, right).ok
    assert rows(run, right.sample(frac=1, random_state=1).reset_index(drop=True)).ok


def test_wrong_rows_fail_with_a_hint_that_fits(run: Run) -> None:
    frame = run.to_frame()
    exits = frame[frame["workload"] == "exit"]
    right = exits[~exits["warmup"]]
    for wrong, hint in (
        (exits, "warm-up rows"),
        (frame[~frame["warmup"]], "not arithmetic"),
        (right[right["layer"] == "L2"], "3 rows that count are missing"),
        (right[["value"]], "filter rows, not columns"),
        (right.iloc[[0, *range(len(right))]], "twice"),
        ("exit", "filter rows, not columns"),
    ):
        verdict = rows(run, wrong)
        assert verdict.status == "not right"
        assert any(hint in text for text in verdict.hints), verdict
    assert rows(run, ...).status == "not done yet"


def overhead(run: Run, value: Any, workload: str = "exit") -> Any:
    return check("06.overhead", run, value, workload=workload, layer="L2", baseline="L1")


def test_an_overhead_within_one_per_cent_passes(run: Run) -> None:
    for value in (10, 10.0, 9.9, 10.1):
        assert overhead(run, value).ok
    for value in (9.89, 10.11):
        assert overhead(run, value).status == "not right"
    # events per second: a higher figure is a shorter time
    assert overhead(run, 0.1, "arithmetic").ok


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (0.1, "turn the fraction round"),
        (9, "the ratio asked for is 1 more"),
        (900, "per cent added"),
        (1000, "divide by 100"),
        (8.5, "pair the rounds"),  # a mean with the warm-up in it
        (0, "above 0"),
        (-1, "above 0"),
        (math.nan, "above 0"),
        ("ten", "median"),
        ([10], "median"),
        ("", "median"),
        (None, "median"),
    ],
)
def test_a_wrong_overhead_gets_a_hint_that_fits(run: Run, value: Any, hint: str) -> None:
    verdict = overhead(run, value)
    assert verdict.status == "not right"
    assert any(hint in text for text in verdict.hints), verdict


def test_a_ratio_to_another_layer_is_told_from_the_one_asked_for() -> None:
    deep = nk.course.recorded_run(3)
    frame = deep.to_frame().query("workload == 'exit' and not warmup and valid")
    pairs = frame.pivot(index="round", columns="layer", values="value")
    wrong = (pairs["L3"] / pairs["L1"]).median()
    verdict = check("06.third-layer", deep, wrong, workload="exit", layer="L3", baseline="L2")
    assert verdict.status == "not right"
    assert "is L3 against L1" in verdict.message
    assert verdict.hints == ("divide by L2, round by round",)


def test_the_form_plays_a_recorded_lab_back_unless_asked_otherwise() -> None:
    form = ready.benchmark_form()
    assert form.code == 'nk.course.measure_lab(source="replay", depth=2)'
    played = form.run()
    assert form.state == "done", form.error
    assert played == nk.course.recorded_run(2)
    assert "<table" in form._output.value
    assert "no evidence about hardware" in form._output.value
    assert played.origin == "recorded"
    form.fields["nested_paging"].value = False
    assert form.code == 'nk.course.measure_lab(source="replay", depth=2, nested_paging=False)'
    assert form.run() == nk.course.recorded_run(2, nested_paging=False)


def test_what_was_not_recorded_is_said_with_what_was() -> None:
    form = ready.benchmark_form()
    form.fields["depth"].value = 0
    assert form.run() is None
    assert form.state == "failed"
    assert "depth 1" in str(form.error)
    assert "depth 2 with nested paging off" in str(form.error)
    form.fields["depth"].value = 1
    form.fields["suite"].value = 1
    form.run()
    assert "choose the suite quick" in str(form.error)
    with pytest.raises(CourseError, match="depth 3 with nested paging off was recorded"):
        nk.course.recorded_run(3, nested_paging=False)


def test_a_recorded_lab_can_be_stopped_and_keeps_what_it_has() -> None:
    stop = threading.Event()

    def after_a_while(_words: str, done: float = 0, *_rest: float) -> None:
        if done >= 30:
            stop.set()

    run = measure.measure_lab(source="replay", depth=2, progress=after_a_while, cancel=stop)
    assert run.status == "cancelled"
    assert 30 <= len(run.samples) < len(nk.course.recorded_run(2).samples)


def test_the_form_boots_measures_and_powers_off(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    seen: list[Any] = []

    class Booted:
        layers = ("one", "two")

    @contextmanager
    def up(*, depth: int, npt: bool, progress: Any, cancel: Any) -> Any:
        progress("booting")
        seen.append(("up", depth, npt, cancel.is_set()))
        yield Booted()
        seen.append("down")

    def take(layers: Any, *, suite: str, progress: Any, cancel: Any) -> Run:
        progress("round 1", 1, 30, 12.0)
        seen.append((layers, suite, cancel()))
        return run

    monkeypatch.setattr(nk.lab, "up", up, raising=False)
    monkeypatch.setattr(nk.benchmark, "run", take)
    monkeypatch.setattr(
        nk.benchmark, "with_memory", lambda taken, lab: seen.append(lab.layers) or taken
    )
    form = ready.benchmark_form("this machine")
    form.fields["depth"].value = 0
    assert form.code == 'nk.course.measure_lab(source="this machine", depth=1)'
    assert form.run() is run
    assert form.state == "done", form.error
    layers = ("one", "two")
    assert seen == [("up", 1, True, False), (layers, "quick", False), layers, "down"]
    assert run in find_runs().runs.values(), "the explore page finds what was measured"


# -- nested paging --------------------------------------------------------------------------------


def shadowed(run: Run, workload: str, times: float) -> Run:
    """The run with one workload so many times slower in L2."""
    samples = tuple(
        replace(s, value=s.value * times) if (s.workload, s.layer) == (workload, "L2") else s
        for s in run.samples
    )
    return replace(run, samples=samples)


def test_the_workloads_that_nested_paging_spares_are_those_whose_intervals_part() -> None:
    on = nk.course.recorded_run(2)
    off = shadowed(on, "first-touch", 30.0)

    def paging(value: Any) -> Any:
        return check("06.paging", on, off, value, layer="L2")

    for right in (
        ["first-touch"],
        {"first-touch"},
        "first-touch",
        ("First touch of a page",),
        pd.Series(["first-touch"]),
        "First-Touch, ",
    ):
        assert paging(right).ok, paging(right)
    for wrong, hint in (
        (["first-touch", "exit"], "exit: the two intervals overlap"),
        ([], "1 more"),
        (["paging"], "choose from arithmetic"),
        ("first-touch, exit", "exit: the two intervals overlap"),
        (3, "write their names"),
        (None, "write their names"),
        (on.summary(), "write their names"),
        ([3], "write their names"),
    ):
        verdict = paging(wrong)
        assert verdict.status == "not right"
        assert any(hint in text for text in verdict.hints), verdict
    assert paging(...).status == "not done yet"
    assert check("06.paging", on, on, set(), layer="L2").ok
