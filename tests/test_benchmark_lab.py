"""The whole way once for real: boot a VM in a VM, measure it, judge it, draw it."""

from __future__ import annotations

from pathlib import Path

import pytest

import nestkit as nk
from nestkit.benchmark import SUITES, find_effect

QEMU_OF_L2 = (
    'for p in /proc/[0-9]*; do case "$(readlink "$p/exe")" in */qemu) '
    'tr "\\0" " " < "$p/cmdline"; esac; done'
)


@pytest.mark.lab
@pytest.mark.timeout(900)
def test_a_real_lab_of_depth_2_shows_what_exits_cost(tmp_path: Path) -> None:
    with nk.lab.up(depth=2) as lab:
        run = nk.benchmark.run(lab.layers, suite="quick", seed=11)
        inner = lab.layers[1].run(["sh", "-c", QEMU_OF_L2], timeout=60).stdout

    assert "file=/dev/nestkit/scratch,cache=none" in inner, "no cache between L2's disk and L1's"
    assert run.status == "complete"
    assert len(run.counted) == 10 * (3 * len(SUITES["quick"].workloads) - 1)  # L0 has no link
    assert all(s.valid for s in run.samples), "the same binaries run in every layer"
    # guests keep time: a clock that loses ticks would falsify every figure
    wrong = [s for s in run.counted if "clocks differ" in s.reason]
    assert len(wrong) <= len(run.counted) / 10
    assert not any("CPUs differ" in note for note in run.notes)
    if run.emulated:
        assert run.default_baseline == "L1"
    dear = find_effect(run, "exit", "L2", baseline="L1").interval
    cheap = find_effect(run, "arithmetic", "L2", baseline="L1").interval
    assert dear is not None
    assert cheap is not None
    assert dear.median >= 5 * cheap.median
    assert dear.disjoint(cheap)
    assert nk.Run.load(run.save(tmp_path / "run.json")) == run
    assert nk.charts.alt_text(nk.charts.slowdown(run))
