"""The runs that come with the kit: readable, labelled, and of one piece with their recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestkit import benchmark, charts
from nestkit.benchmark import WORKLOADS, Run, find_effect
from nestkit.facts import Unknown
from nestkit.resources import data_path

RUNS = sorted(data_path("runs").glob("*.json"))
RECORDINGS = sorted(data_path("runs").glob("*.replay.json.gz"))

PROVENANCE = (
    "cpu_model", "cpu_count", "memory_mib", "kernel", "microcode", "clock_source", "mitigations",
    "huge_pages", "hypervisor_leaves",
)  # fmt: skip


def test_there_is_a_recorded_lab_of_depth_2() -> None:
    assert "lab-depth2-tcg.json" in [path.name for path in RUNS]


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.name)
def test_a_shipped_run_is_whole_and_labelled(path: Path, tmp_path: Path) -> None:
    run = Run.load(path)
    assert run.origin == "recorded"
    assert run.status == "complete"
    assert run.provenance["date_utc"]
    assert run.provenance["host_cpu"]
    assert run.save(tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert "not measured here" in charts.alt_text(charts.slowdown(run))


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.name)
def test_a_shipped_run_says_all_that_its_figures_depend_on(path: Path) -> None:
    run = Run.load(path)
    assert set(run.provenance) >= {"base_is_virtual", "host_os", "nestkit", "sample_s", "tools"}
    for facts in run.layers:
        known = [getattr(facts, name) for name in PROVENANCE]
        assert not any(isinstance(fact, Unknown) for fact in known), facts.layer
        # a guest has no governor, and says so
        assert isinstance(facts.governor, str) or facts.governor.reason
        assert {"disk_cache", "disk_format", "qemu", "image"} <= set(facts.extra)
        assert ("nested_paging" in facts.extra) is (facts.depth > 1)
        assert facts.emulated is ("TCG" in facts.stack)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda p: p.name)
def test_a_recording_played_back_gives_the_shipped_run(path: Path) -> None:
    run = Run.load(path.with_name(path.name.replace(".replay.json.gz", ".json")))
    played = benchmark.replay(path)
    assert played == run
    assert played.summary().to_csv() == run.summary().to_csv()


@pytest.mark.parametrize("path", [*RUNS, *RECORDINGS], ids=lambda p: p.name)
def test_no_path_of_the_recording_machine_is_in_it(path: Path) -> None:
    import gzip

    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    for folder in (b"/root/.", b"/home/", b"/tmp/", b"/Users/"):
        assert folder not in text


def test_exits_are_what_nesting_costs() -> None:
    """L2 against L1 under emulation: exits at least five times as much as arithmetic."""
    run = Run.load(data_path("runs", "lab-depth2-tcg.json"))
    assert run.default_baseline == "L1"
    dear, cheap = (find_effect(run, name, "L2").interval for name in ("exit", "arithmetic"))
    assert dear is not None
    assert cheap is not None
    assert dear.median >= 5 * cheap.median
    assert dear.disjoint(cheap)
    assert {s.workload for s in run.counted} == set(run.workloads)
    assert set(run.workloads) <= set(WORKLOADS)
