"""This machine as a layer: with the image's tools, or with what is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nestkit import benchmark, lab
from nestkit.errors import LabError
from nestkit.lab import local, packages
from nestkit.state import cache_dir

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lab needs Linux")


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_nothing_need_be_installed_to_measure_this_machine() -> None:
    with lab.here() as runner:
        disk = Path(runner.facts().extra["disk"])
        assert disk.is_file()
        wanted = ["arithmetic", "exit", "disk-read", "disk-write"]
        run = benchmark.run([runner], rounds=1, seed=1, workloads=wanted)
        folder = lab.build_image().folder
        assert runner.facts().extra["path:fio"] == str(folder / "bin/fio")
    assert {s.workload for s in run.counted} == set(wanted)
    assert not disk.parent.exists()
    assert disk.parent.name not in {p.name for p in cache_dir("lab", "run").iterdir()}


def test_elsewhere_the_programs_installed_are_used_and_it_says_so(monkeypatch) -> None:
    monkeypatch.setattr(packages, "wrong_machine", lambda: "the lab needs Linux, this is Plan 9")
    told: list[str] = []
    with lab.here(told.append) as runner:
        assert runner.run(["true"], timeout=30).rc == 0
        assert "path:fio" not in runner.facts().extra
    assert told == ["the lab needs Linux, this is Plan 9: the programs installed here are used"]


def test_without_a_network_the_programs_installed_are_used(monkeypatch) -> None:
    def fail(tell: object) -> None:
        raise LabError("the lab's packages cannot be fetched", remedy="check the network")

    monkeypatch.setattr(packages, "wrong_machine", lambda: "")
    monkeypatch.setattr(packages, "missing_tools", lambda: "")
    monkeypatch.setattr(local, "build_image", fail)
    told: list[str] = []
    with lab.here(told.append) as runner:
        assert runner.run(["true"], timeout=30).rc == 0
    assert "cannot be fetched" in told[-1]
