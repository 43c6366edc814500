"""Memory per layer: what its hypervisor holds outside, against what it can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fake_layers import FakeLayer, World

import nestkit as nk
from nestkit import benchmark
from nestkit.benchmark import LayerMemory, Run, memory_per_layer, with_memory
from nestkit.errors import RunError
from nestkit.facts import Unknown
from nestkit.runners.base import ExecResult, LayerFacts


class Guest(FakeLayer):
    """A layer with memory, and a QEMU in it."""

    statm = "120000 51200 2000 1 0 9000 0\n"
    memory: object = 480

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        if argv[0] == "sh":
            return ExecResult(
                rc=0, stdout=self.statm, stderr="", host_t0=0.0, host_t1=1.0, rtt_s=0.0
            )
        return super().run(argv, timeout=timeout, env=env)

    def facts(self) -> LayerFacts:
        return replace(super().facts(), memory_mib=self.memory)  # type: ignore[arg-type]


class Lab:
    """Three layers; the outermost QEMU holds 600 MiB."""

    def __init__(self) -> None:
        world = World()
        self.layers = [Guest(world, f"L{depth}", depth) for depth in range(3)]

    def host_memory_mib(self) -> float:
        return 600.04


def test_each_guest_has_what_it_takes_and_what_it_can_use() -> None:
    lab = Lab()
    lab.layers[1].memory = 990
    assert memory_per_layer(lab) == (
        LayerMemory(layer="L1", resident_mib=600.0, usable_mib=990),
        LayerMemory(layer="L2", resident_mib=51200 * 4096 / 2**20, usable_mib=480),
    )


@pytest.mark.parametrize("statm", ["", "oops\n", "1 2 3\n1 2 3\n"])
def test_a_layer_without_exactly_one_qemu_is_an_error(statm: str) -> None:
    lab = Lab()
    lab.layers[1].statm = statm
    with pytest.raises(RunError, match="L1 runs"):
        memory_per_layer(lab)


def test_memory_that_is_not_known_is_an_error_and_no_zero() -> None:
    lab = Lab()
    lab.layers[2].memory = Unknown("no /proc/meminfo")
    with pytest.raises(RunError, match="no /proc/meminfo"):
        memory_per_layer(lab)


def test_it_is_kept_in_the_run_and_shown(tmp_path: Path) -> None:
    lab = Lab()
    run = with_memory(benchmark.run(lab.layers, rounds=1, seed=1, workloads=["exit"]), lab)
    assert Run.load(run.save(tmp_path / "run.json")) == run
    assert "L2: takes 200 MiB outside, 480 MiB usable inside" in str(run)


@pytest.mark.lab
def test_a_real_guest_takes_more_than_its_programs_use() -> None:
    with nk.lab.up(depth=2) as lab:
        outer, inner = memory_per_layer(lab)
    assert (outer.layer, inner.layer) == ("L1", "L2")
    assert 100 < inner.resident_mib < outer.usable_mib < 1024
    assert 100 < outer.resident_mib <= 2048
    assert 200 < inner.usable_mib < outer.usable_mib
