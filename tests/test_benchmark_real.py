"""Real tools on this machine: A/A, a slowdown that must be found, rounds against blocks.

Everything is taken with the lab's own programs on L0: about 13 minutes with 20 seeds.
NESTKIT_AA_SEEDS takes fewer, for a look.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from dataclasses import replace

import pytest

from nestkit import benchmark
from nestkit.benchmark import Run, find_effect
from nestkit.benchmark.twins import Renamed, as_twins
from nestkit.lab.image import build_image, fill_scratch
from nestkit.runners.base import Runner
from nestkit.runners.lab import image_runner

SEEDS = int(os.environ.get("NESTKIT_AA_SEEDS", "20"))
SHORT_S = 0.11
OTHERS = (
    "system-call", "exit", "first-touch", "memory-bandwidth", "wake-up", "disk-read",
)  # fmt: skip
STEADY = ("arithmetic", "system-call", "memory-bandwidth")  # no disk, no second process
pytestmark = [pytest.mark.lab, pytest.mark.perf, pytest.mark.slow]
A, B = "L0 A", "L0 B"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """L0 with the image's programs, pinned to one CPU, and a disk that is a file."""
    disk = tmp_path_factory.mktemp("disk") / "disk.raw"
    fill_scratch(disk, 16 << 20)
    runner = image_runner(build_image(), cpus=1, extra={"disk": str(disk)})
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def runs(here: Runner) -> list[Run]:
    """Arithmetic of the same layer against itself, once a seed, in the quick suite's samples."""
    return [
        benchmark.run(as_twins(here), seed=seed, workloads=["arithmetic"]) for seed in range(SEEDS)
    ]


def claims(runs: list[Run], workload: str) -> int:
    """In how many runs a difference is claimed."""
    verdicts = [find_effect(run, workload, B, baseline=A).verdict for run in runs]
    return sum(verdict in ("slower", "faster") for verdict in verdicts)


def slowed(run: Run, workload: str, factor: float) -> Run:
    """The run with one workload of the second twin made slower, on top of the real noise."""
    samples = tuple(
        replace(s, value=s.value / factor) if (s.workload, s.layer) == (workload, B) else s
        for s in run.samples
    )
    return replace(run, samples=samples)


@pytest.mark.timeout(1800)
def test_a_layer_against_itself_is_rarely_called_different(here: Runner, runs: list[Run]) -> None:
    others = [
        benchmark.run(as_twins(here), seed=seed, workloads=OTHERS, sample_s=SHORT_S)
        for seed in range(SEEDS)
    ]
    assert all(run.status == "complete" for run in [*runs, *others])
    alarms = {name: claims(others, name) for name in OTHERS}
    alarms["arithmetic"] = claims(runs, "arithmetic")
    print(f"\nA/A: {sum(alarms.values())} of {SEEDS * len(alarms)} claimed: {alarms}")
    assert sum(alarms.values()) <= SEEDS * len(alarms) / 10


@pytest.mark.timeout(1800)
def test_a_slowdown_of_a_tenth_is_claimed(runs: list[Run]) -> None:
    found = [
        find_effect(slowed(run, "arithmetic", 1.1), "arithmetic", B, baseline=A).verdict
        for run in runs
    ]
    print(f"\narithmetic slowed by a tenth: claimed in {found.count('slower')} of {SEEDS}")
    assert found.count("slower") >= SEEDS * 9 // 10


def in_rounds(here: Runner, seed: int) -> list[float]:
    """Ratios of a layer to itself, measured in turn."""
    run = benchmark.run(as_twins(here), seed=seed, workloads=STEADY, sample_s=SHORT_S)
    return [find_effect(run, name, B, baseline=A).ratio or 0.0 for name in STEADY]


def in_blocks(here: Runner, seed: int) -> list[float]:
    """Ratios of a layer to itself, measured once from beginning to end and then again."""
    first, second = (
        benchmark.run([Renamed(here, name)], seed=seed, workloads=STEADY, sample_s=SHORT_S)
        for name in (A, B)
    )

    def time_of(run: Run, workload: str) -> float:
        return statistics.median(
            s.time_per_operation for s in run.counted if s.workload == workload
        )

    return [time_of(second, name) / time_of(first, name) for name in STEADY]


@pytest.mark.timeout(900)
def test_rounds_err_less_than_blocks(here: Runner) -> None:
    """R1 on this machine: the true ratio is 1; both ways take as many samples, turn by turn."""
    errors: dict[str, list[float]] = {"rounds": [], "blocks": []}
    for seed in range(max(2, SEEDS // 3)):
        ways = [("rounds", in_rounds), ("blocks", in_blocks)]
        for name, measure in ways if seed % 2 else reversed(ways):
            errors[name] += [abs(ratio - 1) for ratio in measure(here, seed)]
    rounds, blocks = (statistics.median(errors[name]) for name in ("rounds", "blocks"))
    worst = {name: max(values) for name, values in errors.items()}
    print(
        f"\nerror of a true ratio of 1, median (worst) of {len(errors['rounds'])}: "
        f"blocks {blocks:.2%} ({worst['blocks']:.1%}), rounds {rounds:.2%} ({worst['rounds']:.1%})"
    )
    # on a machine at rest both are within the noise of one sample
    assert rounds <= max(blocks, 0.01)
