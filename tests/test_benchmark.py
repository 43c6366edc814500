"""Taking a run: each rule of measuring has a test that fails when the rule is broken."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_layers import HASH, FakeLayer, World, emulated_lab

from nestkit import benchmark
from nestkit.benchmark import SUITES, WORKLOADS, Run, RunCutShort, find_effect
from nestkit.benchmark.effects import compare
from nestkit.benchmark.provenance import base_is_virtual
from nestkit.errors import DeadlineExceeded, RunError
from nestkit.facts import Unknown

QUICK = tuple(w for w in SUITES["quick"].workloads if w != "network")  # needs a link between two


def pair(world: World | None = None, inner: float = 1.0, **knobs: Any) -> list[FakeLayer]:
    """Two layers with hardware virtualization; the inner one costs ``inner`` times as much."""
    world = world or World()
    costs = dict.fromkeys(WORKLOADS, inner)
    return [FakeLayer(world, "L0"), FakeLayer(world, "L1", 1, slowdown=costs, **knobs)]


def options(argv: Sequence[str]) -> dict[str, str]:
    """The words of a command that name a value."""
    return dict(word.split("=", 1) for word in argv if "=" in word)


def reasons(run: Run, layer: str) -> set[str]:
    return {s.reason for s in run.counted if s.layer == layer}


# ---------------------------------------------------------------- R1 rounds


def test_each_round_takes_every_workload_once_in_every_layer() -> None:
    run = benchmark.run(emulated_lab(), seed=1)
    expected = set(itertools.product(QUICK, ("L0", "L1", "L2")))
    for number in range(1, 11):
        rows = [s for s in run.counted if s.round == number]
        assert len(rows) == len(expected)
        assert {(s.workload, s.layer) for s in rows} == expected
    assert [s.order for s in run.samples] == list(range(len(run.samples)))


def test_the_order_is_random_and_seeded() -> None:
    def order(seed: int) -> list[tuple[str, str]]:
        run = benchmark.run(emulated_lab(), seed=seed)
        return [(s.workload, s.layer) for s in run.counted]

    first = order(1)
    assert order(1) == first
    assert order(2) != first
    rounds = {tuple(first[i : i + 18]) for i in range(0, len(first), 18)}
    assert len(rounds) > 5
    workloads = {tuple(w for w, _ in first[i : i + 18 : 3]) for i in range(0, len(first), 18)}
    assert len(workloads) > 5, "the workloads take turns too, not only the layers"
    firsts = Counter(layer for (_, layer) in first[::3])
    assert set(firsts) == {"L0", "L1", "L2"}


def test_the_seed_is_kept_where_none_was_given() -> None:
    run = benchmark.run(emulated_lab(), rounds=2)
    again = benchmark.run(emulated_lab(), rounds=2, seed=run.seed)
    assert [s.layer for s in again.samples] == [s.layer for s in run.samples]


@pytest.mark.parametrize(("suite", "rounds"), [("quick", 10), ("full", 30)])
def test_the_number_of_rounds_is_fixed_however_narrow_the_interval(suite: str, rounds: int) -> None:
    run = benchmark.run(pair(World(noise=0.0), inner=5.0), suite=suite, seed=1)
    assert run.rounds == SUITES[suite].rounds == rounds
    assert max(s.round for s in run.samples) == rounds
    assert run.status == "complete"


# ---------------------------------------------------------------- R2 paired ratios


def test_the_effect_is_the_median_of_paired_ratios_of_time_per_operation() -> None:
    run = benchmark.run(pair(World(3, noise=0.2), inner=2.0), seed=1)
    rates: dict[str, dict[int, float]] = {"L0": {}, "L1": {}}
    for s in run.counted:
        if s.workload == "arithmetic":
            rates[s.layer][s.round] = s.value
    ratios = sorted(rates["L0"][r] / rates["L1"][r] for r in range(1, 11))
    effect = find_effect(run, "arithmetic", "L1")
    assert effect.ratio == pytest.approx(statistics.median(ratios), rel=1e-12)
    assert effect.ratio_low == pytest.approx(ratios[1], rel=1e-12)
    assert effect.ratio_high == pytest.approx(ratios[8], rel=1e-12)
    assert effect.coverage == pytest.approx(0.978515625)


def test_a_disturbance_that_hits_a_whole_round_leaves_its_ratio_alone() -> None:
    """Pairing is what makes a slow round harmless: unpaired, these rounds would blur all."""
    world = World(noise=0.0)
    layers = pair(world, inner=1.5)
    run = benchmark.run(layers, seed=1)
    drifting = tuple(
        replace(s, value=s.value * (1 + s.round / 10) if s.direction == "lower" else s.value)
        for s in run.samples
    )
    effect = find_effect(replace(run, samples=drifting), "exit", "L1")
    assert effect.ratio == pytest.approx(1.5, rel=1e-3)
    assert effect.interval is not None
    assert effect.interval.high / effect.interval.low < 1.001


def test_an_interval_that_holds_1_is_no_measurable_difference() -> None:
    run = benchmark.run(pair(World(2, noise=0.05)), seed=2)
    effect = find_effect(run, "exit", "L1")
    assert effect.interval is not None
    assert effect.interval.contains(1.0)
    assert effect.verdict == "no measurable difference"


def test_slower_and_faster_are_told_apart_in_both_directions_of_a_metric() -> None:
    for inner, verdict in ((2.0, "slower"), (0.5, "faster")):
        run = benchmark.run(pair(inner=inner), seed=1)
        for workload in QUICK:
            is_cache = inner < 1 and WORKLOADS[workload].is_disk
            expected = "a cache answers" if is_cache else verdict
            assert find_effect(run, workload, "L1").verdict == expected


def test_five_rounds_are_too_few_to_say() -> None:
    run = benchmark.run(pair(inner=3.0), rounds=5, seed=1)
    assert find_effect(run, "exit", "L1").verdict == "too few rounds"


def test_large_values_are_written_out() -> None:
    run = benchmark.run(pair(World(noise=0.0)), "full", seed=1, rounds=1)
    assert "10,000 MiB/s" in str(run)
    assert "e+0" not in str(run)


def test_the_table_is_the_same_every_time() -> None:
    run = benchmark.run(emulated_lab(), seed=1)
    assert run.summary().to_csv() == run.summary().to_csv()
    assert "ratio" not in run.to_frame()


def test_identical_layers_are_rarely_called_different() -> None:
    """A/A: 20 seeds, six workloads; stated is one false alarm in 46, allowed one in ten."""
    alarms = 0
    for seed in range(20):
        run = benchmark.run(pair(World(seed, noise=0.03)), seed=seed)
        alarms += sum(find_effect(run, w, "L1").verdict in ("slower", "faster") for w in QUICK)
    assert alarms <= 12


def test_a_slowdown_of_a_tenth_is_found() -> None:
    found = 0
    for seed in range(20):
        run = benchmark.run(pair(World(seed, noise=0.03), inner=1.1), seed=seed)
        found += find_effect(run, "arithmetic", "L1").verdict == "slower"
    assert found >= 18


# ---------------------------------------------------------------- R3 warm-up and sample length


def test_warm_ups_are_kept_and_not_counted() -> None:
    run = benchmark.run(emulated_lab(), seed=1)
    warm = [s for s in run.samples if s.warmup]
    assert {(s.workload, s.layer) for s in warm} == set(
        itertools.product(QUICK, ("L0", "L1", "L2"))
    )
    assert all(s.round == 0 for s in warm)
    assert len(run.counted) == len(run.samples) - len(warm)
    spoilt = tuple(replace(s, value=s.value * 100) if s.warmup else s for s in run.samples)
    assert replace(run, samples=spoilt).summary().equals(run.summary())


def test_samples_last_at_least_100_ms_in_slow_layers_and_fast_ones() -> None:
    for speed in (0.01, 1.0, 300.0):
        run = benchmark.run(pair(inner=speed), seed=1, rounds=2)
        assert all(s.host_s >= 0.1 for s in run.counted)
        assert not run.flagged


def test_samples_may_be_shorter_or_longer_than_the_suites() -> None:
    run = benchmark.run(pair(), seed=1, sample_s=0.15, workloads=["exit", "arithmetic"])
    assert run.provenance["sample_s"] == 0.15
    assert not run.flagged
    assert max(s.host_s for s in run.counted) < 0.25


def test_a_disks_throughput_stands_beside_the_cpu_it_took() -> None:
    run = benchmark.run(pair(), seed=1, rounds=1, workloads=["exit", "disk-read"])
    assert {s.cpu_percent for s in run.samples if s.workload == "disk-read"} == {7.5}
    assert {s.cpu_percent for s in run.samples if s.workload == "exit"} == {None}


def test_a_machine_that_is_busy_while_counts_are_found_does_not_shorten_the_samples() -> None:
    layers = pair(World(noise=0.0))
    calls = itertools.count()

    def busy(argv: Sequence[str]) -> None:
        if argv[0] == "sysbench":
            layers[1].slowdown = {"arithmetic": 4.0 if next(calls) == 0 else 1.0}

    layers[1].before = busy
    run = benchmark.run(layers, seed=1, rounds=2, workloads=["arithmetic"])
    assert all(s.host_s > 0.25 for s in run.counted if s.layer == "L1")


def test_a_sample_that_is_too_short_is_flagged() -> None:
    layers = pair()
    layers[1].short = 0.2
    run = benchmark.run(layers, seed=1, workloads=["exit"])
    assert all("shorter than 100 ms" in reason for reason in reasons(run, "L1"))
    assert reasons(run, "L0") == {""}


def test_no_outlier_is_dropped() -> None:
    run = benchmark.run(pair(World(1, noise=1.5)), seed=1)
    assert {e.n for e in compare(run) if e.verdict != "not measured"} == {10}
    assert len(run.counted) == 2 * len(QUICK) * 10
    assert all(s.valid for s in run.counted)


# ---------------------------------------------------------------- R4 two clocks


@pytest.mark.parametrize("rate", [0.97, 1.03])
def test_a_guest_clock_that_runs_wrong_is_flagged(rate: float) -> None:
    run = benchmark.run(pair(clock_rate=rate), seed=1)
    late = [s for s in run.counted if s.layer == "L1" and s.round > 2]
    assert all("clocks differ" in s.reason for s in late)
    assert reasons(run, "L0") == {""}


@pytest.mark.parametrize("rate", [0.995, 1.0, 1.005])
def test_a_guest_clock_within_one_per_cent_is_not(rate: float) -> None:
    run = benchmark.run(pair(clock_rate=rate), seed=1)
    assert not run.flagged


def test_a_clock_that_jumps_once_is_flagged_and_forgotten() -> None:
    layers = pair()
    inner = layers[1]
    jumps = itertools.count()

    def jump(argv: Sequence[str]) -> None:
        if argv[0] == "fio" and next(jumps) == 4:
            inner.guest_now += 2.0

    inner.before = jump
    run = benchmark.run(layers, suite="full", seed=1)
    flagged = [s.order for s in run.flagged]
    assert flagged
    assert len(flagged) < 12
    assert max(flagged) < 60


# ---------------------------------------------------------------- R5 steal, canary, noise


def test_steal_above_one_per_cent_is_flagged_and_the_data_kept() -> None:
    quiet = benchmark.run(pair(steal=0.004), seed=1)
    assert not quiet.flagged
    run = benchmark.run(pair(steal=0.05), seed=1)
    assert all(reason.startswith("steal 5.0%") for reason in reasons(run, "L1"))
    assert len(run.counted) == 2 * len(QUICK) * 10


def test_what_is_stolen_from_the_machine_below_counts_in_every_layer() -> None:
    layers = pair()
    layers[0].steal = 0.05
    run = benchmark.run(layers, seed=1)
    assert all("steal" in reason for reason in reasons(run, "L1"))
    assert run.too_noisy


def test_half_of_the_samples_flagged_is_not_yet_too_noisy() -> None:
    run = benchmark.run(pair(steal=0.05), seed=1)
    assert len(run.flagged) == len(run.counted) / 2
    assert not run.too_noisy


def test_over_half_flagged_ends_with_too_noisy_and_all_the_data() -> None:
    layers = emulated_lab()
    for layer in layers[1:]:
        layer.steal = 0.05
    run = benchmark.run(layers, seed=1)
    assert run.too_noisy
    assert any("too noisy" in note for note in run.notes)
    assert len(run.counted) == 10 * 3 * len(QUICK)
    assert "too noisy" in str(run)
    assert run.status == "complete"


def test_a_round_whose_canary_drifts_is_flagged() -> None:
    layers = pair(World(noise=0.0))
    base = layers[0]
    canaries = itertools.count()

    def slow(argv: Sequence[str]) -> None:
        # the canary is the base's arithmetic outside its turn: count all of them
        fourth = argv[0] == "sysbench" and next(canaries) == 8
        base.slowdown = {"arithmetic": 1.3} if fourth else {}

    base.before = slow
    run = benchmark.run(layers, seed=1, workloads=["exit"])
    flags = {s.round: s.reason for s in run.counted if s.reason}
    assert len(flags) == 1
    assert set(flags.values()) == {"canary +30%"}
    assert len([s for s in run.counted if s.reason]) == 2


# ---------------------------------------------------------------- R6, R7, R8, R9


def test_layers_with_different_cpu_counts_are_noted() -> None:
    assert not benchmark.run(pair(), seed=1, rounds=1, workloads=QUICK).notes
    run = benchmark.run(pair(cpu_count=4), seed=1, rounds=1)
    assert any("CPUs differ" in note for note in run.notes)
    pinned = pair(cpu_count=1)
    pinned[0].cpu_count, pinned[0].cpus_used = 2, "1"
    assert not benchmark.run(pinned, seed=1, rounds=1, workloads=QUICK).notes


def test_every_layer_does_the_same_work() -> None:
    """The working set is in the command and in the probe, which is one binary by its hash."""
    layers = pair(cpu_count=2)
    layers[0].cpu_count = 2
    run = benchmark.run(layers, "full", seed=1, rounds=1)
    assert {s.workload for s in run.samples} == set(WORKLOADS) - {"network"}
    counts = ("--events=", "--memory-total-size=")  # fill a sample, whatever the layer's speed
    outer, inner = (
        {tuple(w for w in c if not w.startswith(counts)) for c in layer.commands}
        for layer in layers
    )
    assert outer == inner


def test_what_takes_two_cpus_is_left_out_with_one_and_never_made_up() -> None:
    run = benchmark.run(pair(), "full", seed=1, rounds=1)
    assert find_effect(run, "wake-up-across", "L1").verdict == "not measured"
    assert find_effect(run, "wake-up-across", "L1").median is None
    assert any("wake-up-across was not measured: L0 has 1 CPU, not 2" in n for n in run.notes)
    assert "incomplete" not in str(run), "left out from the start is not cut short"
    with pytest.raises(RunError, match="1 CPU"):
        benchmark.run(pair(), seed=1, rounds=1, workloads=["wake-up-across"])
    pinned = pair(cpu_count=2)
    pinned[0].cpu_count, pinned[0].cpus_used = 2, "1"
    run = benchmark.run(pinned, "full", seed=1, rounds=1)
    assert find_effect(run, "wake-up-across", "L1").verdict == "not measured"


def test_disk_requests_go_around_the_guests_cache() -> None:
    layers = pair()
    benchmark.run(layers, "full", seed=1, rounds=1)
    fio = [c for layer in layers for c in layer.commands if c[0] == "fio"]
    assert {(w["--rw"], w["--iodepth"]) for w in map(options, fio)} == set(
        itertools.product(("randread", "randwrite"), ("1", "32"))
    )
    assert all("--direct=1" in c and "--filename=/dev/vdb" in c for c in fio)
    assert all(("--readonly" in c) == ("--rw=randread" in c) for c in fio)
    queued = [w["--ioengine"] for w in map(options, fio) if w["--iodepth"] == "32"]
    assert set(queued) == {"libaio"}, "a synchronous engine would keep a depth of 1"


def test_a_disk_that_is_faster_inside_carries_a_cache_warning() -> None:
    run = benchmark.run(pair(inner=0.5), seed=1)
    assert "a cache answers" in find_effect(run, "disk-read", "L1").note
    assert "a cache answers" in str(run)
    assert "a cache answers" in find_effect(run, "disk-read", "L0", baseline="L1").note
    assert not find_effect(run, "exit", "L1").note
    slower = benchmark.run(pair(inner=2.0), seed=1)
    assert "cache" not in find_effect(slower, "disk-read", "L1").note


def test_a_disk_behind_a_cache_is_warned_of_from_the_start() -> None:
    cached = {"disk_cache": "writeback: this file system takes no direct I/O"}
    run = benchmark.run(pair(paths=cached), seed=1, rounds=1)
    assert "L1: disk figures may be a cache's, not the disk's (writeback" in str(run)
    assert "cache" not in str(benchmark.run(pair(paths={"disk_cache": "none"}), seed=1, rounds=1))


def test_few_rounds_are_no_proof_of_a_cache() -> None:
    run = benchmark.run(pair(inner=0.5), seed=1, rounds=5)
    assert find_effect(run, "disk-read", "L1").verdict == "too few rounds"


def test_a_disk_is_not_said_to_be_faster_inside_nor_slower_outside() -> None:
    run = benchmark.run(pair(inner=0.5), seed=1)
    assert find_effect(run, "disk-read", "L1").verdict == "a cache answers"
    assert find_effect(run, "disk-read", "L0", baseline="L1").verdict == "a cache answers"


@pytest.mark.parametrize("baseline", ["L0", "L1"])
def test_a_disk_that_beats_any_layer_outside_is_warned_of_whatever_the_baseline(
    baseline: str,
) -> None:
    """L1's disk is slow, L2's is a cache: against L1 alone, or with L0 aside, it must show."""
    layers = emulated_lab()
    layers[1].slowdown = {"disk-read": 3.0}
    layers[2].slowdown = {"disk-read": 0.3}
    run = benchmark.run(layers, seed=1)
    l1, l2 = (find_effect(run, "disk-read", name, baseline=baseline) for name in ("L1", "L2"))
    assert l2.verdict == "a cache answers"
    other = "L1" if baseline == "L0" else "L0"
    assert f"faster than {other}: a cache answers" in str(run.summary(baseline)["note"].tolist())
    assert "cache" not in l1.note


def test_another_binary_makes_rows_not_comparable() -> None:
    layers = emulated_lab()
    layers[2].hashes = {"sysbench": "b" * 64}
    run = benchmark.run(layers, seed=1)
    odd = [s for s in run.counted if not s.valid]
    assert {(s.workload, s.layer) for s in odd} == {("arithmetic", "L2")}
    assert find_effect(run, "arithmetic", "L2").verdict == "not comparable"
    assert find_effect(run, "arithmetic", "L2").ratio is None
    assert find_effect(run, "exit", "L2").verdict == "slower"


def test_a_binary_without_a_hash_is_not_comparable() -> None:
    run = benchmark.run(pair(hashes={"fio": ""}), seed=1)
    assert find_effect(run, "disk-read", "L1").verdict == "not comparable"


def test_binaries_whose_hashes_are_all_unknown_are_not_taken_for_the_same() -> None:
    layers = pair(hashes={"fio": ""})
    layers[0].hashes = {"fio": ""}
    run = benchmark.run(layers, seed=1)
    assert find_effect(run, "disk-read", "L1").verdict == "not comparable"
    assert "the hash of fio is unknown" in str(run)


@pytest.mark.parametrize(
    ("leaves", "said", "expected"),
    [
        (("KVMKVMKVM",), "", "yes: KVMKVMKVM"),
        ((), "yes", "yes"),
        ((), "", "no"),
        (Unknown("no probe"), "", "no probe"),
    ],
)
def test_a_base_that_is_itself_virtual_says_so(leaves: Any, said: str, expected: str) -> None:
    facts = FakeLayer(World(), paths={"base_is_virtual": said}).facts()
    assert expected in base_is_virtual(replace(facts, hypervisor_leaves=leaves))


def test_a_run_says_when_it_was_taken() -> None:
    run = benchmark.run(pair(), seed=1, rounds=1, workloads=["exit"])
    taken = datetime.fromisoformat(run.provenance["date_utc"])
    assert abs(datetime.now(UTC) - taken).total_seconds() < 600


def test_provenance_says_where_the_figures_come_from() -> None:
    run = benchmark.run(pair(), seed=7, rounds=1)
    assert set(run.provenance) >= {
        "date_utc", "nestkit", "python", "host_os", "host_cpu", "host_machine", "sample_s",
        "base_is_virtual", "tools",
    }  # fmt: skip
    assert run.provenance["tools"]["L1"]["fio"] == HASH
    assert run.seed == 7
    assert run.facts("L1").kernel == "6.1.0"
    assert {s.env_id for s in run.samples if s.layer == "L0"} != {
        s.env_id for s in run.samples if s.layer == "L1"
    }


def test_a_layer_that_contradicts_the_way_to_it_is_noted_in_the_run() -> None:
    text = "L1 is not what the way to it says: CPUID names an emulator (TCG)"
    run = benchmark.run(pair(paths={"contradiction": text}), seed=1, rounds=1)
    assert text in run.notes
    assert text in str(run)


def test_no_path_of_this_machine_gets_into_a_run() -> None:
    runs = []
    for folder in ("one", "two"):
        layers = pair()
        layers[0].disk = f"/home/someone/.cache/nestkit/run/{folder}/disk.raw"
        layers[0].paths = {"path:fio": "/home/someone/fio"}
        runs.append(benchmark.run(layers, seed=1, rounds=1))
    assert "someone" not in str(runs[0].to_json())
    assert runs[0].facts("L0").extra["disk"] == "disk.raw"
    assert runs[0].facts("L1").extra["disk"] == "/dev/vdb"
    assert {s.env_id for s in runs[0].samples} == {s.env_id for s in runs[1].samples}


# ---------------------------------------------------------------- R10 emulation


def test_under_an_emulator_the_baseline_is_l1_and_l0_stands_beside_it() -> None:
    run = benchmark.run(emulated_lab(), seed=1, workloads=QUICK)
    assert run.default_baseline == "L1"
    frame = run.summary()
    assert set(frame.loc[frame["layer"] == "L0", "verdict"]) == {"this machine, not emulated"}
    assert frame.loc[frame["layer"] == "L0", "ratio"].isna().all()
    assert frame.loc[frame["layer"] == "L0", "median"].notna().all()
    assert set(frame.loc[frame["layer"] == "L2", "baseline"]) == {"L1"}
    assert frame.loc[frame["emulated"], "note"].str.contains("emulated").all()
    assert any("emulated (TCG)" in note for note in run.notes)


def test_l0_may_be_asked_for() -> None:
    run = benchmark.run(emulated_lab(), seed=1, workloads=QUICK)
    frame = run.summary(baseline="L0")
    assert frame.loc[frame["layer"] == "L1", "ratio"].notna().all()


def test_with_hardware_virtualization_the_baseline_is_l0() -> None:
    assert benchmark.run(pair(), seed=1, rounds=1).default_baseline == "L0"


def test_the_point_of_it_all_exits_cost_arithmetic_does_not() -> None:
    run = benchmark.run(emulated_lab(), seed=1)
    dear, cheap = find_effect(run, "exit", "L2"), find_effect(run, "arithmetic", "L2")
    assert dear.interval is not None
    assert cheap.interval is not None
    assert dear.interval.median >= 5 * cheap.interval.median
    assert dear.interval.disjoint(cheap.interval)


# ---------------------------------------------------------------- R11 errors, and nothing lost


def test_an_output_cut_off_in_the_middle_ends_the_run_and_keeps_what_was_measured() -> None:
    layers = pair()
    count = itertools.count()

    def cut(argv: Sequence[str], text: str) -> str:
        return text[:40] if argv[0] == "fio" and next(count) == 5 else text

    layers[1].broken = cut
    with pytest.raises(RunCutShort) as caught:
        benchmark.run(layers, seed=1)
    assert "fio in L1" in caught.value.message
    partial = caught.value.partial
    assert partial.status == "failed"
    assert 0 < len(partial.counted) < 60
    assert all(s.value > 0 for s in partial.samples)
    assert "incomplete" in find_effect(partial, "exit", "L1").note


def test_a_tool_that_fails_is_an_error_whatever_it_printed() -> None:
    class Failing(FakeLayer):
        def _answer(self, argv: list[str]) -> tuple[int, str, str]:
            rc, out, err = super()._answer(argv)
            return (3 if argv[0] == "fio" else rc), out, err

    with pytest.raises(RunCutShort, match="fio in L0 ended with status 3"):
        benchmark.run([Failing(World())], seed=1, workloads=["exit", "disk-read"])


def test_a_layer_that_stops_answering_keeps_what_was_measured() -> None:
    layers = pair()
    count = itertools.count()

    def hang(argv: Sequence[str]) -> None:
        if next(count) >= 60:
            raise DeadlineExceeded("L1 did not answer in 60 s", remedy="boot the lab again")

    layers[1].before = hang
    with pytest.raises(RunCutShort, match="did not answer") as caught:
        benchmark.run(layers, seed=1)
    assert caught.value.remedy == "boot the lab again"
    assert caught.value.partial.samples


def test_a_tool_that_is_missing_leaves_its_workload_out_and_says_so() -> None:
    run = benchmark.run(pair(missing=("nestkit-probe",)), seed=1, rounds=1)
    assert {s.workload for s in run.samples} == {"arithmetic", "disk-read"}
    assert "exit was not measured: L1 has no nestkit-probe" in run.notes


def test_a_missing_tool_is_an_error_where_its_workload_was_asked_for() -> None:
    with pytest.raises(RunError, match="L1 has no fio"):
        benchmark.run(pair(missing=("fio",)), seed=1, workloads=["disk-read", "exit"])


def test_without_any_tool_there_is_nothing_to_measure() -> None:
    tools = ("sysbench", "fio", "nestkit-probe")
    with pytest.raises(RunError, match="nothing can be measured"):
        benchmark.run(pair(missing=tools), seed=1)


def test_a_text_that_is_no_unicode_can_still_be_shown() -> None:
    layers = pair()
    layers[1].broken = lambda argv, text: "\udcff\udcfe" if argv[0] == "fio" else text
    with pytest.raises(RunCutShort) as caught:
        benchmark.run(layers, seed=1)
    str(caught.value).encode("utf-8")


def test_a_layer_without_a_disk_leaves_the_disk_workload_out_and_says_so() -> None:
    run = benchmark.run(pair(disk=""), seed=1)
    assert {s.workload for s in run.samples} == set(QUICK) - {"disk-read"}
    assert any("disk-read was not measured: L1" in note for note in run.notes)
    assert find_effect(run, "disk-read", "L1").verdict == "not measured"
    assert "disk-read" in run.incomplete


@pytest.mark.parametrize(
    "bad",
    [
        {"suite": "huge"}, {"workloads": ["nonsense"]}, {"workloads": []}, {"rounds": 0},
        {"rounds": -1}, {"rounds": True}, {"rounds": 1.5}, {"time_budget_s": 0},
        {"time_budget_s": float("nan")}, {"sample_s": 0.05}, {"sample_s": float("nan")},
        {"sample_s": "1"}, {"sample_s": True}, {"seed": "7"}, {"seed": 1.5}, {"workloads": "exit"},
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_before_anything_runs(bad: dict[str, Any]) -> None:
    layers = pair()
    with pytest.raises(RunError) as caught:
        benchmark.run(layers, **bad)
    assert caught.value.remedy
    assert not layers[0].commands


@pytest.mark.parametrize(
    "odd", [{"cpu_count": "2"}, {"acceleration": "magic"}, {"memory_mib": 1.5}, {"extra": {"a": 1}}]
)
def test_facts_that_no_file_could_hold_are_refused_before_anything_runs(
    odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = pair()
    said = replace(layers[1].facts(), **odd)
    monkeypatch.setattr(layers[1], "facts", lambda: said)
    with pytest.raises(RunError, match="cannot be kept"):
        benchmark.run(layers)
    monkeypatch.setattr(layers[1], "facts", lambda: {"layer": "L1"})
    with pytest.raises(RunError, match="cannot be kept"):
        benchmark.run(layers)
    assert not layers[0].commands


def test_no_layers_and_twice_the_same_layer_are_refused() -> None:
    with pytest.raises(RunError, match="nothing to measure"):
        benchmark.run([])
    world = World()
    with pytest.raises(RunError, match="one name"):
        benchmark.run([FakeLayer(world), FakeLayer(world)])


def test_an_unknown_baseline_names_the_layers_there_are() -> None:
    run = benchmark.run(pair(), seed=1, rounds=1)
    with pytest.raises(RunError) as caught:
        run.summary(baseline="L7")
    assert "L0, L1" in caught.value.remedy


# ---------------------------------------------------------------- progress, cancel, budget


def test_progress_starts_with_an_estimate_and_ends_at_the_total() -> None:
    calls: list[tuple[str, int, int, float]] = []
    layers = emulated_lab()
    benchmark.run(layers, seed=1, workloads=QUICK, progress=lambda *a: calls.append(a))
    message, done, total, eta = calls[0]
    assert (done, total) == (0, 11 * 3 * len(QUICK))
    assert 20 < eta < 600
    assert message
    assert calls[-1][:3] == ("done", *[11 * 3 * len(QUICK)] * 2)
    assert calls[-1][3] == 0
    assert [c[1] for c in calls] == sorted(c[1] for c in calls)


@pytest.mark.parametrize("after", [0, 5, 30, 70])
def test_a_cancelled_run_is_partial_marked_and_usable(after: int, tmp_path: Any) -> None:
    asked = itertools.count()
    run = benchmark.run(pair(), seed=1, workloads=QUICK, cancel=lambda: next(asked) >= after)
    assert run.status == "cancelled"
    assert len(run.samples) < 11 * 2 * len(QUICK)
    assert run.incomplete
    assert Run.load(run.save(tmp_path / "part.json")) == run
    assert len(run.summary()) == 2 * len(QUICK)
    assert str(run)


def test_ctrl_c_keeps_what_was_measured() -> None:
    layers = pair()
    count = itertools.count()

    def interrupt(argv: Sequence[str]) -> None:
        if next(count) >= 60:
            raise KeyboardInterrupt

    layers[1].before = interrupt
    run = benchmark.run(layers, seed=1)
    assert run.status == "cancelled"
    assert run.samples


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"layers": "lab://"}, "list of runners"),
        ({"layers": None}, "list of runners"),
        ({"time_budget_s": "x"}, "time budget"),
        ({"time_budget_s": float("nan")}, "time budget"),
        ({"time_budget_s": 0}, "time budget"),
        ({"progress": 1}, "progress"),
        ({"cancel": True}, "cancel"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_remedy(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(RunError, match=word) as caught:
        benchmark.run(**{"layers": pair(), "seed": 1, **wrong})
    assert caught.value.remedy


def test_a_time_budget_marks_what_is_unfinished() -> None:
    layers = pair()
    layers[1].before = lambda argv: time.sleep(0.002)
    run = benchmark.run(layers, "full", seed=1, time_budget_s=0.15)
    assert run.status == "out of time"
    assert set(run.incomplete) == set(WORKLOADS)
    assert "of 30 rounds" in str(run)


def test_blocks_mislead_where_rounds_do_not() -> None:
    """Why R1 is there: a machine that slows down steadily, measured in blocks and in rounds."""
    rnd = random.Random(4)
    drift = [1 + i / 100 for i in range(20)]
    block = statistics.median(drift[10:]) / statistics.median(drift[:10])
    ratios = []
    for i in range(10):
        first, second = rnd.sample([drift[2 * i], drift[2 * i + 1]], 2)
        ratios.append(second / first)
    assert abs(statistics.median(ratios) - 1) < abs(block - 1) / 3
