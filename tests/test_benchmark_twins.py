"""One layer as two: the same runner under two names, compared as equals."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_layers import FakeLayer, World

from nestkit import benchmark
from nestkit.benchmark import find_effect
from nestkit.benchmark.effects import CACHE_WARNING
from nestkit.benchmark.twins import as_twins
from nestkit.runners.base import Runner


class Filed(FakeLayer):
    """A layer that takes and gives files."""

    def put(self, src: Path, dst: str) -> None:
        self.commands.append(("put", str(src), dst))

    def get(self, src: str, dst: Path) -> None:
        self.commands.append(("get", src, str(dst)))


def test_twins_are_one_runner_under_two_names() -> None:
    layer = Filed(World())
    first, second = as_twins(layer)
    assert isinstance(first, Runner)
    assert (first.layer, second.layer) == ("L0 A", "L0 B")
    assert first.facts().layer == "L0 A"
    assert second.os == layer.os
    first.run(["which", "fio"], timeout=1)
    second.put(Path("a"), "b")
    second.get("b", Path("c"))
    assert [c[0] for c in layer.commands] == ["which", "put", "get"]
    second.close()
    assert layer.closed


def test_a_difference_between_equals_is_no_sign_of_a_cache() -> None:
    """Neither twin stands further in: the disk of one may be as much faster as it likes."""
    world = World()
    fast = FakeLayer(world, "L0 B", slowdown={"disk-read": 0.5})
    slow = FakeLayer(world, "L0 C", slowdown={"disk-read": 2.0})
    run = benchmark.run([FakeLayer(world, "L0 A"), fast, slow], seed=1, workloads=["disk-read"])
    for name, verdict in (("L0 B", "faster"), ("L0 C", "slower")):
        effect = find_effect(run, "disk-read", name, baseline="L0 A")
        assert effect.verdict == verdict
        assert CACHE_WARNING not in effect.note


@pytest.mark.parametrize("seed", range(3))
def test_a_run_of_twins_names_both(seed: int) -> None:
    run = benchmark.run(as_twins(FakeLayer(World(seed, noise=0.02))), seed=seed, rounds=6)
    assert [facts.layer for facts in run.layers] == ["L0 A", "L0 B"]
    assert run.default_baseline == "L0 A"
